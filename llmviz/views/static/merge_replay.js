// A word as a row of bytes, merged pair by pair into tokens. Python sent every step; here they are only shown.

import { widest } from "./kit/canvas.js";
import { arrow, box, diagram } from "./kit/diagram.js";
import { h, markLegend, pieceNodes, setText } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { reveal } from "./kit/input.js";
import { clamp } from "./kit/numbers.js";
import { player } from "./kit/player.js";

const [HIGH, APART, TAG] = [50, 16, 24]; // pixels: of a part, between two levels, and of the number below a pair

export function render({ model, el }) {
  const view = frame(model, el, "merge_replay");
  const bar = player(view, { steps: () => model.get("sentences").length - 1, name: "merge step", pace: 750 });
  view.body.before(bar.node);
  const tree = diagram(view, { "aria-hidden": "true" });
  let [parts, stems, tags] = [[], [], []];

  const layOut = (width) => {
    const [spans, labels, ids, known] = ["spans", "labels", "ids", "known"].map((trait) => model.get(trait));
    const bytes = model.get("characters").flatMap(([label, n]) => [[label, n], ...Array(n - 1).fill(null)]);
    const numbers = known.flat().map(([, id]) => String(id));
    const needed = spans.map(([from, to], i) => (widest(view, [labels[i]], 18) + 16) / (to - from));
    const least = Math.max(46, widest(view, numbers, 14, "ui") + 2, ...needed);
    const column = clamp(Math.floor((width - 8) / Math.max(1, bytes.length)), Math.ceil(least), 92);
    const levels = Math.max(0, ...spans.map((span) => span[2]));
    const top = (level) => (levels - level) * (HIGH + APART) + 6;
    const below = top(0) + HIGH + 6;
    const piece = (label) => h("bdi", { class: "lv-piece" }, pieceNodes(label));
    const area = (from, to, y, high) => [from * column + 3, y, (to - from) * column - 6, high];
    parts = spans.map(([from, to, level], i) => {
      const id = h("span", { class: "lv-aside" }, ids[i]);
      return box("lv-part", area(from, to, top(level), HIGH), piece(labels[i]), id);
    });
    // A stem from the middle of each part up to whatever it is merged into.
    stems = spans.map(([from, to, level], i) => {
      const parent = spans.findIndex(([a, b], k) => k > i && a <= from && to <= b);
      if (parent < 0) return null;
      const y = top(spans[parent][2]) + HIGH;
      const [line] = arrow(`M${((from + to) / 2) * column} ${y}V${top(level)}`, "", { wide: 2 });
      return { parent, line };
    });
    // No tag covers the next.
    const tagArea = (i) => [(i + 0.5) * column + 1, below, column - 2, TAG];
    tags = bytes.slice(1).map((_, i) => box("lv-bare lv-tag lv-aside", tagArea(i), h("span")));
    const letter = ([label, n], i) => box("lv-character", area(i, i + n, below + TAG + 10, 30), piece(label));
    const letters = bytes.flatMap((one, i) => (one ? [letter(one, i)] : []));
    const lines = stems.flatMap((stem) => stem?.line ?? []);
    tree.show(bytes.length * column, bytes.length ? below + TAG + 44 : 0, lines, [...parts, ...tags, ...letters]);
  };

  return view.start(() => {
    const [step, spans, sentences] = [model.get("step"), model.get("spans"), model.get("sentences")];
    if (view.changed("spans")) layOut(view.width());
    const n = spans.length - (sentences.length - 1) + step; // so many parts there are by now
    const isMerged = (i) => i < n && stems[i]?.parent < n;
    const newest = step ? n - 1 : -1;
    const known = new Map(model.get("known")[step]);
    // The two parts that are merged next end and begin where the lowest id is.
    const lowest = Math.min(...[...known.values()].map((id) => id ?? Infinity));
    const next = [...known].find(([, id]) => id === lowest)?.[0];
    parts.forEach((part, i) => {
      part.classList.toggle("lv-hidden", i >= n);
      part.classList.toggle("lv-inner", isMerged(i));
      part.classList.toggle("lv-newest", i === newest);
      part.classList.toggle("lv-solid", i === newest);
      part.classList.toggle("lv-next", i < n && !isMerged(i) && spans[i].slice(0, 2).includes(next));
      stems[i]?.line.classList.toggle("lv-hidden", stems[i].parent >= n);
    });
    tags.forEach((tag, i) => {
      setText(tag.firstChild, known.has(i + 1) ? String(known.get(i + 1) ?? "–") : "");
      tag.classList.toggle("lv-lowest", i + 1 === next);
    });
    bar.show(step);
    view.note(sentences[step]);
    // A long word is wider than the page: follow what happens.
    if (parts[newest])
      reveal(view.body, parts[newest].offsetLeft, parts[newest].offsetLeft + parts[newest].offsetWidth);
    view.setLegend(
      parts.length > 0 && "below each pair: the id of its token (–: no such token); the lowest is merged next",
      parts.length > 0 && "filled: just merged; tinted: merged next",
      ...markLegend(model.get("labels")),
    );
  });
}
