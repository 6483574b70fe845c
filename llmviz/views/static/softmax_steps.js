// Logits, their powers of e, and probabilities: three columns of bars, with a row for each of some tokens.

import {
  cellKeys,
  clamp,
  count,
  floats,
  frame,
  h,
  keyed,
  markLegend,
  minus,
  onKeys,
  percent,
  pieceNodes,
  quoted,
  shorten,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "softmax_steps");
  const table = keyed("grid", "lv-table", "three steps for some tokens");
  view.body.append(table);
  const HEADS = [
    ["1  logit", "normed vector × the token’s row"],
    ["2  power", "e to the (logit − largest)"],
    ["3  probability", "power ÷ sum of all powers"],
  ];

  const cell = () => model.get("selected");
  const rows = () => model.get("pieces").length;
  const select = (row, col, ask) => view.select([clamp(row, 0, rows() - 1), clamp(col, 0, 2)], ask);
  onKeys(table, cellKeys(view, { select, rows, last: () => 2 }));
  table.addEventListener("click", (event) => {
    const node = event.target.closest(".lv-one");
    if (node) select(Number(node.dataset.row), Number(node.dataset.col), true);
  });

  return view.start(() => {
    const [pieces, values, ranks] = [model.get("pieces"), floats(model.get("values")), model.get("ranks")];
    if (!values) return table.replaceChildren();
    const at = (row, col) => values.data[row * 3 + col];
    const logits = pieces.map((_, row) => at(row, 0));
    const [low, high] = [Math.min(0, ...logits), Math.max(0, ...logits)];
    const most = [high - low || 1, 1, Math.max(...pieces.map((_, row) => at(row, 2)))];
    const text = [(v) => minus(v.toFixed(1)), (v) => (v >= 0.001 ? v.toFixed(3) : v ? "< 0.001" : "0"), percent];
    const bar = (row, col) => {
      const v = at(row, col);
      const from = col ? 0 : (Math.min(v, 0) - low) / most[0];
      return h(
        "span",
        { class: "lv-space" },
        h("span", { class: "lv-bar", style: `left:${100 * from}%;width:${(100 * Math.abs(v)) / most[col]}%` }),
        !col && low < 0 ? h("span", { class: "lv-zero", style: `left:${(100 * -low) / most[0]}%` }) : null,
      );
    };
    const skip = (how) => h("span", { class: "lv-skip lv-aside", role: "gridcell" }, how);
    const line = (first, others) => h("div", { class: "lv-cells", role: "row" }, first, others);
    const heads = HEADS.map(([name, how]) =>
      h("span", { class: "lv-top", role: "columnheader" }, h("b", {}, name), h("span", { class: "lv-aside" }, how)),
    );
    const lines = [line(h("span", {}), heads)];
    pieces.forEach((piece, row) => {
      if (row && ranks[row] > ranks[row - 1] + 1)
        lines.push(line(skip(`⋮ ${count(ranks[row] - ranks[row - 1] - 1)} more`)));
      const label = h("bdi", { class: "lv-piece" }, pieceNodes(shorten(piece, 14)));
      const cells = [0, 1, 2].map((col) => {
        const chosen = cell()?.[0] === row && cell()?.[1] === col;
        return h(
          "span",
          {
            class: "lv-one lv-choice",
            role: "gridcell",
            "data-row": row,
            "data-col": col,
            "aria-selected": String(chosen),
          },
          bar(row, col),
          h("span", { class: "lv-value" }, text[col](at(row, col))),
        );
      });
      lines.push(line(h("span", { class: "lv-label", role: "rowheader" }, label), cells));
    });
    const sum = model.get("power_sum");
    const sums = ["", `sum ${sum < 1e4 ? sum.toFixed(3) : count(Math.round(sum))}`, "sum 100%"];
    lines.push(
      line(
        h("span", { class: "lv-label lv-sum", role: "rowheader" }, `all ${count(model.get("n_vocab"))}`),
        sums.map((total) => h("span", { class: "lv-sum", role: "gridcell" }, total)),
      ),
    );
    table.replaceChildren(...lines);
    const chosen = cell();
    view.note(
      chosen && pieces[chosen[0]] !== undefined
        ? `${quoted(pieces[chosen[0]])}, rank ${count(ranks[chosen[0]])} · ${["logit", "power", "probability"][chosen[1]]} ${text[chosen[1]](at(...chosen))}`
        : "",
    );
    view.setLegend("click a bar for its token’s rank", ...markLegend(pieces));
  });
}
