// Scene 1: the text, its pieces, and the numbers of all tokens as a line.

import { quoted, shorten } from "../kit/elements.js";
import { clamp, count } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { AGAIN, between, during, move } from "./time.js";

/** Ids to write beside the line or the table, the last one included. */
export function ticksOf({ sizes }) {
  const last = sizes.n_vocab - 1;
  return [...[0, 1_000, 5_000, 10_000, 20_000, 30_000, 40_000].filter((id) => id < 0.8 * last), last];
}

/** All ids on a line, and where this text's are; when rows are looked up, the line turns into the table. */
export function drawNumberLine(at) {
  const { layout, look, moment, data, times } = at;
  const { line, strip, width } = layout;
  if (!line.room) return;
  const back = moment.up;
  const turned = during(moment.t, times.look, times.look + 1.3);
  const v = back > 0 ? 0 : turned;
  const [flat, tableX] = [1 - during(v, 0, 0.3), strip.x + strip.w / 2];
  const start = [between(line.x, tableX, v), between(line.y, strip.y, v)];
  const end = [between(line.x + line.w, tableX, v), between(line.y, strip.y + strip.h, v)];
  const place = (id) => [0, 1].map((axis) => between(start[axis], end[axis], layout.heightOf(id)));
  at.faded(Math.max(during(moment.t, 4.2, 5.2) * (1 - turned), during(back, 0.5, 1)), (ctx) => {
    ctx.lineCap = "round";
    at.line(look.line, 5, start, end);
    for (const id of ticksOf(data).filter((tick) => !layout.untold.includes(tick))) {
      const [x, y] = place(id);
      at.write(count(id), x, y + 20, { size: 13, align: "center", alpha: flat });
      at.faded(flat, () => at.rect(look.quiet, x - 0.5, y + 4, 1, 5));
    }
    const all = `all ${count(data.sizes.n_vocab)} tokens`;
    const long = `${all} by their numbers, on a square-root scale`;
    const words = at.fitting(width, 14, false, long, `${all}, on a square-root scale`);
    at.write(words, width / 2, line.y + 46, { align: "center", alpha: flat });
    for (const lane of back > 0 ? [...layout.lanes, layout.drawn] : layout.lanes) {
      const chip = back > 0 ? lane.joinedText : lane.text;
      const [[x, y], fromY] = [place(lane.id), chip.y + chip.size * 0.5 + 40];
      const color = lane === layout.drawn ? look.sampling : look.tokenization;
      const controls = [chip.x, between(fromY, y, 0.6), x, between(fromY, y, 0.4)];
      at.curve(tint(color, 0.5 * flat), 1.3, [chip.x, fromY], controls, [x, y - 6]);
      at.disc(color, x, y, 4.5);
    }
  });
}

/** Where a token's chip is: in the text, then by itself, then the label of a lane, then in the text again. */
export function chipAt({ moment }, { uncut, text, label, joinedLabel, joinedText }) {
  const chip = { ...uncut };
  move(chip, text, during(moment.t, 2.6, 4));
  move(chip, label, moment.down);
  move(chip, joinedLabel, moment.joined);
  move(chip, joinedText, moment.up);
  return chip;
}

