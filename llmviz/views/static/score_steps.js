// One query's attention, from the raw products to the weights: a line for each key, a column for each step.

import {
  clamp,
  colorScale,
  floats,
  frame,
  h,
  keyed,
  KIT,
  listKeys,
  markLegend,
  number,
  onKeys,
  onPointer,
  percent,
  quoted,
  selectChip,
  setPiece,
  setText,
  tooLong,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "score_steps");
  const head = h("div", { class: "lv-steps-head lv-aside", "aria-hidden": "true" });
  const list = keyed("listbox", "lv-steps", "keys: up and down move, left and right change the step");
  view.body.append(head, list);
  const rows = [];
  let column = 2;
  let headed = "";

  const current = () => model.get("selected") ?? -1;
  const select = (row, ask = false) => {
    if (!rows.length) return;
    const to = clamp(row, 0, rows.length - 1);
    if (to !== current()) view.set({ selected: to });
    ask ? view.ask(to, column) : view.follow(to, column);
    mark();
    tell(to);
  };
  const numbers = () => ["raw", "scores", "weights"].map((name) => floats(model.get(name))?.data);
  const tell = (row) => {
    const label = model.get("pieces")[row];
    if (label === undefined) return view.note("");
    const [raw, scores, weights] = numbers();
    const shares = [`score ${number(scores[row])}`, `attention weight ${percent(weights[row])}`];
    const rest = Number.isNaN(weights[row]) ? ["a later token: masked"] : shares;
    view.note(`to ${quoted(label)} (position ${row})`, `q · k ${number(raw[row])}`, ...rest);
  };
  const at = (event) => {
    const row = event.target.closest(".lv-step-row");
    const cell = event.target.closest(".lv-step");
    return row ? [Number(row.dataset.index), cell ? Number(cell.dataset.column) : column] : undefined;
  };
  const hover = (where) => tell(where?.[0] ?? current());
  onPointer(list, at, hover, ([row, step]) => {
    column = step;
    select(row, true);
  });
  const step = (by) => () => {
    column = clamp(column + by, 0, 2);
    select(Math.max(0, current()));
  };
  onKeys(list, {
    ...listKeys(select, current, () => rows.length, ["ArrowUp", "ArrowDown"]),
    ArrowRight: step(1),
    ArrowLeft: step(-1),
  });

  const makeRow = (index) => {
    const row = { piece: h("bdi", { class: "lv-piece" }), steps: [] };
    for (let c = 0; c < 3; c++) {
      const [bar, value] = [h("span", { class: "lv-step-bar" }), h("span", { class: "lv-step-value" })];
      row.steps.push({
        bar,
        value,
        node: h(
          "span",
          { class: `lv-step lv-step-${c < 2 ? "signed" : "share"}`, "data-column": c },
          h("span", { class: "lv-step-track" }, bar),
          value,
        ),
      });
    }
    row.node = h(
      "div",
      { class: "lv-step-row lv-choice", role: "option", "data-index": index },
      h("span", { class: "lv-label" }, row.piece),
      ...row.steps.map((one) => one.node),
    );
    return row;
  };
  const mark = () => {
    rows.forEach(({ steps }, i) =>
      steps.forEach(({ node }, c) => node.classList.toggle("lv-on", i === current() && c === column)),
    );
    selectChip(
      list,
      rows.map((row) => row.node),
      current(),
    );
  };

  return view.start(() => {
    const pieces = model.get("pieces").slice(0, KIT.maxTokens);
    const [raw, scores, weights] = numbers();
    while (rows.length < pieces.length) rows.push(makeRow(rows.length));
    if (list.childElementCount !== pieces.length) {
      rows.length = pieces.length;
      list.replaceChildren(...rows.map((row) => row.node));
    }
    const titles = [
      "to (key)",
      "q · k",
      model.get("scaled") ? `÷ √${model.get("d_head")}` : "not divided",
      "weight (softmax)",
    ];
    if (titles.join() !== headed) {
      headed = titles.join();
      head.replaceChildren(...titles.map((title) => h("span", {}, title)));
    }
    const most = (values) => values?.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0) || 1;
    const limits = [most(raw), model.get("scaled") ? most(scores) : most(raw)];
    const scale = colorScale("signed", view.theme, 1);
    rows.forEach((row, i) => {
      setPiece(row.piece, pieces[i]);
      const masked = Number.isNaN(weights[i]);
      row.node.classList.toggle("lv-masked", masked);
      [raw[i], scores[i]].forEach((v, c) => {
        const { bar, value } = row.steps[c];
        const hidden = c === 1 && masked;
        const part = hidden || !Number.isFinite(v) ? 0 : clamp(Math.abs(v) / limits[c]);
        bar.style.width = `${50 * part}%`;
        bar.style.left = v < 0 ? `${50 - 50 * part}%` : "50%";
        bar.style.background = scale.css(v < 0 ? -0.65 : 0.65);
        setText(value, hidden ? "−∞" : number(v));
      });
      const { bar, value } = row.steps[2];
      bar.style.width = masked ? "0" : `${100 * clamp(weights[i])}%`;
      setText(value, masked ? "masked" : percent(weights[i]));
    });
    mark();
    view.setLegend(tooLong(model.get("pieces").length), "orange: negative, blue: positive", ...markLegend(pieces));
    tell(current());
  });
}
