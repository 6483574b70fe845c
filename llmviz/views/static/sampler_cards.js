// The sampler as cards in a row: drag a card, or move it with the arrow keys; each says what it keeps and what it cuts.

import { clamp, count, floats, frame, h, percent, pointIn, s } from "./kit.js";

const CARDS = {
  temperature: { name: "temperature", says: "stretch or squeeze", low: 0, high: 3, step: 0.05, digits: 2 },
  top_k: { name: "top-k", says: "the k likeliest", low: 1, high: 200, step: 1, digits: 0 },
  top_p: { name: "top-p", says: "until together they reach p", low: 0.01, high: 1, step: 0.01, digits: 2 },
  min_p: { name: "min-p", says: "at least p × the likeliest", low: 0, high: 1, step: 0.01, digits: 2 },
};

export function render({ model, el }) {
  const view = frame(model, el, "sampler_cards");
  const line = h("div", {
    class: "lv-line-of-cards",
    role: "list",
    "aria-label": "the steps of the sampler, first to last",
  });
  view.body.append(line);
  const cards = {};

  let moved = ""; // the order that the line below speaks of

  const place = (name) => model.get("order").indexOf(name);
  const on = (name) => model.get("on").includes(name);
  const move = (name, to) => {
    const order = model.get("order").filter((one) => one !== name);
    order.splice(clamp(to, 0, order.length), 0, name);
    if (order.join() === model.get("order").join()) return;
    moved = order.join();
    view.set({ order });
    view.note(`${CARDS[name].name} is now card ${place(name) + 1} of ${order.length}`);
  };
  const flip = (name) =>
    view.set({ on: on(name) ? model.get("on").filter((one) => one !== name) : [...model.get("on"), name] });

  for (const [name, spec] of Object.entries(CARDS)) {
    const parts = {
      number: h("span", { class: "lv-number" }),
      knob: h(
        "button",
        { type: "button", class: "lv-switch", onclick: () => flip(name), "aria-label": `${spec.name} on` },
        h("span", { class: "lv-knob" }),
      ),
      slider: h("input", { type: "range", min: spec.low, max: spec.high, step: spec.step, "aria-label": spec.name }),
      value: h("b", { class: "lv-setting" }),
      shape: s("svg", { class: "lv-shape", viewBox: "0 0 240 46", preserveAspectRatio: "none", "aria-hidden": "true" }),
      kept: h("span", { class: "lv-kept" }),
      says: h("div", { class: "lv-says" }),
      cuts: h("div", { class: "lv-cuts" }),
    };
    parts.slider.addEventListener("input", () =>
      view.set({ settings: { ...model.get("settings"), [name]: Number(parts.slider.value) } }),
    );
    const node = h(
      "div",
      { class: "lv-step", tabindex: "0", role: "listitem", "data-name": name },
      h(
        "div",
        { class: "lv-head" },
        h("span", { class: "lv-grip", "aria-hidden": "true" }, "⠿"),
        parts.number,
        h("b", { class: "lv-title" }, spec.name),
        parts.knob,
      ),
      h(
        "div",
        {},
        h("div", { class: "lv-hint lv-aside" }, spec.says),
        h("div", { class: "lv-set" }, parts.slider, parts.value),
      ),
      parts.shape,
      h("div", {}, h("div", { class: "lv-mass", "aria-hidden": "true" }, parts.kept), parts.says, parts.cuts),
    );
    node.addEventListener("keydown", (event) => {
      // the slider and the switch keep their own keys
      if (event.target !== node || event.altKey || event.metaKey) return;
      const act = {
        ArrowLeft: () => move(name, place(name) - 1),
        ArrowUp: () => move(name, place(name) - 1),
        ArrowRight: () => move(name, place(name) + 1),
        ArrowDown: () => move(name, place(name) + 1),
        Home: () => move(name, 0),
        End: () => move(name, 3),
        Enter: () => flip(name),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    });
    node.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest("input, button")) return;
      event.preventDefault();
      node.focus();
      node.classList.add("lv-dragged");
      const over = (now) => {
        // where the cards lie, not where they glide through on their way
        const [right, down] = pointIn(view.body, now);
        const [x, y] = [right + view.body.scrollLeft, down + view.body.scrollTop];
        const hit = Object.entries(cards).find(
          ([other, { node: that }]) =>
            other !== name &&
            x > that.offsetLeft &&
            x < that.offsetLeft + that.offsetWidth &&
            y > that.offsetTop &&
            y < that.offsetTop + that.offsetHeight,
        );
        if (hit) move(name, place(hit[0]));
      };
      const drop = () => {
        node.classList.remove("lv-dragged");
        window.removeEventListener("pointermove", over);
        for (const end of ["pointerup", "pointercancel"]) window.removeEventListener(end, drop);
      };
      window.addEventListener("pointermove", over);
      for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, drop);
    });
    cards[name] = { node, spec, ...parts };
  }
  const start = h("div", { class: "lv-cap lv-aside" });
  const end = h("div", { class: "lv-cap lv-aside" }, "draw one");
  const arrow = () => h("span", { class: "lv-arrow", "aria-hidden": "true" }, "▸");

  function arrange(order) {
    if (order.join() === line.dataset.order) return;
    const focused = document.activeElement;
    const was = Object.fromEntries(order.map((name) => [name, cards[name].node.getBoundingClientRect()]));
    const first = !line.dataset.order;
    line.dataset.order = order.join();
    line.replaceChildren(start, ...order.flatMap((name) => [arrow(), cards[name].node]), arrow(), end);
    if (line.contains(focused)) focused.focus({ preventScroll: true });
    if (first || window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const name of order) {
      const now = cards[name].node.getBoundingClientRect();
      const [dx, dy] = [was[name].left - now.left, was[name].top - now.top];
      if (dx || dy)
        cards[name].node.animate([{ transform: `translate(${dx}px, ${dy}px)` }, { transform: "none" }], {
          duration: 160,
          easing: "ease-out",
        });
    }
  }

  return view.start(() => {
    const [order, settings, left] = [model.get("order"), model.get("settings"), model.get("left")];
    const shapes = floats(model.get("shapes"));
    const n = model.get("n_vocab");
    start.textContent = `${count(n)} probabilities`;
    arrange(order);
    if (moved && order.join() !== moved) {
      moved = "";
      view.note("");
    }
    const asked = JSON.stringify([order, model.get("on"), settings]);
    line.classList.toggle("lv-waiting", asked !== JSON.stringify(model.get("computed_for")));
    order.forEach((name, i) => {
      const card = cards[name];
      const told = left[name];
      card.number.textContent = String(i + 1);
      card.node.classList.toggle("lv-off", !told);
      card.knob.setAttribute("aria-pressed", String(!!told));
      card.slider.disabled = !told;
      if (Number(card.slider.value) !== settings[name]) card.slider.value = settings[name];
      card.value.textContent = settings[name].toFixed(card.spec.digits);
      card.kept.style.width = told ? `${100 * (1 - told.cut)}%` : "100%";
      card.says.textContent = !told
        ? "off"
        : name === "temperature"
          ? `entropy: ${told.bits_before.toFixed(1)} → ${told.bits.toFixed(1)} bits`
          : `keeps ${count(told.kept)} ${told.kept === 1 ? "token" : "tokens"}`;
      card.cuts.textContent = !told
        ? ""
        : name !== "temperature"
          ? `cuts ${percent(told.cut)}`
          : settings[name]
            ? "cuts nothing"
            : "all on the likeliest";
      const k = shapes ? shapes.shape[1] : 0;
      const row = Array.from({ length: k }, (_, j) => shapes.data[i * k + j]);
      const most = Math.max(...row, 1e-9);
      card.shape.replaceChildren(
        ...row.map((p, j) =>
          p > 0
            ? s("rect", {
                x: j * (240 / k) + 1,
                y: 46 - 44 * (p / most),
                width: 240 / k - 2,
                height: Math.max(1, 44 * (p / most)),
                class: "lv-piece-of-shape",
              })
            : s("rect", { x: j * (240 / k) + 1, y: 44.5, width: 240 / k - 2, height: 1.5, class: "lv-gone" }),
        ),
      );
      card.node.setAttribute(
        "aria-label",
        `${card.spec.name}, card ${i + 1} of ${order.length}, ${card.says.textContent}, ${card.cuts.textContent}. Arrow keys move it.`,
      );
    });
    view.setLegend(
      "drag a card by ⠿, or focus it and press an arrow key",
      "small bars: the 24 likeliest after this card",
      h("span", {}, h("i", { class: "lv-key lv-kept" }), " probability kept"),
      h("span", {}, h("i", { class: "lv-key lv-cut" }), " probability cut"),
    );
  });
}
