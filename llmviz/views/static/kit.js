// Shared by every picture. It draws and picks; it computes nothing about the model.

import { KIT } from "./theme.js";

export { KIT };

// ---- elements. Text is only ever set as text, so what a reader typed cannot become markup. ----

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  // With this attribute, what has the focus keeps its keys. JupyterLab looks for it from the focused element upwards,
  // and its own shortcuts (ArrowRight opens a heading) match the focused element first.
  if (node.tabIndex >= 0) node.setAttribute("data-lm-suppress-shortcuts", "true");
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** The nodes of a piece. Python has put each stand-in for white space or a control between \x01 and \x02. */
export function pieceNodes(marked) {
  return marked
    .split(/\x01([^\x02]*)\x02/)
    .map((part, i) => (i % 2 ? h("span", { class: "lv-mark" }, part) : part))
    .filter((part) => part !== "");
}

/** A piece as SVG text; a right-to-left one is anchored at its own other end. */
export function pieceText(marked, { anchor = "start", ...attributes }) {
  const rtl = /^[^A-Za-z\u00c0-\u058f]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(marked);
  const nodes = marked
    .split(/\x01([^\x02]*)\x02/)
    .map((part, i) => (part === "" ? null : i % 2 ? s("tspan", { "fill-opacity": 0.75 }, part) : part));
  return s(
    "text",
    {
      "text-anchor": rtl ? { start: "end", end: "start", middle: "middle" }[anchor] : anchor,
      direction: rtl ? "rtl" : null,
      ...attributes,
      // words and numbers are not pieces, so they are not in monospace
      class: `${/^[\d.]+$|\S \S/.test(marked) ? "lv-name" : "lv-piece"} ${attributes.class ?? ""}`,
    },
    nodes,
  );
}
const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** At most n characters as a reader counts them. */
export function shorten(marked, n) {
  const units = marked
    .split(/(\x01[^\x02]*\x02)/)
    .flatMap((part) => (part.startsWith("\x01") ? [part] : [...GRAPHEMES.segment(part)].map(({ segment }) => segment)));
  return units.length <= n ? marked : `${units.slice(0, n - 1).join("")}…`;
}
export const plain = (marked) => marked.replace(/[\x01\x02]/g, "");
export const quoted = (marked) => `\u201c\u2068${plain(marked)}\u2069\u201d`; // so that Hebrew does not turn the sentence around it

/** "· space   ⏎ new line", for the marks that occur in these pieces. */
export function markLegend(pieces) {
  const found = new Set(pieces.join("").match(/\x01[^\x02]+\x02/g) ?? []);
  return Object.entries(KIT.marks)
    .filter(([mark]) => found.has(`\x01${mark}\x02`))
    .map(([mark, name]) => h("span", {}, h("b", { class: "lv-piece" }, mark), ` ${name}`));
}

export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};
export function setPiece(node, marked) {
  if (node.marked !== marked) node.replaceChildren(...pieceNodes(marked));
  node.marked = marked;
}

/** Words beside a drawing: a tick, the name of an axis. */
export const axisText = (x, y, text, anchor = "middle", attributes = {}) =>
  s("text", { x, y, "text-anchor": anchor, class: "lv-quiet", ...attributes }, text);

/** A sign and what it stands for, for the legend: shapes around the middle of 34 × 12 pixels. */
export const signKey = (shape, ...meaning) =>
  h("span", {}, s("svg", { viewBox: "0 0 34 12", "aria-hidden": "true" }, shape), ...meaning);

/** An element that takes the keys; `label` is its name for those who hear the page. */
export const keyed = (role, kind, label, ...children) =>
  h("div", { class: kind, role, tabindex: "0", "aria-label": label }, ...children);

// ---- numbers ----

/** A float array as Python sent it: {shape, data: Float32Array}, or null. */
export function floats(value) {
  if (!value) return null;
  const view = value.data;
  const from = view.byteOffset ?? 0;
  const buffer = view.buffer ?? view;
  return { shape: value.shape, data: new Float32Array(buffer.slice(from, from + view.byteLength)) };
}

