// Lines over a shared axis: one a series, each with its own dash, so that no colour is needed to tell them apart.

const DASHES = ["", "9 5", "2 4", "12 4 2 4"];

function render({ model, el }) {
  const view = frame(model, el, "curves");
  const [grid, lines, cursor] = [s("g", {}), s("g", {}), s("g", {})];
  const svg = s("svg", { "aria-hidden": "true" }, grid, lines, cursor);
  const plot = h("div", { class: "lv-plot", role: "application", tabindex: "0", "aria-label": "curves: left and right move along the axis" }, svg);
  view.body.append(plot);
  const HEIGHT = 290;
  const space = { left: 74, right: 16, top: 12, bottom: 46 };
  let at = null; // the index that the readout is about
  let shown = null;

  const xLabel = (i) => (model.get("x_pieces").length ? `${quoted(model.get("x_pieces")[i])} (position ${shown.x[i]})` : `${model.get("x_axis")} ${count(shown.x[i])}`);
  const value = (v) => (Number.isNaN(v) ? "none" : model.get("unit") === "probability" ? percent(v) : `${number(v)} ${model.get("unit")}`);
  const tell = () => {
    cursor.replaceChildren();
    if (at === null || !shown || at >= shown.x.length) return view.note("");
    const names = model.get("names");
    view.note([xLabel(at), ...names.map((name, k) => `${name}: ${value(shown.y(k, at))}`)].join(" · "));
    const px = shown.px(shown.x[at]);
    cursor.append(s("line", { x1: px, x2: px, y1: space.top, y2: HEIGHT - space.bottom, class: "lv-cursor" }));
    names.forEach((_, k) => {
      const v = shown.y(k, at);
      if (Number.isFinite(v)) cursor.append(s("circle", { cx: px, cy: shown.py(v), r: 4.5, class: `lv-curve-dot lv-curve-${k}` }));
    });
  };
  const move = (to) => { if (shown) { at = clamp(to, 0, shown.x.length - 1); tell(); } };
  plot.addEventListener("pointermove", (event) => {
    if (!shown?.x.length) return;
    const px = event.clientX - plot.getBoundingClientRect().left;
    let best = 0;
    shown.x.forEach((v, i) => { if (Math.abs(shown.px(v) - px) < Math.abs(shown.px(shown.x[best]) - px)) best = i; });
    move(best);
  });
  plot.addEventListener("pointerleave", () => { at = null; tell(); });
  onKeys(plot, { ArrowRight: () => move((at ?? -1) + 1), ArrowLeft: () => move((at ?? 1) - 1), Home: () => move(0), End: () => move(1e9) });

  /** Round steps (1, 2 or 5 times a power of ten) from 0 to the largest value. */
  function ticks(limit) {
    const rough = limit / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const by = [1, 2, 5, 10].find((k) => k * power >= rough) * power;
    return Array.from({ length: Math.floor(limit / by + 1e-9) + 1 }, (_, i) => i * by);
  }

  return view.start(() => {
    const [xs, values] = [floats(model.get("x")), floats(model.get("values"))];
    const names = model.get("names");
    const width = Math.max(320, view.width());
    svg.setAttribute("width", width);
    svg.setAttribute("height", HEIGHT);
    Object.assign(plot.style, { width: `${width}px`, height: `${HEIGHT}px` });
    if (!xs || !values || !xs.data.length) {
      shown = null;
      grid.replaceChildren(s("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle", class: "lv-quiet" }, model.get("waiting")));
      lines.replaceChildren();
      view.legend.replaceChildren();
      return tell();
    }
    const x = [...xs.data];
    const y = (k, i) => values.data[k * x.length + i];
    const top = model.get("y_max") || values.data.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, v) : m), 0) * 1.05 || 1;
    const [x0, x1] = [x[0], x.at(-1) === x[0] ? x[0] + 1 : x.at(-1)];
    const px = (v) => space.left + ((v - x0) / (x1 - x0)) * (width - space.left - space.right);
    const py = (v) => HEIGHT - space.bottom - clamp(v / top) * (HEIGHT - space.top - space.bottom);
    shown = { x, y, px, py };
    const unit = model.get("unit");
    const tick = (v) => (unit === "probability" ? `${Number((100 * v).toPrecision(3))} %` : count(Number(v.toPrecision(3))));
    const marks = model.get("marks");
    const xs_ = model.get("x_ticks").length ? model.get("x_ticks") : ticks(x1 - x0).map((v) => v + x0);
    grid.replaceChildren(
      ...ticks(top).flatMap((v) => [
        s("line", { x1: space.left, x2: width - space.right, y1: py(v), y2: py(v), class: "lv-gridline" }),
        s("text", { x: space.left - 9, y: py(v) + 5, "text-anchor": "end", class: "lv-quiet" }, tick(v)),
      ]),
      ...xs_.map((v) => s("text", { x: px(v), y: HEIGHT - space.bottom + 19, "text-anchor": "middle", class: "lv-quiet" }, count(v))),
      s("text", { x: (space.left + width - space.right) / 2, y: HEIGHT - 6, "text-anchor": "middle", class: "lv-quiet" }, model.get("x_axis")),
      ...marks.flatMap(([where, text]) => [
        s("line", { x1: px(where), x2: px(where), y1: space.top, y2: HEIGHT - space.bottom, class: "lv-markline" }),
        s("text", { x: px(where) + 7, y: space.top + 13, class: "lv-quiet" }, text),
      ]),
    );
    lines.replaceChildren(...names.map((_, k) => {
      let d = "";
      let pen = "M";
      x.forEach((v, i) => {
        if (!Number.isFinite(y(k, i))) { pen = "M"; return; }
        d += `${pen}${px(v).toFixed(1)} ${py(y(k, i)).toFixed(1)}`;
        pen = "L";
      });
      return s("path", { d, class: `lv-curve lv-curve-${k}`, "stroke-dasharray": DASHES[k % 4] || null });
    }));
    view.legend.replaceChildren(...names.map((name, k) => h("span", { class: "lv-key" },
      s("svg", { width: 34, height: 12, class: "lv-key-line", "aria-hidden": "true" }, s("path", { d: "M1 6L33 6", class: `lv-curve lv-curve-${k}`, "stroke-dasharray": DASHES[k % 4] || null })), ` ${name}`)));
    if (at !== null && at >= x.length) at = null;
    tell();
  });
}

export default { render };
