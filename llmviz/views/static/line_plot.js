// Lines or bars over an axis of numbers or of names. Each line has its own dash, each set of bars its own look, so that
// no colour is needed to tell them apart. A click or the arrow keys select a point, which is sent to Python.

import { axisAtLeft, axisBelow, roomAtLeft, thinned, TICK } from "./kit/axes.js";
import { widest } from "./kit/canvas.js";
import { axisText, pieceNodes, plain, quoted, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { band, column, curve, dot, rule } from "./kit/marks.js";
import { count, floats, minus, number, percent, withUnit } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";
import { bands, domain, scale, ticks } from "./kit/scales.js";
import { nearest, selectIn, stepKeys } from "./kit/selection.js";

const DASHES = ["", "9 5", "2 4", "12 4 2 4", "5 3", "1 3"];
const COLOURS = ["tokenization", "sampling", "quiet", "embeddings", "attention"]; // after the stage's own
const BESIDE = {
  position: ["quiet", "tokenization", "sampling"], // of an unchanged model, and of a control
  attention: ["ffn", "tokenization", "quiet", "sampling", "embeddings"], // blue is too close to its violet
  training: ["tokenization", "sampling", "attention", "embeddings", "ffn"], // it is grey itself
};
const HEIGHT = 300;
const MOST_APART = 12; // points or bars that get a dot or a number each
const DATA = ["x", "values", "names", "labels", "unit", "marks", "bars", "waiting", "stage"];
const AXES = ["x_axis", "y_axis", "x_ticks", "log_x", "y_min", "y_max"];

export function render({ model, el }) {
  const view = frame(model, el, "line_plot");
  const plot = createPlot(view, "lines: left and right move along the axis");
  let chart = null; // what is drawn: n points of lines `names`, y(k, i) and its pixels px(i), py(v)
  const current = () => model.get("selected");
  const show = (at) => tell(view, plot, chart, at ?? current());
  const select = (selected) => view.set({ selected });
  selectIn(plot, {
    under: (x) => chart && nearest(chart.n, (i) => Math.abs(chart.px(i) - x)),
    show,
    pick: select,
    keys: stepKeys({ current, n: () => chart?.n ?? 0, select, page: 100 }),
  });
  return view.start(() => {
    if (view.changed(...DATA, ...AXES)) {
      chart = measure(view); // moving the cursor draws nothing else again
      chart ? draw(view, plot, chart) : drawWaiting(view, plot);
    }
    show(null);
  });
}

const widthOf = (view) => Math.max(320, view.width());

/** Colour and dash of line k. */
function look(model, k) {
  const stage = model.get("stage");
  const others = (BESIDE[stage] ?? COLOURS).filter((name) => name !== stage);
  return { class: `lv-line-${k}`, style: `--lv-series:var(--lv-${k ? others[(k - 1) % others.length] : "accent"})` };
}
const dashed = (model, k) => ({
  ...look(model, k),
  class: `lv-line lv-line-${k}`,
  "stroke-dasharray": DASHES[k % DASHES.length] || null,
});
/** Every second set of bars is paler, and the other way round once all four colours have been used. */
const barLook = (model, k) => ({ ...look(model, k), class: `lv-column lv-column-${(k + (k > 3)) % 2}` });

function valueText(unit, v) {
  if (Number.isNaN(v)) return "none";
  if (unit === "share") return percent(v);
  return unit === "rank" ? count(Math.round(v)) : withUnit(number(v), unit);
}
function tickText(unit, v) {
  if (unit === "share") return minus(`${Number((100 * v).toPrecision(3))}%`);
  return minus(Math.abs(v) >= 1000 ? count(v) : String(Number(v.toPrecision(6))));
}

/** The scales, and the axes' ticks; null while there is nothing to draw. */
function measure(view) {
  const { model } = view;
  const [xs, values] = [floats(model.get("x")), floats(model.get("values"))];
  const [names, bars, unit] = [model.get("names"), model.get("bars"), model.get("unit")];
  const labels = model.get("labels").length ? model.get("labels") : null;
  const x = labels ? labels.map((_, i) => i) : [...(xs?.data ?? [])];
  const n = x.length;
  if (!n || !values || values.shape[0] !== names.length || values.shape[1] !== n) return null;
  const [low, high] = domain(values.data, model.get("y_min"), model.get("y_max"));
  const upwards = ticks(low, high).map((v) => [v, tickText(unit, v)]);
  const texts = upwards.map(([, text]) => text);
  const left = roomAtLeft(view, texts, model.get("y_axis"));
  const [from, to] = [left, widthOf(view) - 20];
  const slots = bands(n, [from, to]);
  const below = labels && !model.get("x_axis") ? labelsBelow(view, labels, slots.step) : null;
  const height = HEIGHT + Math.max(0, (below?.height ?? 0) - 48);
  const area = { left: from, right: to, top: 12, bottom: HEIGHT - 48 };
  const log = model.get("log_x");
  const at = scale([x[0], x.at(-1)], [from, to], log ? (v) => Math.log1p(v - x[0]) : undefined);
  const py = scale([low, high], [area.bottom, area.top]);
  return {
    n,
    x,
    names,
    labels,
    bars,
    unit,
    area,
    height,
    below,
    at,
    py,
    slot: slots.step,
    y: (k, i) => values.data[k * n + i],
    px: labels || bars ? slots.middle : (i) => at(x[i]),
    left: upwards.map(([v, text]) => [py(v), text, v]),
  };
}

function drawWaiting(view, plot) {
  plot.size(widthOf(view), HEIGHT);
  plot.ground.replaceChildren(axisText(widthOf(view) / 2, HEIGHT / 2, view.model.get("waiting")));
  plot.marks.replaceChildren();
  view.setLegend();
}

function draw(view, plot, chart) {
  const { model } = view;
  const { area, names, labels, bars, below } = chart;
  plot.size(widthOf(view), chart.height);
  const layers = labels?.map((label, i) => [chart.px(i), plain(label.replace(/^layer /, ""))]);
  plot.ground.replaceChildren(
    ...axisAtLeft(area, chart.left, model.get("y_axis")),
    ...(below
      ? labels.flatMap((_, i) => below.put(i, chart.px(i), area.bottom))
      : axisBelow(
          area,
          layers ? thinned(view, layers) : ticksBelow(view, chart),
          model.get("x_axis") + (model.get("log_x") ? " (log scale)" : ""),
        )),
    ...model.get("marks").flatMap(([where, text]) => {
      const [x, before] = [chart.at(where), chart.at(where) > 0.75 * widthOf(view)];
      return [
        rule("lv-markline", x, area.top, x, area.bottom),
        axisText(x + (before ? -7 : 7), area.top + 13, text, before ? "end" : "start"),
      ];
    }),
  );
  const runs = runsOf(chart);
  plot.marks.replaceChildren(
    ...(bars ? columns(model, chart) : names.flatMap((_, k) => line(model, chart, k, runs))),
    ...(bars ? numbersOn(view, chart) : dots(model, chart)),
  );
  view.setLegend(
    ...names.map((name, k) =>
      signKey(
        bars ? column([8, 0, 22, 12], barLook(model, k)) : s("path", { d: "M1 6H33", ...dashed(model, k) }),
        ...pieceNodes(name),
      ),
    ),
    !bars &&
      runs.some(([from, to]) => to - from > 1) &&
      "where points are too close to draw: line = mean, band = lowest to highest",
  );
}

/** What stands below the columns: labels broken between words, or leaning where one word is wider than its column. */
function labelsBelow(view, labels, slot) {
  const widthOfText = (text) => widest(view, [text], TICK, "ui");
  const rows = labels.map((label) =>
    label.split(" ").reduce((lines, word) => {
      const longer = lines.length ? `${lines.at(-1)} ${word}` : "";
      return longer && widthOfText(longer) + 8 <= slot ? [...lines.slice(0, -1), longer] : [...lines, word];
    }, []),
  );
  const lean = rows.flat().some((row) => widthOfText(row) + 4 > slot);
  const height = lean
    ? 0.71 * widest(view, labels, TICK, "ui") + 22
    : 16 * Math.max(...rows.map((row) => row.length)) + 8;
  const put = (i, x, y) =>
    lean
      ? [axisText(0, 0, plain(labels[i]), "end", { transform: `translate(${x + 5} ${y + 14}) rotate(-45)` })]
      : rows[i].map((row, k) => axisText(x, y + 19 + 16 * k, plain(row)));
  return { height, put };
}

/** The ticks of an axis of numbers, where they have room. */
function ticksBelow(view, { x, at }) {
  const multiplied = [0, ...[1, 10, 100, 1000, 10000].flatMap((power) => [1, 2, 5].map((k) => k * power))];
  const fixed = view.model.get("x_ticks");
  const values = view.model.get("log_x") ? multiplied.filter((v) => v >= x[0] && v <= x.at(-1)) : ticks(x[0], x.at(-1));
  const marks = (fixed.length ? fixed : values).map((v) => [at(v), minus(count(v))]);
  return thinned(view, marks);
}

/** Points that share a few pixels are drawn as one: from where to where each such run goes. */
function runsOf({ n, px }) {
  const runs = [];
  for (let i = 0; i < n;) {
    let end = i + 1;
    while (end < n && px(end) - px(i) < 6) end++;
    if (end - i < 5) end = i + 1;
    runs.push([i, end]);
    i = end;
  }
  return runs;
}

/** A line through the mean of each run, and behind it a band from the lowest to the highest. */
function line(model, { y, px, py }, k, runs) {
  const means = [];
  const [upper, lower] = [[], []];
  for (const [from, to] of runs) {
    const values = Array.from({ length: to - from }, (_, i) => y(k, from + i)).filter(Number.isFinite);
    const middle = (px(from) + px(to - 1)) / 2;
    means.push(values.length ? [middle, py(values.reduce((a, b) => a + b) / values.length)] : null);
    if (!values.length) continue;
    upper.push([middle, py(Math.max(...values))]);
    lower.push([middle, py(Math.min(...values))]);
  }
  const crowded = upper.length && runs.some(([from, to]) => to - from > 1);
  const reach = crowded ? [band(upper, lower, { ...look(model, k), class: "lv-band" })] : [];
  return [...reach, curve(means, dashed(model, k))];
}

/** Dots where there are few points, and where one is alone, so in no line. */
function dots(model, { n, names, y, px, py }) {
  const gap = (k, i) => i < 0 || i >= n || !Number.isFinite(y(k, i));
  const dotted = (k, i) => !gap(k, i) && (n <= MOST_APART || (gap(k, i - 1) && gap(k, i + 1)));
  return names.flatMap((_, k) =>
    Array.from({ length: n }, (__, i) => i)
      .filter((i) => dotted(k, i))
      .map((i) => dot(px(i), py(y(k, i)), 4, { ...look(model, k), class: "lv-dot" })),
  );
}

/** Whether one bar has the whole slot to itself. */
const isAlone = ({ names, y }, i) => names.filter((_, k) => Number.isFinite(y(k, i))).length < 2;

function columns(model, chart) {
  const { n, names, y, px, py, slot } = chart;
  return names.flatMap((_, k) =>
    Array.from({ length: n }, (__, i) => {
      if (!Number.isFinite(y(k, i))) return [];
      const alone = isAlone(chart, i);
      const width = Math.max(1.5, (0.84 * slot) / (alone ? 1 : names.length));
      const left = px(i) - 0.42 * slot + (alone ? 0 : k * width);
      return column([left, py(y(k, i)), left + width - 0.5, py(0)], barLook(model, k));
    }).flat(),
  );
}

/** Over each bar its number, where no second bar stands beside it and there is room. */
function numbersOn(view, chart) {
  const { n, names, y, px, py, slot, unit } = chart;
  const heights = Array.from({ length: n }, (_, i) => names.map((__, k) => y(k, i)).find(Number.isFinite));
  const texts = heights.map((v) => (v === undefined ? "" : valueText(unit, v)));
  const hasRoom =
    n <= MOST_APART && heights.every((_, i) => isAlone(chart, i)) && widest(view, texts, TICK, "ui") <= slot;
  if (!hasRoom) return [];
  return texts.flatMap((text, i) =>
    text ? [axisText(px(i), py(Math.max(0, heights[i])) - 6, text, "middle", { class: null })] : [],
  );
}

/** Write what the lines are at a point, with a cursor through them. */
function tell(view, plot, chart, at) {
  plot.cursor.replaceChildren();
  if (!chart || at === null || at < 0 || at >= chart.n) return view.note("");
  const { names, labels, x, y, px, py, area, unit, bars } = chart;
  const piece = view.model.get("x_pieces")[at];
  const where = labels
    ? plain(labels[at])
    : piece === undefined
      ? `${view.model.get("x_axis")} ${minus(count(x[at]))}`
      : `${quoted(piece)} (position ${x[at]})`;
  const told = (name, k) =>
    !(Number.isNaN(y(k, at)) && names.length > 1) && `${plain(name)}: ${valueText(unit, y(k, at))}`;
  view.note(where, ...names.map(told));
  plot.cursor.append(rule("lv-cursor", px(at), area.top, px(at), area.bottom));
  names.forEach((_, k) => {
    if (!bars && Number.isFinite(y(k, at)))
      plot.cursor.append(dot(px(at), py(y(k, at)), 4.6, { ...look(view.model, k), class: "lv-dot" }));
  });
}