export function percent(p) {
  const value = 100 * p;
  const size = Math.abs(value);
  if (value === 0) return "0%";
  if (size < 0.001) return value > 0 ? "< 0.001%" : "> \u22120.001%";
  return minus(size < 0.0995 ? `${Number(value.toPrecision(2))}%` : `${value.toFixed(1)}%`);
}
/** A number's text with its unit, as `numbers.py` writes it. */
export const withUnit = (digits, unit) => minus(digits) + (unit === "%" ? unit : ` ${unit}`.trimEnd());
export const minus = (text) => text.replaceAll("-", "\u2212"); // a small number has two: −2.50e−5
export const number = (v) =>
  Number.isNaN(v)
    ? "blank"
    : minus(Math.abs(v) >= 1e4 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : v.toPrecision(3));
export const count = (n) => n.toLocaleString("en-US");
export const clamp = (v, lo = 0, hi = 1) => Math.min(hi, Math.max(lo, v));

// ---- colour ----

export const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const luminance = ([r, g, b]) => 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2;

function ramp(stops) {
  const colors = stops.map(rgb);
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (colors.length - 1);
    const k = Math.min(Math.floor(at), colors.length - 2);
    return colors[k].map((c, j) => Math.round(c + (at - k) * (colors[k + 1][j] - c)));
  });
}

/** A colour scale with its meaning: "weight" (0 to limit, square root), "prob" (0 to limit), "signed" (-limit to limit). */
export function colorScale(name, theme, limit = 1) {
  const signed = name === "signed";
  const table = ramp(KIT[signed ? "diverging" : "sequential"][theme]);
  const place = signed
    ? (v) => 0.5 + 0.5 * clamp(v / limit, -1, 1)
    : name === "weight"
      ? (v) => Math.sqrt(clamp(v / limit))
      : (v) => clamp(v / limit);
  const index = (v) => Math.round(255 * place(v));
  const color = (v) => table[index(v)];
  const show = (v) => (signed && v > 0 ? "+" : "") + minus(String(Number(v.toPrecision(3))));
  return {
    table,
    index,
    color,
    css: (v) => `rgb(${color(v).join(",")})`,
    ink: (v) => (luminance(color(v)) > 0.179 ? "#000000" : "#ffffff"), // at least 4.5 : 1
    low: signed ? show(-limit) : "0",
    high: show(limit),
    note: name === "weight" ? "square-root scale" : "",
    over: (v) => Math.abs(v) > limit * 1.000001,
  };
}

/** A scale of shares or probabilities, its ends in %. */
export const inPercent = (scale, limit = 1) => ({ ...scale, low: "0%", high: percent(limit) });

/** A small colour bar with its two ends, and a word where the scale is not linear. */
export function scaleLegend(scale, meaning) {
  const bar = h("canvas", { class: "lv-ramp", width: 256, height: 1 });
  const ctx = bar.getContext("2d");
  const image = ctx.createImageData(256, 1);
  scale.table.forEach((c, i) => image.data.set([...c, 255], 4 * i));
  ctx.putImageData(image, 0, 0);
  return h("span", {}, meaning ? `${meaning} ` : "", scale.low, bar, scale.high, scale.note ? ` (${scale.note})` : "");
}

