// Scene 3 and after: each token's vector, as a row of the table and then as a column.

import { quoted, shorten } from "../kit/elements.js";
import { clamp } from "../kit/numbers.js";
import { boxOf } from "./brush.js";
import { short } from "./numbers.js";
import { SCAN, SCAN_FROM } from "./score.js";
import { between, during, hump, move } from "./time.js";

const STATES = ["before attention", "after attention", "after the FFN"];

/** A vector on its way from one state to the next. */
const onTheWay = (a, b, u) => (u <= 0 ? a : Float32Array.from(a, (v, i) => between(v, b[i], u)));

/** A column's numbers at this moment. */
function numbersOf({ data, moment }, i) {
  const { layer, u, matching } = moment;
  const [before, middle, after] = [0, 1, 2].map((k) => data.columnOf(2 * layer + k, i));
  if (matching > 0 && i === data.count - 1) return onTheWay(after, data.final, during(matching, 0.2, 1));
  return onTheWay(onTheWay(before, middle, during(u, 0.26, 0.46)), after, during(u, 0.74, 0.84));
}

/** Each token's vector at this moment: where it is, and its numbers. */
export function columnsAt(at) {
  const { data, layout, moment, times } = at;
  const { t, matching } = moment;
  const { strip, lanes } = layout;
  const tableX = strip.x + strip.w / 2;
  const columns = lanes.map((lane) => {
    const { i, k } = lane;
    const looked = times.look + 2.3 + k * Math.min(0.75, 4 / lanes.length);
    const stood = times.stand + 0.2 + k * Math.min(0.5, 3.2 / lanes.length);
    const [fetched, stands] = [during(t, looked, looked + 1.1), during(t, stood, stood + 1.2)];
    const bar = { x: tableX, y: layout.tableY(lane.id), len: strip.w, thick: 1.5, turn: (stands * Math.PI) / 2 };
    move(bar, lane.row, fetched);
    move(bar, { x: lane.x, y: layout.middle, len: layout.columnHeight, thick: layout.columnWidth }, stands);
    let alpha = t >= times.at[0] && data.isLong(moment.state, i) ? 0.42 : 1;
    if (matching > 0 && i < data.count - 1) {
      alpha *= 1 - during(matching, 0, 1); // only the last column is asked for the next token
    } else if (matching > 0) {
      // it lies down, and is moved along the table
      const y = strip.y + clamp((matching - SCAN_FROM) / SCAN) * strip.h;
      move(bar, { x: tableX, y, len: strip.w + 26, thick: 16, turn: 0 }, during(matching, 0.1, 1.1));
      alpha = 1 - during(matching, SCAN_FROM + SCAN + 0.2, SCAN_FROM + SCAN + 0.8);
    }
    return { lane, bar, values: numbersOf(at, i), alpha, fetched };
  });
  return columns.filter(({ fetched }) => fetched > 0);
}

/** Before it stands: its number and its piece, on the left of it. */
export function drawRowLabel(at, { bar, lane, fetched }) {
  const { layout, moment, look, times } = at;
  const alpha = during(fetched, 0.7, 1) * (1 - during(moment.t, times.stand - 0.2, times.stand + 0.4));
  if (!layout.rowLabels) return;
  const left = layout.rowsX - 10;
  const style = { size: 15, bold: true, color: look.tokenization, align: "right", alpha };
  at.write(String(lane.id), left - layout.rowPieceW, bar.y, style);
  at.piece(shorten(lane.piece, layout.letters), left, bar.y, { size: 14, align: "right", alpha });
}

export function markColumn(at, { bar, lane, alpha }) {
  const { data, moment } = at;
  const { layer, state, rising } = moment;
  if (alpha < 0.1) return;
  const [w, h] = bar.turn > 0.8 ? [bar.thick, bar.len] : [bar.len, bar.thick];
  at.mark(boxOf({ x: bar.x, y: bar.y, w, h }), () => {
    const resting = moment.matching >= 0 ? "after the last layer" : "its row of the table";
    const where = rising ? `layer ${layer}, ${STATES[state - 2 * layer]}` : resting;
    const long = rising && data.isLong(state, lane.i) ? ", too long for the scale" : "";
    return `the column of ${quoted(lane.piece)}, ${where}: length ${short(data.lengthOf(state, lane.i))}${long}`;
  });
}

/** The length of each column (its norm) below it. */
export function drawLengths(at) {
  const { data, layout, moment, times } = at;
  if (layout.tall) return;
  const alpha = hump(moment.t, times.layers, times.layers + 1, times.match, times.match + 0.5);
  const style = { size: 13, align: "center", alpha };
  for (const { i, x } of layout.lanes) at.write(short(data.lengthOf(moment.state, i)), x, layout.bottom + 18, style);
}
