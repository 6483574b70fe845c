// One turn of the loop as a picture that plays. A frame is a function of (data, moment, layout, look):
// nothing is remembered between frames, so any moment can be shown at once, by the slider or by a key.
//
// Every mark is a number that Python has taken from the trace (journey.py says which). Where a mark moves or
// changes colour, it goes from one real state to the next (a column before and after attention; a score and
// its probability), and only the frames between are made here. Stops and reduced motion show real states.

import {
  KIT,
  clamp,
  colorScale,
  count,
  fontOf,
  frame,
  h,
  keyed,
  markLegend,
  minus,
  percent,
  pieceNodes,
  plain,
  pointIn,
  quoted,
  rgb,
  saveBlob,
  scaleLegend,
  setText,
  shorten,
  sizeCanvas,
} from "./kit.js";

// ---- scenes and time ----

const SCENES = [
  // room: share of the slider in per cent; time itself would leave scenes 2 to 4 too little
  { key: "cut", name: "tokenize", stage: "tokenization", room: 13 },
  { key: "look", name: "look up", stage: "embeddings", room: 12 },
  { key: "stand", name: "columns", stage: "embeddings", room: 13 },
  { key: "place", name: "position", stage: "position", room: 12 },
  { key: "layers", name: "layers", stage: "attention", room: 28 },
  { key: "match", name: "score", stage: "sampling", room: 11 },
  { key: "pick", name: "pick", stage: "sampling", room: 11 },
];
const ROOM_BEFORE = SCENES.map((_, i) => SCENES.slice(0, i).reduce((sum, scene) => sum + scene.room, 0) / 100);
const AGAIN = 6.3; // seconds: where the next journey begins, since its text is in tokens already
const FAST = 0.45; // seconds for a layer that is passed quickly
const SPEEDS = [1, 2, 0.5];
const CLIP_SPEED = 4; // of a film that is saved

/** Seconds that a layer takes: the first and the telling one are shown at leisure, the others are passed. */
const paceOf = (data, layer) => (layer === data.telling ? 7.5 : layer === 0 ? 7 : FAST);

/** When everything begins, and where the arrow keys stop. */
function timesOf(data) {
  const times = { cut: 0, look: 7, stand: 15.5, place: 22, layers: 28, at: [29.2] };
  for (let layer = 0; layer < data.layers; layer++) times.at.push(times.at[layer] + paceOf(data, layer));
  times.match = times.at[data.layers] + 0.5;
  times.pick = times.match + 9;
  times.end = times.pick + 11;
  times.starts = [...SCENES.map((scene) => times[scene.key]), times.end];
  times.stops = [0, 6.5, 14.9, 21.4, 27.1];
  for (let layer = 0; layer < data.layers; layer++)
    for (const u of [0.42, 0.85]) times.stops.push(times.at[layer] + u * paceOf(data, layer));
  times.stops.push(times.match + 3.6, times.match + 8.2, times.pick + 3, times.pick + 6, times.end);
  return times;
}
const sceneAt = (times, t) => SCENES.reduce((now, scene, i) => (t >= times[scene.key] - 1e-6 ? i : now), 0);
function toSlider(times, t) {
  const i = sceneAt(times, t);
  const part = (t - times.starts[i]) / (times.starts[i + 1] - times.starts[i]);
  return ROOM_BEFORE[i] + (part * SCENES[i].room) / 100;
}
function toTime(times, place) {
  const i = ROOM_BEFORE.findLastIndex((before) => place >= before);
  const part = ((place - ROOM_BEFORE[i]) / SCENES[i].room) * 100;
  return times.starts[i] + part * (times.starts[i + 1] - times.starts[i]);
}

const ease = (x) => clamp(x) ** 2 * (3 - 2 * clamp(x));
const during = (t, from, to) => ease((t - from) / (to - from)); // 0 before, 1 after
/** Up from a to b, down from c to d. */
const hump = (t, a, b, c, d) => Math.min(during(t, a, b), 1 - during(t, c, d));
const between = (a, b, u) => a + (b - a) * u;

/** What goes on at time t. calm: 1 while playing, when layers that are passed do not show their arcs. */
function momentAt(data, times, t, calm) {
  let layer = 0;
  while (layer < data.layers - 1 && t >= times.at[layer + 1]) layer++;
  const u = clamp((t - times.at[layer]) / paceOf(data, layer));
  const [rising, matching, picking] = [t >= times.at[0] && t < times.match, t - times.match, t - times.pick];
  const passed = rising && paceOf(data, layer) === FAST;
  const loud = rising ? (passed ? 1 - calm : 1) : 0;
  return {
    t,
    layer,
    u,
    rising,
    matching,
    picking,
    calm: passed ? calm : 0,
    scene: sceneAt(times, t),
    attention: loud * hump(u, 0.02, 0.14, 0.48, 0.57),
    ffn: loud * hump(u, 0.55, 0.64, 0.91, 0.98),
    state: matching >= 0 ? 2 * data.layers : rising ? 2 * layer + (u > 0.8 ? 2 : u > 0.4 ? 1 : 0) : 0,
    floor: hump(t, times.layers, times.layers + 1.2, times.match, times.match + 0.9),
    down: during(t, times.look - 0.2, times.look + 1.1), // the chips go to their lanes
    joined: during(picking, 6.9, 8), // the drawn token joins them
    up: during(t, times.end - 2.9, times.end - 1.4), // all go back to where they were
  };
}

// ---- the numbers, as Python sent them ----

