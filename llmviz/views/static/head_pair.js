// Two heads over the tokens A B … A: the first writes at B, and the second reads it. What is cut is crossed out.

import {
  clamp,
  floats,
  frame,
  h,
  indexUnder,
  keyed,
  listKeys,
  markLegend,
  onKeys,
  percent,
  pieceText,
  s,
  setAttributes,
  setText,
  shorten,
  uid,
} from "./kit.js";

const HEIGHT = 352;

export function render({ model, el }) {
  const view = frame(model, el, "head_pair");
  const art = s("svg", { class: "lv-art", "aria-hidden": "true" });
  const list = keyed("listbox", "lv-lines", "what is taken away");
  view.body.append(h("div", { class: "lv-plot" }, art), list);
  const prefix = uid();
  let rows = [];

  const n = () => model.get("names").length;
  const select = (i) => i >= 0 && i < n() && view.select(i);
  list.addEventListener("click", (event) => select(indexUnder(event)));
  onKeys(
    list,
    listKeys(select, () => model.get("selected"), n, ["ArrowUp", "ArrowDown"]),
  );

  return view.start(() => {
    const [totals, here] = [floats(model.get("totals")), floats(model.get("here"))];
    if (!totals || !here || here.shape[0] !== n() || totals.shape[0] !== n()) return;
    const at = model.get("selected");
    drawArt(art, Math.max(560, view.width()), model, here.data.slice(4 * at, 4 * at + 4), model.get("cuts")[at]);
    drawLines(totals.data, at);
    view.setLegend(
      "grey: a token’s stream",
      "purple: what the two heads pass on",
      "bars: means over the second pass",
      ...markLegend(model.get("pieces")),
    );
  });

  function drawLines(totals, at) {
    if (rows.length !== n()) {
      const measure = () => ({ bar: h("span", { class: "lv-bar" }), value: h("span", { class: "lv-value" }) });
      rows = model.get("names").map((_, i) => {
        const row = { name: h("span", { class: "lv-what" }), measures: [measure(), measure()] };
        row.node = h(
          "div",
          { class: "lv-line-of", role: "option", id: `${prefix}-${i}`, "data-index": i },
          row.name,
          row.measures.map(({ bar, value }) => h("span", { class: "lv-track" }, bar, value)),
        );
        return row;
      });
      list.replaceChildren(
        h(
          "div",
          { class: "lv-heads", role: "presentation" },
          h("span", {}),
          h("span", { class: "lv-score-of" }),
          h("span", {}, "right next token"),
        ),
        ...rows.map(({ node }) => node),
      );
    }
    setText(list.querySelector(".lv-score-of"), `${model.get("reader")}’s induction score`);
    const full = [1, Math.max(0.1, ...rows.map((_, i) => totals[2 * i + 1] || 0))];
    rows.forEach((row, i) => {
      setText(row.name, model.get("names")[i]);
      row.measures.forEach(({ bar, value }, k) => {
        const v = totals[2 * i + k];
        bar.style.width = `${100 * clamp((v || 0) / full[k])}%`;
        value.style.left = bar.style.width;
        setText(value, Number.isNaN(v) ? "…" : percent(v));
      });
      row.node.setAttribute("aria-selected", String(i === at));
    });
    list.setAttribute("aria-activedescendant", rows[at].node.id);
  }
}

