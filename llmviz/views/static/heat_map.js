// A grid of numbers: rows are "from", columns are "to". The canvas has the cells, the SVG over it labels and marks.

import { TICK } from "./kit/axes.js";
import { exceptions, fontOf, paintGrid, widest } from "./kit/canvas.js";
import { alongColumns, cellGrid, cutLabels, outline, startCells, widthOfColumns } from "./kit/cells.js";
import { tooLong } from "./kit/chips.js";
import { colorScale, inPercent, scaleLegend } from "./kit/colour.js";
import { axisText, markLegend, plain, quoted } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { clamp, minus, number, percent } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";

const CELLS = ["values", "kind", "limit", "quantity", "unit", "numbers", "cell_text"];
const TRAITS = [...CELLS, "row_labels", "col_labels", "row_axis", "col_axis"];
const TITLE = 24; // pixels: the line for the name of the columns

export function render({ model, el }) {
  const view = frame(model, el, "heat_map");
  const plot = createPlot(view, "heat map: the arrow keys move from cell to cell", { canvas: true });
  return startCells(view, plot, { traits: TRAITS, empty: "no numbers yet", draw, mark, tell });
}

const nameOf = (model) =>
  model.get("quantity") || { weight: "share", prob: "probability", signed: "" }[model.get("kind")];
const areShares = (model) =>
  model.get("kind") === "prob" || (model.get("kind") === "weight" && model.get("unit") === "%");

function tell(view, grid, where) {
  const { model } = view;
  const v = grid.values[where[0] * grid.cols + where[1]];
  const written = plain(model.get("cell_text")?.[where[0]]?.[where[1]] ?? "");
  const [row, col] = ["row", "col"].map((edge, k) => {
    const label = model.get(`${edge}_labels`)[where[k]] ?? "";
    return `${model.get(`${edge}_axis`).replace(/\s*\(.*\)$/, "")} ${/^[\d.]+$/.test(label) ? label : quoted(label)}`;
  });
  const amount = `${nameOf(model)} ${areShares(model) ? percent(v) : number(v)}`.trim();
  view.note(
    row,
    col,
    Number.isNaN(v) ? `blank (${model.get("blank")})` : amount,
    /[\p{L}\p{N}]/u.test(written) ? written : "", // the caption explains a mark such as ●
  );
}

/** Cells are as large as the width and a screen's height allow. */
function draw(view, plot, values) {
  const { model } = view;
  const [[rows, cols], width] = [values.shape, view.width()]; // Python has cut the values, but not the labels
  const longest = cols < 5 ? clamp(width / 12, 12, 56) : clamp(width / 24, 12, 18);
  const rowLabels = cutLabels(view, model.get("row_labels").slice(0, rows), Math.floor(longest));
  const colLabels = cutLabels(view, model.get("col_labels").slice(0, cols), 14);
  const [rowTitle, colTitle] = [`${model.get("row_axis")} ↓`, `${model.get("col_axis")} →`];
  const [rowTitleWidth, colTitleWidth] = [rowTitle, colTitle].map((title) => widest(view, [title], TICK, "ui"));
  const leftOf = (size) => Math.ceil(Math.max(rowLabels.longest * size, rowTitleWidth)) + 14;
  const always = model.get("numbers") === "always";
  const textWidth = widest(view, model.get("cell_text")?.flat() ?? [], TICK, "ui") || 31; // "5.28"
  const most = always ? clamp(textWidth + 8, 60, 90) : 46;
  const least = always ? 0.8 * textWidth + 2 : 14; // narrower numbers could not be read
  const columnsAt = (size) => widthOfColumns(colLabels, width - leftOf(size) - 8, size, least);
  // Smaller labels may leave narrow cells more room.
  const small = columnsAt(18).side < (always ? most : 36) && columnsAt(TICK).side >= columnsAt(18).side + 1;
  const size = small ? TICK : 18;
  const { side: fit, upright } = columnsAt(size);
  const [w, h] = sizeOfCells(rows, cols, fit, [least, most], always);
  const rowSize = h < 23 ? TICK : size;
  const along = alongColumns(colLabels, w, w < 30 ? TICK : size, { upright });
  const side = Math.min(w, h);
  const gap = side >= 16 ? 2 : side >= 8 ? 1 : 0;
  const ofRow = (row) => values.data.subarray(row * cols, (row + 1) * cols);
  const isShown = (v) => !Number.isNaN(v);
  const lastOf = (row) => Math.max(0, ofRow(row).findLastIndex(isShown)); // the last that is not masked
  const [left, top] = [leftOf(rowSize), Math.ceil(TITLE + along.height)];
  const titles = [
    axisText(left - 12, top - 8 - Math.max(0, (rowSize - h) / 2), rowTitle, "end"),
    axisText(clamp(width - colTitleWidth, 0, left), 14, colTitle, "start"), // further to the right, it could be cut
  ];
  const labels = { names: rowLabels.names, size: rowSize, along, titles };
  const grid = cellGrid({ rows, cols, left, top, w, h, gap, lastOf, ...labels, values: values.data });
  const [kind, limit] = [model.get("kind"), model.get("limit")];
  const scale = colorScale(kind, view.theme, limit);
  const ctx = plot.pen(grid);
  paintGrid(ctx, values.data, { rows, cols, w, h, gap, scale });
  if (gap) writeInCells(view, ctx, grid, scale);
  plot.size(grid.right + along.beyond + 8, grid.bottom + 4);
  const all = ["row_labels", "col_labels"].map((name) => model.get(name));
  view.setLegend(
    tooLong(all[0].length, "rows"),
    tooLong(all[1].length, "columns"),
    scaleLegend(areShares(model) ? inPercent(scale, limit) : scale, nameOf(model) || "value"),
    ...exceptions(values.data, scale, h, model.get("blank")),
    ...markLegend(all.flat()),
  );
  return grid;
}

