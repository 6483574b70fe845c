// Lines or bars over an axis of numbers or of names. Each line has its own dash, each set of bars its own look, so that
// no colour is needed to tell them apart. A click or the arrow keys select a point, which is sent to Python.

import {
  axisText,
  clamp,
  count,
  floats,
  frame,
  minus,
  number,
  onKeys,
  onPointer,
  percent,
  pieceNodes,
  plain,
  plotIn,
  pointIn,
  quoted,
  s,
  signKey,
  sizePlot,
  widest,
  withUnit,
} from "./kit.js";

const DASHES = ["", "9 5", "2 4", "12 4 2 4", "5 3", "1 3"];
const COLOURS = ["tokenization", "sampling", "quiet", "embeddings", "attention"]; // after the stage's own
const BESIDE = {
  position: ["quiet", "tokenization", "sampling"], // of an unchanged model, and of a control
  attention: ["ffn", "tokenization", "quiet", "sampling", "embeddings"], // blue is too close to its violet
  training: ["tokenization", "sampling", "attention", "embeddings", "ffn"], // it is grey itself
};

const LOG = " (log scale)";
const DATA = ["x", "values", "names", "labels", "unit", "marks", "bars", "waiting", "stage"];
const AXES = ["x_axis", "y_axis", "x_ticks", "log_x", "y_min", "y_max"];

