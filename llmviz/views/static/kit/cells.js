// A table of cells in a plot: where they are, the labels along its edges, and how one of them is selected.

import { thinning, widest } from "./canvas.js";
import { isPiece, pieceText, s, shorten } from "./elements.js";
import { reveal } from "./input.js";
import { clamp, floats } from "./numbers.js";
import { startPlot } from "./plot.js";
import { selectIn } from "./selection.js";

/** Where the cells are, in pixels: rows go down from `top`, or are where `y(row)` puts them. A cell is [row, column]. */
export function cellGrid(spec) {
  const { rows, cols, left, top, w, h, gap, y = (row) => top + row * h } = spec;
  const x = (col) => left + col * w;
  const has = ([row, col]) => row >= 0 && row < rows && col >= 0 && col < cols;
  const rowUnder = (py) => [...Array(rows).keys()].find((row) => py >= y(row) && py < y(row) + h) ?? -1;
  return {
    lastOf: () => cols - 1, // of a row
    ...spec,
    x,
    y,
    has,
    right: left + cols * w,
    bottom: Math.max(y(0), y(rows - 1)) + h,
    /** A cell's rectangle, or a larger one around it, which is never too narrow to see. */
    rect([row, col], grow = 0) {
      const width = Math.max(w - gap + 2 * grow, grow && 5);
      const height = h - gap + 2 * grow;
      return { x: x(col) + (w - gap - width) / 2, y: y(row) - grow, width, height };
    },
    under(px, py) {
      const where = [rowUnder(py), Math.floor((px - left) / w)];
      return has(where) ? where : null;
    },
  };
}

const LEANING = Math.SQRT1_2; // how wide and how high a leaning label is, for each pixel of its length

/** Labels cut to n characters, and how long the longest is, for each pixel of its size. */
export function cutLabels(view, labels, n) {
  const names = labels.map((label) => shorten(label, n));
  const [pieces, words] = [true, false].map((kind) => names.filter((name) => isPiece(name) === kind));
  return { names, longest: Math.max(widest(view, pieces, 18), widest(view, words, 18, "ui")) / 18 };
}

/** Which of n labels have room, `step` apart; the one that is selected always has, and others give way to it. */
const withRoom = (n, step, on) =>
  [...Array(n).keys()].filter((i) => i === on || (i % step === 0 && (on < 0 || Math.abs(i - on) >= step)));

const lookOf = (size, isOn) => ({ style: `font-size:${size}px`, class: isOn ? "lv-on" : "" });

/** Labels at the left of the rows; `on` is the selected row, or -1. */
export const labelsAtLeft = ({ names, size, left, h, gap, y }, on = -1) =>
  withRoom(names.length, thinning(h, size + 2), on).map((row) =>
    pieceText(names[row], {
      anchor: "end",
      x: left - 12,
      y: y(row) + (h - gap) / 2 + 0.34 * size,
      ...lookOf(size, row === on),
    }),
  );

const areFlat = ({ names, longest }, w, size) => longest * size <= w - 4 || names.every((name) => name.length <= 4);
/** How far a leaning label reaches to the right of its column's middle. */
const reach = (longest, size) => LEANING * longest * size + 0.96 * size;

/** How wide columns may be, so that they and their labels have room; upright ones, where leaning ones leave less than `least`. */
export function widthOfColumns(labels, room, size, least) {
  const [n, even] = [labels.names.length, room / labels.names.length];
  const leaning = (room - reach(labels.longest, size)) / (n - 0.5);
  const upright = leaning < least && least <= even;
  return { side: upright || areFlat(labels, even, size) ? even : Math.min(even, leaning), upright };
}

/**
 * How labels above columns stand, or `below` them: flat where all have room, else leaning or `upright`; how high they are,
 * and how far they reach beyond the columns.
 */
export function alongColumns(labels, w, size, { below = false, upright = false } = {}) {
  const [length, flat] = [Math.max(labels.longest * size, 8), areFlat(labels, w, size)];
  const step = thinning(w, flat ? length + 8 : upright ? size : (0.9 * size) / LEANING);
  const height = flat ? size + 8 : upright ? length + 8 : LEANING * (length + size) + 6;
  const beyond = flat || below || upright ? 0 : Math.max(0, reach(labels.longest, size) - w / 2);
  return { names: labels.names, size, below, flat, upright, step, height, beyond };
}

