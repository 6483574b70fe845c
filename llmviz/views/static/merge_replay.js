// A word as a row of bytes, merged pair by pair into tokens. Python sent every step; here they are only shown.

import { chip, clamp, frame, h, markLegend, pieceNodes, player, reveal, setText, widest } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "merge_replay");
  const bar = player(view, { steps: () => model.get("sentences").length - 1, name: "merge step", pace: 750 });
  const tree = h("div", { class: "lv-tree", "aria-hidden": "true" });
  view.body.before(bar.node);
  view.body.append(tree);
  let drawn = {};
  let nodes = [];
  let tags = [];

  /** The parts that are there at a step: indices into spans, from left to right, and each part's parent if it has one by then. */
  const standing = (step) => {
    const spans = model.get("spans");
    const n = spans.length - (model.get("sentences").length - 1);
    const owner = new Map(); // first byte → part
    for (let i = 0; i < Math.min(spans.length, n + step); i++) {
      for (let byte = spans[i][0]; byte < spans[i][1]; byte++) owner.delete(byte);
      owner.set(spans[i][0], i);
    }
    return { roots: new Set(owner.values()), newest: step ? n + step - 1 : -1, n };
  };

  const layout = (width) => {
    const [spans, labels, ids] = [model.get("spans"), model.get("labels"), model.get("ids")];
    const n = model.get("characters").reduce((sum, [, bytes]) => sum + bytes, 0);
    const need = Math.max(46, ...spans.map(([from, to], i) => (widest(view, [labels[i]], 18) + 16) / (to - from)));
    const column = clamp(Math.floor((width - 8) / Math.max(1, n)), Math.ceil(need), 92);
    const levels = Math.max(0, ...spans.map((span) => span[2]));
    const HIGH = 50,
      GAP = 16,
      TAGS = 30;
    const top = (level) => (levels - level) * (HIGH + GAP) + 6;
    const ground = top(0) + HIGH;
    const place = (node, x, y, w, hgt) =>
      Object.assign(node.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${hgt}px` });
    const children = [];

    nodes = spans.map(([from, to, level], i) => {
      const node = chip(labels[i], ids[i], i);
      node.removeAttribute("role");
      place(node, from * column + 3, top(level), (to - from) * column - 6, HIGH);
      node.classList.add("lv-part");
      children.push(node);
      return node;
    });
    // A stem from the middle of each part up to whatever it was merged into.
    const stems = spans.map(([from, to, level], i) => {
      const above = spans.findIndex(([a, b], k) => k > i && a <= from && to <= b);
      if (above < 0) return null;
      const stem = h("div", { class: "lv-stem" });
      const y = top(spans[above][2]) + HIGH;
      place(stem, ((from + to) / 2) * column - 1, y, 2, top(level) - y);
      stem.parent = above;
      children.push(stem);
      return stem;
    });
    let byte = 0;
    for (const [label, bytes] of model.get("characters")) {
      const node = h("div", { class: "lv-character" }, h("bdi", { class: "lv-piece" }, pieceNodes(label)));
      place(node, byte * column + 3, ground + TAGS + 10, bytes * column - 6, 30);
      children.push(node);
      byte += bytes;
    }
    tags = Array.from({ length: Math.max(0, n - 1) }, (_, i) => {
      const node = h("div", { class: "lv-tag lv-aside" });
      place(node, (i + 0.5) * column + 1, ground + 6, column - 2, 24); // no tag covers the next
      children.push(node);
      return node;
    });
    Object.assign(tree.style, { width: `${n * column}px`, height: n ? `${ground + TAGS + 44}px` : "0" });
    tree.replaceChildren(...children);
    nodes.stems = stems;
  };

  return view.start(() => {
    const [step, spans, sentences] = [model.get("step"), model.get("spans"), model.get("sentences")];
    const [fresh, width] = [spans !== drawn.spans, view.width()]; // measured before anything is written
    if (fresh || width !== drawn.width) layout(width);
    const { roots, newest, n } = standing(step);
    const known = model.get("known")[step] ?? [];
    const lowest = Math.min(...known.map(([, id]) => id ?? Infinity));
    const at = known.findIndex(([, id]) => id === lowest && id !== null);
    const edges = known.map(([place]) => place);
    // the two parts that are merged next: they end and begin where the lowest id is
    const next = at < 0 ? -1 : edges[at];
    nodes.forEach((node, i) => {
      const exists = i < n + step;
      node.classList.toggle("lv-hidden", !exists);
      node.classList.toggle("lv-inner", exists && !roots.has(i));
      node.classList.toggle("lv-newest", i === newest);
      node.classList.toggle("lv-next", roots.has(i) && exists && (spans[i][1] === next || spans[i][0] === next));
      nodes.stems[i]?.classList.toggle("lv-hidden", nodes.stems[i].parent >= n + step);
    });
    const number = new Map(known);
    tags.forEach((tag, i) => {
      const here = number.has(i + 1);
      const id = here ? number.get(i + 1) : undefined;
      setText(tag, !here ? "" : id === null ? "–" : String(id));
      tag.classList.toggle("lv-lowest", here && i + 1 === next);
    });
    bar.show(step);
    view.note(sentences[step] ?? "");
    if (step !== drawn.step && nodes[newest]) {
      // a long word is wider than the page: follow what happens
      const { offsetLeft: left, offsetWidth: wide } = nodes[newest];
      reveal(view.body, left, left + wide);
    }
    view.setLegend(
      nodes.length > 0 && "below each pair: the id of its token (–: no such token); the lowest is merged next",
      nodes.length > 0 && "filled: just merged; tinted: merged next",
      ...markLegend(model.get("labels")),
    );
    drawn = { spans, step, width };
  });
}
