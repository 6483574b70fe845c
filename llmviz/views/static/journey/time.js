// The scenes, and what goes on at each moment of them.

import { clamp } from "../kit/numbers.js";

export const SCENES = [
  { key: "cut", name: "tokenize", stage: "tokenization" },
  { key: "look", name: "look\u00a0up", stage: "embeddings" },
  { key: "stand", name: "columns", stage: "embeddings" },
  { key: "place", name: "position", stage: "position" },
  { key: "layers", name: "layers", stage: "attention" },
  { key: "match", name: "score", stage: "sampling" },
  { key: "pick", name: "pick", stage: "sampling" },
];
const FAST = 0.45; // seconds for a layer that is passed quickly

/** Seconds that a layer takes: the first and the telling one are shown at leisure, the others are passed. */
const paceOf = (data, layer) => (layer === data.telling ? 7.5 : layer === 0 ? 7 : FAST);

/** When everything begins, and where the arrow keys stop. */
export function timesOf(data) {
  const times = { cut: 0, look: 7, stand: 15.5, place: 22, layers: 28, at: [29.2], stops: [0, 6.5, 14.9, 21.4, 27.1] };
  for (let layer = 0; layer < data.layers; layer++) {
    const [from, pace] = [times.at[layer], paceOf(data, layer)];
    times.stops.push(from + 0.42 * pace, from + 0.85 * pace);
    times.at.push(from + pace);
  }
  times.match = times.at[data.layers] + 0.5;
  times.pick = times.match + 9;
  times.end = times.pick + 11;
  times.stops.push(times.match + 3.6, times.match + 8.2, times.pick + 3, times.pick + 6, times.end);
  return times;
}
export const sceneAt = (times, t) => SCENES.findLastIndex(({ key }) => t >= times[key] - 1e-6);

const ease = (x) => clamp(x) ** 2 * (3 - 2 * clamp(x));
export const during = (t, from, to) => ease((t - from) / (to - from)); // 0 before, 1 after
/** Up from a to b, down from c to d. */
export const hump = (t, a, b, c, d) => Math.min(during(t, a, b), 1 - during(t, c, d));
export const between = (a, b, u) => a + (b - a) * u;
/** Move something towards where it goes, in all that the goal names. */
export function move(thing, goal, u) {
  for (const key of Object.keys(goal)) thing[key] = between(thing[key], goal[key], u);
}

/** What goes on at time t. Layers that are passed while the film plays don't show their arcs: those would flicker. */
export function momentAt(data, times, t, playing) {
  const begun = times.at.findLastIndex((start) => t >= start);
  const layer = clamp(begun, 0, data.layers - 1);
  const u = clamp((t - times.at[layer]) / paceOf(data, layer));
  const [rising, matching, picking] = [t >= times.at[0] && t < times.match, t - times.match, t - times.pick];
  const passed = playing && rising && paceOf(data, layer) === FAST;
  const loud = rising && !passed ? 1 : 0;
  const down = during(t, times.look - 0.2, times.look + 1.1); // the chips go to their lanes
  const up = during(t, times.end - 3.6, times.end - 1.8); // all go back, and the drawn one joins them
  return {
    t,
    layer,
    u,
    rising,
    matching,
    picking,
    down,
    up,
    passed,
    inFFN: loud > 0 && u >= 0.56,
    scene: sceneAt(times, t),
    attention: loud * hump(u, 0.02, 0.14, 0.48, 0.57),
    ffn: loud * hump(u, 0.55, 0.64, 0.91, 0.98),
    state: 2 * layer + Number(u > 0.4) + Number(u > 0.8),
    floor: hump(t, times.layers, times.layers + 1.2, times.match, times.match + 0.9),
    big: Math.max(1 - down, up), // how far the chips are the text, and not labels
  };
}
