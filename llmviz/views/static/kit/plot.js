// The place that a chart is drawn in, and the area between its margins.

import { sizeCanvas } from "./canvas.js";
import { h, keyed, s, setAttributes } from "./elements.js";

/**
 * A chart's place in a picture's body, as one thing that takes the keys, in layers: `ground` for axes, a canvas where
 * there are many marks, then `marks`, `picks` for what is selected, `cursor` for what is pointed at.
 */
export function createPlot(view, label, { canvas = false } = {}) {
  const [ground, marks, picks, cursor] = Array.from({ length: 4 }, () => s("g"));
  const svgs = [[ground], [marks, picks, cursor]].map((parts) => s("svg", { "aria-hidden": "true" }, parts));
  const cells = canvas ? h("canvas", { "aria-hidden": "true" }) : null;
  const node = keyed("application", "lv-plot", label, svgs[0], cells, svgs[1]);
  view.body.append(node);
  const size = (width, height) => {
    for (const svg of svgs) setAttributes(svg, { width: Math.max(0, width), height }); // it may be in a place without width
    Object.assign(node.style, { width: `${width}px`, height: `${height}px` });
  };
  /** Put the canvas over a part of the plot, and give its context, cleared. */
  const pen = ({ left = 0, top = 0, right, bottom }) => {
    Object.assign(cells.style, { left: `${left}px`, top: `${top}px` });
    return sizeCanvas(cells, right - left, bottom - top);
  };
  return { ground, marks, picks, cursor, node, size, pen };
}

/**
 * Have a plot drawn. When one of `traits` has changed, `draw(view, plot)` draws it, and returns where everything is, which
 * is kept as `plot.plan` (null: there is nothing yet, which the legend says as `empty`). `mark()` follows at every change.
 */
export const startPlot = (view, plot, { traits, empty, draw, mark }) =>
  view.start(() => {
    if (view.changed(...traits)) {
      plot.plan = draw(view, plot);
      plot.node.hidden = !plot.plan;
      if (!plot.plan) view.setLegend(empty);
    }
    plot.plan ? mark() : view.note("");
  });

/** The part of a plot that values are drawn in, in pixels. */
export const areaIn = (width, height, { left = 0, right = 0, top = 0, bottom = 0 }) => ({
  left,
  top,
  right: width - right,
  bottom: height - bottom,
});
