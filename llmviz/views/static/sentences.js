// Sentences under a picture, a line each, as text.

import { h } from "./kit/elements.js";

export function render({ model, el }) {
  const box = h("div", { class: "lv-sized lv-sentences", role: "status" });
  const show = () => box.replaceChildren(...model.get("sentences").map((sentence) => h("div", {}, sentence)));
  el.replaceChildren(box);
  show();
  model.on("change:sentences", show);
  return () => model.off("change:sentences", show);
}
