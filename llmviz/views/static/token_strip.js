// Tokens as chips: pick one by pointer or keys; a weight shades each.

import {
  chip,
  chipOnNextLine,
  colorScale,
  exchange,
  floats,
  frame,
  h,
  indexAt,
  KIT,
  markLegend,
  onKeys,
  percent,
  quoted,
  scaleLegend,
  selectChip,
  tooLong,
  uid,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "token_strip");
  const list = h("div", { class: "lv-chips", role: "listbox", tabindex: "0", "aria-label": "tokens" });
  view.body.append(list);
  const prefix = uid();
  let chips = [];
  let drawn = {};

  const select = (index, ask = false) => {
    if (index < 0 || index >= chips.length) return;
    view.set({ selected: index });
    ask ? view.ask(index) : view.follow(index);
  };
  const current = () => model.get("selected") ?? -1;

  const tell = (index) => {
    const label = model.get("pieces")[index];
    if (label === undefined) return view.note("");
    const [ids, weights, notes] = [model.get("ids"), floats(model.get("weights")), model.get("notes")];
    const parts = [`${quoted(label)} · token ${index + 1} of ${model.get("pieces").length}, position ${index}`];
    if (ids) parts.push(`id ${ids[index]}`);
    if (weights && !Number.isNaN(weights.data[index]))
      parts.push(`${model.get("quantity")} ${percent(weights.data[index])}`);
    if (notes?.[index]) parts.push(notes[index]);
    view.note(parts.join(" · "));
  };

  const indexOf = (event) => indexAt(event, ".lv-chip");
  list.addEventListener("click", (event) => {
    const index = indexOf(event);
    if (index !== null) select(index, true);
  });
  list.addEventListener("pointermove", (event) => {
    const index = indexOf(event);
    if (index === null) return;
    tell(index);
    if (model.get("hover_selects") && index !== current()) select(index);
  });
  list.addEventListener("pointerleave", () => tell(current()));
  onKeys(list, {
    ArrowRight: () => select(Math.min(current() + 1, chips.length - 1)),
    ArrowLeft: () => select(Math.max(current() - 1, 0)),
    ArrowDown: () => chips.length && select(chipOnNextLine(chips, Math.max(0, current()), 1)),
    ArrowUp: () => chips.length && select(chipOnNextLine(chips, Math.max(0, current()), -1)),
    Home: () => select(0),
    End: () => select(chips.length - 1),
    Enter: () => select(Math.max(0, current()), true),
  });

  return view.start(() => {
    const [pieces, ids] = [model.get("pieces"), model.get("ids")];
    if (pieces !== drawn.pieces || ids !== drawn.ids) {
      // most keys change the end of a text: the chips before it stay
      const old = chips;
      const same = (piece, i) => old[i] && piece === drawn.pieces[i] && ids?.[i] === drawn.ids?.[i];
      chips = pieces.slice(0, KIT.maxTokens).map((piece, i) => (same(piece, i) ? old[i] : chip(piece, ids?.[i], i)));
      if (!chips.length || !old.length)
        list.replaceChildren(...(chips.length ? chips : [h("span", { class: "lv-empty" }, "no tokens yet")]));
      else exchange(list, old, chips);
      view.root.classList.toggle("lv-many", chips.length > 64);
    }
    const weights = floats(model.get("weights"));
    const scale = colorScale("weight", view.theme);
    const highlight = new Set(model.get("highlight"));
    chips.forEach((node, i) => {
      const v = weights ? weights.data[i] : NaN;
      const shaded = v !== undefined && !Number.isNaN(v);
      const shade = shaded ? scale.css(v) : "";
      if (shade !== (node.shade ?? ""))
        Object.assign(node.style, { backgroundColor: shade, color: shaded ? scale.ink(v) : "" });
      node.shade = shade;
      node.classList.toggle("lv-highlight", highlight.has(i));
    });
    selectChip(list, chips, model.get("selected"), prefix);
    const has = [!!weights, highlight.size > 0, view.theme].join();
    if (pieces !== drawn.pieces || has !== drawn.has)
      view.legend.replaceChildren(
        ...[tooLong(pieces.length) || null].filter(Boolean).map((text) => h("b", {}, text)),
        ...markLegend(pieces),
        ...(weights ? [scaleLegend(scale, `shade = ${model.get("quantity")}`)] : []),
        ...(highlight.size ? [h("span", {}, `dashed: ${model.get("highlight_name")}`)] : []),
      );
    drawn = { pieces, ids, has };
    tell(current());
  });
}
