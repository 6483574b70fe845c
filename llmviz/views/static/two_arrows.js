// Two rows as arrows in the plane that they span. Python computes their places and numbers; here they are drawn, and the
// tip of the second arrow is dragged.

import { clamp, floats, frame, h, onKeys, pieceText, plain, pointIn, s, setAttributes, signKey } from "./kit.js";

const SNAP = 4; // pixels
const EDGE = 10; // what the handle needs

export function render({ model, el }) {
  const view = frame(model, el, "two_arrows");
  const picture = s("svg", {
    class: "lv-drawing lv-plane",
    role: "application",
    tabindex: "0",
    "aria-label":
      "two arrows; the arrow keys move the tip of the second one (with Shift in small steps), Home puts it back",
  });
  const table = h("table");
  view.body.append(h("div", { class: "lv-both" }, picture, table));
  let map = null; // from the plane to the picture: its middle, and how many pixels a unit has
  let dragging = false;
  const canMove = view.can("tip", [0, 0]); // a page without a kernel holds no place but the real one

  const place = () => {
    const real = floats(model.get("real"));
    return model.get("tip") ?? [real.data[2], real.data[3]];
  };
  // The tip stays in the picture, and snaps to zero, to the right angle (a lies along x) and to the real arrow's line,
  // unless Shift is held.
  const moveTo = (x, y, exact) => {
    if (!map.longest) return;
    const near = exact ? 0 : SNAP / map.unit;
    const within = (value, low, high) => clamp(value, (low + EDGE) / map.unit, (high - EDGE) / map.unit);
    const to = [within(x, -map.x, map.width - map.x), within(y, map.y - map.height, map.y)];
    const real = floats(model.get("real")).data.slice(2);
    const along = (to[0] * real[0] + to[1] * real[1]) / (Math.hypot(...real) || 1) ** 2;
    const marked = [[0, 0], [0, to[1]], real.map((v) => v * Math.max(along, 0))];
    const snapped = marked.find((spot) => Math.hypot(to[0] - spot[0], to[1] - spot[1]) <= near);
    view.set({ tip: [...(snapped ?? to)] });
  };
  const follow = (event) => {
    const [right, down] = pointIn(picture, event);
    moveTo((right - map.x) / map.unit, (map.y - down) / map.unit, event.shiftKey);
  };
  picture.addEventListener("pointerdown", (event) => {
    if (!map || !canMove) return;
    dragging = true;
    picture.setPointerCapture(event.pointerId);
    follow(event);
  });
  picture.addEventListener("pointermove", (event) => dragging && follow(event));
  for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => (dragging = false));
  const step = (dx, dy) => (event) => {
    if (!map || !canMove) return;
    const [x, y] = place();
    const by = (event.shiftKey ? 1 : 2 * SNAP) / map.unit;
    moveTo(x + dx * by, y + dy * by, event.shiftKey);
  };
  onKeys(picture, {
    ArrowRight: step(1, 0),
    ArrowLeft: step(-1, 0),
    ArrowUp: step(0, 1),
    ArrowDown: step(0, -1),
    Home: () => view.set({ tip: null }),
  });

  const arrow = (kind, [x, y]) => {
    const [px, py] = [map.x + x * map.unit, map.y - y * map.unit];
    const turn = (Math.atan2(map.y - py, px - map.x) * -180) / Math.PI;
    return [
      s("line", { class: kind, x1: map.x, y1: map.y, x2: px, y2: py }),
      s("path", { class: kind, d: "M4 0L-12 8L-12 -8z", transform: `translate(${px} ${py}) rotate(${turn})` }),
    ];
  };

  return view.start(() => {
    const real = floats(model.get("real"));
    picture.style.display = table.style.display = real ? "" : "none";
    if (!real) return view.setLegend();
    const [a, b, tip] = [[real.data[0], real.data[1]], [real.data[2], real.data[3]], model.get("tip")];
    const width = view.width() > 620 ? clamp(0.52 * view.width(), 0, 560) : view.width();
    const height = Math.round(0.72 * width);
    const longest = Math.max(Math.hypot(...a), Math.hypot(...b));
    map = { width, height, longest, x: width / 2, y: height * 0.66, unit: (0.36 * width) / (longest || 1) };
    setAttributes(picture, { width, height, viewBox: `0 0 ${width} ${height}` });
    const seen = tip ?? b;
    const direction = Math.hypot(...a) ? a.map((v) => v / Math.hypot(...a)) : [1, 0];
    const shadow = seen[0] * direction[0] + seen[1] * direction[1];
    const foot = [map.x + shadow * direction[0] * map.unit, map.y - shadow * direction[1] * map.unit];
    const [px, py] = [map.x + seen[0] * map.unit, map.y - seen[1] * map.unit];
    const turned = Math.atan2(seen[1], seen[0]);
    const bend = 46;
    const arc = `M${map.x + bend} ${map.y}A${bend} ${bend} 0 0 ${turned > 0 ? 0 : 1} ${map.x + bend * Math.cos(turned)} ${map.y - bend * Math.sin(turned)}`;
    const name = (i, [x, y], attributes) =>
      pieceText(model.get("names")[i] ?? "", {
        x: map.x + x * map.unit,
        y: map.y - y * map.unit,
        anchor: "middle",
        ...attributes,
      });
    picture.replaceChildren(
      s("line", { class: "lv-axis-line", x1: 8, x2: width - 8, y1: map.y, y2: map.y }),
      s("line", { class: "lv-shadow", x1: map.x, y1: map.y, x2: foot[0], y2: foot[1] }),
      s("line", { class: "lv-fall", x1: px, y1: py, x2: foot[0], y2: foot[1] }),
      s("line", {
        class: "lv-fall",
        x1: map.x,
        y1: map.y,
        x2: map.x + 9 * b[0] * map.unit,
        y2: map.y - 9 * b[1] * map.unit,
      }),
      s("path", { class: "lv-angle", d: arc }),
      ...arrow("lv-a", a),
      ...arrow("lv-b", b),
      ...(tip ? arrow("lv-dragged", tip) : []),
      ...(canMove ? [s("circle", { class: "lv-handle", cx: px, cy: py, r: 8 })] : []),
      name(0, a, { dy: 30 }),
      name(1, b, { dy: -18 }),
    );
    const rows = model.get("rows");
    table.replaceChildren(
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["", "real rows", ...(tip ? ["b as you dragged it"] : [])].map((t) =>
            h(t ? "th" : "td", { class: "lv-aside" }, t),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(([label, ...numbers]) =>
          h("tr", {}, h("th", { scope: "row" }, label), ...numbers.map((one) => h("td", {}, one))),
        ),
      ),
    );
    const key = (kind, text) => signKey(s("line", { class: kind, x1: 3, x2: 31, y1: 6, y2: 6 }), text);
    view.setLegend(
      key("lv-a", `a: ${plain(model.get("names")[0])}`),
      key("lv-b", `b: ${plain(model.get("names")[1])}`),
      ...(tip ? [key("lv-dragged", "b as you dragged it")] : []),
      key("lv-shadow", "shadow of b on a"),
    );
    view.note("");
  });
}