/** Squares where they are not too flat or too narrow; where numbers are written, wider ones. */
function sizeOfCells(rows, cols, fit, [least, most], written) {
  let w = clamp(fit, cols > 64 ? 2 : least, most);
  let h = clamp(760 / Math.max(rows, 1), rows > 64 ? 2 : 14, 46);
  if (written) h = Math.min(w, h);
  else if (w / h < 3 && h / w < 3) w = h = Math.min(w, h);
  else h = Math.min(h, Math.max(w, 28));
  return w < 4 ? [w, h] : [Math.floor(w), Math.floor(h)];
}

/** Texts or numbers in the cells. */
function writeInCells(view, ctx, { rows, cols, w, h, gap, values }, scale) {
  const { model } = view;
  const texts = model.get("cell_text");
  const [numbers, kind, limit] = [model.get("numbers"), model.get("kind"), model.get("limit")];
  const hasRoom = texts || numbers === "always" || (numbers === "auto" && w >= (areShares(model) ? 30 : 36) && h >= 24);
  const decimals = clamp(2 - Math.floor(Math.log10(limit)), 0, 3);
  const written = (v) => (areShares(model) ? String(Math.round(100 * v)) : minus(v.toFixed(decimals)));
  const isFaint = (v) => kind !== "signed" && !texts && numbers === "auto" && v < 0.05 * limit;
  if (!hasRoom) return;
  ctx.font = `${TICK}px ${fontOf(view, "ui")}`;
  Object.assign(ctx, { textAlign: "center", textBaseline: "middle" });
  const ink = getComputedStyle(view.root).getPropertyValue("--lv-ink");
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const v = values[row * cols + col];
      const blank = Number.isNaN(v);
      if ((blank && !texts) || isFaint(v)) continue;
      ctx.fillStyle = blank ? ink : scale.ink(v);
      const text = texts ? plain(texts[row]?.[col] ?? "") : written(v);
      ctx.fillText(text, col * w + (w - gap) / 2, row * h + (h - gap) / 2 + 1, w - gap - 2); // no wider than the cell
    }
}

/** Frame the row of the selected cell. */
function mark(view, plot, grid, selected) {
  if (!selected) return [];
  const [start, end] = [0, grid.lastOf(selected[0])].map((col) => grid.rect([selected[0], col], 3));
  return [outline("lv-pick-line", { ...start, width: end.x + end.width - start.x })];
}
