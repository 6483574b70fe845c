// Logits, their powers of e, and probabilities: three columns of bars, with a row for each of some tokens.

import { around, barTable } from "./kit/diagram.js";
import { markLegend, quoted, shorten } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { count, floats, minus, percent } from "./kit/numbers.js";

const HEADS = [
  [""],
  ["1  logit", "normed vector × the token’s row"],
  ["2  power", "e to the (logit − largest)"],
  ["3  probability", "power ÷ sum of all powers"],
];
const TEXTS = [(v) => minus(v.toFixed(1)), (v) => (v >= 0.001 ? v.toFixed(3) : v ? "< 0.001" : "0"), percent];

export function render({ model, el }) {
  const view = frame(model, el, "softmax_steps");
  const at = (row, col) => floats(model.get("values")).data[row * 3 + col];
  const tell = (row, col) => {
    const piece = model.get("pieces")[row];
    if (piece === undefined) return view.note("");
    const name = ["logit", "power", "probability"][col];
    view.note(`${quoted(piece)}, rank ${count(model.get("ranks")[row])}`, `${name} ${TEXTS[col](at(row, col))}`);
  };
  const steps = barTable(view, "three steps for some tokens", {
    select: (row, col, ask) => view.select([row, col], ask),
    tell,
    here: () => model.get("selected"),
  });

  return view.start(() => {
    const [pieces, ranks, sum] = [model.get("pieces"), model.get("ranks"), model.get("power_sum")];
    if (!model.get("values")) return steps.show(HEADS, []);
    const logits = pieces.map((_, row) => at(row, 0));
    const range = [Math.min(0, ...logits), Math.max(0, ...logits)];
    const most = Math.max(...pieces.map((_, row) => at(row, 2)));
    const rows = pieces.map((piece, row) => {
      const [logit, power, probability] = [0, 1, 2].map((col) => at(row, col));
      const skipped = row ? ranks[row] - ranks[row - 1] - 1 : 0;
      return {
        name: shorten(piece, 14),
        above: skipped > 0 ? `⋮ ${count(skipped)} more` : "",
        cells: [
          { ...around(logit, range, TEXTS[0](logit)), side: "" },
          { to: power, text: TEXTS[1](power) },
          { to: probability / most, text: TEXTS[2](probability) },
        ],
      };
    });
    const total = `sum ${sum < 1e4 ? sum.toFixed(3) : count(Math.round(sum))}`;
    steps.show(HEADS, rows, [[`all ${count(model.get("n_vocab"))}`], [""], [total], ["sum 100%"]]);
    view.setLegend("click a bar for its token’s rank", ...markLegend(pieces));
  });
}
