// One turn of the loop as a picture that plays. A frame is a function of (data, moment, layout, look). Nothing is remembered between frames, so any moment
// can be shown at once, by the slider or by a key.
//
// Every mark is a number that Python has taken from the trace (journey.py says which). Where a mark moves or changes
// colour, it goes from one real state to the next (a column before and after attention; a score and its probability),
// and only the frames between are made here. Stops and reduced motion show real states.

import { fontOf, pointIn, sizeCanvas } from "../kit/canvas.js";
import { h } from "../kit/elements.js";
import { frame } from "../kit/frame.js";
import { onPointer } from "../kit/input.js";
import { drawAttention, drawGiving } from "./attention.js";
import { Brush, lookOf } from "./brush.js";
import { canRecord, startClip } from "./clip.js";
import { columnsAt, drawHeight, drawLengths, drawRowLabel, markColumn } from "./columns.js";
import { controlsOf } from "./controls.js";
import { drawIdsInFlight, drawLeaders, drawTable } from "./embeddings.js";
import { drawFFNBox, drawNeurons } from "./ffn.js";
import { layoutOf } from "./layout.js";
import { unpack } from "./numbers.js";
import { drawPick } from "./pick.js";
import { Player, still } from "./player.js";
import { drawClockHands } from "./position.js";
import { drawBars } from "./score.js";
import { momentAt, timesOf, toSlider, toTime } from "./time.js";
import { drawChips, drawKnives, drawNumberLine } from "./tokenization.js";
import { drawFloor, drawTower } from "./tower.js";
import { legendAt } from "./words.js";

function drawColumn(at, column) {
  const { attention, ffn } = at.moment;
  if (ffn > 0) drawFFNBox(at, column);
  at.vector(column.bar, column.values, column.alpha);
  if (attention > 0) drawGiving(at, column);
  if (ffn > 0) drawNeurons(at, column);
  drawRowLabel(at, column);
  markColumn(at, column);
}

/** Draw all scenes, each of which shows what it has at this moment. Returns its marks, for the pointer. */
function drawFilm(ctx, shown) {
  const at = new Brush(ctx, shown);
  drawNumberLine(at);
  drawTable(at);
  drawFloor(at);
  drawTower(at);
  const columns = columnsAt(at);
  drawLeaders(at, columns);
  drawAttention(at);
  for (const column of columns) drawColumn(at, column);
  drawIdsInFlight(at);
  drawClockHands(at);
  drawLengths(at);
  drawHeight(at);
  drawBars(at);
  drawPick(at);
  drawChips(at);
  drawKnives(at);
  return at.marks;
}

export function render({ model, el }) {
  const view = frame(model, el, "journey");
  let [data, layout, look, marks, legendKey, addToClip] = [null, null, null, [], "", null];
  const player = new Player(() => view.root.isConnected && data, onFrame, turnOver);
  const controls = controlsOf(player);
  const { canvas } = controls;
  view.body.append(controls.stage);
  const film = h("button", { type: "button", title: "Save the film of this text", onclick: record }, "Film");
  if (canRecord()) view.root.querySelector(".lv-save").append(film);

  function record() {
    if (addToClip || !data || still()) return;
    film.disabled = true;
    addToClip = startClip(canvas, player);
  }
  function take(numbers) {
    const place = player.t === null ? null : toSlider(player.times, player.t);
    [data, look] = [unpack(numbers), null];
    if (!data) return;
    const times = timesOf(data);
    const t = place === null ? times.stops[1] : toTime(times, place); // at first: cut, with numbers
    Object.assign(player, { times, t, goal: null });
    controls.take(data);
  }
  /** After the end: the next turn, where the kernel has sent it, else the same once more. */
  function turnOver() {
    const next = model.get("next_numbers");
    const follows = next && next.written === data.written + 1 && !data.ends;
    take(follows ? next : model.get("numbers"));
    player.begin(follows);
  }
  function onFrame() {
    const late = player.t > player.times.pick + 2.6;
    if (late && !data.ends && model.get("turn") !== data.written + 1) view.set({ turn: data.written + 1 });
    const caption = show();
    if (!addToClip || addToClip(caption, look, fontOf(view, "ui"))) return;
    addToClip = null;
    film.disabled = false;
  }
  /** Draw the moment; returns its caption. */
  function show() {
    const { times, t, calm } = player;
    const width = Math.max(300, Math.min(1180, view.width()));
    if (!look || look.theme !== view.theme) look = lookOf(view, data);
    if (layout?.width !== width || layout.data !== data) layout = layoutOf(view, data, width);
    const moment = momentAt(data, times, t, calm);
    const ctx = sizeCanvas(canvas, width, layout.height);
    marks = drawFilm(ctx, { data, times, moment, layout, look, still: still() });
    view.root.dataset.room = layout.kind;
    film.hidden = still();
    const caption = controls.show(data, moment);
    const key = [moment.scene, moment.state, moment.rising, moment.attention > 0.3, view.theme, width, t > 12].join();
    if (key !== legendKey) view.setLegend(...legendAt(data, moment, layout, view.theme));
    legendKey = key;
    return caption;
  }
  const markUnder = (event) => {
    const [x, y] = pointIn(canvas, event);
    const under = ({ box: [left, top, w, high] }) => x >= left && x <= left + w && y >= top && y <= top + high;
    return marks.findLast(under) ?? null;
  };
  const tell = (mark) => view.note(mark?.words());
  onPointer(canvas, markUnder, tell, tell);

  return view.start(() => {
    const numbers = model.get("numbers");
    if (numbers !== view.numbers) {
      view.numbers = numbers;
      legendKey = "";
      take(numbers);
    }
    controls.bar.hidden = !data;
    if (data) show();
  });
}
