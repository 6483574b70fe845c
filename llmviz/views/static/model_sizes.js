// Models on one axis of memory: a row each, with a mark for each number of bits, filled where the machine has room.

import { axisBelow, thinned } from "./kit/axes.js";
import { widest } from "./kit/canvas.js";
import { axisText, plain, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { column, rule, sign } from "./kit/marks.js";
import { clamp, count } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { bands, scale } from "./kit/scales.js";
import { startChart } from "./kit/selection.js";

const ROW = 32; // pixels
const TRAITS = ["names", "counts", "bits", "machine", "machine_name", "stage", "selected"];
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
const bytes = (n) => {
  const power = clamp(Math.floor(Math.log10(1.0005 * n) / 3), 0, 4);
  return `${Number((n / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
};
const memory = (parameters, bits) => (parameters * bits) / 8;
const shape = (k, x, y, fits) =>
  sign(["diamond", "square", "circle"][k % 3], x, y, { class: fits ? "lv-bits lv-fits" : "lv-bits" });

export function render({ model, el }) {
  const view = frame(model, el, "model_sizes");
  const plot = createPlot(view, "models by memory: up and down go through them");
  const under = ({ rows }, _, y) => rows.under(y);
  const keys = ["ArrowUp", "ArrowDown"];
  return startChart(view, plot, { traits: TRAITS, empty: "no models yet", draw, tell, under, keys });
}

function tell({ model, note }, _, i) {
  if (i === null) return note("");
  const n = model.get("counts")[i];
  const needed = model.get("bits").map((bits) => `${bits} bits: ${bytes(memory(n, bits))}`);
  note(plain(model.get("names")[i]), `${count(Math.round(n))} parameters`, ...needed);
}

function draw(view, plot) {
  const { model } = view;
  const [counts, bits, selected] = ["counts", "bits", "selected"].map((name) => model.get(name));
  if (!counts.length) return null;
  const n = counts.length;
  const names = model.get("names").map(plain);
  const [width, height] = [Math.max(320, view.width()), 26 + ROW * n + 48];
  const area = areaIn(width, height, { left: widest(view, names, 16, "ui") + 16, right: 12, top: 26, bottom: 48 });
  const sizes = counts.flatMap((parameters) => bits.map((one) => Math.log10(memory(parameters, one))));
  const [first, last] = [Math.min(...sizes), Math.max(...sizes)];
  const px = scale([10 ** first, 10 ** last], [area.left, area.right], Math.log10);
  const whole = Math.ceil(first); // the first power of 10 on the axis
  const powers = Array.from({ length: Math.floor(last) - whole + 1 }, (_, i) => 10 ** (whole + i));
  const all = powers.map((size) => [px(size), bytes(size)]);
  const named = thinned(view, all); // the other lines have no number
  const marks = all.map((mark) => (named.includes(mark) ? mark : [mark[0], ""]));
  const rows = bands(n, [area.top, area.bottom]);
  const room = 1e9 * model.get("machine"); // bytes; 0: no machine is chosen
  const end = clamp(px(room || 1), area.left, area.right);
  const machine = `${model.get("machine_name")}: ${bytes(room)}`;
  const row = (parameters, i) => {
    const [y, own] = [rows.middle(i), bits.map((one) => memory(parameters, one))];
    return [
      i === selected && column([0, y - ROW / 2, width, y + ROW / 2], { class: "lv-chosen" }),
      axisText(area.left - 12, y + 5, names[i], "end", { class: "lv-name" }),
      rule("lv-zero", px(own[0]), y, px(own.at(-1)), y),
      ...own.map((size, k) => shape(k, px(size), y, !room || size < room)),
    ].filter(Boolean);
  };
  plot.size(width, height);
  plot.ground.replaceChildren(...axisBelow(area, marks, "memory (each line: × 10)", { lines: true }));
  plot.marks.replaceChildren(...counts.flatMap(row));
  if (room)
    plot.marks.append(
      rule("lv-machine", end, area.top - 6, end, area.bottom),
      axisText(end, area.top - 10, machine, end > area.right - 76 ? "end" : "middle", { class: "lv-name" }),
    );
  view.setLegend(
    ...bits.map((one, k) => signKey(shape(k, 17, 6, true), `${one} bits`)),
    room > 0 && "filled: it fits; empty: it doesn't",
  );
  return { n, rows };
}