/** box: how much of the chip's box is there, from 0 to 1. */
function drawChip(at, chip, { piece, id }, { color, edge, fill = at.look.page, box = 1, idAlpha = 1, alpha = 1 }) {
  const { layout, look } = at;
  const { big } = at.moment;
  const upright = clamp(-chip.turn / (Math.PI / 2));
  at.faded(alpha, (ctx) => {
    const y = chip.y - (layout.tall ? 0 : idAlpha * 9 * (1 - big));
    at.faded(box, () => at.box(boxOf({ ...chip, y }), 7, { fill, edge }));
    ctx.save();
    ctx.translate(chip.x, y);
    ctx.rotate(chip.turn);
    const label = shorten(piece, upright > 0.05 ? 9 : big < 0.5 ? 14 : 40);
    const width = pieceWidth(layout, label, chip.size);
    const from = between(-width / 2, chip.h / 2 - 8 - width, upright);
    // the space mark comes with the cut
    const shown = box < 1 ? label.replace(/\x01·\x02/g, box > 0.5 ? "\x01·\x02" : " ") : label;
    at.piece(shown, from, 0, { size: chip.size, color });
    ctx.restore();
    if (layout.tall && big < 0.5) return;
    const looks = big > 0.5 ? { bold: true, color: look.tokenization } : {};
    const style = { ...looks, size: between(13, 17, big), align: "center", alpha: idAlpha * (layout.tall ? big : 1) };
    at.write(String(id), chip.x, y + chip.h / 2 + (big > 0 ? 14 : 10), style);
  });
}

/** All chips, in every scene. */
export function drawChips(at) {
  const { data, layout, moment, look, times } = at;
  const { t } = moment;
  const n = layout.lanes.length;
  const strongest = data.strongest[moment.layer];
  const attends = moment.attention > 0.05 && strongest && strongest.weight >= 0.1;
  for (const lane of layout.lanes) {
    const { k, id, piece, place } = lane;
    const chip = chipAt(at, lane);
    const pause = k * Math.min(0.2, 1.4 / n);
    const own = place >= data.n - data.written; // the journey has written it
    const last = k === n - 1;
    const color = own ? look.sampling : look.ink;
    let edge = t < times.look ? tint(look.tokenization, 0.55) : look.line;
    if (own || (last && moment.rising)) edge = color;
    if (attends && (strongest.place === place || (last && moment.rising))) edge = look.attention;
    const [box, idAlpha] = [during(t, 2.2, 3.2), during(t, 3.4 + pause, 4 + pause)];
    drawChip(at, chip, lane, { color, edge, box, idAlpha });
    const fresh = own && last ? 1 - during(t, AGAIN + 0.1, 7) : 0; // as the journey before has left it
    drawDrawn(at, chip, lane, { alpha: fresh, idAlpha: 0 });
    at.mark(boxOf(chip), () => `${quoted(piece)}: token ${count(id)}, at place ${count(place)}`);
  }
  if (!layout.leftOut || n < 2) return;
  const [a, b] = layout.lanes.slice(0, 2).map((lane) => chipAt(at, lane));
  const x = a.y === b.y ? (a.x + a.w / 2 + b.x - b.w / 2) / 2 : a.x + a.w / 2 + 20;
  at.write("…", x, a.y, { size: between(17, 26, moment.big), bold: true, align: "center" });
  at.mark([x - 12, a.y - 15, 24, 30], () => `${count(layout.leftOut)} tokens are not drawn`);
}
/** The chip of a token that was drawn. */
export const drawDrawn = (at, chip, token, { alpha, idAlpha }) =>
  drawChip(at, chip, token, { color: at.look.page, edge: at.look.sampling, fill: at.look.sampling, alpha, idAlpha });

/** The cuts between the pieces. */
export function drawKnives(at) {
  const { lanes } = at.layout;
  const { t } = at.moment;
  lanes.slice(1).forEach(({ k, uncut: a, text }) => {
    const before = lanes[k - 1].text;
    const pause = k * Math.min(0.16, 1 / lanes.length);
    const fallen = during(t, 1.2 + pause, 1.6 + pause);
    if (text.y !== before.y || fallen <= 0) return;
    const middle = (text.x - text.w / 2 + before.x + before.w / 2) / 2;
    const x = between(a.x - a.w / 2, middle, during(t, 2.6, 4));
    const [top, bottom] = [a.y - a.size * 0.9, a.y + a.size * 0.9];
    at.faded(1 - during(t, 3, 3.6), (ctx) => {
      ctx.lineCap = "round";
      at.line(at.look.tokenization, 2.5, [x, top], [x, between(top, bottom, fallen)]);
    });
  });
}
