// Scene 7: all tokens end to end, and the random number that picks one of them.

import { quoted, shorten } from "../kit/elements.js";
import { clamp, count } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { share } from "./numbers.js";
import { between, during, move } from "./time.js";
import { drawDrawn } from "./tokenization.js";

export function drawPick(at) {
  const line = at.layout.segments;
  drawLineWords(at, line);
  if (at.moment.picking > 2.8) drawDart(at, line);
  if (at.moment.picking > 4.8) drawDrawnChip(at, line);
}

/** The line's ends, and the names of its parts below it. */
function drawLineWords(at, line) {
  const { data, layout, moment } = at;
  const { picking } = moment;
  const here = during(picking, 1.8, 2.6) * (1 - during(picking, 7, 8));
  if (here <= 0) return;
  const all = layout.wide ? `all ${count(data.sizes.n_vocab)} tokens` : "all tokens";
  const style = { size: 15, align: "center", alpha: here * (1 - during(picking, 2.9, 3.3)) };
  at.write(`${all}, each as long as it is likely`, layout.width / 2, line.y - 22, style);
  drawNames(at, line, here * (1 - during(picking, 4.6, 5)));
  for (const v of [0, 0.25, 0.5, 0.75, 1])
    at.write(String(v), line.x + v * line.w, line.y + line.h + 15, { align: "center", alpha: here, halo: true });
}

/** The likeliest tokens' names, each tied to its part of the line and none over another. */
function drawNames(at, line, alpha) {
  const { nameRoom: room, nameLetters } = at.layout;
  const names = at.data.likeliest
    .slice(0, Math.floor(line.w / room))
    .toSorted((a, b) => a.start - b.start)
    .map((token) => ({ ...token, x: line.x + (token.start + token.prob / 2) * line.w }));
  const spread = names.map((name) => name.x);
  // push neighbours apart, and all into the picture
  for (let round = 0; round < 60; round++)
    spread.forEach((_, i) => {
      if (i && spread[i] - spread[i - 1] < room) {
        const push = (room - spread[i] + spread[i - 1]) / 2;
        spread[i] += push;
        spread[i - 1] -= push;
      }
      spread[i] = clamp(spread[i], line.x + room / 2 - 8, line.x + line.w - room / 2 + 8);
    });
  const [under, y] = [line.y + line.h, line.y + line.h + 74];
  at.faded(alpha, () =>
    names.forEach(({ x, piece, prob }, i) => {
      const to = spread[i];
      at.curve(tint(at.look.sampling, 0.6), 1.2, [x, under + 1], [x, under + 40, to, under + 24], [to, y - 16]);
      at.piece(shorten(piece, nameLetters), to, y, { size: 16, bold: true, align: "center" });
      at.write(share(prob), to, y + 20, { align: "center" });
    }),
  );
}

function drawDart(at, line) {
  const { data, layout, moment } = at;
  const { picking } = moment;
  const color = at.look.ink;
  const x = line.x + data.random * line.w;
  const y = between(52, line.y - 2, clamp((picking - 3.1) / 1.5) ** 2);
  at.faded(during(picking, 2.8, 3.1) * (1 - during(picking, 6.8, 7.3)), () => {
    at.line(color, 3, [x, y - 40], [x, y - 8]);
    at.shape(color, [x, y], [x - 6, y - 13], [x + 6, y - 13]);
    for (const feather of [28, 34, 40])
      at.line(color, 2, [x - 7, y - feather - 7], [x, y - feather], [x + 7, y - feather - 7]);
    const words = `a random number: ${data.random.toFixed(3)}`;
    const room = at.widthOf(words, 16) + 20;
    const align = x + room > layout.width ? "right" : "left";
    at.write(words, align === "right" ? x - 16 : x + 16, y - 30, { size: 16, color, align, halo: true });
  });
}

/** The slice that was hit becomes a chip, and joins the text. */
function drawDrawnChip(at, line) {
  const { data, layout, moment, look } = at;
  const { piece, prob, token, start } = data.drawn;
  const [born, flown] = [during(moment.picking, 4.8, 5.5), moment.joined];
  const [sliceW, sliceX] = [Math.max(1.6, prob * line.w), line.x + (start + prob / 2) * line.w];
  const width = pieceWidth(layout, shorten(piece, 14), 26) + 28;
  const chip = { w: between(sliceW, width, born), h: between(line.h, 46, born), size: between(10, 26, born), turn: 0 };
  chip.x = clamp(sliceX, chip.w / 2 + 6, layout.width - chip.w / 2 - 80);
  chip.y = between(line.y + line.h / 2, line.y + line.h + 118, born);
  move(chip, layout.drawn.joinedLabel, flown);
  move(chip, layout.drawn.joinedText, moment.up);
  const alpha = born * (1 - during(moment.picking, 6.8, 7.2));
  at.write(share(prob), chip.x + chip.w / 2 + 12, chip.y, { size: 18, bold: true, color: look.sampling, alpha });
  drawDrawn(at, chip, layout.drawn, { alpha: born, idAlpha: during(flown, 0.9, 1) });
  const hit = `has hit ${quoted(piece)}, token ${count(token)}, ${share(prob)}`;
  at.mark(boxOf(chip), () => `the dart, ${data.random.toFixed(4)}, ${hit}`);
}
