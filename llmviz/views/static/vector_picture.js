// Vectors as stripes of colour, a line of cells for each; a long vector is broken over several lines.

import { exceptions, paintGrid, thinning } from "./kit/canvas.js";
import { cellGrid, cutLabels, labelsAtLeft, outline, pointAt } from "./kit/cells.js";
import { colorScale, scaleLegend } from "./kit/colour.js";
import { axisText, markLegend, pieceText, quoted } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { listKeys } from "./kit/input.js";
import { clamp, count, floats, number } from "./kit/numbers.js";
import { createPlot, startPlot } from "./kit/plot.js";
import { selectIn } from "./kit/selection.js";

const [TOP, BELOW] = [6, 30]; // pixels: above the first line, and below each for the indices

export function render({ model, el }) {
  const view = frame(model, el, "vector_picture");
  const plot = createPlot(view, "vectors: left and right move from number to number", { canvas: true });
  let row = 0; // the vector that is pointed at
  const n = () => plot.plan?.n ?? 0;
  const current = () => (model.get("selected") < n() ? model.get("selected") : null);
  const show = (where) => {
    if (!plot.plan) return;
    pointAt(plot, plot.plan, where && plot.plan.cellOf(where[1]));
    tell(view, plot.plan, ...(where ?? [row, current()]));
  };
  const select = (index, ask = false) => {
    view.set({ selected: index });
    const where = model.get("values").shape.length > 1 ? [row, index] : [index];
    (ask ? view.ask : view.follow)(...where);
  };
  /** To another vector; from a single one to its next line. */
  const turn = (step) => () => {
    const { k, cols } = plot.plan;
    row = clamp(row + step, 0, k - 1);
    select(clamp((current() ?? 0) + (k > 1 ? 0 : step * cols), 0, n() - 1));
  };
  selectIn(plot, {
    under: (x, y) => plot.plan && vectorUnder(plot.plan, x, y),
    show,
    pick: ([pointed, index]) => {
      row = pointed;
      select(index, true);
    },
    keys: { ...listKeys(select, current, n), ArrowDown: turn(1), ArrowUp: turn(-1) },
  });
  const mark = () => {
    const grid = plot.plan;
    row = Math.min(row, grid.k - 1);
    const at = current();
    plot.picks.replaceChildren(...(at === null ? [] : [outline("lv-pick", grid.rect(grid.cellOf(at), 1))]));
    show(null);
  };
  const traits = ["values", "labels", "limit"];
  return startPlot(view, plot, { traits, empty: "no numbers yet", draw, mark });
}

function tell(view, { values, labels, k, n }, row, index) {
  if (index === null) return view.note("");
  const { model } = view;
  const numbers = (k <= 4 ? [...Array(k).keys()] : [row]).map((r) => {
    const v = values[r * n + index];
    const beyond = Math.abs(v) > model.get("limit") ? " (beyond the scale)" : "";
    return `${labels[r] ? quoted(labels[r]) : ""} ${number(v)}${beyond}`.trim();
  });
  view.note(`${model.get("index_name")} ${index}`, ...numbers);
}

/** A cell of the grid is a number in all vectors: [line, column]. */
function draw(view, plot) {
  const values = floats(view.model.get("values"));
  if (!values?.data.length) return null;
  const [k, n] = values.shape.length > 1 ? values.shape : [1, values.shape[0]];
  const [width, labels] = [view.width(), view.model.get("labels") ?? []];
  const size = k <= 12 ? 18 : 14;
  const { names, longest } = cutLabels(view, labels, 20);
  const beside = labels.length ? Math.ceil(longest * size) + 16 : 2;
  const above = beside > width / 3 ? 20 : 0; // pixels for a name above each stripe, where names beside would be too wide
  const left = above ? 2 : beside;
  const room = width - left - 14;
  const lines = Math.max(1, Math.ceil((n * 1.4) / Math.max(room, 100)));
  const cols = Math.ceil(n / lines);
  const fit = Math.min(room / cols, 30);
  const w = fit >= 8 ? Math.floor(fit) : fit;
  const gap = w >= 16 ? 2 : w >= 6 ? 1 : 0;
  const height = clamp(Math.floor(Math.min(300, 420 / lines) / k), 8, 40); // of a vector: all lines fit on a screen
  const between = k > 12 ? 1 : k > 1 ? 8 : 0;
  const pitch = above + height + between; // from a vector to the next
  const block = k * pitch - between;
  const y = (line) => TOP + line * (block + BELOW);
  const scale = colorScale("signed", view.theme, view.model.get("limit"));
  const cells = cellGrid({ rows: lines, cols, left, top: TOP, w, h: block + gap, gap, y });
  const cellOf = (index) => [Math.floor(index / cols), index % cols];
  const vectors = { k, n, names, labels, size, above, height, between, pitch, block, cellOf };
  const ctx = plot.pen(cells);
  for (let line = 0; line < lines; line++)
    for (let r = 0; r < k; r++) {
      const [top, offset] = [y(line) - TOP + r * pitch + above, r * n + line * cols];
      const here = { y: top, rows: 1, cols: Math.min(cols, n - line * cols), w, h: height + gap, gap };
      paintGrid(ctx, values.data, { ...here, scale, offset, stride: n });
    }
  const grid = { ...cells, ...vectors, values: values.data };
  plot.ground.replaceChildren(...[...Array(lines).keys()].flatMap((line) => labelsOf(grid, line)));
  plot.size(cells.right + 2, cells.bottom - gap + 26);
  view.setLegend(
    scaleLegend(scale, "value"),
    `${count(n)} numbers${k > 1 ? ` × ${k}` : ""}, left to right by ${view.model.get("index_name")}`,
    ...exceptions(values.data, scale, height, "no number"),
    ...markLegend(labels),
  );
  return grid;
}

/** The vector and the number at a point, or null. */
function vectorUnder({ under, y, cols, n, k, pitch }, px, py) {
  const cell = under(px, py);
  const index = cell && cell[0] * cols + cell[1];
  if (index === null || index >= n) return null;
  return [clamp(Math.floor((py - y(cell[0])) / pitch), 0, k - 1), index];
}

/** The names of the vectors in a line, and the indices below. */
function labelsOf(grid, line) {
  const { names, size, left, cols, n, w, above, pitch, between, block } = grid;
  const [top, first] = [grid.y(line), line * cols];
  const vectors = { names, size, left, h: pitch, gap: between, y: (r) => top + r * pitch };
  const step = thinning(w, n < 100 ? 30 : 64);
  const indices = Array.from({ length: Math.min(cols, n - first) }, (_, i) => first + i).filter((i) => i % step === 0);
  return [
    ...(above ? names.map((name, r) => pieceText(name, { x: left, y: top + r * pitch + 14 })) : labelsAtLeft(vectors)),
    ...indices.map((i) =>
      axisText(left + (i - first + 0.5) * w, top + block + 18, String(i), i === first ? "start" : "middle"),
    ),
  ];
}
