// The figure around a picture.

import { pixelRatio } from "./canvas.js";
import { h, setText } from "./elements.js";
import { fullScreenButton } from "./full_screen.js";
import { keepPainting } from "./painting.js";
import { saveAs } from "./saving.js";

/**
 * The figure around a picture: caption, body, readout (what the pointer or the keys are on, read aloud), legend, save
 * buttons, and the panel that says where a number comes from. `view.start(draw)` has it drawn, and drawn again whenever
 * a trait, the width or the theme changes.
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
    observed: 0, // the body's width, because asking for it after every change would lay out the page every time
  };
  view.wider.append("This picture is wider than the page: scroll sideways to see the rest.");
  view.full = fullScreenButton(view);
  const { caption, wider, body, readout, legend, panel } = view;
  const foot = h("div", { class: "lv-foot" }, legend, saveButtons(view, name));
  const look = { class: `llmviz lv-${name}${card ? " lv-card" : ""}`, role: "group" };
  view.root = h("figure", look, caption, wider, body, readout, foot, panel);
  view.root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !model.get("asked")) return;
    view.set({ asked: null });
    event.stopPropagation();
  });
  el.classList.add("lv-host");
  el.replaceChildren(view.root);
  return Object.assign(view, methods(view, model));
}

function saveButtons(view, name) {
  const button = (kind) => {
    const title = `Save this picture as ${kind}`;
    return h("button", { type: "button", title, onclick: () => saveAs(view, name, kind) }, kind);
  };
  const full = document.fullscreenEnabled ? view.full.button : null;
  return h("div", { class: "lv-save" }, button("SVG"), button("PNG"), full);
}

/** What a picture asks of its figure. */
const methods = (view, model) => ({
  width: () => (view.observed || view.body.clientWidth || 728) - 8, // without the body's padding
  /** What the pointer or the keys are on, in parts; what is null, false or empty is left out. */
  note: (...parts) => setText(view.readout, parts.filter(Boolean).join(" · ")),
  /** Nodes and sentences; what is null, false or empty is left out. */
  setLegend(...parts) {
    const nodes = parts.filter(Boolean).map((one) => (typeof one === "string" ? h("span", {}, one) : one));
    // Nothing is inserted again, since that would lay out the page once more; a scale has other colours in another theme.
    const same = view.legendTheme === view.theme && h("div", { class: "lv-legend" }, nodes).isEqualNode(view.legend);
    if (!same) view.legend.replaceChildren(...nodes);
    view.legendTheme = view.theme;
  },
  set(traits) {
    for (const [trait, value] of Object.entries(traits)) model.set(trait, value);
    model.save_changes();
  },
  ask: (...where) => model.get("explains") && view.set({ asked: where }),
  /** When the reader moves on while a panel is open, the panel follows. */
  follow: (...where) => model.get("asked") && view.ask(...where),
  /** Select a place (an index, or row and column), and with `asked` have its number explained. */
  select(selected, asked = false) {
    view.set({ selected });
    (asked ? view.ask : view.follow)(...[selected].flat());
  },
  /** Is one of these traits, the width, the theme or the resolution another one than when this was last asked? */
  changed(...traits) {
    const now = [...traits.map((trait) => model.get(trait)), view.theme, view.width(), pixelRatio()];
    const old = view.drawn;
    view.drawn = now;
    return now.some((value, i) => value !== old?.[i]);
  },
  /** Would setting a trait lead anywhere? A page without a kernel holds only some values. */
  can: (trait, value) => model.can?.(trait, value) ?? true,
  /** Draw now, and again at these events; "limits": on a page, when `view.can` may say something else. */
  start: (draw, events = "change") => keepPainting(view, draw, events),
});