const KINDS = { int8: Int8Array, uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

function unpack(sent) {
  if (!sent) return null;
  const array = ({ kind, data }) => {
    const from = data.byteOffset ?? 0;
    return new KINDS[kind]((data.buffer ?? data).slice(from, from + data.byteLength));
  };
  const data = { layers: sent.sizes.n_layers, count: sent.tokens.length, drawnNumbers: sent.streams.shape[2] };
  data.neuronsEach = sent.neurons.shape[2];
  data.tableWidth = sent.table.shape[1];
  for (const [name, value] of Object.entries(sent)) data[name] = value?.kind ? array(value) : value;
  data.lookList = sent.strongest.map(() => []);
  for (let i = 0; i < data.looks.length; i += 5) {
    const [layer, from, to, head, weight] = data.looks.subarray(i, i + 5);
    data.lookList[layer].push({ from, to, head, weight: weight / 1000 });
  }
  return data;
}
const rowOf = (array, row, size) => array.subarray(row * size, (row + 1) * size);
const columnOf = (data, state, i) => rowOf(data.streams, state * data.count + i, data.drawnNumbers);
const addedBy = (data, layer, i) => rowOf(data.ffnAdds, layer * data.count + i, data.drawnNumbers);
const lengthOf = (data, state, i) => data.lengths[state * data.count + i];
const isLong = (data, state, i) => data.long[state * data.count + i] === 1;
const restOf = (data, layer, i, k) => data.rests[(layer * data.count + i) * data.resting.length + k] / 255;

const share = (p) => (p >= 0.0995 ? `${Math.round(100 * p)}%` : percent(p));
const short = (v) => (v >= 10 ? count(Math.round(v)) : v.toFixed(v >= 1 ? 1 : 2));

// ---- words ----

/** The caption as parts: words, {strong} and {piece}. */
function captionAt(data, moment) {
  const { layer, u, scene, picking } = moment;
  const last = { piece: data.pieces.at(-1) };
  const strong = (words) => ({ strong: words });
  if (scene === 0) return ["The model cuts your text into ", strong("tokens"), ". It knows each one only by a number."];
  if (scene === 1) return ["Each number picks ", strong("one row"), ` from a table of ${count(data.sizes.n_vocab)}.`];
  if (scene === 2)
    return [`Each row, ${count(data.sizes.d_model)} numbers, stands up as the token’s own `, strong("column"), "."];
  if (scene === 3)
    return data.count > 1 && data.angles.every((angle) => angle === 0)
      ? [strong("Clock hands"), " would show how far numbers rotate at each position, but RoPE is switched off."]
      : ["In every layer, attention rotates numbers by position (RoPE), as ", strong("clock hands"), " show."];
  if (scene === 4) {
    if (!moment.rising)
      return ["The columns pass through ", strong(`${data.layers} layers`), ", and each layer adds something to them."];
    if (moment.calm > 0.5) return [strong(`Layer ${layer}`), ": attention and the FFN add to the columns."];
    if (u >= 0.56)
      return [`Layer ${layer}, `, strong("FFN"), ": each column is processed on its own, and neurons add to it."];
    const look = data.strongest[layer];
    if (data.n === 1) return [`Layer ${layer}, `, strong("attention"), ": a single token can attend only to itself."];
    return look && look.weight >= 0.3
      ? [
          `Layer ${layer}, `,
          strong("attention"),
          ": ",
          last,
          " attends to ",
          { piece: look.piece },
          ` (head ${look.head}, ${share(look.weight)}) and takes in what it finds.`,
        ]
      : [
          `Layer ${layer}, `,
          strong("attention"),
          ": each token attends to itself and earlier ones, and takes in what it finds.",
        ];
  }
  if (scene === 5)
    return [
      "The last column is compared with ",
      strong("every row"),
      data.tied ? " of the table" : " of a second table",
      ". The better the match, the likelier the token.",
    ];
  if (picking < 6.4)
    return [
      "All tokens lie end to end, and likelier ones take up more room. ",
      strong("A random number"),
      " picks one.",
    ];
  const drawn = { piece: data.drawn.piece };
  return data.ends
    ? [drawn, " was picked. It means that the text ", strong("ends"), " here."]
    : [drawn, " joins the text, and the loop starts ", strong("again"), "."];
}
const wordsOf = (parts) =>
  parts.map((part) => (part.piece !== undefined ? quoted(part.piece) : (part.strong ?? part))).join("");
const captionNodes = (parts) =>
  parts.map((part) =>
    part.strong
      ? h("b", {}, part.strong)
      : part.piece === undefined
        ? part
        : h("span", {}, "“", h("bdi", { class: "lv-piece" }, pieceNodes(part.piece)), "”"),
  );

/** What the marks on the screen mean, with this text's numbers. */
function legendAt(data, moment, layout, theme) {
  const { state, layer, scene } = moment;
  const nodes = [];
  const say = (...words) => nodes.push(h("span", {}, ...words));
  if (layout.leftOut) {
    const lastOnes = layout.shown.length - 1;
    say(h("b", {}, `Drawn: the first token and the last ${lastOnes} of ${count(data.n)}.`));
  }
  if (scene === 1) say("the table is drawn on a square-root scale (√), which gives low token numbers more room");
  if ((scene >= 2 && scene <= 4) || (scene === 1 && moment.t > 12)) {
    const limit = Number(data.scales[state].toPrecision(2));
    const of = scene === 1 ? "numbers of a row" : "numbers of a column";
    const what = data.every > 1 ? `${of} (one in ${data.every} is drawn)` : of;
    nodes.push(scaleLegend(colorScale("signed", theme, limit), what));
  }
  if (scene === 4 && moment.rising) {
    const long = layout.shown.filter((i) => isLong(data, state, i));
    if (!layout.tall) say(h("b", {}, "length"), ": of the column’s vector");
    if (long.length) say(h("b", {}, "pale"), ": a column too long for this colour scale");
    if (moment.attention > 0.3 && data.restShares[layer] > 0.005)
      say(
        h("b", {}, "dotted"),
        `: ${share(data.restShares[layer])} of the attention goes to pale columns (attention sinks: they attract much of it)`,
      );
  }
  if (scene === 6) say("tokens are in the order of the table, so the likeliest may be anywhere");
  if (moment.t < 7 || scene === 6) nodes.push(...markLegend([...data.pieces, data.drawn.piece]));
  else if (scene === 4 || scene === 5) nodes.push(...markLegend(data.predictions.map(([piece]) => piece)));
  return nodes;
}

// ---- layout: everything that depends on the width ----

/** pen: a canvas context to measure with; faces: {mono, ui}. */
function layoutOf(data, width, pen, faces) {
  const wide = width >= 900;
  const height = wide ? 500 : 512;
  const layout = { width, height, wide, pen, faces };
  layout.strip = { x: wide ? 60 : 54, w: wide ? 42 : 30, y: 50, h: 366 };
  layout.left = wide ? 186 : 122;
  const towerX = width - (wide ? 172 : 122);
  layout.right = towerX - (wide ? 98 : 58);
  layout.tower = { x: towerX, y: 44, h: Math.min(440, 15 * data.layers), right: width - (wide ? 20 : 10) };
  layout.tower.floor = layout.tower.h / data.layers;

  // which tokens get a lane: all, or the first and as many of the last ones as can be told apart
  const room = Math.floor((layout.right - layout.left) / 15.4);
  layout.shown = [...data.tokens.keys()];
  if (data.count > room) layout.shown = [0, ...layout.shown.slice(data.count - room + 4)];
  layout.leftOut = data.n - layout.shown.length;
  const pieces = layout.shown.map((i) => data.pieces[i]);
  layout.lanes = lanesOf(layout, pieces);
  layout.lanesAfter = lanesOf(layout, [...pieces, data.drawn.piece]);
  layout.tall = layout.lanes.tall;
  if (layout.tall) layout.strip.h = 328;
  layout.chipHeight = layout.tall ? 92 : 50;
  layout.chipY = height - 8 - layout.chipHeight / 2;
  layout.bottom = height - 18 - layout.chipHeight - 36; // of the columns
  layout.columnHeight = layout.tall ? 172 : 198;
  layout.top = layout.bottom - layout.columnHeight;
  const gaps = layout.lanes.at.slice(1).map((lane, i) => lane.x - layout.lanes.at[i].x);
  layout.gap = Math.min(...gaps, 90);
  layout.columnWidth = Math.min(44, layout.gap - (layout.gap > 40 ? 12 : 3));
  layout.cellWidth = Math.min(layout.gap - (layout.gap > 40 ? 8 : 2), 80); // of an FFN's box
  layout.dial = Math.min(9, layout.gap * 0.36);
  layout.head = layout.top - 12 - 2 * layout.dial - 4; // where arcs end

  const ids = layout.shown.map((i) => data.tokens[i]);
  layout.chips = paragraph(layout, pieces, ids);
  layout.chipsAfter = paragraph(layout, [...pieces, data.drawn.piece], [...ids, data.drawn.token]);
  layout.uncut = uncutOf(layout, pieces);
  const lowest = Math.max(...layout.chips.map((chip) => chip.y + chip.size));
  layout.line = { x: 70, w: width - 140, y: height - 70, room: lowest < height - 170 && layout.chips.rows < 3 };

  // rows beside the table, in reading order
  const n = pieces.length;
  const pitch = Math.min(50, layout.strip.h / n);
  const middle = layout.strip.y + layout.strip.h / 2;
  layout.rows = pieces.map((_, k) => ({ y: middle + (k - (n - 1) / 2) * pitch, h: clamp(pitch * 0.6, 3, 26) }));
  layout.rowLabels = pitch >= 17;
  layout.rowX = layout.strip.x + layout.strip.w + (wide ? 270 : 200);
  layout.rowWidth = Math.min(620, width - layout.rowX - (wide ? 110 : 12));
  const last = data.sizes.n_vocab;
  layout.heightOf = (id) => Math.sqrt((id + 0.5) / last); // 0 to 1 down the table, square-root scale
  layout.tableY = (id) => layout.strip.y + layout.heightOf(id) * layout.strip.h;
  const laneOf = new Map(layout.shown.map((i, k) => [data.shown[i], k]));
  const gapX = n > 1 ? (layout.lanes.at[0].x + layout.lanes.at[1].x) / 2 : 0;
  layout.placeX = (place) => (laneOf.has(place) ? layout.lanes.at[laneOf.get(place)].x : gapX);
  layout.laneOf = new Map(layout.shown.map((i, k) => [i, k]));
  return layout;
}

function pieceWidth(layout, piece, size) {
  layout.pen.font = `${size}px ${layout.faces.mono}`;
  return layout.pen.measureText(plain(piece)).width;
}

/** Where each column stands: over its chip in a short text, over upright labels in a long one. */
function lanesOf(layout, pieces) {
  const { left, right } = layout;
  const n = pieces.length;
  for (const size of [18, 17, 16, 15, 14]) {
    const widths = pieces.map((piece) => Math.max(40, pieceWidth(layout, shorten(piece, 14), size) + 16));
    const sum = widths.reduce((a, b) => a + b, 0);
    const gap = Math.min(n < 6 ? 84 : 34, (right - left - sum) / Math.max(1, n - 1));
    if (gap < 5 && n > 1) continue;
    let x = (left + right - sum - gap * (n - 1)) / 2;
    const at = widths.map((w) => {
      const lane = { x: x + w / 2, w };
      x += w + gap;
      return lane;
    });
    return { size, tall: false, at };
  }
  const hole = layout.leftOut ? 1.6 : 0;
  const step = Math.min(40, (right - left) / (n + hole));
  const start = (left + right - step * (n + hole)) / 2;
  const at = pieces.map((_, i) => ({ x: start + step * (i + 0.5 + (i ? hole : 0)), w: Math.min(22, step - 1) }));
  return { size: 14, tall: true, at };
}

/** The text as large chips in centred lines: {x, y, w, size} each. */
/** ids: what is written below the pieces, which are at least as wide. */
function paragraph(layout, pieces, ids) {
  const { width, height } = layout;
  const hole = layout.leftOut ? 46 : 0;
  layout.pen.font = `bold 17px ${layout.faces.ui}`;
  const below = ids.map((id) => layout.pen.measureText(String(id)).width + 4);
  for (const size of [42, 38, 34, 32, 30, 28, 26, 24, 22, 20, 18, 16]) {
    const widths = pieces.map((piece, k) =>
      clamp(pieceWidth(layout, shorten(piece, 40), size) + 20, below[k], width - 60),
    );
    const rows = [[]];
    let x = 0;
    widths.forEach((w, i) => {
      if (x + w > width - 80 && x > 0) {
        rows.push([]);
        x = 0;
      }
      rows.at(-1).push({ i, w, x });
      x += w + 8 + (i === 0 ? hole : 0);
    });
    const lineHeight = size * 1.05 + (size < 24 ? 46 : 58);
    const fits = rows.length * lineHeight < height - 60;
    if (size > 16 && (!fits || (size > 28 && rows.length > 1))) continue;
    const chips = [];
    const middle = height * (rows.length === 1 ? 0.36 : rows.length === 2 ? 0.33 : 0.47);
    rows.forEach((row, r) => {
      const total = row.at(-1).x + row.at(-1).w;
      for (const { i, w, x: from } of row)
        chips[i] = {
          size,
          w,
          x: (width - total) / 2 + from + w / 2,
          y: middle + (r - (rows.length - 1) / 2) * lineHeight,
        };
    });
    chips.rows = rows.length;
    return chips;
  }
}

/** The same lines before they are cut: no gaps yet. */
function uncutOf(layout, pieces) {
  const uncut = layout.chips.map((chip) => ({ ...chip }));
  const heights = [...new Set(uncut.map((chip) => chip.y))];
  const lines = heights.map((y) => [...uncut.keys()].filter((i) => uncut[i].y === y));
  for (const line of lines) {
    const widths = line.map((i) => pieceWidth(layout, shorten(pieces[i], 40), uncut[i].size));
    const hole = layout.leftOut && line[0] === 0 ? 46 : 0;
    let x = (layout.width - hole - widths.reduce((a, b) => a + b, 0)) / 2;
    line.forEach((i, k) => {
      Object.assign(uncut[i], { x: x + widths[k] / 2, w: widths[k] });
      x += widths[k] + (i === 0 ? hole : 0);
    });
  }
  return uncut;
}

// ---- look: colours and fonts of the theme ----

const NAMES = ["ink", "quiet", "line", "card", "page", ...KIT.stages];

function lookOf(view, data) {
  const style = getComputedStyle(view.root);
  const look = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--lv-${name}`).trim()]));
  const scale = colorScale("signed", view.theme, 80);
  const colors = Array.from({ length: 255 }, (_, i) => scale.css(i - 127));
  look.theme = view.theme;
  look.signed = (v) => colors[Math.round(clamp(v, -127, 127)) + 127];
  look.table = document.createElement("canvas");
  Object.assign(look.table, { width: data.tableWidth, height: data.bands.length });
  const pen = look.table.getContext("2d");
  data.table.forEach((v, i) => {
    pen.fillStyle = look.signed(v);
    pen.fillRect(i % data.tableWidth, Math.floor(i / data.tableWidth), 1, 1);
  });
  return look;
}
const tint = (color, alpha) => {
  const [r, g, b] = rgb(color);
  return `rgba(${r},${g},${b},${alpha})`;
};

// ---- drawing. `at` is all a frame is made of: {ctx, data, times, moment, layout, look, still, marks} ----

/** Draw with a transparency of its own; what it changes in the context is undone. */
function faded({ ctx }, alpha, draw) {
  if (alpha <= 0.01) return;
  ctx.save();
  ctx.globalAlpha *= alpha;
  draw(ctx);
  ctx.restore();
}
function boxPath(ctx, [x, y, w, height], r) {
  ctx.beginPath();
  ctx.roundRect(x, y, w, height, Math.min(r, Math.abs(w) / 2, Math.abs(height) / 2));
}
/** A box with round corners: filled, or with an edge, or both. */
function drawBox(ctx, box, r, { fill = "transparent", edge = "transparent", width = 1.5 }) {
  boxPath(ctx, box, r);
  Object.assign(ctx, { fillStyle: fill, strokeStyle: edge, lineWidth: width });
  ctx.fill();
  ctx.stroke();
}
function fillShape(ctx, color, points) {
  ctx.fillStyle = color;
  ctx.beginPath();
  for (const point of points) ctx.lineTo(...point);
  ctx.fill();
}
function fillDisc(ctx, color, x, y, radius) {
  ctx.fillStyle = color;
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 7);
  ctx.fill();
}
function strokeLine(ctx, color, width, points) {
  Object.assign(ctx, { strokeStyle: color, lineWidth: width });
  ctx.beginPath();
  for (const point of points) ctx.lineTo(...point);
  ctx.stroke();
}
function strokeCurve(ctx, color, width, from, control, to) {
  Object.assign(ctx, { strokeStyle: color, lineWidth: width });
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.bezierCurveTo(...control, ...to);
  ctx.stroke();
}
function write(at, words, x, y, { size = 14, bold, color = at.look.quiet, align = "left", alpha = 1, halo } = {}) {
  faded(at, alpha, (ctx) => {
    ctx.font = `${bold ? "600 " : ""}${size}px ${at.layout.faces.ui}`;
    Object.assign(ctx, { textAlign: align, textBaseline: "middle", direction: "ltr" });
    if (halo) {
      Object.assign(ctx, { lineWidth: 5, lineJoin: "round", strokeStyle: at.look.card });
      ctx.strokeText(words, x, y);
    }
    ctx.fillStyle = color;
    ctx.fillText(words, x, y);
  });
}
function wordsWidth({ ctx, layout }, words, size, bold) {
  ctx.font = `${bold ? "600 " : ""}${size}px ${layout.faces.ui}`;
  return ctx.measureText(words).width;
}
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A piece; stand-ins for white space are quieter. A right-to-left piece keeps its order, marks included. */
function writePiece(at, marked, x, y, { size, bold, color = at.look.ink, align = "left", alpha = 1, quietly = 0.55 }) {
  faded(at, alpha, (ctx) => {
    ctx.font = `${bold ? "600 " : ""}${size}px ${at.layout.faces.mono}`;
    Object.assign(ctx, { textAlign: "left", textBaseline: "middle", fillStyle: color });
    const parts = marked.split(/\x01([^\x02]*)\x02/).map((text, i) => ({ text, quiet: i % 2 === 1 }));
    if (RIGHT_TO_LEFT.test(marked)) parts.reverse();
    const widths = parts.map(({ text }) => ctx.measureText(text).width);
    const total = widths.reduce((a, b) => a + b, 0);
    let from = x - { left: 0, center: total / 2, right: total }[align];
    const alphaHere = ctx.globalAlpha;
    parts.forEach(({ text, quiet }, i) => {
      ctx.globalAlpha = alphaHere * (quiet ? quietly : 1);
      ctx.fillText(text, from, y);
      from += widths[i];
    });
  });
}

/** A vector as a bar of colours, turned about its middle; its first number is on the left, or on top. */
function drawVector(at, bar, values, alpha = 1) {
  if (bar.len < 1) return;
  faded(at, alpha, (ctx) => {
    ctx.translate(bar.x, bar.y);
    ctx.rotate(bar.turn);
    const [x, y, step] = [-bar.len / 2, -bar.thick / 2, bar.len / values.length];
    const box = [x, y, bar.len, bar.thick];
    ctx.save();
    boxPath(ctx, box, 4);
    ctx.clip();
    values.forEach((v, j) => {
      ctx.fillStyle = at.look.signed(v);
      ctx.fillRect(x + j * step, y, step + 0.6, bar.thick);
    });
    if (step > 5 && bar.thick > 9) {
      ctx.fillStyle = tint(at.look.card, 0.35);
      for (let j = 1; j < values.length; j++) ctx.fillRect(x + j * step - 0.4, y, 0.8, bar.thick);
    }
    ctx.restore();
    drawBox(ctx, box, 4, { edge: tint(at.look.ink, 0.28), width: 1 });
  });
}
/** A vector on its way from one state to the next. */
const onTheWay = (a, b, u) => (u <= 0 ? a : u >= 1 ? b : Float32Array.from(a, (v, i) => between(v, b[i], u)));

/** Remember what lies where, for the pointer; the last mark lies on top. */
const mark = (at, box, words) => at.marks.push({ box, words });

function arcPoint({ from, to, y, rise }, v) {
  const a = 1 - v;
  const x =
    a ** 3 * from + 3 * a * a * v * between(from, to, 0.12) + 3 * a * v * v * between(from, to, 0.88) + v ** 3 * to;
  return [x, y - 3 * a * v * rise * 1.33];
}
/** An arc as one shape: thin where it comes from, thick where it goes. */
function drawArc({ ctx }, arc, width, color, grown) {
  const [outer, inner] = [[], []];
  for (let i = 0; i <= 40; i++) {
    const v = (i / 40) * grown;
    const [x, y] = arcPoint(arc, v);
    const [[x1, y1], [x0, y0]] = [arcPoint(arc, Math.min(1, v + 0.01)), arcPoint(arc, Math.max(0, v - 0.01))];
    const radius = (width * between(0.3, 1, v)) / 2 / (Math.hypot(x1 - x0, y1 - y0) || 1);
    outer.push([x - (y1 - y0) * radius, y + (x1 - x0) * radius]);
    inner.unshift([x + (y1 - y0) * radius, y - (x1 - x0) * radius]);
  }
  fillShape(ctx, color, [...outer, ...inner]);
}
function drawThread({ ctx }, { from, to, y, rise }, width, color) {
  ctx.save();
  ctx.setLineDash([2, 5]);
  const top = y - rise * 1.33;
  strokeCurve(ctx, color, width, [from, y], [between(from, to, 0.12), top, between(from, to, 0.88), top], [to, y]);
  ctx.restore();
}

/** The whole picture. Returns its marks, for the pointer. */
function drawJourney(at) {
  at.marks = [];
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
  drawBars(at);
  drawChips(at);
  drawKnives(at);
  return at.marks;
}

// ---- scene 1: the text, its pieces, and the numbers of all tokens as a line ----

/** Ids to write beside the line or the table, the last one included. */
function ticksOf({ sizes }) {
  const last = sizes.n_vocab - 1;
  return [...[0, 1_000, 5_000, 10_000, 20_000, 30_000, 40_000].filter((id) => id < 0.8 * last), last];
}

/** All ids on a line, and where this text's are; when rows are looked up, the line turns into the table. */
function drawNumberLine(at) {
  const { layout, look, moment, data, times } = at;
  const { line, strip } = layout;
  if (!line.room) return;
  const back = moment.up;
  const turned = during(moment.t, times.look, times.look + 1.3);
  const alpha = Math.max(during(moment.t, 4.2, 5.2) * (1 - turned), during(back, 0.5, 1));
  const v = back > 0 ? 0 : turned;
  const start = [between(line.x, strip.x + strip.w / 2, v), between(line.y, strip.y, v)];
  const end = [between(line.x + line.w, strip.x + strip.w / 2, v), between(line.y, strip.y + strip.h, v)];
  faded(at, alpha, (ctx) => {
    const place = (id) => [0, 1].map((axis) => between(start[axis], end[axis], layout.heightOf(id)));
    ctx.lineCap = "round";
    strokeLine(ctx, look.line, 5, [start, end]);
    const flat = 1 - during(v, 0, 0.3);
    for (const id of ticksOf(data)) {
      const [x, y] = place(id);
      if (layout.wide || id !== 5_000) write(at, count(id), x, y + 20, { size: 13, align: "center", alpha: flat });
      faded(at, flat, () => {
        ctx.fillStyle = look.quiet;
        ctx.fillRect(x - 0.5, y + 4, 1, 5);
      });
    }
    const words = `all ${count(data.sizes.n_vocab)} tokens by their numbers, on a square-root scale`;
    write(at, words, layout.width / 2, line.y + 46, { align: "center", alpha: flat });
    const ids = layout.shown.map((i) => data.tokens[i]);
    if (back > 0) ids.push(data.drawn.token);
    const chips = back > 0 ? layout.chipsAfter : layout.chips;
    ids.forEach((id, k) => {
      const [x, y] = place(id);
      const [fromX, fromY] = [chips[k].x, chips[k].y + chips[k].size * 0.5 + 40];
      const color = k === layout.shown.length ? look.sampling : look.tokenization;
      const control = [fromX, between(fromY, y, 0.6), x, between(fromY, y, 0.4)];
      strokeCurve(ctx, tint(color, 0.5 * flat), 1.3, [fromX, fromY], control, [x, y - 6]);
      fillDisc(ctx, color, x, y, 4.5);
    });
  });
}

const inText = (chip) => ({ x: chip.x, y: chip.y, w: chip.w, size: chip.size, h: chip.size * 1.05 + 18, turn: 0 });
const inLane = (layout, lanes, k) => ({
  x: lanes.at[k].x,
  y: layout.chipY,
  w: lanes.at[k].w,
  size: lanes.size,
  h: lanes.tall ? layout.chipHeight : 30,
  turn: lanes.tall ? -Math.PI / 2 : 0,
});
function moveChip(chip, to, v) {
  for (const key of Object.keys(to)) chip[key] = between(chip[key], to[key], v);
}
const boxOf = ({ x, y, w, h: height }) => [x - w / 2, y - height / 2, w, height];

/** Where a token's chip is: in the text, then by itself, then the label of a lane, then in the text. */
function chipAt({ layout, moment }, k) {
  const chip = inText(layout.chips[k]);
  const { x, y, w } = layout.uncut[k];
  moveChip(chip, { x, y, w }, 1 - during(moment.t, 2.6, 4));
  moveChip(chip, inLane(layout, layout.lanes, k), moment.down);
  moveChip(chip, inLane(layout, layout.lanesAfter, k), moment.joined);
  moveChip(chip, inText(layout.chipsAfter[k]), moment.up);
  return chip;
}

function drawChip(at, chip, piece, id, { color, edge, fill = at.look.page, box = 1, idAlpha = 1, alpha = 1 }) {
  const { layout, moment, look } = at;
  const upright = clamp(-chip.turn / (Math.PI / 2));
  const big = Math.max(1 - moment.down, moment.up); // 1: the text, 0: a label
  faded(at, alpha, (ctx) => {
    const y = chip.y - (layout.tall ? 0 : idAlpha * 9 * (1 - big));
    faded(at, box, () => drawBox(ctx, boxOf({ ...chip, y }), 7, { fill, edge }));
    ctx.save();
    ctx.translate(chip.x, y);
    ctx.rotate(chip.turn);
    const label = shorten(piece, upright > 0.05 ? 9 : big < 0.5 ? 14 : 40);
    const width = pieceWidth(layout, label, chip.size);
    const from = between(-width / 2, chip.h / 2 - 8 - width, upright);
    // the space mark comes with the cut
    const shown = box < 1 ? label.replace(/\x01·\x02/g, box > 0.5 ? "\x01·\x02" : " ") : label;
    writePiece(at, shown, from, 0, { size: chip.size, color });
    ctx.restore();
    if (layout.tall && big < 0.5) return;
    write(at, String(id), chip.x, y + chip.h / 2 + (big > 0 ? 14 : 10), {
      size: between(13, 17, big),
      bold: big > 0.5,
      align: "center",
      alpha: idAlpha * (layout.tall ? big : 1),
      color: big > 0.5 ? look.tokenization : look.quiet,
    });
  });
}

function drawChips(at) {
  const { data, layout, moment, look, times } = at;
  const { t, layer } = moment;
  const n = layout.shown.length;
  const box = during(t, 2.2, 3.2);
  const strongest = data.strongest[layer];
  for (let k = 0; k < n; k++) {
    const i = layout.shown[k];
    const chip = chipAt(at, k);
    const pause = k * Math.min(0.2, 1.4 / n);
    const looks = moment.attention > 0.05 && strongest && strongest.weight >= 0.1;
    const given = looks && strongest.place === data.shown[i];
    const own = data.shown[i] >= data.n - data.written; // the journey has written it
    const last = k === n - 1 && moment.rising;
    const edge =
      given || (last && looks)
        ? look.attention
        : own
          ? look.sampling
          : last
            ? look.ink
            : t < times.look
              ? tint(look.tokenization, 0.55)
              : look.line;
    const idAlpha = during(t, 3.4 + pause, 4 + pause);
    drawChip(at, chip, data.pieces[i], data.tokens[i], { color: own ? look.sampling : look.ink, edge, box, idAlpha });
    const fresh = own && k === n - 1 ? 1 - during(t, AGAIN + 0.1, 7) : 0; // as the journey before has left it
    if (fresh > 0) {
      const painted = { color: look.page, edge: look.sampling, fill: look.sampling, alpha: fresh, idAlpha: 0 };
      drawChip(at, chip, data.pieces[i], data.tokens[i], painted);
    }
    const place = () => count(data.shown[i]);
    mark(at, boxOf(chip), () => `${quoted(data.pieces[i])}: token ${count(data.tokens[i])}, at place ${place()}`);
  }
  if (!layout.leftOut || n < 2) return;
  const [a, b] = [chipAt(at, 0), chipAt(at, 1)];
  const big = Math.max(1 - moment.down, moment.up);
  const x = a.y === b.y ? (a.x + a.w / 2 + b.x - b.w / 2) / 2 : a.x + a.w / 2 + 20;
  write(at, "…", x, a.y, { size: between(17, 26, big), bold: true, align: "center" });
  mark(at, [x - 12, a.y - 15, 24, 30], () => `${count(layout.leftOut)} tokens are not drawn`);
}

function drawKnives(at) {
  const { layout, moment, look } = at;
  const { t } = moment;
  const n = layout.shown.length;
  for (let k = 1; k < (t < 4 ? n : 0); k++) {
    const [a, b, cutA, cutB] = [layout.uncut[k], layout.uncut[k - 1], layout.chips[k], layout.chips[k - 1]];
    const pause = k * Math.min(0.16, 1 / n);
    const fallen = during(t, 1.2 + pause, 1.6 + pause);
    if (a.y !== b.y || fallen <= 0) continue;
    const middle = (cutA.x - cutA.w / 2 + cutB.x + cutB.w / 2) / 2;
    const x = between(a.x - a.w / 2, middle, during(t, 2.6, 4));
    faded(at, 1 - during(t, 3, 3.6), (ctx) => {
      const [top, bottom] = [a.y - a.size * 0.9, a.y + a.size * 0.9];
      ctx.lineCap = "round";
      strokeLine(ctx, look.tokenization, 2.5, [
        [x, top],
        [x, between(top, bottom, fallen)],
      ]);
    });
  }
}

// ---- scene 2: the table and its rows ----

function drawTable(at) {
  const { layout, moment, look, times, data } = at;
  const { strip } = layout;
  const comes = during(moment.t, times.look + 0.5, times.look + 1.5);
  const here = comes * (1 - during(moment.picking, 0, 1.2));
  if (here <= 0) return;
  const box = [strip.x, strip.y, strip.w, strip.h * comes];
  const busy = Math.max(
    hump(moment.t, times.look, times.look + 1, times.stand + 1, times.stand + 2.5),
    hump(moment.matching, 0, 1, 9, 10),
  );
  faded(at, here * between(0.38, 1, busy), (ctx) => {
    ctx.imageSmoothingEnabled = false;
    ctx.save();
    boxPath(ctx, box, 5);
    ctx.clip();
    ctx.drawImage(look.table, strip.x, strip.y, strip.w, strip.h);
    ctx.restore();
    drawBox(ctx, box, 5, { edge: look.embeddings });
  });
  write(at, "the table", 12, strip.y - 30, { size: 15, bold: true, color: look.embeddings, alpha: here });
  const room = layout.wide ? 1 : 1 - during(moment.matching, 0, 1); // narrow: "match" takes its place
  write(at, "rows, √ scale", 12, strip.y - 12, { size: 13, alpha: here * busy * room });
  for (const id of ticksOf(data))
    write(at, count(id), strip.x - 7, layout.tableY(id) + (id ? 0 : 3), {
      size: 13,
      align: "right",
      alpha: here * busy,
    });
  mark(
    at,
    [strip.x, strip.y, strip.w, strip.h],
    () =>
      `the table: ${count(data.sizes.n_vocab)} rows of ${count(data.sizes.d_model)} numbers; ` +
      `here ${data.bands.length} rows, ${data.tableWidth} numbers of each`,
  );
}

/** When the row of the k-th token is fetched. */
const fetchedAt = ({ times, layout }, k) => times.look + 1.3 + k * Math.min(0.75, 4 / layout.shown.length);

/** Each token's vector at this moment: a row of the table, then a column; where it is, and its numbers. */
function columnsAt(at) {
  const { data, layout, moment, times } = at;
  const { t, layer, u, rising, matching } = moment;
  const { strip } = layout;
  const n = layout.shown.length;
  const widthAt = (state, i) =>
    between(0.55, 1, clamp(Math.log10(lengthOf(data, state, i)) / 3, 0.1, 1)) * layout.columnWidth;
  const columns = [];
  for (let k = 0; k < n; k++) {
    const i = layout.shown[k];
    const fetched = during(t, fetchedAt(at, k) + 1, fetchedAt(at, k) + 2.1);
    if (fetched <= 0) continue;
    const pause = k * Math.min(0.5, 3.2 / n);
    const stands = during(t, times.stand + 0.2 + pause, times.stand + 1.4 + pause);
    const tableY = layout.tableY(data.tokens[i]);
    const bar = {
      x: between(strip.x + strip.w / 2, layout.rowX + layout.rowWidth / 2, fetched),
      y: between(tableY, layout.rows[k].y, fetched),
      len: between(strip.w, layout.rowWidth, fetched),
      thick: between(1.5, layout.rows[k].h, fetched),
      turn: (stands * Math.PI) / 2,
    };
    let values = columnOf(data, moment.state, i);
    if (rising) {
      const [looked, thought] = [during(u, 0.26, 0.46), during(u, 0.74, 0.84)];
      const mid = onTheWay(columnOf(data, 2 * layer, i), columnOf(data, 2 * layer + 1, i), looked);
      values = onTheWay(mid, columnOf(data, 2 * layer + 2, i), thought);
    }
    const width = rising ? between(widthAt(2 * layer, i), widthAt(2 * layer + 2, i), u) : widthAt(moment.state, i);
    bar.x = between(bar.x, layout.lanes.at[k].x, stands);
    bar.y = between(bar.y, (layout.top + layout.bottom) / 2, stands) - Math.sin(stands * Math.PI) * 20;
    bar.len = between(bar.len, layout.columnHeight, stands);
    bar.thick = between(bar.thick, width, stands);
    let alpha = 1;
    if (matching > 0 && k < n - 1) {
      // only the last column is asked for the next token
      bar.len *= 1 - during(matching, 0.1, 1);
      bar.y = layout.bottom - bar.len / 2;
      alpha = 1 - during(matching, 0.6, 1.2);
    } else if (matching > 0) {
      // it lies down, and is moved along the table
      const [goes, moved] = [during(matching, 0.1, 1.1), clamp((matching - SCAN_FROM) / SCAN)];
      values = onTheWay(values, data.final, during(matching, 0.2, 1));
      bar.x = between(bar.x, strip.x + strip.w / 2, goes);
      bar.y = between(bar.y, strip.y + moved * strip.h, goes);
      bar.len = between(bar.len, strip.w + 26, goes);
      bar.thick = between(bar.thick, 16, goes);
      bar.turn *= 1 - goes;
      alpha = 1 - during(matching, SCAN_FROM + SCAN + 0.2, SCAN_FROM + SCAN + 0.8);
    }
    if (t >= times.at[0] && isLong(data, moment.state, i) && matching <= 0.2) alpha *= 0.42;
    columns.push({ k, i, bar, values, alpha, fetched, stands, tableY, id: data.tokens[i] });
  }
  const turning = (column) => (column.stands > 0 && column.stands < 1 ? 1 : 0);
  return columns.toSorted((a, b) => turning(a) - turning(b)); // those that turn are in front
}

/** From its true place in the table to each row. */
function drawLeaders(at, columns) {
  const { layout, moment, look, times } = at;
  const { strip } = layout;
  for (const { bar, fetched, tableY } of columns) {
    const here = fetched * (1 - during(moment.t, times.stand - 0.2, times.stand + 0.4));
    faded(at, here * 0.8, (ctx) => {
      const from = strip.x + strip.w;
      const to = Math.max(from, bar.x - bar.len / 2 - (layout.rowLabels ? (layout.wide ? 176 : 150) : 8));
      strokeCurve(ctx, look.embeddings, 1.2, [from, tableY], [from + 45, tableY, to - 45, bar.y], [to, bar.y]);
    });
    const kept = between(1, 0.35, during(moment.t, times.stand + 1, times.stand + 2.5));
    faded(at, (1 - during(moment.picking, 0, 1)) * kept, (ctx) => {
      ctx.fillStyle = look.ink;
      ctx.fillRect(strip.x - 4, tableY - 0.8, strip.w + 8, 1.6);
    });
  }
}

function drawIdsInFlight(at) {
  const { layout, moment, look, data } = at;
  const { strip } = layout;
  layout.shown.forEach((i, k) => {
    const start = fetchedAt(at, k);
    const flown = during(moment.t, start, start + 0.95);
    if (flown <= 0 || moment.t > start + 1.35) return;
    const [chip, y] = [chipAt(at, k), layout.tableY(data.tokens[i])];
    write(
      at,
      String(data.tokens[i]),
      between(chip.x, strip.x + strip.w + 36, flown),
      between(chip.y + 16, y, flown) - Math.sin(flown * Math.PI) * 30,
      {
        size: between(14, 19, flown),
        bold: true,
        color: look.tokenization,
        align: "center",
        halo: true,
        alpha: 1 - during(moment.t, start + 1, start + 1.35),
      },
    );
  });
}

// ---- scenes 3 to 5: the columns, and what is done to them ----

function drawColumn(at, column) {
  const { data, layout, moment, look, times } = at;
  const { bar, i } = column;
  const { layer } = moment;
  if (moment.ffn > 0) drawFFNBox(at, column);
  drawVector(at, bar, column.values, column.alpha);
  if (moment.attention > 0) drawGiving(at, column);
  if (moment.ffn > 0) drawNeurons(at, column);
  const label = during(column.fetched, 0.7, 1) * (1 - during(moment.t, times.stand - 0.2, times.stand + 0.4));
  if (label > 0 && layout.rowLabels) {
    const left = bar.x - bar.len / 2;
    write(at, String(column.id), left - (layout.wide ? 112 : 92), bar.y, {
      size: layout.wide ? 17 : 15,
      bold: true,
      color: look.tokenization,
      align: "right",
      alpha: label,
    });
    writePiece(at, shorten(data.pieces[i], layout.wide ? 10 : 9), left - 10, bar.y, {
      size: layout.wide ? 15 : 14,
      align: "right",
      alpha: label,
    });
  }
  if (bar.len < 2 || column.alpha < 0.1) return;
  const upright = bar.turn > 0.8;
  const [w, hgt] = upright ? [bar.thick, bar.len] : [bar.len, bar.thick];
  mark(at, boxOf({ x: bar.x, y: bar.y, w, h: hgt }), () => {
    const where = !moment.rising
      ? moment.matching >= 0
        ? "after the last layer"
        : "its row of the table"
      : `layer ${layer}, ${STATES[moment.state - 2 * layer]}`;
    const long = moment.rising && isLong(data, moment.state, i) ? ", too long for the scale" : "";
    const length = short(lengthOf(data, moment.state, i));
    return `the column of ${quoted(data.pieces[i])}, ${where}: length ${length}${long}`;
  });
}

const STATES = ["before attention", "after attention", "after the FFN"];

/** The floor of the tower on which the columns stand, enlarged. */
function drawFloor(at) {
  const { data, layout, moment, look } = at;
  if (moment.floor <= 0) return;
  const { layer, u, attention, ffn } = moment;
  const [x0, x1, y0, y1] = [layout.left - (layout.wide ? 24 : 14), layout.right + 12, 34, layout.bottom + 34];
  const risen = moment.rising ? layer + during(u, 0.9, 1) : moment.matching >= 0 ? data.layers : 0;
  faded(at, moment.floor, (ctx) => {
    ctx.save();
    drawBox(ctx, [x0, y0, x1 - x0, y1 - y0], 10, { fill: look.page, edge: look.line, width: 1.2 });
    ctx.clip();
    const loud = moment.rising ? 1 - moment.calm : 1;
    // it passes while the columns rise
    for (let floor = Math.floor(risen) - 1; floor <= (loud > 0.02 ? risen + 1 : -Infinity); floor++) {
      const y = layout.bottom + 33 - (floor - risen) * (y1 - y0);
      if (y < y0 || y > y1 - 2) continue;
      ctx.fillStyle = tint(look.quiet, 0.5 * loud);
      ctx.fillRect(x0, y, x1 - x0, 1.5);
    }
    ctx.restore();
    if (moment.matching >= 0.5) return;
    const title = moment.rising ? `layer ${layer}` : "";
    const after = x0 + 14 + wordsWidth(at, `${title}  `, 16, true);
    write(at, title, x0 + 14, 55, {
      size: 16,
      bold: true,
      color: look.ink,
      alpha: Math.max(attention, ffn, moment.calm),
    });
    write(at, "attention", after, 55, { size: 16, bold: true, color: look.attention, alpha: attention });
    const neurons = `FFN: the strongest of ${count(data.sizes.d_ff)} neurons`;
    const titles = [`${neurons}, and what all of them add`, neurons, "FFN"];
    const fits = titles.find((words) => after + wordsWidth(at, words, 16, true) < x1 - 10) ?? "FFN";
    write(at, fits, after, 55, { size: 16, bold: true, color: look.ffn, alpha: ffn });
  });
}

function drawAttention(at) {
  const { data, layout, moment, look, still } = at;
  const { layer, u, attention } = moment;
  if (attention <= 0) return;
  const room = layout.head - 66;
  const arcOf = (from, to) => {
    const wide = (Math.abs(to - from) / (layout.right - layout.left)) * room * 1.25;
    return { from, to, y: layout.head, rise: Math.min(room, 18 + wide) };
  };
  const laneX = (i) => layout.lanes.at[layout.laneOf.get(i)].x;
  const drawn = (i) => layout.laneOf.has(i);
  const grown = during(u, 0.06, 0.26);
  const strongest = data.strongest[layer];
  faded(at, attention, (ctx) => {
    for (const i of layout.shown)
      // attention to columns that are off the scale
      data.resting.forEach((target, k) => {
        const weight = restOf(data, layer, i, k);
        if (i <= target || weight < 0.05 || !drawn(target)) return;
        const alpha = (0.25 + 0.55 * weight) / Math.max(1, Math.sqrt(layout.shown.length / 8));
        drawThread(at, arcOf(laneX(target), laneX(i)), 0.6 + 1.6 * weight, tint(look.quiet, alpha));
      });
    const looks = data.lookList[layer].filter(({ from, to }) => drawn(from) && drawn(to));
    for (const { from, to, head, weight } of looks.toSorted((a, b) => a.weight - b.weight)) {
      if (strongest && from === data.count - 1 && data.shown[to] === strongest.place) continue;
      const arc = arcOf(laneX(to), laneX(from));
      drawArc(at, arc, 1 + 3.4 * weight, tint(look.attention, 0.14 + 0.3 * weight ** 2), grown);
      const [x, y] = arcPoint(arc, 0.5);
      mark(
        at,
        [x - 12, y - 7, 24, 14],
        () => `head ${head}: ${quoted(data.pieces[from])} attends to ${quoted(data.pieces[to])}, ${share(weight)}`,
      );
    }
    if (!strongest) return;
    const arc = arcOf(layout.placeX(strongest.place), laneX(data.count - 1));
    const width = 2 + 8 * strongest.weight;
    drawArc(at, arc, width + 5, tint(look.page, 0.8), grown);
    drawArc(at, arc, width, look.attention, grown);
    if (grown > 0.98)
      fillShape(ctx, look.attention, [
        [arc.to, arc.y + 7],
        [arc.to - width * 0.5 - 6, arc.y - 5],
        [arc.to + width * 0.5 + 6, arc.y - 5],
      ]);
    for (let j = 0; j < (still ? 0 : 5); j++) {
      // they only move; all that they say is in the arc
      const v = (u * 4.2 + j / 5) % 1;
      if (v < grown) fillDisc(ctx, look.page, ...arcPoint(arc, v), Math.max(1.6, width * 0.24));
    }
    const label = `head ${strongest.head}: ${share(strongest.weight)}`;
    const half = wordsWidth(at, label, 16, true) / 2;
    const [topX, topY] = arcPoint(arc, 0.5);
    const y = Math.max(arc.to - arc.from < 150 ? topY - 22 : topY - 2, 84);
    const x = clamp(topX, layout.left + half, layout.right - half);
    const box = boxOf({ x, y, w: 2 * half + 18, h: 26 });
    faded(at, grown, () => {
      drawBox(ctx, box, 13, { fill: look.page, edge: look.attention });
      write(at, label, x, y, { size: 16, bold: true, color: look.attention, align: "center" });
    });
    mark(
      at,
      box,
      () =>
        `the last token’s largest attention weight in layer ${layer}, not counting pale columns and itself: ` +
        `head ${strongest.head} puts ${share(strongest.weight)} on ${quoted(strongest.piece)}`,
    );
  });
}

/** Who takes, and from whom. */
function drawGiving(at, { bar, i, k }) {
  const { data, layout, moment, look } = at;
  const strongest = data.strongest[moment.layer];
  const takes = k === layout.shown.length - 1 ? during(moment.u, 0.2, 0.32) : 0;
  const gives = strongest?.place === data.shown[i] ? 1 : 0;
  if (!strongest || !(takes || gives)) return;
  faded(at, moment.attention * (takes || gives) * (strongest.weight >= 0.3 ? 1 : 0.5), (ctx) => {
    const margin = layout.tall ? 1 : 4;
    const y = (layout.top + layout.bottom) / 2;
    const box = boxOf({ x: bar.x, y, w: bar.thick + 2 * margin, h: layout.columnHeight + 2 * margin });
    drawBox(ctx, box, 6, { edge: look.attention, width: layout.tall ? 1.6 : takes ? 3 : 2 });
  });
}

const SPIKES = 44; // pixels of the layer's strongest neuron

/** The FFN has each column by itself. */
function drawFFNBox(at, { bar }) {
  const { layout, moment, look } = at;
  faded(at, moment.ffn, (ctx) => {
    const y = layout.head - 16 - SPIKES - 24;
    const box = [bar.x - layout.cellWidth / 2, y, layout.cellWidth, layout.bottom + 6 - y];
    const fill = tint(look.ffn, look.theme === "dark" ? 0.13 : 0.07);
    drawBox(ctx, box, 8, { fill, edge: tint(look.ffn, 0.7), width: layout.tall ? 1 : 1.4 });
  });
}

/** The neurons that write most, at their places among all; below them what all of them add. */
function drawNeurons(at, { bar, i, alpha }) {
  const { data, layout, moment, look } = at;
  const { layer, u } = moment;
  const width = layout.cellWidth - (layout.tall ? 4 : 14);
  const [left, base] = [bar.x - width / 2, layout.head - 15];
  const first = (layer * data.count + i) * data.neuronsEach;
  const grown = during(u, 0.57, 0.68);
  faded(at, moment.ffn, (ctx) => {
    ctx.fillStyle = look.ffn;
    ctx.fillRect(left, base, width, 1.4);
    for (let j = data.neuronsEach - 1; j >= 0; j--) {
      const neuron = data.neurons[first + j];
      const [x, hgt] = [left + (neuron / data.sizes.d_ff) * width, (data.pushes[first + j] / 255) * SPIKES * grown];
      faded(at, j ? 0.6 : 1, () => ctx.fillRect(x - 1.4, base - hgt, layout.tall ? 1.6 : 2.8, hgt));
      if (!j && !layout.tall) {
        const middle = width < 40 ? bar.x : clamp(x, left + 19, left + width - 19);
        write(at, `#${neuron}`, middle, base - hgt - 10, {
          size: 13,
          bold: true,
          color: look.ffn,
          align: "center",
          alpha: grown,
        });
      }
    }
    mark(
      at,
      [left, base - SPIKES - 16, width, SPIKES + 18],
      () =>
        `layer ${layer}, ${quoted(data.pieces[i])}: neuron ${data.neurons[first]} writes most, ` +
        `then ${data.neurons.slice(first + 1, first + data.neuronsEach).join(", ")}`,
    );
    const added = addedBy(data, layer, i);
    const made = during(u, 0.66, 0.72);
    const lying = { x: bar.x, y: layout.head - 6, len: width * made, thick: 9, turn: 0 };
    if (!layout.tall) {
      drawVector(at, lying, added, made * (alpha < 1 ? 0.6 : 1));
      mark(
        at,
        [left, layout.head - 11, width, 10],
        () =>
          `layer ${layer}: to the column of ${quoted(data.pieces[i])} the FFN adds this vector, ` +
          `of length ${short(data.adds[(2 * layer + 1) * data.count + i])}`,
      );
    }
    const falls = during(u, 0.72, 0.82);
    if (falls > 0 && falls < 1)
      drawVector(
        at,
        {
          x: bar.x,
          y: between(lying.y, (layout.top + layout.bottom) / 2, falls),
          turn: (falls * Math.PI) / 2,
          len: between(width, layout.columnHeight, falls),
          thick: between(9, bar.thick, falls),
        },
        added,
        1 - falls,
      );
  });
}

