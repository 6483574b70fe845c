// A sum and its terms: each bar begins where the one above it ends; a term that is a sum opens with a click.

import { floats, frame, h, markLegend, minus, pieceNodes } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "sum_bar");
  const list = h("div", { class: "lv-terms", role: "group" });
  view.body.append(list);
  return view.start(() => {
    const [values, starts] = ["values", "starts"].map((name) => floats(model.get(name))?.data);
    const [labels, levels, opens] = ["labels", "levels", "opens"].map((name) => model.get(name));
    if (!values || [starts, labels, levels, opens].some((one) => one?.length !== values.length)) return;
    const ends = [0, ...starts, ...starts.map((from, i) => from + values[i])];
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const at = (v) => (100 * (v - low)) / (high - low || 1);
    const focused = [...list.children].indexOf(document.activeElement);
    list.replaceChildren(
      ...labels.map((label, i) => {
        const [from, to] = [starts[i], starts[i] + values[i]].toSorted((a, b) => a - b);
        const side = values[i] < 0 ? "down" : "up";
        return h(
          opens[i] ? "button" : "div",
          {
            class: `lv-term${opens[i] === 2 ? " lv-open" : ""}`,
            type: opens[i] ? "button" : null,
            "aria-expanded": opens[i] ? String(opens[i] === 2) : null,
            style: `--lv-level:${levels[i]}`,
            onclick: opens[i] ? () => view.set({ selected: i }) : null,
          },
          h(
            "span",
            { class: "lv-of" },
            h("span", { class: "lv-sign", "aria-hidden": "true" }, ["", "▸", "▾"][opens[i]]),
            h("bdi", {}, pieceNodes(label)),
          ),
          h(
            "span",
            { class: "lv-track" },
            h("span", { class: "lv-zero", style: `left:${at(0)}%` }),
            h("span", { class: `lv-bar lv-${side}`, style: `left:${at(from)}%;width:${at(to) - at(from)}%` }),
          ),
          h("span", { class: "lv-number" }, minus(`${values[i] < 0 ? "" : "+"}${values[i].toFixed(2)}`)),
        );
      }),
    );
    if (focused >= 0) list.children[Math.min(focused, labels.length - 1)].focus();
    view.setLegend(
      "each bar begins where the one above it ends",
      "blue adds, orange takes away",
      ...markLegend(labels),
    );
  });
}
