// A sum and its terms: each bar begins where the one above it ends; a term that is a sum opens with a click.

import { h, markLegend, pieceNodes } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { floats } from "./kit/numbers.js";
import { signedBar } from "./kit/signed.js";

export function render({ model, el }) {
  const view = frame(model, el, "sum_bar");
  const list = h("div", { role: "group" });
  view.body.append(list);
  return view.start(() => {
    const [values, starts] = ["values", "starts"].map((name) => floats(model.get(name))?.data);
    const [labels, levels, opens] = ["labels", "levels", "opens"].map((name) => model.get(name));
    if (!values || [starts, labels, levels, opens].some((trait) => trait?.length !== values.length)) return;
    const ends = [0, ...starts, ...starts.map((from, i) => from + values[i])];
    const range = [Math.min(...ends), Math.max(...ends)];
    const focused = [...list.children].indexOf(document.activeElement);
    const terms = labels.map((label, i) => {
      const sign = h("span", { class: "lv-sign", "aria-hidden": "true" }, ["", "▸", "▾"][opens[i]]);
      const name = h("bdi", {}, pieceNodes(label));
      const indented = h("span", { class: "lv-label", style: `padding-left:${1.1 * levels[i]}em` }, sign, name);
      const row = [indented, signedBar(values[i], range, starts[i])];
      if (!opens[i]) return h("div", { class: "lv-measures lv-term" }, row);
      const onclick = () => view.set({ selected: i });
      const isOpen = String(opens[i] === 2);
      return h(
        "button",
        { class: "lv-measures lv-term lv-choice", type: "button", "aria-expanded": isOpen, onclick },
        row,
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
