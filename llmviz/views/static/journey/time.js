// The scenes, and what goes on at each moment of them.

import { clamp } from "../kit/numbers.js";

export const SCENES = [
  // from: where it begins on the slider; time itself would leave scenes 2 to 4 too little room
  { key: "cut", name: "tokenize", stage: "tokenization", from: 0 },
  { key: "look", name: "look up", stage: "embeddings", from: 0.13 },
  { key: "stand", name: "columns", stage: "embeddings", from: 0.25 },
  { key: "place", name: "position", stage: "position", from: 0.38 },
  { key: "layers", name: "layers", stage: "attention", from: 0.5 },
  { key: "match", name: "score", stage: "sampling", from: 0.78 },
  { key: "pick", name: "pick", stage: "sampling", from: 0.89 },
];
/** Where each scene begins on the slider, and the end of the last one. */
export const PLACES = [...SCENES.map(({ from }) => from), 1];
export const AGAIN = 6.3; // seconds: where the next journey begins, since its text is in tokens already
const FAST = 0.45; // seconds for a layer that is passed quickly

/** Seconds that a layer takes: the first and the telling one are shown at leisure, the others are passed. */
const paceOf = (data, layer) => (layer === data.telling ? 7.5 : layer === 0 ? 7 : FAST);

/** When everything begins, and where the arrow keys stop. */
export function timesOf(data) {
  const times = { cut: 0, look: 7, stand: 15.5, place: 22, layers: 28, at: [29.2] };
  for (let layer = 0; layer < data.layers; layer++) times.at.push(times.at[layer] + paceOf(data, layer));
  times.match = times.at[data.layers] + 0.5;
  times.pick = times.match + 9;
  times.end = times.pick + 11;
  times.starts = [...SCENES.map((scene) => times[scene.key]), times.end];
  times.stops = [0, 6.5, 14.9, 21.4, 27.1];
  for (let layer = 0; layer < data.layers; layer++)
    for (const u of [0.42, 0.85]) times.stops.push(times.at[layer] + u * paceOf(data, layer));
  times.stops.push(times.match + 3.6, times.match + 8.2, times.pick + 3, times.pick + 6, times.end);
  return times;
}
export const sceneAt = (times, t) => SCENES.reduce((now, scene, i) => (t >= times[scene.key] - 1e-6 ? i : now), 0);
/** How much of a scene has passed, from 0 to 1. */
export const partOf = (times, t, i) => clamp((t - times.starts[i]) / (times.starts[i + 1] - times.starts[i]));
/** The place between two neighbours of some numbers, moved between their partners of others. */
function translate(x, from, to) {
  const i = clamp(
    from.findLastIndex((start) => x >= start),
    0,
    from.length - 2,
  );
  return between(to[i], to[i + 1], (x - from[i]) / (from[i + 1] - from[i]));
}
export const toSlider = (times, t) => translate(t, times.starts, PLACES);
export const toTime = (times, place) => translate(place, PLACES, times.starts);

const ease = (x) => clamp(x) ** 2 * (3 - 2 * clamp(x));
export const during = (t, from, to) => ease((t - from) / (to - from)); // 0 before, 1 after
/** Up from a to b, down from c to d. */
export const hump = (t, a, b, c, d) => Math.min(during(t, a, b), 1 - during(t, c, d));
export const between = (a, b, u) => a + (b - a) * u;
/** Move something towards where it goes, in all that the goal names. */
export function move(thing, goal, u) {
  for (const key of Object.keys(goal)) thing[key] = between(thing[key], goal[key], u);
}

/** What goes on at time t. calm: 1 while playing, when layers that are passed do not show their arcs. */
export function momentAt(data, times, t, calm) {
  let layer = 0;
  while (layer < data.layers - 1 && t >= times.at[layer + 1]) layer++;
  const u = clamp((t - times.at[layer]) / paceOf(data, layer));
  const [rising, matching, picking] = [t >= times.at[0] && t < times.match, t - times.match, t - times.pick];
  const passed = rising && paceOf(data, layer) === FAST;
  const loud = rising ? (passed ? 1 - calm : 1) : 0;
  const down = during(t, times.look - 0.2, times.look + 1.1); // the chips go to their lanes
  const up = during(t, times.end - 2.9, times.end - 1.4); // all go back to where they were
  return {
    t,
    layer,
    u,
    rising,
    matching,
    picking,
    down,
    up,
    calm: passed ? calm : 0,
    scene: sceneAt(times, t),
    attention: loud * hump(u, 0.02, 0.14, 0.48, 0.57),
    ffn: loud * hump(u, 0.55, 0.64, 0.91, 0.98),
    state: matching >= 0 ? 2 * data.layers : rising ? 2 * layer + (u > 0.8 ? 2 : u > 0.4 ? 1 : 0) : 0,
    risen: matching >= 0 ? data.layers : rising ? layer + during(u, 0.9, 1) : 0, // layers that the columns have passed
    floor: hump(t, times.layers, times.layers + 1.2, times.match, times.match + 0.9),
    joined: during(picking, 6.9, 8), // the drawn token joins the chips
    big: Math.max(1 - down, up), // how far the chips are the text, and not labels
  };
}
