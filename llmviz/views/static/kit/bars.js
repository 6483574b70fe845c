// Rows with a bar each.

import { selectChip } from "./chips.js";
import { h, keyed, quoted, setPiece } from "./elements.js";
import { indexUnder, listKeys, onKeys, onPointer } from "./input.js";
import { clamp } from "./numbers.js";

function makeRow(index, parts) {
  const piece = h("bdi", { class: "lv-piece" });
  const track = Object.fromEntries(parts.map((part) => [part, h("span", { class: `lv-${part}` })]));
  const label = h("span", { class: "lv-label" }, piece);
  const space = h("span", { class: "lv-track" }, Object.values(track));
  const node = h("div", { class: "lv-row lv-choice", role: "option", "data-index": index }, label, space);
  return { node, piece, ...track };
}

/**
 * Rows in a list: `show(pieces, fill)` has `fill(row, index)` bring each track up to date, and returns the rows' nodes.
 * `parts` names what a track holds ("bar": lv-bar).
 */
export function rowsIn(list, parts) {
  const rows = [];
  return (pieces, fill) => {
    while (rows.length < pieces.length) rows.push(makeRow(rows.length, parts));
    const nodes = rows.slice(0, pieces.length).map(({ node }) => node);
    if (list.childElementCount !== nodes.length) list.replaceChildren(...nodes);
    pieces.forEach((piece, i) => {
      setPiece(rows[i].piece, piece);
      fill(rows[i], i);
    });
    return nodes;
  };
}

/**
 * Rows for the traits `selected`, `ids` and, unless named otherwise, `pieces`. The line below says what `note(index)`
 * returns of the row that is pointed at or selected; `show(fill)` brings the rows up to date.
 */
export function barRows(view, { name, note, parts, labels = "pieces" }) {
  const { model } = view;
  const list = keyed("listbox", "lv-bars", name);
  const draw = rowsIn(list, parts);
  const n = () => model.get(labels).length;
  const current = () => model.get("selected") ?? -1;
  const tell = (index) => {
    const at = index ?? current();
    const [piece, id] = [model.get(labels)[at], model.get("ids")?.[at]];
    view.note(...(note && piece ? [quoted(piece), ...note(at), id !== undefined && `id ${id}`] : []));
  };
  onPointer(list, indexUnder, tell, (index) => view.select(index, true));
  onKeys(list, listKeys(view.select, current, n, ["ArrowUp", "ArrowDown"]));
  const show = (fill) => {
    selectChip(list, draw(model.get(labels), fill), current());
    tell();
  };
  return { list, show };
}

/** Draw a row's bar and its outline (null: none), both as shares of the track, and put the number behind them. */
export function drawBar({ bar, ghost, value }, share, before = null) {
  bar.style.width = `${100 * clamp(share)}%`;
  ghost.hidden = before === null;
  ghost.style.width = `${100 * clamp(before ?? 0)}%`;
  value.style.left = `${100 * clamp(Math.max(share, before ?? 0))}%`;
}

/** The axis below the bars: each mark is [share of the track, text]. */
export const barAxis = (marks) => marks.map(([share, text]) => h("span", { style: `left:${100 * share}%` }, text));
