// A text as it grows: each written token is shaded, and a panel shows the tokens that could have come instead.

import {
  chip,
  clamp,
  colorScale,
  floats,
  frame,
  h,
  indexUnder,
  keyed,
  listKeys,
  markLegend,
  onKeys,
  onPointer,
  percent,
  pieceNodes,
  putChips,
  quoted,
  scaleLegend,
  selectChip,
  shadeChip,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "written_text");
  const list = keyed("listbox", "lv-chips", "the text, token by token");
  const heading = h("div", { class: "lv-heading" });
  const rows = h("div", { class: "lv-bars", role: "listbox", "aria-label": "tokens that could be here" });
  const rivals = h("div", { class: "lv-rivals" }, heading, rows);
  view.body.append(list, rivals);
  let chips = [];
  let row = 0; // the rival that the keys are on
  let hovered = null;
  let opened = null; // the place whose rivals are drawn

  const n = () => model.get("pieces").length;
  const open = () => model.get("picked").length > n() - model.get("n_prompt"); // a last place without a token
  const last = () => n() - (open() ? 0 : 1);
  const current = () => Math.min(model.get("selected") ?? model.get("shown_first") ?? last(), last());
  const taken = (place) => model.get("picked")[place - model.get("n_prompt")] ?? -1;
  const select = (place, ask = false) => {
    row = 0;
    hovered = null;
    opened = null;
    view.set({ selected: clamp(place, 0, last()) });
    if (taken(current()) >= 0) (ask ? view.ask : view.follow)(current(), taken(current()));
    draw();
  };
  const take = (at) => {
    if (current() < model.get("n_prompt")) return;
    model.get("chooses") ? view.set({ choice: [current(), at] }) : view.ask(current(), at);
  };
  const hover = (place) => {
    if (place === hovered) return;
    hovered = place;
    tell(place ?? current());
  };
  onPointer(list, indexUnder, hover, (place) => select(place, true));
  rows.addEventListener("click", (event) => {
    const index = indexUnder(event);
    if (index === undefined) return;
    list.focus({ preventScroll: true }); // the keys go on from here, and Escape closes the panel
    take(index);
  });
  const step = (by) => {
    row = clamp(row + by, 0, Math.max(0, rows.childElementCount - 1));
    tell(current(), true);
    const rival = rows.children[row];
    if (!rival) return;
    const does = model.get("chooses") ? "takes" : "explains";
    const [piece, value] = [".lv-piece", ".lv-value"].map((part) => rival.querySelector(part).textContent);
    view.note(`Enter ${does} ${quoted(piece)}`, value);
  };
  onKeys(list, {
    ...listKeys(select, current, () => last() + 1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => take(row),
  });

  /** Draw the tokens that could be at a place, as bars; and one line about the token that is. */
  function tell(place, again = false) {
    if (place === opened && !again) return;
    opened = place;
    const [pieces, nPrompt, chooses] = [model.get("pieces"), model.get("n_prompt"), model.get("chooses")];
    const i = place - nPrompt;
    const k = model.get("n_rivals");
    const [own, odds] = [floats(model.get("own")), floats(model.get("odds"))];
    const picked = model.get("picked");
    if (!own || i < 0 || i >= picked.length) {
      heading.textContent = i < 0 && pieces.length ? "Your own text. Go to a token that was written." : "";
      rows.replaceChildren();
      return view.note("");
    }
    const shown = [...Array(k).keys()].filter((j) => own.data[i * k + j] >= 0);
    const can = (j) => chooses && view.can("choice", [place, j]);
    const isOffered = shown.some((j) => j !== picked[i] && can(j));
    heading.textContent =
      picked[i] < 0
        ? isOffered
          ? "What comes next? Take one yourself: click it, or ↑ ↓ and Enter"
          : ""
        : isOffered
          ? `Click a token to put it there instead of ${quoted(pieces[place])}`
          : `The likeliest tokens at the position of ${quoted(pieces[place])}`;
    const full = Math.max(...shown.map((j) => Math.max(own.data[i * k + j], odds.data[i * k + j])));
    rows.replaceChildren(
      ...shown.map((j) => {
        const [p, was] = [odds.data[i * k + j], own.data[i * k + j]];
        return h(
          "div",
          {
            class: `lv-row lv-choice${j === picked[i] ? " lv-taken" : isOffered && !can(j) ? " lv-pale" : ""}`,
            role: "option",
            "data-index": j,
            "aria-selected": String((chooses || row > 0) && j === row),
          },
          h("span", { class: "lv-label" }, h("bdi", { class: "lv-piece" }, pieceNodes(model.get("rivals")[i * k + j]))),
          h(
            "span",
            { class: "lv-track" },
            h("span", { class: "lv-ghost", style: `width:${(100 * was) / full}%`, hidden: Math.abs(was - p) < 1e-6 }),
            h("span", { class: "lv-bar", style: `width:${(100 * p) / full}%` }),
            h(
              "span",
              { class: "lv-value", style: `left:${(100 * p) / full}%` },
              percent(p),
              j === picked[i] ? " ◂ taken" : "",
            ),
          ),
        );
      }),
    );
    const notes = model.get("notes");
    view.note(...(picked[i] < 0 ? [] : [quoted(pieces[place]), `position ${place + 1}`, notes[i]]));
  }

  let drawn = {};
  function draw() {
    const [pieces, nPrompt, picked] = [model.get("pieces"), model.get("n_prompt"), model.get("picked")];
    if (pieces !== drawn.pieces || picked !== drawn.picked || nPrompt !== drawn.nPrompt) {
      const old = chips;
      chips = pieces.map((piece, i) => chip(piece, null, i));
      chips.slice(0, nPrompt).forEach((node) => node.classList.add("lv-own"));
      if (open()) {
        const gap = h(
          "span",
          { class: "lv-chip lv-gap", role: "option", "data-index": chips.length, "aria-label": "the next token" },
          h("bdi", { class: "lv-piece" }, "?"),
        );
        chips.push(gap);
      }
      putChips(list, old, chips);
      drawn = { pieces, picked, nPrompt };
      opened = null;
      row = 0;
    }
    const weights = floats(model.get("weights"));
    const scale = colorScale(model.get("scale"), view.theme);
    const [again, marked] = [new Set(model.get("again")), new Set(model.get("marked"))];
    chips.forEach((node, i) => {
      shadeChip(node, weights?.data[i], scale);
      node.classList.toggle("lv-again", again.has(i));
      node.classList.toggle(model.get("chooses") ? "lv-likeliest" : "lv-highlight", marked.has(i));
    });
    selectChip(list, chips, chips.length ? current() : -1);
    opened = null;
    tell(hovered !== null && hovered < chips.length ? hovered : current());
    const own = floats(model.get("own"));
    const odds = floats(model.get("odds"));
    view.setLegend(
      scaleLegend(scale, `shade: ${model.get("shade_label")}`),
      again.size > 0 && h("span", {}, h("i", { class: "lv-key" }), " a run of 4 tokens that came before"),
      own && odds && own.data.some((p, i) => Math.abs(p - odds.data[i]) > 1e-6) && "outline: at temperature 1",
      ...markLegend([...pieces, ...model.get("rivals")]),
    );
    rivals.hidden = !model.get("n_rivals");
  }
  return view.start(draw, "change limits");
}