/** Light or dark: what the host says, else whether the page writes light on dark. */
function themeOf(element) {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false" ? "dark" : "light";
  const channels = (color) => (color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
  const ground = element.closest(".cell-output-ipywidget-background"); // VS Code's: white, even in a dark theme
  const [r, g, b, opacity = 1] = ground ? channels(getComputedStyle(ground).backgroundColor) : [0, 0, 0, 0];
  if (opacity > 0) return luminance([r, g, b]) > 0.35 ? "light" : "dark";
  if (vscodeThemeKind) return /dark|contrast$/.test(vscodeThemeKind) ? "dark" : "light";
  const ink = channels(getComputedStyle(element.parentElement ?? document.body).color).slice(0, 3);
  return luminance(ink) > 0.35 ? "dark" : "light";
}

// ---- canvas ----

/** The face of pieces ("mono") or of everything else ("ui"); asked for once, since asking makes the page work. */
export const fontOf = (view, face) =>
  ((view.fonts ??= {})[face] ||= getComputedStyle(view.root).getPropertyValue(`--lv-font-${face}`));

/** The widest of some texts in pixels, in the face of pieces ("mono") or of everything else ("ui"). */
export function widest(view, texts, size, face = "mono") {
  const pen = (view.pen ??= document.createElement("canvas").getContext("2d"));
  pen.font = `${size}px ${fontOf(view, face)}`;
  return texts.reduce((most, text) => Math.max(most, pen.measureText(plain(text)).width), 0);
}
/** How many labels to step over so that those drawn have room: 1, 2, 5, 10 … */
export const thinning = (size, need) => [1, 2, 5, 10, 20, 25, 50, 100, 128, 256].find((k) => k * size >= need) ?? 512;

/** How much larger than its own pixels an element is shown, as in full screen (`zoom` in CSS). */
const zoomOf = (element) => element.currentCSSZoom ?? 1;
let savingRatio = 0; // a saved picture gets finer cells than the screen
export const pixelRatio = () =>
  (savingRatio || window.devicePixelRatio || 1) * zoomOf(document.fullscreenElement ?? document.body);

/** Where the pointer is in an element, in the element's own pixels. */
export function pointIn(element, event) {
  const { left, top } = element.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top].map((distance) => distance / zoomOf(element));
}

/** Size a canvas in CSS pixels for this screen, and give its context, cleared. */
export function sizeCanvas(canvas, width, height) {
  const ratio = pixelRatio();
  const [w, hgt] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== hgt) Object.assign(canvas, { width: w, height: hgt });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const ctx = canvas.getContext("2d");
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.clearRect(0, 0, w, hgt);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return ctx;
}

/**
 * Paint a grid of numbers at (x, y); NaN stays blank. Many grids can share one canvas: `offset` and `stride` say where
 * this one starts in `values` and how far apart its rows lie. Cells with a gap are rectangles, without one an image.
 */
export function paintGrid(
  ctx,
  values,
  { x = 0, y = 0, rows, cols, w, h: hgt, gap = 0, scale, offset = 0, stride = cols },
) {
  if (gap > 0) {
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < cols; c++) {
        const v = values[offset + r * stride + c];
        if (Number.isNaN(v)) continue;
        ctx.fillStyle = scale.css(v);
        ctx.fillRect(x + c * w, y + r * hgt, w - gap, hgt - gap);
      }
    return;
  }
  const image = new ImageData(cols, rows);
  const pixels = new Uint32Array(image.data.buffer); // one write a cell: 512 × 512 in a few milliseconds
  const packed = Uint32Array.from(scale.table, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) {
      const v = values[offset + r * stride + c];
      if (v === v) pixels[r * cols + c] = packed[scale.index(v)];
    }
  const small = new OffscreenCanvas(cols, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, x, y, cols * w, rows * hgt);
}

// ---- the frame of a picture ----

const FULL_SCREEN_WIDTH = 900; // pixels of a picture's own across a full screen, about what it has on a page

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

/**
 * The button that gives a picture the whole screen, with the explorer around it: its text box, question and controls.
 * Where the browser can (`currentCSSZoom`), everything is shown so large that a line holds as much as on a page.
 */
