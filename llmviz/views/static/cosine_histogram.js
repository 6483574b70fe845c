// A histogram of the cosines of some pairs, with the cosine of one pair marked.

import { axisText, clamp, frame, minus, onKeys, percent, plain, pointIn, s, setAttributes, widest } from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "cosine_histogram");
  const picture = s("svg", {
    class: "lv-drawing lv-histogram",
    role: "application",
    tabindex: "0",
    "aria-label": "histogram of cosines",
  });
  view.body.append(picture);
  const HEIGHT = 250,
    TOP = 44,
    BOTTOM = 34,
    SIDE = 16;
  let at = null; // the bar that pointer or keys are on

  const geometry = () => {
    const edges = model.get("edges");
    const [low, high] = [edges[0], edges.at(-1)];
    const width = view.width();
    const x = (v) => SIDE + ((v - low) / (high - low)) * (width - 2 * SIDE);
    return { edges, width, x, low, high };
  };
  const pairs = () => model.get("counts").reduce((a, b) => a + b, 0);
  const tell = () => {
    const { edges } = geometry();
    if (at === null) return view.note(model.get("verdict"));
    const share = model.get("counts")[at] / Math.max(1, pairs());
    view.note(`cosine ${minus(edges[at].toFixed(2))} to ${minus(edges[at + 1].toFixed(2))}: ${percent(share)} of them`);
  };
  const light = () => picture.querySelectorAll(".lv-bin").forEach((bin, i) => bin.classList.toggle("lv-on", i === at));
  const move = (to) => {
    at = clamp(to, 0, model.get("counts").length - 1);
    light();
    tell();
  };
  const ask = () => model.get("value") !== null && view.ask();
  const bin = (v) => {
    const { edges, low, high } = geometry();
    return Math.floor(((v - low) / (high - low)) * (edges.length - 1));
  };
  const start = () => at ?? bin(model.get("value") ?? 0);

  const leave = () => {
    at = null;
    light();
    tell();
  };
  picture.addEventListener("pointermove", (event) => {
    const { low, high, width } = geometry();
    const part = (pointIn(picture, event)[0] - SIDE) / (width - 2 * SIDE);
    move(bin(low + part * (high - low)));
  });
  picture.addEventListener("pointerleave", leave);
  picture.addEventListener("blur", leave);
  picture.addEventListener("click", () => ask());
  onKeys(picture, {
    ArrowRight: () => move(start() + 1),
    ArrowLeft: () => move(start() - 1),
    Home: () => move(0),
    End: () => move(model.get("counts").length - 1),
    Enter: () => ask(),
  });

  return view.start(() => {
    const [counts, value, median] = [model.get("counts"), model.get("value"), model.get("median")];
    const { edges, width, x } = geometry();
    const floor = HEIGHT - BOTTOM;
    const top = Math.max(1, ...counts);
    const y = (n) => floor - (n / top) * (floor - TOP);
    setAttributes(picture, { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` });
    const bars = counts.map((n, i) =>
      s("rect", {
        class: "lv-bin",
        x: x(edges[i]) + 0.5,
        y: y(n),
        width: Math.max(0.5, x(edges[i + 1]) - x(edges[i]) - 1),
        height: floor - y(n),
      }),
    );
    const ticks = [];
    for (let v = Math.ceil(edges[0] * 5) / 5; v <= edges.at(-1) + 1e-9; v += 0.2)
      ticks.push(axisText(x(v), floor + 22, minus(String(Number(v.toFixed(1))))));
    const flag = (v, text, y0, kind, left = x(v) > width / 2) => {
      const room = widest(view, [text], kind === "lv-mine" ? 18 : 13, "ui"); // that one is bold
      const edge = left ? Math.max(x(v) - 6, room) : Math.min(x(v) + 6, width - room); // not beyond the edge
      return [
        s("line", { class: kind, x1: x(v), x2: x(v), y1: y0 + 4, y2: floor }),
        axisText(edge, y0 + 4, text, left ? "end" : "start", { class: kind, "dominant-baseline": "middle" }),
      ];
    };
    picture.replaceChildren(
      ...bars,
      s("line", { class: "lv-floor", x1: SIDE, x2: width - SIDE, y1: floor, y2: floor }),
      ...ticks,
      ...(counts.some((n) => n)
        ? flag(
            median,
            `half are below ${minus((Math.round(100 * median) / 100 || 0).toFixed(2))}`,
            32,
            "lv-median lv-quiet",
            value === null ? undefined : value > median,
          )
        : []),
      ...(value === null
        ? []
        : flag(
            clamp(value, edges[0], edges.at(-1)),
            `${plain(model.get("label"))}: ${minus(value.toFixed(2))}`,
            10,
            "lv-mine",
          )),
    );
    light();
    view.setLegend("horizontal axis: cosine similarity", `vertical axis: how many of ${model.get("among")}`);
    tell();
  });
}