function drawClockHands(at) {
  const { data, layout, moment, look, times } = at;
  const here = hump(moment.t, times.place, times.place + 0.8, times.match, times.match + 0.6);
  if (here <= 0) return;
  // then one small one stays on each column
  const big = 1 - during(moment.t, times.layers - 0.8, times.layers + 0.6);
  const turned = during(moment.t, times.place + 1, times.place + 4.2);
  const radius = Math.min(17, layout.gap * 0.42);
  const n = layout.shown.length;
  faded(at, here, () => {
    data.turns.forEach((tokens, hand) => {
      const r = between(hand ? 0 : layout.dial, radius, big);
      if (r < 1.5) return;
      const y = between(layout.top - 12 - layout.dial, layout.top - 18 - radius - hand * (2 * radius + 14), big);
      layout.shown.forEach((i, k) => {
        const angle = data.angles[hand * data.count + i] * turned;
        const strong = big > 0.3 ? 1 : between(0.5, 1, moment.attention);
        faded(at, strong * (hand ? big : 1), () => drawDial(at, layout.lanes.at[k].x, y, r, angle, between(2, 3, big)));
        mark(
          at,
          boxOf({ x: layout.lanes.at[k].x, y, w: 2 * r, h: 2 * r }),
          () =>
            `position ${count(data.shown[i])}: this hand goes round once in ${short(tokens)} tokens; ` +
            "attention rotates what it compares, as these hands show",
        );
      });
      const x = layout.lanes.at[n - 1].x + Math.max(radius, layout.lanes.at[n - 1].w / 2) + 18;
      const every = `${tokens < 10 ? tokens.toFixed(1) : Math.round(tokens)} tokens`;
      const words = x + 180 < layout.width ? `one turn every ${every}` : every;
      write(at, words, Math.min(x, layout.width - 100), y, { size: 15, color: look.position, alpha: big });
    });
    if (layout.tall) return;
    const below = { size: 13, color: look.position, alpha: big };
    if (layout.wide) write(at, "position", layout.left - 26, layout.bottom + 16, { ...below, align: "right" });
    layout.shown.forEach((i, k) =>
      write(at, count(data.shown[i]), layout.lanes.at[k].x, layout.bottom + 16, { ...below, align: "center" }),
    );
  });
}
function drawDial({ ctx, look }, x, y, radius, angle, width) {
  ctx.save();
  ctx.translate(x, y);
  fillDisc(ctx, look.page, 0, 0, radius);
  Object.assign(ctx, { strokeStyle: tint(look.position, 0.6), lineWidth: 1.2, fillStyle: tint(look.position, 0.25) });
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(0, 0);
  ctx.arc(0, 0, radius, -Math.PI / 2, -Math.PI / 2 + (angle % (2 * Math.PI)));
  ctx.fill();
  ctx.rotate(angle);
  ctx.lineCap = "round";
  strokeLine(ctx, look.position, width, [
    [0, 0],
    [0, -radius * 0.86],
  ]);
  ctx.restore();
}

