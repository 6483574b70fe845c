// From values to pixels, and round values for the ticks of an axis.

/** Where a value stands: `domain` is spread over `range` in pixels, evenly or as `way` bends it (Math.log10). */
export function scale([low, high], [from, to], way = (v) => v) {
  const [start, length] = [way(low), way(high) - way(low) || 1];
  return (v) => from + ((way(v) - start) / length) * (to - from);
}

/** n places of the same width over a range: `middle(i)`, and `under(px)`: which one is there, or null. */
export function bands(n, [from, to]) {
  const step = (to - from) / n;
  const under = (px) => {
    const i = Math.floor((px - from) / step);
    return i >= 0 && i < n ? i : null;
  };
  return { n, step, middle: (i) => from + step * (i + 0.5), under };
}

/** Round steps (1, 2 or 5 times a power of ten) from low to high, at most some `most` of them. */
export function ticks(low, high, most = 5) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const by = [1, 2, 5, 10].find((k) => k * power >= rough) * power;
  const first = Math.ceil(low / by - 1e-9);
  return Array.from({ length: Math.floor(high / by + 1e-9) - first + 1 }, (_, i) => (i + first) * by);
}

/** What an axis covers: all finite values, with a little room beyond both ends but for one that is given. */
export function domain(values, least = null, most = null) {
  const finite = [...values].filter(Number.isFinite);
  let [low, high] = [Math.min(least ?? Infinity, ...finite), Math.max(most ?? -Infinity, ...finite)];
  if (!(high > low)) [low, high] = [Math.min(low, 0) || 0, Math.max(high, 0) || 1];
  const room = 0.05 * (high - low);
  return [low === least ? low : low - room, high === most ? high : high + room];
}
