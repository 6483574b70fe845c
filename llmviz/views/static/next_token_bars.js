// The likeliest next tokens as bars; an outline shows what they were before.

import { barAxis, barRows, drawBar } from "./kit/bars.js";
import { h, markLegend, setText } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { count, floats, percent } from "./kit/numbers.js";

const MARKS = [0, 0.2, 0.4, 0.6, 0.8, 1];

export function render({ model, el }) {
  const view = frame(model, el, "next_token_bars");
  const axis = h("div", { class: "lv-axis", "aria-hidden": "true" });
  const read = () => ["probs", "before"].map((name) => floats(model.get(name))?.data);
  const note = (i) => {
    const [probs = [], before] = read();
    return [`probability ${percent(probs[i])}`, before && `before ${percent(before[i])}`];
  };
  const bars = barRows(view, { name: "next tokens", note, parts: ["ghost", "bar", "value"] });
  view.body.append(bars.list, axis);
  return view.start(() => {
    const [probs = [], before] = read();
    const full = model.get("axis_max");
    bars.show((row, i) => {
      drawBar(row, probs[i] / full, before ? before[i] / full : null);
      setText(row.value, percent(probs[i]));
    });
    if (view.changed("axis_max"))
      axis.replaceChildren(...barAxis(MARKS.map((part) => [part, `${Number((100 * part * full).toPrecision(3))}%`])));
    const n = model.get("n_rest");
    view.setLegend(
      n > 0 && `${percent(model.get("rest"))} for ${count(n)} other tokens`,
      before && `outline: ${model.get("before_label")}`,
      ...markLegend(model.get("pieces")),
    );
  });
}
