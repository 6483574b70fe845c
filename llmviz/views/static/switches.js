// Every part of the model as a switch: some that hold in every layer, and a grid of heads, attention blocks and FFNs.

import { pointIn } from "./kit/canvas.js";
import { cellGrid, cellKeys, outline } from "./kit/cells.js";
import { axisText, h, s } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { onKeys, onPointer, toggled } from "./kit/input.js";
import { clamp } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";

const [LEFT, TOP] = [86, 22]; // pixels for the names of the rows and the numbers of the layers
const APART = 8; // pixels between the heads and the two rows of whole blocks
const GAP = 3; // pixels between two cells

const range = (n) => Array.from({ length: n }, (_, i) => i);

export function render({ model, el }) {
  const view = frame(model, el, "switches");
  const parts = h("div", { class: "lv-pills", role: "group", "aria-label": "parts that every layer has" });
  view.body.append(parts);
  const plot = createPlot(view, "heads, attention and FFN of each layer");
  plot.node.setAttribute("role", "grid");
  const [nHeads, cols] = [model.get("n_heads"), model.get("n_layers")];
  const rows = nHeads + 2; // a row for each head, then attention and FFN
  const nameOf = (row) => ["attention", "FFN"][row - nHeads] ?? `head ${row}`;
  let grid;
  let cursor = [0, 0]; // row, layer

  const isOff = (...cell) => model.get("off_cells").some((other) => String(other) === String(cell));
  /** The cells at a place; beside the grid (-1), those of a whole row, and above it, the blocks of a whole layer. */
  const cellsAt = ([row, layer]) => {
    if (layer < 0) return range(cols).map((each) => [row, each]);
    return row < 0 ? [nHeads, nHeads + 1].map((block) => [block, layer]) : [[row, layer]];
  };
  const placeAt = (event) => {
    const [x, y] = pointIn(plot.node, event);
    const cell = grid.under(Math.max(x, LEFT), Math.max(y, TOP));
    return cell && (x >= LEFT || y >= TOP) ? [y < TOP ? -1 : cell[0], x < LEFT ? -1 : cell[1]] : undefined;
  };
  /** Which cells are off when these are switched together: all on if all are off, else all off. */
  const flipped = (cells) => {
    const [off, names] = [model.get("off_cells"), cells.map(String)];
    const rest = off.filter((cell) => !names.includes(String(cell)));
    return rest.length === off.length - cells.length ? rest : [...rest, ...cells];
  };
  const tell = ([row, layer]) => {
    if (layer < 0) return view.note(`Click to switch ${nameOf(row)} in every layer`);
    if (row < 0) return view.note(`Click to switch attention and FFN in layer ${layer}`);
    view.note(`layer ${layer}`, nameOf(row), isOff(row, layer) ? "off" : "on");
  };
  /** Frame the cell that the keys are on; nothing else is drawn again for that. */
  const point = () =>
    plot.picks.replaceChildren(...(plot.node.matches(":focus") ? [outline("lv-pick", grid.rect(cursor, 1.5))] : []));
  const flip = (place) => {
    if (Math.min(...place) >= 0) cursor = place;
    view.set({ off_cells: flipped(cellsAt(place)) });
    tell(place);
  };
  const select = (row, layer, ask) => {
    cursor = [clamp(row, 0, rows - 1), clamp(layer, 0, cols - 1)];
    point();
    (ask ? flip : tell)(cursor);
  };
  onPointer(plot.node, placeAt, (place) => place && tell(place), flip);
  onKeys(plot.node, cellKeys(view, { select, rows: () => rows, last: () => cols - 1, here: () => cursor }));
  plot.node.addEventListener("focus", () => select(...cursor));
  plot.node.addEventListener("blur", () => {
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
    const covered = row < nHeads && isOff(nHeads, layer); // its whole attention block is off
    const pale = !view.can("off_cells", flipped([[row, layer]]));
    const { x, y, width: size } = grid.rect([row, layer]);
    const kind = `${nameOf(row).split(" ")[0]} ${dead ? "lv-off" : covered || pale ? "lv-pale" : ""}`;
    const cross = `M${x + 4} ${y + 4}l${size - 8} ${size - 8}m0 ${8 - size}l${8 - size} ${size - 8}`;
    const shapes = [s("rect", { x, y, width: size, height: size, rx: 3, class: `lv-cell lv-${kind}` })];
    return { pale, shapes: dead ? [...shapes, s("path", { d: cross, class: "lv-cross" })] : shapes };
  };

  return view.start(() => {
    for (const [name, node] of buttons) {
      node.setAttribute("aria-pressed", String(!model.get("off_parts").includes(name)));
      node.disabled = !view.can("off_parts", toggled(model.get("off_parts"), name));
    }
    const size = clamp(Math.floor((view.width() - LEFT - 4) / cols), 15, 26);
    const y = (row) => TOP + row * size + (row < nHeads ? 0 : APART);
    grid = cellGrid({ rows, cols, left: LEFT, top: TOP, w: size, h: size, gap: GAP, y });
    const cells = range(rows).flatMap((row) => range(cols).map((layer) => drawCell(row, layer)));
    const rowName = (row) => axisText(LEFT - 10, y(row) + size / 2 + 4, nameOf(row), "end", { class: null });
    const layerName = (layer) => axisText(grid.x(layer + 0.5) - 1, TOP - 7, layer);
    plot.marks.replaceChildren(...cells.flatMap(({ shapes }) => shapes));
    plot.ground.replaceChildren(
      axisText(LEFT - 10, TOP - 7, "layer", "end"),
      ...range(cols)
        .filter((layer) => size >= 22 || layer % 5 === 0)
        .map(layerName),
      ...range(rows).map(rowName),
    );
    plot.size(grid.right, grid.bottom);
    point();
    const pale = cells.some((one) => one.pale) || buttons.some(([, node]) => node.disabled);
    const all = pale ? "Pale: only in the full version" : "Click a name or number to switch a whole row or layer";
    view.setLegend(`Filled: on · Crossed out: off · ${all}`);
  }, "change limits");
}
