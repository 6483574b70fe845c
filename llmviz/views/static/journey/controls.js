// What is around the picture: its caption, its buttons, the slider with the scenes, and the keys.

import { h, keyed, setAttributes, setText } from "../kit/elements.js";
import { onKeys } from "../kit/input.js";
import { still } from "./player.js";
import { SCENES } from "./time.js";
import { captionAt, captionNodes, inWords, spoken } from "./words.js";

const button = (kind, name, label, onclick) =>
  h("button", { type: "button", class: kind, "aria-label": name, title: name, onclick }, label);

/** A scene over the slider: its number and its name, on a line of its colour. */
const sceneNode = ({ name, stage }, i, onclick) =>
  h("div", { class: "lv-j-scene lv-aside", style: `--scene:var(--lv-${stage})`, onclick }, `${i + 1} ${name}`);

export function controlsOf(player) {
  const badge = h("b", { class: "lv-j-badge", "aria-hidden": "true" });
  const sentence = h("p", {});
  const canvas = h("canvas", { "aria-hidden": "true" });
  const play = button("lv-play", "Play", "▶ Play", () => player.press());
  const back = button("lv-j-step", "One step back", "‹", () => player.stepBack());
  const on = button("lv-j-step", "One step on", "›", () => player.stepOn());
  const slider = h("input", { type: "range", min: 0, max: 1, step: "any", "aria-label": "time in the film" });
  slider.addEventListener("input", () => player.scrub(slider.value * player.times.end));
  const scenes = SCENES.map((scene, i) => sceneNode(scene, i, () => player.goToScene(i)));
  const track = h("div", { class: "lv-j-track" }, scenes, slider);
  const words = h("div", { class: "lv-j-words" });
  const bar = h("div", { class: "lv-j-bar lv-player" }, play, back, on, track, words);
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
    const starts = [...SCENES.map(({ key }) => times[key]), times.end];
    track.style.gridTemplateColumns = SCENES.map((_, i) => `${starts[i + 1] - starts[i]}fr`).join(" ");
    words.replaceChildren(inWords(data));
  }
  let said = "";
  /** Show the time, and say what goes on. Returns the caption. */
  function show(data, moment) {
    const { scene } = moment;
    stage.style.setProperty("--now", `var(--lv-${moment.inFFN ? "ffn" : SCENES[scene].stage})`);
    setText(badge, String(scene + 1));
    const caption = captionAt(data, moment);
    if (said !== caption) {
      said = caption;
      sentence.replaceChildren(...captionNodes(caption));
      const name = `scene ${scene + 1} of ${SCENES.length}, ${SCENES[scene].name}`;
      slider.setAttribute("aria-valuetext", `${name}: ${spoken(caption)}`);
    }
    sentence.setAttribute("aria-live", player.playing ? "off" : "polite");
    slider.value = player.t / player.times.end;
    const does = player.playing ? "Pause" : "Play";
    const name = still() ? "Next step" : does;
    setText(play, `${player.playing ? "❚❚" : "▶"} ${name}`);
    if (play.title !== name) setAttributes(play, { "aria-label": name, title: name });
    scenes.forEach((node, i) => node.classList.toggle("lv-on", i === scene));
    return spoken(caption);
  }
  return { stage, canvas, bar, take, show };
}

function listenToKeys(stage, player) {
  const [on, back] = [() => player.stepOn(), () => player.stepBack()];
  onKeys(stage, {
    ArrowRight: on,
    ArrowUp: on,
    ArrowLeft: back,
    ArrowDown: back,
    Home: () => player.go(0),
    End: () => player.go(player.times.end),
    PageDown: () => player.turnPage(1),
    PageUp: () => player.turnPage(-1),
    ...Object.fromEntries(SCENES.map((_, i) => [i + 1, () => player.goToScene(i)])),
  });
  stage.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.tagName === "BUTTON") return; // a button does what it says
    event.preventDefault();
    player.press();
  });
}
