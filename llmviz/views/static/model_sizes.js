// Models on one axis of memory: a row each, with a mark for each number of bits, filled where the machine has room.

import { axisBelow, thinned } from "./kit/axes.js";
import { widest } from "./kit/canvas.js";
import { axisText, plain, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { column, dot, rule } from "./kit/marks.js";
import { clamp, count } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { bands, scale } from "./kit/scales.js";
import { selectIn, stepKeys } from "./kit/selection.js";

const ROW = 32; // pixels
const DATA = ["names", "counts", "bits", "machine", "machine_name", "stage", "selected"];
const UNITS = [
  [1e12, "TB"],
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];
const bytes = (n) => {
  const [by, unit] = UNITS.find(([least]) => n >= least * 0.9995) ?? [1, "bytes"];
  return `${Number((n / by).toPrecision(3))} ${unit}`;
};
const memory = (parameters, bits) => (parameters * bits) / 8;
/** A diamond, a square, a circle. */
const SHAPES = [
  (x, y, look) => s("path", { d: `M${x} ${y - 7}L${x + 7} ${y}L${x} ${y + 7}L${x - 7} ${y}Z`, ...look }),
  (x, y, look) => column([x - 5.5, y - 5.5, x + 5.5, y + 5.5], look),
  (x, y, look) => dot(x, y, 6, look),
];
const shape = (k, x, y, fits) => SHAPES[k % SHAPES.length](x, y, { class: fits ? "lv-bits lv-fits" : "lv-bits" });

export function render({ model, el }) {
  const view = frame(model, el, "model_sizes");
  const plot = createPlot(view, "models by memory: up and down go through them");
  let rows = bands(1, [0, 1]);
  const n = () => model.get("counts").length;
  const current = () => model.get("selected");
  const show = (i) => tell(view, i ?? current());
  const select = (selected) => view.set({ selected });
  selectIn(plot, {
    under: (_, y) => rows.under(y),
    show,
    pick: select,
    keys: stepKeys({ n, current, select, keys: ["ArrowUp", "ArrowDown"] }),
  });
  return view.start(() => {
    if (view.changed(...DATA)) {
      rows = bands(n(), [26, 26 + ROW * n()]);
      draw(view, plot, rows);
    }
    show(null);
  });
}

function tell(view, i) {
  const n = view.model.get("counts")[i];
  if (n === undefined) return view.note("");
  const needed = view.model.get("bits").map((bits) => `${bits} bits: ${bytes(memory(n, bits))}`);
  view.note(plain(view.model.get("names")[i]), `${count(Math.round(n))} parameters`, ...needed);
}

function draw(view, plot, rows) {
  const { model } = view;
  const [counts, bits, selected] = ["counts", "bits", "selected"].map((name) => model.get(name));
  const names = model.get("names").map(plain);
  const width = Math.max(420, view.width());
  const height = 26 + ROW * counts.length + 48;
  const area = areaIn(width, height, { left: widest(view, names, 16, "ui") + 16, right: 24, top: 26, bottom: 48 });
  const sizes = counts.flatMap((n) => bits.map((one) => memory(n, one)));
  const [first, last] = [Math.floor(Math.log10(Math.min(...sizes))), Math.ceil(Math.log10(Math.max(...sizes)))];
  const px = scale([10 ** first, 10 ** last], [area.left, area.right], Math.log10);
  const powers = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  const room = 1e9 * model.get("machine"); // bytes; 0: no machine is chosen
  plot.size(width, height);
  plot.ground.replaceChildren(
    ...powers.map((n) => rule("lv-gridline", px(n), area.top, px(n), area.bottom)),
    ...axisBelow(
      area,
      thinned(
        view,
        powers.map((n) => [px(n), bytes(n)]),
      ),
      "memory for the parameters (each line: × 10)",
    ),
  );
  plot.marks.replaceChildren(
    ...counts.flatMap((n, i) => {
      const [y, own] = [rows.middle(i), bits.map((one) => memory(n, one))];
      return [
        column([0, y - ROW / 2, width, y + ROW / 2], { class: i === selected ? "lv-row lv-chosen" : "lv-row" }),
        axisText(area.left - 12, y + 5, names[i], "end", { class: "lv-name" }),
        rule("lv-span", px(own[0]), y, px(own.at(-1)), y),
        ...own.map((size, k) => shape(k, px(size), y, !room || size < room)),
      ];
    }),
    ...(room ? machine(model, area, clamp(px(room), area.left, area.right), room) : []),
  );
  view.setLegend(
    ...bits.map((one, k) => signKey(shape(k, 17, 6, true), `${one} bits`)),
    room > 0 && "filled: it fits; empty: it doesn't",
  );
}

/** A line where the machine's memory ends. */
const machine = (model, area, x, room) => [
  rule("lv-machine", x, area.top - 6, x, area.bottom),
  axisText(x, area.top - 10, `${model.get("machine_name")}: ${bytes(room)}`, x > area.right - 76 ? "end" : "middle", {
    class: "lv-name",
  }),
];
