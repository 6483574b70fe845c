// Signed numbers as bars to both sides of zero, in panels side by side; a row without a number is only words.

import { h, markLegend, pieceNodes } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { clamp, floats, minus } from "./kit/numbers.js";

export function render({ model, el }) {
  const view = frame(model, el, "signed_bars");
  const panels = h("div", { class: "lv-panels", role: "group", tabindex: "0" });
  view.body.append(panels);
  return view.start(() => {
    const [titles, labels, words] = ["titles", "labels", "words"].map((name) => model.get(name));
    const values = floats(model.get("values"));
    if (!values || titles.length !== values.shape[0] || labels.length !== values.data.length) return;
    const n = values.shape[1];
    const rows = labels.map((name, i) => signedRow(name, values.data[i], model.get("limit"), words));
    panels.classList.toggle("lv-words", words);
    panels.replaceChildren(
      ...titles.map((title, p) =>
        h("div", { class: "lv-panel" }, h("div", { class: "lv-title" }, title), rows.slice(p * n, (p + 1) * n)),
      ),
    );
    view.setLegend(...markLegend(labels));
  });
}

function signedRow(name, v, limit, words) {
  if (Number.isNaN(v)) return h("div", { class: "lv-between" }, pieceNodes(name));
  const share = 50 * clamp(Math.abs(v) / limit);
  const place = `left:${v < 0 ? 50 - share : 50}%;width:${share}%`;
  return h(
    "div",
    { class: "lv-signed" },
    h("bdi", { class: `lv-of ${words ? "" : "lv-piece"}` }, pieceNodes(name)),
    h("span", { class: "lv-zero" }, h("span", { class: v < 0 ? "lv-down" : "lv-up", style: place })),
    h("span", { class: "lv-number" }, minus(`${v < 0 ? "" : "+"}${v.toFixed(2)}`)),
  );
}
