// Points with names, in groups. Python sends their places; here they are drawn, with names where there is room.

import { widest } from "./kit/canvas.js";
import { axisText, h, pieceNodes, pieceText, plain, quoted, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { dot, rule } from "./kit/marks.js";
import { clamp, floats, number } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { nearest, selectIn } from "./kit/selection.js";
import { KIT } from "./theme.js";

const SIGNS = {
  // around 0, 0; "open" ones are only stroked
  circle: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z",
  square: "M-5.5 -5.5h11v11h-11z",
  diamond: "M0 -7.5l7.5 7.5l-7.5 7.5l-7.5 -7.5z",
  cross: "M-2.2 -7h4.4v4.8h4.8v4.4h-4.8v4.8h-4.4v-4.8h-4.8v-4.4h4.8z",
  x: "M-6.5 -3.4l3.1 -3.1l3.4 3.4l3.4 -3.4l3.1 3.1l-3.4 3.4l3.4 3.4l-3.1 3.1l-3.4 -3.4l-3.4 3.4l-3.1 -3.1l3.4 -3.4z",
};
const OFF = [10, 26, 44, 66, 90]; // how far from its point a name can stand, and on which sides
const BESIDE = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [-1, -1],
  [1, 1],
  [-1, 1],
];
const LINES = ["solid", "dotted"];

export function render({ model, el }) {
  const view = frame(model, el, "flat_map");
  const plot = createPlot(view, "map of points; the arrow keys go to the next one in that direction");
  plot.node.classList.add("lv-drawing");
  const layers = { strokes: s("g"), points: s("g"), names: s("g") };
  plot.marks.append(...Object.values(layers));
  let map = { at: [], labels: [] }; // where each point is, in pixels, and its name
  const current = () => model.get("selected") ?? -1;
  const select = (i) => map.at[i] && view.select(i);
  const go = (dx, dy) => () => select(map.at[current()] ? nextTo(map.at, current(), dx, dy) : 0);
  const under = (x, y, event) => {
    const name = event.target.closest("text[data-index]"); // a name is its own point's, whichever is nearer
    return name ? Number(name.dataset.index) : nearest(map.at.length, (i) => apart(map.at[i], [x, y]), 26);
  };
  selectIn(plot, {
    under,
    show: (i) => {
      map.labels.forEach((label, k) => hideName(model, label, k, i));
      tell(view, i ?? current());
    },
    pick: select,
    keys: {
      ArrowRight: go(1, 0),
      ArrowLeft: go(-1, 0),
      ArrowUp: go(0, -1),
      ArrowDown: go(0, 1),
      Home: () => select(0),
      End: () => select(map.at.length - 1),
      Enter: () => view.ask(Math.max(0, current())),
    },
  });
  return view.start(() => {
    if (view.changed("pieces", "places", "group_of", "groups", "axes")) map = draw(view, plot, layers);
    drawChosen(model, layers, map);
    tell(view, current());
  });
}

const apart = ([x1, y1], [x2, y2]) => Math.hypot(x1 - x2, y1 - y2);

/** The point that is next in a direction, and not too far aside of it. */
function nextTo(at, from, dx, dy) {
  const [x0, y0] = at[from];
  return nearest(at.length, (i) => {
    const [x, y] = [at[i][0] - x0, at[i][1] - y0];
    const [ahead, aside] = dx ? [x * dx, Math.abs(y)] : [y * dy, Math.abs(x)];
    return ahead > 0.5 && ahead >= aside * 0.5 ? ahead + 2 * aside : Infinity;
  });
}

function tell(view, i) {
  const { model } = view;
  const [pieces, places] = [model.get("pieces"), floats(model.get("places"))];
  if (!pieces[i]) return view.note(pieces.length ? "Point at a word, or use the arrow keys." : "");
  const where = model.get("axes").map((_, k) => `axis ${k + 1}: ${number(places.data[2 * i + k])}`);
  view.note(quoted(pieces[i]), plain(model.get("groups")[model.get("group_of")[i]] ?? ""), ...where);
}

