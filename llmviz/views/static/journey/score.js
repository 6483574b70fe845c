// Scene 6: every row of the table is compared with the last column; scores become probabilities.

import { quoted, shorten } from "../kit/elements.js";
import { clamp, count, minus } from "../kit/numbers.js";
import { tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { share } from "./numbers.js";
import { between, during } from "./time.js";

export const SCAN_FROM = 1.2; // seconds into the scene: the column is moved along the table
export const SCAN = 3;

/** Where the bars are, how far their scores have turned into probabilities, and how far they are on their way. */
function barsOf({ data, layout, moment }) {
  const { matching, picking } = moment;
  const bars = { x: layout.barsX, y: 48, pitch: Math.min(33, (layout.bottom + 8 - 46) / 11), line: layout.segments };
  const room = layout.phone ? layout.width - 52 : Math.max(bars.x + 120, layout.tower.x - 110);
  return Object.assign(bars, {
    w: room - bars.x,
    h: Math.min(24, bars.pitch * 0.74),
    most: Math.max(data.likeliest[0].prob, data.others),
    grown: during(matching, 5.4, 7),
    // each in its own row to its place on the line, then down: so none covers another
    placed: during(picking, 0.35, 1.4),
    laid: during(picking, 1.2, 2.3),
    gone: during(picking, 7, 8),
    hit: during(picking, 4.6, 5),
    named: 1 - during(picking, 0, 0.4),
    middle: (j) => bars.y + j * bars.pitch + bars.pitch / 2,
  });
}
/** A bar, `long` in its row, on its way to its part of the line. */
const onItsWay = ({ x, h, line, placed, laid }, y, long, part) => [
  between(x, part.x, placed),
  between(y - h / 2, line.y, laid),
  between(long, part.w, placed),
  between(h, line.h, laid),
];

/** The likeliest tokens as bars, which lie end to end in the last scene. */
export function drawBars(at) {
  const { data, layout, moment } = at;
  if (moment.matching <= SCAN_FROM) return;
  drawMatches(at);
  const bars = barsOf(at);
  const scores = during(moment.matching, SCAN_FROM, SCAN_FROM + 0.6) * (1 - during(bars.grown, 0, 0.4));
  if (layout.phone) at.write("score", bars.x, bars.y - 8, { size: 15, alpha: scores });
  drawOthers(at, bars);
  data.likeliest.forEach((row, j) => drawBar(at, bars, row, j));
  if (data.likeliest.some(({ token }) => token === data.drawn.token)) return;
  const { x, w } = partOfLine(data.drawn, bars.line); // a slice of its own when the dart hits it
  const slice = [x, bars.line.y, w - (w > 3 ? 1 : 0), bars.line.h];
  at.faded((1 - bars.gone) * bars.hit, () => at.box(slice, 2, { fill: tint(at.look.sampling, 1) }));
}
const partOfLine = ({ start, prob }, line) => ({ x: line.x + start * line.w, w: Math.max(1.6, prob * line.w) });

/** All tokens without a bar: a bar of their own, then the ground of the line. */
function drawOthers(at, bars) {
  const { data, layout, look } = at;
  const { grown, line, named } = bars;
  at.faded(grown * (1 - bars.gone) * between(1, 0.5, bars.hit), () => {
    const [y, full] = [bars.middle(10), (bars.w * data.others) / bars.most];
    at.box(onItsWay(bars, y, full * grown, line), 5, { fill: tint(look.quiet, 0.28) });
    const words = layout.wide ? `${count(data.sizes.n_vocab - data.likeliest.length)} others` : "others";
    at.write(words, bars.x - 14, y, { size: 15, align: "right", alpha: named });
    at.write(share(data.others), bars.x + full + 9, y, { size: 15, alpha: named * grown });
  });
}

function drawBar(at, bars, row, j) {
  const { data, layout, moment, look } = at;
  const { x, w, h, line, grown, laid, hit } = bars;
  const compared = SCAN_FROM + SCAN * layout.heightOf(row.token);
  const shown = during(moment.matching, compared, compared + 0.5);
  if (shown <= 0) return;
  const y = bars.middle(j);
  const scored = w * 0.72 * clamp(row.score / data.likeliest[0].score);
  const long = Math.max(1.5, between(scored, (w * row.prob) / bars.most, grown));
  const part = partOfLine(row, line);
  drawFromTable(at, row, y, bars, shown * (1 - during(moment.picking, 0, 0.8)));
  const paled = row.token === data.drawn.token ? 1 : between(1, 0.4, hit);
  at.faded(shown * (1 - bars.gone) * paled, () => {
    const gap = laid > 0.5 && part.w > 3 ? 1 : 0;
    const [left, top, wide, high] = onItsWay(bars, y, long, part);
    const fill = tint(look.sampling, between(0.35, 1, grown));
    at.box([left, top, wide - gap, high], between(4, 2, laid), { fill });
  });
  const alpha = shown * bars.named;
  at.piece(shorten(row.piece, layout.barLetters), x - 14, y, { size: layout.barSize, align: "right", alpha });
  const score = `${j || layout.phone ? "" : "score "}${minus(row.score.toFixed(1))}`;
  at.write(score, x + long + 9, y, { size: 15, alpha: alpha * (1 - during(grown, 0, 0.4)) });
  at.write(share(row.prob), x + long + 9, y, { size: 15, alpha: alpha * during(grown, 0.4, 1) });
  const [piece, prob] = [quoted(row.piece), share(row.prob)];
  const words = () => `${piece}: score ${minus(row.score.toFixed(2))}, probability ${prob}`;
  if (alpha > 0.5) at.mark([x - 120, y - h / 2, 120 + long, h], words);
  if (laid > 0.9) at.mark([part.x, line.y, part.w, line.h], () => `${piece}, ${prob}`);
}

/** How well each stretch of the table matches: its best score, from the median stretch on. */
function drawMatches(at) {
  const { data, layout, moment, look } = at;
  const { strip } = layout;
  const scanned = clamp((moment.matching - SCAN_FROM) / SCAN);
  const [from, each] = [strip.x + strip.w + 10, strip.h / data.matches.length];
  const wide = matchWidths(at);
  const named = during(moment.matching, SCAN_FROM, SCAN_FROM + 0.6);
  at.faded(1 - during(moment.picking, 0, 1), () => {
    const color = tint(look.sampling, 0.6);
    for (let j = 0; j < wide.length * scanned; j++) at.rect(color, from, strip.y + j * each, 2 + wide[j], each * 0.8);
    at.write("match", from, strip.y - 12, { size: 14, bold: true, color: look.sampling, alpha: named });
  });
}
function matchWidths({ data, layout }) {
  const sorted = data.matches.toSorted();
  const low = sorted[sorted.length >> 1];
  const high = Math.max(sorted.at(-1), low + 1e-6);
  return Array.from(data.matches, (match) => layout.matchW * clamp((match - low) / (high - low)));
}

/** From a likely token's place in the table to its bar. */
function drawFromTable(at, row, y, bars, alpha) {
  const { data, layout, look } = at;
  const band = data.bands.findLastIndex((first) => first <= row.token);
  const from = layout.strip.x + layout.strip.w + 15 + matchWidths(at)[band];
  const label = pieceWidth(layout, shorten(row.piece, layout.barLetters), layout.barSize);
  const [to, tableY] = [Math.max(from + 4, bars.x - 24 - label), layout.tableY(row.token)];
  const middle = between(from, to, 0.5);
  at.faded(0.5 * alpha, () => at.curve(look.sampling, 1.1, [from, tableY], [middle, tableY, middle, y], [to, y]));
}
