// A vocabulary in training. Python sent which merge joins which bytes; here the slider only picks how many are done.

import {
  axisText,
  chip,
  chipOnNextLine,
  count,
  frame,
  h,
  indexUnder,
  keyed,
  listKeys,
  markLegend,
  noOption,
  onKeys,
  pieceNodes,
  player,
  s,
  selectChip,
  setAttributes,
  setText,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "bpe_training");
  const bar = player(view, { steps: () => model.get("tokens").length, name: "merges", pace: 450 });
  const text = keyed("group", "lv-text", "the text in tokens");
  const curve = s("svg", { class: "lv-drawing", "aria-hidden": "true" });
  const vocabulary = keyed("listbox", "lv-chips lv-vocabulary", "the tokens learned so far");
  let drawn = {};
  let chips = [];
  let parts = new Map(); // "first byte-last byte" → the nodes that show it
  view.body.before(bar.node);
  view.body.append(
    h(
      "div",
      { class: "lv-side" },
      h("div", { class: "lv-half" }, h("div", { class: "lv-head lv-aside" }, "The text in tokens"), text),
      h("div", { class: "lv-half" }, h("div", { class: "lv-head lv-aside" }, "Length of the text (tokens)"), curve),
    ),
    h("div", { class: "lv-head lv-aside" }, "Learned so far, in order: id · how often the pair occurred"),
    vocabulary,
  );

  const choose = (index) => {
    if (index < 0 || index >= model.get("step")) return;
    view.set({ chosen: index === model.get("chosen") ? null : index });
  };
  const current = () => model.get("chosen") ?? model.get("step") - 1;
  vocabulary.addEventListener("click", (event) => {
    const index = indexUnder(event);
    if (index !== undefined) choose(index);
  });
  const move = (to) => {
    if (to >= 0 && to < model.get("step")) view.set({ chosen: to });
  };
  onKeys(vocabulary, {
    ...listKeys(move, current, () => model.get("step")),
    ArrowDown: () =>
      chips.length && move(Math.min(chipOnNextLine(chips, Math.max(0, current()), 1), model.get("step") - 1)),
    ArrowUp: () => chips.length && move(chipOnNextLine(chips, Math.max(0, current()), -1)),
  });

  const makePart = (label, ends) => {
    const inner = h("span", {}, pieceNodes(label));
    return { inner, outer: ends ? h("span", {}, inner, h("br")) : inner }; // a line ends after a newline's part
  };
  const drawText = (step, marked) => {
    const [bytes, mergedAt, labels] = [model.get("bytes"), model.get("merged_at"), model.get("labels")];
    // Most parts stay as they are from one step to the next: only the others are taken out and put in.
    if (bytes !== drawn.bytes || labels !== drawn.labels) {
      parts = new Map();
      text.replaceChildren();
    }
    const now = new Map();
    let from = 0;
    bytes.forEach((_, i) => {
      if (i < bytes.length - 1 && mergedAt[i] && mergedAt[i] <= step) return;
      const place = `${from}-${i}`;
      const key = bytes.slice(from, i + 1).join(",");
      const kind = key === marked ? "lv-part lv-on" : i > from ? "lv-part lv-merged" : "lv-part";
      const part = parts.get(place) ?? makePart(labels[key] ?? key, bytes[i] === 10);
      if (part.inner.className !== kind) part.inner.className = kind;
      now.set(place, part);
      from = i + 1;
    });
    for (const [place, part] of parts) if (!now.has(place)) part.outer.remove();
    let next = text.firstChild;
    for (const { outer } of now.values()) {
      if (outer === next) next = next.nextSibling;
      else text.insertBefore(outer, next);
    }
    parts = now;
    if (!bytes.length) text.replaceChildren(h("span", { class: "lv-empty" }, "no text yet"));
  };

  // The axes stay; the slider moves only the line so far, its dot and its number.
  const [done, dot, here] = [
    s("polyline", { class: "lv-done" }),
    s("circle", { class: "lv-dot", r: 6 }),
    s("text", { class: "lv-here" }),
  ];
  let points = []; // [x, y] after 0, 1, … merges
  const drawAxes = (width) => {
    const n = model.get("n_parts");
    const [H, L, R, T, B] = [300, 52, 14, 12, 46];
    const last = Math.max(1, n.length - 1);
    const x = (i) => L + (i / last) * (width - L - R);
    const y = (v) => H - B - (v / Math.max(1, n[0])) * (H - T - B);
    points = n.map((v, i) => [x(i).toFixed(1), y(v).toFixed(1)]);
    setAttributes(curve, { width, height: H, viewBox: `0 0 ${width} ${H}` });
    const tick = (at, label) => axisText(x(at), H - B + 20, label, at ? "end" : "start");
    curve.replaceChildren(
      s("line", { class: "lv-axisline", x1: L, x2: width - R, y1: H - B, y2: H - B }),
      s("line", { class: "lv-axisline", x1: L, x2: L, y1: T, y2: H - B }),
      axisText(L - 7, y(n[0]) + 5, count(n[0]), "end"),
      axisText(L - 7, y(0) + 5, "0", "end"),
      tick(0, count(model.get("n_start"))),
      ...(n.length > 1 ? [tick(n.length - 1, count(model.get("n_start") + n.length - 1))] : []),
      axisText((L + width - R) / 2, H - 6, "size of the vocabulary (tokens)"),
      s("polyline", { class: "lv-later", points: points.join(" ") }),
      done,
      dot,
      here,
    );
  };
  const drawCurve = (step) => {
    if (!points[step]) return;
    const [[x, y], right] = [points[step], step > (points.length - 1) * 0.6];
    done.setAttribute("points", points.slice(0, step + 1).join(" "));
    setAttributes(dot, { cx: x, cy: y });
    setAttributes(here, {
      x: Number(x) + (right ? -4 : 8),
      y: Math.max(y - 12, 17),
      "text-anchor": right ? "end" : "start",
    });
    setText(here, step ? count(model.get("n_parts")[step]) : ""); // at 0, the axis says it
  };

  return view.start(() => {
    const [step, tokens, chosen] = [model.get("step"), model.get("tokens"), model.get("chosen")];
    const [labels, counts, nStart] = [model.get("labels"), model.get("counts"), model.get("n_start")];
    // Asked for only where the page has another width: to ask has the page laid out.
    const across = view.width();
    const width = across === drawn.across ? drawn.width : curve.parentElement.clientWidth || 340;
    if (tokens !== drawn.tokens) {
      chips = tokens.map((key, i) => chip(labels[key] ?? key, `${count(nStart + i)} · ${count(counts[i])}×`, i));
      vocabulary.replaceChildren(...chips, noOption("nothing learned yet"));
    }
    chips.forEach((node, i) => {
      if (node.hidden !== i >= step) node.hidden = i >= step;
    });
    if (vocabulary.lastChild.hidden !== step > 0) vocabulary.lastChild.hidden = step > 0;
    const on = chosen !== null && chosen < step ? chosen : step - 1;
    drawText(step, tokens[on]);
    const nParts = model.get("n_parts");
    if (nParts !== drawn.nParts || width !== drawn.width) drawAxes(width);
    drawCurve(step);
    bar.show(step);
    view.note(model.get("sentences")[step] ?? "");
    view.setLegend(
      "filled: the token you chose below, or the newest; tinted: the other learned tokens",
      ...markLegend(Object.values(labels)),
    );
    selectChip(vocabulary, chips, on);
    drawn = { tokens, labels, bytes: model.get("bytes"), nParts, across, width };
  });
}
