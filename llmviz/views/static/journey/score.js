// Scene 6: every row of the table is compared with the last column; scores become probabilities.

import { quoted, shorten } from "../kit/elements.js";
import { clamp, count, minus } from "../kit/numbers.js";
import { tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { share } from "./numbers.js";
import { between, during } from "./time.js";

export const SCAN_FROM = 1.2; // seconds into the scene: the column is moved along the table
export const SCAN = 3;
const MATCH_W = 36; // pixels of the best match

/** Where the bars are, how far their scores have turned into probabilities, and how far they are on their way. */
function barsOf({ data, layout, moment }) {
  const { matching, picking } = moment;
  const pitch = Math.min(33, (layout.bottom - 38) / 11);
  return {
    x: layout.rowsX,
    w: layout.width - layout.rowsX - 60,
    h: Math.min(24, pitch * 0.74),
    line: layout.segments,
    most: Math.max(data.likeliest[0].prob, data.others),
    grown: during(matching, 5.4, 7),
    laid: during(picking, 0.35, 2.3),
    gone: during(picking, 7, 8),
    hit: during(picking, 4.6, 5),
    named: 1 - during(picking, 0, 0.4),
    middle: (j) => 48 + (j + 0.5) * pitch,
  };
}

/** The likeliest tokens as bars, which lie end to end in the last scene. */
export function drawBars(at) {
  const { data, moment, look } = at;
  if (moment.matching <= SCAN_FROM) return;
  drawMatches(at);
  const bars = barsOf(at);
  const what = bars.grown < 0.5 ? "score" : "probability";
  at.write(what, bars.x, 38, { size: 15, bold: true, color: look.sampling, alpha: bars.named });
  drawOthers(at, bars);
  data.likeliest.forEach((row, j) => drawBar(at, bars, row, j));
  if (data.likeliest.some(({ token }) => token === data.drawn.token)) return;
  const slice = partOfLine(data.drawn, bars.line); // of its own when the dart hits it
  at.faded((1 - bars.gone) * bars.hit, () => at.box(slice, 2, { fill: look.sampling }));
}
const partOfLine = ({ start, prob }, { x, y, w, h }) => [x + start * w, y, Math.max(1.6, prob * w - 1), h];

/** A bar, `long` in its row, on its way to its part of the line. */
const onItsWay = ({ x, h, laid }, y, long, part) =>
  [x, y - h / 2, long, h].map((size, k) => between(size, part[k], laid));

/** All tokens without a bar: a bar of their own, then the ground of the line. */
function drawOthers(at, bars) {
  const { data, look } = at;
  const { grown, line, named, x } = bars;
  at.faded(grown * (1 - bars.gone) * between(1, 0.5, bars.hit), () => {
    const [y, full] = [bars.middle(10), (bars.w * data.others) / bars.most];
    at.box(onItsWay(bars, y, full * grown, [line.x, line.y, line.w, line.h]), 5, { fill: tint(look.quiet, 0.28) });
    at.write("others", x - 14, y, { size: 15, align: "right", alpha: named });
    at.write(share(data.others), x + full + 9, y, { size: 15, alpha: named });
    at.mark(
      [x, y - 12, full, 24],
      () => `the ${count(data.sizes.n_vocab - data.likeliest.length)} others: ${share(data.others)}`,
    );
  });
}

function drawBar(at, bars, row, j) {
  const { data, layout, moment, look } = at;
  const { x, w, grown, laid, hit } = bars;
  const compared = SCAN_FROM + SCAN * layout.heightOf(row.token);
  const shown = during(moment.matching, compared, compared + 0.5);
  if (shown <= 0) return;
  const y = bars.middle(j);
  const scored = w * 0.72 * clamp(row.score / data.likeliest[0].score);
  const long = Math.max(1.5, between(scored, (w * row.prob) / bars.most, grown));
  const box = onItsWay(bars, y, long, partOfLine(row, bars.line));
  const paled = row.token === data.drawn.token ? 1 : between(1, 0.4, hit);
  const fill = tint(look.sampling, between(0.35, 1, grown));
  at.faded(shown * (1 - bars.gone) * paled, () => at.box(box, between(4, 2, laid), { fill }));
  const alpha = shown * bars.named;
  const piece = shorten(row.piece, layout.letters);
  at.piece(piece, x - 14, y, { size: 16, align: "right", alpha });
  at.write(grown < 0.5 ? minus(row.score.toFixed(1)) : share(row.prob), x + long + 9, y, { size: 15, alpha });
  at.mark(box, () => `${quoted(row.piece)}: score ${minus(row.score.toFixed(2))}, probability ${share(row.prob)}`);
  // from its place in the table
  const [from, to] = [matchesX(layout) + MATCH_W + 4, x - 24 - pieceWidth(layout, piece, 16)];
  const [middle, tableY] = [between(from, to, 0.5), layout.tableY(row.token)];
  at.faded(0.5 * alpha, () => at.curve(look.sampling, 1.1, [from, tableY], [middle, tableY, middle, y], [to, y]));
}
const matchesX = ({ strip }) => strip.x + strip.w + 10;

/** How well each stretch of the table matches: its best score, from the median stretch on. */
function drawMatches(at) {
  const { data, layout, moment, look } = at;
  const { strip } = layout;
  const scanned = clamp((moment.matching - SCAN_FROM) / SCAN);
  const [x, each] = [matchesX(layout), strip.h / data.matches.length];
  const sorted = data.matches.toSorted();
  const low = sorted[sorted.length >> 1];
  const high = Math.max(sorted.at(-1), low + 1e-6);
  at.faded(1 - during(moment.picking, 0, 1), () => {
    at.write("match", x, strip.y - 12, { size: 14, bold: true, color: look.sampling });
    data.matches.slice(0, data.matches.length * scanned).forEach((match, j) => {
      const wide = 2 + MATCH_W * clamp((match - low) / (high - low));
      at.rect(tint(look.sampling, 0.6), x, strip.y + j * each, wide, each * 0.8);
    });
  });
}
