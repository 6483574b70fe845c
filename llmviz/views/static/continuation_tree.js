// Continuations of one text, merged where they agree: a branch is as wide as its share.

import {
  clamp,
  floats,
  frame,
  indexUnder,
  markLegend,
  onKeys,
  onPointer,
  percent,
  pieceText,
  plain,
  plotIn,
  reveal,
  s,
  shorten,
  sizePlot,
  widest,
} from "./kit.js";

export function render({ model, el }) {
  const view = frame(model, el, "continuation_tree");
  const plot = plotIn(view, "the tree: arrow keys go along its branches");
  let nodes = [];
  let hovered = null;
  let shown = null;

  const current = () => Math.min(model.get("selected") ?? 0, nodes.length - 1);
  const select = (index, ask = false) => {
    if (!nodes[index]) return;
    view.select(index, ask && index > 0);
  };
  const parent = () => nodes[current()]?.parent ?? -1;
  const beside = (by) => {
    const here = nodes[current()];
    const column = nodes.filter((one) => one.depth === here.depth).toSorted((a, b) => a.y - b.y);
    select(column[column.indexOf(here) + by]?.index);
  };
  const hover = (index) => {
    if (index === hovered) return;
    hovered = index;
    light(index ?? current());
  };
  const partAt = (event) => indexUnder(event) ?? null;
  onPointer(plot, partAt, hover, (index) => select(index, true));
  onKeys(plot, {
    ArrowRight: () => select(nodes[current()]?.children[0]?.index),
    ArrowLeft: () => parent() >= 0 && select(parent()),
    ArrowDown: () => nodes.length && beside(1),
    ArrowUp: () => nodes.length && beside(-1),
    Home: () => select(0),
    End: () => {
      let node = nodes[current()];
      while (node?.children.length) node = node.children[0];
      node && select(node.index);
    },
    Enter: () => select(current(), true),
  });

  const path = (index) => {
    const way = [];
    for (let i = index; i >= 0 && nodes[i]; i = nodes[i].parent) way.unshift(i);
    return way;
  };
  /** Light the way from the text to one branch, and say what it is. */
  function light(index) {
    const way = new Set(nodes.length ? path(index) : []);
    for (const part of plot.querySelectorAll("[data-index]"))
      part.classList.toggle("lv-on", way.has(Number(part.dataset.index)));
    for (const part of plot.querySelectorAll(".lv-token"))
      part.classList.toggle("lv-here", Number(part.dataset.index) === index);
    const node = nodes[index];
    if (!node) return view.note("");
    const n = model.get("n");
    if (!index) {
      const ways = nodes.filter((one) => !one.children.length).length;
      return view.note(`your text, and ${ways === 1 ? "one way" : `${ways} different ways`} on`);
    }
    const words = [...way]
      .slice(1)
      .map((i) => plain(model.get("pieces")[i]))
      .join("");
    view.note(
      `“… ⁨${words}⁩” · ${node.count} of ${n} go this way (${percent(node.count / n)}) · the last token had ${percent(node.p)}`,
    );
  }

  return view.start(() => {
    const [pieces, parents, counts, n] = ["pieces", "parents", "counts", "n"].map((name) => model.get(name));
    const probs = floats(model.get("probs"));
    const slot = clamp(560 / Math.max(1, n), 27, 40); // the height of one continuation
    const line = Math.min(0.62 * slot, 200 / Math.max(1, n)); // and its thickness
    nodes = [];
    parents.forEach((from, index) => {
      const up = nodes[from];
      const node = {
        index,
        parent: from,
        count: counts[index],
        p: probs.data[index],
        children: [],
        depth: up ? up.depth + 1 : 0,
        used: 0,
      };
      node.top = up ? up.top + up.used : 0; // each branch has a band of its own, as high as its share
      node.y = node.top + (node.count * slot) / 2;
      node.thick = Math.max(2, node.count * line);
      node.from = up ? up.y - up.thick / 2 + (up.used / slot) * line + node.thick / 2 : 0;
      if (up) {
        up.used += node.count * slot;
        up.children.push(node);
      }
      nodes.push(node);
    });
    const depth = Math.max(model.get("length"), ...nodes.map((node) => node.depth));
    const SIZE = 18;
    const labels = pieces.map((piece) => shorten(piece, 13));
    const wide = labels.map((label) => Math.max(16, widest(view, [label], SIZE)) + 16);
    const column = Array.from({ length: depth + 1 }, (_, d) =>
      Math.max(34, ...nodes.filter((node) => node.depth === d).map((node) => wide[node.index])),
    );
    const natural = column.reduce((sum, w) => sum + w, 0);
    const gap = clamp((view.width() - natural - 8) / Math.max(1, depth), 26, 70);
    const left = column.map((_, d) => 4 + column.slice(0, d).reduce((sum, w) => sum + w, 0) + d * gap);
    const width = left.at(-1) + column.at(-1) + 4;
    const height = Math.max(1, n) * slot + 8;

    const ribbons = [];
    const tokens = [];
    for (const node of nodes) {
      const [x, y, half] = [left[node.depth], node.y + 4, node.thick / 2];
      if (node.parent >= 0) {
        const from = left[node.depth - 1] + column[node.depth - 1];
        const [y0, mid] = [node.from + 4, (from + x) / 2];
        const end = node.children.length ? x + column[node.depth] : x + wide[node.index] / 2;
        ribbons.push(
          s("path", {
            class: "lv-branch",
            "data-index": node.index,
            d: `M${from} ${y0 - half}C${mid} ${y0 - half} ${mid} ${y - half} ${x} ${y - half}H${end}V${y + half}H${x}C${mid} ${y + half} ${mid} ${y0 + half} ${from} ${y0 + half}Z`,
          }),
        );
      } else
        ribbons.push(
          s("path", {
            class: "lv-branch",
            "data-index": 0,
            d: `M${x + 8} ${y - half}H${x + column[0]}V${y + half}H${x + 8}Z`,
          }),
        );
      tokens.push(
        s(
          "g",
          { class: "lv-token", "data-index": node.index },
          s("rect", { x, y: y - 12.5, width: wide[node.index], height: 25, rx: 6 }),
          pieceText(labels[node.index], {
            x: x + wide[node.index] / 2,
            y: y + 5.5,
            anchor: "middle",
            "font-size": SIZE,
          }),
        ),
      );
    }
    const scale = clamp(view.width() / width, 0.7, 1); // smaller where it is too wide; still too wide, it scrolls
    plot.replaceChildren(s("svg", { role: "presentation", viewBox: `0 0 ${width} ${height}` }, ribbons, tokens));
    sizePlot(plot, width * scale, height * scale);
    view.setLegend(nodes.length > 0 && `width of a branch: its share of ${n} continuations`, ...markLegend(pieces));
    for (const node of nodes)
      Object.assign(node, { left: scale * left[node.depth], right: scale * (left[node.depth] + wide[node.index]) });
    const chosen = model.get("selected");
    if (chosen !== null && chosen !== shown && nodes[chosen])
      reveal(view.body, nodes[chosen].left, nodes[chosen].right, 12); // on a narrow page
    shown = chosen;
    light(hovered ?? current());
  });
}
