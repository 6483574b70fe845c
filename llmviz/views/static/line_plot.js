// Lines or bars over an axis of numbers or of names. Each line has its own dash, each set of bars its own look, so that
// no colour is needed to tell them apart. A click or the arrow keys select a point, which is sent to Python.

import { axisAtLeft, axisBelow, thinned, TICK } from "./kit/axes.js";
import { widest } from "./kit/canvas.js";
import { axisText, pieceNodes, plain, quoted, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { column, curve, dot, rule } from "./kit/marks.js";
import { count, floats, minus, number, percent, withUnit } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { bands, domain, scale, ticks } from "./kit/scales.js";
import { nearest, startChart } from "./kit/selection.js";

const DASHES = ["", "9 5", "2 4", "12 4 2 4", "5 3", "1 3"];
const COLOURS = ["tokenization", "sampling", "quiet", "embeddings", "attention"]; // after the stage's own
const BESIDE = {
  position: ["quiet", "tokenization", "sampling"], // of an unchanged model, and of a control
  attention: ["ffn", "tokenization", "quiet", "sampling", "embeddings"], // blue is too close to its violet
  training: ["tokenization", "sampling", "attention", "embeddings", "ffn"], // it is grey itself
};
const HEIGHT = 300;
const MOST_APART = 12; // points that get a dot each
const CROWDED = 200; // of more points than these, the line is a smear
const NEIGHBOURS = 8; // pixels over which it is averaged then
const DATA = ["x", "values", "names", "labels", "unit", "marks", "bars", "waiting", "stage"];
const TRAITS = [...DATA, "x_axis", "y_axis", "x_ticks", "log_x", "y_min", "y_max"];

export function render({ model, el }) {
  const view = frame(model, el, "line_plot");
  const plot = createPlot(view, "lines: left and right move along the axis");
  const under = ({ n, px }, x) => nearest(n, (i) => Math.abs(px(i) - x));
  return startChart(view, plot, { traits: TRAITS, draw, tell, under, page: 100 });
}

/** Colour and dash of line k. */
function look(model, k) {
  const stage = model.get("stage");
  const others = (BESIDE[stage] ?? COLOURS).filter((name) => name !== stage);
  return { class: `lv-line-${k}`, style: `--lv-series:var(--lv-${k ? others[(k - 1) % others.length] : "accent"})` };
}
const dashed = (model, k, dense = false) => ({
  ...look(model, k),
  class: `lv-line lv-line-${k} ${dense ? "lv-dense" : ""}`,
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

function draw(view, plot) {
  const { model } = view;
  const [names, labels, bars, unit] = ["names", "labels", "bars", "unit"].map((name) => model.get(name));
  const values = floats(model.get("values"));
  const x = labels.length ? [...labels.keys()] : [...(floats(model.get("x"))?.data ?? [])];
  const [n, width] = [x.length, Math.max(320, view.width())];
  if (!n || values?.shape[0] !== names.length || values.shape[1] !== n) {
    plot.size(width, HEIGHT);
    plot.ground.replaceChildren(axisText(width / 2, HEIGHT / 2, model.get("waiting")));
    plot.marks.replaceChildren();
    view.setLegend();
    return { n: 0 };
  }
  const [low, high] = domain(values.data, model.get("y_min"), model.get("y_max"));
  const upwards = ticks(low, high).map((v) => [v, tickText(unit, v)]);
  const texts = upwards.map(([, text]) => text);
  const left = widest(view, texts, TICK, "ui") + (model.get("y_axis") ? 44 : 22);
  const area = areaIn(width, HEIGHT, { left, right: 20, top: 12, bottom: 48 });
  const across = [area.left, area.right];
  const at = scale([x[0], x.at(-1)], across, model.get("log_x") ? (v) => Math.log1p(v - x[0]) : undefined);
  const py = scale([low, high], [area.bottom, area.top]);
  const slots = bands(n, across);
  const px = labels.length || bars ? slots.middle : (i) => at(x[i]);
  const marks = upwards.map(([v, text]) => [py(v), text, v]);
  const y = (k, i) => values.data[k * n + i];
  const pointAt = (k, i) => (Number.isFinite(y(k, i)) ? [px(i), py(y(k, i))] : null);
  const points = names.map((_, k) => x.map((__, i) => pointAt(k, i)));
  const chart = { n, x, y, points, names, labels, bars, unit, area, px, py, slot: slots.step };
  const [below, height] = axisOf(view, chart, at);
  plot.size(width, height);
  plot.ground.replaceChildren(
    ...axisAtLeft(area, marks, model.get("y_axis")),
    ...below,
    ...model.get("marks").flatMap(([where, text]) => {
      const [middle, before] = [at(where), at(where) > 0.75 * width];
      return [
        rule("lv-zero", middle, area.top, middle, area.bottom),
        axisText(middle + (before ? -7 : 7), area.top + 13, text, before ? "end" : "start"),
      ];
    }),
  );
  plot.marks.replaceChildren(...(bars ? columns(view, chart) : points.flatMap((line, k) => lineOf(model, k, line))));
  const signOf = (k) =>
    bars ? column([8, 0, 22, 12], barLook(model, k)) : s("path", { d: "M1 6H33", ...dashed(model, k) });
  const mean = n > CROWDED && !bars && "thick: the mean of neighbouring points";
  view.setLegend(...names.map((name, k) => signKey(signOf(k), ...pieceNodes(name))), mean);
  return chart;
}

/** The axis below, and how high the plot is with it. Names without an axis lean where one is wider than its column. */
function axisOf(view, { labels, area, px, slot, x }, at) {
  const { model } = view;
  const name = model.get("x_axis") + (model.get("log_x") ? " (log scale)" : "");
  if (!labels.length) return [axisBelow(area, thinned(view, ticksBelow(model, x, at)), name), HEIGHT];
  const texts = labels.map(plain);
  const [marks, longest] = [texts.map((text, i) => [px(i), text]), widest(view, texts, TICK, "ui")];
  if (name || longest + 4 <= slot) return [axisBelow(area, name ? thinned(view, marks) : marks, name), HEIGHT];
  const leaning = marks.map(([middle, text]) =>
    axisText(0, 0, text, "end", { transform: `translate(${middle + 5} ${area.bottom + 14}) rotate(-45)` }),
  );
  return [leaning, HEIGHT + Math.max(0, 0.71 * longest - 26)];
}

/** The ticks of an axis of numbers. */
function ticksBelow(model, x, at) {
  const multiplied = [0, ...[1, 10, 100, 1000, 10000].flatMap((power) => [1, 2, 5].map((k) => k * power))];
  const fixed = model.get("x_ticks");
  const values = model.get("log_x") ? multiplied.filter((v) => v >= x[0] && v <= x.at(-1)) : ticks(x[0], x.at(-1));
  return (fixed.length ? fixed : values).map((v) => [at(v), minus(count(v))]);
}

const dotAt = (model, k, [x, y], r) => dot(x, y, r, { ...look(model, k), class: "lv-dot" });

/** The mean of the points that are neighbours. */
function meansOf(points) {
  const near = Map.groupBy(points.filter(Boolean), ([x]) => Math.floor(x / NEIGHBOURS));
  return [...near.values()].map((some) =>
    [0, 1].map((axis) => some.reduce((sum, at) => sum + at[axis], 0) / some.length),
  );
}

/** A line, interrupted where there is no number; with a dot for each of a few, and for one alone; of many, the mean. */
function lineOf(model, k, points) {
  if (points.length > CROWDED) return [curve(points, dashed(model, k, true)), curve(meansOf(points), dashed(model, k))];
  const dotted = points.filter((at, i) => at && (points.length <= MOST_APART || !(points[i - 1] || points[i + 1])));
  return [curve(points, dashed(model, k)), ...dotted.map((at) => dotAt(model, k, at, 4))];
}

/** Bars next to each other; where only one has a number, it gets all the room, and its number over it. */
function columns(view, { n, names, points, y, px, py, slot, unit }) {
  return Array.from({ length: n }, (_, i) => {
    const here = [...names.keys()].filter((k) => points[k][i]);
    const alone = here.length === 1;
    const width = Math.max(1.5, (0.84 * slot) / (alone ? 1 : names.length));
    const bars = here.map((k) => {
      const left = px(i) - 0.42 * slot + (alone ? 0 : k * width);
      return column([left, points[k][i][1], left + width - 0.5, py(0)], barLook(view.model, k));
    });
    const text = alone ? valueText(unit, y(here[0], i)) : "";
    if (!text || widest(view, [text], TICK, "ui") > slot) return bars;
    return [...bars, axisText(px(i), py(Math.max(0, y(here[0], i))) - 6, text, "middle", { class: null })];
  }).flat();
}

/** Write what the lines are at a point, with a cursor through them. */
function tell({ model, note }, plot, at) {
  plot.cursor.replaceChildren();
  if (at === null) return note("");
  const { names, points, labels, x, y, px, area, unit, bars } = plot.plan;
  const piece = model.get("x_pieces")[at];
  const onAxis =
    piece === undefined ? `${model.get("x_axis")} ${minus(count(x[at]))}` : `${quoted(piece)} (position ${x[at]})`;
  const told = (name, k) =>
    !(Number.isNaN(y(k, at)) && names.length > 1) && `${plain(name)}: ${valueText(unit, y(k, at))}`;
  note(labels.length ? plain(labels[at]) : onAxis, ...names.map(told));
  plot.cursor.append(
    rule("lv-cursor", px(at), area.top, px(at), area.bottom),
    ...points.flatMap((line, k) => (line[at] && !bars ? [dotAt(model, k, line[at], 4.6)] : [])),
  );
}
