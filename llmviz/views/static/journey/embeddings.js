// Scene 2: the table, and the rows that are looked up in it.

import { count } from "../kit/numbers.js";
import { boxPath } from "./brush.js";
import { during, hump } from "./time.js";
import { ticksOf } from "./tokenization.js";

export function drawTable(at) {
  const { layout, moment, look, times, data } = at;
  const { strip } = layout;
  const read = hump(moment.t, times.look + 0.5, times.look + 1.5, times.stand + 1, times.stand + 2.5);
  const alpha = Math.max(read, hump(moment.t, times.match, times.match + 1, times.pick, times.pick + 1));
  if (alpha <= 0.01) return;
  const box = [strip.x, strip.y, strip.w, strip.h];
  at.faded(alpha, (ctx) => {
    ctx.save();
    ctx.clip(boxPath(box, 5));
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(look.table, ...box);
    ctx.restore();
    at.box(box, 5, { edge: look.embeddings });
    at.write("the table", 12, strip.y - 30, { size: 15, bold: true, color: look.embeddings });
    at.write("rows, √ scale", 12, strip.y - 12, { size: 13, alpha: read }); // later, "match" takes its place
    for (const id of ticksOf(data)) at.write(count(id), strip.x - 7, layout.tableY(id), { size: 13, align: "right" });
  });
  const drawn = `here ${data.bands.length} rows, ${data.tableWidth} numbers of each`;
  const { n_vocab, d_model } = data.sizes;
  at.mark(box, () => `the table: ${count(n_vocab)} rows of ${count(d_model)} numbers; ${drawn}`);
}

/** From its true place in the table to each row. */
export function drawLeaders(at, columns) {
  const { layout, moment, look, times } = at;
  const { strip } = layout;
  const [from, to] = [strip.x + strip.w, layout.rowsX - (layout.rowLabels ? layout.rowPieceW + 64 : 8)];
  const middle = (from + to) / 2;
  const here = 1 - during(moment.t, times.stand - 0.2, times.stand + 0.4);
  for (const { bar, fetched, lane } of columns) {
    const y = layout.tableY(lane.id);
    at.faded(here * fetched, () => {
      at.curve(look.embeddings, 1.2, [from, y], [middle, y, middle, bar.y], [to, bar.y]);
      at.rect(look.ink, strip.x - 4, y - 0.8, strip.w + 8, 1.6);
    });
  }
}
