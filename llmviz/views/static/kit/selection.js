// How one thing of a chart is selected: by the pointer, a finger or the keys.

import { pointIn } from "./canvas.js";
import { onKeys, onPointer } from "./input.js";
import { clamp } from "./numbers.js";

/** Of n things, the one whose distance is least, and within reach; else null. */
export function nearest(n, distance, reach = Infinity) {
  let [best, least] = [null, reach];
  for (let i = 0; i < n; i++) {
    const d = distance(i);
    if (d < least) [best, least] = [i, d];
  }
  return best;
}

/**
 * Select in a plot. `under(x, y, event)` says what is there (null: nothing), `show(what)` marks and tells it (null: the
 * pointer is gone), `pick(what)` selects it, and `keys` are the actions of the keys.
 */
export function selectIn(plot, { under, show, pick, keys }) {
  onPointer(plot.node, (event) => under(...pointIn(plot.node, event), event), show, pick);
  onKeys(plot.node, keys);
}

/** Keys from one of n things to its neighbours, `page` of them at once (with Shift as well), and to both ends. */
export function stepKeys({ current, n, select, page = 10, keys: [back, on] = ["ArrowLeft", "ArrowRight"] }) {
  const go = (to) => n() && select(clamp(to, 0, n() - 1));
  const by = (step) => (event) => go((current() ?? (step > 0 ? -1 : n())) + step * (event.shiftKey ? page : 1));
  return {
    [on]: by(1),
    [back]: by(-1),
    PageDown: by(page),
    PageUp: by(-page),
    Home: () => go(0),
    End: () => go(n() - 1),
  };
}
