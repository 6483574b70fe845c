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

/** The surface between an upper and a lower line. */
export const band = (upper, lower, look) =>
  s("path", {
    d: `M${[...upper, ...lower.toReversed()].map((point) => point.map((v) => v.toFixed(1)).join(" ")).join("L")}Z`,
    ...look,
  });
