// A histogram of the cosines of some pairs, with the cosine of one pair marked.

import { axisBelow } from "./kit/axes.js";
import { widest } from "./kit/canvas.js";
import { axisText, plain } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { column, rule } from "./kit/marks.js";
import { clamp, minus, percent } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { bands, scale, ticks } from "./kit/scales.js";
import { selectIn, stepKeys } from "./kit/selection.js";

const HEIGHT = 250;

export function render({ model, el }) {
  const view = frame(model, el, "cosine_histogram");
  const plot = createPlot(view, "histogram of cosines");
  let bins = bands(1, [0, 1]);
  let at = null; // the bin that the pointer or the keys are on
  const n = () => model.get("counts").length;
  const show = (i) => {
    at = i;
    [...plot.marks.children].forEach((bin, k) => bin.classList.toggle("lv-on", k === at));
    tell(view, at);
  };
  const ask = () => model.get("value") !== null && view.ask();
  selectIn(plot, {
    under: (x) => bins.under(x),
    show,
    pick: ask,
    keys: { ...stepKeys({ n, current: () => at ?? binOf(model, model.get("value") ?? 0), select: show }), Enter: ask },
  });
  plot.node.addEventListener("blur", () => show(null));
  return view.start(() => {
    const edges = model.get("edges");
    const area = areaIn(view.width(), HEIGHT, { left: 16, right: 16, top: 44, bottom: 34 });
    bins = bands(n(), [area.left, area.right]);
    draw(view, plot, area, scale([edges[0], edges.at(-1)], [area.left, area.right]));
    show(at);
  });
}

function binOf(model, value) {
  const edges = model.get("edges");
  return bands(edges.length - 1, [edges[0], edges.at(-1)]).under(value);
}

function tell(view, at) {
  const [edges, counts] = [view.model.get("edges"), view.model.get("counts")];
  if (at === null) return view.note(view.model.get("verdict"));
  const [from, to] = [edges[at], edges[at + 1]].map((v) => minus(v.toFixed(2)));
  view.note(`cosine ${from} to ${to}: ${percent(counts[at] / Math.max(1, sum(counts)))} of them`);
}
const sum = (counts) => counts.reduce((a, b) => a + b, 0);

function draw(view, plot, area, px) {
  const { model } = view;
  const [edges, counts, value, median] = ["edges", "counts", "value", "median"].map((name) => model.get(name));
  const py = scale([0, Math.max(1, ...counts)], [area.bottom, area.top]);
  plot.size(view.width(), HEIGHT);
  plot.marks.replaceChildren(
    ...counts.map((n, i) =>
      column([px(edges[i]) + 0.5, py(n), px(edges[i + 1]) - 0.5, area.bottom], { class: "lv-bin" }),
    ),
  );
  const marks = ticks(edges[0], edges.at(-1), 11).map((v) => [px(v), minus(String(Number(v.toFixed(1))))]);
  const middle = `half are below ${minus((Math.round(100 * median) / 100 || 0).toFixed(2))}`;
  const own = value !== null && clamp(value, edges[0], edges.at(-1));
  plot.ground.replaceChildren(
    rule("lv-gridline", area.left, area.bottom, area.right, area.bottom),
    ...axisBelow(area, marks, ""),
  );
  plot.picks.replaceChildren(
    ...(sum(counts)
      ? flag(view, area, px(median), 32, "lv-median lv-quiet", middle, value !== null && value > median)
      : []),
    ...(value === null
      ? []
      : flag(view, area, px(own), 10, "lv-mine", `${plain(model.get("label"))}: ${minus(value.toFixed(2))}`)),
  );
  view.setLegend("horizontal axis: cosine similarity", `vertical axis: how many of ${model.get("among")}`);
}

/** A line down to the axis, with words beside it, on its left or where there is more room, and not beyond an edge. */
function flag(view, area, x, y, kind, text, left = x > view.width() / 2) {
  const room = widest(view, [text], kind === "lv-mine" ? 18 : 13, "ui"); // that one is bold
  const edge = left ? Math.max(x - 6, room) : Math.min(x + 6, view.width() - room);
  return [
    rule(kind, x, y + 4, x, area.bottom),
    axisText(edge, y + 4, text, left ? "end" : "start", { class: kind, "dominant-baseline": "middle" }),
  ];
}