/** The length of each column (its norm) below it; while the FFN works, what that adds. */
function drawLengths(at) {
  const { data, layout, moment, look, times } = at;
  const here = hump(moment.t, times.layers, times.layers + 1, times.match, times.match + 0.5);
  if (here > 0 && !layout.tall) {
    const y = layout.bottom + 18;
    const left = layout.left - (layout.wide ? 34 : 18);
    write(at, "length", left, y, { size: 13, align: "right", alpha: here });
    layout.shown.forEach((i, k) =>
      write(at, short(lengthOf(data, moment.state, i)), layout.lanes.at[k].x, y, {
        size: 13,
        align: "center",
        alpha: here,
      }),
    );
  }
  const note = hump(moment.t, times.stand + 4.4, times.stand + 5.1, times.place, times.place + 0.7);
  const x = layout.lanes.at.at(-1).x + layout.columnWidth / 2 + 20;
  faded(at, note, (ctx) => {
    strokeLine(ctx, look.embeddings, 1.5, [
      [x - 6, layout.top],
      [x, layout.top],
      [x, layout.bottom],
      [x - 6, layout.bottom],
    ]);
    write(at, `${count(data.sizes.d_model)} numbers`, x + 10, (layout.top + layout.bottom) / 2, {
      size: 16,
      bold: true,
      color: look.embeddings,
    });
  });
}

