// The numbers of a journey, as Python has sent them (journey.py says what they are).

import { count, percent } from "../kit/numbers.js";

const KINDS = { int8: Int8Array, uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

function arrayOf({ kind, data }) {
  const from = data.byteOffset ?? 0;
  return new KINDS[kind]((data.buffer ?? data).slice(from, from + data.byteLength));
}

/** The numbers as arrays, and functions that take a token's part of them. */
export function unpack(sent) {
  if (!sent) return null;
  const unpacked = Object.entries(sent).map(([name, value]) => [name, value?.kind ? arrayOf(value) : value]);
  const data = Object.fromEntries(unpacked);
  const n = sent.tokens.length;
  /** The i-th token's row of an array whose first axis is a state or a layer. */
  const rowOf = (name) => (first, i) => {
    const size = sent[name].shape[2];
    return data[name].subarray((first * n + i) * size, (first * n + i + 1) * size);
  };
  const looksIn = sent.strongest.map(() => []);
  for (let i = 0; i < data.looks.length; i += 5) {
    const [layer, from, to, head, weight] = data.looks.subarray(i, i + 5);
    looksIn[layer].push({ from, to, head, weight: weight / 1000 });
  }
  return Object.assign(data, {
    layers: sent.sizes.n_layers,
    count: n,
    tableWidth: sent.table.shape[1],
    looksIn,
    columnOf: rowOf("streams"),
    addedTo: rowOf("ffnAdds"),
    neuronsOf: rowOf("neurons"),
    pushesOf: rowOf("pushes"),
    lengthOf: (state, i) => data.lengths[state * n + i],
    isLong: (state, i) => data.long[state * n + i] === 1,
  });
}

export const share = (p) => (p >= 0.0995 ? `${Math.round(100 * p)}%` : percent(p));
export const short = (v) => (v >= 10 ? count(Math.round(v)) : v.toFixed(v >= 1 ? 1 : 2));
