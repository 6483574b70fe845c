// Every part of the model as a switch: some that hold in every layer, and a grid of heads, attention blocks and FFNs.

import { axisText, clamp, frame, h, keyed, onKeys, pointIn, s, setAttributes, sizePlot } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "switches");
  const parts = h("div", { class: "lv-parts", role: "group", "aria-label": "parts that every layer has" });
  const grid = keyed("grid", "lv-plot lv-cells", "heads, attention and FFN of each layer");
  view.body.append(parts, grid);
  const LEFT = 86,
    TOP = 22;
  let cursor = [0, 0]; // row, layer
  let cell = 20;

  const rows = () => model.get("n_heads") + 2;
  const layers = () => model.get("n_layers");
  const rowName = (row) => {
    const n = model.get("n_heads");
    return row < n ? `head ${row}` : row === n ? "attention" : "FFN";
  };
  const isOff = (row, layer) => model.get("off_cells").some(([r, l]) => r === row && l === layer);

  /** Which cells are off when these are switched together: all on if all are off, else all off. */
  const flipped = (cells) => {
    const off = model.get("off_cells");
    const named = (list, [row, layer]) => list.some(([r, l]) => r === row && l === layer);
    const rest = off.filter((one) => !named(cells, one));
    const allOff = cells.every((one) => named(off, one));
    return allOff ? rest : [...rest, ...cells];
  };
  const flip = (cells) => view.set({ off_cells: flipped(cells) });
  const wholeRow = (row) => Array.from({ length: layers() }, (_, layer) => [row, layer]);
  const wholeLayer = (layer) => [
    [rows() - 2, layer],
    [rows() - 1, layer],
  ];

  const tell = (row, layer) => view.note(`layer ${layer} · ${rowName(row)} · ${isOff(row, layer) ? "off" : "on"}`);
  const place = (event) => {
    const [x, y] = pointIn(grid, event);
    return [Math.floor((y - TOP - gap(y)) / cell), Math.floor((x - LEFT) / cell)];
  };
  // The two lower rows are a little apart, because they are whole blocks and not heads.
  const gap = (y) => (y > TOP + model.get("n_heads") * cell ? 8 : 0);
  const top = (row) => TOP + row * cell + (row >= model.get("n_heads") ? 8 : 0);

  grid.addEventListener("click", (event) => {
    const [row, layer] = place(event);
    const [inRow, inLayer] = [row >= 0 && row < rows(), layer >= 0 && layer < layers()];
    if (inRow && inLayer) {
      cursor = [row, layer];
      toggle();
    } else if (inRow && layer < 0) flip(wholeRow(row));
    else if (inLayer && row < 0) flip(wholeLayer(layer));
  });
  grid.addEventListener("pointermove", (event) => {
    const [row, layer] = place(event);
    if (row >= 0 && row < rows() && layer >= 0 && layer < layers()) tell(row, layer);
    else if (layer < 0 && row >= 0 && row < rows()) view.note(`Click to switch ${rowName(row)} in every layer`);
    else if (row < 0 && layer >= 0 && layer < layers())
      view.note(`Click to switch attention and FFN in layer ${layer}`);
  });
  const move = (dr, dl) => {
    cursor = [clamp(cursor[0] + dr, 0, rows() - 1), clamp(cursor[1] + dl, 0, layers() - 1)];
    point();
    tell(...cursor);
  };
  const toggle = () => {
    flip([cursor]);
    tell(...cursor);
  };
  onKeys(grid, {
    ArrowLeft: () => move(0, -1),
    ArrowRight: () => move(0, 1),
    ArrowUp: () => move(-1, 0),
    ArrowDown: () => move(1, 0),
    Home: () => move(0, -layers()),
    End: () => move(0, layers()),
    Enter: toggle,
  });
  grid.addEventListener("focus", () => {
    point();
    tell(...cursor);
  });
  grid.addEventListener("blur", () => {
    point();
    view.note("");
  });
  const pick = s("rect", { rx: 4, class: "lv-pick" });
  /** Frame the cell that the keys are on; nothing else is drawn again for that. */
  function point() {
    pick.style.display = grid.matches(":focus") ? "" : "none";
    setAttributes(pick, {
      x: LEFT + cursor[1] * cell - 1.5,
      y: top(cursor[0]) - 1.5,
      width: cell + 1,
      height: cell + 1,
    });
  }

  const flippedPart = (name) => {
    const off = model.get("off_parts");
    return off.includes(name) ? off.filter((one) => one !== name) : [...off, name];
  };
  const buttons = Object.entries(model.get("parts")).map(([name, [label, hint]]) => [
    name,
    h(
      "button",
      { type: "button", class: "lv-part", title: hint, onclick: () => view.set({ off_parts: flippedPart(name) }) },
      h("span", { class: "lv-knob", "aria-hidden": "true" }),
      label,
    ),
  ]);
  parts.append(...buttons.map(([, node]) => node));

  function draw() {
    for (const [name, node] of buttons) {
      node.setAttribute("aria-pressed", String(!model.get("off_parts").includes(name)));
      node.disabled = !view.can("off_parts", flippedPart(name));
    }
    cell = clamp(Math.floor((view.width() - LEFT - 4) / layers()), 12, 26);
    const [width, height] = [LEFT + layers() * cell, top(rows() - 1) + cell];
    const off = new Set(model.get("off_cells").map(([r, l]) => `${r} ${l}`));
    const words = [];
    const shapes = [];
    let pale = buttons.some(([, node]) => node.disabled);
    for (let layer = 0; layer < layers(); layer++)
      if (cell >= 22 || layer % 5 === 0) words.push(axisText(LEFT + (layer + 0.5) * cell - 1, TOP - 7, String(layer)));
    words.push(axisText(LEFT - 10, TOP - 7, "layer", "end"));
    for (let row = 0; row < rows(); row++) {
      const ffn = row === rows() - 1;
      words.push(axisText(LEFT - 10, top(row) + cell / 2 + 4, rowName(row), "end", { class: null }));
      for (let layer = 0; layer < layers(); layer++) {
        const dead = off.has(`${row} ${layer}`);
        const covered = row < rows() - 2 && off.has(`${rows() - 2} ${layer}`); // its whole attention block is off
        const isPale = !view.can("off_cells", flipped([[row, layer]]));
        pale ||= isPale;
        shapes.push(
          s("rect", {
            x: LEFT + layer * cell + 0.5,
            y: top(row) + 0.5,
            width: cell - 3,
            height: cell - 3,
            rx: 3,
            class: `lv-cell${ffn ? " lv-ffn" : ""}${row === rows() - 2 ? " lv-block" : ""}${dead ? " lv-off" : covered ? " lv-covered" : ""}${isPale ? " lv-pale" : ""}`,
          }),
        );
        if (dead) {
          const [x, y, d] = [LEFT + layer * cell + 0.5, top(row) + 0.5, cell - 3];
          shapes.push(
            s("path", { d: `M${x + 4} ${y + 4}l${d - 8} ${d - 8}m0 ${8 - d}l${8 - d} ${d - 8}`, class: "lv-cross" }),
          );
        }
      }
    }
    grid.replaceChildren(s("svg", { "aria-hidden": "true" }, shapes, words, pick));
    sizePlot(grid, width, height);
    point();
    const all = pale ? "Pale: only in the full version" : "Click a name or number to switch a whole row or layer";
    view.setLegend(`Filled: on · Crossed out: off · ${all}`);
  }
  return view.start(draw, "change limits");
}
