// The layers of scene 5: a tower of what the model would predict after each, and one of its floors, enlarged.

import { quoted, shorten } from "../kit/elements.js";
import { count } from "../kit/numbers.js";
import { boxPath, tint } from "./brush.js";
import { pieceWidth } from "./layout.js";
import { share } from "./numbers.js";
import { during, hump } from "./time.js";

/** The floor on which the columns are. */
export function drawFloor(at) {
  const { data, layout, moment, look } = at;
  if (moment.floor <= 0) return;
  const { layer, risen, rising, calm, attention, ffn } = moment;
  const [x0, x1, y0, y1] = [layout.left - layout.floorLeft, layout.right + 12, 34, layout.bottom + 34];
  at.faded(moment.floor, (ctx) => {
    const box = [x0, y0, x1 - x0, y1 - y0];
    at.box(box, 10, { fill: look.page, edge: look.line, width: 1.2 });
    ctx.save();
    ctx.clip(boxPath(box, 10));
    const loud = rising ? 1 - calm : 1;
    // it passes while the columns rise
    for (let floor = Math.floor(risen) - 1; floor <= (loud > 0.02 ? risen + 1 : -Infinity); floor++) {
      const y = layout.bottom + 33 - (floor - risen) * (y1 - y0);
      if (y >= y0 && y <= y1 - 2) at.rect(tint(look.quiet, 0.5 * loud), x0, y, x1 - x0, 1.5);
    }
    ctx.restore();
    if (moment.matching >= 0.5) return;
    const title = rising ? `layer ${layer}` : "";
    const [x, style] = [x0 + 14, { size: 16, bold: true }];
    const after = x + at.widthOf(`${title}  `, 16, true);
    at.write(title, x, 55, { ...style, color: look.ink, alpha: Math.max(attention, ffn, calm) });
    at.write("attention", after, 55, { ...style, color: look.attention, alpha: attention });
    const neurons = `FFN: the strongest of ${count(data.sizes.d_ff)} neurons`;
    const words = at.fitting(x1 - 10 - after, 16, true, `${neurons}, and what all of them add`, neurons, "FFN");
    at.write(words, after, 55, { ...style, color: look.ffn, alpha: ffn });
  });
}

export function drawTower(at) {
  const { layout, moment, times } = at;
  const gone = layout.phone ? times.match : times.pick; // on a phone, the bars take its place
  const here = hump(moment.t, times.layers + 0.2, times.layers + 1.4, gone, gone + 1);
  if (here <= 0) return;
  const { layers } = at.data;
  const { layer, u, rising, matching } = moment;
  const { tower } = layout;
  const tags = { x: tower.right - layout.tagsW, middle: (i) => tower.y + tower.h - (i + 0.5) * tower.floor };
  at.faded(here, () => {
    drawWedge(at, tags.middle(rising ? Math.min(layers - 1, moment.risen) : 0));
    const runs = []; // neighbours with the same prediction
    for (let i = 0; i < layers; i++) {
      const reached = matching >= 0 ? 1 : !rising || i > layer ? 0 : i < layer ? 1 : during(u, 0.72, 0.84);
      drawPrediction(at, i, reached, tags);
      if (!reached) continue;
      const [piece] = at.data.predictions[i];
      if (runs.at(-1)?.piece === piece) runs.at(-1).to = i;
      else runs.push({ piece, from: i, to: i, reached });
    }
    drawRuns(at, runs, tags);
    drawBestGuess(at, matching >= 0 ? layers - 1 : rising ? (u > 0.8 ? layer : layer - 1) : -1);
  });
}

