// All heads at a glance: a small map (or a number) for each head, on one canvas. Columns are layers, rows are heads; heads
// that share keys and values are next to each other.

import { TICK } from "./kit/axes.js";
import { paintGrid } from "./kit/canvas.js";
import { alongColumns, cellGrid, cutLabels, outline, startCells } from "./kit/cells.js";
import { colorScale, inPercent, scaleLegend } from "./kit/colour.js";
import { axisText, s } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { clamp, floats, percent, withUnit } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";

const SPACE = 12; // pixels between heads that do not share keys and values
const [TOP, GAP] = [46, 3];

const swapped = ([a, b]) => [b, a]; // the traits have the layer first

export function render({ model, el }) {
  const view = frame(model, el, "head_grid");
  const plot = createPlot(view, "all heads: left and right change the layer, up and down the head", { canvas: true });
  const traits = ["values", "limit", "kind", "group", "measure"];
  return startCells(view, plot, { traits, empty: "no heads yet", draw, mark, tell, order: swapped });
}

function inUnit(model, v) {
  if (Number.isNaN(v)) return "blank";
  return model.get("kind") === "signed" ? withUnit((100 * v).toFixed(1), model.get("unit")) : percent(v);
}

function tell(view, grid, where) {
  const { model } = view;
  const [[head, layer], { rows: heads, cols: layers, group }] = [where, grid];
  const at = layer * heads + head;
  const scores = floats(model.get("scores"));
  const named = model
    .get("score_names")
    .map((name, i) => [name, scores.data[i * layers * heads + at]])
    .filter(([, score]) => !Number.isNaN(score));
  view.note(
    `L${layer}·H${head}${group > 1 ? ` (key/value head ${Math.floor(head / group)})` : ""}`,
    grid.isSingle && `${model.get("measure")} ${inUnit(model, grid.values[at])}`,
    ...named.map(([name, score]) => `${name} ${percent(score)}`),
  );
}

function draw(view, plot, values) {
  const { model } = view;
  const [[cols, rows, height, width], group] = [values.shape, model.get("group")];
  const [left, isSingle] = [group > 1 ? 74 : 44, height * width === 1];
  const side = clamp(Math.floor((view.width() - left - 6) / cols), 13, height === 1 ? 40 : 72);
  const y = (head) => TOP + head * side + Math.floor(head / group) * SPACE;
  const brackets = Array.from({ length: group > 1 ? Math.ceil(rows / group) : 0 }, (_, i) => {
    const [from, to] = [y(i * group), y(Math.min((i + 1) * group, rows) - 1) + side - GAP];
    const transform = `translate(18 ${(from + to) / 2}) rotate(-90)`;
    return [
      s("path", { d: `M 34 ${from} H 28 V ${to} H 34`, class: "lv-curve" }),
      axisText(0, 0, `k, v ${i}`, "middle", { transform }),
    ];
  });
  const titles = [axisText(left, 14, "layer →", "start"), axisText(left - 10, TOP - 8, "head ↓", "end")];
  const [names, layers] = [rows, cols].map((n) => [...Array(n).keys()].map(String));
  const along = alongColumns(cutLabels(view, layers, 4), side, TICK);
  const labels = { names, size: TICK, along, titles: [...titles, ...brackets.flat()] };
  const cells = { rows, cols, left, top: TOP, w: side, h: side, gap: GAP, y };
  const grid = cellGrid({ ...cells, ...labels, group, isSingle, values: values.data });
  const [signed, limit] = [model.get("kind") === "signed", model.get("limit")];
  const scale = colorScale(model.get("kind"), view.theme, limit);
  const most = (100 * limit).toFixed(1);
  const ends = { low: `−${most}`, high: `+${most}` };
  const measure = model.get("measure") + (signed ? ` (${model.get("unit")})` : "");
  plot.size(grid.right + 4, grid.bottom + 4);
  const ctx = plot.pen(grid);
  ctx.fillStyle = getComputedStyle(view.root).getPropertyValue("--lv-page");
  for (let layer = 0; layer < cols; layer++)
    for (let head = 0; head < rows; head++) {
      const at = { x: layer * side, y: y(head) - TOP, w: (side - GAP) / width, h: (side - GAP) / height };
      ctx.fillRect(at.x, at.y, side - GAP, side - GAP);
      const offset = (layer * rows + head) * height * width;
      paintGrid(ctx, values.data, { ...at, rows: height, cols: width, scale, offset });
    }
  view.setLegend(
    scaleLegend(signed ? { ...scale, ...ends } : inPercent(scale, limit), measure),
    !isSingle && "each map: from ↓, to →; blank: masked",
    group > 1 && "bracket: heads that share keys and values",
  );
  return grid;
}

/** The chosen heads. Frames lie in the gaps, so that those of neighbours share an edge. */
const mark = ({ model }, plot, grid) =>
  model
    .get("chosen")
    .map(swapped)
    .filter(grid.has)
    .map((where) => outline("lv-chosen", grid.rect(where, GAP / 2)));
