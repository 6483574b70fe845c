// Where everything is: all that depends on the width.

import { widest } from "../kit/canvas.js";
import { shorten } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";

export function layoutOf(view, data, width) {
  const phone = width < 620;
  const height = phone ? 560 : 500;
  const layout = { view, data, width, height, phone };
  layout.letters = phone ? 6 : 11; // of a piece beside a row or a bar
  layout.rowsX = phone ? 226 : 330; // of the rows that are looked up, and of the bars
  const tower = { y: 44, w: clamp(0.09 * width, 40, 106), h: Math.min(440, 15 * data.layers), tags: width - 66 };
  layout.tower = { ...tower, x: tower.tags - tower.w, floor: tower.h / data.layers };
  [layout.left, layout.right] = [22, layout.tower.x - 46]; // of the columns
  placeLanes(layout, data);
  placeColumns(layout);
  placeTable(layout, data);
  layout.segments = { x: 24, w: width - 48, y: 150, h: 84 };
  layout.line = { x: 32, w: width - 64, y: height - 70 };
  layout.line.room = Math.max(...layout.lanes.map(({ text }) => text.y + text.size)) < height - 170;
  return layout;
}

/**
 * A lane for each token: its column is above, and its chip goes from the text to the lane, as its label. All tokens have
 * one, or the first and as many of the last ones as can be told apart.
 */
function placeLanes(layout, data) {
  const room = Math.floor((layout.right - layout.left) / 15.4);
  const all = data.tokens.map((id, i) => ({ i, id, piece: data.pieces[i], place: data.shown[i] }));
  const lanes = data.count > room ? [all[0], ...all.slice(data.count - room + 1)] : all;
  layout.drawn = { id: data.drawn.token, piece: data.drawn.piece };
  const [labels, texts] = [labelsOf(layout, lanes), textsOf(layout, lanes)];
  lanes.forEach((lane, k) => Object.assign(lane, { k, x: labels[k].x, label: labels[k], ...texts[k] }));
  textsOf(layout, [...lanes, layout.drawn]).forEach(({ text }, k) => {
    (lanes[k] ?? layout.drawn).joinedText = text; // once the drawn token has joined them
  });
  Object.assign(layout, { lanes, leftOut: data.n - lanes.length, tall: labels[0].turn !== 0 });
}

function placeColumns(layout) {
  const { height, tall, lanes } = layout;
  layout.bottom = height - (tall ? 146 : 104);
  layout.columnHeight = tall ? 172 : 198;
  layout.top = layout.bottom - layout.columnHeight;
  layout.middle = (layout.top + layout.bottom) / 2;
  layout.gap = Math.min(...lanes.slice(1).map((lane, i) => lane.x - lanes[i].x), 90);
  layout.columnWidth = Math.min(44, 0.75 * layout.gap);
  layout.cellWidth = Math.min(80, 0.88 * layout.gap); // of an FFN's box
  layout.head = layout.top - 16; // where arcs end
}

/** The table, and beside it the rows that are looked up, in reading order. */
function placeTable(layout, data) {
  const { rowsX, lanes } = layout;
  const strip = { x: 58, w: 30, y: 50, h: layout.bottom - 30 };
  const pitch = Math.min(50, strip.h / lanes.length);
  const [len, thick] = [Math.min(620, layout.width - rowsX - 12), clamp(pitch * 0.6, 3, 26)];
  lanes.forEach((lane, k) => {
    const y = strip.y + strip.h / 2 + (k - (lanes.length - 1) / 2) * pitch;
    lane.row = { len, thick, x: rowsX + len / 2, y };
  });
  layout.rowLabels = pitch >= 17;
  layout.rowPieceW = 12 + 8.5 * layout.letters;
  layout.strip = strip;
  layout.heightOf = (id) => Math.sqrt((id + 0.5) / data.sizes.n_vocab); // 0 to 1 down the table, square-root scale
  layout.tableY = (id) => strip.y + layout.heightOf(id) * strip.h;
}

export const pieceWidth = ({ view }, piece, size) => widest(view, [piece], size);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** Boxes side by side around a middle. */
function sideBySide(widths, gap, middle) {
  let x = middle - (sum(widths) + (widths.length - 1) * gap) / 2;
  return widths.map((w) => {
    const box = { x: x + w / 2, w };
    x += w + gap;
    return box;
  });
}

/** The labels below the columns, side by side in a short text, upright in a long one. */
function labelsOf({ left, right, height, view }, tokens) {
  const [middle, n] = [(left + right) / 2, tokens.length];
  for (const size of [18, 16, 14]) {
    const widths = tokens.map(({ piece }) => Math.max(40, widest(view, [shorten(piece, 14)], size) + 16));
    const gap = Math.min(n < 6 ? 84 : 34, (right - left - sum(widths)) / Math.max(1, n - 1));
    const rest = { y: height - 42, h: 30, size, turn: 0, letters: 14 };
    if (gap >= 5) return sideBySide(widths, gap, middle).map((box) => ({ ...box, ...rest }));
  }
  const step = Math.min(40, (right - left) / n);
  const rest = { w: Math.min(22, step - 1), y: height - 54, h: 92, size: 14, turn: -Math.PI / 2, letters: 9 };
  return sideBySide(Array(n).fill(step), 0, middle).map(({ x }) => ({ x, ...rest }));
}

/** The text in centred lines: large chips, and the same lines before they are cut. */
function textsOf(layout, tokens) {
  const { width, height } = layout;
  for (let size = 42; ; size -= 2) {
    const rows = []; // of widths, before and after they are cut
    let room = 0;
    for (const { piece, id } of tokens) {
      const own = pieceWidth(layout, shorten(piece, 40), size);
      const w = clamp(own + 20, 11 * String(id).length, width - 24); // not narrower than its number below it
      if (w > room) {
        rows.push({ uncut: [], cut: [] });
        room = width - 24;
      }
      rows.at(-1).uncut.push(own);
      rows.at(-1).cut.push(w);
      room -= w + 8;
    }
    const lineHeight = size * 1.05 + 52;
    const high = rows.length * lineHeight;
    if (size > 16 && (high > height - 60 || (size > 28 && rows.length > 1))) continue;
    const top = Math.max(0.36 * height - high / 2, 30);
    return rows.flatMap(({ uncut, cut }, r) => {
      const rest = { y: top + (r + 0.5) * lineHeight, h: size * 1.05 + 18, size, turn: 0, letters: 40 };
      const before = sideBySide(uncut, 0, width / 2);
      return sideBySide(cut, 8, width / 2).map((box, k) => ({
        text: { ...box, ...rest },
        uncut: { ...before[k], ...rest },
      }));
    });
  }
}
