// The curve of silu with every neuron of one token on it: across, what its gate says; up, what the gate lets pass.

import {
  clamp,
  count,
  floats,
  frame,
  h,
  minus,
  number,
  onKeys,
  onPointer,
  pixelRatio,
  plotIn,
  pointIn,
  s,
  setAttributes,
  sizeCanvas,
  sizePlot,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "silu_curve");
  const canvas = h("canvas", { "aria-hidden": "true" });
  const ring = s("circle", { r: 8, class: "lv-ring" });
  const over = s("svg", { "aria-hidden": "true" }, ring);
  const plot = plotIn(view, "neurons on the curve: left and right go to the next gate value", canvas, over);
  const HEIGHT = 260;
  const space = { left: 60, right: 16, top: 14, bottom: 46 };
  let shown = null;

  /** Ring the chosen neuron: nothing else is drawn again for that. */
  const mark = (i) => {
    const there = i !== null && i !== undefined && i < shown.gate.length;
    ring.style.display = there ? "" : "none";
    if (there) setAttributes(ring, { cx: shown.px(shown.gate[i]), cy: shown.py(shown.passed[i]) });
    tell(i);
  };

  const tell = (i) => {
    if (i === null || i === undefined || !shown || i >= shown.gate.length) return view.note("");
    const [gate, passed] = [shown.gate[i], shown.passed[i]];
    view.note(
      `neuron ${i} · gate ${number(gate)} → silu ${number(passed)} · × up ${number(shown.up[i])} = ${number(shown.hidden[i])}`,
    );
  };
  const nearest = (event) => {
    if (!shown) return null;
    const [x, y] = pointIn(canvas, event);
    let [best, distance] = [null, 900];
    for (let i = 0; i < shown.gate.length; i++) {
      const d = (shown.px(shown.gate[i]) - x) ** 2 + (shown.py(shown.passed[i]) - y) ** 2;
      if (d < distance) [best, distance] = [i, d];
    }
    return best;
  };
  const select = (i) => view.set({ selected: i });
  onPointer(plot, nearest, (i) => tell(i ?? model.get("selected")), select);
  const step = (to) => () => {
    if (!shown) return;
    shown.order ??= [...shown.gate.keys()].toSorted((a, b) => shown.gate[a] - shown.gate[b]);
    const at = shown.order.indexOf(model.get("selected"));
    select(shown.order[clamp(to(at), 0, shown.order.length - 1)]);
  };
  onKeys(plot, {
    ArrowRight: step((at) => at + 1),
    ArrowLeft: step((at) => (at < 0 ? shown.order.length : at) - 1),
    PageDown: step((at) => at + 50),
    PageUp: step((at) => at - 50),
    Home: step(() => 0),
    End: step(() => 1e9),
  });

  return view.start(() => {
    const [values, curve] = ["values", "curve"].map((name) => floats(model.get(name)));
    if (!values || !curve) return;
    if (view.changed("values", "curve")) paint(values, curve);
    mark(model.get("selected"));
  });

  function paint(data, curve) {
    const n = data.shape[1];
    const [gate, up, passed, hidden] = [0, 1, 2, 3].map((k) => data.data.slice(k * n, (k + 1) * n));
    const m = curve.shape[1];
    const [cx, cy] = [curve.data.slice(0, m), curve.data.slice(m)];
    const width = Math.max(320, Math.min(900, view.width()));
    sizePlot(plot, width, HEIGHT);
    const ctx = sizeCanvas(canvas, width, HEIGHT);
    const css = getComputedStyle(view.root);
    const color = (name) => css.getPropertyValue(`--lv-${name}`).trim();
    const [x0, x1] = [cx[0], cx[m - 1]];
    const [y0, y1] = [Math.min(...cy, 0) - 0.03 * (x1 - x0), Math.max(...cy) * 1.06];
    const px = (v) => space.left + ((v - x0) / (x1 - x0)) * (width - space.left - space.right);
    const py = (v) => HEIGHT - space.bottom - ((v - y0) / (y1 - y0)) * (HEIGHT - space.top - space.bottom);
    shown = { gate, up, passed, hidden, px, py, order: null };
    const line = (x, y, X, Y) => {
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(X, Y);
      ctx.stroke();
    };
    ctx.font = `14px ${css.getPropertyValue("--lv-font-ui")}`;
    ctx.fillStyle = color("quiet");
    ctx.lineWidth = 1;
    const tick = [0.25, 0.5, 1, 2, 5, 10, 20, 50].find((k) => (x1 - x0) / k <= 9) ?? 100;
    for (let v = Math.ceil(x0 / tick) * tick; v <= x1; v += tick) {
      ctx.strokeStyle = v === 0 ? color("quiet") : color("line");
      line(px(v), space.top, px(v), HEIGHT - space.bottom);
      ctx.textAlign = "center";
      ctx.fillText(minus(String(v)), px(v), HEIGHT - space.bottom + 18);
    }
    for (let v = Math.ceil(y0 / tick) * tick; v <= y1; v += tick) {
      ctx.strokeStyle = v === 0 ? color("quiet") : color("line");
      line(space.left, py(v), width - space.right, py(v));
      ctx.textAlign = "right";
      ctx.fillText(minus(String(v)), space.left - 8, py(v) + 5);
    }
    ctx.textAlign = "center";
    ctx.fillText("gate", (space.left + width - space.right) / 2, HEIGHT - 8);
    ctx.save();
    ctx.translate(16, HEIGHT / 2 - 14);
    ctx.rotate(-Math.PI / 2);
    ctx.fillText("silu(gate)", 0, 0);
    ctx.restore();
    ctx.strokeStyle = color("ink");
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    cx.forEach((v, i) => ctx.lineTo(px(v), py(cy[i])));
    ctx.stroke();
    const [dot, size] = [new OffscreenCanvas(9 * pixelRatio(), 9 * pixelRatio()), 9]; // drawn once, stamped 1,536 times
    const pen = dot.getContext("2d");
    pen.scale(pixelRatio(), pixelRatio());
    pen.fillStyle = color("quiet"); // the stripes give other colours to signs
    pen.globalAlpha = 0.45;
    pen.arc(size / 2, size / 2, 4, 0, 7);
    pen.fill();
    for (let i = 0; i < n; i++) ctx.drawImage(dot, px(gate[i]) - size / 2, py(passed[i]) - size / 2, size, size);
    const closed = gate.reduce((k, v) => k + (v < 0), 0);
    view.setLegend(`each dot is a neuron: ${count(closed)} of ${count(n)} gates are below zero`);
  }
}