/** Such labels; `on` is the selected column, or -1. */
function labelsOfColumns(grid, on = -1) {
  const { names, size, flat, upright, step, below } = grid.along;
  const y = below ? grid.bottom + size + 6 : grid.top - 8;
  return withRoom(names.length, step, on).map((col) => {
    const middle = grid.x(col) + (grid.w - grid.gap) / 2;
    const [x, turned] = below ? [middle + 5, y - 6] : [middle + (upright ? 0.34 : 0.25) * size, y + 1];
    const turn = `translate(${x} ${turned}) rotate(${upright ? -90 : -45})`;
    return pieceText(names[col], {
      ...(flat ? { anchor: "middle", x: middle, y } : { anchor: below ? "end" : "start", x: 0, y: 0, transform: turn }),
      ...lookOf(size, col === on),
    });
  });
}

/** A rectangle around a cell: "lv-point" where the pointer is, "lv-pick" for the one that is selected. */
export const outline = (kind, rect) => s("rect", { class: kind, rx: 3, ...rect });

/** Outline the cell that the pointer is on; null: none. Nothing else is drawn again for that. */
export const pointAt = (plot, grid, where) =>
  plot.cursor.replaceChildren(...(where ? [outline("lv-point", grid.rect(where, 1))] : []));

/**
 * Keys over a table, of which `here()` is selected: [row, column] or null. `select` keeps inside, `last(row)` ends a row,
 * and with `upwards`, row 0 is the lowest.
 */
export function cellKeys({ model }, { select, rows, last, here = () => model.get("selected"), upwards = false }) {
  const move = (down, right) => () => (here() ? select(here()[0] + down, here()[1] + right) : select(0, 0));
  const [row, column] = [0, 1].map((axis) => () => here()?.[axis] ?? 0);
  const down = upwards ? -1 : 1;
  return {
    ArrowUp: move(-down, 0),
    ArrowDown: move(down, 0),
    ArrowLeft: move(0, -1),
    ArrowRight: move(0, 1),
    Home: () => select(row(), 0),
    End: () => select(row(), last(row())),
    PageUp: () => select(upwards ? rows() - 1 : 0, column()),
    PageDown: () => select(upwards ? 0 : rows() - 1, column()),
    Enter: () => select(row(), column(), true),
  };
}

/**
 * Draw a table of cells, as `startPlot` does, and let the pointer and the keys select one. `draw(view, plot, values)`
 * returns a `cellGrid` with the `names` of the rows, their `size`, how the labels are `along` the columns, and `titles`.
 * `tell(view, grid, where)` says what is at a cell; `mark(view, plot, grid, where)` returns what is to mark the selected
 * cell (null: there is none) besides its outline. `order` turns the trait `selected` into [row, column], and back.
 */
export function startCells(view, plot, { draw, mark = () => [], tell, upwards, order = (where) => where, ...drawing }) {
  const selected = () => {
    const where = view.model.get("selected");
    return where && plot.plan?.has(order(where)) ? order(where) : null;
  };
  const show = (where) => {
    if (!plot.plan) return;
    pointAt(plot, plot.plan, where);
    const told = where ?? selected();
    told ? tell(view, plot.plan, told) : view.note("");
  };
  const select = (row, col, ask = false) => {
    const { rows, cols, rect } = plot.plan;
    const where = [clamp(row, 0, rows - 1), clamp(col, 0, cols - 1)];
    view.select(order(where), ask);
    const { x, width } = rect(where);
    reveal(view.body, x, x + width, view.body.clientWidth / 3);
  };
  const under = (x, y) => plot.plan?.under(x, y) ?? null;
  const ends = { rows: () => plot.plan.rows, last: (row) => plot.plan.lastOf(row) };
  const keys = cellKeys(view, { ...ends, select, here: selected, upwards });
  selectIn(plot, { under, show, pick: (where) => select(...where, true), keys });
  const marked = () => {
    const [grid, where] = [plot.plan, selected()];
    plot.ground.replaceChildren(
      ...grid.titles,
      ...labelsAtLeft(grid, where?.[0]),
      ...labelsOfColumns(grid, where?.[1]),
    );
    plot.picks.replaceChildren(
      ...mark(view, plot, grid, where),
      ...(where ? [outline("lv-pick", grid.rect(where, Math.max(1, grid.gap / 2)))] : []),
    );
    show(null);
  };
  const drawn = () => {
    const values = floats(view.model.get("values"));
    return values?.data.length ? draw(view, plot, values) : null;
  };
  return startPlot(view, plot, { ...drawing, draw: drawn, mark: marked });
}
