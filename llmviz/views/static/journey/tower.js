// The layers of scene 5: a tower of what the model would predict after each, and one of its floors, enlarged.

import { quoted, shorten } from "../kit/elements.js";
import { tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { share } from "./numbers.js";
import { hump } from "./time.js";

/** The floor on which the columns are. */
export function drawFloor(at) {
  const { layout, moment, look } = at;
  const { layer, rising, attention, ffn } = moment;
  const [x, y] = [layout.left - 14, 34];
  at.faded(moment.floor, () => {
    at.box([x, y, layout.right + 12 - x, layout.bottom], 10, { fill: look.page, edge: look.line, width: 1.2 });
    if (!rising) return;
    const [title, style] = [`layer ${layer}`, { size: 16, bold: true }];
    const after = x + 14 + at.widthOf(`${title}  `, 16);
    at.write(title, x + 14, 55, { ...style, color: look.ink });
    at.write("attention", after, 55, { ...style, color: look.attention, alpha: attention });
    at.write("FFN", after, 55, { ...style, color: look.ffn, alpha: ffn });
  });
}

export function drawTower(at) {
  const { data, layout, moment, times } = at;
  const { layer, u } = moment;
  const { tower } = layout;
  const reached = layer + Number(u > 0.8); // this many layers have made a prediction
  const middle = (i) => tower.y + tower.h - (i + 0.5) * tower.floor;
  at.faded(hump(moment.t, times.layers + 0.2, times.layers + 1.4, times.match, times.match + 1), () => {
    data.predictions.forEach((_, i) => drawPrediction(at, i, middle(i), i < reached));
    drawTags(at, data.predictions.slice(0, reached), middle);
    if (reached) drawBestGuess(at, data.predictions[reached - 1]);
  });
}

/** A layer's floor: as much of it as the likeliest token has of the probability. */
function drawPrediction(at, i, y, reached) {
  const { data, layout, moment, look } = at;
  const { x, w, floor } = layout.tower;
  const [piece, prob] = data.predictions[i];
  const now = moment.rising && i === moment.layer;
  const bar = (long, fill) => at.box([x, y - floor / 2 + 1.5, long, floor - 3], 3, { fill });
  bar(w, tint(look.quiet, 0.13));
  if (reached) {
    bar(Math.max(3, w * prob), now ? look.sampling : tint(look.sampling, 0.62));
    const words = () => `prediction after layer ${i}: ${quoted(piece)}, ${share(prob)}`;
    at.mark([x, y - floor / 2, w, floor], words);
  }
  if (now) at.box([x - 3, y - floor / 2 - 1, w + 6, floor + 2], 4, { edge: look.ink });
  const style = { size: 13, bold: now, color: now ? look.ink : look.quiet, align: "right" };
  if (now || i % 10 === 0 || i === data.layers - 1) at.write(String(i), x - 8, y, style);
}

/** Which token it is, once for all neighbours with the same, where room is. */
function drawTags(at, predictions, middle) {
  let [shown, above] = [null, Infinity];
  predictions.forEach(([piece], i) => {
    if (piece === shown || above - middle(i) < 20) return;
    [shown, above] = [piece, middle(i)];
    drawTag(at, piece, at.layout.tower.tags + 8, above, {});
  });
}

/** A piece in a box; returns its width. */
function drawTag(at, piece, x, y, { color = at.look.ink, fill = at.look.page, edge = at.look.line }) {
  const [label, size] = [shorten(piece, 5), 13];
  const width = pieceWidth(at.layout, label, size) * 1.03 + 10;
  at.box([x, y - 9, width, 18], 5, { fill, edge, width: 1.2 });
  at.piece(label, x + 5, y, { size, bold: true, color });
  return width;
}

function drawBestGuess(at, [piece, prob]) {
  const { layout, look } = at;
  const [x, style] = [layout.width - 212, { size: 15, bold: true }];
  at.write("prediction", x, 20, { ...style, color: look.sampling });
  const tag = drawTag(at, piece, x + 92, 20, { color: look.page, fill: look.sampling });
  at.write(share(prob), x + 100 + tag, 20, { ...style, color: look.ink });
}
