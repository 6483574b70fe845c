// A vocabulary in training. Python sent which merge joins which bytes; here the slider only picks how many are done.

import { axisAtLeft, axisBelow } from "./kit/axes.js";
import { chip, chipOnNextLine, noOption, selectChip } from "./kit/chips.js";
import { exchange, h, keyed, markLegend, pieceNodes, s, setAttributes } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { indexUnder, listKeys, onKeys } from "./kit/input.js";
import { curve, dot } from "./kit/marks.js";
import { count } from "./kit/numbers.js";
import { player } from "./kit/player.js";
import { areaIn } from "./kit/plot.js";
import { scale } from "./kit/scales.js";

const HIGH = 300; // pixels of the curve

export function render({ model, el }) {
  const view = frame(model, el, "bpe_training");
  const bar = player(view, { steps: () => model.get("tokens").length, name: "merges", pace: 450 });
  const text = keyed("group", "lv-text", "the text in tokens");
  const growth = drawCurve(model);
  const vocabulary = keyed("listbox", "lv-chips lv-vocabulary", "the tokens learned so far");
  let chips = [];
  let parts = new Map(); // "first byte-last byte" → the node that shows it; after a newline, its byte → the end of a line
  const headed = (heading, ...content) => h("div", {}, h("div", { class: "lv-aside" }, heading), content);
  view.body.before(bar.node);
  const beside = [headed("The text in tokens", text), headed("Length of the text (tokens)", growth.svg)];
  const learned = headed("Learned so far, in order: id · how often the pair occurred", vocabulary);
  view.body.append(h("div", { class: "lv-side" }, beside), learned);

  const current = () => model.get("chosen") ?? model.get("step") - 1;
  const move = (to) => {
    if (to >= 0 && to < model.get("step")) view.set({ chosen: to });
  };
  vocabulary.addEventListener("click", (event) => {
    const index = indexUnder(event) ?? -1;
    if (index === model.get("chosen")) view.set({ chosen: null });
    else move(index);
  });
  const toLine = (by) => () =>
    chips.length && move(Math.min(chipOnNextLine(chips, Math.max(0, current()), by), model.get("step") - 1));
  onKeys(vocabulary, {
    ...listKeys(move, current, () => model.get("step")),
    ArrowDown: toLine(1),
    ArrowUp: toLine(-1),
  });

  // Most parts stay as they are from one step to the next: only the others are taken out and put in.
  const drawText = (step, marked) => {
    const [bytes, mergedAt, labels] = [model.get("bytes"), model.get("merged_at"), model.get("labels")];
    const now = new Map();
    let from = 0;
    bytes.forEach((byte, i) => {
      if (i < bytes.length - 1 && mergedAt[i] && mergedAt[i] <= step) return;
      const key = bytes.slice(from, i + 1).join(",");
      const part = parts.get(`${from}-${i}`) ?? h("span", { class: "lv-part" }, pieceNodes(labels[key] ?? key));
      part.classList.toggle("lv-on", key === marked);
      part.classList.toggle("lv-merged", key !== marked && i > from);
      now.set(`${from}-${i}`, part);
      if (byte === 10) now.set(i, parts.get(i) ?? h("br")); // a line ends after a newline's part
      from = i + 1;
    });
    exchange(text, [...parts.values()], [...now.values()]);
    parts = now;
  };
  const begin = () => {
    const [tokens, labels, counts] = [model.get("tokens"), model.get("labels"), model.get("counts")];
    const about = (i) => `${count(model.get("n_start") + i)} · ${count(counts[i])}×`;
    chips = tokens.map((key, i) => chip(labels[key] ?? key, about(i), i));
    vocabulary.replaceChildren(...chips, noOption("nothing learned yet"));
    parts = new Map();
    text.replaceChildren(...(model.get("bytes").length ? [] : [h("span", { class: "lv-empty" }, "no text yet")]));
    growth.drawAxes();
  };

  return view.start(() => {
    const [step, tokens, chosen] = [model.get("step"), model.get("tokens"), model.get("chosen")];
    if (view.changed("tokens", "labels", "counts", "bytes", "n_parts")) begin();
    [...chips, vocabulary.lastChild].forEach((node, i) => {
      const hidden = chips[i] ? i >= step : step > 0;
      if (node.hidden !== hidden) node.hidden = hidden;
    });
    const on = chosen !== null && chosen < step ? chosen : step - 1;
    drawText(step, tokens[on]);
    growth.show(step);
    bar.show(step);
    view.note(model.get("sentences")[step]);
    view.setLegend(
      "filled: the token you chose below, or the newest; tinted: the other learned tokens",
      ...markLegend(Object.values(model.get("labels"))),
    );
    selectChip(vocabulary, chips, on);
  });
}

/** The length of the text after each merge. `show` draws the line so far, with a dot and a number at its end. */
function drawCurve(model) {
  const [axes, done] = ["axes", "done"].map((kind) => s("g", { class: `lv-${kind}` }));
  const svg = s("svg", { class: "lv-drawing", "aria-hidden": "true" }, axes, done);
  let points = []; // after 0, 1, … merges
  const drawAxes = () => {
    const [lengths, start] = [model.get("n_parts"), model.get("n_start")];
    const [width, last] = [svg.parentElement.clientWidth || 340, start + lengths.length - 1];
    const area = areaIn(width, HIGH, { left: 52, right: 20, top: 12, bottom: 46 });
    const x = scale([start, last], [area.left, area.right]);
    const y = scale([0, lengths[0]], [area.bottom, area.top]);
    const marks = (values, at) => values.map((v) => [at(v), count(v), v]);
    points = lengths.map((v, i) => [x(start + i), y(v)]);
    setAttributes(svg, { width, height: HIGH, viewBox: `0 0 ${width} ${HIGH}` });
    axes.replaceChildren(
      ...axisAtLeft(area, marks([0, lengths[0]], y), ""),
      ...axisBelow(area, marks([...new Set([start, last])], x), "size of the vocabulary (tokens)"),
      curve(points, { class: "lv-flow", "stroke-width": 2 }),
    );
  };
  const show = (step) => {
    if (!points[step]) return;
    const [[x, y], isRight] = [points[step], step > (points.length - 1) * 0.6];
    const length = step ? count(model.get("n_parts")[step]) : ""; // at 0, the axis says it
    const place = { x: x + (isRight ? -4 : 8), y: Math.max(y - 12, 17), "text-anchor": isRight ? "end" : "start" };
    done.replaceChildren(
      curve(points.slice(0, step + 1), { class: "lv-flow", "stroke-width": 3 }),
      dot(x, y, 6, { class: "lv-tip" }),
      s("text", { class: "lv-here lv-strong", ...place }, length),
    );
  };
  return { svg, drawAxes, show };
}
