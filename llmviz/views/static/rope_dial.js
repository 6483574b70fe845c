// RoPE's pairs of one query and one key as clocks with two hands each, or those of a query alone, turned and not.
// Python turned the hands; here they are drawn.

import { clamp, colorScale, count, floats, frame, h, minus, number, onKeys, pieceNodes, pointIn, s } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "rope_dial");
  const sum = h("div", { class: "lv-dial-sum" });
  const large = makeFace();
  const between = s("path", { class: "lv-dial-angle" });
  const apart = s("text", { "text-anchor": "middle", x: 80, y: 172 });
  const head = h(
    "div",
    { class: "lv-dial-head", "aria-hidden": "true" },
    s("svg", { width: 160, height: 180 }, ...Object.values(large), between, apart),
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
  view.body.append(head, plot);
  let clocks = [];
  let layout = null;

  const current = () => model.get("selected") ?? 0;
  const select = (index, ask = false) => {
    if (!clocks.length) return;
    const to = clamp(index, 0, clocks.length - 1);
    view.set({ selected: to });
    ask ? view.ask(to) : view.follow(to);
  };
  const radians = ([a, b]) => Math.atan2(b, a);
  const pair = (hands, i) => [hands.data[2 * i], hands.data[2 * i + 1]];
  /** From the key's hand to the query's, the short way. */
  const angle = (q, k, i) => {
    const way = radians(pair(q, i)) - radians(pair(k, i));
    return Math.atan2(Math.sin(way), Math.cos(way));
  };
  const wide = (radian) => `${Math.round((Math.abs(radian) * 180) / Math.PI)}°`;
  const signed = (v) => (v > 0 ? "+" : "") + number(v);
  const turn = (period) =>
    period >= 1000 ? count(Math.round(Number(period.toPrecision(3)))) : String(Number(period.toPrecision(2)));
  const arrays = () => ["q_hands", "k_hands", "parts", "turns", "periods"].map((name) => floats(model.get(name)));
  const turned = (turns) => {
    const [amount, unit] = turns < 1 ? [360 * turns, "°"] : [turns, " turns"];
    return amount.toFixed(amount < 10 ? 1 : 0) + unit;
  };
  const tell = (index) => {
    const [q, k, parts, turns, periods] = arrays();
    if (!q || index < 0 || index >= q.shape[0]) return view.note("Point at a clock, or go to one with the arrow keys.");
    const outcome = parts
      ? `hands ${wide(angle(q, k, index))} apart · adds ${signed(parts.data[index])} to the score`
      : `turned by ${turned(turns.data[index])} so far`;
    view.note(
      `pair ${index} (numbers ${2 * index} and ${2 * index + 1}) · one full turn every ${turn(periods.data[index])} tokens · ${outcome}`,
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
      name: s("text", { class: "lv-quiet", "text-anchor": "middle" }),
      part: s("text", { class: "lv-dial-part", "text-anchor": "middle" }),
      cut: s("path", { class: "lv-dial-cut" }), // across a bar that is longer than there is room
    };
    one.node = s("g", { "data-index": i }, ...Object.values(one));
    return one;
  }
  const put = (node, values) => {
    for (const [name, v] of Object.entries(values)) node.setAttribute(name, typeof v === "number" ? v.toFixed(2) : v);
  };

  return view.start(() => {
    const [q, k, parts, turns, periods] = arrays();
    const below = parts ?? turns;
    const n = below?.data.length ?? 0;
    if (!n || !q || !k || q.shape[0] !== n || k.shape[0] !== n) return; // more traits are on their way
    const width = Math.max(300, view.width());
    const rows = Math.ceil(n / clamp(Math.floor(width / 84), 2, 16)); // so that "438,000" has room over a clock
    const columns = Math.ceil(n / rows);
    const w = width / columns;
    const r = Math.min(0.43 * w, 38);
    const hgt = 2 * r + (parts ? 72 : 54);
    layout = { columns, w, h: hgt };
    const height = rows * hgt;
    put(svg, { width, height });
    Object.assign(plot.style, { width: `${width}px`, height: `${height}px` });
    if (clocks.length !== n) {
      clocks = Array.from({ length: n }, (_, i) => makeClock(i));
      dials.replaceChildren(...clocks.map((one) => one.node));
    }
    const scale = colorScale("signed", view.theme, 1);
    const longest = (hands) => Math.max(1e-9, ...Array.from({ length: n }, (_, i) => Math.hypot(...pair(hands, i))));
    const [qMax, kMax] = [longest(q), longest(k)];
    const limit = model.get("limit") || 1;
    const drawFace = (one, i, cx, cy, radius) => {
      put(one.face, { cx, cy, r: radius, class: i === current() ? "lv-clock lv-clock-on" : "lv-clock" });
      for (const [way, line, hands, most] of [
        [one.qWay, one.q, q, qMax],
        [one.kWay, one.k, k, kMax],
      ]) {
        const [a, b] = pair(hands, i);
        const length = Math.max(1e-9, Math.hypot(a, b));
        const to = (reach) => ({ x1: cx, y1: cy, x2: cx + (a / length) * reach, y2: cy + (b / length) * reach });
        put(way, to(radius - 1));
        put(line, to((radius - 3) * Math.sqrt(length / most)));
      }
      put(one.hub, { cx, cy });
    };
    const chosen = Math.min(current(), n - 1);
    drawFace(large, chosen, 80, 78, 74);
    const [gap, from] = [angle(q, k, chosen), radians(pair(k, chosen))];
    const on = (way) => `${80 + 30 * Math.cos(way)} ${78 + 30 * Math.sin(way)}`;
    put(between, { d: `M${on(from)}A30 30 0 0 ${gap > 0 ? 1 : 0} ${on(from + gap)}` });
    apart.textContent = `pair ${chosen}: ${parts ? `${wide(gap)} apart` : turned(turns.data[chosen])}`;
    clocks.forEach((one, i) => {
      const [cx, cy] = [(i % columns) * w + w / 2, Math.floor(i / columns) * hgt + r + 22];
      drawFace(one, i, cx, cy, r);
      const y = cy + r + 8;
      if (parts) {
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
      }
      const label = turn(periods.data[i]);
      put(one.name, { x: cx, y: cy - r - 7 });
      put(one.part, { x: cx, y: y + (parts ? 27 : 9) });
      const told = parts ? `${parts.data[i] > 0 ? "+" : ""}${parts.data[i].toFixed(2)}` : turned(turns.data[i]);
      if (one.name.textContent !== label) one.name.textContent = label;
      if (one.part.textContent !== minus(told)) one.part.textContent = minus(told);
    });
    const at = (name) =>
      h(
        "span",
        {},
        h("bdi", { class: "lv-piece" }, pieceNodes(model.get(`${name}_name`)[0] ?? "")),
        ` at ${count(model.get(`${name}_position`))}`,
      );
    sum.replaceChildren(
      ...(parts
        ? [h("b", {}, `score ${minus((model.get("score") > 0 ? "+" : "") + model.get("score").toFixed(2))}`)]
        : []),
      h("span", {}, "query ", at("q")),
      ...(parts
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
          s("line", { x1: 2, x2: 28, y1: 6, y2: 6, class: `lv-hand-${kind}` }),
        ),
        text,
      );
    view.setLegend(
      key("q", parts ? "hand of the query" : "hand of the query, turned"),
      key("k", parts ? "hand of the key" : "before RoPE"),
      h("span", {}, "above: tokens for one full turn"),
      h(
        "span",
        {},
        parts
          ? `below: what the pair adds to the score (a bar cut by two strokes is longer than ±${Number(limit.toPrecision(2))})`
          : "below: how far it has turned",
      ),
      h("span", {}, "thick part of a hand: its length, on a square-root scale"),
    );
    tell(current());
  });
}
