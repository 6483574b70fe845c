// Vectors as stripes of colour, a line of cells for each; a long vector is broken over several lines.

import {
  axisText,
  clamp,
  colorScale,
  count,
  floats,
  frame,
  h,
  markLegend,
  number,
  onKeys,
  onPointer,
  paintGrid,
  pieceText,
  plotIn,
  pointIn,
  quoted,
  s,
  scaleLegend,
  shorten,
  sizeCanvas,
  sizePlot,
  thinning,
  widest,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "vector_picture");
  const canvas = h("canvas", {});
  const [texts, picks, point] = [s("g", {}), s("g", {}), s("g", {})];
  const over = s("svg", { "aria-hidden": "true" }, texts, picks, point);
  const plot = plotIn(view, "vectors: left and right move from number to number", canvas, over);
  let grid = null;
  let written = ""; // what the labels around the cells were written for
  let row = 0; // the vector that is pointed at

  const valueOf = (r, i) => grid.values[r * grid.n + i];
  const nameOf = (r) => (grid.labels[r] ? quoted(grid.labels[r]) : "");
  const tell = (index, at = row) => {
    if (!grid || index === null || index === undefined || index < 0 || index >= grid.n) return view.note("");
    const rows = grid.k <= 4 ? [...Array(grid.k).keys()] : [at];
    const beyond = (r) => (Math.abs(valueOf(r, index)) > model.get("limit") ? " (beyond the scale)" : "");
    view.note(
      `${model.get("index_name")} ${index}`,
      ...rows.map((r) => `${nameOf(r)} ${number(valueOf(r, index))}${beyond(r)}`.trim()),
    );
  };
  const select = (index, ask = false) => {
    if (!grid) return;
    const at = clamp(index, 0, grid.n - 1);
    view.set({ selected: at });
    const where = model.get("values").shape.length > 1 ? [row, at] : [at];
    (ask ? view.ask : view.follow)(...where);
  };
  const cellAt = (event) => {
    if (!grid) return null;
    const [x, y] = pointIn(canvas, event);
    const line = clamp(Math.floor(y / grid.pitch), 0, grid.lines - 1);
    const r = clamp(Math.floor((y - line * grid.pitch) / (grid.h + grid.between)), 0, grid.k - 1);
    const column = Math.floor(x / grid.w);
    const index = line * grid.perLine + column;
    return column >= 0 && column < grid.perLine && index < grid.n ? [r, index] : null;
  };
  /** The frame around one index in all vectors; at least wide enough to see. */
  const mark = (index, attributes) => {
    const line = Math.floor(index / grid.perLine);
    const width = Math.max(grid.w - grid.gap + 2, 5);
    const x = grid.left + (index % grid.perLine) * grid.w + (grid.w - grid.gap) / 2 - width / 2;
    const y = grid.top + line * grid.pitch - 3;
    return s("rect", {
      rx: 2,
      x,
      y,
      width,
      height: grid.k * (grid.h + grid.between) - grid.between + 6,
      ...attributes,
    });
  };
  const hover = (where) => {
    point.replaceChildren(...(where ? [mark(where[1], { class: "lv-point" })] : []));
    where ? tell(where[1], where[0]) : tell(model.get("selected"));
  };
  onPointer(plot, cellAt, hover, ([r, index]) => {
    row = r;
    select(index, true);
  });
  const here = () => model.get("selected") ?? 0;
  const move = (step) => (event) =>
    select(model.get("selected") === null ? 0 : here() + step * (event.shiftKey ? 10 : 1));
  const turn = (step) => () => {
    const next = row + step;
    if (next >= 0 && next < grid.k) {
      row = next;
      return select(here());
    }
    const index = here() + step * grid.perLine; // past the last vector: the next line of the break
    if (index >= 0 && index < grid.n) {
      row = step > 0 ? 0 : grid.k - 1;
      select(index);
    }
  };
  onKeys(plot, {
    ArrowRight: move(1),
    ArrowLeft: move(-1),
    ArrowDown: turn(1),
    ArrowUp: turn(-1),
    PageDown: () => select(here() + 10),
    PageUp: () => select(here() - 10),
    Home: () => select(0),
    End: () => select(grid.n - 1),
    Enter: () => select(here(), true),
  });

  function plan(values) {
    const [k, n] = values.shape.length > 1 ? values.shape : [1, values.shape[0]];
    const width = view.width();
    const labels = model.get("labels") ?? [];
    const size = k <= 12 ? 18 : 14;
    const names = labels.map((label) => shorten(label, width < 520 ? 15 : 20));
    const left = labels.length ? Math.ceil(widest(view, names, size)) + 16 : 2;
    const room = width - left - 14;
    const lines = Math.max(1, Math.ceil((n * 1.4) / Math.max(room, 100)));
    const perLine = Math.ceil(n / lines);
    let w = Math.min(room / perLine, 30);
    if (w >= 8) w = Math.floor(w);
    const hgt = clamp(Math.floor((lines > 1 ? 200 : 300) / k), 8, 40);
    const between = k > 12 ? 1 : k > 1 ? 8 : 0;
    const block = k * (hgt + between) - between;
    return {
      values: values.data,
      k,
      n,
      names,
      labels,
      size,
      left,
      top: 6,
      lines,
      perLine,
      w,
      h: hgt,
      between,
      block,
      pitch: block + 30,
      gap: w >= 16 ? 2 : w >= 6 ? 1 : 0,
    };
  }

  function paintCells(scale) {
    const { values, k, n, lines, perLine, w, h: hgt, between, pitch, gap } = grid;
    const ctx = sizeCanvas(canvas, perLine * w, (lines - 1) * pitch + grid.block);
    Object.assign(canvas.style, { left: `${grid.left}px`, top: `${grid.top}px` });
    for (let line = 0; line < lines; line++)
      for (let r = 0; r < k; r++) {
        const cols = Math.min(perLine, n - line * perLine);
        const [y, offset] = [line * pitch + r * (hgt + between), r * n + line * perLine];
        // a gap between cells, none between the lines of pixels
        paintGrid(ctx, values, { y, rows: 1, cols, w, h: hgt + gap, gap, scale, offset, stride: n });
        const notch = Math.min(3, Math.max(w - gap, 1.5));
        for (let c = 0; c < cols; c++) {
          const v = values[offset + c];
          if (!scale.over(v)) continue;
          ctx.fillStyle = scale.ink(v);
          ctx.fillRect(c * w + Math.max(0, (w - gap - notch) / 2), y, notch, Math.min(7, hgt / 2));
        }
      }
  }

  function writeLabels() {
    const { n, lines, perLine, w, left, top, pitch, block, h: hgt, between, names, size } = grid;
    const out = [];
    const step = Math.max(thinning(hgt + between, size + 2), 1);
    const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((t) => t * w >= (n < 100 ? 30 : 64)) ?? 1000;
    for (let line = 0; line < lines; line++) {
      const y = top + line * pitch;
      names.forEach(
        (name, r) =>
          r % step ||
          out.push(
            pieceText(name, {
              anchor: "end",
              x: left - 14,
              y: y + r * (hgt + between) + hgt / 2 + 0.34 * size,
              style: `font-size:${size}px`,
            }),
          ),
      );
      const [from, to] = [line * perLine, Math.min(n, (line + 1) * perLine)];
      for (let i = Math.ceil(from / ticks) * ticks; i < to; i += ticks)
        out.push(axisText(left + (i - from + 0.5) * w, y + block + 18, String(i), i === from ? "start" : "middle"));
    }
    texts.replaceChildren(...out);
  }

  return view.start(() => {
    const selected = model.get("selected");
    if (view.changed("values", "labels", "limit")) {
      const values = floats(model.get("values"));
      grid = values?.data.length ? plan(values) : null;
      plot.hidden = !grid;
      if (!grid) {
        view.setLegend("no numbers yet");
        return view.note("");
      }
      row = Math.min(row, grid.k - 1);
      const scale = colorScale("signed", view.theme, model.get("limit"));
      paintCells(scale);
      const around = JSON.stringify({ ...grid, values: null });
      if (around !== written) {
        // other numbers in the same places: only the cells are new
        written = around;
        writeLabels();
        sizePlot(
          plot,
          grid.left + grid.perLine * grid.w + 2,
          grid.top + (grid.lines - 1) * grid.pitch + grid.block + 26,
        );
      }
      const beyond = grid.values.reduce((sum, v) => sum + scale.over(v), 0);
      view.setLegend(
        scaleLegend(scale, "value"),
        `${count(grid.n)} numbers${grid.k > 1 ? ` × ${grid.k}` : ""}, left to right by ${model.get("index_name")}`,
        grid.values.some(Number.isNaN) && "blank: no number",
        beyond > 0 && `${count(beyond)} beyond the scale (notch at the top)`,
        ...markLegend(grid.labels),
      );
    }
    if (!grid) return;
    picks.replaceChildren(...(selected !== null && selected < grid.n ? [mark(selected, { class: "lv-pick" })] : []));
    hover(null);
  });
}
