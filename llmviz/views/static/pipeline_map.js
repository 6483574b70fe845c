// The six stages in a row, as links, with the layers' bracket above and the loop's way back below.

import { widest } from "./kit/canvas.js";
import { arrow, diagram, place } from "./kit/diagram.js";
import { h, setText } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { onKeys } from "./kit/input.js";
import { clamp } from "./kit/numbers.js";
import { KIT } from "./theme.js";

const [GAP, HIGH] = [22, 58]; // pixels between two boxes, and of a box from above to below

/**
 * A link to a neighbouring notebook. JupyterLab opens it in a tab of its own, by the same two objects that serve the
 * links in its markdown cells; elsewhere it is a plain relative link.
 */
function notebookLink(model, attributes, file, ...children) {
  const link = h("a", { ...attributes, href: file }, ...children);
  const { resolver, linkHandler } = model.widget_manager?.rendermime ?? {};
  if (resolver && linkHandler)
    resolver
      .resolveUrl(file)
      .then((path) => linkHandler.handleLink(link, decodeURIComponent(path), ""))
      .catch(() => {});
  return link;
}

export function render({ model, el }) {
  const view = frame(model, el, "pipeline_map", { card: false });
  const map = diagram(view, { role: "group", "aria-label": "stages of the model" });
  const aside = (...content) => h("span", { class: "lv-box lv-bare lv-words lv-aside" }, h("span", {}, content));
  let boxes = [];
  let [inside, bracket, way] = [];

  const makeBox = (stage, i) => {
    const [file, here] = [model.get("notebooks")[stage], model.get("here") === stage];
    const inner = [h("b", {}, model.get("names")[i]), h("span", { class: "lv-aside" })];
    const attributes = { class: "lv-box lv-stage", style: `--lv-of:var(--lv-${stage})` };
    if (!model.get("links"))
      return h("button", { ...attributes, type: "button", onclick: () => view.set({ picked: stage }) }, ...inner);
    if (here || !file) return h("span", { ...attributes, "aria-current": here ? "step" : null }, ...inner);
    return notebookLink(model, attributes, file, ...inner);
  };
  const make = () => {
    boxes = KIT.stages.map(makeBox);
    const back = "the token joins the text, and the loop starts again";
    const loop = model.get("links") && model.get("here") ? model.get("notebooks").loop : null;
    inside = aside(model.get("position"));
    bracket = aside(model.get("bracket"));
    way = aside(loop ? notebookLink(model, {}, loop, back) : back);
  };

  const layOut = (width) => {
    const columns = width >= 820 ? 6 : width >= 430 ? 3 : 1;
    const [inRow, inColumn] = [columns === 6, columns === 1];
    const side = inColumn ? Math.max(90, 0.34 * width) : 0; // for the words beside a column
    const wide = (width - side - (columns - 1) * GAP) / columns;
    const twoLines = widest(view, [model.get("bracket")], 14, "ui") > 2 * wide + GAP;
    const [first, between] = [inRow ? (twoLines ? 58 : 40) : 0, inColumn ? GAP : twoLines ? 76 : 58];
    const left = (i) => (i % columns) * (wide + GAP);
    const top = (i) => first + Math.floor(i / columns) * (HIGH + between);
    const [middle, end] = [(i) => left(i) + wide / 2, top(5) + HIGH];
    boxes.forEach((box, i) => place(box, left(i), top(i), wide, HIGH));

    const lines = boxes.slice(1).map((_, i) => {
      if (inColumn) return arrow(`M${middle(i)} ${top(i) + HIGH}v13`, "", { tip: [middle(i), top(i + 1)], turn: 90 });
      if (top(i) !== top(i + 1))
        return arrow(`M${middle(i)} ${top(i) + HIGH}v10H16V${top(i + 1) - 9}`, "", { tip: [16, top(i + 1)], turn: 90 });
      return arrow(`M${left(i) + wide} ${top(i) + HIGH / 2}h13`, "", { tip: [left(i + 1), top(i) + HIGH / 2] });
    });
    const brace = (d, kind = "", more = {}) => lines.push(arrow(d, `lv-brace ${kind}`, { wide: 2, ...more }));
    const from = left(3);
    if (inColumn) {
      brace(`M${wide + 6} ${top(3)}h6V${top(4) + HIGH}h-6`);
      place(bracket, wide + 22, top(3), side - 22, top(4) + HIGH - top(3));
      place(inside, wide + 22, top(2), side - 22, HIGH);
    } else {
      brace(`M${from} ${top(3) - 6}v-8H${left(4) + wide}v8`);
      place(bracket, from, top(3) - 56, 2 * wide + GAP, 40);
      place(inside, left(2), top(3) - 56, wide, 40);
    }
    if (inRow) {
      brace(`M${middle(2)} ${top(2) - 6}v-8H${from}`, "lv-dashed");
      // back to the second stage: what was drawn is a token already
      const tip = { tip: [middle(1), end + 4], turn: -90 };
      brace(`M${middle(5)} ${end + 4}v34H${middle(1)}V${end + 13}`, "lv-dashed", tip);
    }
    place(way, inRow ? middle(1) : 0, end + 6, inRow ? middle(5) - middle(1) : width, inColumn ? 38 : 28);
    map.node.classList.toggle("lv-column", inColumn);
    const all = [inColumn || inRow ? inside : null, bracket, ...boxes, way];
    map.show(width, end + 44, lines, all.filter(Boolean));
  };
  const step = (by) => () => {
    const stops = [...map.node.querySelectorAll("a, button")];
    const at = stops.indexOf(document.activeElement);
    stops[at < 0 ? 0 : clamp(at + by, 0, stops.length - 1)]?.focus();
  };
  onKeys(map.node, { ArrowRight: step(1), ArrowLeft: step(-1), ArrowDown: step(1), ArrowUp: step(-1) });

  let drawn;
  return view.start(() => {
    const key = JSON.stringify(["here", "links", "names", "notebooks", "bracket"].map((trait) => model.get(trait)));
    if (key !== drawn) make();
    if (view.changed() || key !== drawn) layOut(view.width() + 8); // nothing is beside it
    drawn = key;
    const solid = model.get("links") ? model.get("here") : (model.get("picked") ?? model.get("here"));
    boxes.forEach((box, i) => {
      box.classList.toggle("lv-solid", KIT.stages[i] === solid);
      if (box.tagName === "BUTTON") box.setAttribute("aria-pressed", String(KIT.stages[i] === model.get("picked")));
      setText(box.lastChild, model.get("shapes")[i] ?? "");
    });
    const file = model.get("notebooks")[model.get("picked")];
    const onward = `Notebook ${KIT.stages.indexOf(model.get("picked")) + 1} takes this stage apart`;
    view.setLegend(file && notebookLink(model, { class: "lv-on" }, file, onward));
  });
}
