// Signed numbers as bars to both sides of zero, in panels side by side; a row without a number is only words.

import { clamp, floats, frame, h, markLegend, minus, pieceNodes } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "signed_bars");
  const panels = h("div", { class: "lv-panels", role: "group", tabindex: "0" });
  view.body.append(panels);
  return view.start(() => {
    const [values, titles, labels] = [floats(model.get("values")), model.get("titles"), model.get("labels")];
    if (!values || titles.length !== values.shape[0] || labels.length !== values.data.length) return;
    const [n, limit] = [values.shape[1], model.get("limit")];
    panels.classList.toggle("lv-words", model.get("words"));
    panels.replaceChildren(
      ...titles.map((title, p) =>
        h(
          "div",
          { class: "lv-panel" },
          h("div", { class: "lv-title" }, title),
          ...Array.from({ length: n }, (_, i) => {
            const [v, name] = [values.data[p * n + i], labels[p * n + i]];
            if (Number.isNaN(v)) return h("div", { class: "lv-between" }, pieceNodes(name));
            const share = 50 * clamp(Math.abs(v) / limit);
            const place = v < 0 ? `left:${50 - share}%;width:${share}%` : `left:50%;width:${share}%`;
            return h(
              "div",
              { class: "lv-signed" },
              h("bdi", { class: `lv-of ${model.get("words") ? "" : "lv-piece"}` }, pieceNodes(name)),
              h("span", { class: "lv-zero" }, h("span", { class: v < 0 ? "lv-down" : "lv-up", style: place })),
              h("span", { class: "lv-number" }, minus(`${v < 0 ? "" : "+"}${v.toFixed(2)}`)),
            );
          }),
        ),
      ),
    );
    view.setLegend(...markLegend(labels));
  });
}
