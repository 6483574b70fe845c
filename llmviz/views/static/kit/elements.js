// Elements and the texts in them. Text is only ever set as text, so what a reader typed cannot become markup.

import { KIT } from "../theme.js";

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** The parts of a piece; Python has put each stand-in for white space or a control between \x01 and \x02. */
const partsOf = (marked, stand) =>
  marked
    .split(/\x01([^\x02]*)\x02/)
    .map((part, i) => (i % 2 ? stand(part) : part))
    .filter((part) => part !== "");
export const pieceNodes = (marked) => partsOf(marked, (mark) => h("span", { class: "lv-mark" }, mark));

/** Words and numbers are not pieces, so they are not in monospace. */
export const isPiece = (marked) => !/^[\d.]+$|\S \S/.test(marked);

/** A piece as SVG text; a right-to-left one is anchored at its own other end. */
export function pieceText(marked, { anchor = "start", ...attributes }) {
  const rtl = /^[^A-Za-z\u00c0-\u058f]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(marked);
  const look = {
    "text-anchor": rtl ? { start: "end", end: "start", middle: "middle" }[anchor] : anchor,
    direction: rtl ? "rtl" : null,
    ...attributes,
    class: `${isPiece(marked) ? "lv-piece" : "lv-name"} ${attributes.class ?? ""}`,
  };
  const paler = (mark) => s("tspan", { "fill-opacity": 0.75 }, mark);
  return s("text", look, partsOf(marked, paler));
}
export const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** At most n characters as a reader counts them. */
export function shorten(marked, n) {
  if (marked.length <= n) return marked; // most are, and counting takes time
  const units = marked
    .split(/(\x01[^\x02]*\x02)/)
    .flatMap((part) => (part.startsWith("\x01") ? [part] : [...GRAPHEMES.segment(part)].map(({ segment }) => segment)));
  return units.length <= n ? marked : `${units.slice(0, n - 1).join("")}…`;
}
export const plain = (marked) => marked.replace(/[\x01\x02]/g, "");
export const quoted = (marked) => `\u201c\u2068${plain(marked)}\u2069\u201d`; // so that Hebrew does not turn the sentence around it

/** "· space   ⏎ new line", for the marks that occur in these pieces. */
export function markLegend(pieces) {
  const found = new Set(pieces.join("").match(/\x01[^\x02]+\x02/g) ?? []);
  return Object.entries(KIT.marks)
    .filter(([mark]) => found.has(`\x01${mark}\x02`))
    .map(([mark, name]) => h("span", {}, h("b", { class: "lv-piece" }, mark), ` ${name}`));
}

/** Set what is another value than before: setting the same one could lay out the page. */
export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes))
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};
export function setPiece(node, marked) {
  if (node.marked !== marked) node.replaceChildren(...pieceNodes(marked));
  node.marked = marked;
}

/** Words beside a drawing: a tick, the name of an axis. */
export const axisText = (x, y, text, anchor = "middle", attributes = {}) =>
  s("text", { x, y, "text-anchor": anchor, class: "lv-quiet", ...attributes }, text);

/** A sign and what it stands for, for the legend: shapes around the middle of 34 × 12 pixels. */
export const signKey = (shape, ...meaning) =>
  h("span", {}, s("svg", { viewBox: "0 0 34 12", "aria-hidden": "true" }, shape), ...meaning);

/** An element that takes the keys; `label` is its name for those who hear the page. */
export const keyed = (role, kind, label, ...children) =>
  h("div", { class: kind, role, tabindex: "0", "aria-label": label }, ...children);

export const uid = () => `lv${Math.random().toString(36).slice(2, 9)}`;

/** Put the nodes `now` where `old` are, or at the end; what is the same stays, and need not be laid out again. */
export function exchange(parent, old, now) {
  const stays = new Set(now);
  let after = old.at(-1)?.nextSibling ?? null;
  for (const node of old) if (!stays.has(node)) node.remove();
  for (const node of now.toReversed()) {
    if (node.parentNode !== parent || node.nextSibling !== after) parent.insertBefore(node, after);
    after = node;
  }
}
