// Fonts, sizes and drawing on a canvas.

import { plain } from "./elements.js";

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
let savingRatio = 0;
/** Let a picture that is saved get finer cells than the screen; 0: as on the screen. */
export function setSavingRatio(ratio) {
  savingRatio = ratio;
}
export const pixelRatio = () =>
  (savingRatio || window.devicePixelRatio || 1) * zoomOf(document.fullscreenElement ?? document.body);

/** Where the pointer is in an element, in the element's own pixels. */
export function pointIn(element, event) {
  const { left, top } = element.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top].map((distance) => distance / zoomOf(element));
}

/** Size a canvas in CSS pixels for this screen, and give its context, cleared. */
export function sizeCanvas(canvas, width, height) {
  const ratio = pixelRatio();
  const [w, hgt] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== hgt) Object.assign(canvas, { width: w, height: hgt });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const ctx = canvas.getContext("2d");
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, w, hgt);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

/** Numbers as an image with a pixel for each; NaN stays transparent. */
export function imageOf(values, { rows, cols, scale, offset = 0, stride = cols }) {
  const image = new ImageData(cols, rows);
  const pixels = new Uint32Array(image.data.buffer); // one write a cell: 512 × 512 in a few milliseconds
  const packed = Uint32Array.from(scale.table, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) {
      const v = values[offset + r * stride + c];
      if (v === v) pixels[r * cols + c] = packed[scale.index(v)];
    }
  const small = new OffscreenCanvas(cols, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  return small;
}

/**
 * Paint a grid of numbers at (x, y); NaN stays blank. Many grids can share one canvas: `offset` and `stride` say where
 * this one starts in `values` and how far apart its rows lie. Cells with a gap are rectangles, without one an image.
 */
export function paintGrid(
  ctx,
  values,
  { x = 0, y = 0, rows, cols, w, h: hgt, gap = 0, scale, offset = 0, stride = cols },
) {
  if (gap > 0) {
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < cols; c++) {
        const v = values[offset + r * stride + c];
        if (Number.isNaN(v)) continue;
        ctx.fillStyle = scale.css(v);
        ctx.fillRect(x + c * w, y + r * hgt, w - gap, hgt - gap);
      }
    return;
  }
  const small = imageOf(values, { rows, cols, scale, offset, stride });
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, x, y, cols * w, rows * hgt);
}

/** Thousands of half-transparent dots at [x, y]: drawn once, then stamped. */
export function stampDots(view, ctx, points, size = 9) {
  const ratio = pixelRatio();
  const stamp = new OffscreenCanvas(size * ratio, size * ratio);
  const pen = stamp.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = getComputedStyle(view.root).getPropertyValue("--lv-quiet"); // other colours stand for signs
  pen.globalAlpha = 0.45;
  pen.arc(size / 2, size / 2, size / 2 - 0.5, 0, 2 * Math.PI);
  pen.fill();
  for (const [x, y] of points) ctx.drawImage(stamp, x - size / 2, y - size / 2, size, size);
}
