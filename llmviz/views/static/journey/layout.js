// Where everything is: all that depends on the width.

import { widest } from "../kit/canvas.js";
import { shorten } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";

// Pixels, unless a name says otherwise: from 900 pixels on, below that, and on a phone.
const SIZES = {
  height: [500, 512, 560],
  margin: [80, 80, 24], // beside the text in scene 1
  linedRows: [2, 2, 4], // rows of text that leave room for the line of all numbers
  numberLineX: [70, 70, 32],
  untold: [[], [5_000], [5_000, 30_000]], // ids that have no room on that line
  tableX: [60, 54, 56],
  tableW: [42, 30, 24],
  tableAtRest: [0.38, 0.38, 0], // its opacity while the columns are at work; a phone has no room for both
  rowX: [270, 200, 140], // from the table to the rows that are looked up
  rowMargin: [110, 12, 12],
  rowIdX: [112, 92, 70],
  rowIdSize: [17, 15, 15],
  rowPieceSize: [15, 14, 14],
  rowLetters: [10, 9, 6],
  leaderX: [176, 150, 122],
  left: [186, 122, 20], // of the first column
  floorLeft: [24, 14, 12],
  lengthX: [34, 22, 8],
  towerX: [172, 122, 106],
  toTower: [98, 58, 48],
  towerMargin: [20, 10, 4],
  tagsW: [72, 58, 56],
  tagSize: [15, 13, 13],
  predictionX: [28, 34, 34],
  predictionSize: [17, 15, 15],
  matchW: [84, 52, 34],
  barsX: [372, 262, 208],
  barSize: [17, 17, 15],
  barLetters: [12, 10, 7],
  segmentsX: [60, 26, 14], // of all tokens end to end
  nameRoom: [124, 76, 76],
  nameLetters: [12, 8, 8],
};

export function layoutOf(view, data, width) {
  const kind = width >= 900 ? "wide" : width >= 620 ? "narrow" : "phone";
  const which = ["wide", "narrow", "phone"].indexOf(kind);
  const sizes = Object.fromEntries(Object.entries(SIZES).map(([name, of]) => [name, of[which]]));
  const layout = { ...sizes, width, kind, view, data, wide: kind === "wide", phone: kind === "phone" };
  const { height } = layout;
  const towerX = width - layout.towerX;
  layout.right = towerX - layout.toTower;
  layout.tower = { x: towerX, y: 44, h: Math.min(440, 15 * data.layers), right: width - layout.towerMargin };
  layout.tower.floor = layout.tower.h / data.layers;
  placeLanes(layout, data);
  placeColumns(layout);
  placeTable(layout, data);
  layout.segments = { x: layout.segmentsX, w: width - 2 * layout.segmentsX, y: 150, h: 84 };
  layout.line = { x: layout.numberLineX, w: width - 2 * layout.numberLineX, y: height - 70 };
  const texts = layout.lanes.map(({ text }) => text);
  const lowest = Math.max(...texts.map(({ y, size }) => y + size));
  layout.line.room = lowest < height - 170 && new Set(texts.map(({ y }) => y)).size <= layout.linedRows;
  return layout;
}

/**
 * A lane for each token: its column is above, and its chip goes from the text to the lane, as its label. All tokens have
 * one, or the first and as many of the last ones as can be told apart.
 */
function placeLanes(layout, data) {
  const room = Math.floor((layout.right - layout.left) / 15.4);
  const all = data.tokens.map((id, i) => ({ i, id, piece: data.pieces[i], place: data.shown[i] }));
  layout.lanes = data.count > room ? [all[0], ...all.slice(data.count - room + 4)] : all;
  layout.leftOut = data.n - layout.lanes.length;
  const labels = labelsOf(layout, layout.lanes);
  layout.tall = labels[0].turn !== 0;
  layout.chipHeight = layout.tall ? 92 : 50;
  const texts = textsOf(layout, layout.lanes);
  layout.drawn = { id: data.drawn.token, piece: data.drawn.piece };
  const joined = [...layout.lanes, layout.drawn]; // once the drawn token has joined them
  const [joinedLabels, joinedTexts] = [labelsOf(layout, joined), textsOf(layout, joined)];
  const label = (at) => ({ ...at, y: layout.height - 8 - layout.chipHeight / 2, h: at.turn ? layout.chipHeight : 30 });
  joined.forEach((lane, k) => {
    Object.assign(lane, { k, ...texts[k], joinedLabel: label(joinedLabels[k]), joinedText: joinedTexts[k].text });
    if (lane !== layout.drawn) Object.assign(lane, { x: labels[k].x, w: labels[k].w, label: label(labels[k]) });
  });
}

