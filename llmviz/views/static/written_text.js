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
  const heading = h("div", { class: "lv-heading" });
  const rows = h("div", { class: "lv-bars", role: "listbox", "aria-label": "tokens that could be here" });
  const panel = h("div", { class: "lv-rivals" }, heading, rows);
  view.body.append(list, panel);
  const drawRows = rowsIn(rows, ["ghost", "bar", "value"]);
  let chips = [];
  let drawn = [];
  let row = 0; // the rival that the keys are on
  let hovered = null; // the place that the pointer is on

  const last = () => model.get("pieces").length - (isOpen(model) ? 0 : 1);
  const current = () => Math.min(model.get("selected") ?? model.get("shown_first") ?? last(), last());
  const shown = () => (hovered !== null && hovered < chips.length ? hovered : current());
  const tell = (place = shown()) => drawRivals(view, heading, drawRows, rivalsAt(view, place), row);
  const select = (place, ask = false) => {
    row = 0;
    hovered = null;
    view.set({ selected: clamp(place, 0, last()) });
    const { picked } = rivalsAt(view, current());
    if (picked >= 0) (ask ? view.ask : view.follow)(current(), picked);
    draw();
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
  onPointer(
    list,
    indexUnder,
    (place) => {
      if (place === hovered) return;
      hovered = place;
      tell();
    },
    (place) => select(place, true),
  );
  rows.addEventListener("click", (event) => {
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

  function draw() {
    const now = ["pieces", "picked", "n_prompt"].map((name) => model.get(name));
    if (now.some((value, i) => value !== drawn[i])) {
      chips = putChips(list, chips, makeChips(model));
      row = 0;
    }
    drawn = now;
    lookOfChips(view, chips);
    selectChip(list, chips, chips.length ? current() : -1);
    tell();
    drawLegend(view);
    panel.hidden = !model.get("n_rivals");
  }
  return view.start(draw, "change limits");
}

/** Whether there is a last place without a token. */
const isOpen = (model) => model.get("picked").length > model.get("pieces").length - model.get("n_prompt");

function makeChips(model) {
  const chips = model.get("pieces").map((piece, i) => chip(piece, null, i));
  chips.slice(0, model.get("n_prompt")).forEach((node) => node.classList.add("lv-own"));
  if (!isOpen(model)) return chips;
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
function rivalsAt(view, place) {
  const { model } = view;
  const [i, k] = [place - model.get("n_prompt"), model.get("n_rivals")];
  const known = model.get("own") && i >= 0 && i < model.get("picked").length;
  const of = (values) => (known ? values.slice(i * k, (i + 1) * k) : []);
  const own = of(floats(model.get("own"))?.data).filter((p) => p >= 0); // a place may have fewer
  return {
    place,
    own,
    odds: of(floats(model.get("odds"))?.data),
    rivals: of(model.get("rivals")).slice(0, own.length),
    picked: known ? model.get("picked")[i] : -1,
    note: known ? model.get("notes")[i] : null,
    canTake: (j) => model.get("chooses") && view.can("choice", [place, j]),
  };
}

/** Draw the tokens that could be at a place, as bars from 0 to 100%; and one line about the token that is. */
function drawRivals(view, heading, drawRows, { place, own, odds, rivals, picked, note, canTake }, row) {
  const pieces = view.model.get("pieces");
  const isOffered = rivals.some((_, j) => j !== picked && canTake(j));
  const isOwn = place < view.model.get("n_prompt") && pieces.length;
  setText(
    heading,
    isOwn ? "Your own text. Go to a token that was written." : headingOf(pieces[place], rivals, isOffered),
  );
  drawRows(rivals, ({ node, ...parts }, j) => {
    drawBar(parts, odds[j], Math.abs(own[j] - odds[j]) < 1e-6 ? null : own[j]);
    setText(parts.value, percent(odds[j]) + (j === picked ? " ◂ taken" : ""));
    node.classList.toggle("lv-taken", j === picked);
    node.classList.toggle("lv-pale", j !== picked && isOffered && !canTake(j));
    node.setAttribute("aria-selected", String((view.model.get("chooses") || row > 0) && j === row));
  });
  view.note(...(picked < 0 ? [] : [quoted(pieces[place]), `position ${place + 1}`, note]));
}

function headingOf(piece, rivals, isOffered) {
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
