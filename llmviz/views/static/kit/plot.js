// The place that a chart is drawn in, and the area between its margins.

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
  return { ground, marks, picks, cursor, node, canvas: cells, size };
}

/**
 * Have a plot drawn. When one of `traits` has changed, `plan(view)` says where everything goes, which is kept as
 * `plot.plan` (null: there is nothing yet, which the legend says as `empty`), and `draw(view, plot, plan)` draws it.
 * `mark(view, plot, plan)` follows at every change.
 */
export const startPlot = (view, plot, { traits, empty, plan, draw, mark }) =>
  view.start(() => {
    if (view.changed(...traits)) {
      plot.plan = plan(view);
      plot.node.hidden = !plot.plan;
      plot.plan ? draw(view, plot, plot.plan) : view.setLegend(empty);
    }
    plot.plan ? mark(view, plot, plot.plan) : view.note("");
  });

/** The part of a plot that values are drawn in, in pixels. */
export const areaIn = (width, height, { left = 0, right = 0, top = 0, bottom = 0 }) => ({
  left,
  top,
  right: width - right,
  bottom: height - bottom,
});
