// Lines over one axis, above and below zero; one dash a line, so that no colour is needed to tell them apart.
// A click or the arrow keys move the cursor, which Python hears of.

const DASHES = ["", "9 5", "2 4", "12 4 2 4"];

function render({ model, el }) {
  const view = frame(model, el, "lines");
  const [grid, paths, cursor] = [s("g", {}), s("g", {}), s("g", {})];
  const svg = s("svg", { "aria-hidden": "true" }, grid, paths, cursor);
  const plot = h("div", { class: "lv-plot", role: "application", tabindex: "0", "aria-label": "lines: left and right move along the axis" }, svg);
  view.body.append(plot);
  const HEIGHT = 310;
  const space = { left: 66, right: 20, top: 12, bottom: 48 };
  let shown = null;

  const tell = (at) => {
    cursor.replaceChildren();
    if (at === null || !shown || at < 0 || at >= shown.x.length) return view.note("");
    const unit = model.get("unit");
    const parts = [`${model.get("x_axis")} ${count(shown.x[at])}`];
    model.get("names").forEach((name, k) => { const v = shown.y(k, at); if (Number.isFinite(v)) parts.push(`${name}: ${number(v)}${unit ? ` ${unit}` : ""}`); });
    view.note(parts.join(" · "));
    const px = shown.px(shown.x[at]);
    cursor.append(s("line", { x1: px, x2: px, y1: space.top, y2: HEIGHT - space.bottom, class: "lv-cursor" }));
    model.get("names").forEach((_, k) => {
      const v = shown.y(k, at);
      if (Number.isFinite(v)) cursor.append(s("circle", { cx: px, cy: shown.py(v), r: 4.6, class: `lv-line-dot lv-line-${k % 4}` }));
    });
  };
  const move = (to) => { if (shown?.x.length) view.set({ cursor: clamp(to, 0, shown.x.length - 1) }); };
  const nearest = (event) => {
    if (!shown?.x.length) return null;
    const px = event.clientX - plot.getBoundingClientRect().left;
    let best = 0;
    shown.x.forEach((v, i) => { if (Math.abs(shown.px(v) - px) < Math.abs(shown.px(shown.x[best]) - px)) best = i; });
    return best;
  };
  plot.addEventListener("pointermove", (event) => tell(nearest(event)));
  plot.addEventListener("pointerleave", () => tell(model.get("cursor")));
  plot.addEventListener("click", (event) => { const to = nearest(event); if (to !== null) move(to); });
  const step = (by) => () => move((model.get("cursor") ?? (by > 0 ? -1 : 1)) + by);
  onKeys(plot, { ArrowRight: step(1), ArrowLeft: step(-1), PageDown: step(100), PageUp: step(-100), Home: () => move(0), End: () => move(1e9) });

  /** Round steps (1, 2 or 5 times a power of ten) that cover lo to hi. */
  function ticks(lo, hi) {
    const rough = (hi - lo) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const by = [1, 2, 5, 10].find((k) => k * power >= rough) * power;
    const from = Math.ceil(lo / by - 1e-9);
    return Array.from({ length: Math.floor(hi / by + 1e-9) - from + 1 }, (_, i) => (i + from) * by);
  }
  const logTicks = (hi) => [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000].filter((v) => v <= hi);

  return view.start(() => {
    const [xs, values] = [floats(model.get("x")), floats(model.get("values"))];
    const names = model.get("names");
    const width = Math.max(320, view.width());
    svg.setAttribute("width", width);
    svg.setAttribute("height", HEIGHT);
    Object.assign(plot.style, { width: `${width}px`, height: `${HEIGHT}px` });
    if (!xs || !values || !xs.data.length || values.shape[1] !== xs.data.length) {
      shown = null;
      grid.replaceChildren(s("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle", class: "lv-quiet" }, model.get("waiting")));
      paths.replaceChildren();
      view.legend.replaceChildren();
      return tell(null);
    }
    const x = [...xs.data];
    const y = (k, i) => values.data[k * x.length + i];
    let [lo, hi] = [model.get("y_min") ?? Infinity, model.get("y_max") ?? -Infinity];
    for (const v of values.data) if (Number.isFinite(v)) { if (v < lo) lo = v; if (v > hi) hi = v; }
    if (!(hi > lo)) [lo, hi] = [Math.min(lo, 0) || 0, Math.max(hi, 0) || 1];
    const room = 0.05 * (hi - lo);
    [lo, hi] = [lo - (lo === 0 ? 0 : room), hi + room];
    const onAxis = model.get("log_x") ? (v) => Math.log1p(v - x[0]) : (v) => v - x[0];
    const last = onAxis(x.at(-1)) || 1;
    const px = (v) => space.left + (onAxis(v) / last) * (width - space.left - space.right);
    const py = (v) => HEIGHT - space.bottom - ((v - lo) / (hi - lo)) * (HEIGHT - space.top - space.bottom);
    shown = { x, y, px, py };
    const marks = model.get("x_ticks").length ? model.get("x_ticks") : model.get("log_x") ? logTicks(x.at(-1)) : ticks(x[0], x.at(-1));
    let free = -1e9; // where the last label ended
    const labels = [];
    for (const v of marks) {
      const text = minus(count(v));
      const half = 4.2 * text.length + 5;
      if (px(v) - half < free) continue;
      free = px(v) + half;
      labels.push(s("text", { x: px(v), y: HEIGHT - space.bottom + 19, "text-anchor": "middle", class: "lv-quiet" }, text));
    }
    grid.replaceChildren(
      ...ticks(lo, hi).flatMap((v) => [
        s("line", { x1: space.left, x2: width - space.right, y1: py(v), y2: py(v), class: v === 0 ? "lv-zero" : "lv-gridline" }),
        s("text", { x: space.left - 9, y: py(v) + 5, "text-anchor": "end", class: "lv-quiet" }, minus(String(Number(v.toPrecision(6))))),
      ]),
      ...labels,
      s("text", { x: (space.left + width - space.right) / 2, y: HEIGHT - 6, "text-anchor": "middle", class: "lv-quiet" }, model.get("x_axis") + (model.get("log_x") ? " (each step of the axis multiplies)" : "")),
      s("text", { x: 15, y: (space.top + HEIGHT - space.bottom) / 2, "text-anchor": "middle", class: "lv-quiet", transform: `rotate(-90 15 ${(space.top + HEIGHT - space.bottom) / 2})` }, model.get("y_axis")),
    );
    // Where many points share a few pixels, the line is their mean and a band shows how far they reach.
    const runs = [];
    for (let i = 0; i < x.length; ) {
      let end = i + 1;
      while (end < x.length && px(x[end]) - px(x[i]) < 6) end++;
      if (end - i < 5) end = i + 1;
      runs.push([i, end]);
      i = end;
    }
    const crowded = runs.some(([from, to]) => to - from > 1);
    paths.replaceChildren(
      ...names.flatMap((_, k) => {
        let [d, pen] = ["", "M"];
        const [upper, lower] = [[], []];
        for (const [from, to] of runs) {
          const some = Array.from({ length: to - from }, (_, j) => y(k, from + j)).filter(Number.isFinite);
          if (!some.length) { pen = "M"; continue; }
          const mean = some.reduce((a, b) => a + b) / some.length;
          const at = (px(x[from]) + px(x[to - 1])) / 2;
          d += `${pen}${at.toFixed(1)} ${py(mean).toFixed(1)}`;
          pen = "L";
          if (!crowded) continue;
          upper.push(`${at.toFixed(1)} ${py(Math.max(...some)).toFixed(1)}`);
          lower.unshift(`${at.toFixed(1)} ${py(Math.min(...some)).toFixed(1)}`);
        }
        return [
          crowded ? s("path", { d: `M${[...upper, ...lower].join("L")}Z`, class: `lv-line-band lv-line-band-${k % 4}` }) : null,
          s("path", { d, class: `lv-line-path lv-line-${k % 4}`, "stroke-dasharray": DASHES[k % 4] || null }),
        ];
      }).filter(Boolean),
      ...(x.length <= 12 ? names.flatMap((_, k) => x.flatMap((v, i) => (Number.isFinite(y(k, i)) ? [s("circle", { cx: px(v), cy: py(y(k, i)), r: 4, class: `lv-line-dot lv-line-${k % 4}` })] : []))) : []),
    );
    view.legend.replaceChildren(...names.map((name, k) => h("span", { class: "lv-key" },
      s("svg", { width: 34, height: 12, "aria-hidden": "true" }, s("path", { d: "M1 6L33 6", class: `lv-line-path lv-line-${k % 4}`, "stroke-dasharray": DASHES[k % 4] || null })), name)),
      ...(crowded ? [h("span", {}, "where points crowd: line = their mean, band = from lowest to highest")] : []));
    tell(model.get("cursor"));
  });
}

export default { render };