// ---- the tower: what the model would predict at each depth ----

function drawTower(at) {
  const { data, layout, moment, look, times } = at;
  const here = hump(moment.t, times.layers + 0.2, times.layers + 1.4, times.pick, times.pick + 1);
  if (here <= 0) return;
  const { tower } = layout;
  const { layer, u, rising, matching } = moment;
  const width = tower.right - tower.x - (layout.wide ? 72 : 58);
  const middle = (i) => tower.y + tower.h - (i + 0.5) * tower.floor;
  const reached = (i) => (matching >= 0 ? 1 : !rising || i > layer ? 0 : i < layer ? 1 : during(u, 0.72, 0.84));
  faded(at, here, (ctx) => {
    drawWedge(at, middle(rising ? Math.min(data.layers - 1, layer + during(u, 0.9, 1)) : 0));
    const runs = []; // neighbours with the same prediction
    for (let i = 0; i < data.layers; i++) {
      const [piece, prob] = data.predictions[i];
      const [y, got, now] = [middle(i), reached(i), rising && i === layer];
      const bar = (w, fill) => drawBox(ctx, [tower.x, y - tower.floor / 2 + 1.5, w, tower.floor - 3], 3, { fill });
      bar(width, tint(look.quiet, 0.13));
      if (got > 0) {
        bar(Math.max(3, width * prob * got), now ? look.sampling : tint(look.sampling, 0.62));
        if (runs.at(-1)?.piece === piece) runs.at(-1).to = i;
        else runs.push({ piece, from: i, to: i, got });
        mark(
          at,
          [tower.x, y - tower.floor / 2, width, tower.floor],
          () => `prediction after layer ${i}: ${quoted(piece)}, ${share(prob)}`,
        );
      }
      const around = [tower.x - 3, y - tower.floor / 2 - 1, width + 6, tower.floor + 2];
      if (now) drawBox(ctx, around, 4, { edge: look.ink });
      const round = (i % 10 === 0 && i < data.layers - 4) || i === data.layers - 1;
      if (now || (round && (!rising || Math.abs(i - layer) > 1)))
        write(at, String(i), tower.x - 8, y, {
          size: now ? 15 : 13,
          bold: now,
          color: now ? look.ink : look.quiet,
          align: "right",
        });
    }
    const tags = [];
    // the longest first; short ones where room is
    for (const run of runs.toSorted((a, b) => b.to - b.from - a.to + a.from)) {
      const y = (middle(run.from) + middle(run.to)) / 2;
      if (tags.some((other) => Math.abs(other - y) < 23)) continue;
      tags.push(y);
      faded(at, run.from === run.to ? run.got : 1, () => {
        const [top, bottom] = [middle(run.to) - tower.floor / 2 + 2, middle(run.from) + tower.floor / 2 - 2];
        ctx.fillStyle = tint(look.sampling, 0.5);
        ctx.fillRect(tower.x + width + 4, top, 2, bottom - top);
        drawTag(at, run.piece, tower.x + width + 10, y, layout.wide ? 15 : 13, false);
      });
    }
    drawBestGuess(at, matching >= 0 ? data.layers - 1 : rising ? (u > 0.8 ? layer : layer - 1) : -1);
  });
}
/** The big floor is this small one. */
function drawWedge(at, y) {
  const { layout, moment, look } = at;
  faded(at, moment.floor, (ctx) => {
    const [x0, x1] = [layout.right + 12, layout.tower.x - 32];
    const shade = ctx.createLinearGradient(x0, 0, x1, 0);
    shade.addColorStop(0, tint(look.quiet, 0.04));
    shade.addColorStop(1, tint(look.quiet, 0.22));
    fillShape(ctx, shade, [
      [x0, 40],
      [x1, y - layout.tower.floor / 2],
      [x1, y + layout.tower.floor / 2],
      [x0, layout.bottom + 28],
    ]);
  });
}
function drawTag(at, piece, x, y, size, strong) {
  const { layout, look, ctx } = at;
  const label = shorten(piece, size < 15 ? 5 : 6);
  const width = pieceWidth(layout, label, size) * 1.03 + 10;
  const [fill, edge] = strong ? [look.sampling, look.sampling] : [look.page, look.line];
  drawBox(ctx, [x, y - size * 0.68, width, size * 1.36], 5, { fill, edge, width: 1.2 });
  writePiece(at, label, x + 5, y, { size, bold: true, color: strong ? look.page : look.ink, quietly: 0.85 });
  return width;
}
function drawBestGuess(at, layer) {
  const { data, layout, look } = at;
  const title = layout.wide ? "prediction here" : "prediction";
  const [piece, prob] = layer >= 0 ? data.predictions[layer] : ["", 0];
  const size = layout.wide ? 17 : 15;
  const tag = layer >= 0 ? pieceWidth(layout, shorten(piece, 6), size) + 12 : 0;
  const total = wordsWidth(at, title, 15, true) + (layer >= 0 ? 16 + tag + wordsWidth(at, share(prob), 15, true) : 0);
  let x = Math.min(layout.tower.x - (layout.wide ? 28 : 34), layout.width - 10 - total);
  write(at, title, x, 20, { size: 15, bold: true, color: look.sampling });
  if (layer < 0) return;
  x += wordsWidth(at, title, 15, true) + 8;
  x += drawTag(at, piece, x, 20, size, true) + 8;
  write(at, share(prob), x, 20, { size: 15, bold: true, color: look.ink });
}

