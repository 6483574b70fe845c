// Numbers over the layers: lines or bars, with a linear or a logarithmic scale. Each line has its own dash, each bar its
// own edge, so that no colour is needed to tell them apart. A click or the arrow keys choose a layer.

const DASHES = ["", "9 5", "2 4", "12 4 2 4", "5 3", "1 3"];

function render({ model, el }) {
  const view = frame(model, el, "layer_plot");
  const [grid, marks, cursor] = [s("g", {}), s("g", {}), s("g", {})];
  const svg = s("svg", { "aria-hidden": "true" }, grid, marks, cursor);
  const plot = h("div", { class: "lv-plot", role: "application", tabindex: "0", "aria-label": "numbers over the layers: left and right choose a layer" }, svg);
  view.body.append(plot);
  const HEIGHT = 290;
  const space = { left: 78, right: 16, top: 12, bottom: 46 };
  let shown = null;

  const value = (v) => (Number.isNaN(v) ? "none" : model.get("unit") === "share" ? percent(v) : model.get("unit") === "rank" ? count(Math.round(v)) : number(v));
  const tell = (at) => {
    cursor.replaceChildren();
    if (at === null || at === undefined || !shown || at >= shown.n) return view.note("");
    const names = model.get("names");
    view.note([model.get("labels")[at], ...names.map((name, k) => `${name}: ${value(shown.y(k, at))}`)].join(" · "));
    cursor.append(s("line", { x1: shown.px(at), x2: shown.px(at), y1: space.top, y2: HEIGHT - space.bottom, class: "lv-cursor" }));
  };
  const move = (to) => { if (shown) view.set({ selected: clamp(to, 0, shown.n - 1) }); };
  const nearest = (event) => Math.round(clamp(shown.at(event.clientX - plot.getBoundingClientRect().left), 0, shown.n - 1));
  plot.addEventListener("pointermove", (event) => shown && tell(nearest(event)));
  plot.addEventListener("pointerleave", () => tell(model.get("selected")));
  plot.addEventListener("click", (event) => shown && move(nearest(event)));
  const step = (by) => () => move((model.get("selected") ?? (by > 0 ? -1 : 1)) + by);
  onKeys(plot, { ArrowRight: step(1), ArrowLeft: step(-1), Home: () => move(0), End: () => move(1e9) });

  function linear(lo, hi) {
    const rough = (hi - lo) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const by = [1, 2, 5, 10].find((k) => k * power >= rough) * power;
    const from = Math.ceil(lo / by - 1e-9);
    return Array.from({ length: Math.floor(hi / by + 1e-9) - from + 1 }, (_, i) => (i + from) * by);
  }
  const powers = (lo, hi) => {
    const from = Math.ceil(Math.log10(lo) - 1e-9);
    const all = Array.from({ length: Math.max(0, Math.floor(Math.log10(hi) + 1e-9) - from + 1) }, (_, i) => 10 ** (i + from));
    return all.length ? all : [lo, hi];
  };

  return view.start(() => {
    const values = floats(model.get("values"));
    const names = model.get("names");
    const labels = model.get("labels");
    const width = Math.max(320, view.width());
    svg.setAttribute("width", width);
    svg.setAttribute("height", HEIGHT);
    Object.assign(plot.style, { width: `${width}px`, height: `${HEIGHT}px` });
    if (!values || !values.data.length || values.shape[1] !== labels.length) {
      shown = null;
      grid.replaceChildren(s("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle", class: "lv-quiet" }, "nothing measured yet"));
      marks.replaceChildren();
      view.legend.replaceChildren();
      return tell(null);
    }
    const n = labels.length;
    const [log, bars, down] = [model.get("log_y"), model.get("bars"), model.get("down")];
    const y = (k, i) => values.data[k * n + i];
    let [lo, hi] = [Infinity, -Infinity];
    for (const v of values.data) if (Number.isFinite(v) && (!log || v > 0)) { if (v < lo) lo = v; if (v > hi) hi = v; }
    if (!(hi >= lo)) [lo, hi] = [log ? 1 : 0, 1];
    if (log) [lo, hi] = [lo / 1.15, hi * 1.15];
    else {
      [lo, hi] = [Math.min(lo, 0), Math.max(hi, 0)];
      const room = 0.05 * (hi - lo || 1);
      [lo, hi] = [lo < 0 ? lo - room : lo, hi + room];
    }
    const inner = width - space.left - space.right;
    const slot = inner / n;
    const px = (i) => space.left + slot * (i + 0.5);
    const t = (v) => (log ? Math.log(Math.max(v, lo) / lo) / Math.log(hi / lo) : (v - lo) / (hi - lo));
    const py = (v) => { const u = clamp(t(v)) * (HEIGHT - space.top - space.bottom); return down ? space.top + u : HEIGHT - space.bottom - u; };
    shown = { n, y, px, at: (x) => (x - space.left) / slot - 0.5 };
    const every = thinning(slot, widest(view, labels.map((label) => label.replace(/^layer /, "")), 14, "ui") + 10);
    const unit = model.get("unit");
    const tick = (v) => (unit === "share" ? `${Number((100 * v).toPrecision(3))} %` : v >= 1000 ? count(v) : minus(String(Number(v.toPrecision(6)))));
    grid.replaceChildren(
      ...(log ? powers(lo, hi) : linear(lo, hi)).flatMap((v) => [
        s("line", { x1: space.left, x2: width - space.right, y1: py(v), y2: py(v), class: v === 0 ? "lv-zero" : "lv-gridline" }),
        s("text", { x: space.left - 9, y: py(v) + 5, "text-anchor": "end", class: "lv-quiet" }, tick(v)),
      ]),
      ...labels.flatMap((label, i) => (i % every ? [] : [s("text", { x: px(i), y: HEIGHT - space.bottom + 19, "text-anchor": "middle", class: "lv-quiet" }, label.replace(/^layer /, ""))])),
      s("text", { x: space.left + inner / 2, y: HEIGHT - 6, "text-anchor": "middle", class: "lv-quiet" }, model.get("x_axis")),
      s("text", { x: 15, y: (space.top + HEIGHT - space.bottom) / 2, "text-anchor": "middle", class: "lv-quiet", transform: `rotate(-90 15 ${(space.top + HEIGHT - space.bottom) / 2})` }, model.get("y_axis") + (log ? " (log)" : "")),
    );
    if (bars) {
      const w = Math.max(1.5, (slot * 0.84) / names.length);
      marks.replaceChildren(...names.flatMap((_, k) => labels.flatMap((__, i) => {
        const v = y(k, i);
        if (!Number.isFinite(v)) return [];
        const [a, b] = [py(v), py(0)];
        return [s("rect", { x: px(i) - slot * 0.42 + k * w, y: Math.min(a, b), width: w - 0.5, height: Math.max(0.5, Math.abs(a - b)), class: `lv-column lv-series-${k % 6}` })];
      })));
    } else
      marks.replaceChildren(...names.map((_, k) => {
        let [d, pen] = ["", "M"];
        for (let i = 0; i < n; i++) {
          if (!Number.isFinite(y(k, i))) { pen = "M"; continue; }
          d += `${pen}${px(i).toFixed(1)} ${py(y(k, i)).toFixed(1)}`;
          pen = "L";
        }
        return s("path", { d, class: `lv-track lv-series-${k % 6}`, "stroke-dasharray": DASHES[k % 6] || null });
      }));
    view.legend.replaceChildren(...names.map((name, k) => h("span", { class: "lv-key" },
      s("svg", { width: 34, height: 12, "aria-hidden": "true" }, bars
        ? s("rect", { x: 8, y: 0, width: 14, height: 12, class: `lv-column lv-series-${k % 6}` })
        : s("path", { d: "M1 6L33 6", class: `lv-track lv-series-${k % 6}`, "stroke-dasharray": DASHES[k % 6] || null })), name)));
    tell(model.get("selected"));
  });
}

export default { render };