function fullScreenButton(view) {
  const corners = { viewBox: "0 0 14 14", width: 13, height: 13, fill: "none", stroke: "currentColor" };
  const icon = s(
    "svg",
    { ...corners, "stroke-width": 1.6, "aria-hidden": "true" },
    s("path", { d: "M1 5V1h4M9 1h4v4M13 9v4H9M5 13H1V9" }),
  );
  const isFull = () => document.fullscreenElement?.contains(view.root) ?? false;
  const enter = async () => {
    const { root } = view;
    let whole = root;
    for (let at = root; at; at = at.parentElement?.closest(".lv-explorer")) whole = at;
    whole.style.setProperty("--lv-ground", getComputedStyle(root).getPropertyValue("--lv-page"));
    whole.classList.add("lv-full");
    const isLeft = () => document.fullscreenElement !== whole;
    const leave = () => {
      if (!isLeft()) return;
      whole.style.zoom = "";
      whole.classList.remove("lv-full");
      document.removeEventListener("fullscreenchange", leave);
      root.scrollIntoView({ block: "nearest" });
    };
    document.addEventListener("fullscreenchange", leave); // also where it is left before it is drawn
    await whole.requestFullscreen();
    const shown = root.closest(".lv-explorer") ?? root;
    if ("currentCSSZoom" in whole) {
      const around = whole.currentCSSZoom; // of the page
      const enlarge = (zoom) => (whole.style.zoom = Math.max(1, zoom) / around);
      const wide = window.innerWidth / FULL_SCREEN_WIDTH;
      enlarge(wide);
      for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); // it is drawn for that width
      if (isLeft()) return;
      enlarge(Math.min(wide, (wide * window.innerHeight) / shown.getBoundingClientRect().height)); // all of it in sight, if possible
    }
    shown.scrollIntoView({ block: "start" });
  };
  const button = h(
    "button",
    { type: "button", class: "lv-full-screen", onclick: () => (isFull() ? document.exitFullscreen() : enter()) },
    icon,
  );
  const show = () => {
    const name = isFull() ? "Leave full screen" : "Full screen";
    if (button.title !== name) setAttributes(button, { title: name, "aria-label": name });
  };
  show();
  return { button, show };
}

/** What is drawn in a picture's body, as one thing that takes the keys. */
export function plotIn(view, label, ...children) {
  const plot = keyed("application", "lv-plot", label, ...children);
  view.body.append(plot);
  return plot;
}
/** Give a plot, and the SVG over it, their size. */
export function sizePlot(plot, width, height) {
  setAttributes(plot.querySelector("svg"), { width: Math.max(0, width), height }); // drawn in a place without width
  Object.assign(plot.style, { width: `${width}px`, height: `${height}px` });
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

/** Give an element keys: {ArrowLeft: (event) => …}. A handled key goes no further. */
export function onKeys(element, actions) {
  element.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey) return;
    const action = actions[event.key === " " ? "Enter" : event.key]; // the space bar presses as well
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action(event);
  });
}

/** Keys along a list: to its neighbours, to both ends, and Enter for the one that is selected. */
export const listKeys = (select, current, length, [back, on] = ["ArrowLeft", "ArrowRight"]) => ({
  [back]: () => select(Math.max(current() - 1, 0)),
  [on]: () => select(Math.min(current() + 1, length() - 1)),
  Home: () => select(0),
  End: () => select(length() - 1),
  Enter: () => select(Math.max(current(), 0), true),
});

/** Keys over a table with trait `selected`: [row, column] or null. `select` keeps inside; `last(row)` ends a row. */
export function cellKeys({ model }, { select, rows, last }) {
  const here = () => model.get("selected");
  const move = (down, right) => () => (here() ? select(here()[0] + down, here()[1] + right) : select(0, 0));
  const [row, column] = [0, 1].map((axis) => () => here()?.[axis] ?? 0);
  return {
    ArrowUp: move(-1, 0),
    ArrowDown: move(1, 0),
    ArrowLeft: move(0, -1),
    ArrowRight: move(0, 1),
    Home: () => select(row(), 0),
    End: () => select(row(), last(row())),
    PageUp: () => select(0, column()),
    PageDown: () => select(rows() - 1, column()),
    Enter: () => select(row(), column(), true),
  };
}

/**
 * `at(event)` says what is under the pointer: `hover` hears of it, and `click` when it is pressed. null: nothing, as when
 * the pointer leaves; undefined: between two things, where what was said stays.
 */
