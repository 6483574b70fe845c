// Attention in scene 5: arcs from the tokens that are attended to.

import { quoted } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { share } from "./numbers.js";
import { between, during } from "./time.js";

/** Where an arc is after a part v of its way. */
function arcPoint({ from, to, y, rise }, v) {
  const a = 1 - v;
  const [start, end] = [between(from, to, 0.12), between(from, to, 0.88)];
  const x = a ** 3 * from + 3 * a * a * v * start + 3 * a * v * v * end + v ** 3 * to;
  return [x, y - 3 * a * v * rise * 1.33];
}
/** An arc as one shape: thin where it comes from, thick where it goes. */
function drawArc(at, arc, width, color, grown) {
  const [outer, inner] = [[], []];
  for (let i = 0; i <= 40; i++) {
    const v = (i / 40) * grown;
    const [x, y] = arcPoint(arc, v);
    const [[x1, y1], [x0, y0]] = [arcPoint(arc, Math.min(1, v + 0.01)), arcPoint(arc, Math.max(0, v - 0.01))];
    const radius = (width * between(0.3, 1, v)) / 2 / (Math.hypot(x1 - x0, y1 - y0) || 1);
    outer.push([x - (y1 - y0) * radius, y + (x1 - x0) * radius]);
    inner.unshift([x + (y1 - y0) * radius, y - (x1 - x0) * radius]);
  }
  at.shape(color, ...outer, ...inner);
}
function drawThread(at, { from, to, y, rise }, width, color) {
  const top = y - rise * 1.33;
  at.ctx.save();
  at.ctx.setLineDash([2, 5]);
  at.curve(color, width, [from, y], [between(from, to, 0.12), top, between(from, to, 0.88), top], [to, y]);
  at.ctx.restore();
}

export function drawAttention(at) {
  const { data, layout, moment, look } = at;
  const { layer, attention } = moment;
  if (attention <= 0) return;
  const room = layout.head - 66;
  const arcOf = (from, to) => {
    const wide = (Math.abs(to - from) / (layout.right - layout.left)) * room * 1.25;
    return { from, to, y: layout.head, rise: Math.min(room, 18 + wide) };
  };
  const laneX = new Map(layout.lanes.map(({ i, x }) => [i, x]));
  const grown = during(moment.u, 0.06, 0.26);
  const strongest = data.strongest[layer];
  at.faded(attention, () => {
    for (const { i, x } of layout.lanes)
      // attention to columns that are off the scale
      data.resting.forEach((target, k) => {
        const weight = data.restsOf(layer, i)[k] / 255;
        if (i <= target || weight < 0.05 || !laneX.has(target)) return;
        const alpha = (0.25 + 0.55 * weight) / Math.max(1, Math.sqrt(layout.lanes.length / 8));
        drawThread(at, arcOf(laneX.get(target), x), 0.6 + 1.6 * weight, tint(look.quiet, alpha));
      });
    const looks = data.looksIn[layer].filter(({ from, to }) => laneX.has(from) && laneX.has(to));
    for (const { from, to, head, weight } of looks.toSorted((a, b) => a.weight - b.weight)) {
      if (strongest && from === data.count - 1 && data.shown[to] === strongest.place) continue;
      const arc = arcOf(laneX.get(to), laneX.get(from));
      drawArc(at, arc, 1 + 3.4 * weight, tint(look.attention, 0.14 + 0.3 * weight ** 2), grown);
      const [x, y] = arcPoint(arc, 0.5);
      const [a, b] = [from, to].map((i) => quoted(data.pieces[i]));
      at.mark([x - 12, y - 7, 24, 14], () => `head ${head}: ${a} attends to ${b}, ${share(weight)}`);
    }
    if (strongest) drawStrongest(at, strongest, arcOf(placeX(layout, strongest.place), layout.lanes.at(-1).x), grown);
  });
}
/** The lane of a place in the text, or the gap for all that have none. */
function placeX({ lanes }, place) {
  return lanes.find((lane) => lane.place === place)?.x ?? (lanes[0].x + lanes[1].x) / 2;
}

/** The last token's largest attention weight. */
function drawStrongest(at, { head, weight, piece }, arc, grown) {
  const { layout, look, moment } = at;
  const width = 2 + 8 * weight;
  drawArc(at, arc, width + 5, tint(look.page, 0.8), grown);
  drawArc(at, arc, width, look.attention, grown);
  const { to, y: foot } = arc;
  const half = width * 0.5 + 6;
  if (grown > 0.98) at.shape(look.attention, [to, foot + 7], [to - half, foot - 5], [to + half, foot - 5]);
  for (let j = 0; j < (at.still ? 0 : 5); j++) {
    // they only move; all that they say is in the arc
    const v = (moment.u * 4.2 + j / 5) % 1;
    if (v < grown) at.disc(look.page, ...arcPoint(arc, v), Math.max(1.6, width * 0.24));
  }
  const label = `head ${head}: ${share(weight)}`;
  const room = at.widthOf(label, 16, true) / 2;
  const [topX, topY] = arcPoint(arc, 0.5);
  const y = Math.max(to - arc.from < 150 ? topY - 22 : topY - 2, 84);
  const x = clamp(topX, layout.left + room, layout.right - room);
  const box = boxOf({ x, y, w: 2 * room + 18, h: 26 });
  at.faded(grown, () => {
    at.box(box, 13, { fill: look.page, edge: look.attention });
    at.write(label, x, y, { size: 16, bold: true, color: look.attention, align: "center" });
  });
  const what = `the last token’s largest attention weight in layer ${moment.layer}, not counting pale columns and itself`;
  at.mark(box, () => `${what}: head ${head} puts ${share(weight)} on ${quoted(piece)}`);
}

/** Who takes, and from whom. */
export function drawGiving(at, { bar, lane }) {
  const { data, layout, moment, look } = at;
  const strongest = data.strongest[moment.layer];
  const takes = lane === layout.lanes.at(-1) ? during(moment.u, 0.2, 0.32) : 0;
  const gives = strongest?.place === lane.place ? 1 : 0;
  if (!strongest || !(takes || gives)) return;
  at.faded(moment.attention * (takes || gives) * (strongest.weight >= 0.3 ? 1 : 0.5), () => {
    const margin = layout.tall ? 1 : 4;
    const [w, h] = [bar.thick + 2 * margin, layout.columnHeight + 2 * margin];
    const box = boxOf({ x: bar.x, y: layout.middle, w, h });
    at.box(box, 6, { edge: look.attention, width: layout.tall ? 1.6 : takes ? 3 : 2 });
  });
}
