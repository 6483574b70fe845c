// Marks of a chart, placed in pixels. What is coloured by more than its kind gets its look as attributes.

import { s } from "./elements.js";

/** A straight line from (x1, y1) to (x2, y2). */
export const rule = (kind, x1, y1, x2, y2) => s("line", { class: kind, x1, y1, x2, y2 });

/** A bar between two corners, whichever way round, and never too thin to see. */
export const column = ([x1, y1, x2, y2], look) =>
  s("rect", {
    x: Math.min(x1, x2),
    y: Math.min(y1, y2),
    width: Math.max(0.5, Math.abs(x2 - x1)),
    height: Math.max(0.5, Math.abs(y2 - y1)),
    ...look,
  });

export const dot = (cx, cy, r, look) => s("circle", { cx, cy, r, ...look });

/** A line through points; one that is null interrupts it. */
export function curve(points, look) {
  const steps = points.map(
    (point, i) => point && `${points[i - 1] ? "L" : "M"}${point.map((v) => v.toFixed(1)).join(" ")}`,
  );
  return s("path", { d: steps.filter(Boolean).join(""), ...look });
}

const SIGNS = {
  circle: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z",
  square: "M-5.5 -5.5h11v11h-11z",
  diamond: "M0 -7.5l7.5 7.5l-7.5 7.5l-7.5 -7.5z",
  cross: "M-2.2 -7h4.4v4.8h4.8v4.4h-4.8v4.8h-4.4v-4.8h-4.8v-4.4h4.8z",
  x: "M-6.5 -3.4l3.1 -3.1l3.4 3.4l3.4 -3.4l3.1 3.1l-3.4 3.4l3.4 3.4l-3.1 3.1l-3.4 -3.4l-3.4 3.4l-3.1 -3.1l3.4 -3.4z",
};
/** A sign around (x, y). */
export const sign = (name, x, y, look) => s("path", { d: SIGNS[name], transform: `translate(${x} ${y})`, ...look });