// ---- scenes 6 and 7: every row is compared, bars, a line, and a dart ----

const SCAN_FROM = 1.2; // seconds into scene 6: the column is moved along the table
const SCAN = 3;

function drawBars(at) {
  const { data, layout, moment, look } = at;
  const { matching, picking } = moment;
  if (matching <= SCAN_FROM) return;
  drawMatches(at);
  const { wide, width } = layout;
  const line = { x: wide ? 60 : 26, y: 150, h: 84 };
  line.w = width - 2 * line.x;
  const bars = { x: wide ? 372 : 262, y: 48, pitch: Math.min(33, (layout.bottom + 8 - 46) / 11) };
  bars.w = Math.max(120, layout.tower.x - 110 - bars.x);
  const grown = during(matching, 5.4, 7); // scores turn into probabilities
  // each in its own row to its place on the line, then down: so none covers another
  const [placed, laid] = [during(picking, 0.35, 1.4), during(picking, 1.2, 2.3)];
  const most = Math.max(data.likeliest[0].prob, data.others);
  const drawnIn = data.likeliest.some(({ token }) => token === data.drawn.token);
  const rows = [...data.likeliest];
  if (!drawnIn) rows.push({ ...data.drawn, late: true }); // a slice of its own when the dart hits it
  const hgt = Math.min(24, bars.pitch * 0.74);
  /** A bar, `long` in its row, on its way to its part of the line. */
  const onItsWay = (y, long, part) => [
    between(bars.x, part.x, placed),
    between(y - hgt / 2, line.y, laid),
    between(long, part.w, placed),
    between(hgt, line.h, laid),
  ];
  const gone = during(picking, 7, 8);
  const hit = during(picking, 4.6, 5);

  // everything else: a bar of its own, then the ground of the line
  faded(at, grown * (1 - gone) * between(1, 0.5, hit), (ctx) => {
    const y = bars.y + 10 * bars.pitch + bars.pitch / 2;
    const long = (bars.w * data.others * grown) / most;
    drawBox(ctx, onItsWay(y, long, { x: line.x, w: line.w }), 5, { fill: tint(look.quiet, 0.28) });
    const words = wide ? `${count(data.sizes.n_vocab - data.likeliest.length)} others` : "others";
    const alpha = 1 - during(picking, 0, 0.4);
    write(at, words, bars.x - 14, y, { size: 15, align: "right", alpha });
    write(at, share(data.others), bars.x + (bars.w * data.others) / most + 9, y, { size: 15, alpha: alpha * grown });
  });
  rows.forEach((row, j) => {
    const compared = SCAN_FROM + SCAN * layout.heightOf(row.token);
    const shown = row.late ? 1 : during(matching, compared, compared + 0.5);
    if (shown <= 0) return;
    const hot = row.token === data.drawn.token;
    const y = bars.y + j * bars.pitch + bars.pitch / 2;
    const scored = row.late ? 0 : bars.w * 0.72 * clamp(row.score / data.likeliest[0].score);
    const long = Math.max(1.5, between(scored, row.late ? 0 : (bars.w * row.prob) / most, grown));
    const onLine = { x: line.x + row.start * line.w, w: Math.max(1.6, row.prob * line.w) };
    if (!row.late) drawFromTable(at, row, y, bars, shown * (1 - during(picking, 0, 0.8)));
    faded(at, shown * (1 - gone) * (row.late ? hit : 1) * (hot ? 1 : between(1, 0.4, hit)), (ctx) => {
      const gap = laid > 0.5 && onLine.w > 3 ? 1 : 0;
      const [x, top, w, high] = onItsWay(y, long, onLine);
      drawBox(ctx, [x, top, w - gap, high], between(4, 2, laid), {
        fill: tint(look.sampling, between(0.35, 1, grown)),
      });
    });
    if (row.late) return;
    const alpha = shown * (1 - during(picking, 0, 0.4));
    writePiece(at, shorten(row.piece, wide ? 12 : 10), bars.x - 14, y, { size: 17, align: "right", alpha });
    write(at, `${j ? "" : "score "}${minus(row.score.toFixed(1))}`, bars.x + long + 9, y, {
      size: 15,
      alpha: alpha * (1 - during(grown, 0, 0.4)),
    });
    write(at, share(row.prob), bars.x + long + 9, y, { size: 15, alpha: alpha * during(grown, 0.4, 1) });
    if (alpha > 0.5)
      mark(
        at,
        [bars.x - 120, y - hgt / 2, 120 + long, hgt],
        () => `${quoted(row.piece)}: score ${minus(row.score.toFixed(2))}, probability ${share(row.prob)}`,
      );
    if (laid > 0.9) mark(at, [onLine.x, line.y, onLine.w, line.h], () => `${quoted(row.piece)}, ${share(row.prob)}`);
  });
  drawLineWords(at, line, gone, hit);
  drawDart(at, line);
}

