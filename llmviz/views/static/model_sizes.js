// Models on one axis of memory: a row each, with a mark for each number of bits, filled where the machine has room.

import {
  axisText,
  clamp,
  count,
  frame,
  onKeys,
  onPointer,
  plain,
  plotIn,
  pointIn,
  s,
  signKey,
  sizePlot,
  thinning,
  widest,
} from "./kit.js";

const DATA = ["names", "counts", "bits", "machine", "machine_name", "stage"];
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
/** A diamond, a square, a circle. */
const SHAPES = [
  (x, y) => s("path", { d: `M${x} ${y - 7}L${x + 7} ${y}L${x} ${y + 7}L${x - 7} ${y}Z` }),
  (x, y) => s("rect", { x: x - 5.5, y: y - 5.5, width: 11, height: 11 }),
  (x, y) => s("circle", { cx: x, cy: y, r: 6 }),
];

export function render({ model, el }) {
  const view = frame(model, el, "model_sizes");
  const [ground, drawing] = [s("g", {}), s("g", {})];
  const plot = plotIn(
    view,
    "models by memory: up and down go through them",
    s("svg", { "aria-hidden": "true" }, ground, drawing),
  );
  const [ROW, TOP, BOTTOM] = [32, 26, 48];
  let rows = 0;

  const tell = (i) => {
    const n = model.get("counts")[i];
    if (n === undefined) return view.note("");
    view.note(
      plain(model.get("names")[i]),
      `${count(Math.round(n))} parameters`,
      ...model.get("bits").map((bits) => `${bits} bits: ${bytes((n * bits) / 8)}`),
    );
  };
  const at = (event) => {
    const i = Math.floor((pointIn(plot, event)[1] - TOP) / ROW);
    return i >= 0 && i < rows ? i : null;
  };
  const select = (i) => view.set({ selected: clamp(i, 0, rows - 1) });
  onPointer(plot, at, (i) => tell(i ?? model.get("selected")), select);
  const step = (by) => () => select((model.get("selected") ?? (by > 0 ? -1 : rows)) + by);
  onKeys(plot, { ArrowDown: step(1), ArrowUp: step(-1), Home: () => select(0), End: () => select(rows - 1) });

  function draw() {
    const [names, counts, bits, machine] = ["names", "counts", "bits", "machine"].map((name) => model.get(name));
    rows = counts.length;
    const [width, height] = [Math.max(420, view.width()), TOP + ROW * rows + BOTTOM];
    sizePlot(plot, width, height);
    const sizes = counts.flatMap((n) => bits.map((one) => (n * one) / 8));
    const [first, last] = [Math.floor(Math.log10(Math.min(...sizes))), Math.ceil(Math.log10(Math.max(...sizes)))];
    const left = widest(view, names.map(plain), 16, "ui") + 16;
    const px = (n) => left + ((Math.log10(n) - first) / (last - first)) * (width - left - 24);
    const powers = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
    const every = thinning((width - left - 24) / (last - first), widest(view, powers.map(bytes), 14, "ui") + 8);
    const bottom = height - BOTTOM;
    const room = 1e9 * machine;
    const called = `${model.get("machine_name")}: ${bytes(room)}`;
    const limit = machine > 0 ? clamp(px(room), left, width - 24) : null;
    const selected = model.get("selected");
    ground.replaceChildren(
      ...powers.flatMap((n, i) => [
        s("line", { x1: px(n), x2: px(n), y1: TOP, y2: bottom, class: "lv-gridline" }),
        axisText(px(n), bottom + 20, i % every ? "" : bytes(n)),
      ]),
      axisText((left + width) / 2, height - 6, "memory for the parameters (each line: × 10)"),
    );
    drawing.replaceChildren(
      ...counts.flatMap((n, i) => {
        const y = TOP + ROW * (i + 0.5);
        const at_bits = bits.map((one) => (n * one) / 8);
        return [
          s("rect", {
            x: 0,
            y: y - ROW / 2,
            width,
            height: ROW,
            class: i === selected ? "lv-row lv-chosen" : "lv-row",
          }),
          axisText(left - 12, y + 5, plain(names[i]), "end", { class: "lv-name" }),
          s("line", { x1: px(at_bits[0]), x2: px(at_bits.at(-1)), y1: y, y2: y, class: "lv-span" }),
          ...at_bits.map((size, k) => {
            const mark = SHAPES[k % SHAPES.length](px(size), y);
            mark.setAttribute("class", !machine || size < room ? "lv-bits lv-fits" : "lv-bits");
            return mark;
          }),
        ];
      }),
      ...(limit === null
        ? []
        : [
            s("line", { x1: limit, x2: limit, y1: TOP - 6, y2: bottom, class: "lv-machine" }),
            axisText(limit, TOP - 10, called, limit > width - 100 ? "end" : "middle", { class: "lv-name" }),
          ]),
    );
    view.setLegend(
      ...bits.map((one, k) => {
        const mark = SHAPES[k % SHAPES.length](17, 6);
        mark.setAttribute("class", "lv-bits lv-fits");
        return signKey(mark, `${one} bits`);
      }),
      machine > 0 && "filled: it fits; empty: it doesn't",
    );
  }

  return view.start(() => {
    if (view.changed(...DATA, "selected")) draw();
    tell(model.get("selected"));
  });
}
