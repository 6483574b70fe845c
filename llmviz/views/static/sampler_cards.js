// The sampler as cards in a row: drag a card, or move it with the arrow keys; each says what it keeps and what it cuts.

import { h } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { onKeys, toggled } from "./kit/input.js";
import { clamp, count, floats, percent } from "./kit/numbers.js";

const CARDS = {
  temperature: { title: "temperature", hint: "stretch or squeeze", range: [0, 3, 0.05] },
  top_k: { title: "top-k", hint: "the k likeliest", range: [1, 200, 1] },
  top_p: { title: "top-p", hint: "until together they reach p", range: [0.01, 1, 0.01] },
  min_p: { title: "min-p", hint: "at least p × the likeliest", range: [0, 1, 0.01] },
};
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -4, End: 4 }; // of a card, by its keys
const [ROOM, MORE_ROOM] = [900, 1150]; // pixels for four cards beside each other, and for what is around them

export function render({ model, el }) {
  const view = frame(model, el, "sampler_cards");
  const line = h("div", { class: "lv-chain", role: "list", "aria-label": "the steps of the sampler, first to last" });
  view.body.append(line);

  let moved = ""; // the order that the line below speaks of

  const place = (name) => model.get("order").indexOf(name);
  const move = (name, to) => {
    const order = model.get("order").filter((other) => other !== name);
    order.splice(clamp(to, 0, order.length), 0, name);
    if (order.join() === model.get("order").join()) return;
    moved = order.join();
    view.set({ order });
    view.note(`${CARDS[name].title} is now card ${place(name) + 1} of ${order.length}`);
  };
  const flip = (name) => view.set({ on: toggled(model.get("on"), name) });
  const set = (name, value) => view.set({ settings: { ...model.get("settings"), [name]: value } });

  const cards = Object.fromEntries(Object.keys(CARDS).map((name) => [name, makeCard(name, { flip, set })]));
  for (const [name, { node }] of Object.entries(cards)) {
    const steps = Object.entries(STEPS).map(([key, by]) => [key, () => move(name, place(name) + by)]);
    onKeys(node, { ...Object.fromEntries(steps), Enter: () => flip(name) });
    onDrag(node, ({ clientX, clientY }) => {
      const over = node.getRootNode().elementFromPoint(clientX, clientY)?.closest(".lv-step")?.dataset.name;
      if (over && over !== name) move(name, place(over));
    });
  }
  const [start, end] = ["", "draw one"].map((words) => h("div", { class: "lv-cap lv-aside" }, words));

  const arrange = (order) => {
    if (order.join() === line.dataset.order) return;
    line.dataset.order = order.join();
    const focused = document.activeElement;
    const next = () => h("span", { class: "lv-next", "aria-hidden": "true" }, "▸");
    line.replaceChildren(start, ...order.flatMap((name) => [next(), cards[name].node]), next(), end);
    if (line.contains(focused)) focused.focus({ preventScroll: true });
  };

  return view.start(() => {
    const [order, settings, left] = [model.get("order"), model.get("settings"), model.get("left")];
    const shapes = floats(model.get("shapes"));
    const bars = shapes?.shape[1] ?? 0;
    start.textContent = `${count(model.get("n_vocab"))} probabilities`;
    line.classList.toggle("lv-column", view.width() < ROOM);
    start.hidden = end.hidden = view.width() >= ROOM && view.width() < MORE_ROOM;
    arrange(order);
    if (order.join() !== moved) view.note("");
    const asked = JSON.stringify([order, model.get("on"), settings]);
    line.classList.toggle("lv-waiting", asked !== JSON.stringify(model.get("computed_for")));
    order.forEach((name, i) => {
      cards[name].show(i, settings[name], left[name], [...(shapes?.data ?? [])].slice(i * bars, (i + 1) * bars));
    });
    view.setLegend(
      "drag a card by ⠿, or focus it and press an arrow key",
      "small bars: the 24 likeliest after this card",
      h("span", {}, h("i", { class: "lv-key lv-kept" }), " probability kept"),
      h("span", {}, h("i", { class: "lv-key lv-cut" }), " probability cut"),
    );
  });
}

/** A card; `show` takes its place, its setting, what it leaves (none if it is off) and the probabilities after it. */
function makeCard(name, { flip, set }) {
  const { title, hint, range } = CARDS[name];
  const [min, max, step] = range;
  const span = (kind) => h("span", { class: kind });
  const [setting, shape, kept] = ["lv-strong lv-setting", "lv-shape", "lv-kept"].map(span);
  const number = h("b", {});
  const [says, cuts] = ["lv-says", "lv-cuts"].map(span);
  const knob = h(
    "button",
    { type: "button", class: "lv-switch", onclick: () => flip(name), "aria-label": `${title} on` },
    h("span", { class: "lv-knob" }),
  );
  const slide = () => set(name, Number(slider.value));
  const slider = h("input", { type: "range", min, max, step, "aria-label": title, oninput: slide });
  for (const control of [knob, slider]) control.addEventListener("keydown", (event) => event.stopPropagation()); // its own
  const grip = h("span", { class: "lv-grip", "aria-hidden": "true" }, "⠿");
  const node = h(
    "div",
    { class: "lv-box lv-step", tabindex: "0", role: "listitem", "data-name": name },
    h("div", { class: "lv-across" }, grip, number, h("b", { class: "lv-title" }, title), knob),
    h("div", {}, h("div", { class: "lv-hint lv-aside" }, hint), h("div", { class: "lv-across" }, slider, setting)),
    shape,
    h("div", {}, h("div", { class: "lv-mass lv-cut", "aria-hidden": "true" }, kept), says, cuts),
  );
  const show = (i, value, left, probs) => {
    const most = Math.max(...probs, 1e-9);
    const told = left ? wordsOf(name, value, left) : ["off", ""];
    node.classList.toggle("lv-off", !left);
    number.textContent = i + 1;
    knob.setAttribute("aria-pressed", String(!!left));
    slider.disabled = !left;
    if (Number(slider.value) !== value) slider.value = value;
    setting.textContent = value.toFixed(step < 1 ? 2 : 0);
    kept.style.width = `${100 * (1 - (left?.cut ?? 0))}%`;
    [says.textContent, cuts.textContent] = told;
    shape.replaceChildren(
      ...probs.map((p) => h("i", { class: p > 0 ? null : "lv-gone", style: `height:${(100 * p) / most}%` })),
    );
    node.setAttribute("aria-label", `${title}, card ${i + 1} of 4, ${told.join(", ")}. Arrow keys move it.`);
  };
  return { node, show };
}

/** What a card that is on keeps, and what it cuts. */
function wordsOf(name, value, { bits_before: before, bits, kept, cut }) {
  if (name !== "temperature")
    return [`keeps ${count(kept)} ${kept === 1 ? "token" : "tokens"}`, `cuts ${percent(cut)}`];
  return [`entropy: ${before.toFixed(1)} → ${bits.toFixed(1)} bits`, value ? "cuts nothing" : "all on the likeliest"];
}

/** Let a card be taken along: `over(event)` hears where the pointer is, until it is let go. */
function onDrag(node, over) {
  node.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("input, button")) return;
    event.preventDefault();
    node.focus();
    const held = new AbortController();
    window.addEventListener("pointermove", over, held);
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => held.abort(), held);
  });
}
