// What the pointer and the keys do in a picture.

import { clamp } from "./numbers.js";

/** Give an element keys: {ArrowLeft: (event) => …}. A handled key goes no further. */
export function onKeys(element, actions) {
  element.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey) return;
    const action = actions[event.key === " " ? "Enter" : event.key]; // the space bar presses as well
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action(event);
  });
}

/**
 * Keys along a list, of which `current()` is selected (-1 or null: nothing): to its neighbours, `page` further (with Shift
 * as well), to both ends, and Enter for the one that is selected.
 */
export function listKeys(select, current, length, [back, on] = ["ArrowLeft", "ArrowRight"], page = 10) {
  const go = (to, ask) => length() > 0 && select(clamp(to, 0, length() - 1), ask);
  const by = (step) => (event) => go((current() ?? -1) + step * (event.shiftKey ? page : 1));
  return {
    [on]: by(1),
    [back]: by(-1),
    PageDown: by(page),
    PageUp: by(-page),
    Home: () => go(0),
    End: () => go(length() - 1),
    Enter: () => go(current() ?? 0, true),
  };
}

/**
 * `at(event)` says what is under the pointer: `hover` hears of it, and `click` when it is pressed. null: nothing, as when
 * the pointer leaves; undefined: between two things, where what was said stays.
 */
export function onPointer(element, at, hover, click) {
  element.addEventListener("pointermove", (event) => {
    const where = at(event);
    if (where !== undefined) hover(where);
  });
  element.addEventListener("pointerleave", () => hover(null));
  element.addEventListener("click", (event) => {
    const where = at(event) ?? null;
    if (where !== null) click(where);
  });
}

/** A list without an item that is in it, or with it added. */
export const toggled = (list, item) => (list.includes(item) ? list.filter((other) => other !== item) : [...list, item]);

/** The data-index of the part that is pointed at; undefined between two of them. */
export function indexUnder(event) {
  const node = event.target.closest("[data-index]");
  return node ? Number(node.dataset.index) : undefined;
}

/** Scroll a box sideways where this stretch of it is out of sight. */
export function reveal(box, from, to, margin = 8) {
  if (from < box.scrollLeft) box.scrollLeft = from - margin;
  else if (to > box.scrollLeft + box.clientWidth) box.scrollLeft = to + margin - box.clientWidth;
}
