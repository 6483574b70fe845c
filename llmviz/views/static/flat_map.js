// Points with names, in groups. Python sends their places; here they are drawn, with names where there is room.

import { widest } from "./kit/canvas.js";
import { axisText, h, pieceNodes, pieceText, plain, quoted, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { dot, rule, sign } from "./kit/marks.js";
import { clamp, floats, number } from "./kit/numbers.js";
import { areaIn, createPlot } from "./kit/plot.js";
import { nearest, startChart } from "./kit/selection.js";
import { KIT } from "./theme.js";

const OFF = [10, 26, 44, 66, 90]; // how far from its point a name can stand, and on which sides
const BESIDE = [0, 180, 270, 90, 315, 225, 45, 135].map((degrees) => {
  const angle = (degrees / 180) * Math.PI;
  return [Math.cos(angle), Math.sin(angle)].map(Math.round);
});
const LINES = ["solid", "dotted"];

export function render({ model, el }) {
  const view = frame(model, el, "flat_map");
  const plot = createPlot(view, "map of points; the arrow keys go to the next one in that direction");
  plot.node.classList.add("lv-drawing");
  const under = ({ at }, x, y, event) => {
    const name = event.target.closest("text[data-index]"); // a name is its own point's, whichever is nearer
    return name ? Number(name.dataset.index) : nearest(at.length, (i) => apart(at[i], [x, y]), 26);
  };
  const moreKeys = (current) => {
    const go = (dx, dy) => () => {
      const next = nextTo(plot.plan.at, current() ?? 0, dx, dy);
      if (next !== null) view.select(next);
    };
    return { ArrowRight: go(1, 0), ArrowLeft: go(-1, 0), ArrowUp: go(0, -1), ArrowDown: go(0, 1) };
  };
  const traits = ["pieces", "places", "group_of", "groups", "axes"];
  return startChart(view, plot, { traits, draw, mark, tell, under, moreKeys });
}

const apart = ([x1, y1], [x2, y2]) => Math.hypot(x1 - x2, y1 - y2);

/** The point that is next in a direction, and not too far aside of it. */
function nextTo(at, from, dx, dy) {
  const [x0, y0] = at[from] ?? [];
  return nearest(at.length, (i) => {
    const [x, y] = [at[i][0] - x0, at[i][1] - y0];
    const [ahead, aside] = dx ? [x * dx, Math.abs(y)] : [y * dy, Math.abs(x)];
    return ahead > 0.5 && ahead >= aside * 0.5 ? ahead + 2 * aside : Infinity;
  });
}

/** Say what a point is; its name is there as long as it is pointed at. */
function tell({ model, note }, { plan: { labels } }, i) {
  labels.forEach(({ text }, k) => text.classList.toggle("lv-pointed", k === i));
  const [pieces, places] = [model.get("pieces"), floats(model.get("places"))];
  if (i === null) return note(pieces.length ? "Point at a word, or use the arrow keys." : "");
  const where = model.get("axes").map((_, k) => `axis ${k + 1}: ${number(places.data[2 * i + k])}`);
  note(quoted(pieces[i]), plain(model.get("groups")[model.get("group_of")[i]] ?? ""), ...where);
}

/** The points that lines of one kind lead to, from the one that Python has compared. */
const linked = (model, kind, at) => (at[model.get("about")] ? model.get(kind).filter((i) => at[i]) : []);

function groupSign(group, x, y, attributes) {
  const [color, name] = KIT.groups[Math.min(group, KIT.groups.length - 1)];
  const look = name.endsWith("-open") ? { fill: "none", "stroke-width": 2.5 } : { fill: color, "stroke-width": 0 };
  return sign(name.replace("-open", ""), x, y, { stroke: color, ...look, ...attributes });
}

/** Both axes have the same scale; a wide map is not taller than it needs. */
function draw(view, plot) {
  const { model } = view;
  const [pieces, places] = [model.get("pieces"), floats(model.get("places"))?.data ?? []];
  const width = view.width();
  const tallest = clamp(window.innerHeight - 260, 440, 620); // on a projector, too, all of it is seen at once
  const [xs, ys] = [0, 1].map((k) => pieces.map((_, i) => places[2 * i + k]));
  const [left, right, low, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const [side, edge] = [clamp(0.14 * width, 40, 76), 112];
  const unit = Math.min((width - 2 * side) / (right - left || 1), (tallest - edge) / (top - low || 1));
  const height = clamp(unit * (top - low) + 2 * edge, 360, tallest) || tallest; // without points, nothing is least
  const area = areaIn(width, height, { left: 24, right: 2, top: 2, bottom: 24 });
  const at = xs.map((x, i) => [
    width / 2 + (x - (left + right) / 2) * unit,
    area.bottom / 2 - (ys[i] - (low + top) / 2) * unit,
  ]);
  const face = width < 480 ? 14 : 18; // pixels
  const wide = pieces.map((piece) => widest(view, [piece], face) + 4);
  const first = [model.get("about"), ...LINES.flatMap((kind) => linked(model, kind, at))].filter((i) => at[i]);
  const spots = placeNames({ at, area }, first, wide, face + 3);
  const labels = spots.map((spot, i) => {
    const [x, y] = spot?.middle ?? [at[i][0], at[i][1] - 18];
    const place = { x: x.toFixed(1), y: y.toFixed(1), anchor: "middle", "dominant-baseline": "central" };
    return { text: pieceText(pieces[i], { ...place, "data-index": i }), spot };
  });
  const group = model.get("group_of");
  plot.size(width, height);
  const leaders = labels.map(({ spot }, i) => (spot?.leader ? rule("lv-leader", ...at[i], ...spot.leader) : null));
  const names = labels.map(({ text }) => text);
  const points = at.map(([x, y], i) => groupSign(group[i], x.toFixed(1), y.toFixed(1), { "data-index": i }));
  plot.marks.replaceChildren(s("g"), s("g", {}, points), s("g", { style: `font-size: ${face}px` }, leaders, names)); // the lines between points are below
  const [across = "", up = ""] = model.get("axes").map(plain);
  const turned = { transform: `translate(14 ${area.bottom / 2}) rotate(-90)` };
  plot.ground.replaceChildren(
    axisText(width / 2, height - 6, across && `${across} →`),
    axisText(0, 0, up && `${up} →`, "middle", turned),
  );
  const hidden = labels.filter(({ spot }) => !spot).length;
  const groupKey = (name, i) => group.includes(i) && signKey(groupSign(i, 17, 6), h("bdi", {}, pieceNodes(name)));
  const lineKey = (name, i) => labels.length > 0 && signKey(rule(`lv-${LINES[i]}`, 2, 6, 32, 6), plain(name));
  view.setLegend(
    ...model.get("groups").map(groupKey),
    ...model.get("line_names").map(lineKey),
    hidden > 0 && `no room for ${hidden} ${hidden === 1 ? "name" : "names"}: point at the marks without one`,
  );
  return { n: pieces.length, at, labels };
}

const overlaps = (a) => (b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** Small boxes along a line, without its ends. */
const along = ([x1, y1], [x2, y2]) =>
  Array.from({ length: 17 }, (_, i) => {
    const [x, y] = [x1 + (0.15 + 0.05 * i) * (x2 - x1), y1 + (0.15 + 0.05 * i) * (y2 - y1)];
    return [x - 2, y - 2, x + 2, y + 2];
  });

/**
 * Where each name can stand without covering a point, another name, or a line between points: beside its point, else a
 * little off with a line to it, which crosses no name if that can be; null: nowhere. Those that are named first choose
 * first.
 */
function placeNames({ at, area }, first, wide, high) {
  const taken = at.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
  for (const i of first.slice(1)) taken.push(...along(at[first[0]], at[i]));
  const [names, ways] = [[], []];
  const isFree = ({ box }) =>
    box[0] > area.left &&
    box[2] < area.right &&
    box[1] > area.top &&
    box[3] < area.bottom &&
    ![...taken, ...names].some(overlaps(box));
  const isClear = ({ box, way }) => !ways.some(overlaps(box)) && !names.some((name) => way.some(overlaps(name)));
  const spots = at.map(() => null);
  for (const i of new Set([...first, ...at.keys()])) {
    const all = OFF.flatMap((off) => BESIDE.map((side) => spotBeside(...at[i], wide[i], high, off, side)));
    const free = all.filter(isFree);
    spots[i] = free.find(isClear) ?? free[0] ?? null;
    if (!spots[i]) continue;
    names.push(spots[i].box);
    ways.push(...spots[i].way);
  }
  return spots;
}

/** A place for a name `off` its point on one side: its middle and its box, and where a line to it ends. */
function spotBeside(x, y, wide, high, off, [dx, dy]) {
  const middle = [x + dx * (off + wide / 2) * (dx && dy ? 0.8 : 1), y + dy * (off + high / 2 - 2)];
  const box = [middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2];
  const leader = off > OFF[0] ? [clamp(x, box[0], box[2]), clamp(y, box[1] + 4, box[3] - 4)] : null;
  return { middle, box, leader, way: leader ? along([x, y], leader) : [] };
}

/** The chosen point has a ring, and lines lead to others; their names are there in any case. */
function mark({ model }, plot, selected) {
  const { at, labels } = plot.plan;
  const about = at[model.get("about")];
  const ends = LINES.map((kind) => linked(model, kind, at));
  const kept = new Set([selected, model.get("about"), ...ends.flat()]);
  plot.marks.firstChild.replaceChildren(
    ...ends.flatMap((some, k) => some.map((i) => rule(`lv-${LINES[k]}`, ...about, ...at[i]))),
    ...(selected === null ? [] : [dot(...at[selected], 12, { class: "lv-ring" })]),
  );
  labels.forEach(({ text, spot }, i) => {
    text.classList.toggle("lv-on", i === selected);
    text.classList.toggle("lv-off", !spot && !kept.has(i));
  });
}
