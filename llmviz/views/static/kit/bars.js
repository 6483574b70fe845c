// Rows with a bar each, for the traits `selected` and, unless named otherwise, `pieces`.

import { selectChip } from "./chips.js";
import { h, keyed, setPiece } from "./elements.js";
import { indexUnder, listKeys, onKeys, onPointer } from "./input.js";

/** `tell(index)` writes the line below; `parts` names what a row's track holds ("bar": lv-bar). Returns {list, show}. */
export function barRows(view, { name, tell, parts, labels = "pieces" }) {
  const { model } = view;
  const list = keyed("listbox", "lv-bars", name);
  const rows = [];
  const n = () => model.get(labels).length;
  const current = () => model.get("selected") ?? -1;
  const select = (index, ask) => index >= 0 && index < n() && view.select(index, ask);
  const makeRow = (index) => {
    const piece = h("bdi", { class: "lv-piece" });
    const track = Object.fromEntries(parts.map((part) => [part, h("span", { class: `lv-${part}` })]));
    const row = { piece, ...track };
    row.node = h(
      "div",
      { class: "lv-row lv-choice", role: "option", "data-index": index },
      h("span", { class: "lv-label" }, piece),
      h("span", { class: "lv-track" }, Object.values(track)),
    );
    return row;
  };
  const hover = (index) => tell(index ?? current());
  onPointer(list, indexUnder, hover, (index) => select(index, true));
  onKeys(list, listKeys(select, current, n, ["ArrowUp", "ArrowDown"]));
  /** Bring the rows up to date; `fill(row, index)` does it for the track of each. */
  const show = (fill) => {
    const pieces = model.get(labels);
    while (rows.length < pieces.length) rows.push(makeRow(rows.length));
    const nodes = rows.slice(0, pieces.length).map((row) => row.node);
    if (list.childElementCount !== nodes.length) list.replaceChildren(...nodes);
    pieces.forEach((piece, i) => {
      setPiece(rows[i].piece, piece);
      fill(rows[i], i);
    });
    selectChip(list, nodes, current());
    tell(current());
  };
  return { list, show };
}
