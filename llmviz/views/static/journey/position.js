// Scene 4: clock hands, which show how far attention rotates numbers at each position.

import { count } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { short } from "./numbers.js";
import { during, hump } from "./time.js";

export function drawClockHands(at) {
  const { data, layout, moment, times } = at;
  const { lanes, bottom, top, tall } = layout;
  const turned = during(moment.t, times.place + 1, times.place + 4.2);
  const r = Math.min(17, layout.gap * 0.42);
  at.faded(hump(moment.t, times.place, times.place + 0.8, times.layers - 0.8, times.layers + 0.4), () => {
    data.turns.forEach((tokens, hand) => {
      const y = top - 35 - hand * 48;
      for (const { i, x, place } of lanes) {
        drawDial(at, x, y, r, data.angles[hand * data.count + i] * turned);
        const round = `this hand goes round once in ${short(tokens)} tokens`;
        at.mark(boxOf({ x, y, w: 2 * r, h: 2 * r }), () => `position ${count(place)}: ${round}`);
      }
      ["one turn every", `${short(tokens)} tokens`].forEach((words, line) =>
        at.write(words, lanes.at(-1).x + r + 12, y - 9 + 18 * line, { size: 15, color: at.look.ink }),
      );
    });
    if (!tall) for (const { x, place } of lanes) at.write(count(place), x, bottom + 16, { size: 13, align: "center" });
  });
}

/** In grey, since colours say what is added and what is taken away. */
function drawDial(at, x, y, radius, angle) {
  const { look } = at;
  at.faded(1, (ctx) => {
    ctx.translate(x, y);
    const face = { fill: look.page, edge: tint(look.quiet, 0.6), width: 1.2 };
    at.box([-radius, -radius, 2 * radius, 2 * radius], radius, face);
    ctx.rotate(angle);
    at.line(look.ink, 3, [0, 0], [0, -radius * 0.86]);
  });
}
