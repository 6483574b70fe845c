// Counts of several things as bars, with an outline to compare each with.

import { barRows, clamp, count, frame, h, setText, widest } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "count_bars");
  const bars = barRows(view, { name: "counts", labels: "labels", tell: () => {}, parts: ["ghost", "bar", "value"] });
  view.body.append(bars.list);

  return view.start(() => {
    const [counts, before, notes] = ["counts", "before", "notes"].map((name) => model.get(name));
    const longest = Math.max(0, ...notes.map((note) => note.length)); // room for it beside the longest bar
    bars.list.style.setProperty("--lv-values", `${clamp(3 + 0.5 * longest, 8, 30)}em`);
    bars.list.style.setProperty(
      "--lv-labels",
      `clamp(90px, ${Math.ceil(widest(view, model.get("labels"), 18)) + 18}px, 40%)`,
    );
    view.root.classList.toggle("lv-narrow", view.width() < 480);
    const full = model.get("high") ?? Math.max(1, ...counts, ...(before ?? []));
    bars.show((row, i) => {
      const [n, was] = [counts[i] ?? 0, before?.[i] ?? 0];
      row.bar.style.width = `${(100 * n) / full}%`;
      row.ghost.hidden = !before;
      row.ghost.style.width = `${(100 * was) / full}%`;
      row.value.style.left = `${(100 * Math.max(n, was)) / full}%`;
      if (!row.value.firstChild) row.value.append(h("b"), " ", h("span", { class: "lv-aside" }));
      setText(row.value.firstChild, count(n));
      setText(row.value.lastChild, notes[i] ?? "");
    });
    view.setLegend(before && `outline: ${model.get("before_label")}`);
  });
}
