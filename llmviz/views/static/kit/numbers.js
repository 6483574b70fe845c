// Numbers as text, and arrays as Python sends them.

/** A float array as Python sent it: {shape, data: Float32Array}, or null. */
export function floats(value) {
  if (!value) return null;
  const view = value.data;
  const from = view.byteOffset ?? 0;
  const buffer = view.buffer ?? view;
  return { shape: value.shape, data: new Float32Array(buffer.slice(from, from + view.byteLength)) };
}

export function percent(p) {
  const value = 100 * p;
  const size = Math.abs(value);
  if (value === 0) return "0%";
  if (size < 0.001) return value > 0 ? "< 0.001%" : "> \u22120.001%";
  return minus(size < 0.0995 ? `${Number(value.toPrecision(2))}%` : `${value.toFixed(1)}%`);
}
/** A number's text with its unit, as `numbers.py` writes it. */
export const withUnit = (digits, unit) => minus(digits) + (unit === "%" ? unit : ` ${unit}`.trimEnd());
export const minus = (text) => text.replaceAll("-", "\u2212"); // a small number has two: −2.50e−5
export const number = (v) =>
  Number.isNaN(v)
    ? "blank"
    : minus(Math.abs(v) >= 1e4 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : v.toPrecision(3));
export const count = (n) => n.toLocaleString("en-US");
export const clamp = (v, lo = 0, hi = 1) => Math.min(hi, Math.max(lo, v));
