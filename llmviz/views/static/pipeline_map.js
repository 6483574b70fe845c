// The six stages in a row, as links, with the layers' bracket above and the loop's way back below.

import { clamp, frame, h, KIT, onKeys } from "./kit.js";

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
  const map = h("div", { class: "lv-map", role: "list", "aria-label": "stages of the model" });
  view.body.append(map);
  let boxes = [];

  const make = (stage, i) => {
    const [file, here] = [model.get("notebooks")[stage], model.get("here") === stage];
    const inner = [h("span", { class: "lv-name" }, model.get("names")[i]), h("span", { class: "lv-shape lv-aside" })];
    const attributes = { class: "lv-stage", style: `--lv-of:var(--lv-${stage})` };
    if (!model.get("links"))
      return h("button", { ...attributes, type: "button", onclick: () => view.set({ picked: stage }) }, ...inner);
    if (here || !file) return h("span", { ...attributes, "aria-current": here ? "step" : null }, ...inner);
    return notebookLink(model, attributes, file, ...inner);
  };
  const brace = (name, words) =>
    h("span", { class: `lv-over lv-aside lv-${name}` }, h("span", {}, words), h("span", { class: "lv-brace" }));
  const layOut = () => {
    boxes = KIT.stages.map(make);
    const cells = boxes.flatMap((box, i) => [
      i ? h("span", { class: `lv-join lv-join-${i}`, "aria-hidden": "true" }) : null,
      h("span", { class: `lv-cell lv-cell-${i}`, role: "listitem" }, box),
    ]);
    const words = "the token joins the text, and the loop starts again";
    const loop = model.get("links") && model.get("here") ? model.get("notebooks").loop : null;
    map.replaceChildren(
      brace("inside", "inside attention"),
      brace("bracket", model.get("bracket")),
      ...cells.filter(Boolean),
      h(
        "span",
        { class: "lv-return lv-aside" },
        h("span", { class: "lv-arrow", "aria-hidden": "true" }, "▲"),
        loop ? notebookLink(model, { class: "lv-words" }, loop, words) : h("span", { class: "lv-words" }, words),
      ),
    );
  };
  const step = (by) => () => {
    const stops = [...map.querySelectorAll("a, button")];
    const at = stops.indexOf(document.activeElement);
    stops[at < 0 ? 0 : clamp(at + by, 0, stops.length - 1)]?.focus();
  };
  onKeys(map, { ArrowRight: step(1), ArrowLeft: step(-1), ArrowDown: step(1), ArrowUp: step(-1) });

  let told;
  const wayOn = () => {
    const picked = model.get("picked");
    const file = model.get("notebooks")[picked];
    if (picked === told) return;
    told = picked;
    const number = KIT.stages.indexOf(picked) + 1;
    view.setLegend(file && notebookLink(model, { class: "lv-on" }, file, `Notebook ${number} takes this stage apart`));
  };

  let drawn;
  return view.start(() => {
    const key = JSON.stringify(["here", "links", "names", "notebooks", "bracket"].map((trait) => model.get(trait)));
    if (key !== drawn) layOut();
    drawn = key;
    const width = view.width();
    map.dataset.columns = width >= 760 ? "6" : width >= 430 ? "3" : "1";
    const solid = model.get("links") ? model.get("here") : (model.get("picked") ?? model.get("here"));
    boxes.forEach((box, i) => {
      box.classList.toggle("lv-solid", KIT.stages[i] === solid);
      if (box.tagName === "BUTTON") box.setAttribute("aria-pressed", String(KIT.stages[i] === model.get("picked")));
      box.lastChild.textContent = model.get("shapes")[i];
    });
    wayOn();
  });
}
