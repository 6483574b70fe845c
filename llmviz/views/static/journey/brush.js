// What all scenes are drawn with.

import { fontOf, paintGrid } from "../kit/canvas.js";
import { colorScale, rgb } from "../kit/colour.js";
import { h } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";
import { KIT } from "../theme.js";

const NAMES = ["ink", "quiet", "line", "card", "page", ...KIT.stages];

/** The colours of the theme, and the table of embeddings in them. */
export function lookOf(view, data) {
  const style = getComputedStyle(view.root);
  const look = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--lv-${name}`).trim()]));
  const scale = colorScale("signed", view.theme, 80);
  const colors = Array.from({ length: 255 }, (_, i) => scale.css(i - 127));
  const [rows, cols] = [data.bands.length, data.tableWidth];
  const table = h("canvas", { width: cols, height: rows });
  paintGrid(table.getContext("2d"), data.table, { rows, cols, w: 1, h: 1, scale });
  const signed = (v) => colors[Math.round(clamp(v, -127, 127)) + 127];
  return Object.assign(look, { theme: view.theme, table, signed });
}
export const tint = (color, alpha) => `rgba(${rgb(color)},${alpha})`;
/** The box around what has its middle at (x, y). */
export const boxOf = ({ x, y, w, h: height }) => [x - w / 2, y - height / 2, w, height];

export function boxPath([x, y, w, height], r) {
  const path = new Path2D();
  path.roundRect(x, y, w, height, Math.min(r, Math.abs(w) / 2, Math.abs(height) / 2));
  return path;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A frame, {data, times, moment, layout, look}, and how to draw on its canvas. */
export class Brush {
  /** What lies where, for the pointer; the last mark lies on top. */
  marks = [];

  constructor(ctx, frame) {
    Object.assign(this, frame, { ctx });
    Object.assign(ctx, { lineCap: "round", textBaseline: "middle", direction: "ltr" });
  }
  mark(box, words) {
    this.marks.push({ box, words });
  }
  /** Draw with a transparency of its own; what is changed in the context is undone. */
  faded(alpha, draw) {
    if (alpha <= 0.01) return;
    this.ctx.save();
    this.ctx.globalAlpha *= alpha;
    draw(this.ctx);
    this.ctx.restore();
  }
  fill(color, path) {
    this.ctx.fillStyle = color;
    this.ctx.fill(path);
  }
  stroke(color, width, path) {
    Object.assign(this.ctx, { strokeStyle: color, lineWidth: width });
    this.ctx.stroke(path);
  }
  /** A box with round corners: filled, or with an edge, or both. */
  box(box, r, { fill = "transparent", edge = "transparent", width = 1.5 }) {
    this.fill(fill, boxPath(box, r));
    this.stroke(edge, width, boxPath(box, r));
  }
  rect(color, ...box) {
    this.ctx.fillStyle = color;
    this.ctx.fillRect(...box);
  }
  shape(color, ...points) {
    this.fill(color, new Path2D(`M${points.join("L")}`));
  }
  line(color, width, ...points) {
    this.stroke(color, width, new Path2D(`M${points.join("L")}`));
  }
  curve(color, width, from, controls, to) {
    this.stroke(color, width, new Path2D(`M${from}C${controls} ${to}`));
  }
  write(words, x, y, { size = 14, bold, color = this.look.quiet, align = "left", alpha = 1 } = {}) {
    this.faded(alpha, (ctx) => {
      this.setFont(size, bold, "ui");
      Object.assign(ctx, { textAlign: align, fillStyle: color });
      ctx.fillText(words, x, y);
    });
  }
  setFont(size, bold, face) {
    this.ctx.font = `${bold ? "600 " : ""}${size}px ${fontOf(this.layout.view, face)}`;
  }
  widthOf(words, size) {
    this.setFont(size, true, "ui");
    return this.ctx.measureText(words).width;
  }
  /** A piece; stand-ins for white space are quieter. A right-to-left piece keeps its order, marks included. */
  piece(marked, x, y, { size, bold, color = this.look.ink, align = "left", alpha = 1 }) {
    this.faded(alpha, (ctx) => {
      this.setFont(size, bold, "mono");
      Object.assign(ctx, { textAlign: "left", fillStyle: color });
      const parts = marked.split(/\x01([^\x02]*)\x02/).map((text, i) => ({ text, alpha: i % 2 ? 0.65 : 1 }));
      if (RIGHT_TO_LEFT.test(marked)) parts.reverse();
      const widths = parts.map(({ text }) => ctx.measureText(text).width);
      const total = widths.reduce((a, b) => a + b, 0);
      let from = x - { left: 0, center: total / 2, right: total }[align];
      parts.forEach((part, i) => {
        this.faded(part.alpha, () => ctx.fillText(part.text, from, y));
        from += widths[i];
      });
    });
  }
  /** A vector as a bar of colours, turned about its middle; its first number is on the left, or on top. */
  vector(bar, values, alpha = 1) {
    this.faded(alpha, (ctx) => {
      ctx.translate(bar.x, bar.y);
      ctx.rotate(bar.turn);
      const [x, y, step] = [-bar.len / 2, -bar.thick / 2, bar.len / values.length];
      const box = [x, y, bar.len, bar.thick];
      ctx.save();
      ctx.clip(boxPath(box, 4));
      values.forEach((v, j) => this.rect(this.look.signed(v), x + j * step, y, step + 0.6, bar.thick));
      ctx.restore();
      this.box(box, 4, { edge: tint(this.look.ink, 0.28), width: 1 });
    });
  }
}
