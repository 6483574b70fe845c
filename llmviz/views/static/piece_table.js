// A table of tokens, each cell coloured by a number: the guesses at every depth, or what a neuron pushes.

import {
  clamp,
  colorScale,
  floats,
  frame,
  h,
  markLegend,
  number,
  onKeys,
  percent,
  pieceNodes,
  plain,
  quoted,
  scaleLegend,
  shorten,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "piece_table");
  const table = h("div", {
    class: "lv-table",
    role: "application",
    tabindex: "0",
    "aria-label": "table of tokens: the arrow keys move from cell to cell",
  });
  view.body.append(table);
  let [rows, cols, values, cells] = [0, 0, null, []];

  const say = (v) => (model.get("kind") === "prob" ? `probability ${percent(v)}` : number(v));
  const tell = (where) => {
    if (!where || where[0] >= rows || where[1] >= cols) return view.note("");
    const [r, c] = where;
    const column = plain(model.get("col_labels")[c]);
    view.note(
      [
        `${model.get("row_axis")} ${plain(model.get("row_labels")[r])}`.trim(),
        `${model.get("col_axis")} ${/^\d+$/.test(column) ? column : quoted(column)}`,
        quoted(model.get("pieces")[r * cols + c]),
        say(values[r * cols + c]),
      ].join(" · "),
    );
  };
  const select = (r, c, ask = false) => {
    if (!rows || !cols) return;
    const where = [clamp(r, 0, rows - 1), clamp(c, 0, cols - 1)];
    view.set({ selected: where });
    ask ? view.ask(...where) : view.follow(...where);
  };
  const cellOf = (event) => {
    const i = cells.indexOf(event.target.closest(".lv-cell"));
    return i < 0 ? null : [Math.floor(i / cols), i % cols];
  };
  table.addEventListener("pointermove", (event) => tell(cellOf(event) ?? model.get("selected")));
  table.addEventListener("pointerleave", () => tell(model.get("selected")));
  table.addEventListener("click", (event) => {
    const where = cellOf(event);
    if (where) select(...where, true);
  });
  const here = () => model.get("selected");
  const move = (down, right) => () => (here() ? select(here()[0] + down, here()[1] + right) : select(0, 0));
  onKeys(table, {
    ArrowUp: move(-1, 0),
    ArrowDown: move(1, 0),
    ArrowLeft: move(0, -1),
    ArrowRight: move(0, 1),
    Home: () => select(here()?.[0] ?? 0, 0),
    End: () => select(here()?.[0] ?? 0, cols - 1),
    PageUp: () => select(0, here()?.[1] ?? 0),
    PageDown: () => select(rows - 1, here()?.[1] ?? 0),
    Enter: () => select(...(here() ?? [0, 0]), true),
  });

  let drawn = {};
  let chosen = null;
  return view.start(() => {
    const now = { theme: view.theme };
    for (const name of ["values", "pieces", "row_labels", "col_labels", "row_axis", "kind", "limit"])
      now[name] = model.get(name);
    if (Object.keys(now).some((key) => now[key] !== drawn[key])) {
      const got = floats(now.values);
      if (
        !got ||
        now.pieces.length !== got.data.length ||
        now.row_labels.length !== got.shape[0] ||
        now.col_labels.length !== got.shape[1]
      )
        return;
      drawn = now;
      [rows, cols] = got.shape;
      values = got.data;
      fill(now);
    }
    const at = model.get("selected");
    chosen?.classList.remove("lv-selected");
    chosen = at ? cells[at[0] * cols + at[1]] : null;
    chosen?.classList.add("lv-selected");
    tell(at);
  });

  function fill({ pieces, row_labels, col_labels, row_axis, kind, limit }) {
    const scale = colorScale(kind, view.theme, limit);
    table.style.gridTemplateColumns = `max-content repeat(${cols}, minmax(52px, 128px))`;
    cells = pieces.map((piece, i) => {
      const v = values[i];
      const style = Number.isNaN(v) ? "" : `background:${scale.css(v)};color:${scale.ink(v)}`;
      return h("div", { class: "lv-cell lv-piece", style }, pieceNodes(shorten(piece, 14)));
    });
    chosen = null;
    table.replaceChildren(
      h("div", { class: "lv-corner lv-quiet" }, `${row_axis} ↓`),
      ...col_labels.map((label) =>
        h("div", { class: `lv-head ${/^\d+$/.test(label) ? "lv-quiet" : "lv-piece"}` }, pieceNodes(shorten(label, 14))),
      ),
      ...row_labels.flatMap((label, r) => [
        h("div", { class: "lv-side lv-quiet" }, pieceNodes(label)),
        ...cells.slice(r * cols, (r + 1) * cols),
      ]),
    );
    view.legend.replaceChildren(
      scaleLegend(scale, kind === "prob" ? "probability" : "push"),
      ...markLegend([...pieces, ...col_labels]),
    );
  }
}
