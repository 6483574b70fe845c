// Two rows as arrows in the plane that they span. Python computes their places and numbers; here they are drawn, and the
// tip of the second arrow is dragged.

import { pointIn } from "./kit/canvas.js";
import { h, pieceText, plain, s, signKey } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { onKeys } from "./kit/input.js";
import { dot, rule } from "./kit/marks.js";
import { clamp, floats } from "./kit/numbers.js";
import { createPlot } from "./kit/plot.js";

const SNAP = 4; // pixels
const EDGE = 10; // what the handle needs
const BEND = 46; // from the start of both arrows to the arc between them
const KEYS = "two arrows; the arrow keys move the tip of the second one (with Shift in small steps), Home puts it back";

export function render({ model, el }) {
  const view = frame(model, el, "two_arrows");
  const plot = createPlot(view, KEYS);
  plot.node.classList.add("lv-drawing");
  const table = h("table");
  const both = h("div", { class: "lv-both" }, plot.node, table);
  view.body.append(both);
  const canMove = view.can("tip", [0, 0]); // a page without a kernel holds no place but the real one
  let plane = null;
  if (canMove) dragIn(view, plot, () => plane);
  return view.start(() => {
    plane = measure(view);
    both.hidden = !plane;
    if (!plane) return view.setLegend();
    draw(view, plot, plane, canMove);
    drawTable(table, model.get("rows"), plane.tip);
    drawLegend(view, plane.tip);
  });
}

/** Both arrows, where the second one's tip was dragged, and from there to pixels and back; null while there are none. */
function measure(view) {
  const real = floats(view.model.get("real"));
  if (!real) return null;
  const [ax, ay, bx, by] = real.data;
  const [a, b] = [
    [ax, ay],
    [bx, by],
  ];
  const width = view.width() > 620 ? clamp(0.52 * view.width(), 0, 560) : view.width();
  const height = Math.round(0.72 * width);
  const longest = Math.max(Math.hypot(...a), Math.hypot(...b));
  const unit = (0.36 * width) / (longest || 1);
  const [x0, y0] = [width / 2, 0.66 * height];
  return {
    a,
    b,
    tip: view.model.get("tip"),
    longest,
    width,
    height,
    unit,
    toPixels: ([x, y]) => [x0 + x * unit, y0 - y * unit],
    fromPixels: ([right, down]) => [(right - x0) / unit, (y0 - down) / unit],
  };
}

function dragIn(view, plot, plane) {
  let dragging = false;
  const follow = (event) => moveTip(view, plane(), pointIn(plot.node, event), event.shiftKey);
  plot.node.addEventListener("pointerdown", (event) => {
    dragging = true;
    plot.node.setPointerCapture(event.pointerId);
    follow(event);
  });
  plot.node.addEventListener("pointermove", (event) => dragging && follow(event));
  for (const end of ["pointerup", "pointercancel"]) plot.node.addEventListener(end, () => (dragging = false));
  const step = (right, down) => (event) => {
    const [x, y] = plane().toPixels(plane().tip ?? plane().b);
    const by = event.shiftKey ? 1 : 2 * SNAP;
    moveTip(view, plane(), [x + right * by, y + down * by], event.shiftKey);
  };
  onKeys(plot.node, {
    ArrowRight: step(1, 0),
    ArrowLeft: step(-1, 0),
    ArrowUp: step(0, -1),
    ArrowDown: step(0, 1),
    Home: () => view.set({ tip: null }),
  });
}

/** The tip stays in the picture, and snaps to zero, to the right angle (a lies along x) and to the real arrow's line. */
function moveTip(view, { b, width, height, unit, longest, fromPixels }, [right, down], exact) {
  if (!longest) return;
  const to = fromPixels([clamp(right, EDGE, width - EDGE), clamp(down, EDGE, height - EDGE)]);
  const along = (to[0] * b[0] + to[1] * b[1]) / (Math.hypot(...b) || 1) ** 2;
  const marked = [[0, 0], [0, to[1]], b.map((v) => v * Math.max(along, 0))];
  const near = marked.find((spot) => Math.hypot(to[0] - spot[0], to[1] - spot[1]) * unit <= SNAP);
  view.set({ tip: exact || !near ? to : near });
}

function arrow(kind, zero, tip) {
  const turn = (Math.atan2(tip[1] - zero[1], tip[0] - zero[0]) * 180) / Math.PI;
  return [
    rule(kind, ...zero, ...tip),
    s("path", { class: kind, d: "M4 0L-12 8L-12 -8z", transform: `translate(${tip}) rotate(${turn})` }),
  ];
}

function draw(view, plot, { a, b, tip, width, height, toPixels }, canMove) {
  const at = tip ?? b;
  const size = Math.hypot(...a);
  const direction = size ? a.map((v) => v / size) : [1, 0];
  const shadow = at[0] * direction[0] + at[1] * direction[1];
  const [zero, end, foot, beyond] = [[0, 0], at, direction.map((v) => v * shadow), b.map((v) => 9 * v)].map(toPixels);
  const turned = Math.atan2(at[1], at[0]);
  const bent = [zero[0] + BEND * Math.cos(turned), zero[1] - BEND * Math.sin(turned)];
  const name = (i, [x, y], dy) => pieceText(view.model.get("names")[i] ?? "", { x, y, dy, anchor: "middle" });
  plot.size(width, height);
  plot.ground.replaceChildren(
    rule("lv-axis-line", 8, zero[1], width - 8, zero[1]),
    rule("lv-shadow", ...zero, ...foot),
    rule("lv-fall", ...end, ...foot),
    rule("lv-fall", ...zero, ...beyond),
    s("path", {
      class: "lv-angle",
      d: `M${zero[0] + BEND} ${zero[1]}A${BEND} ${BEND} 0 0 ${turned > 0 ? 0 : 1} ${bent}`,
    }),
  );
  plot.marks.replaceChildren(
    ...arrow("lv-a", zero, toPixels(a)),
    ...arrow("lv-b", zero, toPixels(b)),
    ...(tip ? arrow("lv-dragged", zero, toPixels(tip)) : []),
    ...(canMove ? [dot(...end, 8, { class: "lv-handle" })] : []),
    name(0, toPixels(a), 30),
    name(1, toPixels(b), -18),
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

function drawLegend(view, tip) {
  const key = (kind, text) => signKey(rule(kind, 3, 6, 31, 6), text);
  const [a, b] = view.model.get("names").map(plain);
  view.setLegend(
    key("lv-a", `a: ${a}`),
    key("lv-b", `b: ${b}`),
    tip && key("lv-dragged", "b as you dragged it"),
    key("lv-shadow", "shadow of b on a"),
  );
}