export function onPointer(element, at, hover, click) {
  element.addEventListener("pointermove", (event) => {
    const where = at(event);
    if (where !== undefined) hover(where);
  });
  element.addEventListener("pointerleave", () => hover(null));
  element.addEventListener("click", (event) => {
    const where = at(event) ?? null;
    if (where !== null) click(where);
  });
}

/** The data-index of the part that is pointed at; undefined between two of them. */
export function indexUnder(event) {
  const node = event.target.closest("[data-index]");
  return node ? Number(node.dataset.index) : undefined;
}

/** Scroll a box sideways where this stretch of it is out of sight. */
export function reveal(box, from, to, margin = 8) {
  if (from < box.scrollLeft) box.scrollLeft = from - margin;
  else if (to > box.scrollLeft + box.clientWidth) box.scrollLeft = to + margin - box.clientWidth;
}

// ---- tokens as chips ----

export function chip(label, id, index) {
  return h(
    "span",
    { class: "lv-chip", role: "option", "data-index": index },
    h("bdi", { class: "lv-piece" }, pieceNodes(label)),
    id === null || id === undefined ? null : h("span", { class: "lv-id" }, String(id)),
  );
}

/** What an empty list box says; without an option, it would be an error to screen readers. */
export const noOption = (text) => h("span", { class: "lv-empty", role: "option", "aria-disabled": "true" }, text);

/** Put chips in their list in place of those it has; what is the same stays. */
export function putChips(list, old, chips) {
  if (chips.length && old.length) exchange(list, old, chips);
  else list.replaceChildren(...(chips.length ? chips : [noOption("no tokens yet")]));
}

/** Colour a chip by a number; NaN, or none, leaves it as it is made. */
export function shadeChip(node, v, scale) {
  const shade = v === undefined || Number.isNaN(v) ? "" : scale.css(v);
  if (shade !== (node.shade ?? "")) Object.assign(node.style, { backgroundColor: shade, color: shade && scale.ink(v) });
  node.shade = shade;
}

/** Mark one chip (or row) of a list as selected, tell screen readers, and bring it into view inside its own list only. */
export function selectChip(list, chips, selected) {
  chips.forEach((node, i) => {
    const on = i === selected;
    if (node.getAttribute("aria-selected") !== String(on)) node.setAttribute("aria-selected", String(on));
  });
  const node = chips[selected];
  if (!node) {
    list.reached = null;
    return list.removeAttribute("aria-activedescendant");
  }
  node.id ||= uid();
  list.setAttribute("aria-activedescendant", node.id);
  if (list.reached === node) return; // asking where it is lays out the page, so only do it for another node
  list.reached = node;
  if (node.offsetTop < list.scrollTop) list.scrollTop = node.offsetTop - 8;
  const below = node.offsetTop + node.offsetHeight - list.clientHeight;
  if (below > list.scrollTop) list.scrollTop = below + 8;
  reveal(list, node.offsetLeft, node.offsetLeft + node.offsetWidth);
}

/** The nearest chip on the line above (-1) or below (+1). */
export function chipOnNextLine(chips, from, direction) {
  const here = chips[from];
  const middle = here.offsetLeft + here.offsetWidth / 2;
  let best = from;
  let line = null;
  for (let i = from + direction; chips[i]; i += direction) {
    if (chips[i].offsetTop === here.offsetTop) continue;
    line ??= chips[i].offsetTop;
    if (chips[i].offsetTop !== line) break;
    const distance = (k) => Math.abs(chips[k].offsetLeft + chips[k].offsetWidth / 2 - middle);
    if (best === from || distance(i) < distance(best)) best = i;
  }
  return best;
}

/** Put the nodes `now` where `old` are, or at the end; what is the same stays, and need not be laid out again. */
export function exchange(parent, old, now) {
  old.slice(now.length).forEach((node) => node.remove());
  now.forEach((node, i) => {
    if (!old[i]) parent.append(node);
    else if (node !== old[i]) old[i].replaceWith(node);
  });
}

