// Every part of the model as a switch: some that hold in every layer, and a grid of heads, attention blocks and FFNs.

import { pointIn } from "./kit/canvas.js";
import { axisText, h, s, setAttributes } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { cellKeys } from "./kit/cells.js";
import { onKeys, onPointer, toggled } from "./kit/input.js";
import { createPlot } from "./kit/plot.js";
import { clamp } from "./kit/numbers.js";

const [LEFT, TOP] = [86, 22]; // pixels for the names of the rows and the numbers of the layers
const APART = 8; // pixels between the heads and the two rows of whole blocks

const range = (n) => Array.from({ length: n }, (_, i) => i);

/** Where the cells of the grid are, and what they are called: a row for each head, then attention and FFN. */
function layOut(model, width) {
  const [nHeads, layers] = [model.get("n_heads"), model.get("n_layers")];
  const rows = nHeads + 2;
  const cell = clamp(Math.floor((width - LEFT - 4) / layers), 15, 26);
  const left = (layer) => LEFT + layer * cell;
  const top = (row) => TOP + row * cell + (row < nHeads ? 0 : APART);
  const nameOf = (row) => ["attention", "FFN"][row - nHeads] ?? `head ${row}`;
  /** The cells at a place; beside the grid (-1), those of a whole row, and above it, the blocks of a whole layer. */
  const cellsAt = ([row, layer]) => {
    if (layer < 0) return range(layers).map((each) => [row, each]);
    return row < 0 ? [nHeads, nHeads + 1].map((block) => [block, layer]) : [[row, layer]];
  };
  const placeAt = ([x, y]) => {
    const layer = Math.max(-1, Math.floor((x - LEFT) / cell));
    const row = range(rows).findLast((each) => y >= top(each)) ?? -1;
    return layer < layers && y < top(rows) && Math.max(row, layer) >= 0 ? [row, layer] : undefined;
  };
  return { nHeads, layers, rows, cell, left, top, nameOf, cellsAt, placeAt };
}

export function render({ model, el }) {
  const view = frame(model, el, "switches");
  const parts = h("div", { class: "lv-pills", role: "group", "aria-label": "parts that every layer has" });
  view.body.append(parts);
  const plot = createPlot(view, "heads, attention and FFN of each layer");
  const grid = plot.node;
  grid.setAttribute("role", "grid");
  const pick = s("rect", { rx: 4, class: "lv-pick" });
  let at = layOut(model, view.width());
  let cursor = [0, 0]; // row, layer

  const isOff = (...cell) => model.get("off_cells").some((other) => String(other) === String(cell));
  /** Which cells are off when these are switched together: all on if all are off, else all off. */
  const flipped = (cells) => {
    const [off, names] = [model.get("off_cells"), cells.map(String)];
    const rest = off.filter((cell) => !names.includes(String(cell)));
    return rest.length === off.length - cells.length ? rest : [...rest, ...cells];
  };
  const tell = ([row, layer]) => {
    if (layer < 0) return view.note(`Click to switch ${at.nameOf(row)} in every layer`);
    if (row < 0) return view.note(`Click to switch attention and FFN in layer ${layer}`);
    view.note(`layer ${layer}`, at.nameOf(row), isOff(row, layer) ? "off" : "on");
  };
  /** Frame the cell that the keys are on; nothing else is drawn again for that. */
  const point = () => {
    pick.style.display = grid.matches(":focus") ? "" : "none";
    const size = { width: at.cell + 1, height: at.cell + 1 };
    setAttributes(pick, { x: at.left(cursor[1]) - 1.5, y: at.top(cursor[0]) - 1.5, ...size });
  };
  const flip = (place) => {
    if (Math.min(...place) >= 0) cursor = place;
    view.set({ off_cells: flipped(at.cellsAt(place)) });
    tell(place);
  };
  const select = (row, layer, ask) => {
    cursor = [clamp(row, 0, at.rows - 1), clamp(layer, 0, at.layers - 1)];
    point();
    (ask ? flip : tell)(cursor);
  };
  const hover = (place) => place && tell(place);
  onPointer(grid, (event) => at.placeAt(pointIn(grid, event)), hover, flip);
  onKeys(grid, cellKeys(view, { select, rows: () => at.rows, last: () => at.layers - 1, here: () => cursor }));
  grid.addEventListener("focus", () => select(...cursor));
  grid.addEventListener("blur", () => {
    point();
    view.note("");
  });

  const buttons = Object.entries(model.get("parts")).map(([name, [label, title]]) => {
    const onclick = () => view.set({ off_parts: toggled(model.get("off_parts"), name) });
    const knob = h("span", { class: "lv-knob", "aria-hidden": "true" });
    return [name, h("button", { type: "button", class: "lv-box lv-pill", title, onclick }, knob, label)];
  });
  parts.append(...buttons.map(([, node]) => node));

  const drawCell = (row, layer) => {
    const dead = isOff(row, layer);
    const covered = row < at.nHeads && isOff(at.nHeads, layer); // its whole attention block is off
    const pale = !view.can("off_cells", flipped([[row, layer]]));
    const [x, y, size] = [at.left(layer) + 0.5, at.top(row) + 0.5, at.cell - 3];
    const kind = `${at.nameOf(row).split(" ")[0]} ${dead ? "lv-off" : covered || pale ? "lv-pale" : ""}`;
    const cross = `M${x + 4} ${y + 4}l${size - 8} ${size - 8}m0 ${8 - size}l${8 - size} ${size - 8}`;
    const shapes = [s("rect", { x, y, width: size, height: size, rx: 3, class: `lv-cell lv-${kind}` })];
    return { pale, shapes: dead ? [...shapes, s("path", { d: cross, class: "lv-cross" })] : shapes };
  };

  return view.start(() => {
    for (const [name, node] of buttons) {
      node.setAttribute("aria-pressed", String(!model.get("off_parts").includes(name)));
      node.disabled = !view.can("off_parts", toggled(model.get("off_parts"), name));
    }
    at = layOut(model, view.width());
    const [rows, layers] = [range(at.rows), range(at.layers)];
    const cells = rows.flatMap((row) => layers.map((layer) => drawCell(row, layer)));
    const rowName = (row) => axisText(LEFT - 10, at.top(row) + at.cell / 2 + 4, at.nameOf(row), "end", { class: null });
    const layerName = (layer) => axisText(at.left(layer + 0.5) - 1, TOP - 7, layer);
    plot.marks.replaceChildren(...cells.flatMap(({ shapes }) => shapes));
    plot.picks.replaceChildren(pick);
    plot.ground.replaceChildren(
      axisText(LEFT - 10, TOP - 7, "layer", "end"),
      ...layers.filter((layer) => at.cell >= 22 || layer % 5 === 0).map(layerName),
      ...rows.map(rowName),
    );
    plot.size(at.left(at.layers), at.top(at.rows));
    point();
    const pale = cells.some((one) => one.pale) || buttons.some(([, node]) => node.disabled);
    const all = pale ? "Pale: only in the full version" : "Click a name or number to switch a whole row or layer";
    view.setLegend(`Filled: on · Crossed out: off · ${all}`);
  }, "change limits");
}
