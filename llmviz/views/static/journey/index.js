// One turn of the loop as a picture that plays. A frame is a function of (data, moment, layout, look). Nothing is
// remembered between frames, so any moment can be shown at once, by the slider or by a key.
//
// Every mark is a number that Python has taken from the trace (journey.py says which). Where a mark moves or changes
// colour, it goes from one real state to the next (a column before and after attention; a score and its probability),
// and only the frames between are made here. Stops and reduced motion show real states.

import { fontOf, pointIn, sizeCanvas } from "../kit/canvas.js";
import { h } from "../kit/elements.js";
import { frame } from "../kit/frame.js";
import { onPointer } from "../kit/input.js";
import { drawAttention } from "./attention.js";
import { Brush, lookOf } from "./brush.js";
import { startClip } from "./clip.js";
import { columnsAt, drawLengths, drawRowLabel, markColumn } from "./columns.js";
import { controlsOf } from "./controls.js";
import { drawLeaders, drawTable } from "./embeddings.js";
import { drawFFN } from "./ffn.js";
import { layoutOf } from "./layout.js";
import { unpack } from "./numbers.js";
import { drawPick } from "./pick.js";
import { Player, still } from "./player.js";
import { drawClockHands } from "./position.js";
import { drawBars } from "./score.js";
import { momentAt, timesOf } from "./time.js";
import { drawChips, drawNumberLine } from "./tokenization.js";
import { drawFloor, drawTower } from "./tower.js";
import { legendAt } from "./words.js";

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
  for (const column of columns) {
    drawFFN(at, column);
    at.vector(column.bar, column.values, column.alpha);
    drawRowLabel(at, column);
    markColumn(at, column);
  }
  drawClockHands(at);
  drawLengths(at);
  drawBars(at);
  drawPick(at);
  drawChips(at);
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
  view.root.querySelector(".lv-save").append(film);

  function record() {
    film.disabled = true;
    addToClip = startClip(canvas, player);
  }
  function take(numbers) {
    const place = player.t === null ? null : player.t / player.times.end;
    [data, look, legendKey] = [unpack(numbers), null, ""];
    if (!data) return;
    const times = timesOf(data);
    const t = place === null ? times.stops[1] : place * times.end; // at first: cut, with numbers
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
    const { times, t } = player;
    const width = Math.max(300, Math.min(1180, view.width()));
    if (!look || look.theme !== view.theme) look = lookOf(view, data);
    if (layout?.width !== width || layout.data !== data) layout = layoutOf(view, data, width);
    const moment = momentAt(data, times, t, player.playing);
    const ctx = sizeCanvas(canvas, width, layout.height);
    marks = drawFilm(ctx, { data, times, moment, layout, look });
    view.root.classList.toggle("lv-phone", layout.phone);
    const caption = controls.show(data, moment);
    const key = [caption, moment.state, view.theme, width].join();
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
      take(numbers);
    }
    controls.bar.hidden = !data;
    film.hidden = !data || still();
    if (data) show();
  });
}
