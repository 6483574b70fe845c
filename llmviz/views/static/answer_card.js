// A card to keep: a question, the answer before the training, and the answer after it. Made to be saved and sent.

import { h } from "./kit/elements.js";
import { frame } from "./kit/frame.js";

export function render({ model, el }) {
  const view = frame(model, el, "answer_card");
  const turns = h("div", { class: "lv-turns" });
  view.body.append(turns);
  const turn = (kind, who, words) =>
    h("div", {}, h("div", { class: "lv-aside" }, who), h("div", { class: `lv-words lv-${kind}`, dir: "auto" }, words));
  return view.start(() => {
    const after = model.get("after");
    turns.replaceChildren(
      turn("question lv-strong", "Question", model.get("question")),
      turn("before", "Before fine-tuning", model.get("before")),
      turn(
        "after",
        `After learning from ${model.get("learned")}`,
        after.map((part, i) => (i % 2 ? h("mark", {}, part) : part)),
      ),
      h("div", { class: "lv-aside" }, model.get("about")),
    );
    view.setLegend(
      after.length > 1 && h("span", {}, h("mark", {}, "bold, underlined"), ": a word of the style"),
      [model.get("before"), after.at(-1)].some((text) => text?.endsWith("…")) && "…: the answer goes on",
    );
  });
}
