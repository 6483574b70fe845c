// Scene 3 and after: each token's vector, as a row of the table and then as a column.

import { quoted, shorten } from "../kit/elements.js";
import { clamp, count } from "../kit/numbers.js";
import { boxOf, onTheWay } from "./brush.js";
import { fetchedAt } from "./embeddings.js";
import { short } from "./numbers.js";
import { SCAN, SCAN_FROM } from "./score.js";
import { between, during, hump, move } from "./time.js";

const STATES = ["before attention", "after attention", "after the FFN"];

/** A column's numbers at this moment, and how thick it is. */
function stateOf({ data, layout, moment }, i) {
  const { layer, u, rising, state } = moment;
  const thicknessAt = (of) =>
    between(0.55, 1, clamp(Math.log10(data.lengthOf(of, i)) / 3, 0.1, 1)) * layout.columnWidth;
  if (!rising) return [data.columnOf(state, i), thicknessAt(state)];
  const [before, middle, after] = [0, 1, 2].map((k) => data.columnOf(2 * layer + k, i));
  const values = onTheWay(onTheWay(before, middle, during(u, 0.26, 0.46)), after, during(u, 0.74, 0.84));
  return [values, between(thicknessAt(2 * layer), thicknessAt(2 * layer + 2), u)];
}

/** Each token's vector at this moment: where it is, and its numbers. Those that turn are the last, so in front. */
export function columnsAt(at) {
  const { data, layout, moment, times } = at;
  const { t, matching } = moment;
  const { strip } = layout;
  const [n, tableX] = [layout.lanes.length, strip.x + strip.w / 2];
  const columns = layout.lanes.map((lane) => {
    const { i, k } = lane;
    const fetched = during(t, fetchedAt(at, lane) + 1, fetchedAt(at, lane) + 2.1);
    const pause = k * Math.min(0.5, 3.2 / n);
    const stands = during(t, times.stand + 0.2 + pause, times.stand + 1.4 + pause);
    let [values, thick] = stateOf(at, i);
    const bar = { x: tableX, y: layout.tableY(lane.id), len: strip.w, thick: 1.5, turn: (stands * Math.PI) / 2 };
    move(bar, lane.row, fetched);
    move(bar, { x: lane.x, y: layout.middle, len: layout.columnHeight, thick }, stands);
    bar.y -= Math.sin(stands * Math.PI) * 20;
    let alpha = 1;
    if (matching > 0 && k < n - 1) {
      // only the last column is asked for the next token
      bar.len *= 1 - during(matching, 0.1, 1);
      bar.y = layout.bottom - bar.len / 2;
      alpha = 1 - during(matching, 0.6, 1.2);
    } else if (matching > 0) {
      // it lies down, and is moved along the table
      const moved = clamp((matching - SCAN_FROM) / SCAN);
      values = onTheWay(values, data.final, during(matching, 0.2, 1));
      const goal = { x: tableX, y: strip.y + moved * strip.h, len: strip.w + 26, thick: 16, turn: 0 };
      move(bar, goal, during(matching, 0.1, 1.1));
      alpha = 1 - during(matching, SCAN_FROM + SCAN + 0.2, SCAN_FROM + SCAN + 0.8);
    }
    if (t >= times.at[0] && data.isLong(moment.state, i) && matching <= 0.2) alpha *= 0.42;
    return { lane, bar, values, alpha, fetched, stands };
  });
  const turning = (column) => (column.stands > 0 && column.stands < 1 ? 1 : 0);
  return columns.filter(({ fetched }) => fetched > 0).toSorted((a, b) => turning(a) - turning(b));
}

/** Before it stands: its number and its piece, on the left of it. */
export function drawRowLabel(at, { bar, lane, fetched }) {
  const { layout, moment, look, times } = at;
  const alpha = during(fetched, 0.7, 1) * (1 - during(moment.t, times.stand - 0.2, times.stand + 0.4));
  if (alpha <= 0 || !layout.rowLabels) return;
  const left = bar.x - bar.len / 2;
  const style = { size: layout.rowIdSize, bold: true, color: look.tokenization, align: "right", alpha };
  at.write(String(lane.id), left - layout.rowIdX, bar.y, style);
  const piece = shorten(lane.piece, layout.rowLetters);
  at.piece(piece, left - 10, bar.y, { size: layout.rowPieceSize, align: "right", alpha });
}

export function markColumn(at, { bar, lane, alpha }) {
  const { data, moment } = at;
  const { layer, state, rising } = moment;
  if (bar.len < 2 || alpha < 0.1) return;
  const [w, h] = bar.turn > 0.8 ? [bar.thick, bar.len] : [bar.len, bar.thick];
  at.mark(boxOf({ x: bar.x, y: bar.y, w, h }), () => {
    const resting = moment.matching >= 0 ? "after the last layer" : "its row of the table";
    const where = rising ? `layer ${layer}, ${STATES[state - 2 * layer]}` : resting;
    const long = rising && data.isLong(state, lane.i) ? ", too long for the scale" : "";
    return `the column of ${quoted(lane.piece)}, ${where}: length ${short(data.lengthOf(state, lane.i))}${long}`;
  });
}

/** How many numbers a column has. */
export function drawHeight(at) {
  const { data, layout, moment, look, times } = at;
  const { top, bottom, middle } = layout;
  const here = hump(moment.t, times.stand + 4.4, times.stand + 5.1, times.place, times.place + 0.7);
  const x = layout.lanes.at(-1).x + layout.columnWidth / 2 + 20;
  const style = { size: 16, bold: true, color: look.embeddings };
  at.faded(here, () => {
    at.line(look.embeddings, 1.5, [x - 6, top], [x, top], [x, bottom], [x - 6, bottom]);
    at.write(`${count(data.sizes.d_model)} numbers`, x + 10, middle, style);
  });
}

/** The length of each column (its norm) below it. */
export function drawLengths(at) {
  const { data, layout, moment, times } = at;
  const alpha = hump(moment.t, times.layers, times.layers + 1, times.match, times.match + 0.5);
  if (alpha <= 0 || layout.tall) return;
  const [first] = layout.lanes;
  const y = layout.bottom + 18;
  const x = (layout.phone ? first.x - first.w / 2 : layout.left) - layout.lengthX;
  if (x > 48) at.write("length", x, y, { size: 13, align: "right", alpha });
  const style = { size: 13, align: "center", alpha };
  for (const lane of layout.lanes) at.write(short(data.lengthOf(moment.state, lane.i)), lane.x, y, style);
}