/** How well each stretch of the table matches: its best score, from the median stretch on. */
function drawMatches(at) {
  const { data, layout, moment, look } = at;
  const { strip } = layout;
  const [low, high] = matchRange(data);
  const scanned = clamp((moment.matching - SCAN_FROM) / SCAN);
  const from = strip.x + strip.w + 10;
  faded(at, 1 - during(moment.picking, 0, 1), (ctx) => {
    ctx.fillStyle = tint(look.sampling, 0.6);
    const each = strip.h / data.matches.length;
    for (let j = 0; j < data.matches.length * scanned; j++)
      ctx.fillRect(
        from,
        strip.y + j * each,
        2 + matchWidth(layout) * clamp((data.matches[j] - low) / (high - low)),
        each * 0.8,
      );
    const words = "match";
    write(at, words, from, strip.y - 12, {
      size: 14,
      bold: true,
      color: look.sampling,
      alpha: during(moment.matching, SCAN_FROM, SCAN_FROM + 0.6),
    });
  });
}
const matchWidth = (layout) => (layout.wide ? 84 : 52);
function matchRange(data) {
  const sorted = [...data.matches].toSorted((a, b) => a - b);
  return [sorted[sorted.length >> 1], Math.max(sorted.at(-1), sorted[sorted.length >> 1] + 1e-6)];
}

/** From a likely token's place in the table to its bar. */
function drawFromTable(at, row, y, bars, alpha) {
  const { data, layout, look } = at;
  const [low, high] = matchRange(data);
  const band = data.bands.findLastIndex((first) => first <= row.token);
  const from =
    layout.strip.x + layout.strip.w + 15 + matchWidth(layout) * clamp((data.matches[band] - low) / (high - low));
  const label = pieceWidth(layout, shorten(row.piece, layout.wide ? 12 : 10), 17);
  const [to, tableY] = [Math.max(from + 4, bars.x - 24 - label), layout.tableY(row.token)];
  faded(at, 0.5 * alpha, (ctx) => {
    const middle = between(from, to, 0.5);
    strokeCurve(ctx, look.sampling, 1.1, [from, tableY], [middle, tableY, middle, y], [to, y]);
  });
}

/** The line's ends, and the names of its parts below it, each tied to its part and none over another. */
function drawLineWords(at, line, gone, hit) {
  const { data, layout, moment, look } = at;
  const here = during(moment.picking, 1.8, 2.6) * (1 - gone);
  if (here <= 0) return;
  const words = layout.wide
    ? `all ${count(data.sizes.n_vocab)} tokens, each as long as it is likely`
    : "all tokens, each as long as it is likely";
  write(at, words, layout.width / 2, line.y - 22, {
    size: 15,
    align: "center",
    alpha: here * (1 - during(moment.picking, 2.9, 3.3)),
  });
  const [room, letters] = layout.wide ? [124, 12] : [76, 8];
  const most = Math.floor(line.w / room);
  const names = data.likeliest
    .slice(0, most)
    .toSorted((a, b) => a.start - b.start)
    .map((guess) => ({ ...guess, x: line.x + (guess.start + guess.prob / 2) * line.w }));
  const spread = names.map((name) => name.x);
  // push neighbours apart, and all into the picture
  for (let round = 0; round < 60; round++)
    spread.forEach((_, i) => {
      if (i && spread[i] - spread[i - 1] < room) {
        const push = (room - spread[i] + spread[i - 1]) / 2;
        spread[i] += push;
        spread[i - 1] -= push;
      }
      spread[i] = clamp(spread[i], line.x + room / 2 - 8, line.x + line.w - room / 2 + 8);
    });
  names.forEach((name, i) => {
    const y = line.y + line.h + 74;
    faded(at, here * (1 - hit), (ctx) => {
      const under = line.y + line.h;
      const control = [name.x, under + 40, spread[i], under + 24];
      strokeCurve(ctx, tint(look.sampling, 0.6), 1.2, [name.x, under + 1], control, [spread[i], y - 16]);
      writePiece(at, shorten(name.piece, letters), spread[i], y, { size: 16, bold: true, align: "center" });
      write(at, share(name.prob), spread[i], y + 20, { align: "center" });
    });
  });
  for (const v of [0, 0.25, 0.5, 0.75, 1])
    write(at, String(v), line.x + v * line.w, line.y + line.h + 15, { align: "center", alpha: here, halo: true });
}

function drawDart(at, line) {
  const { data, layout, moment, look } = at;
  const { picking } = moment;
  if (picking <= 2.8) return;
  const x = line.x + data.random * line.w;
  const flown = clamp((picking - 3.1) / 1.5) ** 2;
  const y = between(52, line.y - 2, flown);
  faded(at, during(picking, 2.8, 3.1) * (1 - during(picking, 6.8, 7.3)), (ctx) => {
    strokeLine(ctx, look.ink, 3, [
      [x, y - 40],
      [x, y - 8],
    ]);
    fillShape(ctx, look.ink, [
      [x, y],
      [x - 6, y - 13],
      [x + 6, y - 13],
    ]);
    for (const feather of [28, 34, 40])
      strokeLine(ctx, look.ink, 2, [
        [x - 7, y - feather - 7],
        [x, y - feather],
        [x + 7, y - feather - 7],
      ]);
    const words = `a random number: ${data.random.toFixed(3)}`;
    const room = wordsWidth(at, words, 16) + 20;
    const left = x + room > layout.width;
    write(at, words, left ? x - 16 : x + 16, y - 30, {
      size: 16,
      color: look.ink,
      align: left ? "right" : "left",
      halo: true,
    });
  });
  if (picking > 4.8) drawDrawnChip(at, line);
}

/** The slice that was hit becomes a chip, and joins the text. */
function drawDrawnChip(at, line) {
  const { data, layout, moment, look } = at;
  const { piece, prob, token } = data.drawn;
  const n = layout.shown.length;
  const [born, flown] = [during(moment.picking, 4.8, 5.5), moment.joined];
  const slice = { w: Math.max(1.6, prob * line.w), x: line.x + (data.drawn.start + prob / 2) * line.w };
  const width = pieceWidth(layout, shorten(piece, 14), 26) + 28;
  const chip = { w: between(slice.w, width, born), h: between(line.h, 46, born), size: between(10, 26, born), turn: 0 };
  chip.x = clamp(slice.x, chip.w / 2 + 6, layout.width - chip.w / 2 - 80);
  chip.y = between(line.y + line.h / 2, line.y + line.h + 118, born);
  moveChip(chip, inLane(layout, layout.lanesAfter, n), flown);
  moveChip(chip, inText(layout.chipsAfter[n]), moment.up);
  write(at, share(prob), chip.x + chip.w / 2 + 12, chip.y, {
    size: 18,
    bold: true,
    color: look.sampling,
    alpha: born * (1 - during(moment.picking, 6.8, 7.2)),
  });
  drawChip(at, chip, piece, token, {
    color: look.page,
    fill: look.sampling,
    edge: look.sampling,
    alpha: born,
    idAlpha: during(flown, 0.9, 1),
  });
  mark(
    at,
    boxOf(chip),
    () => `the dart, ${data.random.toFixed(4)}, has hit ${quoted(piece)}, token ${count(token)}, ${share(prob)}`,
  );
}

// ---- the picture on the page: player, controls, words ----

const NO_MOTION = window.matchMedia("(prefers-reduced-motion: reduce)");