/** A layer's floor: as much of it as the likeliest token has of the probability. */
function drawPrediction(at, i, reached, { x: right, middle }) {
  const { layout, moment, look } = at;
  const { x, floor } = layout.tower;
  const { layer, rising } = moment;
  const { layers, predictions } = at.data;
  const [piece, prob] = predictions[i];
  const [y, width, now] = [middle(i), right - x, rising && i === layer];
  const bar = (w, fill) => at.box([x, y - floor / 2 + 1.5, w, floor - 3], 3, { fill });
  bar(width, tint(look.quiet, 0.13));
  if (reached) {
    bar(Math.max(3, width * prob * reached), now ? look.sampling : tint(look.sampling, 0.62));
    const words = () => `prediction after layer ${i}: ${quoted(piece)}, ${share(prob)}`;
    at.mark([x, y - floor / 2, width, floor], words);
  }
  if (now) at.box([x - 3, y - floor / 2 - 1, width + 6, floor + 2], 4, { edge: look.ink });
  const round = (i % 10 === 0 && i < layers - 4) || i === layers - 1;
  if (!now && !(round && (!rising || Math.abs(i - layer) > 1))) return;
  const style = now ? { size: 15, bold: true, color: look.ink } : { size: 13 };
  at.write(String(i), x - 8, y, { ...style, align: "right" });
}

/** Which token it is, once for all neighbours: the longest runs first, short ones where room is. */
function drawRuns(at, runs, { x, middle }) {
  const { layout, look } = at;
  const taken = [];
  for (const { from, to, piece, reached } of runs.toSorted((a, b) => b.to - b.from - a.to + a.from)) {
    const y = (middle(from) + middle(to)) / 2;
    if (taken.some((other) => Math.abs(other - y) < 23)) continue;
    taken.push(y);
    const reach = layout.tower.floor / 2 - 2;
    const [top, bottom] = [middle(to) - reach, middle(from) + reach];
    at.faded(from === to ? reached : 1, () => {
      at.rect(tint(look.sampling, 0.5), x + 4, top, 2, bottom - top);
      drawTag(at, piece, x + 10, y, layout.tagSize, false);
    });
  }
}

/** The big floor is this small one. */
function drawWedge(at, y) {
  const { layout, moment, look } = at;
  const half = layout.tower.floor / 2;
  at.faded(moment.floor, (ctx) => {
    const [x0, x1] = [layout.right + 12, layout.tower.x - 32];
    const shade = ctx.createLinearGradient(x0, 0, x1, 0);
    shade.addColorStop(0, tint(look.quiet, 0.04));
    shade.addColorStop(1, tint(look.quiet, 0.22));
    at.shape(shade, [x0, 40], [x1, y - half], [x1, y + half], [x0, layout.bottom + 28]);
  });
}

/** A piece in a box; returns its width. */
function drawTag(at, piece, x, y, size, strong) {
  const { layout, look } = at;
  const label = shorten(piece, size < 15 ? 5 : 6);
  const width = pieceWidth(layout, label, size) * 1.03 + 10;
  const [fill, edge] = strong ? [look.sampling, look.sampling] : [look.page, look.line];
  at.box([x, y - size * 0.68, width, size * 1.36], 5, { fill, edge, width: 1.2 });
  at.piece(label, x + 5, y, { size, bold: true, color: strong ? look.page : look.ink, quietly: 0.85 });
  return width;
}

function drawBestGuess(at, layer) {
  const { layout, look } = at;
  const title = layout.wide ? "prediction here" : "prediction";
  const [piece, prob] = layer >= 0 ? at.data.predictions[layer] : ["", 0];
  const size = layout.predictionSize;
  const titleWidth = at.widthOf(title, 15, true);
  const tag = pieceWidth(layout, shorten(piece, 6), size) + 12;
  const total = titleWidth + (layer >= 0 ? 16 + tag + at.widthOf(share(prob), 15, true) : 0);
  let x = Math.min(layout.tower.x - layout.predictionX, layout.width - 10 - total);
  at.write(title, x, 20, { size: 15, bold: true, color: look.sampling });
  if (layer < 0) return;
  x += titleWidth + 8;
  x += drawTag(at, piece, x, 20, size, true) + 8;
  at.write(share(prob), x, 20, { size: 15, bold: true, color: look.ink });
}
