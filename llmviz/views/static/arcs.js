// A sentence in a line, with an arc from each token to those it attends to.

import {
  chip,
  clamp,
  colorScale,
  count,
  floats,
  frame,
  h,
  indexUnder,
  inPercent,
  keyed,
  KIT,
  listKeys,
  markLegend,
  onKeys,
  onPointer,
  percent,
  putChips,
  quoted,
  s,
  scaleLegend,
  selectChip,
  setAttributes,
  shadeChip,
  tooLong,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "arcs");
  const paths = s("g", {});
  const over = s("svg", { "aria-hidden": "true" }, paths);
  const list = keyed(
    "listbox",
    "lv-chips lv-line-of-chips",
    "tokens; the up and down keys step through what the selected token attends to",
  );
  view.body.append(over, list);
  const MOST = 1500; // arcs drawn at once, the strongest; more would cover everything
  let chips = [];
  let arcs = []; // {from, to, weight}, weakest first, so that the strongest lie on top
  let weights = null;
  let drawn = {};
  let cursor = null; // the arc that the keys are on

  const at = (from, to) => weights.data[from * weights.shape[1] + to];
  const current = () => model.get("selected") ?? -1;
  const named = (i) => {
    const pieces = model.get("pieces");
    const repeated = pieces.indexOf(pieces[i]) !== pieces.lastIndexOf(pieces[i]);
    return quoted(pieces[i]) + (repeated ? ` (${i})` : "");
  };
  const sentence = ({ from, to, weight }) =>
    `from ${named(from)} to ${named(to)} · attention weight ${percent(weight)}`;
  const tell = (arc = cursor) => {
    if (arc) return view.note(sentence(arc));
    const from = current();
    if (!weights || from < 0 || from >= weights.shape[0])
      return view.note(chips.length ? "Select a token to see what it attends to." : "");
    const best = arcs
      .toReversed()
      .filter((a) => a.from === from)
      .slice(0, 4);
    view.note(
      `${named(from)} attends to ${best.map((a) => `${named(a.to)} ${percent(a.weight)}`).join(", ") || "nothing above the threshold"}`,
    );
  };
  const select = (index) => {
    cursor = null;
    if (index !== null && (index < 0 || index >= chips.length)) return;
    view.set({ selected: index });
  };
  const ask = (arc) => view.ask(arc.from, arc.to);
  const step = (by) => () => {
    // through the arcs, strongest first
    const ranked = arcs.toReversed();
    if (!ranked.length) return;
    const now = cursor ? ranked.findIndex((a) => a.from === cursor.from && a.to === cursor.to) : -1;
    cursor = ranked[clamp(now + by, 0, ranked.length - 1)];
    light(cursor);
    view.follow(cursor.from, cursor.to);
  };
  const light = (arc) => {
    for (const node of paths.children)
      node.classList.toggle(
        "lv-lit",
        !!arc && node.dataset.from === String(arc.from) && node.dataset.to === String(arc.to),
      );
    chips.forEach((node, i) => node.classList.toggle("lv-highlight", !!arc && i === arc.to));
    tell(arc ?? cursor);
  };
  const arcOf = (event) => {
    const { from, to } = event.target.dataset;
    return from === undefined ? null : { from: Number(from), to: Number(to), weight: at(Number(from), Number(to)) };
  };
  const press = (arc) => {
    cursor = arc;
    light(arc);
    ask(arc);
  };
  onPointer(over, arcOf, (arc) => light(arc ?? cursor), press);
  list.addEventListener("click", (event) => {
    const index = indexUnder(event);
    if (index !== undefined) select(index === current() ? null : index);
  });
  onKeys(list, {
    ...listKeys(select, current, () => chips.length),
    ArrowDown: step(1),
    ArrowUp: step(-1),
    Backspace: () => select(null),
    Delete: () => select(null),
    Enter: () => {
      if (!cursor) step(1)();
      if (cursor) ask(cursor);
    },
  });

  /** The arcs to draw, and what share of the selected token's attention they leave out. */
  function choose(selected) {
    const threshold = model.get("threshold");
    const [rows, cols] = weights.shape;
    const found = [];
    let rest = 0;
    for (let from = 0; from < rows; from++) {
      if (selected !== null && from !== selected) continue;
      for (let to = 0; to < cols; to++) {
        const weight = at(from, to);
        if (weight >= threshold) found.push({ from, to, weight });
        else if (weight > 0) rest += weight;
      }
    }
    found.sort((a, b) => a.weight - b.weight);
    return { arcs: found.slice(-MOST), rest, dropped: Math.max(0, found.length - MOST) };
  }

  return view.start(() => {
    const [pieces, ids, selected] = ["pieces", "ids", "selected"].map((name) => model.get(name));
    const fresh = pieces !== drawn.pieces || ids !== drawn.ids;
    if (fresh) {
      const old = chips;
      chips = pieces.slice(0, KIT.maxTokens).map((piece, i) => chip(piece, ids?.[i], i));
      putChips(list, old, chips);
      cursor = null;
    }
    view.root.classList.remove("lv-many"); // small chips where large ones don't fit
    view.root.classList.toggle("lv-many", list.scrollWidth > view.body.clientWidth);
    if (model.get("weights") !== drawn.weights || selected !== drawn.selected) cursor = null;
    drawn = { pieces, ids, selected, weights: model.get("weights") };
    weights = floats(drawn.weights);
    const scale = colorScale("weight", view.theme);
    const one = selected !== null && weights && selected < weights.shape[0] ? selected : null;
    // with a token selected, the others are shaded by their weights, as in a token strip
    chips.forEach((node, i) => shadeChip(node, one === null || i >= weights.shape[1] ? NaN : at(one, i), scale));
    selectChip(list, chips, selected);
    const node = chips[selected];
    const { scrollLeft, clientWidth } = view.body;
    if (
      node &&
      (fresh || node.offsetLeft < scrollLeft || node.offsetLeft + node.offsetWidth > scrollLeft + clientWidth)
    )
      view.body.scrollLeft = node.offsetLeft + node.offsetWidth / 2 - clientWidth * 0.85; // the arcs lead to the tokens before it
    const chosen = weights ? choose(one) : { arcs: [], rest: 0, dropped: 0 };
    arcs = chosen.arcs.filter(({ from, to }) => chips[from] && chips[to]);

    const x = chips.map((chipNode) => chipNode.offsetLeft + chipNode.offsetWidth / 2);
    const spread = x.length && x.at(-1) - x[0]; // of all tokens, so that the row stays where it is
    const tall = clamp(0.4 * spread, 34, 190);
    const width = Math.max(list.scrollWidth, 10);
    setAttributes(over, { width, height: tall + 14 });
    const base = tall + 12;
    paths.replaceChildren(
      ...arcs.map(({ from, to, weight }) => {
        const reach = Math.abs(x[to] - x[from]);
        const rise = Math.max(22, tall * Math.sqrt(reach / Math.max(spread, 1)));
        const d =
          from === to // a token that attends to itself: a loop
            ? `M ${x[from] - 9} ${base} C ${x[from] - 26} ${base - 36}, ${x[from] + 26} ${base - 36}, ${x[from] + 9} ${base}`
            : `M ${x[from]} ${base} C ${x[from]} ${base - 1.33 * rise}, ${x[to]} ${base - 1.33 * rise}, ${x[to]} ${base}`;
        return s("path", {
          d,
          class: "lv-arc",
          "data-from": from,
          "data-to": to,
          "stroke-width": 1 + 9 * weight,
          "stroke-opacity": clamp(0.3 + 0.7 * Math.sqrt(weight)),
        });
      }),
    );
    const left = `arcs below ${percent(model.get("threshold"))} are left out`;
    view.setLegend(
      tooLong(pieces.length),
      "thicker arc = larger attention weight",
      one !== null && scaleLegend(inPercent(scale), "shade = attention weight"),
      one === null ? left : `${left} (${percent(chosen.rest)} in total)`,
      chosen.dropped &&
        h("b", {}, `Only the strongest ${count(MOST)} of ${count(MOST + chosen.dropped)} arcs are drawn.`),
      ...markLegend(pieces),
    );
    tell();
  });
}
