// A grid of numbers: rows are "from", columns are "to". The canvas has the cells, the SVG over it labels and marks.

import {
  axisText,
  cellKeys,
  clamp,
  colorScale,
  count,
  floats,
  fontOf,
  frame,
  h,
  inPercent,
  markLegend,
  minus,
  number,
  onKeys,
  onPointer,
  paintGrid,
  percent,
  pieceText,
  plain,
  plotIn,
  pointIn,
  quoted,
  s,
  scaleLegend,
  setAttributes,
  shorten,
  sizeCanvas,
  sizePlot,
  thinning,
  tooLong,
  widest,
} from "./kit.js";

const CELLS = ["values", "kind", "limit", "quantity", "unit", "numbers", "cell_text"];
const EDGES = ["row_labels", "col_labels", "row_axis", "col_axis"];

export function render({ model, el }) {
  const view = frame(model, el, "heat_map");
  const canvas = h("canvas", {});
  const [texts, picks, point] = [s("g", {}), s("g", {}), s("rect", { class: "lv-point", rx: 3 })];
  const over = s("svg", { "aria-hidden": "true" }, texts, picks, point);
  const plot = plotIn(view, "heat map: the arrow keys move from cell to cell", canvas, over);
  let grid = null; // what is drawn: {rows, cols, values, left, top, w, h, gap}

  const labelOf = (labels, i) => (/^[\d.]+$/.test(labels[i]) ? labels[i] : quoted(labels[i] ?? ""));
  const axis = (name) => model.get(name).replace(/\s*\(.*\)$/, "");
  const valueOf = (r, c) => grid.values[r * grid.stride + c];
  const nameOf = (kind) => model.get("quantity") || { weight: "share", prob: "probability", signed: "" }[kind];
  const shares = (kind) => kind === "prob" || (kind === "weight" && model.get("unit") === "%");
  const say = (v) => {
    const kind = model.get("kind");
    if (Number.isNaN(v)) return `blank (${model.get("blank")})`;
    return `${nameOf(kind)} ${shares(kind) ? percent(v) : number(v)}`.trim();
  };
  const tell = (where) => {
    if (!where || !grid || where[0] >= grid.rows || where[1] >= grid.cols) return view.note("");
    const [r, c] = where;
    const written = plain(model.get("cell_text")?.[r]?.[c] ?? "");
    view.note(
      `${axis("row_axis")} ${labelOf(model.get("row_labels"), r)}`,
      `${axis("col_axis")} ${labelOf(model.get("col_labels"), c)}`,
      say(valueOf(r, c)),
      /[\p{L}\p{N}]/u.test(written) ? written : "", // the caption explains a mark such as ●
    );
  };

  const select = (r, c, ask = false) => {
    if (!grid?.rows || !grid.cols) return;
    const where = [clamp(r, 0, grid.rows - 1), clamp(c, 0, grid.cols - 1)];
    view.select(where, ask);
    const [x, y] = [grid.left + where[1] * grid.w, view.body.scrollLeft];
    if (x < y + grid.left || x + grid.w > y + view.body.clientWidth)
      view.body.scrollLeft = x - view.body.clientWidth / 2;
  };
  const cellAt = (event) => {
    if (!grid) return null;
    const [x, y] = pointIn(canvas, event);
    const [c, r] = [Math.floor(x / grid.w), Math.floor(y / grid.h)];
    return r >= 0 && c >= 0 && r < grid.rows && c < grid.cols ? [r, c] : null;
  };
  const rect = (r, c, cols = 1, grow = 1) => ({
    x: grid.left + c * grid.w - grow,
    y: grid.top + r * grid.h - grow,
    width: cols * grid.w - grid.gap + 2 * grow,
    height: grid.h - grid.gap + 2 * grow,
  });
  const hover = (where) => {
    point.style.display = where ? "" : "none";
    if (where) setAttributes(point, rect(...where));
    tell(where ?? model.get("selected"));
  };
  onPointer(plot, cellAt, hover, (where) => select(...where, true));
  const lastOf = (r) => {
    // the last cell of a row that is not masked
    let c = grid.cols - 1;
    while (c > 0 && Number.isNaN(valueOf(r, c))) c--;
    return c;
  };
  onKeys(plot, cellKeys(view, { select, rows: () => grid.rows, last: lastOf }));

  /** Labels cut to n characters, with the width of the widest at 18 px; measured once as long as they stay. */
  const known = new Map();
  function named(labels, most, n) {
    const key = `${n} ${most}`;
    if (known.get(key)?.labels !== labels) {
      const names = labels.slice(0, most).map((label) => shorten(label, n));
      names.wide = widest(view, names, 18);
      known.set(key, { labels, names });
    }
    return known.get(key).names;
  }

  /** Where everything goes: cells as large as the width and a screen's height allow, labels thinned when crowded. */
  function plan(values, rowLabels, colLabels) {
    const [rows, cols] = values.shape; // Python has cut them; the labels are all here
    const width = view.width();
    const rowNames = named(rowLabels, rows, width < 520 ? 12 : cols < 4 ? 56 : 18);
    const colNames = named(colLabels, cols, 14);
    const wide = (names, size) => (names.wide * size) / 18;
    const rowTitle = `${model.get("row_axis")} ↓`;
    const small = 14;
    const least = (n) => (n <= 64 ? 14 : 2);
    const room = (size, left) => {
      const lean = Math.min(150, 0.71 * wide(colNames, size)); // what the last leaning label needs on the right
      return { left, lean, fit: width - left - lean * (cols > 2 ? 0.8 : 1) - 6 };
    };
    let rowSize = 18;
    const leftOf = () => Math.ceil(Math.max(wide(rowNames, rowSize), widest(view, [rowTitle], small, "ui"))) + 14;
    const place = room(18, leftOf());
    const written = model.get("numbers") === "always"; // they need more room
    let w = clamp(place.fit / cols, cols > 64 ? 2 : 14, written ? 60 : 46);
    let hgt = clamp(760 / Math.max(rows, 1), least(rows), 46);
    if (written) hgt = Math.min(w, hgt);
    else if (w / hgt < 3 && hgt / w < 3) w = hgt = Math.min(w, hgt);
    else hgt = Math.min(hgt, Math.max(w, 28));
    if (w >= 4) [w, hgt] = [Math.floor(w), Math.floor(hgt)];
    rowSize = hgt >= 23 ? 18 : small;
    const colSize = w >= 30 ? 18 : small; // narrower, leaning labels of 18 px would be thinned
    const left = leftOf();
    const flatSize = Math.max(wide(colNames, colSize), 8);
    const numeric = colNames.every((name) => name.length <= 4);
    const flat = flatSize <= w - 4 || numeric;
    const title = 24; // the line for the name of the columns
    const top = Math.ceil(title + (flat ? colSize + 8 : 0.71 * (flatSize + colSize) + 6));
    const side = Math.min(w, hgt);
    /** How far each leaning label reaches beyond the last column. */
    const beyond = () =>
      colNames
        .slice(-Math.ceil((0.71 * flatSize + colSize) / w))
        .toReversed()
        .map((name, back) => 0.71 * widest(view, [name], colSize) + 0.96 * colSize - (back + 0.5) * w);
    return {
      rows,
      cols,
      stride: cols,
      values: values.data,
      left,
      top,
      w,
      h: hgt,
      flat,
      rowTitle,
      gap: side >= 16 ? 2 : side >= 8 ? 1 : 0,
      rowNames,
      colNames,
      rowSize,
      colSize,
      rowStep: thinning(hgt, rowSize + 2),
      colStep: thinning(w, flat ? flatSize + 8 : (colSize + 3) / 0.71),
      right: flat ? 8 : 8 + Math.max(0, ...beyond()),
    };
  }

  function paintCells(scale) {
    const { rows, cols, w, h: hgt, gap, values, stride } = grid;
    const ctx = sizeCanvas(canvas, Math.max(1, cols * w), Math.max(1, rows * hgt));
    Object.assign(canvas.style, { left: `${grid.left}px`, top: `${grid.top}px` });
    paintGrid(ctx, values, { rows, cols, w, h: hgt, gap, scale, stride });
    if (!gap) return;
    const cellText = model.get("cell_text");
    const numbers = model.get("numbers");
    const kind = model.get("kind");
    const write = cellText || numbers === "always" || (numbers === "auto" && w >= 36 && hgt >= 24);
    const decimals = clamp(2 - Math.floor(Math.log10(model.get("limit"))), 0, 3);
    const size = numbers === "always" ? clamp(w / 3, 9, 14) : 14;
    ctx.font = `${size}px ${fontOf(view, "ui")}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < cols; c++) {
        const v = values[r * stride + c];
        if (Number.isNaN(v) && !cellText) continue;
        const [x, y] = [c * w, r * hgt];
        ctx.fillStyle = Number.isNaN(v) ? view.ink : scale.ink(v);
        if (!Number.isNaN(v) && scale.over(v)) {
          // a marked corner says that a number is beyond the scale
          const t = Math.min(9, (w - gap) / 2);
          ctx.beginPath();
          ctx.moveTo(x + w - gap - t, y);
          ctx.lineTo(x + w - gap, y);
          ctx.lineTo(x + w - gap, y + t);
          ctx.fill();
        }
        if (!write) continue;
        const text = cellText
          ? plain(cellText[r]?.[c] ?? "")
          : shares(kind)
            ? String(Math.round(100 * v))
            : minus(v.toFixed(decimals));
        const faint = kind !== "signed" && !cellText && numbers === "auto" && v < 0.05 * model.get("limit");
        if (text && !faint) ctx.fillText(text, x + (w - gap) / 2, y + (hgt - gap) / 2 + 1, w - gap - 2);
      }
  }

  function writeLabels(selected) {
    const { left, top, w, h: hgt, gap, rowNames, colNames, rowStep, colStep, rowSize, colSize, flat } = grid;
    const [atRow, atCol] = selected ?? [-1, -1];
    const near = (i, at, step) => at >= 0 && i !== at && Math.abs(i - at) < step; // would touch the selected label
    const out = [
      axisText(left - 12, top - 8 - Math.max(0, (rowSize - hgt) / 2), grid.rowTitle, "end"),
      axisText(left, 14, `${model.get("col_axis")} →`, "start"),
    ];
    rowNames.forEach((name, r) => {
      if (r !== atRow && (r % rowStep || near(r, atRow, rowStep))) return;
      out.push(
        pieceText(name, {
          anchor: "end",
          x: left - 12,
          y: top + r * hgt + (hgt - gap) / 2 + 0.34 * rowSize,
          style: `font-size:${rowSize}px`,
          class: r === atRow ? "lv-on" : "",
        }),
      );
    });
    colNames.forEach((name, c) => {
      if (c !== atCol && (c % colStep || near(c, atCol, colStep))) return;
      const x = left + c * w + (w - gap) / 2;
      const look = { style: `font-size:${colSize}px`, class: c === atCol ? "lv-on" : "" };
      out.push(
        flat
          ? pieceText(name, { anchor: "middle", x, y: top - 8, ...look })
          : pieceText(name, {
              x: 0,
              y: 0,
              transform: `translate(${x + 0.25 * colSize} ${top - 7}) rotate(-45)`,
              ...look,
            }),
      );
    });
    texts.replaceChildren(...out);
    picks.replaceChildren(
      ...(selected
        ? [
            s("rect", { class: "lv-pick-line", rx: 4, ...rect(atRow, 0, lastOf(atRow) + 1, 3) }),
            s("rect", { class: "lv-pick", rx: 3, ...rect(atRow, atCol) }),
          ]
        : []),
    );
  }

  return view.start(() => {
    const fresh = view.changed(...CELLS, ...EDGES);
    const selected = model.get("selected");
    if (fresh) {
      const [values, kind] = [floats(model.get("values")), model.get("kind")];
      const [rowLabels, colLabels] = [model.get("row_labels"), model.get("col_labels")];
      view.ink = getComputedStyle(view.root).getPropertyValue("--lv-ink");
      grid = values && values.data.length ? plan(values, rowLabels, colLabels) : null;
      plot.hidden = !grid;
      if (!grid) {
        view.setLegend("no numbers yet");
        return view.note("");
      }
      const scale = colorScale(kind, view.theme, model.get("limit"));
      paintCells(scale);
      sizePlot(plot, grid.left + grid.cols * grid.w + grid.right, grid.top + grid.rows * grid.h + 4);
      let [blank, beyond] = [0, 0];
      for (const v of grid.values) {
        if (v !== v) blank++;
        else if (scale.over(v)) beyond++;
      }
      view.setLegend(
        tooLong(rowLabels.length, "rows"),
        tooLong(colLabels.length, "columns"),
        scaleLegend(shares(kind) ? inPercent(scale, model.get("limit")) : scale, nameOf(kind) || "value"),
        blank > 0 && `blank: ${model.get("blank")}`,
        beyond > 0 && `${count(beyond)} beyond the scale${grid.gap ? " (corner)" : ""}`,
        ...markLegend([...rowLabels, ...colLabels]),
      );
    }
    if (!grid) return;
    const inside = selected && selected[0] < grid.rows && selected[1] < grid.cols ? selected : null;
    writeLabels(inside);
    hover(null);
  });
}
