// RoPE's pairs of one query and one key as clocks with two hands each, or those of a query on its own. Python says how far
// each step turns them; here they are drawn.

import {
  clamp,
  colorScale,
  count,
  floats,
  frame,
  h,
  minus,
  number,
  onKeys,
  pieceNodes,
  player,
  pointIn,
  s,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "rope_dial");
  const sum = h("div", { class: "lv-dial-sum" });
  const large = makeFace();
  const between = s("path", { class: "lv-dial-angle" });
  const label = s("text", { "text-anchor": "middle", x: 80, y: 172 });
  const head = h(
    "div",
    { class: "lv-dial-head", "aria-hidden": "true" },
    s("svg", { width: 160, height: 180 }, ...Object.values(large), between, label),
    sum,
  );
  const dials = s("g", {});
  const svg = s("svg", { "aria-hidden": "true" }, dials);
  const plot = h(
    "div",
    {
      class: "lv-plot",
      role: "application",
      tabindex: "0",
      "aria-label": "clocks, one a pair: arrow keys go from one to the next",
    },
    svg,
  );
  const bar = player(view, {
    steps: () => (model.get("turns")?.shape[0] ?? 1) - 1,
    name: "move on, position by position",
    pace: 120,
  });
  view.body.append(bar.node, head, plot);
  let clocks = [];
  let layout = null;

  const current = () => model.get("selected") ?? 0;
  const select = (index, ask = false) => {
    if (!clocks.length) return;
    const to = clamp(index, 0, clocks.length - 1);
    view.set({ selected: to });
    ask ? view.ask(to) : view.follow(to);
  };
  const FULL = 2 * Math.PI;
  const arrays = () => ["q_hands", "k_hands", "parts", "turns", "periods"].map((name) => floats(model.get(name)));
  /** How often pair i has been turned since step 0. */
  const turnsOf = (turns, i) => (turns ? turns.data[model.get("step") * turns.shape[1] + i] : 0);
  const length = (hands, i) => Math.hypot(hands.data[2 * i], hands.data[2 * i + 1]);
  const radians = (hands, i, turn) => Math.atan2(hands.data[2 * i + 1], hands.data[2 * i]) + FULL * turn;
  /** From the key's hand to the query's, the short way. */
  const angle = (q, k, i) => {
    const way = radians(q, i, 0) - radians(k, i, 0);
    return Math.atan2(Math.sin(way), Math.cos(way));
  };
  const apart = (q, k, i) => `${Math.round((Math.abs(angle(q, k, i)) * 180) / Math.PI)}° apart`;
  const signed = (v) => (v > 0 ? "+" : "") + number(v);
  const perTurn = (period) =>
    period >= 1000 ? count(Math.round(Number(period.toPrecision(3)))) : String(Number(period.toPrecision(2)));
  const turned = (turns) => (turns < 1 ? `turned by ${Math.round(360 * turns)}°` : `${turns.toFixed(1)} turns`);
  const tell = (index) => {
    const [q, k, parts, turns, periods] = arrays();
    if (!q || index < 0 || index >= q.shape[0]) return view.note("Point at a clock, or go to one with the arrow keys.");
    const outcome = k
      ? `hands ${apart(q, k, index)} · adds ${signed(parts.data[index])} to the score`
      : turned(turnsOf(turns, index));
    view.note(
      `pair ${index} (numbers ${2 * index} and ${2 * index + 1}) · one full turn every ${perTurn(periods.data[index])} tokens · ${outcome}`,
    );
  };
  const indexOf = (event) => {
    if (!layout) return null;
    const [x, y] = pointIn(plot, event);
    const column = Math.floor(x / layout.w);
    const row = Math.floor(y / layout.h);
    const index = row * layout.columns + column;
    return column >= 0 && column < layout.columns && index >= 0 && index < clocks.length ? index : null;
  };
  plot.addEventListener("click", (event) => {
    const i = indexOf(event);
    if (i !== null) select(i, true);
  });
  plot.addEventListener("pointermove", (event) => {
    const i = indexOf(event);
    if (i !== null) tell(i);
  });
  plot.addEventListener("pointerleave", () => tell(current()));
  onKeys(plot, {
    ArrowRight: () => select(current() + 1),
    ArrowLeft: () => select(current() - 1),
    ArrowDown: () => select(current() + (layout?.columns ?? 1)),
    ArrowUp: () => select(current() - (layout?.columns ?? 1)),
    Home: () => select(0),
    End: () => select(clocks.length - 1),
    Enter: () => select(current(), true),
  });

  function makeFace() {
    return {
      face: s("circle", { class: "lv-clock" }),
      kWay: s("line", { class: "lv-way lv-way-k" }),
      qWay: s("line", { class: "lv-way lv-way-q" }),
      k: s("line", { class: "lv-hand-k" }),
      q: s("line", { class: "lv-hand-q" }),
      hub: s("circle", { class: "lv-hub", r: 2.2 }),
    };
  }
  function makeClock(i) {
    const one = {
      ...makeFace(),
      axis: s("line", { class: "lv-dial-axis" }),
      bar: s("rect", { height: 9 }),
      cut: s("path", { class: "lv-dial-cut" }), // across a bar that is longer than there is room
    };
    one.node = s("g", { "data-index": i }, ...Object.values(one));
    return one;
  }
  const put = (node, values) => {
    for (const [name, v] of Object.entries(values)) node.setAttribute(name, typeof v === "number" ? v.toFixed(2) : v);
  };

  return view.start(() => {
    const [q, k, parts, turns] = arrays();
    const n = q?.shape[0] ?? 0;
    if (!n || (k && (k.shape[0] !== n || parts?.data.length !== n))) return; // more traits are on their way
    const step = model.get("step");
    bar.node.hidden = !turns;
    bar.show(step);
    const width = Math.max(300, view.width());
    const rows = Math.ceil(n / clamp(Math.floor(width / 64), 2, 16));
    const columns = Math.ceil(n / rows);
    const w = width / columns;
    const r = Math.min(0.43 * w, 38);
    const hgt = 2 * r + (k ? 34 : 16);
    layout = { columns, w, h: hgt };
    const height = rows * hgt;
    put(svg, { width, height });
    Object.assign(plot.style, { width: `${width}px`, height: `${height}px` });
    if (clocks.length !== n) {
      clocks = Array.from({ length: n }, (_, i) => makeClock(i));
      dials.replaceChildren(...clocks.map((one) => one.node));
    }
    const scale = colorScale("signed", view.theme, 1);
    const longest = (hands) => Math.max(1e-9, ...Array.from({ length: n }, (_, i) => length(hands, i)));
    const second = k ?? q; // without a key, where the query's hand was before RoPE
    const [qMax, kMax] = [longest(q), longest(second)];
    const limit = model.get("limit") || 1;
    const chosen = Math.min(current(), n - 1);
    const drawFace = (one, i, cx, cy, radius) => {
      const turn = turnsOf(turns, i);
      const marks = `${i === chosen ? " lv-clock-on" : ""}${!k && turn >= 1 ? " lv-clock-round" : ""}`;
      put(one.face, { cx, cy, r: radius, class: `lv-clock${marks}` });
      for (const [way, line, hands, most, by] of [
        [one.qWay, one.q, q, qMax, turn],
        [one.kWay, one.k, second, kMax, k ? turn : 0],
      ]) {
        const at = radians(hands, i, by);
        const to = (reach) => ({ x1: cx, y1: cy, x2: cx + Math.cos(at) * reach, y2: cy + Math.sin(at) * reach });
        put(way, to(radius - 1));
        put(line, to((radius - 3) * Math.sqrt(length(hands, i) / most)));
      }
      one.k.classList.toggle("lv-hand-before", !k);
      one.kWay.classList.toggle("lv-hand-before", !k);
      put(one.hub, { cx, cy });
    };
    drawFace(large, chosen, 80, 78, 74);
    // The way from the dashed hand to the other: between two hands the short one, else all that it has turned, as a
    // spiral of at most three rounds.
    const turn = turnsOf(turns, chosen);
    const way = k ? angle(q, k, chosen) : FULL * (turn > 3 ? 2 + (turn % 1) : turn);
    const from = k ? radians(k, chosen, turn) : radians(q, chosen, 0);
    const points = Array.from({ length: 1 + Math.ceil(Math.abs(way) / 0.1) }, (_, i) => {
      const gone = Math.min(0.1 * i, Math.abs(way));
      const reach = 24 + (k ? 0 : (12 * gone) / FULL);
      const at = from + Math.sign(way) * gone;
      return `${(80 + reach * Math.cos(at)).toFixed(1)} ${(78 + reach * Math.sin(at)).toFixed(1)}`;
    });
    put(between, { d: `M${points.join("L")}` });
    label.textContent = `pair ${chosen}: ${k ? apart(q, k, chosen) : turned(turn)}`;
    clocks.forEach((one, i) => {
      const [cx, cy] = [(i % columns) * w + w / 2, Math.floor(i / columns) * hgt + r + 6];
      drawFace(one, i, cx, cy, r);
      for (const node of [one.axis, one.bar, one.cut]) node.style.display = k ? "" : "none";
      if (!k) return;
      const y = cy + r + 8;
      const part = clamp(parts.data[i] / limit, -1, 1);
      const reach = Math.abs(part) * (w / 2 - 5);
      put(one.axis, { x1: cx, x2: cx, y1: y - 3, y2: y + 12 });
      put(one.bar, {
        x: part < 0 ? cx - reach : cx,
        y,
        width: Math.max(0.01, reach),
        fill: scale.css(part < 0 ? -0.66 : 0.66),
      });
      const x = cx + Math.sign(part) * (reach - 9);
      put(one.cut, { d: Math.abs(parts.data[i]) > limit ? `M${x - 4} ${y + 11}l5 -13m4 0l-5 13` : "" });
    });
    const at = (name) =>
      h(
        "span",
        {},
        h("bdi", { class: "lv-piece" }, pieceNodes(model.get(`${name}_name`)[0] ?? "")),
        ` at position ${count(model.get(`${name}_position`) + step)}`,
      );
    const round = clocks.filter((_, i) => turnsOf(turns, i) >= 1).length;
    sum.replaceChildren(
      h(
        "b",
        {},
        k
          ? `score ${minus((model.get("score") > 0 ? "+" : "") + model.get("score").toFixed(2))}`
          : `${round} of ${n} all the way round`,
      ),
      h("span", {}, "query ", at("q")),
      ...(k
        ? [
            h("span", {}, "key ", at("k")),
            h("span", {}, `distance ${minus(String(model.get("q_position") - model.get("k_position")))}`),
          ]
        : []),
    );
    const key = (kind, text) =>
      h(
        "span",
        { class: "lv-dial-key" },
        s(
          "svg",
          { width: 30, height: 12, "aria-hidden": "true" },
          s("line", { x1: 2, x2: 28, y1: 6, y2: 6, class: kind }),
        ),
        text,
      );
    view.setLegend(
      key("lv-hand-q", k ? "query" : "query at this position"),
      key(...(k ? ["lv-hand-k", "key"] : ["lv-hand-k lv-hand-before", "at position 0"])),
      h("span", {}, "thick part: length of the arrow (square-root scale); thin line: its direction"),
      k && h("span", {}, `a bar cut by two strokes goes beyond ±${Number(limit.toPrecision(2))}`),
    );
    tell(current());
  });
}
