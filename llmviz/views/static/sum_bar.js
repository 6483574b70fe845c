// A sum and its terms: each bar begins where the one above it ends; a term that is a sum opens with a click.

import { measure } from "./kit/diagram.js";
import { h, markLegend, pieceNodes } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { floats, minus } from "./kit/numbers.js";

export function render({ model, el }) {
  const view = frame(model, el, "sum_bar");
  const list = h("div", { role: "group" });
  view.body.append(list);
  return view.start(() => {
    const [values, starts] = ["values", "starts"].map((name) => floats(model.get(name))?.data);
    const [labels, levels, opens] = ["labels", "levels", "opens"].map((name) => model.get(name));
    if (!values || [starts, labels, levels, opens].some((trait) => trait?.length !== values.length)) return;
    const ends = [0, ...starts, ...starts.map((from, i) => from + values[i])];
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const at = (v) => (v - low) / (high - low || 1);
    const focused = [...list.children].indexOf(document.activeElement);
    const terms = labels.map((label, i) => {
      const { node, show } = measure();
      const side = values[i] < 0 ? "lv-down" : "lv-up";
      const text = minus(`${values[i] < 0 ? "" : "+"}${values[i].toFixed(2)}`);
      show({ from: at(starts[i]), to: at(starts[i] + values[i]), origin: at(0), side, text });
      const kind = ["", "lv-choice", "lv-choice lv-open"][opens[i]];
      const button = opens[i] && {
        type: "button",
        "aria-expanded": String(opens[i] === 2),
        onclick: () => view.set({ selected: i }),
      };
      return h(
        button ? "button" : "div",
        { class: `lv-measures lv-term ${kind}`, ...button },
        h(
          "span",
          { class: "lv-label", style: `padding-left:${1.1 * levels[i]}em` },
          h("span", { class: "lv-sign", "aria-hidden": "true" }, ["", "▸", "▾"][opens[i]]),
          h("bdi", {}, pieceNodes(label)),
        ),
        node,
      );
    });
    list.replaceChildren(...terms);
    if (focused >= 0) list.children[Math.min(focused, labels.length - 1)].focus();
    view.setLegend(
      "each bar begins where the one above it ends",
      "blue adds, orange takes away",
      ...markLegend(labels),
    );
  });
}
