// Points with names, in groups. Python sends their places; here they are drawn, with names where there is room.

import {
  KIT,
  axisText,
  clamp,
  floats,
  frame,
  h,
  number,
  onKeys,
  pieceNodes,
  pieceText,
  plain,
  pointIn,
  quoted,
  s,
  setAttributes,
  signKey,
  widest,
} from "./kit.js";

const SIGNS = {
  // around 0, 0; "open" ones are only stroked
  circle: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0z",
  square: "M-5.5 -5.5h11v11h-11z",
  diamond: "M0 -7.5l7.5 7.5l-7.5 7.5l-7.5 -7.5z",
  cross: "M-2.2 -7h4.4v4.8h4.8v4.4h-4.8v4.8h-4.4v-4.8h-4.8v-4.4h4.8z",
  x: "M-6.5 -3.4l3.1 -3.1l3.4 3.4l3.4 -3.4l3.1 3.1l-3.4 3.4l3.4 3.4l-3.1 3.1l-3.4 -3.4l-3.4 3.4l-3.1 -3.1l3.4 -3.4z",
};

export function render({ model, el }) {
  const view = frame(model, el, "flat_map");
  const [strokes, points, names] = [s("g"), s("g"), s("g")];
  const ring = s("circle", { class: "lv-ring", r: 12 });
  const [across, up] = [0, 1].map(() => axisText(0, 0, ""));
  const picture = s(
    "svg",
    {
      class: "lv-drawing lv-map",
      tabindex: "0",
      role: "application",
      "aria-label": "map of points; the arrow keys go to the next one in that direction",
    },
    across,
    up,
    strokes,
    ring,
    points,
    names,
  );
  view.body.append(picture);
  const HEIGHT = clamp(window.innerHeight - 260, 440, 620); // on a projector, too, all of it is seen at once
  const [SIDE, EDGE, FACE] = [76, 44, 16];
  let drawn = {};
  let at = []; // [x, y] of each point, in pixels
  let labels = []; // of each point, its text, and the line to it if it is further away: {text, leader, crowded}

  const current = () => model.get("selected") ?? -1;
  const look = (group) => KIT.groups[Math.min(group, KIT.groups.length - 1)];
  const sign = (group, attributes) => {
    const [color, name] = look(group);
    const open = name.endsWith("-open");
    return s("path", {
      d: SIGNS[name.replace("-open", "")],
      fill: open ? "none" : color,
      stroke: color,
      "stroke-width": open ? 2.5 : 0,
      ...attributes,
    });
  };
  const tell = (index) => {
    const [pieces, places] = [model.get("pieces"), floats(model.get("places"))];
    if (!pieces[index]) return view.note(pieces.length ? "Point at a word, or use the arrow keys." : "");
    const where = model.get("axes").map((_, k) => `axis ${k + 1}: ${number(places.data[2 * index + k])}`);
    const group = model.get("groups")[model.get("group_of")[index]] ?? "";
    view.note(quoted(pieces[index]), plain(group), ...where);
  };
  const select = (index) => {
    if (at[index]) view.select(index);
  };
  const near = (event) => {
    // the point of the name under the pointer, else the one under it or close to it
    const name = event.target.closest?.("text[data-index]");
    if (name) return Number(name.dataset.index);
    const [right, down] = pointIn(picture, event);
    const apart = at.map(([x, y]) => Math.hypot(x - right, y - down));
    const best = apart.indexOf(Math.min(...apart));
    return apart[best] < 26 ? best : Number(event.target.closest?.("[data-index]")?.dataset.index ?? -1);
  };
  const show = (index) => {
    // a name that is left out appears under the pointer
    labels.forEach(({ text, crowded }, i) => crowded && text.classList.toggle("lv-off", i !== index && !kept(i)));
    tell(index < 0 ? current() : index);
  };
  const kept = (i) =>
    i === current() ||
    (model.get("about") === current() && [...model.get("solid"), ...model.get("dotted")].includes(i));
  picture.addEventListener("pointermove", (event) => show(near(event)));
  picture.addEventListener("pointerleave", () => show(-1));
  picture.addEventListener("click", (event) => select(near(event)));
  const go = (dx, dy) => () => {
    if (!at[current()]) return select(0);
    const [x0, y0] = at[current()];
    let best = -1;
    let least = Infinity;
    at.forEach(([x, y], i) => {
      const [ahead, aside] = dx ? [(x - x0) * dx, Math.abs(y - y0)] : [(y - y0) * dy, Math.abs(x - x0)];
      if (ahead > 0.5 && ahead >= aside * 0.5 && ahead + 2 * aside < least) [best, least] = [i, ahead + 2 * aside];
    });
    select(best);
  };
  onKeys(picture, {
    ArrowRight: go(1, 0),
    ArrowLeft: go(-1, 0),
    ArrowUp: go(0, -1),
    ArrowDown: go(0, 1),
    Home: () => select(0),
    End: () => select(at.length - 1),
    Enter: () => view.ask(Math.max(0, current())),
  });

  /** Where each name can stand without covering a point or another name: beside its point, else a little off; null: nowhere. */
  const room = (widths, width) => {
    const [high, taken] = [FACE + 4, at.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7])];
    // Nor does a name cover the lines from the word that is chosen at first.
    const [from, ends] = [at[model.get("about")], [...model.get("solid"), ...model.get("dotted")]];
    for (const [x, y] of from ? ends.map((i) => at[i]).filter(Boolean) : [])
      for (let part = 0.15; part < 1; part += 0.05) {
        const [px, py] = [from[0] + part * (x - from[0]), from[1] + part * (y - from[1])];
        taken.push([px - 2, py - 2, px + 2, py + 2]);
      }
    const free = (box) =>
      box[0] > 2 &&
      box[2] < width - 2 &&
      box[1] > 2 &&
      box[3] < HEIGHT - 24 &&
      !taken.some((other) => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]);
    return at.map(([x, y], i) => {
      for (const off of [10, 26, 44, 66, 90])
        for (const [h0, v0] of [
          [1, 0],
          [-1, 0],
          [0, -1],
          [0, 1],
          [1, -1],
          [-1, -1],
          [1, 1],
          [-1, 1],
        ]) {
          const [cx, cy] = [x + h0 * (off + widths[i] / 2) * (v0 && h0 ? 0.8 : 1), y + v0 * (off + high / 2 - 2)];
          const box = [cx - widths[i] / 2, cy - high / 2, cx + widths[i] / 2, cy + high / 2];
          if (!free(box)) continue;
          taken.push(box);
          return { x: cx, y: cy, apart: off > 10, edge: [clamp(x, box[0], box[2]), clamp(y, box[1] + 4, box[3] - 4)] };
        }
      return null;
    });
  };

  const layout = (width) => {
    const [pieces, group] = [model.get("pieces"), model.get("group_of")];
    const places = floats(model.get("places"))?.data ?? [];
    const [xs, ys] = [0, 1].map((k) => pieces.map((_, i) => places[2 * i + k]));
    const [left, right, low, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const unit = Math.min((width - 2 * SIDE) / (right - left || 1), (HEIGHT - 2 * EDGE - 24) / (top - low || 1));
    at = pieces.map((_, i) => [
      width / 2 + (xs[i] - (left + right) / 2) * unit,
      (HEIGHT - 24) / 2 - (ys[i] - (low + top) / 2) * unit,
    ]);
    const found = room(
      pieces.map((piece) => widest(view, [piece], FACE) + 4),
      width,
    );
    points.replaceChildren(
      ...at.map(([x, y], i) =>
        sign(group[i], { "data-index": i, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }),
      ),
    );
    labels = found.map((spot, i) => {
      const { x, y, apart, edge } = spot ?? { x: at[i][0], y: at[i][1] - 18 };
      const text = pieceText(pieces[i], {
        anchor: "middle",
        x: x.toFixed(1),
        y: y.toFixed(1),
        "dominant-baseline": "central",
        "font-size": FACE,
        "data-index": i,
      });
      return {
        text,
        crowded: !spot,
        leader: apart ? s("line", { class: "lv-leader", x1: at[i][0], y1: at[i][1], x2: edge[0], y2: edge[1] }) : null,
      };
    });
    names.replaceChildren(...labels.map(({ leader }) => leader).filter(Boolean), ...labels.map(({ text }) => text));
    setAttributes(picture, { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` });
    const [first = "", second = ""] = model.get("axes").map(plain);
    across.textContent = first && `${first} →`;
    up.textContent = second && `${second} →`;
    setAttributes(across, { x: width / 2, y: HEIGHT - 6 });
    up.setAttribute("transform", `translate(14 ${(HEIGHT - 24) / 2}) rotate(-90)`);
  };

  const legend = () => {
    const [groups, used] = [model.get("groups"), new Set(model.get("group_of"))];
    const line = (i) => s("path", { class: ["lv-solid", "lv-dotted"][i], d: "M2 6H32" });
    const hidden = labels.filter(({ crowded }) => crowded).length;
    view.setLegend(
      ...groups.map(
        (name, i) => used.has(i) && signKey(sign(i, { transform: "translate(17 6)" }), h("bdi", {}, pieceNodes(name))),
      ),
      ...model.get("line_names").map((name, i) => labels.length > 0 && signKey(line(i), plain(name))),
      hidden > 0 && `no room for ${hidden} ${hidden === 1 ? "name" : "names"}: point at the marks without one`,
    );
  };

  return view.start(() => {
    const width = view.width();
    const state = ["pieces", "places", "group_of", "groups", "axes"].map((name) => model.get(name));
    if (state.some((value, i) => value !== drawn.state?.[i]) || width !== drawn.width) {
      layout(width);
      legend();
    }
    drawn = { state, width };
    const here = current();
    const lit = model.get("about") === here;
    const [solid, dotted] = ["solid", "dotted"].map((name) => (lit ? model.get(name) : []));
    const path = (to) => `M${at[here].map(Math.round).join(" ")}L${at[to].map(Math.round).join(" ")}`;
    strokes.replaceChildren(
      ...(at[here]
        ? [
            ["lv-solid", solid],
            ["lv-dotted", dotted],
          ].map(([kind, to]) =>
            s("path", {
              class: kind,
              d: to
                .filter((i) => at[i])
                .map(path)
                .join(""),
            }),
          )
        : []),
    );
    ring.classList.toggle("lv-off", !at[here]);
    if (at[here]) ring.setAttribute("transform", `translate(${at[here].map(Math.round).join(" ")})`);
    // Until Python has said which words belong to the new one, the other names stay as they are.
    const settled = lit || !at[here];
    if (settled) names.classList.toggle("lv-chosen", !!at[here]);
    labels.forEach(({ text, crowded }, i) => {
      text.classList.toggle("lv-on", i === here);
      if (settled || i === here) text.classList.toggle("lv-far", !kept(i));
      if (crowded && (settled || i === here)) text.classList.toggle("lv-off", !kept(i));
    });
    tell(here);
  });
}
