// Boxes with arrows between them, and tables of bars with their numbers.

import { selectChip } from "./chips.js";
import { exchange, h, keyed, s, setAttributes, setPiece, setText } from "./elements.js";
import { cellKeys } from "./cells.js";
import { onKeys, onPointer } from "./input.js";
import { clamp } from "./numbers.js";

/** Put a box at a place in its diagram. */
export function place(box, x, y, width, height) {
  Object.assign(box.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  return box;
}
/** A box of some kind at a place. */
export const box = (kind, area, ...content) => place(h("div", { class: `lv-box ${kind}` }, ...content), ...area);

/** A diagram of boxes, which are elements at places, over lines, which are one SVG. */
export function diagram(view, attributes) {
  const svg = s("svg", { "aria-hidden": "true" });
  const node = h("div", { class: "lv-diagram", ...attributes }, svg);
  view.body.append(node);
  const show = (width, height, lines, boxes) => {
    setAttributes(svg, { width, height });
    Object.assign(node.style, { width: `${width}px`, height: `${height}px` });
    svg.replaceChildren(...lines.flat());
    exchange(node, [...node.children].slice(1), boxes);
  };
  return { node, show };
}

/** A line along a path, with a tip at `tip` that is turned by so many degrees from pointing to the right. */
export function arrow(d, kind = "", { tip = null, turn = 0, wide = 3 } = {}) {
  const size = 9 + wide / 2;
  const head = { d: `M0 0l${-size} ${-size / 2}v${size}z`, transform: `translate(${tip}) rotate(${turn})` };
  return [
    s("path", { d, class: `lv-flow ${kind}`, "stroke-width": wide }),
    tip && s("path", { ...head, class: `lv-tip ${kind}` }),
  ].filter(Boolean);
}

/** A bar and its number. `show` takes where the bar begins and ends, in shares of its track (NaN: 0), and where zero is. */
export function measure() {
  const [bar, zero, amount] = ["lv-bar", "lv-zero", "lv-amount"].map((kind) => h("span", { class: kind }));
  const node = h("span", { class: "lv-measure" }, h("span", { class: "lv-space" }, zero, bar), amount);
  const show = ({ from = 0, to = 0, origin = 0, side = "", text }) => {
    const [left, right] = [from, to].map((share) => clamp(share || 0)).toSorted((a, b) => a - b);
    bar.hidden = left === right;
    bar.className = `lv-bar ${side}`;
    Object.assign(bar.style, { left: `${100 * left}%`, width: `${100 * (right - left)}%` });
    zero.style.left = `${100 * origin}%`;
    setText(amount, text);
  };
  return { node, show };
}

/** What `measure` shows of a number around zero, on a track from `low` to `high`. */
export function around(v, [low, high], text) {
  const at = (value) => (value - low) / (high - low || 1);
  return { from: at(0), to: at(v), origin: at(0), side: v < 0 ? "lv-down" : "lv-up", text };
}

/**
 * A table with a bar and a number in each cell. A cell is hovered, clicked, and reached by the keys: `select(row, column,
 * ask)` and `tell(row, column)` hear of it, and `here()` says which one is selected, or null.
 *
 * `show(heads, rows, sums)`: what is said above and below each column, in two lines, and of each row its `name`, its
 * `cells` as `measure` takes them, its `kind` and what is said `above` it.
 */
export function barTable(view, what, { select, tell, here }) {
  const [head, foot] = [0, 1].map(() => h("div", { class: "lv-measures lv-heads lv-aside" }));
  const table = keyed("grid", "lv-table", what);
  view.body.append(head, table, foot);
  const rows = [];
  let n = [0, 0]; // rows and columns

  const go = (row, col, ask) => n[0] && select(clamp(row, 0, n[0] - 1), clamp(col, 0, n[1] - 1), ask);
  onKeys(table, cellKeys(view, { select: go, rows: () => n[0], last: () => n[1] - 1, here }));
  const under = ({ target }) => {
    const [row, cell] = [target.closest("[data-index]"), target.closest(".lv-measure")];
    const col = cell ? [...cell.parentNode.children].indexOf(cell) - 1 : (here()?.[1] ?? 0); // a name: the chosen column
    return row ? [Number(row.dataset.index), col] : undefined;
  };
  const hover = (where) => tell(...(where ?? here() ?? []));
  onPointer(table, under, hover, (where) => go(...where, true));

  const makeRow = (index) => {
    const name = h("bdi", { class: "lv-piece" });
    const above = h("div", { class: "lv-aside", role: "presentation" });
    const cells = Array.from({ length: n[1] }, measure);
    const label = h("span", { class: "lv-label", role: "rowheader" }, name);
    const nodes = cells.map(({ node }) => node);
    for (const cell of nodes) cell.role = "gridcell";
    const node = h("div", { role: "row", "data-index": index }, label, nodes);
    return { name, above, cells, node };
  };
  const say = (node, titles) => {
    if (node.textContent === titles.flat().join("")) return;
    node.replaceChildren(...titles.map(([title, how = ""]) => h("span", {}, h("b", {}, title), how)));
  };
  const show = (heads, shown, sums = []) => {
    if (heads.length - 1 !== n[1]) rows.length = 0;
    n = [shown.length, heads.length - 1];
    view.root.style.setProperty("--lv-columns", n[1]);
    view.root.classList.toggle("lv-narrow", view.width() < 560);
    say(head, heads);
    say(foot, sums);
    while (rows.length < n[0]) rows.push(makeRow(rows.length));
    rows.length = n[0];
    const at = here();
    shown.forEach(({ name, cells, kind = "", above = "" }, i) => {
      const row = rows[i];
      setPiece(row.name, name);
      setText(row.above, above);
      row.node.className = `lv-measures lv-choice ${kind}`;
      cells.forEach((cell, k) => {
        row.cells[k].show(cell);
        row.cells[k].node.classList.toggle("lv-on", at?.[0] === i && at[1] === k);
      });
    });
    const nodes = rows.map(({ node }) => node);
    const lines = rows.flatMap(({ node, above }) => (above.textContent ? [above, node] : [node]));
    exchange(table, [...table.children], lines);
    selectChip(table, nodes, at?.[0]);
    tell(...(at ?? []));
  };
  return { table, show };
}
