// A slider with a play button, for a picture that has all its steps already: trait `step`, 0 to steps().

import { h, setAttributes } from "./elements.js";
import { count } from "./numbers.js";

export function player(view, { steps, name, pace }) {
  const button = h("button", { type: "button", class: "lv-play" });
  const slider = h("input", { type: "range", min: 0, step: 1, "aria-label": name });
  const counter = h("span", { class: "lv-counter" });
  let timer = null;
  const step = () => view.model.get("step");
  const label = () => {
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
      const n = Math.max(0, steps());
      setAttributes(slider, { max: n });
      slider.value = at;
      slider.disabled = button.disabled = n < 1;
      counter.textContent = `${count(at)} / ${count(n)}`;
    },
  };
}
