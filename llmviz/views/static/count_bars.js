// Counts of several things as bars, with an outline to compare each with.

import { barRows, drawBar } from "./kit/bars.js";
import { widest } from "./kit/canvas.js";
import { h, setText } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { count } from "./kit/numbers.js";

export function render({ model, el }) {
  const view = frame(model, el, "count_bars");
  const bars = barRows(view, { name: "counts", labels: "labels", parts: ["ghost", "bar", "value"] });
  view.body.append(bars.list);
  return view.start(() => {
    const [labels, counts, before, notes] = ["labels", "counts", "before", "notes"].map((name) => model.get(name));
    const [label, note] = [widest(view, labels, 18) + 18, widest(view, notes, 14, "ui") + 56];
    const isStacked = view.root.classList.toggle("lv-stacked", label + note > 0.75 * view.width());
    bars.list.style.setProperty("--lv-values", `clamp(8em, ${note}px, 100% - 40px)`);
    bars.list.style.setProperty("--lv-labels", isStacked ? "" : `clamp(90px, ${label}px, 40%)`);
    const full = model.get("high") ?? Math.max(1, ...counts, ...(before ?? []));
    bars.show((row, i) => {
      drawBar(row, (counts[i] ?? 0) / full, before && (before[i] ?? 0) / full);
      if (!row.value.firstChild) row.value.append(h("b"), " ", h("span", { class: "lv-aside" }));
      setText(row.value.firstChild, count(counts[i] ?? 0));
      setText(row.value.lastChild, notes[i] ?? "");
    });
    view.setLegend(before && `outline: ${model.get("before_label")}`);
  });
}