export function render({ model, el }) {
  const view = frame(model, el, "journey");
  const player = { t: null, playing: false, goal: null, calm: 0, speed: SPEEDS[0], fresh: true, before: 0 };
  let [data, times, layout, look, marks, said, legendSaid, clip] = [null, null, null, null, [], "", "", null];

  // -- elements
  const badge = h("b", { class: "lv-j-badge", "aria-hidden": "true" });
  const sentence = h("p", {});
  const canvas = h("canvas", { "aria-hidden": "true" });
  const button = (name, label, onclick, extra = "") =>
    h("button", { type: "button", class: `lv-j-button ${extra}`, "aria-label": name, title: name, onclick }, label);
  const play = button("Play", "▶", () => pressPlay(), "lv-j-play");
  const speed = button("Speed", "1×", () => changeSpeed());
  const slider = h("input", { type: "range", min: 0, max: 1, step: "any", "aria-label": "time in the film" });
  const placed = ({ room, stage: color }, i) => `left:${100 * ROOM_BEFORE[i]}%;width:${room}%;--now:var(--lv-${color})`;
  const parts = SCENES.map((scene, i) =>
    h(
      "div",
      { class: "lv-j-scene lv-aside", style: placed(scene, i) },
      h("span", { class: "lv-j-name" }, String(i + 1), h("span", {}, ` ${scene.name}`)),
      h("i"),
      h("u"),
    ),
  );
  parts.forEach((node, i) => node.addEventListener("click", () => go(sceneStop(i))));
  const track = h("div", { class: "lv-j-track" }, parts, slider);
  const back = button("One step back", "‹", () => step(-1));
  const on = button("One step on", "›", () => step(1));
  const words = h("div", { class: "lv-j-words" });
  const bar = h("div", { class: "lv-j-bar lv-player" }, play, back, on, track, speed, words);
  const stage = keyed(
    "group",
    "lv-j-stage",
    "your text on its way through the model: Space plays, arrow keys step, Page Up and Down change the scene",
    h("div", { class: "lv-j-caption" }, badge, sentence),
    bar, // above: on a low screen "Play" is in sight as soon as the film is
    canvas,
  );
  view.body.append(stage);
  const film = h("button", { type: "button", title: "Save the film of this text", onclick: () => record() }, "Film");
  if (window.MediaRecorder && HTMLCanvasElement.prototype.captureStream)
    view.root.querySelector(".lv-save").append(film);

  // -- going through time
  const still = () => NO_MOTION.matches;
  const here = () => player.goal ?? player.t;
  const sceneStop = (i) => (i === 0 ? 0 : times.stops.find((stop) => stop >= times[SCENES[i].key]));
  function go(t) {
    Object.assign(player, { playing: false, fresh: false });
    if (still()) Object.assign(player, { t, goal: null, calm: 0 });
    else player.goal = t;
    wake();
  }
  const step = (way) =>
    go(
      way > 0 && here() > times.end - 0.02
        ? 0 // once more, from the beginning
        : way > 0
          ? (times.stops.find((stop) => stop > here() + 0.02) ?? times.end)
          : (times.stops.findLast((stop) => stop < here() - 0.02) ?? 0),
    );
  function pressPlay() {
    if (still()) return player.t >= times.end - 0.02 ? turnOver() : step(1);
    if (player.fresh || player.t >= times.end) player.t = player.fresh ? 0 : player.t;
    Object.assign(player, { goal: null, playing: !player.playing, fresh: false });
    wake();
  }
  function changeSpeed() {
    player.speed = SPEEDS[(SPEEDS.indexOf(player.speed) + 1) % SPEEDS.length];
    speed.textContent = `${player.speed === 0.5 ? "½" : player.speed}×`;
    speed.setAttribute("aria-label", `Speed: ${player.speed} times`);
  }
  slider.addEventListener("input", () => {
    Object.assign(player, { playing: false, goal: null, fresh: false, t: toTime(times, Number(slider.value)) });
    if (still()) player.t = times.stops.reduce((a, b) => (Math.abs(b - player.t) < Math.abs(a - player.t) ? b : a));
    wake();
  });
  stage.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    const scene = sceneAt(times, here());
    const actions = {
      ArrowRight: () => step(1),
      ArrowUp: () => step(1),
      ArrowLeft: () => step(-1),
      ArrowDown: () => step(-1),
      Home: () => go(0),
      End: () => go(times.end),
      PageDown: () => go(scene < SCENES.length - 1 ? sceneStop(scene + 1) : times.end),
      PageUp: () => go(sceneStop(Math.max(0, scene - 1))),
    };
    SCENES.forEach((_, i) => {
      actions[i + 1] = () => go(sceneStop(i));
    });
    if (event.target.tagName !== "BUTTON") actions[" "] = pressPlay;
    const action = actions[event.key];
    event.stopPropagation();
    if (!action) return;
    event.preventDefault();
    action();
  });

  /** The next journey, where the kernel has sent it; else the same once more. */
  function turnOver() {
    const next = model.get("next_numbers");
    const follows = next && next.written === data.written + 1 && !data.ends;
    take(follows ? next : model.get("numbers"));
    player.t = follows ? AGAIN : 0;
    if (still()) player.t = times.stops[follows ? 1 : 0];
    wake();
  }
  function askForNext() {
    if (!data.ends && model.get("turn") !== data.written + 1) view.set({ turn: data.written + 1 });
  }
  /** Play from the beginning, fast, and save what is seen, the caption above it, as a clip to send. */
  function record() {
    if (clip || !data || still()) return;
    const [width, height] = [canvas.width, 1.1 * canvas.height].map((size) => 2 * Math.ceil(size / 2)); // MP4 asks for it
    const shown = h("canvas", { width, height });
    const kind = MediaRecorder.isTypeSupported("video/mp4") ? "mp4" : "webm";
    const recorder = new MediaRecorder(shown.captureStream(30), { mimeType: `video/${kind}`, videoBitsPerSecond: 4e6 });
    recorder.ondataavailable = ({ data: bytes }) => saveBlob(bytes, `llmviz.${kind}`);
    clip = { shown, recorder, before: player.speed };
    film.disabled = true;
    Object.assign(player, { t: 0, goal: null, playing: true, fresh: false, speed: CLIP_SPEED });
    recorder.start();
    wake();
  }
  function addToClip() {
    const { shown, recorder, before } = clip;
    const pen = shown.getContext("2d");
    const top = shown.height - canvas.height;
    pen.fillStyle = look.page;
    pen.fillRect(0, 0, shown.width, shown.height);
    pen.drawImage(canvas, 0, top);
    pen.fillStyle = look.ink;
    pen.font = `${Math.round(0.42 * top)}px ${fontOf(view, "ui")}`;
    pen.fillText(said, 0.4 * top, 0.7 * top, shown.width - 0.8 * top);
    if (player.playing && player.t < times.end - 0.5) return;
    recorder.stop(); // at the end, or where the reader has stopped it
    clip = null;
    film.disabled = false;
    Object.assign(player, { playing: false, speed: before });
  }
  let waiting = false;
  function wake() {
    if (waiting) return;
    waiting = true;
    player.before = performance.now();
    requestAnimationFrame(frameAt);
  }
  function frameAt(now) {
    waiting = false;
    if (!view.root.isConnected || !data) return;
    const passed = Math.min(0.1, (now - player.before) / 1000);
    player.before = now;
    if (player.goal !== null) {
      const left = player.goal - player.t;
      player.t += left * Math.min(1, passed * 7);
      if (Math.abs(player.goal - player.t) < 0.01) Object.assign(player, { t: player.goal, goal: null });
    } else if (player.playing) {
      player.t += passed * player.speed;
      if (player.t >= times.end) turnOver();
    }
    const calm = player.playing ? 1 : 0;
    player.calm = still() ? 0 : player.calm + (calm - player.calm) * Math.min(1, passed * 8);
    if (Math.abs(calm - player.calm) < 0.01) player.calm = calm;
    if (player.t > times.pick + 2.6) askForNext();
    show();
    if (clip) addToClip();
    if (player.playing || player.goal !== null || player.calm !== calm) {
      waiting = true;
      requestAnimationFrame(frameAt);
    }
  }

  // -- showing
  function take(numbers) {
    const place = times && player.t !== null ? toSlider(times, player.t) : null;
    [data, look] = [unpack(numbers), null];
    if (!data) return;
    times = timesOf(data);
    player.t = place === null ? times.stops[1] : toTime(times, place); // at first: cut, with numbers
    player.goal = null;
    track.querySelectorAll(".lv-j-tick").forEach((tick) => tick.remove());
    times.at
      .slice(0, data.layers)
      .forEach((t) => track.append(h("span", { class: "lv-j-tick", style: `left:${100 * toSlider(times, t)}%` })));
    words.replaceChildren(...inWords(data));
  }
  function show() {
    const width = Math.max(620, Math.min(1180, view.width())); // narrower than that, it scrolls sideways
    if (!look || look.theme !== view.theme) look = lookOf(view, data);
    const faces = { mono: fontOf(view, "mono"), ui: fontOf(view, "ui") };
    if (layout?.width !== width || layout.data !== data)
      layout = Object.assign(layoutOf(data, width, h("canvas").getContext("2d"), faces), { data });
    const moment = momentAt(data, times, player.t, player.calm);
    const ctx = sizeCanvas(canvas, width, layout.height);
    marks = drawJourney({ ctx, data, times, moment, layout, look, still: still() });
    showWords(moment);
  }
  function showWords(moment) {
    const { scene } = moment;
    const ffn = scene === 4 && moment.rising && moment.u >= 0.56 && moment.calm < 0.5;
    const color = `var(--lv-${ffn ? "ffn" : SCENES[scene].stage})`;
    if (stage.style.getPropertyValue("--now") !== color) stage.style.setProperty("--now", color);
    view.root.dataset.narrow = String(!layout.wide);
    setText(badge, String(scene + 1));
    const caption = captionAt(data, moment);
    const spoken = wordsOf(caption);
    if (said !== spoken) {
      said = spoken;
      sentence.replaceChildren(...captionNodes(caption));
      slider.setAttribute("aria-valuetext", `scene ${scene + 1} of ${SCENES.length}, ${SCENES[scene].name}: ${spoken}`);
    }
    sentence.setAttribute("aria-live", player.playing ? "off" : "polite");
    slider.value = toSlider(times, player.t);
    const name = still() ? "Next step" : player.playing ? "Pause" : "Play";
    if (play.title !== name) {
      setText(play, player.playing ? "❚❚" : "▶");
      play.setAttribute("aria-label", name);
      play.title = name;
    }
    speed.hidden = still();
    film.hidden = still();
    parts.forEach((node, i) => {
      node.classList.toggle("lv-on", i === scene);
      const done = clamp((player.t - times.starts[i]) / (times.starts[i + 1] - times.starts[i]));
      node.lastChild.style.width = `calc(${100 * done}% - 2px)`;
    });
    const loud = moment.attention > 0.3;
    const key = [scene, moment.state, moment.rising, loud, view.theme, layout.width, moment.t > 12].join();
    if (key !== legendSaid) view.setLegend(...legendAt(data, moment, layout, view.theme));
    legendSaid = key;
  }
  stage.addEventListener("pointermove", (event) => {
    if (event.target !== canvas) return view.note("");
    const [x, y] = pointIn(canvas, event);
    const found = marks.findLast(
      ({ box }) => x >= box[0] && x <= box[0] + box[2] && y >= box[1] && y <= box[1] + box[3],
    );
    view.note(found ? found.words() : "");
  });
  stage.addEventListener("pointerleave", () => view.note(""));

  return view.start(() => {
    const numbers = model.get("numbers");
    if (numbers !== view.numbers) {
      view.numbers = numbers;
      legendSaid = "";
      take(numbers);
    }
    bar.hidden = !data;
    if (data) show();
  });
}

/** The same numbers as words, for those who hear the page. */
function inWords(data) {
  const tokens = data.pieces.map((piece, i) => `${plain(piece)} is number ${data.tokens[i]}`);
  const predictions = data.predictions.map(([piece, prob], i) => `${i}: ${plain(piece)}, ${share(prob)}`);
  const looks = data.strongest.map(
    (look, i) => `${i}: ${look ? `${plain(look.piece)}, head ${look.head}, ${share(look.weight)}` : "none"}`,
  );
  const likeliest = data.likeliest.map(({ piece, prob }) => `${plain(piece)} ${share(prob)}`);
  const items = [
    `${data.n === 1 ? "1 token" : `${count(data.n)} tokens`}` +
      `${tokens.length < data.n ? `, of which the first and the last ${tokens.length - 1} are drawn` : ""}: ` +
      `${tokens.join(", ")}.`,
    `The likeliest next token after each layer: ${predictions.join("; ")}.`,
    `The last token’s largest attention weight in each layer, not counting attention sinks (pale columns) and itself: ${looks.join("; ")}.`,
    `Likeliest next tokens: ${likeliest.join(", ")}.`,
    `Drawn: ${plain(data.drawn.piece)}.`,
  ];
  return [
    h(
      "ol",
      {},
      items.map((item) => h("li", {}, item)),
    ),
  ];
}
