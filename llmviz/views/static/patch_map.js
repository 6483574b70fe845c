// The twin's run, small; the reader's run, where a cell is one patch; and what the selected patch predicts. Layers go up.

import {
  axisText,
  clamp,
  colorScale,
  floats,
  frame,
  h,
  inPercent,
  markLegend,
  onKeys,
  onPointer,
  percent,
  pieceText,
  plain,
  plotIn,
  pointIn,
  quoted,
  s,
  scaleLegend,
  setAttributes,
  shorten,
  signKey,
  sizeCanvas,
  sizePlot,
  thinning,
  widest,
} from "./kit.js";

const [GHOST, LABELS, TOP, BARS] = [96, 64, 26, 250]; // pixels
const DATA = ["values", "col_labels", "answers", "base", "usual", "source"];

export function render({ model, el }) {
  const view = frame(model, el, "patch_map");
  const canvas = h("canvas", {});
  const [words, bars, picks] = [s("g", {}), s("g", {}), s("g", {})];
  const [point, moving] = ["lv-point", "lv-moving"].map((name) => s("rect", { class: name, rx: 3, display: "none" }));
  const over = s("svg", { "aria-hidden": "true" }, words, bars, picks, point, moving);
  const plot = plotIn(view, "patch map: left and right change the column, up and down the layer", canvas, over);
  let grid = null; // {layers, cols, values, left, w, h, ...}
  let shown = [null, null]; // the answers' bars: their probabilities now
  let [picked, turn] = ["", 0];

  const probs = ([layer, col]) => [0, 1].map((k) => grid.values[(layer * grid.cols + col) * 2 + k]);
  const share = (where) => probs(where)[1] / model.get("usual");
  const x = (col) => grid.left + col * grid.w;
  const y = (layer) => TOP + (grid.layers - 1 - layer) * grid.h;
  const rect = ([layer, col], grow) => ({
    x: x(col) - grow,
    y: y(layer) - grow,
    width: grid.w - grid.gap + 2 * grow,
    height: grid.h - grid.gap + 2 * grow,
  });
  const twin = ([layer, col]) => ({
    x: (col * GHOST) / grid.cols,
    y: y(layer),
    width: Math.max(1, GHOST / grid.cols - 1),
    height: grid.h - grid.gap,
  });
  const place = ([layer, col]) =>
    model
      .get("place")
      .replace("{layer}", layer)
      .replace("{column}", plain(model.get("col_labels")[col] ?? "").replace(/^·(?=.)/, ""));

  const tell = (where) => {
    if (!where || !grid) return view.note("");
    const [own, other] = probs(where);
    const name = `${place(where)[0].toUpperCase()}${place(where).slice(1)}`;
    if (Number.isNaN(other)) return view.note(`${name}: not patched yet.`);
    const [first, second] = model.get("answers").map((piece) => quoted(piece.replace(/^\x01·\x02(?=.)/, "")));
    const half = model.get("half");
    const meaning =
      other > half * model.get("usual")
        ? "This patch decides the answer."
        : own > half * base()[0]
          ? `${first} stays.`
          : `${first} is lost, but ${second} doesn't come out.`;
    view.note(
      `${name}, from ${model.get("source")}: ${first} ${percent(own)}, ${second} ${percent(other)}. ${meaning}`,
    );
  };
  const base = () => floats(model.get("base")).data;
  const select = (layer, col, ask = false) => {
    if (grid) view.select([clamp(layer, 0, grid.layers - 1), clamp(col, 0, grid.cols - 1)], ask);
  };
  const selected = () => {
    const where = model.get("selected");
    return where && grid && where[0] < grid.layers && where[1] < grid.cols ? where : null;
  };
  const cellAt = (event) => {
    if (!grid) return null;
    const [right, down] = pointIn(plot, event);
    const [col, row] = [Math.floor((right - grid.left) / grid.w), Math.floor((down - TOP) / grid.h)];
    return col >= 0 && col < grid.cols && row >= 0 && row < grid.layers ? [grid.layers - 1 - row, col] : null;
  };
  const hover = (where) => {
    setAttributes(point, { display: where ? "inline" : "none", ...(where ? rect(where, 1) : {}) });
    tell(where ?? selected());
  };
  const isSelected = (where) => String(where) === String(selected());
  onPointer(plot, cellAt, hover, (where) => select(...where, isSelected(where)));
  const move = (layers, cols) => () =>
    selected() ? select(selected()[0] + layers, selected()[1] + cols) : select(0, 0);
  onKeys(plot, {
    ArrowLeft: move(0, -1),
    ArrowRight: move(0, 1),
    ArrowUp: move(1, 0),
    ArrowDown: move(-1, 0),
    PageUp: move(1e3, 0),
    PageDown: move(-1e3, 0),
    Home: move(0, -1e6),
    End: move(0, 1e6),
    Enter: () => selected() && select(...selected(), true),
  });

  /** Two bars, each with the unpatched run as an outline. */
  function drawBars(now) {
    shown = now;
    const names = model.get("answers");
    bars.replaceChildren(
      ...names.flatMap((name, k) => {
        const [left, top] = [grid.barsX + (grid.beside ? 0 : k * BARS), grid.barsY + (grid.beside ? 76 * k : 0)];
        const full = BARS - 66;
        return [
          pieceText(shorten(name, 18), { x: left, y: top, class: "lv-answer" }),
          s("rect", { x: left, y: top + 9, width: full, height: 24, class: "lv-edge" }),
          s("rect", { x: left, y: top + 9, width: full * clamp(now[k]), height: 24, class: k ? "lv-twin" : "lv-own" }),
          s("rect", { x: left, y: top + 9, width: full * clamp(base()[k]), height: 24, class: "lv-before" }),
          axisText(left + full + 8, top + 27, percent(now[k]), "start", { class: "lv-number" }),
        ];
      }),
    );
  }

  /** The cell moves from the twin's run into the reader's, and then the bars follow. */
  function transplant(where) {
    const mine = ++turn;
    const [from, to] = [twin(where), rect(where, 0)];
    const [before, after] = [shown, probs(where)];
    const mix = (a, b, t) => a + (b - a) * t * t * (3 - 2 * t);
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return drawBars(after);
    const start = performance.now();
    const step = (time) => {
      if (mine !== turn || !grid) return;
      const [first, second] = [clamp((time - start) / 420), clamp((time - start - 420) / 300)];
      const now = Object.fromEntries(Object.keys(from).map((key) => [key, mix(from[key], to[key], first)]));
      setAttributes(moving, { ...now, display: first < 1 ? "inline" : "none" });
      if (second > 0) drawBars(after.map((p, k) => mix(before[k], p, second)));
      if (second < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** Bars stand at the right where there is room, else below. */
  function plan({ shape: [layers, cols], data }) {
    const room = view.width();
    const left = GHOST + LABELS;
    const beside = room - left - BARS - 40 >= Math.max(200, 22 * cols);
    const fit = room - left - (beside ? BARS + 40 : 12);
    const names = model.get("col_labels");
    const w = clamp(Math.floor(fit / cols), 14, 110);
    const height = clamp(Math.floor(440 / layers), 9, 40);
    const flat = widest(view, names.map((name) => shorten(name, 14)), 16) <= w - 6; // prettier-ignore
    const bottom = TOP + layers * height + (flat ? 34 : 96);
    const width = left + cols * w + (beside ? BARS + 40 : 12);
    const size = { width: Math.max(2 * BARS, width), height: bottom + (beside ? 0 : 70) };
    const [barsX, barsY] = beside ? [left + cols * w + 34, TOP + 60] : [0, bottom + 22];
    return { layers, cols, values: data, left, w, h: height, gap: 2, flat, beside, bottom, barsX, barsY, ...size };
  }

  function paint(scale) {
    const ctx = sizeCanvas(canvas, grid.width, grid.bottom);
    const color = (name) => getComputedStyle(view.root).getPropertyValue(name);
    const ghost = color("--lv-quiet");
    ctx.strokeStyle = color("--lv-line");
    for (let layer = 0; layer < grid.layers; layer++)
      for (let col = 0; col < grid.cols; col++) {
        const there = twin([layer, col]);
        ctx.globalAlpha = 0.28;
        ctx.fillStyle = ghost;
        ctx.fillRect(there.x, there.y, there.width, there.height);
        ctx.globalAlpha = 1;
        const here = rect([layer, col], 0);
        const v = share([layer, col]);
        ctx.fillStyle = Number.isNaN(v) ? "transparent" : scale.css(v);
        ctx.fillRect(here.x, here.y, here.width, here.height);
        ctx.strokeRect(here.x + 0.5, here.y + 0.5, here.width - 1, here.height - 1);
        if (!(v > model.get("half"))) continue;
        ctx.fillStyle = scale.ink(v);
        ctx.beginPath();
        ctx.arc(here.x + here.width / 2, here.y + here.height / 2, Math.min(here.height / 4, 4), 0, 7);
        ctx.fill();
      }
  }

  function write() {
    const every = thinning(grid.h, 20);
    const names = model.get("col_labels").slice(0, grid.cols);
    const step = grid.flat ? 1 : thinning(grid.w, 16);
    const nodes = [
      axisText(0, 14, "other run", "start"),
      axisText(grid.left, 14, `your run: ${model.get("col_axis")}s, one patch in each cell`, "start"),
      axisText(grid.left - 10, 14, "layer", "end"),
    ];
    for (let layer = 0; layer < grid.layers; layer += every)
      nodes.push(axisText(grid.left - 10, y(layer) + grid.h / 2 + 5, layer, "end"));
    names.forEach((name, col) => {
      if (col % step) return;
      const [middle, below] = [x(col) + (grid.w - grid.gap) / 2, TOP + grid.layers * grid.h + 20];
      const label = shorten(name, 14);
      nodes.push(
        grid.flat
          ? pieceText(label, { x: middle, y: below, anchor: "middle" })
          : pieceText(label, { x: 0, y: 0, anchor: "end", transform: `translate(${middle + 5} ${below - 6}) rotate(-45)` }), // prettier-ignore
      );
    });
    words.replaceChildren(...nodes);
  }

  return view.start(() => {
    const fresh = view.changed(...DATA);
    if (fresh) {
      const values = floats(model.get("values"));
      grid = values && values.data.length ? plan(values) : null;
      plot.hidden = !grid;
      if (!grid) {
        view.setLegend("nothing patched yet");
        return view.note("");
      }
      const scale = colorScale("prob", view.theme, 1);
      sizePlot(plot, grid.width, grid.height);
      paint(scale);
      write();
      const answer = plain(model.get("answers")[1] ?? "").replace(/^·(?=.)/, "");
      view.setLegend(
        scaleLegend(inPercent(scale), `how much of the usual ${percent(model.get("usual"))} of ${answer} comes out:`),
        signKey(s("circle", { cx: 17, cy: 6, r: 4, class: "lv-dot" }), "more than half"),
        signKey(s("rect", { x: 2, y: 1, width: 30, height: 10, class: "lv-before" }), "unpatched"),
        ...markLegend(model.get("col_labels")),
      );
    }
    if (!grid) return;
    const where = selected();
    picks.replaceChildren(...(where ? [s("rect", { class: "lv-pick", rx: 3, ...rect(where, 1) })] : []));
    const now = String(where);
    const isKnown = where && !Number.isNaN(probs(where)[1]);
    if (now !== picked && isKnown && shown[0] !== null) transplant(where);
    else if (fresh || now !== picked) {
      turn++;
      setAttributes(moving, { display: "none" });
      drawBars(isKnown ? probs(where) : [...base()]);
    }
    picked = now;
    hover(null);
  });
}
