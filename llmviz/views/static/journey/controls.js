// What is around the picture: its caption, its buttons, the slider with the scenes, and the keys.

import { h, keyed, setAttributes, setText } from "../kit/elements.js";
import { SPEEDS, still } from "./player.js";
import { PLACES, SCENES, partOf, toSlider } from "./time.js";
import { captionAt, captionNodes, inWords, wordsOf } from "./words.js";

const button = (name, label, onclick, extra = "") =>
  h("button", { type: "button", class: `lv-j-button ${extra}`, "aria-label": name, title: name, onclick }, label);

/** A scene over the slider: its number and name, its part of the line, and how much of that has passed. */
function sceneNode({ name, from, stage }, i, onclick) {
  const style = `left:${100 * from}%;width:${100 * (PLACES[i + 1] - from)}%;--now:var(--lv-${stage})`;
  const label = h("span", { class: "lv-j-name" }, String(i + 1), h("span", {}, ` ${name}`));
  return h("div", { class: "lv-j-scene lv-aside", style, onclick }, label, h("i"), h("u"));
}

export function controlsOf(player) {
  const badge = h("b", { class: "lv-j-badge", "aria-hidden": "true" });
  const sentence = h("p", {});
  const canvas = h("canvas", { "aria-hidden": "true" });
  const play = button("Play", "▶", () => player.press(), "lv-j-play");
  const speed = button("Speed", "1×", () => {
    player.speed = SPEEDS[(SPEEDS.indexOf(player.speed) + 1) % SPEEDS.length];
    speed.textContent = `${player.speed === 0.5 ? "½" : player.speed}×`;
    speed.setAttribute("aria-label", `Speed: ${player.speed} times`);
  });
  const slider = h("input", { type: "range", min: 0, max: 1, step: "any", "aria-label": "time in the film" });
  slider.addEventListener("input", () => player.scrub(Number(slider.value)));
  const scenes = SCENES.map((scene, i) => sceneNode(scene, i, () => player.goToScene(i)));
  const thumb = h("span", { class: "lv-j-thumb" });
  const track = h("div", { class: "lv-j-track" }, scenes, slider, thumb);
  const back = button("One step back", "‹", () => player.stepBack());
  const on = button("One step on", "›", () => player.stepOn());
  const words = h("div", { class: "lv-j-words" });
  const bar = h("div", { class: "lv-j-bar lv-player" }, play, back, on, track, speed, words);
  const stage = keyed(
    "group",
    "lv-j-stage",
    "your text on its way through the model: Space plays, arrow keys step, Page Up and Down change the scene",
    h("div", { class: "lv-j-caption" }, badge, sentence),
    bar, // above: on a low screen "Play" is in sight as soon as the film is
    canvas,
  );
  listenToKeys(stage, player);

  /** Take the numbers of another turn. */
  function take(data) {
    const { times } = player;
    const left = times.at.slice(0, data.layers).map((t) => `left:${100 * toSlider(times, t)}%`);
    track.querySelectorAll(".lv-j-tick").forEach((tick) => tick.remove());
    track.append(...left.map((style) => h("span", { class: "lv-j-tick", style })));
    words.replaceChildren(inWords(data));
  }
  let said = "";
  /** Show the time, and say what goes on. Returns the caption. */
  function show(data, moment) {
    const { scene } = moment;
    const ffn = scene === 4 && moment.rising && moment.u >= 0.56 && moment.calm < 0.5;
    const color = `var(--lv-${ffn ? "ffn" : SCENES[scene].stage})`;
    if (stage.style.getPropertyValue("--now") !== color) stage.style.setProperty("--now", color);
    setText(badge, String(scene + 1));
    const caption = captionAt(data, moment);
    const spoken = wordsOf(caption);
    if (said !== spoken) {
      said = spoken;
      sentence.replaceChildren(...captionNodes(caption));
      slider.setAttribute("aria-valuetext", `scene ${scene + 1} of ${SCENES.length}, ${SCENES[scene].name}: ${spoken}`);
    }
    sentence.setAttribute("aria-live", player.playing ? "off" : "polite");
    slider.value = toSlider(player.times, player.t);
    thumb.style.left = `${100 * slider.value}%`;
    const name = still() ? "Next step" : player.playing ? "Pause" : "Play";
    setText(play, player.playing ? "❚❚" : "▶");
    if (play.title !== name) setAttributes(play, { "aria-label": name, title: name });
    speed.hidden = still();
    scenes.forEach((node, i) => {
      node.classList.toggle("lv-on", i === scene);
      node.lastChild.style.width = `calc(${100 * partOf(player.times, player.t, i)}% - 2px)`;
    });
    return spoken;
  }
  return { stage, canvas, bar, take, show };
}

function listenToKeys(stage, player) {
  const actions = {
    ArrowRight: () => player.stepOn(),
    ArrowUp: () => player.stepOn(),
    ArrowLeft: () => player.stepBack(),
    ArrowDown: () => player.stepBack(),
    Home: () => player.go(0),
    End: () => player.go(player.times.end),
    PageDown: () => player.goToScene(player.scene + 1),
    PageUp: () => player.goToScene(player.scene - 1),
    " ": () => player.press(),
  };
  SCENES.forEach((_, i) => {
    actions[i + 1] = () => player.goToScene(i);
  });
  stage.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    event.stopPropagation();
    if (!actions[event.key] || (event.key === " " && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    actions[event.key]();
  });
}
