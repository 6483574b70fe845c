// Scene 1: the text, its pieces, and the numbers of all tokens as a line.

import { quoted, shorten } from "../kit/elements.js";
import { clamp, count } from "../kit/numbers.js";
import { boxOf, tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { between, during, move } from "./time.js";

/** Ids to write beside the line or the table, evenly spaced on its scale; the last id included. */
export const ticksOf = ({ sizes: { n_vocab: n } }) =>
  [0, 0.2, 0.4, 0.6, 0.8].map((v) => Number((v * v * n).toPrecision(1))).concat(n - 1);

/** All ids on a line, and where this text's are. */
export function drawNumberLine(at) {
  const { layout, look, moment, data, times } = at;
  const { line, width, lanes, drawn } = layout;
  const before = during(moment.t, 4.2, 5.2) * (1 - during(moment.t, times.look - 0.2, times.look + 0.6));
  if (!line.room) return;
  at.faded(Math.max(before, during(moment.up, 0.5, 1)), () => {
    const place = (id) => line.x + layout.heightOf(id) * line.w;
    at.line(look.line, 5, [line.x, line.y], [line.x + line.w, line.y]);
    const ticks = ticksOf(data).filter((_, i) => line.w > 400 || i !== 4); // 30,000 would touch 20,000
    for (const id of ticks) at.write(count(id), place(id), line.y + 20, { size: 13, align: "center" });
    const words = `all ${count(data.sizes.n_vocab)} tokens by number, square-root scale`;
    at.write(words, width / 2, line.y + 46, { align: "center" });
    for (const lane of moment.up > 0 ? [...lanes, drawn] : lanes) {
      const chip = moment.up > 0 ? lane.joinedText : lane.text;
      const [x, y, fromY] = [place(lane.id), line.y, chip.y + chip.size / 2 + 40];
      const color = lane === drawn ? look.sampling : look.tokenization;
      const controls = [chip.x, between(fromY, y, 0.6), x, between(fromY, y, 0.4)];
      at.curve(tint(color, 0.5), 1.3, [chip.x, fromY], controls, [x, y - 6]);
      at.box(boxOf({ x, y, w: 9, h: 9 }), 5, { fill: color });
    }
  });
}

/** Where a token's chip is: in the text, then by itself, then the label of a lane, then in the text again. */
function chipAt({ moment }, { uncut, text, label, joinedText }) {
  const chip = { ...uncut };
  move(chip, text, during(moment.t, 2.6, 4));
  move(chip, label, moment.down);
  move(chip, joinedText, moment.up);
  return chip;
}

/** box and number: how much of the chip's box and of its token's number is there, from 0 to 1. */
export function drawChip(at, chip, { piece, id }, { color, edge, fill = at.look.page, box = 1, number = 1 }) {
  const { layout, look } = at;
  const { big } = at.moment;
  const upright = clamp(-chip.turn / (Math.PI / 2));
  at.faded(box, () => at.box(boxOf(chip), 7, { fill, edge }));
  at.faded(1, (ctx) => {
    ctx.translate(chip.x, chip.y);
    ctx.rotate(chip.turn);
    const label = shorten(piece, Math.round(chip.letters));
    const width = pieceWidth(layout, label, chip.size);
    const from = between(-width / 2, chip.h / 2 - 8 - width, upright);
    const shown = box < 0.5 ? label.replaceAll("\x01·\x02", " ") : label; // the space mark comes with the cut
    at.piece(shown, from, 0, { size: chip.size, color });
  });
  const looks = big > 0.5 ? { bold: true, color: look.tokenization } : {};
  const style = { ...looks, size: between(13, 17, big), align: "center", alpha: number * (layout.tall ? big : 1) };
  at.write(String(id), chip.x, chip.y + chip.h / 2 + between(10, 14, big), style);
}

/** All chips, in every scene. */
export function drawChips(at) {
  const { data, layout, moment, look } = at;
  const { t, rising } = moment;
  const { lanes, leftOut } = layout;
  const strongest = moment.attention > 0.05 && data.strongest[moment.layer];
  for (const lane of lanes) {
    const { k, id, piece, place } = lane;
    const chip = chipAt(at, lane);
    const pause = k * Math.min(0.2, 1.4 / lanes.length);
    const own = place >= data.n - data.written; // the journey has written it
    const last = rising && lane === lanes.at(-1);
    const color = own ? look.sampling : look.ink;
    let edge = own || last ? color : look.line;
    if (strongest && (last || strongest.place === place)) edge = look.attention;
    const [box, number] = [during(t, 1.4, 2.8), during(t, 3.4 + pause, 4 + pause)];
    drawChip(at, chip, lane, { color, edge, box, number });
    at.mark(boxOf(chip), () => `${quoted(piece)}: token ${count(id)}, at place ${count(place)}`);
  }
  if (!leftOut) return;
  const [a, b] = lanes.slice(0, 2).map((lane) => chipAt(at, lane));
  const x = (a.x + a.w / 2 + b.x - b.w / 2) / 2;
  at.write("⋮", x, a.y, { size: between(16, 26, moment.big), bold: true, color: look.ink, align: "center" });
  at.mark([x - 8, a.y - 15, 16, 30], () => `${count(leftOut)} tokens are not drawn`);
}
