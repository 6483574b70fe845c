// All heads at a glance: a small map (or a number) for each head, on one canvas. Columns are layers, rows are heads; heads
// that share keys and values are next to each other.

import {
  clamp,
  colorScale,
  floats,
  frame,
  h,
  inPercent,
  onKeys,
  percent,
  pixelRatio,
  plotIn,
  pointIn,
  s,
  scaleLegend,
  setAttributes,
  sizeCanvas,
  thinning,
  withUnit,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "head_grid");
  const canvas = h("canvas", {});
  const [words, picks, point] = [s("g", {}), s("g", {}), s("rect", { class: "lv-point", rx: 3 })];
  const over = s("svg", { "aria-hidden": "true" }, words, picks, point);
  const plot = plotIn(view, "all heads: left and right change the layer, up and down the head", canvas, over);
  let grid = null; // {layers, heads, rows, cols, values, cell, size, left, top, group}
  let drawn = {};

  const x = (layer) => grid.left + layer * grid.cell;
  const y = (head) => grid.top + head * grid.cell + Math.floor(head / grid.group) * SPACE;
  const SPACE = 12; // between heads that do not share keys and values
  const inUnit = (v) =>
    Number.isNaN(v)
      ? "blank"
      : model.get("kind") === "signed"
        ? withUnit((100 * v).toFixed(1), model.get("unit"))
        : percent(v);
  const ends = (scale) =>
    model.get("kind") === "signed"
      ? { ...scale, low: inUnit(-model.get("limit")), high: `+${inUnit(model.get("limit"))}` }
      : inPercent(scale, model.get("limit"));
  const single = () => grid.rows === 1 && grid.cols === 1;

  const tell = (where) => {
    if (!where || !grid) return view.note("");
    const [layer, head] = where;
    const at = layer * grid.heads + head;
    const parts = [`L${layer}·H${head}`];
    if (grid.group > 1) parts[0] += ` (key/value head ${Math.floor(head / grid.group)})`;
    if (single()) {
      const value = grid.values[at];
      parts.push(`${model.get("measure")} ${inUnit(value)}`);
    }
    const scores = floats(model.get("scores"));
    model.get("score_names").forEach((name, i) => {
      const value = scores.data[i * grid.layers * grid.heads + at];
      if (!Number.isNaN(value)) parts.push(`${name} ${percent(value)}`);
    });
    view.note(parts.join(" · "));
  };
  const select = (layer, head, act = false) => {
    if (!grid) return;
    const where = [clamp(layer, 0, grid.layers - 1), clamp(head, 0, grid.heads - 1)];
    view.set({ selected: where });
    act ? view.ask(...where) : view.follow(...where);
    const [from, seen] = [x(where[0]), view.body.scrollLeft];
    if (from < seen + grid.left || from + grid.cell > seen + view.body.clientWidth)
      view.body.scrollLeft = from - view.body.clientWidth / 2;
  };
  const headAt = (event) => {
    const [right, below] = pointIn(canvas, event);
    const layer = Math.floor(right / grid.cell);
    const down = below + grid.top;
    for (let head = 0; head < grid.heads; head++)
      if (down >= y(head) && down < y(head) + grid.cell)
        return layer >= 0 && layer < grid.layers ? [layer, head] : null;
    return null;
  };
  const frameOf = ([layer, head], grow) => ({
    x: x(layer) - grow,
    y: y(head) - grow,
    width: grid.size + 2 * grow,
    height: grid.size + 2 * grow,
  });
  const hover = (where) => {
    point.style.display = where ? "" : "none";
    if (where) setAttributes(point, frameOf(where, 1));
    tell(where ?? model.get("selected"));
  };
  plot.addEventListener("pointermove", (event) => grid && hover(headAt(event)));
  plot.addEventListener("pointerleave", () => hover(null));
  plot.addEventListener("click", (event) => {
    const where = grid && headAt(event);
    if (where) select(...where, true);
  });
  const here = () => model.get("selected") ?? [0, 0];
  const move = (layers, heads) => () =>
    model.get("selected") ? select(here()[0] + layers, here()[1] + heads) : select(0, 0);
  onKeys(plot, {
    ArrowLeft: move(-1, 0),
    ArrowRight: move(1, 0),
    ArrowUp: move(0, -1),
    ArrowDown: move(0, 1),
    Home: () => select(0, here()[1]),
    End: () => select(grid.layers - 1, here()[1]),
    PageUp: () => select(here()[0], 0),
    PageDown: () => select(here()[0], grid.heads - 1),
    Enter: () => select(...here(), true),
  });

  function plan(values) {
    const [layers, heads, rows, cols] = values.shape;
    const left = model.get("group") > 1 ? 74 : 44;
    const cell = clamp(Math.floor((view.width() - left - 6) / layers), 13, rows === 1 ? 40 : 72);
    return {
      layers,
      heads,
      rows,
      cols,
      values: values.data,
      left,
      top: 46,
      cell,
      size: cell - (cell >= 20 ? 3 : 2),
      group: model.get("group"),
    };
  }

  /** Every number becomes one pixel of one picture, and every head's part of it is drawn at its place. */
  function paint(scale) {
    const { layers, heads, rows, cols, values, cell, size } = grid;
    const image = new ImageData(layers * cols, heads * rows);
    const pixels = new Uint32Array(image.data.buffer);
    const table = Uint32Array.from(scale.table, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
    let from = 0;
    for (let layer = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++)
        for (let r = 0; r < rows; r++) {
          let to = (head * rows + r) * layers * cols + layer * cols;
          for (let c = 0; c < cols; c++, from++, to++) {
            const v = values[from];
            if (v === v) pixels[to] = table[scale.index(v)]; // NaN stays transparent
          }
        }
    const small = new OffscreenCanvas(layers * cols, heads * rows);
    small.getContext("2d").putImageData(image, 0, 0);
    const ctx = sizeCanvas(canvas, layers * cell, y(heads - 1) + cell - grid.top);
    Object.assign(canvas.style, { left: `${grid.left}px`, top: `${grid.top}px` });
    ctx.imageSmoothingEnabled = cols > size * pixelRatio();
    ctx.fillStyle = getComputedStyle(view.root).getPropertyValue("--lv-page");
    for (let layer = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++) {
        const [px, py] = [layer * cell, y(head) - grid.top];
        ctx.fillRect(px, py, size, size);
        ctx.drawImage(small, layer * cols, head * rows, cols, rows, px, py, size, size);
      }
  }

  function write() {
    const { layers, heads, cell, size, left, top, group } = grid;
    const every = thinning(cell, 26);
    const out = [
      s("text", { x: left, y: 14, class: "lv-quiet" }, "layer →"),
      s("text", { x: left - 10, y: top - 8, "text-anchor": "end", class: "lv-quiet" }, "head ↓"),
    ];
    for (let layer = 0; layer < layers; layer += every)
      out.push(
        s("text", { x: x(layer) + size / 2, y: top - 8, "text-anchor": "middle", class: "lv-quiet" }, String(layer)),
      );
    for (let head = 0; head < heads; head++)
      if (cell >= 16 || head % 2 === 0)
        out.push(
          s("text", { x: left - 10, y: y(head) + size / 2 + 5, "text-anchor": "end", class: "lv-quiet" }, String(head)),
        );
    for (let first = 0; first < heads && grid.group > 1; first += group) {
      const [from, to] = [y(first), y(Math.min(first + group, heads) - 1) + size];
      out.push(
        s("path", { d: `M 34 ${from} H 28 V ${to} H 34`, class: "lv-bracket" }),
        s(
          "text",
          {
            x: 0,
            y: 0,
            "text-anchor": "middle",
            class: "lv-quiet",
            transform: `translate(18 ${(from + to) / 2}) rotate(-90)`,
          },
          `k, v ${first / group}`,
        ),
      );
    }
    words.replaceChildren(...out);
  }

  return view.start(() => {
    const raw = model.get("values");
    const now = {
      raw,
      theme: view.theme,
      width: view.width(),
      ratio: pixelRatio(),
      limit: model.get("limit"),
      kind: model.get("kind"),
      group: model.get("group"),
    };
    if (Object.keys(now).some((key) => now[key] !== drawn[key])) {
      drawn = now;
      const values = floats(raw);
      grid = values && values.data.length ? plan(values) : null;
      plot.hidden = !grid;
      if (!grid) {
        view.setLegend(h("span", {}, "no heads yet"));
        return view.note("");
      }
      const scale = colorScale(now.kind, view.theme, now.limit);
      paint(scale);
      write();
      const size = { width: grid.left + grid.layers * grid.cell + 4, height: y(grid.heads - 1) + grid.cell + 4 };
      for (const [key, value] of Object.entries(size)) {
        over.setAttribute(key, value);
        plot.style[key] = `${value}px`;
      }
      view.setLegend(
        scaleLegend(ends(scale), model.get("measure")),
        ...(single() ? [] : [h("span", {}, "each map: from ↓, to →; blank: masked")]),
        ...(grid.group > 1 ? [h("span", {}, "bracket: heads that share keys and values")] : []),
      );
    }
    if (!grid) return;
    const inside = ([layer, head]) => layer < grid.layers && head < grid.heads;
    const selected = model.get("selected");
    picks.replaceChildren(
      ...model
        .get("chosen")
        .filter(inside)
        .map((where) => s("rect", { class: "lv-chosen", rx: 3, ...frameOf(where, 2) })),
      ...(selected && inside(selected) ? [s("rect", { class: "lv-pick", rx: 4, ...frameOf(selected, 2) })] : []),
    );
    hover(null);
  });
}