/** The points that lines lead to from the chosen one, of each kind; none until Python has said which. */
const linked = (model) => {
  const settled = model.get("selected") !== null && model.get("about") === model.get("selected");
  return LINES.map((kind) => (settled ? model.get(kind) : []));
};
const isKept = (model, i) => i === model.get("selected") || linked(model).flat().includes(i);

/** A name without room stays hidden, unless it is the chosen one, one that a line leads to, or pointed at. */
const hideName = (model, { text, crowded }, i, pointed = null) =>
  text.classList.toggle("lv-off", crowded && i !== pointed && !isKept(model, i));

function sign(group, attributes) {
  const [color, name] = KIT.groups[Math.min(group, KIT.groups.length - 1)];
  const open = name.endsWith("-open");
  return s("path", {
    d: SIGNS[name.replace("-open", "")],
    fill: open ? "none" : color,
    stroke: color,
    "stroke-width": open ? 2.5 : 0,
    ...attributes,
  });
}

/** Where the points are: both axes have the same scale, which fits the area; a wide map is not taller than it needs. */
function measure(view) {
  const width = view.width();
  const tallest = clamp(window.innerHeight - 260, 440, 620); // on a projector, too, all of it is seen at once
  const places = floats(view.model.get("places"))?.data ?? [];
  const [xs, ys] = [0, 1].map((k) => view.model.get("pieces").map((_, i) => places[2 * i + k]));
  const [left, right, low, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const [side, edge] = [clamp(0.14 * width, 40, 76), 112];
  const unit = Math.min((width - 2 * side) / (right - left || 1), (tallest - edge) / (top - low || 1));
  const height = clamp(unit * (top - low) + 2 * edge, 360, tallest) || tallest;
  const area = areaIn(width, height, { left: 24, right: 2, top: 2, bottom: 24 });
  const at = xs.map((x, i) => [
    width / 2 + (x - (left + right) / 2) * unit,
    area.bottom / 2 - (ys[i] - (low + top) / 2) * unit,
  ]);
  return { width, height, area, at };
}

const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
/** Small boxes along a line, without its ends. */
const along = ([x1, y1], [x2, y2]) =>
  Array.from({ length: 17 }, (_, i) => {
    const part = 0.15 + 0.05 * i;
    const [x, y] = [x1 + part * (x2 - x1), y1 + part * (y2 - y1)];
    return [x - 2, y - 2, x + 2, y + 2];
  });

/**
 * Where each name can stand without covering a point, another name, or a line from the word that is chosen at first; nor
 * one to another name, if that can be: beside its point, else a little off with a line to it; null: nowhere. Those that
 * are named first choose first.
 */
function placeNames({ at, area }, first, widths, high) {
  const [points, names, ways] = [at.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]), [], []];
  for (const i of first.slice(1)) points.push(...along(at[first[0]], at[i]));
  const inside = (box) => box[0] > area.left && box[2] < area.right && box[1] > area.top && box[3] < area.bottom;
  const free = (boxes, others) => !boxes.some((box) => others.some((other) => overlap(box, other)));
  const spots = at.map(([x, y], i) =>
    OFF.flatMap((off) => BESIDE.map((side) => spotBeside(x, y, widths[i], high, off, side))),
  );
  const found = at.map(() => null);
  for (const i of new Set([...first, ...at.keys()])) {
    const open = spots[i].filter(({ box }) => inside(box) && free([box], points) && free([box], names));
    found[i] = open.find((spot) => free([spot.box], ways) && free(wayTo(spot), names)) ?? open[0] ?? null;
    if (!found[i]) continue;
    names.push(found[i].box);
    ways.push(...wayTo(found[i]));
  }
  return found;
}

