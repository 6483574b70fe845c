// The twin's run, small; the reader's run, where a cell is one patch; and what the selected patch predicts. Layers go up.

import { TICK } from "./kit/axes.js";
import { sizeCanvas } from "./kit/canvas.js";
import { alongColumns, cellGrid, cutLabels, labelsAtLeft, labelsOfColumns, outline, selectCells } from "./kit/cells.js";
import { colorScale, inPercent, scaleLegend } from "./kit/colour.js";
import { axisText, markLegend, pieceText, plain, quoted, s, setAttributes, shorten, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { column } from "./kit/marks.js";
import { clamp, floats, percent } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";

const [GHOST, LABELS, TOP, BARS] = [96, 64, 26, 250]; // pixels
const DATA = ["values", "col_labels", "answers", "base", "usual", "source"];
const [FLIGHT, GROWTH] = [420, 300]; // milliseconds that a patched cell moves, and then the bars

export function render({ model, el }) {
  const view = frame(model, el, "patch_map");
  const plot = createPlot(view, "patch map: left and right change the column, up and down the layer", { canvas: true });
  const bars = { moving: s("rect", { class: "lv-moving", rx: 3, display: "none" }), shown: null, turn: 0 };
  plot.cursor.after(bars.moving);
  let grid = null; // what is drawn: its cells [layer, column], where the bars are, and the probabilities
  let picked = ""; // the cell whose bars are drawn
  const { selected, show } = selectCells(view, plot, {
    grid: () => grid,
    tell: (where) => tell(view, grid, where),
    pick: (where, ask) => view.select(where, ask && String(where) === String(selected())),
    upwards: true,
  });
  return view.start(() => {
    const fresh = view.changed(...DATA);
    if (fresh) {
      grid = plan(view);
      bars.turn++;
      plot.node.hidden = !grid;
      grid ? draw(view, plot, grid) : view.setLegend("nothing patched yet");
    }
    if (!grid) return view.note("");
    const [where, before] = [selected(), picked];
    picked = String(where);
    plot.picks.replaceChildren(...(where ? [outline("lv-pick", grid.rect(where, 1))] : []));
    const known = where && !Number.isNaN(grid.probs(where)[1]);
    if (picked !== before && known && bars.shown) transplant(view, plot, grid, bars, where);
    else if (fresh || picked !== before) {
      bars.turn++;
      setAttributes(bars.moving, { display: "none" });
      drawBars(view, plot, grid, bars, known ? grid.probs(where) : grid.base);
    }
    show(null);
  });
}

/** A piece within a sentence, without the mark for its space. */
const bare = (piece) => piece.replace(/^\x01·\x02(?=.)/, "");

function tell(view, { probs, base }, where) {
  if (!where) return view.note("");
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

/** Where everything goes, or null: the bars are at the right where there is room, else below. */
function plan(view) {
  const { model } = view;
  const values = floats(model.get("values"));
  if (!values?.data.length) return null;
  const [rows, cols] = values.shape;
  const [room, left] = [view.width(), GHOST + LABELS];
  const beside = room - left - BARS - 40 >= Math.max(200, 22 * cols);
  const right = beside ? BARS + 40 : 12;
  const oneRow = !beside && room >= 2 * BARS; // the bars, next to each other
  const w = clamp(Math.floor((room - left - right) / cols), 14, 110);
  const h = clamp(Math.floor(440 / rows), 9, 40);
  const y = (layer) => TOP + (rows - 1 - layer) * h;
  const grid = cellGrid({ rows, cols, left, top: TOP, w, h, gap: 2, y });
  const along = alongColumns(cutLabels(view, model.get("col_labels").slice(0, cols), 14), w, TICK);
  const bottom = grid.bottom + along.height + 12;
  return {
    ...grid,
    along,
    width: Math.max(oneRow ? 2 * BARS : BARS, grid.right + right),
    height: bottom + (beside ? 0 : oneRow ? 92 : 168),
    /** The corner of an answer's name and bar. */
    barAt(k) {
      const [x, top] = beside ? [grid.right + 34, TOP + 60] : [0, bottom + 22];
      return oneRow ? [x + k * BARS, top] : [x, top + 76 * k];
    },
    base: [...floats(model.get("base")).data],
    probs: ([layer, col]) => [0, 1].map((k) => values.data[(layer * cols + col) * 2 + k]),
    /** Where a cell is in the twin's run. */
    twin: ([layer, col]) => {
      const width = GHOST / cols;
      return { x: col * width, y: y(layer), width: Math.max(1, width - 1), height: h - 2 };
    },
  };
}

function draw(view, plot, grid) {
  const { model } = view;
  const scale = colorScale("prob", view.theme, 1);
  plot.size(grid.width, grid.height);
  paint(view, plot, grid, scale);
  plot.ground.replaceChildren(
    axisText(0, 14, "other run", "start"),
    axisText(grid.left, 14, `your run: ${model.get("col_axis")}s, one patch in each cell`, "start"),
    axisText(grid.left - 12, 14, "layer", "end"),
    ...labelsAtLeft(grid, [...Array(grid.rows).keys()].map(String), { size: TICK, kind: "lv-quiet" }),
    ...labelsOfColumns(grid, grid.along, { below: true }),
  );
  const answer = plain(bare(model.get("answers")[1] ?? ""));
  view.setLegend(
    scaleLegend(inPercent(scale), `how much of the usual ${percent(model.get("usual"))} of ${answer} comes out:`),
    signKey(s("circle", { cx: 17, cy: 6, r: 4, class: "lv-dot" }), "more than half"),
    signKey(s("rect", { x: 2, y: 1, width: 30, height: 10, class: "lv-before" }), "unpatched"),
    ...markLegend(model.get("col_labels")),
  );
}

/** Both runs; a dot where a patch brings out more than half of the twin's answer. */
function paint(view, plot, grid, scale) {
  const { model } = view;
  const ctx = sizeCanvas(plot.canvas, grid.width, grid.bottom);
  const [quiet, line] = ["quiet", "line"].map((name) => getComputedStyle(view.root).getPropertyValue(`--lv-${name}`));
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

/** Two bars, each with the unpatched run as an outline. */
function drawBars(view, plot, grid, bars, now) {
  bars.shown = now;
  const full = BARS - 66;
  const answers = view.model.get("answers").flatMap((name, k) => {
    const [left, top] = grid.barAt(k);
    const bar = (share, kind) => column([left, top + 9, left + full * clamp(share), top + 33], { class: kind });
    return [
      pieceText(shorten(name, 18), { x: left, y: top, class: "lv-answer" }),
      bar(1, "lv-edge"),
      bar(now[k], k ? "lv-twin" : "lv-own"),
      bar(grid.base[k], "lv-before"),
      axisText(left + full + 8, top + 27, percent(now[k]), "start", { class: "lv-number" }),
    ];
  });
  plot.marks.replaceChildren(...answers);
}

/** The cell moves from the twin's run into the reader's, and then the bars follow. */
function transplant(view, plot, grid, bars, where) {
  const mine = ++bars.turn;
  const [from, to, before, after] = [grid.twin(where), grid.rect(where), bars.shown, grid.probs(where)];
  const mix = (a, b, t) => a + (b - a) * t * t * (3 - 2 * t);
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return drawBars(view, plot, grid, bars, after);
  const start = performance.now();
  const step = (time) => {
    if (mine !== bars.turn) return;
    const first = clamp((time - start) / FLIGHT);
    const second = clamp((time - start - FLIGHT) / GROWTH);
    const now = Object.fromEntries(Object.keys(from).map((key) => [key, mix(from[key], to[key], first)]));
    setAttributes(bars.moving, { ...now, display: first < 1 ? "inline" : "none" });
    const mixed = after.map((p, k) => mix(before[k], p, second));
    if (second > 0) drawBars(view, plot, grid, bars, mixed);
    if (second < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
