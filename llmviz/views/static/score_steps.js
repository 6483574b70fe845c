// One query's attention, from the raw products to the weights: a line for each key, a column for each step.

import { tooLong } from "./kit/chips.js";
import { around, barTable } from "./kit/diagram.js";
import { markLegend, quoted } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { floats, number, percent } from "./kit/numbers.js";
import { KIT } from "./theme.js";

export function render({ model, el }) {
  const view = frame(model, el, "score_steps");
  let column = 2;
  const numbers = () => ["raw", "scores", "weights"].map((name) => floats(model.get(name))?.data);
  const here = () => (model.get("selected") === null ? null : [model.get("selected"), column]);
  const select = (row, col, ask) => {
    column = col;
    if (row !== model.get("selected")) view.set({ selected: row });
    else draw();
    (ask ? view.ask : view.follow)(row, column);
  };
  const tell = (row) => {
    const label = model.get("pieces")[row];
    if (label === undefined) return view.note("");
    const [raw, scores, weights] = numbers();
    const shares = [`score ${number(scores[row])}`, `attention weight ${percent(weights[row])}`];
    const rest = Number.isNaN(weights[row]) ? ["masked"] : shares;
    view.note(`to ${quoted(label)} (position ${row})`, `q · k ${number(raw[row])}`, ...rest);
  };
  const steps = barTable(view, "keys: up and down move, left and right change the step", { select, tell, here });

  const draw = () => {
    const pieces = model.get("pieces").slice(0, KIT.maxTokens);
    const [raw, scores, weights] = numbers();
    const scaled = model.get("scaled");
    const most = (values) => values?.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0) || 1;
    const limits = [raw, scaled ? scores : raw].map(most).map((limit) => [-limit, limit]);
    const rows = pieces.map((name, i) => {
      const masked = Number.isNaN(weights[i]);
      const score = masked || !Number.isFinite(scores[i]) ? 0 : scores[i];
      return {
        name,
        kind: masked ? "lv-masked" : "",
        cells: [
          around(raw[i], limits[0], number(raw[i])),
          around(score, limits[1], masked ? "−∞" : number(scores[i])),
          { to: weights[i], text: masked ? "masked" : percent(weights[i]) },
        ],
      };
    });
    const divided = scaled ? `÷ √${model.get("d_head")}` : "not divided";
    steps.show([["to (key)"], ["q · k"], [divided], ["weight (softmax)"]], rows);
    view.setLegend(tooLong(model.get("pieces").length), "orange: negative, blue: positive", ...markLegend(pieces));
  };
  return view.start(draw);
}