/** A place for a name `off` its point on one side: its middle and its box, and where a line to it ends. */
function spotBeside(x, y, wide, high, off, [dx, dy]) {
  const middle = [x + dx * (off + wide / 2) * (dx && dy ? 0.8 : 1), y + dy * (off + high / 2 - 2)];
  const box = [middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2];
  const leader = off > OFF[0] ? [clamp(x, box[0], box[2]), clamp(y, box[1] + 4, box[3] - 4)] : null;
  return { point: [x, y], middle, box, leader };
}
const wayTo = ({ point, leader }) => (leader ? along(point, leader) : []);

function draw(view, plot, { points, names }) {
  const { model } = view;
  const [pieces, group] = [model.get("pieces"), model.get("group_of")];
  const map = measure(view);
  const { at, area, width, height } = map;
  const face = width < 480 ? 14 : 18; // pixels
  const about = model.get("about");
  const first = at[about] ? [about, ...LINES.flatMap((kind) => model.get(kind)).filter((i) => at[i])] : [];
  const spots = placeNames(
    map,
    first,
    pieces.map((piece) => widest(view, [piece], face) + 4),
    face + 3,
  );
  const labels = spots.map((spot, i) => {
    const [x, y] = spot?.middle ?? [at[i][0], at[i][1] - 18];
    const place = { x: x.toFixed(1), y: y.toFixed(1), anchor: "middle", "dominant-baseline": "central" };
    return { text: pieceText(pieces[i], { ...place, "data-index": i }), crowded: !spot };
  });
  plot.size(width, height);
  points.replaceChildren(
    ...at.map(([x, y], i) =>
      sign(group[i], { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, "data-index": i }),
    ),
  );
  names.style.fontSize = `${face}px`;
  names.replaceChildren(
    ...spots.flatMap((spot, i) => (spot?.leader ? [rule("lv-leader", ...at[i], ...spot.leader)] : [])),
    ...labels.map(({ text }) => text),
  );
  const [across = "", up = ""] = model.get("axes").map(plain);
  const turned = { transform: `translate(14 ${area.bottom / 2}) rotate(-90)` };
  plot.ground.replaceChildren(
    axisText(width / 2, height - 6, across && `${across} →`),
    axisText(0, 0, up && `${up} →`, "middle", turned),
  );
  drawLegend(view, labels);
  return { at, labels };
}

function drawLegend(view, labels) {
  const { model } = view;
  const used = new Set(model.get("group_of"));
  const hidden = labels.filter(({ crowded }) => crowded).length;
  view.setLegend(
    ...model
      .get("groups")
      .map(
        (name, i) => used.has(i) && signKey(sign(i, { transform: "translate(17 6)" }), h("bdi", {}, pieceNodes(name))),
      ),
    ...model
      .get("line_names")
      .map((name, i) => labels.length > 0 && signKey(rule(`lv-${LINES[i]}`, 2, 6, 32, 6), plain(name))),
    hidden > 0 && `no room for ${hidden} ${hidden === 1 ? "name" : "names"}: point at the marks without one`,
  );
}

/** The chosen point has a ring and lines to others; their names stand out. */
function drawChosen(model, { strokes, names }, { at, labels }) {
  const here = at[model.get("selected")];
  strokes.replaceChildren(
    ...(here
      ? [
          ...linked(model).flatMap((ends, k) =>
            ends.filter((i) => at[i]).map((i) => rule(`lv-${LINES[k]}`, ...here, ...at[i])),
          ),
          dot(...here, 12, { class: "lv-ring" }),
        ]
      : []),
  );
  // Until Python has said which words belong to the new one, the other names stay as they are.
  const settled = !here || model.get("about") === model.get("selected");
  if (settled) names.classList.toggle("lv-chosen", !!here);
  labels.forEach((label, i) => {
    const on = i === model.get("selected");
    label.text.classList.toggle("lv-here", on);
    if (!settled && !on) return;
    label.text.classList.toggle("lv-far", !isKept(model, i));
    hideName(model, label, i);
  });
}
