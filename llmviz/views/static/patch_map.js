// The twin's run, small; the reader's run, where a cell is one patch; and what the selected patch predicts. Layers go up.

import { TICK } from "./kit/axes.js";
import { alongColumns, cellGrid, cutLabels, startCells } from "./kit/cells.js";
import { colorScale, inPercent, scaleLegend } from "./kit/colour.js";
import { axisText, markLegend, pieceText, plain, quoted, s, setText, shorten, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { column, dot } from "./kit/marks.js";
import { clamp, floats, percent } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";

const [GHOST, LABELS, TOP, BARS] = [96, 64, 26, 250]; // pixels
const TRAITS = ["values", "col_labels", "answers", "base", "usual", "source"];

export function render({ model, el }) {
  const view = frame(model, el, "patch_map");
  const plot = createPlot(view, "patch map: left and right change the column, up and down the layer", { canvas: true });
  const moving = s("rect", { class: "lv-moving", rx: 3 });
  plot.cursor.after(moving);
  let picked = null; // the cell whose bars are drawn
  const mark = (_, __, grid, where) => {
    const known = where && !Number.isNaN(grid.probs(where)[1]);
    showBars(plot, grid, known ? grid.probs(where) : grid.base);
    if (known && picked && picked !== String(where)) fly(moving, grid.twin(where), grid.rect(where));
    picked = String(where);
    return [];
  };
  return startCells(view, plot, { traits: TRAITS, empty: "nothing patched yet", draw, mark, tell, upwards: true });
}

/** A piece within a sentence, without the mark for its space. */
const bare = (piece) => piece.replace(/^\x01·\x02(?=.)/, "");

function tell(view, { probs, base }, where) {
  const { model } = view;
  const token = plain(bare(model.get("col_labels")[where[1]] ?? ""));
  const place = model.get("place").replace("{layer}", where[0]).replace("{column}", token);
  const name = `${place[0].toUpperCase()}${place.slice(1)}`;
  const [own, other] = probs(where);
  if (Number.isNaN(other)) return view.note(`${name}: not patched yet.`);
  const [first, second] = model.get("answers").map((piece) => quoted(bare(piece)));
  const half = model.get("half");
  const meaning =
    other > half * model.get("usual")
      ? "This patch decides the answer."
      : own > half * base[0]
        ? `${first} stays.`
        : `${first} is lost, but ${second} doesn't come out.`;
  view.note(`${name}, from ${model.get("source")}: ${first} ${percent(own)}, ${second} ${percent(other)}. ${meaning}`);
}

/** The bars are at the right where there is room, else below. */
function draw(view, plot, values) {
  const { model } = view;
  const [rows, cols] = values.shape;
  const [room, left] = [view.width(), GHOST + LABELS];
  const beside = room - left - BARS - 40 >= Math.max(200, 22 * cols);
  const right = beside ? BARS + 40 : 12;
  const wide = beside ? BARS : Math.min(BARS, Math.floor(room / 2)); // for the bar of an answer
  const w = clamp(Math.floor((room - left - right) / cols), 14, 110);
  const h = clamp(Math.floor(440 / rows), 9, 40);
  const y = (layer) => TOP + (rows - 1 - layer) * h;
  const along = alongColumns(cutLabels(view, model.get("col_labels").slice(0, cols), 14), w, TICK, { below: true });
  const titles = [
    axisText(0, 14, "other run", "start"),
    axisText(left, 14, `your run: ${model.get("col_axis")}s`, "start"),
    axisText(left - 12, 14, "layer", "end"),
  ];
  const labels = { names: [...Array(rows).keys()].map(String), size: TICK, along, titles };
  const cells = cellGrid({ rows, cols, left, top: TOP, w, h, gap: 2, y, ...labels });
  const bottom = cells.bottom + along.height + 12;
  const probs = ([layer, col]) => [0, 1].map((k) => values.data[(layer * cols + col) * 2 + k]);
  const across = GHOST / cols;
  /** Where a cell is in the twin's run. */
  const twin = ([layer, col]) => ({ x: col * across, y: y(layer), width: Math.max(1, across - 1), height: h - 2 });
  const grid = { ...cells, probs, twin, full: wide - 66, base: [...floats(model.get("base")).data] };
  const width = beside ? cells.right + right : Math.max(2 * wide, cells.right + right);
  plot.size(width, bottom + (beside ? 0 : 92));
  const scale = colorScale("prob", view.theme, 1);
  paint(view, plot.pen({ right: width, bottom: cells.bottom }), grid, scale);
  const barAt = (k) => (beside ? [cells.right + 34, TOP + 60 + 76 * k] : [k * wide, bottom + 22]);
  plot.marks.replaceChildren(...model.get("answers").flatMap((name, k) => barOf(grid, name, k, barAt(k))));
  const answer = plain(bare(model.get("answers")[1] ?? ""));
  view.setLegend(
    scaleLegend(inPercent(scale), `how much of the usual ${percent(model.get("usual"))} of ${answer} comes out:`),
    signKey(dot(17, 6, 4, { fill: "currentColor" }), "more than half"),
    signKey(column([2, 1, 32, 11], { class: "lv-before" }), "unpatched"),
    ...markLegend(model.get("col_labels")),
  );
  return grid;
}

/** Both runs; a dot where a patch brings out more than half of the twin's answer. */
function paint({ model, root }, ctx, grid, scale) {
  const [quiet, line] = ["quiet", "line"].map((name) => getComputedStyle(root).getPropertyValue(`--lv-${name}`));
  const fill = (color, { x, y, width, height }) => {
    ctx.fillStyle = color;
    ctx.fillRect(x, y, width, height);
  };
  ctx.strokeStyle = line;
  for (let layer = 0; layer < grid.rows; layer++)
    for (let col = 0; col < grid.cols; col++) {
      const here = grid.rect([layer, col]);
      const v = grid.probs([layer, col])[1] / model.get("usual");
      ctx.globalAlpha = 0.28;
      fill(quiet, grid.twin([layer, col]));
      ctx.globalAlpha = 1;
      fill(Number.isNaN(v) ? "transparent" : scale.css(v), here);
      ctx.strokeRect(here.x + 0.5, here.y + 0.5, here.width - 1, here.height - 1);
      if (!(v > model.get("half"))) continue;
      ctx.fillStyle = scale.ink(v);
      ctx.beginPath();
      ctx.arc(here.x + here.width / 2, here.y + here.height / 2, Math.min(here.height / 4, 4), 0, 7);
      ctx.fill();
    }
}

/** The name of an answer at (left, top), its bar with the unpatched run as an outline, and its number. */
function barOf({ full, base }, name, k, [left, top]) {
  const bar = (share, kind) => column([left, top + 9, left + full * clamp(share), top + 33], { class: kind });
  return [
    pieceText(shorten(name, 18), { x: left, y: top, "font-weight": 600 }),
    bar(1, "lv-edge"),
    bar(0, `lv-now ${k ? "lv-twin" : "lv-own"}`),
    bar(base[k], "lv-before"),
    axisText(left + full + 8, top + 27, "", "start", { class: "lv-number" }),
  ];
}

function showBars({ marks }, { full }, probs) {
  const [bars, numbers] = [".lv-now", ".lv-number"].map((kind) => marks.querySelectorAll(kind));
  bars.forEach((bar, k) => {
    bar.setAttribute("width", Math.max(0.5, full * clamp(probs[k])));
    setText(numbers[k], percent(probs[k]));
  });
}

/** The cell moves from the twin's run into the reader's; the bars follow, as their style says. */
function fly(moving, ...way) {
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const inPixels = (rect) => Object.fromEntries(Object.entries(rect).map(([name, v]) => [name, `${v}px`]));
  const steps = way.map((rect) => ({ ...inPixels(rect), visibility: "visible" }));
  moving.animate(steps, { duration: 420, easing: "ease-in-out" });
}
