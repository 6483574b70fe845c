// Tokens as chips.

import { exchange, h, pieceNodes, setAttributes, uid } from "./elements.js";
import { reveal } from "./input.js";
import { count } from "./numbers.js";
import { nearest } from "./selection.js";
import { KIT } from "../theme.js";

export function chip(label, id, index) {
  const piece = h("bdi", { class: "lv-piece" }, pieceNodes(label));
  const number = id === null || id === undefined ? null : h("span", { class: "lv-id" }, String(id));
  return h("span", { class: "lv-chip", role: "option", "data-index": index }, piece, number);
}

/** What an empty list box says; without an option, it would be an error to screen readers. */
export const noOption = (text) => h("span", { class: "lv-empty", role: "option", "aria-disabled": "true" }, text);

/** Put chips in their list in place of those it has; what is the same stays. Returns the new ones. */
export function putChips(list, old, chips) {
  if (chips.length && old.length) exchange(list, old, chips);
  else list.replaceChildren(...(chips.length ? chips : [noOption("no tokens yet")]));
  return chips;
}

/** Colour a chip by a number; NaN, or none, leaves it as it is made. */
export function shadeChip(node, v, scale) {
  const shade = v === undefined || Number.isNaN(v) ? "" : scale.css(v);
  if (shade !== (node.shade ?? "")) Object.assign(node.style, { backgroundColor: shade, color: shade && scale.ink(v) });
  node.shade = shade;
}

/** Mark one chip (or row) of a list as selected, tell screen readers, and bring it into view inside its own list only. */
export function selectChip(list, chips, selected) {
  chips.forEach((node, i) => setAttributes(node, { "aria-selected": i === selected }));
  const node = chips[selected];
  if (!node) {
    list.reached = null;
    return list.removeAttribute("aria-activedescendant");
  }
  node.id ||= uid();
  list.setAttribute("aria-activedescendant", node.id);
  if (list.reached === node) return; // asking where it is lays out the page, so only do it for another node
  list.reached = node;
  if (node.offsetTop < list.scrollTop) list.scrollTop = node.offsetTop - 8;
  const below = node.offsetTop + node.offsetHeight - list.clientHeight;
  if (below > list.scrollTop) list.scrollTop = below + 8;
  reveal(list, node.offsetLeft, node.offsetLeft + node.offsetWidth);
}

/** The nearest chip on the line above (-1) or below (+1). */
export function chipOnNextLine(chips, from, direction) {
  const { offsetTop, offsetLeft, offsetWidth } = chips[from];
  const beyond = chips.filter((node) => direction * (node.offsetTop - offsetTop) > 0);
  const line = beyond.at(direction > 0 ? 0 : -1)?.offsetTop;
  const aside = (node) => Math.abs(node.offsetLeft + node.offsetWidth / 2 - offsetLeft - offsetWidth / 2);
  const i = nearest(chips.length, (k) => (chips[k].offsetTop === line ? aside(chips[k]) : Infinity));
  return i ?? from;
}

/** For the legend; null where all of them are drawn. */
export const tooLong = (n, what = "tokens") =>
  n > KIT.maxTokens ? h("b", {}, `Only the first ${count(KIT.maxTokens)} of ${count(n)} ${what} are drawn.`) : null;
