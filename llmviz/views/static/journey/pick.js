// Scene 7: all tokens end to end, and the random number that picks one of them.

import { quoted, shorten } from "../kit/elements.js";
import { clamp, count } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { share } from "./numbers.js";
import { between, during, move } from "./time.js";
import { drawChip } from "./tokenization.js";

export function drawPick(at) {
  const line = at.layout.segments;
  drawLineWords(at, line);
  if (at.moment.picking > 2.8) drawDart(at, line);
  if (at.moment.picking > 4.8) drawDrawnChip(at, line);
}

/** The line's ends, and the likeliest tokens' names below it, each tied to its part. */
function drawLineWords(at, line) {
  const { data, layout, moment, look } = at;
  const { picking } = moment;
  const [under, y] = [line.y + line.h, line.y + line.h + 74];
  const here = during(picking, 1.8, 2.6) * (1 - during(picking, 7, 8));
  for (const v of [0, 1]) at.write(String(v), line.x + v * line.w, line.y - 12, { align: "center", alpha: here });
  const room = Math.floor(line.w / (10 + 10 * layout.letters));
  const names = data.likeliest.slice(0, room).toSorted((a, b) => a.start - b.start);
  at.faded(here * (1 - during(picking, 4.6, 5)), () =>
    names.forEach(({ start, prob, piece }, i) => {
      const [x, to] = [line.x + (start + prob / 2) * line.w, line.x + ((i + 0.5) / names.length) * line.w];
      at.curve(tint(look.sampling, 0.6), 1.2, [x, under + 1], [x, under + 40, to, under + 24], [to, y - 16]);
      at.piece(shorten(piece, layout.letters), to, y, { size: 16, bold: true, align: "center" });
      at.write(share(prob), to, y + 20, { align: "center" });
    }),
  );
}

function drawDart(at, line) {
  const { data, layout, moment, look } = at;
  const { picking } = moment;
  const x = line.x + data.random * line.w;
  const y = between(72, line.y - 2, clamp((picking - 3.1) / 1.5) ** 2);
  at.faded(during(picking, 2.8, 3.1) * (1 - during(picking, 6.8, 7.3)), () => {
    at.line(look.ink, 3, [x, y - 40], [x, y - 8]);
    at.shape(look.ink, [x, y], [x - 6, y - 13], [x + 6, y - 13]);
    const words = `a random number: ${data.random.toFixed(3)}`;
    at.write(words, clamp(x, 96, layout.width - 96), y - 54, { size: 16, color: look.ink, align: "center" });
  });
}

/** The slice that was hit becomes a chip, and joins the text. */
function drawDrawnChip(at, line) {
  const { data, layout, moment, look } = at;
  const { piece, prob, token, start } = data.drawn;
  const born = during(moment.picking, 4.8, 5.5);
  const width = pieceWidth(layout, shorten(piece, 14), 26) + 28;
  const chip = { w: prob * line.w, h: line.h, size: 10, turn: 0, letters: 14, x: line.x + (start + prob / 2) * line.w };
  move(chip, { w: width, h: 46, size: 26 }, born);
  chip.x = clamp(chip.x, chip.w / 2 + 6, layout.width - chip.w / 2 - 80);
  chip.y = between(line.y + line.h / 2, line.y + line.h + 118, born);
  const style = { size: 18, bold: true, color: look.sampling, alpha: born * (1 - during(moment.up, 0, 0.2)) };
  at.write(share(prob), chip.x + chip.w / 2 + 12, chip.y, style);
  move(chip, layout.drawn.joinedText, moment.up);
  const colors = { color: look.page, edge: look.sampling, fill: look.sampling };
  drawChip(at, chip, layout.drawn, { ...colors, box: born, number: during(moment.up, 0.8, 1) });
  const hit = `has hit ${quoted(piece)}, token ${count(token)}, ${share(prob)}`;
  at.mark(boxOf(chip), () => `the dart, ${data.random.toFixed(4)}, ${hit}`);
}
