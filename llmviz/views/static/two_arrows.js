// Two rows as arrows in the plane that they span. Python computes their places and numbers; here they are drawn, and the
// tip of the second arrow is dragged.

import { pointIn } from "./kit/canvas.js";
import { arrow } from "./kit/diagram.js";
import { h, markLegend, pieceText, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { onKeys } from "./kit/input.js";
import { dot, rule } from "./kit/marks.js";
import { clamp, floats } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";

const SNAP = 4; // pixels
const EDGE = 10; // what the handle needs
const BEND = 46; // from the start of both arrows to the arc between them
const KEYS = "two arrows; the arrow keys move the tip of the second one, Home puts it back";

export function render({ model, el }) {
  const view = frame(model, el, "two_arrows");
  const plot = createPlot(view, KEYS);
  plot.node.classList.add("lv-drawing");
  const table = h("table");
  view.body.append(h("div", { class: "lv-wrapped" }, plot.node, table));
  const canMove = view.can("tip", [0, 0]); // a page without a kernel holds no place but the real one
  let plane = null;
  if (canMove) dragIn(view, plot, () => plane);
  return view.start(() => {
    if (!model.get("real")) return;
    plane = measure(view);
    draw(view, plot, plane, canMove);
    drawTable(table, model.get("rows"), plane.tip);
    view.setLegend(
      plane.tip && signKey(arrow("M3 6H31", "lv-dragged", { wide: 4 }), "b as you dragged it"),
      signKey(rule("lv-shadow", 3, 6, 31, 6), "shadow of b on a"),
      ...markLegend(model.get("names")),
    );
  });
}

/** Both arrows, the first along the axis, and where the second one's tip was dragged; from there to pixels and back. */
function measure(view) {
  const [ax, ay, bx, by] = floats(view.model.get("real")).data;
  const width = view.width() > 620 ? clamp(0.52 * view.width(), 0, 560) : view.width();
  const height = Math.round(0.72 * width);
  const unit = (0.36 * width) / (Math.max(Math.hypot(ax, ay), Math.hypot(bx, by)) || 1);
  const [x0, y0] = [width / 2, 0.66 * height];
  return {
    a: [ax, ay],
    b: [bx, by],
    tip: view.model.get("tip"),
    width,
    height,
    unit,
    toPixels: ([x, y]) => [x0 + x * unit, y0 - y * unit],
    fromPixels: ([right, down]) => [(right - x0) / unit, (y0 - down) / unit],
  };
}

function dragIn(view, plot, plane) {
  const { node } = plot;
  const follow = (event) => moveTip(view, plane(), pointIn(node, event));
  node.addEventListener("pointerdown", (event) => {
    node.setPointerCapture(event.pointerId);
    follow(event);
  });
  node.addEventListener("pointermove", (event) => node.hasPointerCapture(event.pointerId) && follow(event));
  const step = (right, down) => () => {
    const [x, y] = plane().toPixels(view.model.get("tip") ?? plane().b); // keys may come faster than it is painted
    moveTip(view, plane(), [x + right * 2 * SNAP, y + down * 2 * SNAP]);
  };
  onKeys(node, {
    ArrowRight: step(1, 0),
    ArrowLeft: step(-1, 0),
    ArrowUp: step(0, -1),
    ArrowDown: step(0, 1),
    Home: () => view.set({ tip: null }),
  });
}

/** The tip stays in the picture, and snaps to the right angle and to the real arrow's line. */
function moveTip(view, { b, width, height, unit, fromPixels }, [right, down]) {
  const to = fromPixels([clamp(right, EDGE, width - EDGE), clamp(down, EDGE, height - EDGE)]);
  const along = (to[0] * b[0] + to[1] * b[1]) / (Math.hypot(...b) || 1) ** 2;
  const marked = [[0, to[1]], b.map((v) => v * Math.max(along, 0))];
  const near = marked.find((spot) => Math.hypot(to[0] - spot[0], to[1] - spot[1]) * unit <= SNAP);
  view.set({ tip: near ?? to });
}

function draw(view, plot, { a, b, tip, width, height, unit, toPixels }, canMove) {
  const at = tip ?? b;
  const [zero, end, foot, beyond] = [[0, 0], at, [at[0], 0], b.map((v) => 9 * v)].map(toPixels);
  const turned = Math.atan2(at[1], at[0]);
  const bent = [zero[0] + BEND * Math.cos(turned), zero[1] - BEND * Math.sin(turned)];
  const [nameOfA, nameOfB] = view.model.get("names");
  const name = (text, [x, y], dy) =>
    pieceText(text, { x, y, dy, anchor: "middle", style: "font-size:var(--lv-size-body)" });
  const vector = (kind, [x, y]) => {
    const [length, turn] = [Math.hypot(x, y) * unit, (-180 / Math.PI) * Math.atan2(y, x)];
    const drawn = arrow(`M0 0H${Math.max(0, length - 9)}`, kind, { tip: [length, 0], wide: 4 });
    return s("g", { transform: `translate(${zero}) rotate(${turn})` }, drawn);
  };
  plot.size(width, height);
  plot.ground.replaceChildren(
    rule("lv-zero", 8, zero[1], width - 8, zero[1]),
    rule("lv-shadow", ...zero, ...foot),
    rule("lv-cursor", ...end, ...foot),
    rule("lv-cursor", ...zero, ...beyond),
    s("path", {
      class: "lv-curve",
      d: `M${zero[0] + BEND} ${zero[1]}A${BEND} ${BEND} 0 0 ${turned > 0 ? 0 : 1} ${bent}`,
    }),
  );
  plot.marks.replaceChildren(
    vector("lv-a", a),
    vector("lv-b", b),
    ...(tip ? [vector("lv-dragged", tip)] : []),
    ...(canMove ? [dot(...end, 8, { class: "lv-handle" })] : []),
    name(`a: ${nameOfA}`, toPixels(a), 30),
    name(`b: ${nameOfB}`, toPixels(b), -18),
  );
}

function drawTable(table, rows, tip) {
  const heads = ["", "real rows", ...(tip ? ["b as you dragged it"] : [])];
  table.replaceChildren(
    h("tr", {}, ...heads.map((text) => h(text ? "th" : "td", { class: "lv-aside" }, text))),
    ...rows.map(([label, ...numbers]) =>
      h("tr", {}, h("th", { scope: "row" }, label), ...numbers.map((text) => h("td", {}, text))),
    ),
  );
}
