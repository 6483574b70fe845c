// Under a text box: while the text in it is not the one that the pictures show, they are dimmed, and this says so.

import { h } from "./kit/elements.js";

const OLD = "These pictures still show your previous text. Press Enter to update them.";
const RUNS = "Computing …"; // where it takes long enough to be read

export function render({ model, el }) {
  const status = h("div", { class: "lv-sized lv-not-yet", role: "status" });
  const left = new AbortController();
  let box;
  let timer;
  let entered = null; // what was sent to run, and is not shown yet
  el.append(status);

  const compare = (event) => {
    const stale = box.value !== model.get("shown");
    if (event?.type === "change") entered = box.value;
    else if (event?.type !== "input" && entered === model.get("shown")) entered = null; // an older one may come first
    const runs = box.localName === "textarea" || box.value === entered; // else it waits for Enter
    for (const view of document.getElementsByClassName(model.get("followers")))
      view.classList.toggle("lv-stale", stale);
    clearTimeout(timer);
    if (stale && box.value.trim()) timer = setTimeout(() => (status.textContent = runs ? RUNS : OLD), 500);
    else status.textContent = "";
  };
  // The box is a neighbour; it may come to the page after this.
  const find = () => {
    box = el.closest(".lv-text-box")?.querySelector("textarea, input");
    if (left.signal.aborted) return;
    if (!box) return void requestAnimationFrame(find);
    box.ariaLabel = box.title; // which ipywidgets gives it; the name above it is no label
    for (const type of ["input", "change"]) box.addEventListener(type, compare, left);
    model.on("change:shown", compare);
  };
  find();
  return () => {
    clearTimeout(timer);
    model.off("change:shown", compare);
    left.abort();
  };
}
