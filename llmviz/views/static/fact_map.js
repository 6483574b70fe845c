// Where a fact goes: tokens from left to right, layers from below, a box or an arrow for each part that was tested.

import { axisText, frame, h, markLegend, pieceText, plotIn, s, shorten, signKey, sizePlot } from "./kit.js";

const KINDS = ["carries", "needed", "unclear", "neither"];

export function render({ model, el }) {
  const view = frame(model, el, "fact_map");
  const drawing = s("svg", { "aria-hidden": "true" });
  const plot = plotIn(view, "the map of the fact, told in the sentences below it", drawing);
  const list = h("ol", { class: "lv-told-steps" });
  view.body.append(list);
  const HEIGHT = 400;
  const space = { left: 54, right: 24, top: 34, bottom: 46 };

  return view.start(() => {
    if (!view.changed("pieces", "items", "n_layers", "unknown")) return;
    const [pieces, items, n] = ["pieces", "items", "n_layers"].map((name) => model.get(name));
    const width = Math.max(300, Math.min(820, view.width(), 110 * pieces.length + 160));
    sizePlot(plot, width, HEIGHT);
    // a long text: only what the steps touch, and its neighbours, keep their columns
    const touched = items.flatMap((one) => [one.at, one.source ?? one.at]);
    const first = Math.max(0, Math.min(pieces.length - 8, ...(touched.length ? touched : [0])));
    const shown = pieces.slice(first);
    const step = (width - space.left - space.right) / Math.max(1, shown.length);
    const x = (at) => space.left + (at - first + 0.5) * step;
    const y = (layer) => HEIGHT - space.bottom - ((layer + 0.5) / n) * (HEIGHT - space.top - space.bottom);
    const nodes = [];
    for (let layer = 0; layer < n; layer += n > 12 ? 5 : 1)
      nodes.push(axisText(space.left - 10, y(layer) + 5, layer, "end"));
    nodes.push(axisText(space.left - 10, y(n - 1) - 16, "layer", "end"));
    shown.forEach((piece, i) => {
      const at = x(first + i);
      nodes.push(
        s("line", { x1: at, x2: at, y1: y(-0.5), y2: y(n - 0.5), class: "lv-stream" }),
        pieceText(shorten(piece, 14), { x: at, y: HEIGHT - 18, anchor: "middle" }),
      );
    });
    for (const { number, at, source, layers, kind } of items) {
      const [low, high] = [y(layers[0] - 0.4), y(layers[1] + 0.4)];
      const middle = (low + high) / 2;
      if (source === null)
        nodes.push(
          s("rect", { x: x(at) - 15, width: 30, y: high, height: low - high, rx: 6, class: `lv-part lv-${kind}` }),
        );
      else {
        const [from, to] = [x(source) + 18, x(at) - 18]; // beside the boxes
        const tall = Math.max(4, low - high) / 2;
        nodes.push(
          s("path", {
            d: `M${from},${middle - tall}H${to - 14}V${middle - tall - 6}L${to},${middle}L${to - 14},${middle + tall + 6}V${middle + tall}H${from}Z`,
            class: `lv-part lv-${kind}`,
          }),
        );
      }
      const [bx, by] =
        source === null ? [x(at) - 34, middle] : [(x(source) + x(at)) / 2, low - high > 40 ? middle : middle - 26];
      nodes.push(
        s("circle", { cx: bx, cy: by, r: 13, class: "lv-badge" }),
        s("text", { x: bx, y: by + 5, "text-anchor": "middle", class: "lv-badge-text" }, number),
      );
    }
    drawing.replaceChildren(...nodes);
    list.replaceChildren(
      ...items.map(({ number, sentences }) => h("li", { value: number }, sentences.join(" "))),
      ...(model.get("unknown") ? [h("li", { class: "lv-quiet lv-unknown" }, model.get("unknown"))] : []),
    );
    const meaning = Object.fromEntries(items.map((one) => [one.kind, one.meaning]));
    const kinds = KINDS.filter((kind) => kind in meaning);
    view.setLegend(
      ...kinds.map((kind) =>
        signKey(s("rect", { x: 2, y: 1, width: 30, height: 10, rx: 3, class: `lv-part lv-${kind}` }), meaning[kind]),
      ),
      ...markLegend(shown),
    );
  });
}
