// The curve of silu with every neuron of one token on it: across, what its gate says; up, what the gate lets pass.

import { axisAtLeft, axisBelow } from "./kit/axes.js";
import { frame } from "./kit/frame.js";
import { curve, dot } from "./kit/marks.js";
import { clamp, count, floats, minus, number } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { scale, ticks } from "./kit/scales.js";
import { nearest, startChart } from "./kit/selection.js";

const HEIGHT = 260;

export function render({ model, el }) {
  const view = frame(model, el, "silu_curve");
  const plot = createPlot(view, "neurons on the curve: left and right go to the next gate value", { canvas: true });
  const under = ({ n, at }, x, y) => nearest(n, (i) => Math.hypot(at(i)[0] - x, at(i)[1] - y), 30);
  const mark = (_, { plan: { at } }, i) =>
    plot.picks.replaceChildren(...(i === null ? [] : [dot(...at(i), 8, { class: "lv-ring" })]));
  const traits = ["values", "curve", "into", "through"];
  return startChart(view, plot, { traits, empty: "no neurons yet", draw, mark, tell, under, page: 50 });
}

function tell(view, { plan: { neurons } }, i) {
  if (i === null) return view.note("");
  const [gate, up, passed, hidden] = neurons.map((values) => number(values[i]));
  const [into, through] = ["into", "through"].map((name) => view.model.get(name));
  const times = Number.isNaN(neurons[1][i]) ? "" : ` · × up ${up} = ${hidden}`;
  view.note(`neuron ${i} · ${into} ${gate} → ${through} ${passed}${times}`);
}

function draw(view, plot) {
  const [values, silu] = ["values", "curve"].map((name) => floats(view.model.get(name)));
  if (!values || !silu) return null;
  const [into, through] = ["into", "through"].map((name) => view.model.get(name));
  const [n, m] = [values.shape[1], silu.shape[1]];
  const neurons = [0, 1, 2, 3].map((k) => values.data.slice(k * n, (k + 1) * n)); // gate, up, passed, hidden
  const [gate, , passed] = neurons;
  const [xs, ys] = [silu.data.slice(0, m), silu.data.slice(m)];
  const width = clamp(view.width(), 320, 900);
  const area = areaIn(width, HEIGHT, { left: 60, right: 16, top: 14, bottom: 46 });
  const across = [xs[0], xs[m - 1]];
  const upwards = [Math.min(...ys, 0) - 0.03 * (across[1] - across[0]), Math.max(...ys) * 1.06];
  const [px, py] = [scale(across, [area.left, area.right]), scale(upwards, [area.bottom, area.top])];
  const marks = (range, most, at) => ticks(...range, most).map((v) => [at(v), minus(String(v)), v]);
  const at = (i) => [px(gate[i]), py(passed[i])];
  const points = [...xs].map((v, i) => [px(v), py(ys[i])]);
  plot.size(width, HEIGHT);
  plot.ground.replaceChildren(
    ...axisAtLeft(area, marks(upwards, 4, py), `${through}(${into})`),
    ...axisBelow(area, marks(across, 9, px), into, { lines: true }),
    curve(points, { class: "lv-curve" }),
  );
  const ctx = plot.pen({ right: width, bottom: HEIGHT });
  ctx.fillStyle = getComputedStyle(view.root).getPropertyValue("--lv-quiet"); // other colours stand for signs
  ctx.globalAlpha = 0.45;
  for (let i = 0; i < n; i++) {
    ctx.beginPath();
    ctx.arc(...at(i), 4, 0, 2 * Math.PI);
    ctx.fill();
  }
  const closed = gate.filter((v) => v < 0).length;
  view.setLegend(`each dot is a neuron: ${count(closed)} of ${count(n)} ${into}s are below zero`);
  return { n, neurons, at, order: [...gate.keys()].toSorted((a, b) => gate[a] - gate[b]) };
}
