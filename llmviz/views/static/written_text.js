// A text as it grows: each written token is shaded, and a panel shows the tokens that could have come instead.

import { drawBar, rowsIn } from "./kit/bars.js";
import { chip, putChips, selectChip, shadeChip } from "./kit/chips.js";
import { colorScale, scaleLegend } from "./kit/colour.js";
import { h, keyed, markLegend, quoted, setText } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { indexUnder, listKeys, onKeys, onPointer } from "./kit/input.js";
import { clamp, floats, percent } from "./kit/numbers.js";

export function render({ model, el }) {
  const view = frame(model, el, "written_text");
  const list = keyed("listbox", "lv-chips", "the text, token by token");
  const panel = rivalPanel(view);
  view.body.append(list, panel.node);
  let chips = [];
  let row = 0; // the rival that the keys are on
  let hovered = null; // the place that the pointer is on

  const last = () => model.get("n_prompt") + model.get("picked").length - 1;
  const current = () => Math.min(model.get("selected") ?? model.get("shown_first") ?? last(), last());
  const tell = (place = hovered ?? current()) => panel.show(rivalsAt(view, place), row);
  const select = (place, ask = false) => {
    [row, hovered] = [0, null];
    view.set({ selected: clamp(place, 0, last()) });
    const { picked } = rivalsAt(view, current());
    if (picked >= 0) (ask ? view.ask : view.follow)(current(), picked);
    tell();
  };
  const take = (at) => {
    if (current() < model.get("n_prompt")) return;
    model.get("chooses") ? view.set({ choice: [current(), at] }) : view.ask(current(), at);
  };
  const step = (by) => () => {
    const { rivals, odds } = rivalsAt(view, current());
    row = clamp(row + by, 0, Math.max(0, rivals.length - 1));
    tell(current());
    if (rivals.length)
      view.note(`Enter ${model.get("chooses") ? "takes" : "explains"} ${quoted(rivals[row])}`, percent(odds[row]));
  };
  const hover = (place) => {
    hovered = place;
    tell();
  };
  onPointer(list, indexUnder, hover, (place) => select(place, true));
  panel.rows.addEventListener("click", (event) => {
    const index = indexUnder(event);
    if (index === undefined) return;
    list.focus({ preventScroll: true }); // the keys go on from here, and Escape closes the panel
    take(index);
  });
  onKeys(list, {
    ...listKeys(select, current, () => last() + 1),
    ArrowDown: step(1),
    ArrowUp: step(-1),
    Enter: () => take(row),
  });

  return view.start(() => {
    if (view.changed("pieces", "picked", "n_prompt")) {
      chips = putChips(list, chips, makeChips(model, last() + 1));
      [row, hovered] = [0, null];
    }
    lookOfChips(view, chips);
    selectChip(list, chips, current());
    tell();
    drawLegend(view);
  }, "change limits");
}

/** A chip for each place; the last one may be open. */
function makeChips(model, n) {
  const chips = model.get("pieces").map((piece, i) => chip(piece, null, i));
  for (const own of chips.slice(0, model.get("n_prompt"))) own.classList.add("lv-own");
  if (n === chips.length) return chips;
  const gap = chip("?", null, chips.length);
  gap.classList.add("lv-gap");
  gap.setAttribute("aria-label", "the next token");
  return [...chips, gap];
}

function lookOfChips({ model, theme }, chips) {
  const [weights, scale] = [floats(model.get("weights")), colorScale(model.get("scale"), theme)];
  const [again, marked] = ["again", "marked"].map((name) => new Set(model.get(name)));
  chips.forEach((node, i) => {
    shadeChip(node, weights?.data[i], scale);
    node.classList.toggle("lv-again", again.has(i));
    node.classList.toggle(model.get("chooses") ? "lv-likeliest" : "lv-highlight", marked.has(i));
  });
}

/** The tokens that could be at a place, their probabilities, and which of them was picked. */
function rivalsAt({ model }, place) {
  const [i, k] = [place - model.get("n_prompt"), model.get("n_rivals")];
  const of = (values) => (i < 0 || !values ? [] : values.slice(i * k, (i + 1) * k));
  const own = of(floats(model.get("own"))?.data).filter((p) => p >= 0); // a place may have fewer
  const [odds, rivals] = [of(floats(model.get("odds"))?.data), of(model.get("rivals")).slice(0, own.length)];
  return { place, own, odds, rivals, picked: model.get("picked")[i] ?? -1, note: model.get("notes")[i] };
}

/** The tokens that could be at a place, as bars from 0 to 100%. `show` also says what is there, in the line below. */
function rivalPanel(view) {
  const { model } = view;
  const heading = h("div", { class: "lv-heading" });
  const rows = h("div", { class: "lv-bars", role: "listbox", "aria-label": "tokens that could be here" });
  const node = h("div", { class: "lv-rivals" }, heading, rows);
  const draw = rowsIn(rows, ["ghost", "bar", "value"]);
  const show = ({ place, own, odds, rivals, picked, note }, row) => {
    const piece = model.get("pieces")[place];
    const canTake = rivals.map((_, j) => j !== picked && model.get("chooses") && view.can("choice", [place, j]));
    const isOffered = canTake.includes(true);
    setText(heading, headingOf(piece, place < model.get("n_prompt"), rivals, isOffered));
    draw(rivals, (each, j) => {
      drawBar(each, odds[j], Math.abs(own[j] - odds[j]) < 1e-6 ? null : own[j]);
      setText(each.value, percent(odds[j]) + (j === picked ? " ◂ taken" : ""));
      each.node.classList.toggle("lv-taken", j === picked);
      each.node.classList.toggle("lv-pale", j !== picked && isOffered && !canTake[j]);
      each.node.setAttribute("aria-selected", String((model.get("chooses") || row > 0) && j === row));
    });
    view.note(...(picked < 0 ? [] : [quoted(piece), `position ${place + 1}`, note]));
    node.hidden = !model.get("n_rivals");
  };
  return { node, rows, show };
}

function headingOf(piece, isOwn, rivals, isOffered) {
  if (isOwn && piece) return "Your own text. Go to a token that was written.";
  if (!rivals.length) return "";
  if (piece === undefined) return isOffered ? "What comes next? Take one yourself: click it, or ↑ ↓ and Enter" : "";
  return isOffered
    ? `Click a token to put it there instead of ${quoted(piece)}`
    : `The likeliest tokens at the position of ${quoted(piece)}`;
}

function drawLegend({ model, theme, setLegend }) {
  const [own, odds] = ["own", "odds"].map((name) => floats(model.get(name))?.data);
  setLegend(
    scaleLegend(colorScale(model.get("scale"), theme), `shade: ${model.get("shade_label")}`),
    model.get("again").length > 0 && h("span", {}, h("i", { class: "lv-key" }), " a run of 4 tokens that came before"),
    own && odds && own.some((p, i) => Math.abs(p - odds[i]) > 1e-6) && "outline: at temperature 1",
    ...markLegend([...model.get("pieces"), ...model.get("rivals")]),
  );
}
