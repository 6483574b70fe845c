// Tokens as chips: pick one by pointer or keys; a weight shades each.

import {
  chip,
  chipOnNextLine,
  colorScale,
  floats,
  frame,
  indexUnder,
  inPercent,
  keyed,
  KIT,
  listKeys,
  markLegend,
  onKeys,
  onPointer,
  percent,
  putChips,
  quoted,
  scaleLegend,
  selectChip,
  shadeChip,
  tooLong,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "token_strip");
  const list = keyed("listbox", "lv-chips", "tokens");
  view.body.append(list);
  let chips = [];
  let drawn = {};

  const select = (index, ask) => chips[index] && view.select(index, ask);
  const current = () => model.get("selected") ?? -1;

  const tell = (index) => {
    const label = model.get("pieces")[index];
    if (label === undefined) return view.note("");
    const [ids, weights, notes] = [model.get("ids"), floats(model.get("weights")), model.get("notes")];
    const weight = weights?.data[index];
    view.note(
      quoted(label),
      `token ${index + 1} of ${model.get("pieces").length}, position ${index} (counting from 0)`,
      ids && `id ${ids[index]}`,
      weights && !Number.isNaN(weight) && `${model.get("quantity")} ${percent(weight)}`,
      notes?.[index],
    );
  };

  onPointer(
    list,
    indexUnder,
    (index) => tell(index ?? current()),
    (index) => select(index, true),
  );
  onKeys(list, {
    ...listKeys(select, current, () => chips.length),
    ArrowDown: () => chips.length && select(chipOnNextLine(chips, Math.max(0, current()), 1)),
    ArrowUp: () => chips.length && select(chipOnNextLine(chips, Math.max(0, current()), -1)),
  });

  return view.start(() => {
    const [pieces, ids] = [model.get("pieces"), model.get("ids")];
    if (pieces !== drawn.pieces && isReordered(pieces, drawn.pieces)) {
      chips = reorder(list, chips, drawn.pieces, pieces);
    } else if (pieces !== drawn.pieces || ids !== drawn.ids) {
      // most keys change the end of a text: the chips before it stay
      const old = chips;
      const same = (piece, i) => old[i] && piece === drawn.pieces[i] && ids?.[i] === drawn.ids?.[i];
      chips = pieces.slice(0, KIT.maxTokens).map((piece, i) => (same(piece, i) ? old[i] : chip(piece, ids?.[i], i)));
      putChips(list, old, chips);
      view.root.classList.toggle("lv-many", chips.length > 64);
    }
    const weights = floats(model.get("weights"));
    const scale = colorScale("weight", view.theme);
    const highlight = new Set(model.get("highlight"));
    view.root.classList.toggle("lv-own-colors", model.get("own_colors"));
    chips.forEach((node, i) => {
      shadeChip(node, weights?.data[i], scale);
      node.classList.toggle("lv-highlight", highlight.has(i));
      // Neighbouring ids have hues far apart: the golden angle.
      if (model.get("own_colors") && ids) node.style.setProperty("--lv-hue", (ids[i] * 137.508) % 360);
    });
    selectChip(list, chips, model.get("selected"));
    view.setLegend(
      tooLong(pieces.length),
      ...markLegend(pieces),
      weights && scaleLegend(inPercent(scale), `shade = ${model.get("quantity")}`),
      highlight.size > 0 && `dashed: ${model.get("highlight_name")}`,
    );
    drawn = { pieces, ids };
    tell(current());
  });
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
    if (from)
      node.animate(
        [{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }],
        { duration: 700, easing: "ease-in-out" },
      );
  }
  return moved;
}