// ---- rows with a bar each: traits `selected` and, unless named otherwise, `pieces` ----

/** `tell(index)` writes the line below; `parts` names what a row's track holds ("bar": lv-bar). Returns {list, show}. */
export function barRows(view, { name, tell, parts, labels = "pieces" }) {
  const { model } = view;
  const list = keyed("listbox", "lv-bars", name);
  const rows = [];
  const n = () => model.get(labels).length;
  const current = () => model.get("selected") ?? -1;
  const select = (index, ask) => index >= 0 && index < n() && view.select(index, ask);
  const makeRow = (index) => {
    const piece = h("bdi", { class: "lv-piece" });
    const track = Object.fromEntries(parts.map((part) => [part, h("span", { class: `lv-${part}` })]));
    const row = { piece, ...track };
    row.node = h(
      "div",
      { class: "lv-row lv-choice", role: "option", "data-index": index },
      h("span", { class: "lv-label" }, piece),
      h("span", { class: "lv-track" }, Object.values(track)),
    );
    return row;
  };
  const hover = (index) => tell(index ?? current());
  onPointer(list, indexUnder, hover, (index) => select(index, true));
  onKeys(list, listKeys(select, current, n, ["ArrowUp", "ArrowDown"]));
  /** Bring the rows up to date; `fill(row, index)` does it for the track of each. */
  const show = (fill) => {
    const pieces = model.get(labels);
    while (rows.length < pieces.length) rows.push(makeRow(rows.length));
    const nodes = rows.slice(0, pieces.length).map((row) => row.node);
    if (list.childElementCount !== nodes.length) list.replaceChildren(...nodes);
    pieces.forEach((piece, i) => {
      setPiece(rows[i].piece, piece);
      fill(rows[i], i);
    });
    selectChip(list, nodes, current());
    tell(current());
  };
  return { list, show };
}

export const uid = () => `lv${Math.random().toString(36).slice(2, 9)}`;
/** For the legend; null where all of them are drawn. */
export const tooLong = (n, what = "tokens") =>
  n > KIT.maxTokens ? h("b", {}, `Only the first ${count(KIT.maxTokens)} of ${count(n)} ${what} are drawn.`) : null;

// ---- a slider with a play button, for a picture that has all its steps already: trait `step`, 0 to steps() ----

export function player(view, { steps, name, pace }) {
  const button = h("button", { type: "button", class: "lv-play" });
  const slider = h("input", { type: "range", min: 0, step: 1, "aria-label": name });
  const counter = h("span", { class: "lv-counter" });
  let timer = null;
  const step = () => view.model.get("step");
  const label = () => {
    view.root.classList.toggle("lv-playing", timer !== null); // only playing is animated: keys and slider must not wait
    button.textContent = timer ? "❚❚ Pause" : "▶ Play";
    button.setAttribute("aria-label", timer ? `Pause: ${name}` : `Play: ${name}`);
  };
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    label();
  };
  const tick = () => {
    if (!view.root.isConnected || step() >= steps()) return stop();
    view.set({ step: step() + 1 });
    timer = setTimeout(step() < steps() ? tick : stop, pace);
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    const again = step() >= steps();
    if (again) view.set({ step: 0 });
    timer = setTimeout(tick, again ? pace : 0);
    label();
  });
  slider.addEventListener("input", () => {
    stop();
    view.set({ step: Number(slider.value) });
  });
  label();
  return {
    node: h("div", { class: "lv-player" }, button, slider, counter),
    show(at) {
      const n = steps();
      if (slider.max !== String(Math.max(0, n))) slider.max = Math.max(0, n);
      slider.value = at;
      if (slider.disabled !== n < 1) slider.disabled = button.disabled = n < 1;
      counter.textContent = `${count(at)} / ${count(Math.max(0, n))}`;
    },
  };
}

// ---- where a number comes from ----

