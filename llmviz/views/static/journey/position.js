// Scene 4: clock hands, which show how far attention rotates numbers at each position.

import { count } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { short } from "./numbers.js";
import { between, during, hump } from "./time.js";

export function drawClockHands(at) {
  const { data, layout, moment, times } = at;
  const here = hump(moment.t, times.place, times.place + 0.8, times.match, times.match + 0.6);
  if (here <= 0) return;
  // later, one small one stays on each column
  const big = 1 - during(moment.t, times.layers - 0.8, times.layers + 0.6);
  const turned = during(moment.t, times.place + 1, times.place + 4.2);
  const radius = Math.min(17, layout.gap * 0.42);
  at.faded(here, () => {
    data.turns.forEach((tokens, hand) => {
      const r = between(hand ? 0 : layout.dial, radius, big);
      if (r < 1.5) return;
      const y = between(layout.top - 12 - layout.dial, layout.top - 18 - radius - hand * (2 * radius + 14), big);
      const alpha = (big > 0.3 ? 1 : between(0.5, 1, moment.attention)) * (hand ? big : 1);
      for (const { i, x, place } of layout.lanes) {
        const angle = data.angles[hand * data.count + i] * turned;
        at.faded(alpha, () => drawDial(at, x, y, r, angle, between(2, 3, big)));
        const round = `this hand goes round once in ${short(tokens)} tokens`;
        const why = "attention rotates what it compares, as these hands show";
        at.mark(boxOf({ x, y, w: 2 * r, h: 2 * r }), () => `position ${count(place)}: ${round}; ${why}`);
      }
      drawPeriod(at, hand, radius, y, big);
    });
    if (layout.tall) return;
    const below = { size: 13, alpha: big };
    const y = layout.bottom + 16;
    if (layout.wide) at.write("position", layout.left - 26, y, { ...below, align: "right" });
    for (const { x, place } of layout.lanes) at.write(count(place), x, y, { ...below, align: "center" });
  });
}

/** In how many tokens the hands beside it go round once. */
function drawPeriod(at, hand, radius, y, alpha) {
  const { layout, data, look } = at;
  const tokens = data.turns[hand];
  const last = layout.lanes.at(-1);
  const x = Math.min(last.x + Math.max(radius, last.w / 2) + 18, layout.width - 100);
  const every = `${tokens < 10 ? tokens.toFixed(1) : Math.round(tokens)} tokens`;
  const style = { size: 15, color: look.ink, alpha };
  const fits = x + 180 < layout.width;
  at.write(fits ? `one turn every ${every}` : every, x, y, style);
  if (layout.phone && !fits && hand === data.turns.length - 1) at.write("one turn every", x, y - 24, style);
}

/** In grey, since colours say what is added and what is taken away. */
function drawDial(at, x, y, radius, angle, width) {
  const { ctx, look } = at;
  ctx.save();
  ctx.translate(x, y);
  const wedge = new Path2D("M0 0");
  wedge.arc(0, 0, radius, -Math.PI / 2, -Math.PI / 2 + (angle % (2 * Math.PI)));
  const face = { fill: look.page, edge: tint(look.quiet, 0.6), width: 1.2 };
  at.box([-radius, -radius, 2 * radius, 2 * radius], radius, face);
  at.fill(tint(look.quiet, 0.25), wedge);
  ctx.rotate(angle);
  ctx.lineCap = "round";
  at.line(look.ink, width, [0, 0], [0, -radius * 0.86]);
  ctx.restore();
}
