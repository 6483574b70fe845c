// Scene 2: the table, and the rows that are looked up in it.

import { count } from "../kit/numbers.js";
import { boxPath } from "./brush.js";
import { between, during, hump } from "./time.js";
import { chipAt, ticksOf } from "./tokenization.js";

export function drawTable(at) {
  const { layout, moment, look, times, data } = at;
  const { strip } = layout;
  const comes = during(moment.t, times.look + 0.5, times.look + 1.5);
  const here = comes * (1 - during(moment.picking, 0, 1.2));
  if (here <= 0) return;
  const box = [strip.x, strip.y, strip.w, strip.h * comes];
  const read = hump(moment.t, times.look, times.look + 1, times.stand + 1, times.stand + 2.5);
  const busy = Math.max(read, hump(moment.matching, 0, 1, 9, 10));
  const alpha = here * between(layout.tableAtRest, 1, busy);
  at.faded(alpha, (ctx) => {
    ctx.imageSmoothingEnabled = false;
    ctx.save();
    ctx.clip(boxPath(box, 5));
    ctx.drawImage(look.table, strip.x, strip.y, strip.w, strip.h);
    ctx.restore();
    at.box(box, 5, { edge: look.embeddings });
  });
  const named = layout.phone ? alpha : here;
  at.write("the table", 12, strip.y - 30, { size: 15, bold: true, color: look.embeddings, alpha: named });
  const room = layout.wide ? 1 : 1 - during(moment.matching, 0, 1); // narrow: "match" takes its place
  at.write("rows, √ scale", 12, strip.y - 12, { size: 13, alpha: here * busy * room });
  const ticks = { size: 13, align: "right", alpha: here * busy };
  for (const id of ticksOf(data)) at.write(count(id), strip.x - 7, layout.tableY(id) + (id ? 0 : 3), ticks);
  if (alpha < 0.1) return;
  const drawn = `here ${data.bands.length} rows, ${data.tableWidth} numbers of each`;
  const { n_vocab, d_model } = data.sizes;
  const words = () => `the table: ${count(n_vocab)} rows of ${count(d_model)} numbers; ${drawn}`;
  at.mark([strip.x, strip.y, strip.w, strip.h], words);
}

/** When a token's row is fetched. */
export const fetchedAt = ({ times, layout }, { k }) => times.look + 1.3 + k * Math.min(0.75, 4 / layout.lanes.length);

/** From its true place in the table to each row. */
export function drawLeaders(at, columns) {
  const { layout, moment, look, times } = at;
  const { strip } = layout;
  const from = strip.x + strip.w;
  const kept = between(1, layout.phone ? 0 : 0.35, during(moment.t, times.stand + 1, times.stand + 2.5));
  for (const { bar, fetched, lane } of columns) {
    const tableY = layout.tableY(lane.id);
    const here = fetched * (1 - during(moment.t, times.stand - 0.2, times.stand + 0.4));
    const to = Math.max(from, bar.x - bar.len / 2 - (layout.rowLabels ? layout.leaderX : 8));
    at.faded(here * 0.8, () =>
      at.curve(look.embeddings, 1.2, [from, tableY], [from + 45, tableY, to - 45, bar.y], [to, bar.y]),
    );
    const mark = [strip.x - 4, tableY - 0.8, strip.w + 8, 1.6];
    at.faded((1 - during(moment.picking, 0, 1)) * kept, () => at.rect(look.ink, ...mark));
  }
}

export function drawIdsInFlight(at) {
  const { layout, moment, look } = at;
  const { strip } = layout;
  for (const lane of layout.lanes) {
    const start = fetchedAt(at, lane);
    const flown = during(moment.t, start, start + 0.95);
    if (flown <= 0 || moment.t > start + 1.35) continue;
    const chip = chipAt(at, lane);
    const x = between(chip.x, strip.x + strip.w + 36, flown);
    const y = between(chip.y + 16, layout.tableY(lane.id), flown) - Math.sin(flown * Math.PI) * 30;
    const [size, alpha] = [between(14, 19, flown), 1 - during(moment.t, start + 1, start + 1.35)];
    const style = { size, alpha, bold: true, color: look.tokenization, align: "center", halo: true };
    at.write(String(lane.id), x, y, style);
  }
}
