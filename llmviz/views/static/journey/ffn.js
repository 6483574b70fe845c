// The FFN in scene 5: neurons over each column, and what they add to it.

import { quoted } from "../kit/elements.js";
import { tint } from "./brush.js";
import { short } from "./numbers.js";
import { during } from "./time.js";

const SPIKES = 44; // pixels of the layer's strongest neuron

/** The FFN has each column by itself: neurons that write most, at their places among all, and what all of them add. */
export function drawFFN(at, column) {
  const { data, layout, moment, look } = at;
  const { layer, u } = moment;
  const { bar, lane, alpha } = column;
  const width = layout.cellWidth - (layout.tall ? 4 : 14);
  const [left, base] = [bar.x - width / 2, layout.head - 15];
  const [neurons, pushes] = [data.neuronsOf(layer, lane.i), data.pushesOf(layer, lane.i)];
  const grown = during(u, 0.57, 0.68);
  const where = `layer ${layer}, ${quoted(lane.piece)}`;
  at.faded(moment.ffn, () => {
    const top = base - SPIKES - 12;
    const box = [bar.x - layout.cellWidth / 2, top, layout.cellWidth, layout.bottom + 6 - top];
    at.box(box, 8, { fill: tint(look.ffn, 0.09), edge: tint(look.ffn, 0.7), width: 1.2 });
    at.rect(look.ffn, left, base, width, 1.4);
    neurons.forEach((neuron, j) => {
      const [x, high] = [left + (neuron / data.sizes.d_ff) * width, (pushes[j] / 255) * SPIKES * grown];
      at.faded(j ? 0.6 : 1, () => at.rect(look.ffn, x - 1, base - high, 2, high));
    });
    const [most, ...others] = neurons;
    const words = () => `${where}: neuron ${most} writes most, then ${others.join(", ")}`;
    at.mark([left, base - SPIKES, width, SPIKES], words);
    if (layout.tall) return;
    const made = during(u, 0.66, 0.72);
    const added = { x: bar.x, y: layout.head - 6, len: width * made, thick: 9, turn: 0 };
    at.vector(added, data.addedTo(layer, lane.i), made * alpha);
    const length = short(data.adds[(2 * layer + 1) * data.count + lane.i]);
    at.mark([left, layout.head - 11, width, 10], () => `${where}: the FFN adds this vector, of length ${length}`);
  });
}
