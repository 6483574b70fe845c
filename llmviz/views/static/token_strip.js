// Tokens as chips: pick one by pointer or keys; a weight shades each.

import { chip, chipOnNextLine, putChips, selectChip, shadeChip, tooLong } from "./kit/chips.js";
import { colorScale, inPercent, scaleLegend } from "./kit/colour.js";
import { keyed, markLegend, quoted } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { indexUnder, listKeys, onKeys, onPointer } from "./kit/input.js";
import { floats, percent } from "./kit/numbers.js";
import { KIT } from "./theme.js";

export function render({ model, el }) {
  const view = frame(model, el, "token_strip");
  const list = keyed("listbox", "lv-chips", "tokens");
  view.body.append(list);
  let chips = [];
  let drawn = {};
  const select = (index, ask) => chips[index] && view.select(index, ask);
  const current = () => model.get("selected") ?? -1;
  const toLine = (by) => () => chips.length && select(chipOnNextLine(chips, Math.max(0, current()), by));
  const hover = (index) => tell(view, index ?? current());
  onPointer(list, indexUnder, hover, (index) => select(index, true));
  onKeys(list, { ...listKeys(select, current, () => chips.length), ArrowDown: toLine(1), ArrowUp: toLine(-1) });
  return view.start(() => {
    const [pieces, ids] = ["pieces", "ids"].map((name) => model.get(name));
    if (pieces !== drawn.pieces && isReordered(pieces, drawn.pieces)) {
      chips = reorder(list, chips, drawn.pieces, pieces);
    } else if (pieces !== drawn.pieces || ids !== drawn.ids) {
      // most keys change the end of a text: the chips before it stay
      const same = (piece, i) => chips[i] && piece === drawn.pieces[i] && ids?.[i] === drawn.ids?.[i];
      const now = pieces.slice(0, KIT.maxTokens);
      chips = putChips(
        list,
        chips,
        now.map((piece, i) => (same(piece, i) ? chips[i] : chip(piece, ids?.[i], i))),
      );
      view.root.classList.toggle("lv-many", chips.length > 64);
    }
    drawn = { pieces, ids };
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

const isReordered = (pieces, before) =>
  pieces.length === before?.length &&
  pieces.some((piece, i) => piece !== before[i]) &&
  JSON.stringify(pieces.toSorted()) === JSON.stringify(before.toSorted());

/** Let the chips move to their places in another order of the same pieces. */
function reorder(list, chips, before, pieces) {
  const was = new Map(chips.map((node) => [node, node.getBoundingClientRect()]));
  const left = new Map();
  chips.forEach((node, i) => left.set(before[i], [...(left.get(before[i]) ?? []), node]));
  const moved = pieces.slice(0, KIT.maxTokens).map((piece, i) => {
    const node = left.get(piece)?.shift() ?? chip(piece, null, i);
    node.dataset.index = i;
    return node;
  });
  list.replaceChildren(...moved);
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return moved;
  for (const node of moved) {
    const [from, to] = [was.get(node), node.getBoundingClientRect()];
    const start = from && `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
    if (from) node.animate([{ transform: start }, { transform: "none" }], { duration: 700, easing: "ease-in-out" });
  }
  return moved;
}
