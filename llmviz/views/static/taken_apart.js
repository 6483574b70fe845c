// The same bytes four times: as signs on the screen, as characters, one by one, and as tokens.

import { clamp, exchange, frame, h, keyed, onKeys, pieceNodes, uid } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "taken_apart");
  const grid = keyed("grid", "lv-grid", "signs, characters, bytes and tokens");
  view.body.append(grid);
  let drawn = {};
  let cells = []; // [row][index] → element
  const at = () => model.get("selected");
  const cell = (row, index) => model.get("rows")[row]?.cells[index];
  const overlap = (a, b) => a && b && a[0] < b[1] && b[0] < a[1];

  const tell = () => {
    const here = at();
    const one = here && cell(...here);
    view.note(one ? one[4] : model.get("rows").length ? "Point at a cell, or use the arrow keys." : "Type something.");
  };
  const go = (row, index) => cell(row, index) && view.set({ selected: [row, index] });
  const upDown = (by) => {
    const [row, index] = at() ?? [by > 0 ? -1 : 1, 0];
    const target = model.get("rows")[row + by]?.cells;
    if (!target) return;
    const here = cell(row, index);
    go(row + by, here ? target.findIndex((other) => overlap(here, other)) : 0);
  };
  onKeys(grid, {
    ArrowRight: () => (at() ? go(at()[0], at()[1] + 1) : go(0, 0)),
    ArrowLeft: () => (at() ? go(at()[0], at()[1] - 1) : go(0, 0)),
    ArrowDown: () => upDown(1),
    ArrowUp: () => upDown(-1),
    Home: () => go(at()?.[0] ?? 0, 0),
    End: () => go(at()?.[0] ?? 0, (model.get("rows")[at()?.[0] ?? 0]?.cells.length ?? 0) - 1),
  });
  const pointed = (event) => {
    const node = event.target.closest("[data-row]");
    if (!node) return;
    const [row, index] = [Number(node.dataset.row), Number(node.dataset.index)];
    if (!at() || at()[0] !== row || at()[1] !== index) go(row, index);
  };
  grid.addEventListener("pointermove", pointed);
  grid.addEventListener("click", pointed);

  return view.start(() => {
    const [rows, width] = [model.get("rows"), view.width()]; // measured before anything is written
    const n = rows.length ? rows[0].cells.at(-1)[1] : 0;
    if (rows !== drawn.rows || width !== drawn.width) {
      const LABEL = 112;
      const column = clamp(Math.floor((width - LABEL - 8) / Math.max(1, n)), 62, 92); // "U+0041" stands above a single byte;
      grid.style.gridTemplateColumns = `${LABEL}px repeat(${Math.max(1, n)}, ${column}px)`;
      const makeCell = ([from, to, label, small], r, i) =>
        h(
          "div",
          {
            class: `lv-cell lv-${rows[r].name.split(" ").pop()}${label ? "" : " lv-partly"}`,
            role: "gridcell",
            id: uid(),
            "data-row": r,
            "data-index": i,
            style: `grid-row:${r + 1};grid-column:${from + 2}/${to + 2}`,
          },
          label || rows[r].name !== "tokens"
            ? h("bdi", { class: "lv-piece" }, pieceNodes(label))
            : h("span", { class: "lv-piece" }, "part"),
          small ? h("span", { class: "lv-id lv-aside" }, small) : null,
        );
      const old = cells; // most keys change the end of a text: the cells before it stay
      const same = (one, r, i) =>
        old[r]?.[i] && one.slice(0, 4).every((value, k) => value === drawn.rows[r].cells[i][k]);
      cells = rows.map((row, r) => row.cells.map((one, i) => (same(one, r, i) ? old[r][i] : makeCell(one, r, i))));
      if (rows.length !== grid.children.length)
        grid.replaceChildren(
          ...rows.map(({ name }, r) =>
            h(
              "div",
              { role: "row", class: "lv-line0" },
              h(
                "div",
                { class: "lv-name lv-aside", role: "rowheader", style: `grid-row:${r + 1};grid-column:1` },
                name,
              ),
              cells[r],
            ),
          ),
        );
      else cells.forEach((row, r) => exchange(grid.children[r], old[r], row));
      view.setLegend(
        rows.some((row) => row.cells.some((one) => !one[2])) && "striped: a token that is not a whole character",
      );
    }
    const here = at();
    const one = here && cell(...here);
    cells.forEach((row, r) =>
      row.forEach((node, i) => {
        const on = String(!!here && here[0] === r && here[1] === i);
        if (node.getAttribute("aria-selected") !== on) node.setAttribute("aria-selected", on);
        node.classList.toggle("lv-with", overlap(one, rows[r].cells[i]) ?? false);
      }),
    );
    tell();
    drawn = { rows, width };
    if (one) {
      const node = cells[here[0]][here[1]];
      grid.setAttribute("aria-activedescendant", node.id);
      if (document.activeElement === grid) node.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else grid.removeAttribute("aria-activedescendant");
  });
}
