// A table of tokens, each cell coloured by a number: the guesses at every depth, or what a neuron pushes.

import {
  cellKeys,
  clamp,
  colorScale,
  floats,
  frame,
  h,
  keyed,
  markLegend,
  number,
  onKeys,
  onPointer,
  percent,
  pieceNodes,
  plain,
  quoted,
  scaleLegend,
  shorten,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "piece_table");
  const table = keyed("application", "lv-table", "table of tokens: the arrow keys move from cell to cell");
  view.body.append(table);
  let [rows, cols, values, cells] = [0, 0, null, []];

  const say = (v) => (model.get("kind") === "prob" ? `probability ${percent(v)}` : number(v));
  const tell = (where) => {
    if (!where || where[0] >= rows || where[1] >= cols) return view.note("");
    const [r, c] = where;
    const column = plain(model.get("col_labels")[c]);
    view.note(
      `${model.get("row_axis")} ${plain(model.get("row_labels")[r])}`.trim(),
      `${model.get("col_axis")} ${/^\d+$/.test(column) ? column : quoted(column)}`,
      quoted(model.get("pieces")[r * cols + c]),
      say(values[r * cols + c]),
    );
  };
  const select = (r, c, ask = false) => {
    if (!rows || !cols) return;
    view.select([clamp(r, 0, rows - 1), clamp(c, 0, cols - 1)], ask);
  };
  const cellOf = (event) => {
    const i = cells.indexOf(event.target.closest(".lv-cell"));
    return i < 0 ? null : [Math.floor(i / cols), i % cols];
  };
  const hover = (where) => tell(where ?? model.get("selected"));
  onPointer(table, cellOf, hover, (where) => select(...where, true));
  onKeys(table, cellKeys(view, { select, rows: () => rows, last: () => cols - 1 }));

  let chosen = null;
  return view.start(() => {
    const got = floats(model.get("values"));
    const [pieces, rowLabels, colLabels] = ["pieces", "row_labels", "col_labels"].map((name) => model.get(name));
    if (got?.data.length !== pieces.length || got.shape[0] !== rowLabels.length || got.shape[1] !== colLabels.length)
      return; // the rest is on its way
    if (view.changed("values", "pieces", "row_labels", "col_labels", "row_axis", "kind", "limit")) {
      [rows, cols] = got.shape;
      values = got.data;
      fill(pieces, rowLabels, colLabels);
    }
    const at = model.get("selected");
    chosen?.classList.remove("lv-selected");
    chosen = at ? cells[at[0] * cols + at[1]] : null;
    chosen?.classList.add("lv-selected");
    tell(at);
  });

  function fill(pieces, rowLabels, colLabels) {
    const kind = model.get("kind");
    const scale = colorScale(kind, view.theme, model.get("limit"));
    // on a phone it scrolls sideways anyway, so that no token need be cut
    const column = view.width() < 480 ? "max-content" : "minmax(52px, 128px)";
    table.style.gridTemplateColumns = `max-content repeat(${cols}, ${column})`;
    cells = pieces.map((piece, i) => {
      const v = values[i];
      const style = Number.isNaN(v) ? "" : `background:${scale.css(v)};color:${scale.ink(v)}`;
      return h("div", { class: "lv-cell lv-piece", style }, pieceNodes(shorten(piece, 14)));
    });
    chosen = null;
    table.replaceChildren(
      h("div", { class: "lv-corner lv-quiet" }, `${model.get("row_axis")} ↓`),
      ...colLabels.map((label) =>
        h("div", { class: `lv-head ${/^\d+$/.test(label) ? "lv-quiet" : "lv-piece"}` }, pieceNodes(shorten(label, 14))),
      ),
      ...rowLabels.flatMap((label, r) => [
        h("div", { class: "lv-side lv-quiet" }, pieceNodes(label)),
        ...cells.slice(r * cols, (r + 1) * cols),
      ]),
    );
    view.setLegend(
      scaleLegend(scale, kind === "prob" ? "probability" : "push"),
      ...markLegend([...pieces, ...colLabels]),
    );
  }
}