export function render({ model, el }) {
  const view = frame(model, el, "line_plot");
  const [grid, drawing, cursor] = [s("g", {}), s("g", {}), s("g", {})];
  const svg = s("svg", { "aria-hidden": "true" }, grid, drawing, cursor);
  const plot = plotIn(view, "lines: left and right move along the axis", svg);
  const HEIGHT = 300;
  const BOTTOM = HEIGHT - 48;
  const TOP = 12;
  const RIGHT = 20;
  let shown = null; // what is drawn: n points, y(k, i), px(i), py(v)

  const series = (k) => {
    const others = BESIDE[model.get("stage")] ?? COLOURS;
    return { class: `lv-line-${k}`, style: `--lv-series:var(--lv-${k ? others[(k - 1) % others.length] : "accent"})` };
  };
  // Every second colour is paler, and the other way round once all four have been used.
  const barClass = (k) => `lv-column lv-column-${(k + (k > 3)) % 2}`;
  const dashed = (k) => ({
    ...series(k),
    class: `lv-line lv-line-${k}`,
    "stroke-dasharray": DASHES[k % DASHES.length] || null,
  });
  const isShare = () => model.get("unit") === "share";
  const value = (v) => {
    const unit = model.get("unit");
    if (Number.isNaN(v)) return "none";
    return isShare() ? percent(v) : unit === "rank" ? count(Math.round(v)) : withUnit(number(v), unit);
  };
  const named = (i) => {
    const piece = model.get("x_pieces")[i];
    if (shown.labels) return plain(shown.labels[i]);
    return piece === undefined
      ? `${model.get("x_axis")} ${minus(count(shown.x[i]))}`
      : `${quoted(piece)} (position ${shown.x[i]})`;
  };
  const tell = (at) => {
    cursor.replaceChildren();
    if (!shown || at === null || at < 0 || at >= shown.n) return view.note("");
    const names = model.get("names");
    const told = (name, k) =>
      !(Number.isNaN(shown.y(k, at)) && names.length > 1) && `${plain(name)}: ${value(shown.y(k, at))}`;
    view.note(named(at), ...names.map(told));
    const px = shown.px(at);
    cursor.append(s("line", { x1: px, x2: px, y1: TOP, y2: BOTTOM, class: "lv-cursor" }));
    if (model.get("bars")) return;
    names.forEach((_, k) => {
      const v = shown.y(k, at);
      if (Number.isFinite(v))
        cursor.append(s("circle", { cx: px, cy: shown.py(v), r: 4.6, ...series(k), class: "lv-dot" }));
    });
  };
  const move = (to) => {
    if (shown) view.set({ selected: clamp(to, 0, shown.n - 1) });
  };
  const nearest = (event) => {
    if (!shown) return null;
    const [px] = pointIn(plot, event);
    let best = 0;
    for (let i = 1; i < shown.n; i++) if (Math.abs(shown.px(i) - px) < Math.abs(shown.px(best) - px)) best = i;
    return best;
  };
  onPointer(plot, nearest, (at) => tell(at ?? model.get("selected")), move);
  const step = (by) => () => move((model.get("selected") ?? (by > 0 ? -1 : 1)) + by);
  onKeys(plot, {
    ArrowRight: step(1),
    ArrowLeft: step(-1),
    PageDown: step(100),
    PageUp: step(-100),
    Home: () => move(0),
    End: () => move(1e9),
  });

  /** Round steps (1, 2 or 5 times a power of ten) that cover lo to hi. */
  function ticks(lo, hi) {
    const rough = (hi - lo) / 5 || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const by = [1, 2, 5, 10].find((k) => k * power >= rough) * power;
    const from = Math.ceil(lo / by - 1e-9);
    return Array.from({ length: Math.floor(hi / by + 1e-9) - from + 1 }, (_, i) => (i + from) * by);
  }
  const multiplied = (hi) =>
    [0, ...[1, 10, 100, 1000, 10000].flatMap((power) => [1, 2, 5].map((k) => k * power))].filter((v) => v <= hi);

  /** What the axis of values covers, and where a value stands on it, 0 to 1. */
  function valueAxis(data) {
    let [lo, hi] = [model.get("y_min") ?? Infinity, model.get("y_max") ?? -Infinity];
    const [least, most] = [lo, hi];
    for (const v of data)
      if (Number.isFinite(v)) {
        if (v < lo) lo = v;
        if (v > hi) hi = v;
      }
    if (!(hi > lo)) [lo, hi] = [Math.min(lo, 0) || 0, Math.max(hi, 0) || 1];
    const room = 0.05 * (hi - lo);
    [lo, hi] = [lo === least ? lo : lo - room, hi === most ? hi : hi + room]; // none beyond an end that was asked for
    return { marks: ticks(lo, hi), part: (v) => clamp((v - lo) / (hi - lo)) };
  }

  /** A path for a line. Where many points share a few pixels, it is their mean, and a band shows how far they reach. */
  function linePaths(k, runs) {
    let [d, pen] = ["", "M"];
    const [upper, lower] = [[], []];
    const { y, px, py } = shown;
    for (const [from, to] of runs) {
      let [sum, n, top, low] = [0, 0, -Infinity, Infinity];
      for (let i = from; i < to; i++) {
        const v = y(k, i);
        if (!Number.isFinite(v)) continue;
        sum += v;
        n++;
        top = Math.max(top, v);
        low = Math.min(low, v);
      }
      if (!n) {
        pen = "M";
        continue;
      }
      const at = ((px(from) + px(to - 1)) / 2).toFixed(1);
      d += `${pen}${at} ${py(sum / n).toFixed(1)}`;
      pen = "L";
      upper.push(`${at} ${py(top).toFixed(1)}`);
      lower.unshift(`${at} ${py(low).toFixed(1)}`);
    }
    const line = s("path", { d, ...dashed(k) });
    const crowded = runs.some(([from, to]) => to - from > 1);
    return crowded && upper.length
      ? [s("path", { d: `M${[...upper, ...lower].join("L")}Z`, ...series(k), class: "lv-band" }), line]
      : [line];
  }

  /** Whether one bar has the whole place to itself. */
  const isAlone = (names, i) => names.filter((_, k) => Number.isFinite(shown.y(k, i))).length < 2;

  function columns(names, slot) {
    const { n, y, px, py } = shown;
    return names
      .flatMap((_, k) =>
        Array.from({ length: n }, (__, i) => {
          if (!Number.isFinite(y(k, i))) return null;
          const [a, b] = [py(y(k, i)), py(0)];
          const single = isAlone(names, i);
          const w = Math.max(1.5, (0.84 * slot) / (single ? 1 : names.length));
          return s("rect", {
            x: px(i) - 0.42 * slot + (single ? 0 : k * w),
            y: Math.min(a, b),
            width: w - 0.5,
            height: Math.max(0.5, Math.abs(a - b)),
            ...series(k),
            class: barClass(k),
          });
        }),
      )
      .filter(Boolean);
  }

  /** Over each bar its number, where no second bar stands beside it and there is room. */
  function numbersOn(names, slot) {
    const { n, y, px, py } = shown;
    const heights = Array.from({ length: n }, (_, i) => names.map((__, k) => y(k, i)).find(Number.isFinite));
    const told = heights.map((v) => (v === undefined ? "" : value(v)));
    if (!heights.every((_, i) => isAlone(names, i)) || widest(view, told, 14, "ui") > slot) return [];
    return told.flatMap((text, i) =>
      text ? [axisText(px(i), py(Math.max(0, heights[i])) - 6, text, "middle", { class: null })] : [],
    );
  }

  function draw() {
    const [xs, values] = [floats(model.get("x")), floats(model.get("values"))];
    const names = model.get("names");
    const labels = model.get("labels").length ? model.get("labels") : null;
    const x = labels ? labels.map((_, i) => i) : [...(xs?.data ?? [])];
    const [n, bars] = [x.length, model.get("bars")];
    const width = Math.max(320, view.width());
    sizePlot(plot, width, HEIGHT);
    if (!n || !values || values.shape[0] !== names.length || values.shape[1] !== n) {
      shown = null;
      grid.replaceChildren(axisText(width / 2, HEIGHT / 2, model.get("waiting")));
      drawing.replaceChildren();
      view.setLegend();
      return;
    }
    const axis = valueAxis(values.data);
    const tick = (v) =>
      isShare()
        ? minus(`${Number((100 * v).toPrecision(3))}%`)
        : Math.abs(v) >= 1000
          ? minus(count(v))
          : minus(String(Number(v.toPrecision(6))));
    const left =
      Math.max(...axis.marks.map((v) => widest(view, [tick(v)], 14, "ui"))) + (model.get("y_axis") ? 44 : 22);
    const inner = width - left - RIGHT;
    const slot = inner / n;
    const log = model.get("log_x");
    const along = log ? (v) => Math.log1p(v - x[0]) : (v) => v - x[0];
    const last = along(x.at(-1)) || 1;
    const at = (v) => left + (along(v) / last) * inner;
    const py = (v) => BOTTOM - axis.part(v) * (BOTTOM - TOP);
    shown = {
      n,
      x,
      labels,
      y: (k, i) => values.data[k * n + i],
      px: labels || bars ? (i) => left + slot * (i + 0.5) : (i) => at(x[i]),
      py,
    };

    const short = (label) => (label.startsWith("layer ") ? label.slice(6) : label);
    const fixed = model.get("x_ticks");
    const marked = labels
      ? labels.map((label, i) => [shown.px(i), short(label)])
      : (fixed.length ? fixed : log ? multiplied(x.at(-1)) : ticks(x[0], x.at(-1))).map((v) => [
          at(v),
          minus(count(v)),
        ]);
    const isNarrow = (text) => widest(view, [text], 14, "ui") + 8 <= slot;
    const wrapped = (text) =>
      text.split(" ").reduce((rows, word) => {
        const longer = rows.length ? `${rows.at(-1)} ${word}` : "";
        return longer && isNarrow(longer) ? [...rows.slice(0, -1), longer] : [...rows, word];
      }, []);
    const hasTwoRows = labels && !model.get("x_axis"); // else there is no room for a second one
    /** The labels that have room: each wrapped, or each in one row, up and down in turn. */
    const labelsUnder = (inTurn) => {
      const free = [-1e9, -1e9]; // where the last label ended, in each row
      return marked.flatMap(([px, text], place) => {
        const [rows, first] = [hasTwoRows && !inTurn ? wrapped(text) : [text], inTurn ? place % 2 : 0];
        const half = widest(view, rows, 14, "ui") / 2 + 4;
        if (px - half < free[first]) return [];
        free[first] = px + half;
        return [rows.map((row, i) => axisText(px, BOTTOM + 19 + 16 * (first + i), plain(row)))];
      });
    };
    const [turned, under] = [hasTwoRows ? labelsUnder(true) : [], labelsUnder(false)];
    const middle = (TOP + BOTTOM) / 2;
    grid.replaceChildren(
      ...axis.marks.flatMap((v) => [
        s("line", { x1: left, x2: width - RIGHT, y1: py(v), y2: py(v), class: v === 0 ? "lv-zero" : "lv-gridline" }),
        axisText(left - 9, py(v) + 5, tick(v), "end"),
      ]),
      ...(turned.length > under.length ? turned : under).flat(),
      axisText(left + inner / 2, HEIGHT - 6, model.get("x_axis") + (log ? LOG : "")),
      axisText(15, middle, model.get("y_axis"), "middle", { transform: `rotate(-90 15 ${middle})` }),
      ...model.get("marks").flatMap(([where, text]) => {
        const [px, before] = [at(where), at(where) > 0.75 * width];
        return [
          s("line", { x1: px, x2: px, y1: TOP, y2: BOTTOM, class: "lv-markline" }),
          axisText(px + (before ? -7 : 7), TOP + 13, text, before ? "end" : "start"),
        ];
      }),
    );
    const runs = [];
    for (let i = 0; i < n;) {
      let end = i + 1;
      while (end < n && shown.px(end) - shown.px(i) < 6) end++;
      if (end - i < 5) end = i + 1;
      runs.push([i, end]);
      i = end;
    }
    const gap = (k, i) => i < 0 || i >= n || !Number.isFinite(shown.y(k, i));
    const dotted = (k, i) => !gap(k, i) && (n <= 12 || (gap(k, i - 1) && gap(k, i + 1))); // alone, it is in no line
    const few = bars
      ? n > 12
        ? []
        : numbersOn(names, slot)
      : names.flatMap((_, k) =>
          x
            .map((__, i) => i)
            .filter((i) => dotted(k, i))
            .map((i) => s("circle", { cx: shown.px(i), cy: py(shown.y(k, i)), r: 4, ...series(k), class: "lv-dot" })),
        );
    drawing.replaceChildren(...(bars ? columns(names, slot) : names.flatMap((_, k) => linePaths(k, runs))), ...few);
    view.setLegend(
      ...names.map((name, k) =>
        signKey(
          bars
            ? s("rect", { x: 8, y: 0, width: 14, height: 12, ...series(k), class: barClass(k) })
            : s("path", { d: "M1 6L33 6", ...dashed(k) }),
          ...pieceNodes(name),
        ),
      ),
      !bars &&
        runs.some(([from, to]) => to - from > 1) &&
        "where points are too close to draw: line = mean, band = lowest to highest",
    );
  }

  return view.start(() => {
    if (view.changed(...DATA, ...AXES)) draw(); // moving the cursor draws nothing else again
    tell(model.get("selected"));
  });
}
