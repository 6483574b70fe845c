// The FFN in scene 5: neurons over each column, and what they add to it.

import { quoted } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";
import { tint } from "./brush.js";
import { short } from "./numbers.js";
import { between, during } from "./time.js";

const SPIKES = 44; // pixels of the layer's strongest neuron

/** The FFN has each column by itself. */
export function drawFFNBox(at, { bar }) {
  const { layout, moment, look } = at;
  const y = layout.head - 16 - SPIKES - 24;
  const box = [bar.x - layout.cellWidth / 2, y, layout.cellWidth, layout.bottom + 6 - y];
  const fill = tint(look.ffn, look.theme === "dark" ? 0.13 : 0.07);
  at.faded(moment.ffn, () => at.box(box, 8, { fill, edge: tint(look.ffn, 0.7), width: layout.tall ? 1 : 1.4 }));
}

/** The neurons that write most, at their places among all; below them what all of them add. */
export function drawNeurons(at, column) {
  const { data, layout, moment, look } = at;
  const { layer, u } = moment;
  const { bar, lane } = column;
  const width = layout.cellWidth - (layout.tall ? 4 : 14);
  const [left, base] = [bar.x - width / 2, layout.head - 15];
  const [neurons, pushes] = [data.neuronsOf(layer, lane.i), data.pushesOf(layer, lane.i)];
  const grown = during(u, 0.57, 0.68);
  at.faded(moment.ffn, () => {
    at.rect(look.ffn, left, base, width, 1.4);
    for (let j = neurons.length - 1; j >= 0; j--) {
      const [x, high] = [left + (neurons[j] / data.sizes.d_ff) * width, (pushes[j] / 255) * SPIKES * grown];
      at.faded(j ? 0.6 : 1, () => at.rect(look.ffn, x - 1.4, base - high, layout.tall ? 1.6 : 2.8, high));
      if (j || layout.tall) continue;
      const middle = width < 40 ? bar.x : clamp(x, left + 19, left + width - 19);
      const style = { size: 13, bold: true, color: look.ffn, align: "center", alpha: grown };
      at.write(`#${neurons[0]}`, middle, base - high - 10, style);
    }
    const [most, ...others] = neurons;
    const where = `layer ${layer}, ${quoted(lane.piece)}`;
    const words = () => `${where}: neuron ${most} writes most, then ${others.join(", ")}`;
    at.mark([left, base - SPIKES - 16, width, SPIKES + 18], words);
    drawAdded(at, column, width);
  });
}

/** What the FFN adds to a column: it is made above it, and falls into it. */
function drawAdded(at, { bar, lane, alpha }, width) {
  const { data, layout, moment } = at;
  const { layer, u } = moment;
  const added = data.addedTo(layer, lane.i);
  const made = during(u, 0.66, 0.72);
  const lying = { x: bar.x, y: layout.head - 6, len: width * made, thick: 9, turn: 0 };
  if (!layout.tall) {
    at.vector(lying, added, made * (alpha < 1 ? 0.6 : 1));
    at.mark([bar.x - width / 2, layout.head - 11, width, 10], () => {
      const length = short(data.adds[(2 * layer + 1) * data.count + lane.i]);
      return `layer ${layer}: to the column of ${quoted(lane.piece)} the FFN adds this vector, of length ${length}`;
    });
  }
  const falls = during(u, 0.72, 0.82);
  if (falls <= 0 || falls >= 1) return;
  const [len, thick] = [between(width, layout.columnHeight, falls), between(9, bar.thick, falls)];
  const y = between(lying.y, layout.middle, falls);
  at.vector({ x: bar.x, y, turn: (falls * Math.PI) / 2, len, thick }, added, 1 - falls);
}
