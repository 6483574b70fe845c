// The curve of silu with every neuron of one token on it: across, what its gate says; up, what the gate lets pass.

import { axisAtLeft, axisBelow } from "./kit/axes.js";
import { sizeCanvas, stampDots } from "./kit/canvas.js";
import { frame } from "./kit/frame.js";
import { curve, dot } from "./kit/marks.js";
import { clamp, count, floats, minus, number } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { scale, ticks } from "./kit/scales.js";
import { nearest, selectIn, stepKeys } from "./kit/selection.js";

const HEIGHT = 260;

export function render({ model, el }) {
  const view = frame(model, el, "silu_curve");
  const plot = createPlot(view, "neurons on the curve: left and right go to the next gate value", { canvas: true });
  let neurons = null; // {gate, up, passed, hidden}, where they are drawn: px, py, and their order by gate
  const selected = () => {
    const i = model.get("selected");
    return neurons && i !== null && i < neurons.gate.length ? i : null;
  };
  const show = (i) => tell(view, neurons, i ?? selected());
  const select = (i) => view.set({ selected: i });
  selectIn(plot, {
    under: (x, y) =>
      neurons &&
      nearest(
        neurons.gate.length,
        (i) => Math.hypot(neurons.px(neurons.gate[i]) - x, neurons.py(neurons.passed[i]) - y),
        30,
      ),
    show,
    pick: select,
    keys: stepKeys({
      n: () => neurons?.gate.length ?? 0,
      current: () => (selected() === null ? null : neurons.order.indexOf(selected())),
      select: (at) => select(neurons.order[at]),
      page: 50,
    }),
  });
  return view.start(() => {
    const [values, silu] = ["values", "curve"].map((name) => floats(model.get(name)));
    if (!values || !silu) return;
    if (view.changed("values", "curve")) neurons = draw(view, plot, values, silu);
    const i = selected();
    plot.picks.replaceChildren(
      ...(i === null ? [] : [dot(neurons.px(neurons.gate[i]), neurons.py(neurons.passed[i]), 8, { class: "lv-ring" })]),
    );
    show(null);
  });
}

function tell(view, neurons, i) {
  if (i === null) return view.note("");
  const [gate, passed, up, hidden] = ["gate", "passed", "up", "hidden"].map((name) => number(neurons[name][i]));
  const [into, through] = ["into", "through"].map((name) => view.model.get(name));
  const times = Number.isNaN(neurons.up[i]) ? "" : ` · × up ${up} = ${hidden}`;
  view.note(`neuron ${i} · ${into} ${gate} → ${through} ${passed}${times}`);
}

function draw(view, plot, values, silu) {
  const [n, m] = [values.shape[1], silu.shape[1]];
  const [gate, up, passed, hidden] = [0, 1, 2, 3].map((k) => values.data.slice(k * n, (k + 1) * n));
  const [xs, ys] = [silu.data.slice(0, m), silu.data.slice(m)];
  const width = clamp(view.width(), 320, 900);
  const area = areaIn(width, HEIGHT, { left: 60, right: 16, top: 14, bottom: 46 });
  const [left, right] = [xs[0], xs[m - 1]];
  const [low, high] = [Math.min(...ys, 0) - 0.03 * (right - left), Math.max(...ys) * 1.06];
  const [px, py] = [scale([left, right], [area.left, area.right]), scale([low, high], [area.bottom, area.top])];
  const marks = (lo, hi, most, at) => ticks(lo, hi, most).map((v) => [at(v), minus(String(v)), v]);
  plot.size(width, HEIGHT);
  plot.ground.replaceChildren(
    ...axisAtLeft(area, marks(low, high, 4, py), `${view.model.get("through")}(${view.model.get("into")})`),
    ...axisBelow(area, marks(left, right, 9, px), view.model.get("into"), { lines: true }),
    curve(
      [...xs].map((v, i) => [px(v), py(ys[i])]),
      { class: "lv-curve" },
    ),
  );
  const ctx = sizeCanvas(plot.canvas, width, HEIGHT);
  stampDots(
    view,
    ctx,
    [...gate].map((v, i) => [px(v), py(passed[i])]),
  );
  const closed = gate.reduce((k, v) => k + (v < 0), 0);
  view.setLegend(`each dot is a neuron: ${count(closed)} of ${count(n)} ${view.model.get("into")}s are below zero`);
  return { gate, up, passed, hidden, px, py, order: [...gate.keys()].toSorted((a, b) => gate[a] - gate[b]) };
}
