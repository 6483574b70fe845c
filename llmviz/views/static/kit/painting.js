// When a picture is drawn: at a change of a trait, of the width, of the theme or the resolution.

import { themeOf } from "./colour.js";
import { setAttributes, setText, uid } from "./elements.js";
import { drawExplanation } from "./explanation.js";

/** Draw now, and again whenever something changes, until the function that is returned is called. */
export function keepPainting(view, draw, events) {
  const { model } = view;
  let near = true; // whether it is on the screen or close to it: such pictures come first
  let later = null;
  const paint = () => {
    clearTimeout(later);
    later = null;
    if (!view.root.isConnected) return; // it has no styles and fonts yet; the first width comes with them
    dress(view);
    draw();
  };
  let pending = false; // one message may change several traits: paint once
  const soon = () => {
    if (!near) later ??= setTimeout(paint, 80);
    else if (!pending) {
      pending = true;
      queueMicrotask(() => {
        pending = false;
        paint();
      });
    }
  };
  const seen = new IntersectionObserver(
    (changes) => {
      near = changes.at(-1).isIntersecting;
      if (near && later !== null) paint();
    },
    { rootMargin: "200px", scrollMargin: "200px" },
  );
  const resized = new ResizeObserver(() => {
    compareWidths(view); // what is drawn is laid out by now, so that asking for its width costs nothing
    if (view.body.clientWidth === view.observed) return; // hidden at first: the width comes later
    view.observed = view.body.clientWidth;
    // A paint inside the observer could set it off again; by the next frame, the picture may be hidden.
    if (view.observed)
      requestAnimationFrame(() => {
        if (!view.body.clientWidth) return;
        paint();
        requestAnimationFrame(() => compareWidths(view)); // the new drawing may be narrower, in a body of the same size
      });
  });
  // JupyterLab hides everything until the next frame as it changes its theme: until then, nothing has a width.
  const themed = new MutationObserver(() => requestAnimationFrame(() => themeOf(view.root) !== view.theme && paint()));
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const ended = () => {
    view.root.classList.add("lv-ended");
    view.note("This picture's kernel has stopped. Run the cell again.");
  };
  const left = new AbortController();
  view.paint = paint;
  paint();
  model.on(events, soon);
  model.on("comm_live_update", ended); // the kernel was restarted; what is clicked here would go nowhere
  for (const node of [view.body, ...view.body.children]) resized.observe(node);
  seen.observe(view.root);
  themed.observe(document.body, { attributes: true });
  media.addEventListener("change", soon, { signal: left.signal });
  document.addEventListener("fullscreenchange", soon, { signal: left.signal });
  return () => {
    model.off(events, soon);
    model.off("comm_live_update", ended);
    for (const observer of [resized, seen, themed]) observer.disconnect();
    clearTimeout(later);
    left.abort();
  };
}

/** Bring the figure around the drawing up to date; what is the same stays, because setting it lays out the picture. */
function dress(view) {
  const { model, root } = view;
  view.theme = themeOf(root);
  setAttributes(root, { "data-lv-theme": view.theme, "aria-label": model.get("summary") });
  root.style.setProperty("--lv-accent", `var(--lv-${model.get("stage")})`);
  nameControls(root.closest(".jp-OutputArea-output"));
  setText(view.caption, model.get("caption"));
  view.caption.hidden = !model.get("caption");
  drawExplanation(view);
  view.full.show();
}

function compareWidths({ wider, body }) {
  wider.hidden = body.scrollWidth <= body.clientWidth + 12; // so little hides nothing
  // What is scrolled, and holds nothing that takes the keys, takes them itself.
  if (wider.hidden || body.querySelector("[tabindex], button, input")) body.removeAttribute("tabindex");
  else body.tabIndex = 0;
}

// With this attribute, what has the focus keeps its keys. JupyterLab looks for it from the focused element upwards, and its
// own shortcuts (ArrowRight opens a heading) match the focused element first.
document.addEventListener("focusin", ({ target }) => {
  if (target.closest(".jp-OutputArea-output:has(.llmviz, .lv-sized)"))
    target.setAttribute("data-lm-suppress-shortcuts", "true");
});

/** ipywidgets gives no name to the handle of a slider, whose label is beside it, nor to a box that has only a title. */
function nameControls(output) {
  if (!output) return;
  for (const handle of output.querySelectorAll(".noUi-handle:not([aria-labelledby])")) {
    const label = handle.closest(".widget-slider").querySelector(".widget-label");
    handle.setAttribute("aria-labelledby", (label.id ||= uid()));
  }
  for (const box of output.querySelectorAll(":is(.widget-text > input, .widget-textarea > textarea):not([aria-label])"))
    if (!box.labels[0]?.textContent) box.ariaLabel = box.title;
}
