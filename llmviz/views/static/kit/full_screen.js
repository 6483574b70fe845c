// The button for a full screen.

import { h, s, setAttributes } from "./elements.js";

const FULL_SCREEN_WIDTH = 900; // pixels of a picture's own across a full screen, about what it has on a page

/**
 * The button that gives a picture the whole screen, with the explorer around it: its text box, question and controls.
 * Everything is shown so large that a line holds as much as on a page.
 */
export function fullScreenButton(view) {
  const look = { width: 13, height: 13, fill: "none", stroke: "currentColor", "stroke-width": 1.6 };
  const corners = s("path", { d: "M1 5V1h4M9 1h4v4M13 9v4H9M5 13H1V9" });
  const icon = s("svg", { viewBox: "0 0 14 14", ...look, "aria-hidden": "true" }, corners);
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
    const around = whole.currentCSSZoom; // of the page
    const enlarge = (zoom) => (whole.style.zoom = Math.max(1, zoom) / around);
    const wide = window.innerWidth / FULL_SCREEN_WIDTH;
    enlarge(wide);
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); // it is drawn for that width
    if (isLeft()) return;
    enlarge(Math.min(wide, (wide * window.innerHeight) / shown.getBoundingClientRect().height)); // all of it in sight, if possible
    shown.scrollIntoView({ block: "start" });
  };
  const toggle = () => (isFull() ? document.exitFullscreen() : enter());
  const button = h("button", { type: "button", class: "lv-full-screen", onclick: toggle }, icon);
  const show = () => {
    const name = isFull() ? "Leave full screen" : "Full screen";
    setAttributes(button, { title: name, "aria-label": name });
  };
  show();
  return { button, show };
}
