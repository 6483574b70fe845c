// A histogram of the cosines of some pairs, with the cosine of one pair marked.

import { axisBelow } from "./kit/axes.js";
import { widest } from "./kit/canvas.js";
import { axisText, plain } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { listKeys } from "./kit/input.js";
import { column, rule } from "./kit/marks.js";
import { clamp, minus, percent } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { bands, scale, ticks } from "./kit/scales.js";
import { selectIn } from "./kit/selection.js";

const HEIGHT = 250;

export function render({ model, el }) {
  const view = frame(model, el, "cosine_histogram");
  const plot = createPlot(view, "histogram of cosines");
  let at = null; // the bin that the pointer or the keys are on
  let drawn = null; // the bins, and where cosines are
  const show = (i) => {
    at = i;
    [...plot.marks.children].forEach((bin, k) => bin.classList.toggle("lv-on", k === at));
    tell(view, at);
  };
  const ask = () => model.get("value") !== null && view.ask();
  const current = () => at ?? drawn.bins.under(drawn.px(model.get("value") ?? 0));
  const keys = { ...listKeys(show, current, () => drawn.bins.n), Enter: ask };
  selectIn(plot, { under: (x) => drawn?.bins.under(x) ?? null, show, pick: ask, keys });
  plot.node.addEventListener("blur", () => show(null));
  return view.start(() => {
    drawn = draw(view, plot);
    show(at);
  });
}

const sum = (counts) => counts.reduce((a, b) => a + b, 0);

function tell(view, at) {
  const [edges, counts] = [view.model.get("edges"), view.model.get("counts")];
  if (at === null) return view.note(view.model.get("verdict"));
  const [from, to] = [edges[at], edges[at + 1]].map((v) => minus(v.toFixed(2)));
  view.note(`cosine ${from} to ${to}: ${percent(counts[at] / Math.max(1, sum(counts)))} of them`);
}

function draw(view, plot) {
  const { model } = view;
  const [edges, counts, value, median] = ["edges", "counts", "value", "median"].map((name) => model.get(name));
  const area = areaIn(view.width(), HEIGHT, { left: 16, right: 16, top: 44, bottom: 34 });
  const across = [area.left, area.right];
  const px = scale([edges[0], edges.at(-1)], across);
  const py = scale([0, Math.max(1, ...counts)], [area.bottom, area.top]);
  const marks = ticks(edges[0], edges.at(-1), 11).map((v) => [px(v), minus(String(Number(v.toFixed(1))))]);
  plot.size(view.width(), HEIGHT);
  plot.ground.replaceChildren(
    rule("lv-gridline", area.left, area.bottom, area.right, area.bottom),
    ...axisBelow(area, marks, ""),
  );
  const bin = (n, i) => [px(edges[i]) + 0.5, py(n), px(edges[i + 1]) - 0.5, area.bottom];
  plot.marks.replaceChildren(...counts.map((n, i) => column(bin(n, i), { class: "lv-bin" })));
  plot.picks.replaceChildren();
  if (sum(counts)) {
    const text = `half are below ${minus((Math.round(100 * median) / 100 || 0).toFixed(2))}`;
    plot.picks.append(
      ...flag(view, area, px(median), 32, "lv-median lv-quiet", text, value !== null && value > median),
    );
  }
  if (value !== null) {
    const text = `${plain(model.get("label"))}: ${minus(value.toFixed(2))}`;
    plot.picks.append(...flag(view, area, clamp(px(value), area.left, area.right), 10, "lv-mine", text));
  }
  view.setLegend("horizontal axis: cosine similarity", `vertical axis: how many of ${model.get("among")}`);
  return { bins: bands(counts.length, across), px };
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
