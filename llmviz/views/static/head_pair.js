// Two heads over the tokens A B … A: the first writes at B, and the second reads it. What is cut is crossed out.

import { arrow, barTable, box, diagram } from "./kit/diagram.js";
import { h, markLegend, pieceNodes, s, shorten } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { clamp, floats, percent } from "./kit/numbers.js";

const HEIGHT = 352;
const FORK = 40; // from the middle of B's stream to its value and its key
const ROW = { token: HEIGHT - 46, write: 228, tag: 182, box: 104, turn: 34 }; // the middle of each, in pixels from above

export function render({ model, el }) {
  const view = frame(model, el, "head_pair");
  const art = diagram(view, { "aria-hidden": "true" });
  const table = barTable(view, "what is taken away", {
    select: (row) => view.select(row),
    tell: () => {},
    here: () => [model.get("selected"), -1],
  });
  return view.start(() => {
    const [names, at] = [model.get("names"), model.get("selected")];
    const [totals, here] = [floats(model.get("totals")), floats(model.get("here"))];
    if (!totals || !here || here.shape[0] !== names.length || totals.shape[0] !== names.length) return;
    const width = Math.max(600, view.width());
    const { lines, boxes } = draw(width, model, here.data.slice(4 * at, 4 * at + 4), model.get("cuts")[at]);
    art.show(width, HEIGHT + 12, lines, boxes);
    const full = [1, Math.max(0.1, ...names.map((_, i) => totals.data[2 * i + 1] || 0))];
    const cell = (v, k) => ({ to: v / full[k], text: Number.isNaN(v) ? "…" : percent(v) });
    table.show(
      [[""], [`${model.get("reader")}’s induction score`], ["right next token"]],
      names.map((name, i) => ({ name, cells: [0, 1].map((k) => cell(totals.data[2 * i + k], k)) })),
    );
    view.setLegend(
      "grey: a token’s stream",
      "purple: what the two heads pass on",
      "bars: means over the second pass",
      ...markLegend(model.get("pieces")),
    );
  });
}

function draw(width, model, [back, looks, next, backAgain], cut) {
  const [writer, reader] = [model.get("writer"), model.get("reader")];
  const [a, b, before] = model.get("pieces").map((piece) => shorten(piece, 9));
  const [atA, atB, atGap, atAgain, atNext] = [0.1, 0.36, 0.52, 0.68, 0.93].map((part) =>
    clamp(part * width, 70, width - 70),
  );
  const [value, key, top] = [atB - FORK, atB + FORK, ROW.box - 18];
  const off = cut === "writer";
  const gone = off ? "lv-gone" : "";
  const thick = (weight) => 1.5 + 9 * (weight || 0);
  const shown = (weight) => (Number.isNaN(weight) ? "…" : percent(weight));
  const [lines, boxes] = [[], []];
  const word = (text, x, y, more) => lines.push(s("text", { x, y, "text-anchor": "middle", ...more }, text));
  const put = (kind, x, y, wide, content) => {
    boxes.push(box(kind, [x - wide / 2, y - 17, wide, 34], h("bdi", {}, content)));
    return boxes.at(-1);
  };
  const token = (kind, piece, x, y) => put(`lv-piece ${kind}`, x, y, 26 + 11 * piece.length, pieceNodes(piece));
  const cross = (x, y) => lines.push(s("path", { d: `M${x - 10} ${y - 10}l20 20m0 -20l-20 20`, class: "lv-cross" }));
  /** What the first head wrote, as strong as its weight on A; in words only if A had most of its attention. */
  const tag = (piece, x, weight) => {
    const wrote = weight > 0.5 ? ["after ", h("span", { class: "lv-piece" }, pieceNodes(piece))] : [`${writer} wrote`];
    const wide = weight > 0.5 ? 64 + 11 * piece.length : 26 + 9 * wrote[0].length;
    const color = `color-mix(in srgb, var(--lv-accent) ${off ? 0 : 100 * (weight || 0)}%, var(--lv-quiet))`;
    put(`lv-tag ${gone}`, x, ROW.tag, wide, wrote).style.setProperty("--lv-of", color);
  };

  // The streams of the three tokens
  const stream = (from, to) => lines.push(arrow(`M${from}L${to}`, "lv-stream", { wide: 9 }));
  stream([atA, ROW.token], [atA, ROW.write]);
  stream([atB, ROW.token], [atB, ROW.tag]);
  stream([atAgain, ROW.token], [atAgain, ROW.tag]);
  // The first head takes A into the stream of B.
  const tip = off ? null : [atB - 4, ROW.write];
  lines.push(arrow(`M${atA} ${ROW.write}H${atB - 10}`, gone, { tip, wide: thick(back) }));
  word(off ? `${writer} off` : `${writer}: ${shown(back)}`, atB - 14, ROW.write - 14, {
    class: "lv-strong",
    "text-anchor": "end",
  });
  if (off) cross((atA + atB) / 2, ROW.write);
  // The second head has its value and its key from there, and its query from the second A.
  for (const [name, to] of Object.entries({ value, key, query: atAgain })) {
    const from = name === "query" ? atAgain : atB;
    const [low, high] = [ROW.tag - 18, ROW.box + 18];
    stream([from, ROW.tag], [to, high]);
    lines.push(arrow(`M${from} ${low}L${to} ${high}`, off || cut === name[0] ? "lv-gone" : "", { wide: 4 }));
    if (cut === name[0]) cross((from + to) / 2, (low + high) / 2);
    put("", to, ROW.box, 64, name);
  }
  tag(a, atB, back);
  tag(before, atAgain, backAgain);
  // It attends from the second A to the key of B, whose value says what comes next.
  const wide = thick(looks);
  lines.push(arrow(`M${key} ${top}C${key} ${ROW.turn} ${atAgain} ${ROW.turn} ${atAgain} ${top}`, "", { wide }));
  word(`${reader}: ${shown(looks)}`, (key + atAgain) / 2, ROW.box - 24, { class: "lv-strong" });
  const down = { tip: [atNext, 66], turn: 90, wide };
  lines.push(arrow(`M${value} ${top}C${value} -13 ${atNext} -13 ${atNext} 56`, "", down));
  word("next:", atNext, ROW.box - 22, { class: "lv-quiet" });
  token("lv-bare", b, atNext, ROW.box);
  word(shown(next), atNext, ROW.box + 31, { class: "lv-strong" });

  token("", a, atA, ROW.token);
  token("", b, atB, ROW.token);
  token("", a, atAgain, ROW.token);
  word("…", atGap, ROW.token + 6);
  word("first pass", (atA + atB) / 2, ROW.token + 40, { class: "lv-quiet" });
  word("second pass", atAgain, ROW.token + 40, { class: "lv-quiet" });
  return { lines, boxes };
}
