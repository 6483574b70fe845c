// Tokens in order of their cosine, as bars on a fixed scale from 0 to 1; a band shows where 98% of all tokens are.

import { barAxis, barRows } from "./kit/bars.js";
import { h, markLegend, setText } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { clamp, floats, minus, number } from "./kit/numbers.js";

const MARKS = [0, 0.25, 0.5, 0.75, 1];

export function render({ model, el }) {
  const view = frame(model, el, "nearest_tokens");
  const axis = h("div", { class: "lv-axis", "aria-hidden": "true" }, barAxis(MARKS.map((v) => [v, v])));
  const read = () => ["cosines", "band"].map((name) => floats(model.get(name))?.data);
  const isInSum = (i) => model.get("marked").includes(i);
  const note = (i) => [`cosine ${number(read()[0][i])}`, isInSum(i) && "in the sum"];
  const bars = barRows(view, { name: "nearest tokens", note, parts: ["band", "bar", "value"] });
  view.body.append(bars.list, axis);
  return view.start(() => {
    const [cosines, band] = read();
    if (!cosines) return;
    view.root.classList.toggle("lv-stacked", view.width() < 520);
    bars.show((row, i) => {
      const [v, [low, high]] = [cosines[i], band.map((end) => clamp(end))];
      row.bar.style.width = row.value.style.left = `${100 * clamp(v)}%`;
      setText(row.value, minus(v.toFixed(2)) + (isInSum(i) ? ", in the sum" : ""));
      row.node.classList.toggle("lv-quiet", isInSum(i));
      Object.assign(row.band.style, { left: `${100 * low}%`, width: `${100 * (high - low)}%` });
    });
    const ends = [...band].map((end) => minus(end.toFixed(2)));
    const key = h("i", { class: "lv-key" });
    view.setLegend(
      "bar: cosine similarity",
      h("span", {}, key, ` band: 98% of all tokens, from ${ends[0]} to ${ends[1]}`),
      ...markLegend(model.get("pieces")),
    );
  });
}
