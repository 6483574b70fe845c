// Fonts, sizes and drawing on a canvas.

import { plain } from "./elements.js";
import { clamp, count } from "./numbers.js";

const LEAST = 8; // pixels: the height of a cell that can have a notch

/** The face of pieces ("mono") or of everything else ("ui"); asked for once, since asking makes the page work. */
export const fontOf = (view, face) =>
  ((view.fonts ??= {})[face] ||= getComputedStyle(view.root).getPropertyValue(`--lv-font-${face}`));

/** The widest of some texts in pixels, in the face of pieces ("mono") or of everything else ("ui"). */
export function widest(view, texts, size, face = "mono") {
  const pen = (view.pen ??= document.createElement("canvas").getContext("2d"));
  pen.font = `${size}px ${fontOf(view, face)}`;
  return texts.reduce((most, text) => Math.max(most, pen.measureText(plain(text)).width), 0);
}
/** How many labels to step over so that those drawn have room: 1, 2, 5, 10 … */
export const thinning = (size, need) => [1, 2, 5, 10, 20, 25, 50, 100, 128, 256].find((k) => k * size >= need) ?? 512;

/** How much larger than its own pixels an element is shown, as in full screen (`zoom` in CSS). */
export const zoomOf = (element) => element.currentCSSZoom ?? 1;
/** A picture that is saved gets finer cells than the screen; 0: as on the screen. */
export const saving = { ratio: 0 };
/** The zoom that we have set: asking for `currentCSSZoom` would lay out the page, once for each picture that changes. */
const zoomSet = (element) => Number(element?.style.zoom || 1);
export const pixelRatio = () =>
  (saving.ratio || window.devicePixelRatio || 1) * zoomSet(document.body) * zoomSet(document.fullscreenElement);

/** Where the pointer is in an element, in the element's own pixels. */
export function pointIn(element, event) {
  const { left, top } = element.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top].map((distance) => distance / zoomOf(element));
}

/** Size a canvas in CSS pixels for this screen, and give its context, cleared. */
export function sizeCanvas(canvas, width, height) {
  const ratio = pixelRatio();
  canvas.width = Math.max(1, Math.round(width * ratio)); // this clears it
  canvas.height = Math.max(1, Math.round(height * ratio));
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const ctx = canvas.getContext("2d");
  ctx.scale(ratio, ratio);
  return ctx;
}

const small = new OffscreenCanvas(1, 1); // one for all grids: to make one takes longer than to paint a small grid

/**
 * Paint a grid of numbers at (x, y), with gaps between the cells; NaN stays blank, and what is beyond the scale gets a
 * notch. Many grids can share one canvas: `offset` and `stride` say where this one starts in `values` and how far apart
 * its rows lie.
 */
export function paintGrid(ctx, values, spec) {
  const { x = 0, y = 0, rows, cols, w, h, gap = 0, scale, offset = 0, stride = cols } = spec;
  const image = new ImageData(cols, rows); // a pixel for each number
  const pixels = new Uint32Array(image.data.buffer); // one write a cell: 512 × 512 in a few milliseconds
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) {
      const v = values[offset + r * stride + c];
      if (v === v) pixels[r * cols + c] = scale.packed[scale.index(v)];
    }
  Object.assign(small, { width: cols, height: rows });
  small.getContext("2d").putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = w * pixelRatio() < 1; // only where cells are too small to see each of them
  ctx.drawImage(small, x, y, cols * w, rows * h);
  for (let c = 1; c <= cols; c++) ctx.clearRect(x + c * w - gap, y, gap, rows * h);
  for (let r = 1; r <= rows; r++) ctx.clearRect(x, y + r * h - gap, cols * w, gap);
  const notch = clamp(w - gap, 1.5, 3);
  if (h < LEAST) return;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) {
      const v = values[offset + r * stride + c];
      if (!scale.over(v)) continue;
      ctx.fillStyle = scale.ink(v);
      ctx.fillRect(x + c * w + Math.max(0, (w - gap - notch) / 2), y + r * h, notch, Math.min(7, h / 2));
    }
}

/** What a legend says of numbers that a painted grid can't show. */
export function exceptions(values, scale, h, blank) {
  const over = values.reduce((n, v) => n + scale.over(v), 0);
  const notched = h >= LEAST ? " (notch at the top)" : "";
  return [values.some(Number.isNaN) && `blank: ${blank}`, over > 0 && `${count(over)} beyond the scale${notched}`];
}
