// Attention in scene 5: arcs from the tokens that are attended to.

import { quoted } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { share } from "./numbers.js";
import { between } from "./time.js";

export function drawAttention(at) {
  const { data, layout, moment, look } = at;
  const { layer, attention } = moment;
  const laneX = new Map(layout.lanes.map(({ i, x }) => [i, x]));
  const strongest = data.strongest[layer];
  at.faded(attention, () => {
    for (const { from, to, head, weight } of data.looksIn[layer].toReversed()) {
      if (!laneX.has(from) || !laneX.has(to)) continue;
      const color = tint(look.attention, 0.14 + 0.3 * weight ** 2);
      const [x, y] = drawArc(at, laneX.get(to), laneX.get(from), 1 + 3 * weight, color);
      const [a, b] = [from, to].map((i) => quoted(data.pieces[i]));
      at.mark([x - 12, y - 7, 24, 14], () => `head ${head}: ${a} attends to ${b}, ${share(weight)}`);
    }
    if (strongest) drawStrongest(at, strongest);
  });
}

/** An arc to the token that attends, from what it attends to. Returns its highest point. */
function drawArc(at, from, to, width, color) {
  const { head, left, right } = at.layout;
  const rise = Math.min(head - 66, 18 + ((to - from) / (right - left)) * (head - 66) * 1.25);
  const top = head - rise * 1.33; // a curve goes three quarters of the way to where its controls are
  at.curve(color, width, [from, head], [between(from, to, 0.12), top, between(from, to, 0.88), top], [to, head]);
  return [(from + to) / 2, head - rise];
}

/** The last token's largest attention weight. */
function drawStrongest(at, { head, weight, piece, place }) {
  const { layout, look, moment } = at;
  const { lanes } = layout;
  const to = lanes.at(-1).x;
  const from = lanes.find((lane) => lane.place === place)?.x ?? (lanes[0].x + lanes[1].x) / 2; // it isn't drawn
  const width = 1.5 + 6 * weight;
  const [topX, topY] = drawArc(at, from, to, width, look.attention);
  const half = width / 2 + 6;
  at.shape(look.attention, [to, layout.head + 8], [to - half, layout.head - 4], [to + half, layout.head - 4]);
  const label = `head ${head}: ${share(weight)}`;
  const room = at.widthOf(label, 16) / 2;
  const x = clamp(topX, layout.left + room, layout.right - room);
  const y = Math.max(to - from < 150 ? topY - 22 : topY, 84);
  const box = boxOf({ x, y, w: 2 * room + 18, h: 26 });
  at.box(box, 13, { fill: look.page, edge: look.attention });
  at.write(label, x, y, { size: 16, bold: true, color: look.attention, align: "center" });
  const what = `the last token’s largest attention weight in layer ${moment.layer}, not counting pale columns and itself`;
  at.mark(box, () => `${what}: head ${head} puts ${share(weight)} on ${quoted(piece)}`);
}
