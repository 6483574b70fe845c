// RoPE's pairs of one query and one key as clocks with two hands each, or those of a query on its own. Python says how far
// each step turns them; here they are drawn.

import { cellGrid } from "./kit/cells.js";
import { h, pieceNodes, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { listKeys } from "./kit/input.js";
import { column, curve, dot, rule } from "./kit/marks.js";
import { clamp, count, floats, minus } from "./kit/numbers.js";
import { player } from "./kit/player.js";
import { createPlot } from "./kit/plot.js";
import { selectIn } from "./kit/selection.js";
import { signed } from "./kit/signed.js";

const FULL = 2 * Math.PI;

export function render({ model, el }) {
  const view = frame(model, el, "rope_dial");
  const steps = () => model.get("turns").shape[0] - 1;
  const bar = player(view, { steps, name: "move on, position by position", pace: 120 });
  const [large, sum] = [s("svg", { width: 160, height: 156 }), h("div", { class: "lv-dial-sum" })];
  view.body.append(bar.node, h("div", { class: "lv-dial-head lv-wrapped", "aria-hidden": "true" }, large, sum));
  const plot = createPlot(view, "clocks, one a pair: arrow keys go from one to the next");
  let pairs = [];
  let grid = null; // where their clocks are
  const current = () => model.get("selected") ?? 0;
  const select = (to, ask) => pairs.length && view.select(clamp(to, 0, pairs.length - 1), ask);
  selectIn(plot, {
    under: (x, y) => {
      const [row, col] = grid?.under(x, y) ?? [];
      const i = row * grid?.cols + col;
      return pairs[i] ? i : null;
    },
    show: (i) => tell(view, pairs, i ?? current()),
    pick: (i) => select(i, true),
    keys: listKeys(select, current, () => pairs.length),
  });
  return view.start(() => {
    const now = readPairs(model);
    if (!now) return; // more traits are on their way
    pairs = now;
    bar.show(model.get("step"));
    grid = gridOf(view, pairs.length);
    const chosen = Math.min(current(), pairs.length - 1);
    drawLarge(large, pairs[chosen], hasKey(model));
    drawSum(model, sum, pairs, chosen);
    drawClocks(view, plot, grid, pairs, chosen);
    drawLegend(view);
    tell(view, pairs, current());
  });
}

const hasKey = (model) => model.get("k_hands") !== null;

/** Each pair's hands at this step, with their directions and lengths; without a key, where the query's was before RoPE. */
function readPairs(model) {
  const [q, k, parts, turns, periods] = ["q_hands", "k_hands", "parts", "turns", "periods"].map((name) =>
    floats(model.get(name)),
  );
  const n = q?.shape[0] ?? 0;
  if (!n || (k && (k.shape[0] !== n || parts?.data.length !== n))) return null;
  const turnedBy = (i) => turns.data[model.get("step") * turns.shape[1] + i];
  const hand = ({ data }, turned, i) => {
    const [x, y] = data.slice(2 * i, 2 * i + 2);
    return { at: Math.atan2(y, x) + FULL * turned, length: Math.hypot(x, y) };
  };
  const pairs = Array.from({ length: n }, (_, i) => ({
    turned: turnedBy(i),
    period: periods.data[i],
    part: parts?.data[i],
    q: hand(q, turnedBy(i), i),
    k: hand(k ?? q, k ? turnedBy(i) : 0, i),
  }));
  for (const which of ["q", "k"]) {
    const longest = Math.max(1e-9, ...pairs.map((pair) => pair[which].length));
    for (const pair of pairs) pair[which].reach = Math.sqrt(pair[which].length / longest);
  }
  return pairs;
}

/** From the key's hand to the query's, the short way. */
const between = ({ q, k }) => Math.atan2(Math.sin(q.at - k.at), Math.cos(q.at - k.at));

/** How far a pair's hands are apart, or without a key, how far its hand has turned. */
function angleText(pair, key) {
  if (key) return `hands ${Math.round((Math.abs(between(pair)) * 180) / Math.PI)}° apart`;
  return pair.turned < 1 ? `turned by ${Math.round(360 * pair.turned)}°` : `${pair.turned.toFixed(1)} turns`;
}

function tell(view, pairs, i) {
  const [pair, apart] = [pairs[i], view.model.get("apart")];
  if (!pair) return view.note("Point at a clock, or go to one with the arrow keys.");
  const first = apart > 1 ? i : 2 * i;
  view.note(
    `pair ${i} (numbers ${first} and ${first + apart})`,
    `one full turn every ${pair.period.toLocaleString("en-US", { maximumSignificantDigits: 3 })} tokens`,
    angleText(pair, hasKey(view.model)),
    hasKey(view.model) && `adds ${signed(pair.part)} to the score`,
  );
}

function gridOf(view, n) {
  const width = Math.max(300, view.width());
  const rows = Math.ceil(n / Math.floor(width / 64));
  const cols = Math.ceil(n / rows);
  const radius = Math.min((0.43 * width) / cols, 38);
  const high = 2 * radius + (hasKey(view.model) ? 34 : 16);
  return cellGrid({ rows, cols, left: 0, top: 0, w: width / cols, h: high, gap: 0, radius });
}

/** A clock with both hands: in each, the thin line is its direction and the thick one its length. */
function clock({ q, k, turned }, [x, y], radius, { key, on }) {
  const wentRound = !key && turned >= 1;
  const hand = (name, { at, reach }) => [
    rule(`lv-way ${name}`, ...ray(x, y, at, radius - 1)),
    rule(name, ...ray(x, y, at, (radius - 3) * reach)),
  ];
  return [
    dot(x, y, radius, { class: `lv-clock ${on ? "lv-pick" : "lv-gridline"} ${wentRound ? "lv-clock-round" : ""}` }),
    ...hand(key ? "lv-hand-k" : "lv-hand-q lv-hand-before", k),
    ...hand("lv-hand-q", q),
  ];
}
const ray = (x, y, at, reach) => [x, y, x + Math.cos(at) * reach, y + Math.sin(at) * reach];

/**
 * The chosen pair, with the way from the dashed hand to the other: between two hands the short one, else all that it has
 * turned, as a spiral of at most three rounds.
 */
function drawLarge(svg, pair, key) {
  const { turned, k } = pair;
  const way = key ? between(pair) : FULL * (turned > 3 ? 2 + (turned % 1) : turned);
  const points = Array.from({ length: 1 + Math.ceil(Math.abs(way) / 0.1) }, (_, step) => {
    const gone = Math.min(0.1 * step, Math.abs(way));
    return ray(80, 78, k.at + Math.sign(way) * gone, 24 + (key ? 0 : (12 * gone) / FULL)).slice(2);
  });
  svg.replaceChildren(...clock(pair, [80, 78], 74, { key, on: true }), curve(points, { class: "lv-curve" }));
}

function drawClocks(view, plot, grid, pairs, chosen) {
  const [key, limit] = [hasKey(view.model), view.model.get("limit")];
  plot.size(grid.right, grid.bottom);
  plot.marks.replaceChildren(
    ...pairs.flatMap((pair, i) => {
      const [x, top] = [grid.x((i % grid.cols) + 0.5), grid.y(Math.floor(i / grid.cols))];
      const below = key ? partBar(pair.part / limit, x, top + 2 * grid.radius + 14, grid.w / 2 - 5) : [];
      return [...clock(pair, [x, top + grid.radius + 6], grid.radius, { key, on: i === chosen }), ...below];
    }),
  );
}

/** What a pair adds to the score, as a bar to the right, or to the left if it takes away. */
const partBar = (share, x, y, room) => [
  rule("lv-gridline", x, y - 3, x, y + 12),
  column([x, y, x + share * room, y + 9], { fill: `var(--lv-${share < 0 ? "ffn" : "tokenization"})` }),
];

function drawSum(model, sum, pairs, chosen) {
  const key = hasKey(model);
  const token = (name, which) => [
    `${name} `,
    h("bdi", { class: "lv-piece" }, pieceNodes(model.get(`${which}_name`)[0] ?? "")),
    ` at position ${count(model.get(`${which}_position`) + model.get("step"))}`,
  ];
  const round = pairs.filter(({ turned }) => turned >= 1).length;
  const lines = [
    h("b", {}, key ? `score ${signed(model.get("score"))}` : `${round} of ${pairs.length} all the way round`),
    token("query", "q"),
    key && token("key", "k"),
    key && `distance ${minus(String(model.get("q_position") - model.get("k_position")))}`,
    `pair ${chosen}: ${angleText(pairs[chosen], key)}`,
  ];
  sum.replaceChildren(...lines.filter(Boolean).map((line) => h("div", {}, line)));
}

function drawLegend(view) {
  const key = hasKey(view.model);
  const hand = (kind, text) => signKey(rule(kind, 4, 6, 30, 6), text);
  view.setLegend(
    hand("lv-hand-q", key ? "query" : "query at this position"),
    key ? hand("lv-hand-k", "key") : hand("lv-hand-q lv-hand-before", "at position 0"),
    "thick part: length of the arrow (square-root scale); thin line: its direction",
  );
}
