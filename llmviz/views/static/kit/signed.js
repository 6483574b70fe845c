// Signed numbers, as text and as bars.

import { around, measure } from "./diagram.js";
import { minus } from "./numbers.js";

export const signed = (v) => minus(`${v < 0 ? "" : "+"}${v.toFixed(2)}`);

/** A number with its bar, which begins at `start`, on a track for a range of numbers. */
export function signedBar(v, range, start = 0) {
  const { node, show } = measure();
  const at = (value) => around(value, range).to;
  show({ ...around(v, range, signed(v)), from: at(start), to: at(start + v) });
  return node;
}
