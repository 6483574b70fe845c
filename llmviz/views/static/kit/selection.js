// How one thing of a chart is selected: by the pointer, a finger or the keys.

import { pointIn } from "./canvas.js";
import { listKeys, onKeys, onPointer } from "./input.js";
import { startPlot } from "./plot.js";

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

/**
 * Draw a chart of `n` things (in its plan), as `startPlot` does, and let the pointer and the keys select one: the trait
 * `selected`. `under(plan, x, y, event)` is the one at a point, or null; `tell(view, plot, i)` says what is at it (null:
 * nothing), and `mark(view, plot, i)` marks the selected one. Keys go along `plan.order`, if there is one.
 */
export function startChart(view, plot, { under, tell, mark = () => {}, keys, page, moreKeys, ...drawing }) {
  const n = () => plot.plan?.n ?? 0;
  const order = (i) => plot.plan.order?.[i] ?? i;
  const current = () => {
    const i = view.model.get("selected");
    return i !== null && i < n() ? i : null;
  };
  const place = () => (plot.plan?.order && current() !== null ? plot.plan.order.indexOf(current()) : current());
  const show = (i) => plot.plan && tell(view, plot, i ?? current());
  const select = (i, ask) => view.select(order(i), ask);
  selectIn(plot, {
    under: (...where) => plot.plan && under(plot.plan, ...where),
    show,
    pick: (i) => view.select(i),
    keys: { ...listKeys(select, place, n, keys, page), ...moreKeys?.(current) },
  });
  const marked = () => {
    mark(view, plot, current());
    show(null);
  };
  return startPlot(view, plot, { ...drawing, mark: marked });
}
