// The figure around a picture.

import { pixelRatio } from "./canvas.js";
import { themeOf } from "./colour.js";
import { h, setText, uid } from "./elements.js";
import { drawExplanation } from "./explanation.js";
import { fullScreenButton } from "./full_screen.js";
import { saveAs } from "./saving.js";

/**
 * The figure around a picture: caption, body, readout (what the pointer or the keys are on, read aloud), legend, save
 * buttons, and the panel that says where a number comes from. `draw` is called with every change of a trait, of the
 * width or of the theme, and updates in place.
 */
export function frame(model, el, name, { card = true } = {}) {
  const part = (suffix, attributes = {}) => h("div", { class: `lv-${suffix}`, ...attributes });
  const view = {
    model,
    caption: part("caption"),
    wider: part("wider", { hidden: true }),
    body: part("body"),
    readout: part("readout", { "aria-live": "polite" }),
    legend: part("legend"),
    panel: part("explain", { hidden: true, tabindex: "-1" }),
  };
  const save = part("save", {});
  for (const kind of ["SVG", "PNG"])
    save.append(
      h(
        "button",
        { type: "button", title: `Save this picture as ${kind}`, onclick: () => saveAs(view, name, kind) },
        kind,
      ),
    );
  const full = fullScreenButton(view);
  if (document.fullscreenEnabled) save.append(full.button);
  const foot = part("foot");
  foot.append(view.legend, save);
  view.root = h(
    "figure",
    // JupyterLab would take the arrow keys for itself; this attribute tells it not to.
    { class: `llmviz lv-${name}${card ? " lv-card" : ""}`, role: "group", "data-lm-suppress-shortcuts": "true" },
    view.caption,
    view.wider,
    view.body,
    view.readout,
    foot,
    view.panel,
  );
  el.classList.add("lv-host");
  el.replaceChildren(view.root);

  view.wider.append("This picture is wider than the page: scroll sideways to see the rest.");

  let width = 0; // as last observed, because asking for it after every change would lay out the page every time
  view.width = () => (width || view.body.clientWidth || 728) - 8; // without the body's padding
  /** What the pointer or the keys are on, in parts; what is null, false or empty is left out. */
  view.note = (...parts) => setText(view.readout, parts.filter(Boolean).join(" · "));
  /** Nodes and sentences; what is null, false or empty is left out. */
  view.setLegend = (...parts) => {
    const nodes = parts.filter(Boolean).map((one) => (typeof one === "string" ? h("span", {}, one) : one));
    // nothing is inserted again, since that would lay out the page once more
    const old = view.legend.childNodes;
    const same =
      view.legendTheme === view.theme &&
      nodes.length === old.length &&
      nodes.every((node, i) => node.isEqualNode(old[i]));
    if (!same) view.legend.replaceChildren(...nodes);
    view.legendTheme = view.theme;
  };
  view.set = (traits) => {
    for (const [trait, value] of Object.entries(traits)) model.set(trait, value);
    model.save_changes();
  };
  view.ask = (...where) => model.get("explains") && view.set({ asked: where });
  /** When the reader moves on while a panel is open, the panel follows. */
  view.follow = (...where) => model.get("asked") && view.ask(...where);
  /** Select a place (an index, or row and column), and with `asked` have its number explained. */
  view.select = (selected, asked = false) => {
    view.set({ selected });
    (asked ? view.ask : view.follow)(...[selected].flat());
  };
  /** Is one of these traits, the width, the theme or the resolution another one than when this was last asked? */
  view.changed = (...traits) => {
    const now = [...traits.map((trait) => model.get(trait)), view.theme, view.width(), pixelRatio()];
    const old = view.drawn;
    view.drawn = now;
    return now.some((value, i) => value !== old?.[i]);
  };
  /** Would setting a trait lead anywhere? A page without a kernel holds only some values. */
  view.can = (trait, value) => model.can?.(trait, value) ?? true;
  /** Draw now, and again at these events; "limits": on a page, when `view.can` may say something else. */
  view.start = (draw, events = "change") => {
    let [near, later] = [true, null]; // whether it is on the screen or close to it; pictures that are come first
    const paint = () => {
      if (!view.root.isConnected) return; // it has no styles and fonts yet; the first width comes with them
      clearTimeout(later);
      later = null;
      view.theme = themeOf(view.root);
      if (view.root.dataset.lvTheme !== view.theme) view.root.dataset.lvTheme = view.theme;
      const output = view.root.closest(".jp-OutputArea-output");
      keepKeys(output);
      nameControls(output);
      const accent = `var(--lv-${model.get("stage")})`;
      if (view.root.style.getPropertyValue("--lv-accent") !== accent)
        view.root.style.setProperty("--lv-accent", accent);
      if (view.root.getAttribute("aria-label") !== model.get("summary"))
        view.root.setAttribute("aria-label", model.get("summary"));
      setText(view.caption, model.get("caption")); // only if it differs: setting it lays out the whole picture
      view.caption.hidden = !model.get("caption");
      drawExplanation(view);
      full.show();
      draw();
    };
    let pending = false; // one message from Python may change several traits: paint once
    const soon = () => {
      if (!near) {
        clearTimeout(later);
        later = setTimeout(paint, 80);
      } else if (!pending) {
        pending = true;
        queueMicrotask(() => {
          pending = false;
          paint();
        });
      }
    };
    const seen = new IntersectionObserver(
      ([...changes]) => {
        near = changes.at(-1).isIntersecting;
        if (near && later !== null) paint();
      },
      { rootMargin: "200px", scrollMargin: "200px" },
    );
    const compareWidths = () => {
      view.wider.hidden = view.body.scrollWidth <= view.body.clientWidth + 12; // so little hides nothing
      // What is scrolled, and holds nothing that takes the keys, takes them itself.
      if (view.wider.hidden || view.body.querySelector("[tabindex], button, input"))
        view.body.removeAttribute("tabindex");
      else view.body.tabIndex = 0;
    };
    const resized = new ResizeObserver(() => {
      compareWidths(); // what is drawn is laid out by now, so that asking for its width costs nothing
      if (view.body.clientWidth === width) return; // hidden at first: the width comes later
      width = view.body.clientWidth;
      // A paint inside the observer could set it off again; by the next frame, the picture may be hidden.
      if (width)
        requestAnimationFrame(() => {
          if (!view.body.clientWidth) return;
          paint();
          requestAnimationFrame(compareWidths); // the new drawing may be narrower, in a body of the same size
        });
    });
    // JupyterLab hides everything until the next frame as it changes its theme: until then, nothing has a width.
    const repaint = () => themeOf(view.root) !== view.theme && paint();
    const themed = new MutationObserver(() => requestAnimationFrame(repaint));
    const media = window.matchMedia("(prefers-color-scheme: dark)");
    const ended = () => {
      view.root.classList.add("lv-ended");
      view.note("This picture's kernel has stopped. Run the cell again.");
    };
    view.paint = paint;
    paint();
    model.on(events, soon);
    model.on("comm_live_update", ended); // the kernel was restarted; what is clicked here would go nowhere
    for (const node of [view.body, ...view.body.children]) resized.observe(node);
    seen.observe(view.root);
    themed.observe(document.body, { attributes: true });
    media.addEventListener("change", soon);
    document.addEventListener("fullscreenchange", soon);
    return () => {
      model.off(events, soon);
      model.off("comm_live_update", ended);
      resized.disconnect();
      seen.disconnect();
      clearTimeout(later);
      themed.disconnect();
      media.removeEventListener("change", soon);
      document.removeEventListener("fullscreenchange", soon);
    };
  };
  view.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && model.get("asked")) {
      view.set({ asked: null });
      event.stopPropagation();
    }
  });
  return view;
}

/** Lists and buttons beside a picture, which others made, keep their keys as well once they have the focus. */
function keepKeys(output) {
  if (!output || output.dataset.lvKeys) return;
  output.dataset.lvKeys = "kept";
  output.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
}

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
