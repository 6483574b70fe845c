// A sentence in a line, with an arc from each token to those it attends to.

import { selectChip, shadeChip, tooLong } from "./kit/chips.js";
import { colorScale, inPercent, scaleLegend } from "./kit/colour.js";
import { h, keyed, markLegend, quoted, s, setAttributes } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { indexUnder, listKeys, onKeys, onPointer, reveal } from "./kit/input.js";
import { clamp, count, floats, percent } from "./kit/numbers.js";
import { tokenChips } from "./kit/token_chips.js";

const MOST = 1500; // arcs drawn at once, the strongest; more would cover everything
const LABEL = "tokens; the up and down keys step through what the selected token attends to";

export function render({ model, el }) {
  const view = frame(model, el, "arcs");
  const over = s("svg", { "aria-hidden": "true" });
  const list = keyed("listbox", "lv-chips lv-line-of-chips", LABEL);
  view.body.append(over, list);
  const put = tokenChips(list);
  let chips = [];
  let arcs = []; // {from, to, weight}, weakest first, so that the strongest lie on top
  let row = null; // the attention weights of the selected token
  let cursor = null; // the arc that the keys are on

  const current = () => model.get("selected") ?? -1;
  const select = (index) => (index === null || chips[index]) && view.set({ selected: index });
  const show = (pointed) => {
    const arc = pointed ?? cursor;
    [...over.children].forEach((node, i) => node.classList.toggle("lv-lit", arcs[i] === arc));
    chips.forEach((node, i) => node.classList.toggle("lv-lit", i === arc?.to));
    tell(view, arcs, row, arc);
  };
  const step = (by) => () => {
    if (!arcs.length) return;
    const at = cursor ? arcs.indexOf(cursor) : arcs.length;
    cursor = arcs[clamp(at - by, 0, arcs.length - 1)]; // the strongest first
    show(cursor);
    view.follow(cursor.from, cursor.to);
  };
  const press = (arc) => {
    cursor = arc;
    show(arc);
    view.ask(arc.from, arc.to);
  };
  onPointer(over, (event) => arcs[indexUnder(event)] ?? null, show, press);
  list.addEventListener("click", (event) => {
    const index = indexUnder(event);
    if (index !== undefined) select(index === current() ? null : index);
  });
  onKeys(list, {
    ...listKeys(select, current, () => chips.length),
    ArrowDown: step(1),
    ArrowUp: step(-1),
    Backspace: () => select(null),
    Enter: () => arcs.length && press(cursor ?? arcs.at(-1)),
  });

  return view.start(() => {
    if (!view.changed("pieces", "ids", "weights", "threshold", "selected")) return;
    chips = put(model.get("pieces"), model.get("ids"));
    const weights = floats(model.get("weights"));
    if (weights && weights.shape[0] !== chips.length) return; // more traits are on their way
    view.root.classList.remove("lv-many"); // large chips only where all of them fit
    view.root.classList.toggle("lv-many", list.scrollWidth > view.body.clientWidth);
    const chosen = choose(weights, model.get("threshold"), model.get("selected"));
    ({ arcs, row } = chosen);
    cursor = null;
    const scale = colorScale("weight", view.theme);
    chips.forEach((node, i) => shadeChip(node, row?.[i], scale));
    selectChip(list, chips, model.get("selected"));
    const node = chips[model.get("selected")];
    // The arcs of a token lead to those before it, which are to be seen as well.
    if (node) reveal(view.body, node.offsetLeft - 0.7 * view.body.clientWidth, node.offsetLeft + node.offsetWidth);
    drawArcs(over, list, chips, arcs);
    drawLegend(view, chosen, scale);
    show(null);
  });
}

/** The arcs to draw, and what share of the selected token's attention they leave out. */
function choose(weights, threshold, selected) {
  const [n, data] = [weights?.shape[0] ?? 0, weights?.data ?? []];
  const row = selected !== null && selected < n ? data.slice(selected * n, (selected + 1) * n) : null;
  const arcs = [];
  (row ?? data).forEach((weight, i) => {
    if (weight >= threshold) arcs.push({ from: row ? selected : Math.floor(i / n), to: i % n, weight });
  });
  arcs.sort((a, b) => a.weight - b.weight);
  return {
    arcs: arcs.slice(-MOST),
    row,
    rest: row?.reduce((sum, weight) => sum + (weight < threshold ? weight : 0), 0),
    dropped: Math.max(0, arcs.length - MOST),
  };
}

function drawArcs(over, list, chips, arcs) {
  const x = chips.map((node) => node.offsetLeft + node.offsetWidth / 2);
  const spread = x.length ? x.at(-1) - x[0] : 0; // of all tokens, so that the row stays where it is
  const tall = clamp(0.4 * spread, 34, 190);
  const base = tall + 12;
  setAttributes(over, { width: Math.max(list.scrollWidth, 10), height: tall + 14 });
  const way = (from, to) => {
    const rise = base - 1.33 * Math.max(22, tall * Math.sqrt(Math.abs(x[to] - x[from]) / Math.max(spread, 1)));
    return from === to // a token that attends to itself: a loop
      ? `M${x[from] - 9} ${base}C${x[from] - 20} ${base - 36} ${x[from] + 20} ${base - 36} ${x[from] + 9} ${base}`
      : `M${x[from]} ${base}C${x[from]} ${rise} ${x[to]} ${rise} ${x[to]} ${base}`;
  };
  over.replaceChildren(
    ...arcs.map(({ from, to, weight }, i) =>
      s("path", {
        d: way(from, to),
        class: "lv-arc",
        "data-index": i,
        "stroke-width": 1 + 9 * weight,
        "stroke-opacity": clamp(0.3 + 0.7 * Math.sqrt(weight)),
      }),
    ),
  );
}

function tell(view, arcs, row, arc) {
  const [pieces, selected] = [view.model.get("pieces"), view.model.get("selected")];
  const named = (i) =>
    quoted(pieces[i]) + (pieces.indexOf(pieces[i]) === pieces.lastIndexOf(pieces[i]) ? "" : ` (${i})`);
  if (arc) return view.note(`from ${named(arc.from)} to ${named(arc.to)}`, `attention weight ${percent(arc.weight)}`);
  if (!row) return view.note(pieces.length && "Select a token to see what it attends to.");
  const best = arcs.slice(-4).toReversed(); // all of them are the selected token's
  const listed = best.map(({ to, weight }) => `${named(to)} ${percent(weight)}`).join(", ");
  view.note(`${named(selected)} attends to ${listed || "nothing above the threshold"}`);
}

function drawLegend(view, { row, rest, dropped }, scale) {
  const pieces = view.model.get("pieces");
  const left = `arcs below ${percent(view.model.get("threshold"))} are left out`;
  view.setLegend(
    tooLong(pieces.length),
    "thicker arc = larger attention weight",
    row && scaleLegend(inPercent(scale), "shade = attention weight"),
    row ? `${left} (${percent(rest)} in total)` : left,
    dropped && h("b", {}, `Only the strongest ${count(MOST)} of ${count(MOST + dropped)} arcs are drawn.`),
    ...markLegend(pieces),
  );
}