function drawArt(art, width, model, [back, looks, next, backAgain], cut) {
  const [writer, reader] = [model.get("writer"), model.get("reader")];
  const [a, b, before] = model.get("pieces").map((piece) => shorten(piece, width < 700 ? 8 : width < 800 ? 9 : 13));
  const x = {
    a: Math.max(70, 0.1 * width),
    b: 0.36 * width,
    gap: 0.52 * width,
    again: 0.68 * width,
    next: 0.93 * width,
  };
  const y = { token: HEIGHT - 46, write: 228, tag: 182, boxes: 104, top: 34 };
  const known = !Number.isNaN(looks);
  const off = cut === "writer";
  const thick = (w) => 1.5 + 9 * clamp(w || 0);
  const looksBack = (name, weight) =>
    `${name}${width < 800 ? ":" : " attends back:"} ${weight === false ? "…" : percent(weight)}`;
  const nodes = [];
  const word = (text, at, up, more = {}) =>
    nodes.push(s("text", { x: at, y: up, "text-anchor": "middle", ...more }, text));
  const stream = (at, to) => nodes.push(s("line", { x1: at, x2: at, y1: y.token - 20, y2: to, class: "lv-stream" }));
  const cross = (at, up) =>
    nodes.push(s("path", { d: `M${at - 10} ${up - 10}l20 20m0 -20l-20 20`, class: "lv-cross" }));
  const arrow = (d, end, wide, classes) => {
    nodes.push(s("path", { d, class: `lv-flow ${classes}`, "stroke-width": wide }));
    if (!classes.includes("lv-gone"))
      nodes.push(s("path", { d: `M${end[0]} ${end[1]}l-15 -8v16z`, class: `lv-tip ${classes}` }));
  };
  const box = (at, up, wide, label) => {
    nodes.push(s("rect", { x: at - wide / 2, y: up - 17, width: wide, height: 34, rx: 7, class: "lv-box" }));
    word(label, at, up + 6);
  };
  const chip = (piece, at) => {
    const wide = Math.min(0.22 * width, 26 + 11 * [...piece].length);
    nodes.push(s("rect", { x: at - wide / 2, y: y.token - 20, width: wide, height: 38, rx: 7, class: "lv-box" }));
    nodes.push(pieceText(piece, { anchor: "middle", x: at, y: y.token + 6 }));
  };

  // the streams of the three tokens
  stream(x.a, y.write - 6);
  stream(x.b, y.tag);
  stream(x.again, y.boxes);
  word("…", x.gap, y.token + 6);

  // the first head: from A, a token back, into B's stream
  const gone = off ? "lv-gone" : "";
  arrow(`M${x.a} ${y.write}H${x.b - 8}`, [x.b - 4, y.write], thick(back), `lv-first ${gone}`);
  const label = off ? `${writer} off` : looksBack(writer, known && back);
  word(label, x.b - 14, y.write - 14, { class: "lv-strong", "text-anchor": "end" });
  if (off) cross((x.a + x.b) / 2, y.write);
  // what it wrote, as strong as its weight on A; in words only if A had most of its attention
  const tag = (piece, at, weight) => {
    const tells = weight > 0.5;
    const wide = tells ? Math.min(0.27 * width, 64 + 11 * [...piece].length) : 26 + 9 * `${writer} wrote`.length;
    const pill = { x: at - wide / 2, y: y.tag - 17, width: wide, height: 34, rx: 17 };
    nodes.push(s("rect", { ...pill, class: "lv-box" }));
    nodes.push(s("rect", { ...pill, class: `lv-tag ${gone}`, ...(off ? {} : { opacity: clamp(weight || 0) }) }));
    if (!tells) return word(`${writer} wrote`, at, y.tag + 6, { class: gone });
    const text = pieceText(piece, { anchor: "middle", x: at, y: y.tag + 6, class: gone });
    text.prepend(s("tspan", { class: "lv-after" }, "after "));
    nodes.push(text);
  };

  // what the second head reads of it: key and value at B, query at the second A
  const fork = width < 700 ? 42 : 58;
  const [value, key, query] = [x.b - fork, x.b + fork, x.again];
  const forks = [
    ["v", x.b, value],
    ["k", x.b, key],
    ["q", x.again, query],
  ];
  for (const [letter, from, to] of forks) {
    const lost = off || cut === letter;
    const [up, down] = [y.boxes + 18, y.tag - 18];
    nodes.push(s("path", { d: `M${from} ${y.tag}L${to} ${up}`, class: "lv-stream" }));
    nodes.push(s("path", { d: `M${from} ${down}L${to} ${up}`, class: `lv-path ${lost ? "lv-gone" : ""}` }));
    if (cut === letter) cross((from + to) / 2, (up + down) / 2);
  }
  const ask = 1.4 * fork;
  box(value, y.boxes, 1.4 * fork, "value");
  box(key, y.boxes, 1.4 * fork, "key");
  box(query, y.boxes, ask, "query");
  tag(a, x.b, back);
  tag(before, x.again, backAgain);

  // the second head attends from the second A to B's key
  const wide = known ? thick(looks) : 1.5;
  const turn = `C${key} ${y.top} ${query} ${y.top}`;
  nodes.push(
    s("path", { d: `M${key} ${y.boxes - 18}${turn} ${query} ${y.boxes - 18}`, class: "lv-flow", "stroke-width": wide }),
  );
  word(`${reader}: ${known ? percent(looks) : "…"}`, (key + query) / 2, y.boxes - 24, { class: "lv-strong" });
  // and B's value, which it takes from there, says what comes next
  const up = y.boxes - 18;
  nodes.push(
    s("path", {
      d: `M${value} ${up}C${value} -13 ${x.next} -13 ${x.next} 52`,
      class: "lv-flow lv-second",
      "stroke-width": wide,
    }),
    s("path", { d: `M${x.next} 66l-8 -15h16z`, class: "lv-tip lv-second" }),
  );
  word("next:", x.next, y.boxes - 22, { class: "lv-quiet" });
  nodes.push(pieceText(b, { anchor: "middle", x: x.next, y: y.boxes + 5 }));
  word(known ? percent(next) : "…", x.next, y.boxes + 31, { class: "lv-strong" });

  chip(a, x.a);
  chip(b, x.b);
  chip(a, x.again);
  word("first pass", (x.a + x.b) / 2, y.token + 40, { class: "lv-quiet" });
  word("second pass", x.again, y.token + 40, { class: "lv-quiet" });
  setAttributes(art, { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` });
  art.replaceChildren(...nodes);
}
