// Signed numbers as bars to both sides of zero, in panels side by side.

import { h, isPiece, markLegend, pieceNodes } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { floats } from "./kit/numbers.js";
import { signedBar } from "./kit/signed.js";

export function render({ model, el }) {
  const view = frame(model, el, "signed_bars");
  const panels = h("div", { class: "lv-panels" });
  view.body.append(panels);
  return view.start(() => {
    const [titles, labels, limit] = ["titles", "labels", "limit"].map((name) => model.get(name));
    const values = floats(model.get("values"));
    if (!values || titles.length !== values.shape[0] || labels.length !== values.data.length) return;
    const n = values.shape[1];
    const rows = labels.map((label, i) => {
      const name = h("bdi", { class: `lv-label ${isPiece(label) ? "lv-piece" : ""}` }, pieceNodes(label));
      return h("div", { class: "lv-measures" }, name, signedBar(values.data[i], [-limit, limit]));
    });
    panels.replaceChildren(
      ...titles.map((title, p) =>
        h("div", { class: "lv-panel" }, h("div", { class: "lv-title" }, title), rows.slice(p * n, (p + 1) * n)),
      ),
    );
    view.setLegend(...markLegend(labels));
  });
}
