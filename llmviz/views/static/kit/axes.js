// Axes: a line and a number for each tick, and the axis' name.

import { widest } from "./canvas.js";
import { axisText } from "./elements.js";
import { rule } from "./marks.js";

export const TICK = 14; // pixels: the size of the numbers

/** Values upwards: `marks` are [pixel, text, value]. */
export function axisAtLeft(area, marks, name) {
  const middle = (area.top + area.bottom) / 2;
  return [
    ...marks.flatMap(([y, text, value]) => [
      rule(value === 0 ? "lv-zero" : "lv-gridline", area.left, y, area.right, y),
      axisText(area.left - 9, y + 5, text, "end"),
    ]),
    axisText(15, middle, name, "middle", { transform: `rotate(-90 15 ${middle})` }),
  ];
}

/** Values to the right; with `lines`, each has a line across the area. */
export function axisBelow(area, marks, name, { lines = false } = {}) {
  return [
    ...marks.flatMap(([x, text, value]) => [
      ...(lines ? [rule(value === 0 ? "lv-zero" : "lv-gridline", x, area.top, x, area.bottom)] : []),
      axisText(x, area.bottom + 19, text),
    ]),
    axisText((area.left + area.right) / 2, area.bottom + 42, name),
  ];
}

/** Those of the labels [pixel, text] that have room in one row. */
export function thinned(view, marks) {
  let free = -Infinity; // where the last one ended
  return marks.filter(([x, text]) => {
    const half = widest(view, [text], TICK, "ui") / 2 + 4;
    if (x - half < free) return false;
    free = x + half;
    return true;
  });
}
