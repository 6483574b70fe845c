// The six stages in a row, as links, with the layers' bracket above and the loop's way back below.

import { arrow, diagram, place } from "./kit/diagram.js";
import { h, setText } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { listKeys, onKeys } from "./kit/input.js";
import { KIT } from "./theme.js";

const [GAP, HIGH, LOW] = [22, 58, 36]; // pixels between two boxes, and of a box from above to below in a row, in a column
const ABOVE = 52; // pixels over a row of boxes

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
  let boxes = [];
  const stops = () => [...map.node.querySelectorAll("a, button")];
  const current = () => stops().indexOf(document.activeElement);
  const keys = listKeys(
    (i) => stops()[i].focus(),
    current,
    () => stops().length,
  );
  onKeys(map.node, { ...keys, Enter: null }); // a link and a button know what to do

  return view.start(() => {
    if (view.changed("here", "links", "names", "notebooks", "position", "bracket")) {
      boxes = KIT.stages.map((stage, i) => stageBox(view, stage, model.get("names")[i]));
      const width = view.width() + 8; // nothing is beside it
      map.node.classList.toggle("lv-column", width < 820);
      (width < 820 ? showColumn : showRow)(map, boxes, wordsAround(model), width);
    }
    const [here, picked] = [model.get("here"), model.get("picked")];
    const solid = model.get("links") ? here : (picked ?? here);
    boxes.forEach((box, i) => {
      box.classList.toggle("lv-solid", KIT.stages[i] === solid);
      if (box.tagName === "BUTTON") box.setAttribute("aria-pressed", String(KIT.stages[i] === picked));
      setText(box.lastChild, model.get("shapes")[i] ?? "");
    });
    const file = model.get("notebooks")[picked];
    const onward = `Notebook ${KIT.stages.indexOf(picked) + 1} takes this stage apart`;
    view.setLegend(file && notebookLink(model, {}, file, onward));
  });
}

function stageBox({ model, set }, stage, name) {
  const [file, isHere] = [model.get("notebooks")[stage], model.get("here") === stage];
  const inner = [h("b", {}, name), h("span", { class: "lv-aside" })];
  const attributes = { class: "lv-box lv-stage", style: `--lv-of:var(--lv-${stage})` };
  if (!model.get("links"))
    return h("button", { ...attributes, type: "button", onclick: () => set({ picked: stage }) }, ...inner);
  if (isHere || !file) return h("span", { ...attributes, "aria-current": isHere ? "step" : null }, ...inner);
  return notebookLink(model, attributes, file, ...inner);
}

function wordsAround(model) {
  const aside = (...content) => h("span", { class: "lv-box lv-bare lv-aside" }, h("span", {}, content));
  const back = "the token joins the text, and the loop starts again";
  const loop = model.get("links") && model.get("here") && model.get("notebooks").loop;
  return {
    inside: aside(model.get("position")),
    bracket: aside(model.get("bracket")),
    way: aside(loop ? notebookLink(model, {}, loop, back) : back),
  };
}

const brace = (d, kind = "", tip = {}) => arrow(d, `lv-brace ${kind}`, { wide: 2, ...tip });

function showRow(map, boxes, { inside, bracket, way }, width) {
  const wide = (width - 5 * GAP) / 6;
  const left = (i) => i * (wide + GAP);
  const middle = (i) => left(i) + wide / 2;
  const end = ABOVE + HIGH;
  boxes.forEach((box, i) => place(box, left(i), ABOVE, wide, HIGH));
  place(inside, left(2), 0, wide, 36);
  place(bracket, left(3), 0, 2 * wide + GAP, 36);
  place(way, middle(1), end + 6, middle(5) - middle(1), 28);
  const lines = [
    ...boxes.slice(1).map((_, i) => {
      const y = ABOVE + HIGH / 2;
      return arrow(`M${left(i) + wide} ${y}h13`, "", { tip: [left(i + 1), y] });
    }),
    brace(`M${left(3)} ${ABOVE - 6}v-8H${left(4) + wide}v8`),
    brace(`M${middle(2)} ${ABOVE - 6}v-8H${left(3)}`, "lv-dashed"),
    // back to the second stage: what was drawn is a token already
    brace(`M${middle(5)} ${end + 4}v34H${middle(1)}V${end + 13}`, "lv-dashed", {
      tip: [middle(1), end + 4],
      turn: -90,
    }),
  ];
  map.show(width, end + 44, lines, [inside, bracket, ...boxes, way]);
}

function showColumn(map, boxes, { inside, bracket, way }, width) {
  const wide = Math.min(0.66 * width, width - 90); // the words are beside it
  const top = (i) => i * (LOW + GAP);
  const end = top(5) + LOW;
  boxes.forEach((box, i) => place(box, 0, top(i), wide, LOW));
  place(inside, wide + 16, top(2), width - wide - 16, LOW);
  place(bracket, wide + 16, top(3), width - wide - 16, 2 * LOW + GAP);
  place(way, 0, end + 6, width, 38);
  const arrows = boxes
    .slice(1)
    .map((_, i) => arrow(`M${wide / 2} ${top(i) + LOW}v13`, "", { tip: [wide / 2, top(i + 1)], turn: 90 }));
  const layers = brace(`M${wide + 6} ${top(3)}h6V${top(4) + LOW}h-6`);
  map.show(width, end + 44, [...arrows, layers], [inside, bracket, ...boxes, way]);
}
