// Tokens as chips: pick one by pointer or keys; a weight shades each.

import { chipOnNextLine, selectChip, shadeChip, tooLong } from "./kit/chips.js";
import { colorScale, inPercent, scaleLegend } from "./kit/colour.js";
import { keyed, markLegend, quoted } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { indexUnder, listKeys, onKeys, onPointer } from "./kit/input.js";
import { floats, percent } from "./kit/numbers.js";
import { tokenChips } from "./kit/token_chips.js";

export function render({ model, el }) {
  const view = frame(model, el, "token_strip");
  const list = keyed("listbox", "lv-chips", "tokens");
  view.body.append(list);
  const put = tokenChips(list);
  let chips = [];
  const select = (index, ask) => chips[index] && view.select(index, ask);
  const current = () => model.get("selected") ?? -1;
  const toLine = (by) => () => chips.length && select(chipOnNextLine(chips, Math.max(0, current()), by));
  const hover = (index) => tell(view, index ?? current());
  onPointer(list, indexUnder, hover, (index) => select(index, true));
  onKeys(list, { ...listKeys(select, current, () => chips.length), ArrowDown: toLine(1), ArrowUp: toLine(-1) });
  return view.start(() => {
    chips = put(model.get("pieces"), model.get("ids"));
    view.root.classList.toggle("lv-many", chips.length > 64);
    drawLook(view, chips);
    selectChip(list, chips, model.get("selected"));
    hover();
  });
}

function tell(view, index) {
  const { model } = view;
  const [pieces, ids, notes] = ["pieces", "ids", "notes"].map((name) => model.get(name));
  if (pieces[index] === undefined) return view.note("");
  const weight = floats(model.get("weights"))?.data[index] ?? NaN;
  view.note(
    quoted(pieces[index]),
    `token ${index + 1} of ${pieces.length}, position ${index} (counting from 0)`,
    ids && `id ${ids[index]}`,
    !Number.isNaN(weight) && `${model.get("quantity")} ${percent(weight)}`,
    notes?.[index],
  );
}

/** Shade, mark and colour the chips, and say in the legend what that means. */
function drawLook(view, chips) {
  const { model } = view;
  const [pieces, ids, colored] = ["pieces", "ids", "own_colors"].map((name) => model.get(name));
  const [weights, highlight] = [floats(model.get("weights")), new Set(model.get("highlight"))];
  const scale = colorScale("weight", view.theme);
  view.root.classList.toggle("lv-own-colors", colored);
  chips.forEach((node, i) => {
    shadeChip(node, weights?.data[i], scale);
    node.classList.toggle("lv-highlight", highlight.has(i));
    // Neighbouring ids have hues far apart: the golden angle.
    if (colored && ids) node.style.setProperty("--lv-hue", (ids[i] * 137.508) % 360);
  });
  view.setLegend(
    tooLong(pieces.length),
    ...markLegend(pieces),
    weights && scaleLegend(inPercent(scale), `shade = ${model.get("quantity")}`),
    highlight.size > 0 && `dashed: ${model.get("highlight_name")}`,
  );
}