function placeColumns(layout) {
  const { height, tall, lanes } = layout;
  layout.bottom = height - 18 - layout.chipHeight - 36;
  layout.columnHeight = tall ? 172 : 198;
  layout.top = layout.bottom - layout.columnHeight;
  layout.middle = (layout.top + layout.bottom) / 2;
  layout.gap = Math.min(...lanes.slice(1).map((lane, i) => lane.x - lanes[i].x), 90);
  layout.columnWidth = Math.min(44, layout.gap - (layout.gap > 40 ? 12 : 3));
  layout.cellWidth = Math.min(layout.gap - (layout.gap > 40 ? 8 : 2), 80); // of an FFN's box
  layout.dial = Math.min(9, layout.gap * 0.36);
  layout.head = layout.top - 12 - 2 * layout.dial - 4; // where arcs end
}

/** The table, and beside it the rows that are looked up, in reading order. */
function placeTable(layout, data) {
  const strip = { x: layout.tableX, w: layout.tableW, y: 50, h: layout.tall ? 328 : 366 };
  const n = layout.lanes.length;
  const pitch = Math.min(50, strip.h / n);
  const [x, len] = [layout.rowX + strip.x + strip.w, layout.width - layout.rowX - strip.x - strip.w - layout.rowMargin];
  const row = { len: Math.min(620, len), thick: clamp(pitch * 0.6, 3, 26) };
  for (const lane of layout.lanes)
    lane.row = { ...row, x: x + row.len / 2, y: strip.y + strip.h / 2 + (lane.k - (n - 1) / 2) * pitch };
  layout.rowLabels = pitch >= 17;
  layout.strip = strip;
  layout.heightOf = (id) => Math.sqrt((id + 0.5) / data.sizes.n_vocab); // 0 to 1 down the table, square-root scale
  layout.tableY = (id) => strip.y + layout.heightOf(id) * strip.h;
}

export const pieceWidth = ({ view }, piece, size) => widest(view, [piece], size);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** Boxes side by side around a middle; after the first is more room, where tokens are left out. */
function sideBySide(widths, gap, hole, middle) {
  const more = widths.length - 1;
  let x = middle - (sum(widths) + more * gap + (more ? hole : 0)) / 2;
  return widths.map((w, i) => {
    const box = { x: x + w / 2, w };
    x += w + gap + (i ? 0 : hole);
    return box;
  });
}

/** The labels below the columns, side by side in a short text, upright in a long one: {x, w, size, turn} each. */
function labelsOf(layout, tokens) {
  const { left, right } = layout;
  const middle = (left + right) / 2;
  const n = tokens.length;
  for (const size of [18, 17, 16, 15, 14]) {
    const widths = tokens.map(({ piece }) => Math.max(40, pieceWidth(layout, shorten(piece, 14), size) + 16));
    const gap = Math.min(n < 6 ? 84 : 34, (right - left - sum(widths)) / Math.max(1, n - 1));
    if (gap >= 5 || n === 1) return sideBySide(widths, gap, 0, middle).map((box) => ({ ...box, size, turn: 0 }));
  }
  const hole = layout.leftOut ? 1.6 : 0;
  const step = Math.min(40, (right - left) / (n + hole));
  const boxes = sideBySide(Array(n).fill(step), 0, hole * step, middle);
  return boxes.map(({ x }) => ({ x, w: Math.min(22, step - 1), size: 14, turn: -Math.PI / 2 }));
}

/** The text in centred lines: large chips {x, y, w, h, size, turn}, and the same lines before they are cut. */
function textsOf(layout, tokens) {
  const { width, height, margin, linedRows } = layout;
  const below = tokens.map(({ id }) => widest(layout.view, [String(id)], "bold 17", "ui") + 4); // a chip is not narrower
  for (const size of [42, 38, 34, 32, 30, 28, 26, 24, 22, 20, 18, 16]) {
    const rows = []; // of widths, before and after they are cut
    let room = 0;
    tokens.forEach(({ piece }, i) => {
      const own = pieceWidth(layout, shorten(piece, 40), size);
      const w = clamp(own + 20, below[i], width - 0.75 * margin);
      if (w > room) {
        rows.push({ uncut: [], cut: [] });
        room = width - margin;
      }
      rows.at(-1).uncut.push(own);
      rows.at(-1).cut.push(w);
      room -= w + 8 + (layout.leftOut && !i ? 46 : 0);
    });
    const lineHeight = size * 1.05 + (size < 24 ? 46 : 58);
    const fits = rows.length * lineHeight < height - 60;
    if (size > 16 && (!fits || (size > 28 && rows.length > 1))) continue;
    const middle = height * (rows.length === 1 ? 0.36 : rows.length <= linedRows ? 0.33 : 0.47);
    return rows.flatMap((row, r) => {
      const rest = { y: middle + (r - (rows.length - 1) / 2) * lineHeight, h: size * 1.05 + 18, size, turn: 0 };
      const hole = layout.leftOut && !r ? 46 : 0;
      const uncut = sideBySide(row.uncut, 0, hole, width / 2);
      const cut = sideBySide(row.cut, 8, hole, width / 2);
      return cut.map((box, k) => ({ text: { ...box, ...rest }, uncut: { ...uncut[k], ...rest } }));
    });
  }
}