function drawExplanation(view) {
  const explanation = view.model.get("explanation");
  if (explanation === view.explained) return;
  view.explained = explanation;
  view.panel.hidden = !explanation;
  if (!explanation) return view.panel.replaceChildren();
  const close = () => {
    view.set({ asked: null });
    view.body.querySelector("[tabindex='0']")?.focus();
  };
  view.panel.replaceChildren(
    h(
      "div",
      { class: "lv-explain-title" },
      explanation.title,
      h("button", { type: "button", class: "lv-close", "aria-label": "Close the explanation", onclick: close }, "×"),
    ),
    h("div", { class: "lv-formula" }, explanation.formula),
    h(
      "table",
      {},
      h(
        "tbody",
        {},
        explanation.operands.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))),
      ),
    ),
    h("div", { class: "lv-line" }, h("code", {}, explanation.line), h("b", {}, ` = ${explanation.result}`)),
  );
}

// ---- saving: what the page shows becomes an SVG of rectangles, text and images; a PNG is that SVG, drawn ----

const SVG_STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-opacity",
  "stroke-linejoin",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
  "display",
  "paint-order",
  "stroke-linecap",
];

function toSVG(view) {
  const { root } = view;
  const zoom = zoomOf(root); // all lengths in the picture's own pixels, as those of its styles are
  const placeOf = (of) => {
    const r = of.getBoundingClientRect();
    return new DOMRect(r.x / zoom, r.y / zoom, r.width / zoom, r.height / zoom);
  };
  const origin = placeOf(root);
  const size = { w: origin.width, h: origin.height };
  const pen = document.createElement("canvas").getContext("2d");
  const reach = (r) => {
    size.w = Math.max(size.w, r.right - origin.left);
    size.h = Math.max(size.h, r.bottom - origin.top);
  };
  const at = (r) => ({ x: r.left - origin.left, y: r.top - origin.top, width: r.width, height: r.height });

  const textOf = (node, style) => {
    const range = document.createRange();
    const runs = []; // words on one line
    const add = (text, from) => {
      range.setStart(node, from);
      range.setEnd(node, from + text.length);
      const tops = [...range.getClientRects()].map(({ top }) => top);
      const letters = [...GRAPHEMES.segment(text)];
      if (letters.length > 1 && tops.some((top) => Math.abs(top - tops[0]) > 2))
        return letters.forEach(({ segment, index }) => add(segment, from + index)); // broken, as at a hyphen
      const r = placeOf(range);
      const last = runs.at(-1);
      if (last && (!text.trim() || Math.abs(last.r.top - r.top) < 2)) last.text += text;
      else runs.push({ r, text });
    };
    for (const word of node.data.matchAll(/\S+\s*/g)) add(word[0], word.index);
    pen.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    return runs.map(({ r, text }) => {
      reach(r);
      const m = pen.measureText(text);
      const base =
        r.top + (r.height - m.fontBoundingBoxAscent - m.fontBoundingBoxDescent) / 2 + m.fontBoundingBoxAscent;
      return s(
        "text",
        {
          x: r.left - origin.left,
          y: base - origin.top,
          fill: style.color,
          "font-family": style.fontFamily,
          "font-size": style.fontSize,
          "font-weight": style.fontWeight,
          "font-style": style.fontStyle,
        },
        text.trim(),
      );
    });
  };

  const boxOf = (r, style) => {
    const shapes = [];
    const sides = ["Top", "Right", "Bottom", "Left"].map((side) => ({
      width: style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]),
      color: style[`border${side}Color`],
      dash: style[`border${side}Style`] === "dashed" ? "5 4" : null,
    }));
    const even = sides.every((side) => side.width === sides[0].width && side.color === sides[0].color);
    const radius = Math.min(parseFloat(style.borderTopLeftRadius) || 0, r.height / 2);
    const box = at(r);
    const filled = !/, 0\)$|transparent/.test(style.backgroundColor);
    if (filled || (even && sides[0].width)) {
      const edge = even ? sides[0].width : 0;
      shapes.push(
        s("rect", {
          x: box.x + edge / 2,
          y: box.y + edge / 2,
          width: Math.max(0, box.width - edge),
          height: Math.max(0, box.height - edge),
          rx: radius,
          fill: filled ? style.backgroundColor : "none",
          stroke: edge ? sides[0].color : null,
          "stroke-width": edge || null,
          "stroke-dasharray": edge ? sides[0].dash : null,
        }),
      );
    }
    if (!even) {
      const [x0, y0, x1, y1] = [box.x, box.y, box.x + box.width, box.y + box.height];
      [
        [x0, y0, x1, y0],
        [x1, y0, x1, y1],
        [x0, y1, x1, y1],
        [x0, y0, x0, y1],
      ].forEach(([a, b, c, d], i) => {
        const side = sides[i];
        if (side.width)
          shapes.push(
            s("path", {
              d: `M${a} ${b}L${c} ${d}`,
              stroke: side.color,
              "stroke-width": side.width,
              "stroke-dasharray": side.dash,
            }),
          );
      });
    }
    if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) && style.outlineStyle !== "auto") {
      const gap = parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth) / 2;
      shapes.push(
        s("rect", {
          x: box.x - gap,
          y: box.y - gap,
          width: box.width + 2 * gap,
          height: box.height + 2 * gap,
          rx: radius,
          fill: "none",
          stroke: style.outlineColor,
          "stroke-width": style.outlineWidth,
        }),
      );
    }
    return shapes;
  };

  const nestedSVG = (node, r) => {
    const copy = node.cloneNode(true);
    const [from, to] = [node, copy].map((top) => [top, ...top.querySelectorAll("*")]);
    from.forEach((element, i) => {
      const style = getComputedStyle(element);
      for (const key of SVG_STYLES) to[i].setAttribute(key, style.getPropertyValue(key));
      for (const key of ["class", "style", "tabindex"]) to[i].removeAttribute(key);
    });
    setAttributes(copy, { ...at(r), overflow: "visible" });
    return copy;
  };

  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE)
      return node.data.trim() ? textOf(node, getComputedStyle(node.parentElement)) : [];
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches(".lv-save, .lv-close, .lv-player, .lv-wider")) return [];
    const style = getComputedStyle(node);
    if (style.display === "none" || style.visibility === "hidden" || style.opacity === "0") return [];
    const r = placeOf(node);
    if (node instanceof HTMLCanvasElement) {
      reach(r);
      return [s("image", { ...at(r), href: node.toDataURL(), preserveAspectRatio: "none" })];
    }
    if (node instanceof SVGSVGElement) {
      reach(r);
      return [nestedSVG(node, r)];
    }
    const shapes = style.display === "contents" ? [] : boxOf(r, style);
    if (shapes.length) reach(r);
    shapes.push(...[...node.childNodes].flatMap(walk));
    return style.opacity === "1" ? shapes : [s("g", { opacity: style.opacity }, shapes)];
  };

  const shapes = walk(root);
  const [w, hgt] = [Math.ceil(size.w), Math.ceil(size.h)];
  const page = getComputedStyle(root).getPropertyValue("--lv-page");
  const svg = s(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", width: w, height: hgt, viewBox: `0 0 ${w} ${hgt}` },
    s("title", {}, view.model.get("summary")),
    s("rect", { width: w, height: hgt, fill: page }),
    shapes,
  );
  return { text: new XMLSerializer().serializeToString(svg), width: w, height: hgt };
}

async function saveAs(view, name, kind) {
  savingRatio = 3;
  view.paint();
  const { text, width, height } = toSVG(view);
  savingRatio = 0;
  view.paint();
  let blob = new Blob([text], { type: "image/svg+xml" });
  if (kind === "PNG") {
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    await image.decode();
    const canvas = h("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  }
  saveBlob(blob, `${name.replaceAll("_", "-")}.${kind.toLowerCase()}`);
}

export function saveBlob(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
