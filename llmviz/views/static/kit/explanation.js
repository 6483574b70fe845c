// The panel that says where a number comes from.

import { h } from "./elements.js";

export function drawExplanation(view) {
  const explanation = view.model.get("explanation");
  if (explanation === view.explained) return;
  view.explained = explanation;
  view.panel.hidden = !explanation;
  if (!explanation) return view.panel.replaceChildren();
  const close = () => {
    view.set({ asked: null });
    view.body.querySelector("[tabindex='0']")?.focus();
  };
  const operands = explanation.operands.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  const look = { type: "button", class: "lv-close", "aria-label": "Close the explanation" };
  view.panel.replaceChildren(
    h("div", { class: "lv-explain-title" }, explanation.title, h("button", { ...look, onclick: close }, "×")),
    h("div", { class: "lv-formula" }, explanation.formula),
    h("dl", {}, operands),
    h("div", { class: "lv-line" }, h("code", {}, explanation.line), h("b", {}, ` = ${explanation.result}`)),
  );
}
