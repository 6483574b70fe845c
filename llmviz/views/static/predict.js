// A question: choose or type a guess, commit to it, and only then see what the model says.

import { h, uid } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { clamp, minus } from "./kit/numbers.js";

const SECOND_TAP = 700; // ms: "Guess again" comes where "Lock in my guess" was, and a double tap is not meant for it

const button = (type, kind, words, onclick) => h("button", { type, class: `lv-box lv-button ${kind}`, onclick }, words);

/** The fields of a card, whose question has the id `name`: {node, inputs}. The browser says why a guess cannot be taken. */
function fields(view, name) {
  const [options, low, high, unit, whole] = ["options", "low", "high", "unit", "whole"].map((t) => view.model.get(t));
  const guess = ({ target }) => view.set({ guess: target.value === "" ? null : Number(target.value) });
  const field = (type, more) => h("input", { type, required: true, oninput: guess, ...more });
  const named = { "aria-labelledby": name };
  if (options) {
    const inputs = options.map((_, value) => field("radio", { name, value }));
    const labels = options.map((option, i) => h("label", { class: "lv-box lv-pill" }, inputs[i], h("bdi", {}, option)));
    return { inputs, node: h("div", { class: "lv-pills", role: "radiogroup", ...named }, labels) };
  }
  const limits = { min: low, max: high, step: whole ? 1 : "any" };
  const typed = field("number", { class: "lv-box lv-number", placeholder: "your guess", ...limits, ...named });
  const node = h("div", { class: "lv-pills" }, typed, unit ? h("span", {}, unit) : null);
  if (low === null || high === null) return { inputs: [typed], node };
  const step = whole || high - low > 20 ? 1 : (high - low) / 100;
  const slid = field("range", { ...limits, step, "aria-label": "your guess, on a line" });
  const end = (v) => minus(String(Number(v.toPrecision(4))));
  node.append(h("span", { class: "lv-pills lv-aside" }, end(low), slid, end(high)));
  return { inputs: [typed, slid], node };
}

/** Where on the line from the lowest to the highest number the guess and the answer lie; null where there is none. */
function numberLine(model) {
  const [low, high, guess, answer] = ["low", "high", "guess", "answer"].map((trait) => model.get(trait));
  if (model.get("options") || [low, high, guess, answer].includes(null) || high <= low) return null;
  const dot = (kind, v, words) => {
    const style = `left:${100 * clamp((v - low) / (high - low))}%`;
    return h("span", { class: `lv-box lv-dot lv-dot-${kind}`, style }, h("span", {}, words));
  };
  const dots = [dot("guess", guess, "you"), dot("answer lv-solid lv-strong", answer, "answer")];
  return h("div", { class: "lv-line-of-two", "aria-hidden": "true" }, dots);
}

/** Bring a field up to date with the guess; a number that is half typed stays. */
function showGuess(input, model) {
  const [guess, committed] = [model.get("guess"), model.get("committed")];
  input.disabled = committed;
  if (input.type === "radio") {
    input.checked = Number(input.value) === guess;
    const isRight = committed && Number(input.value) === model.get("answer");
    for (const kind of ["lv-right", "lv-solid", "lv-strong"]) input.parentElement.classList.toggle(kind, isRight);
  } else if (guess !== null) {
    if (input.valueAsNumber !== guess) input.value = guess;
  } else if (document.activeElement !== input || committed) input.value = "";
}

/** What is said once the reader has committed. */
function revealed(model) {
  const [verdict, explained] = [model.get("verdict"), model.get("explained")];
  const said = (kind, words) => h("div", { class: `lv-${kind}` }, words);
  if (!verdict) return [said("sentences lv-strong", "Computing …")];
  const parts = [numberLine(model), said("sentences lv-strong", verdict), explained && said("why", explained)];
  return parts.filter(Boolean);
}

export function render({ model, el }) {
  const view = frame(model, el, "predict");
  const name = uid();
  const part = (kind, attributes) => h("div", { class: `lv-${kind}`, ...attributes });
  const question = part("question lv-strong", { id: name });
  const form = h("form", { class: "lv-pills lv-form", "aria-labelledby": name, novalidate: true });
  const refusal = part("refusal lv-strong", { role: "alert" });
  const reveal = part("reveal", { "aria-live": "polite" });
  view.body.append(question, form, refusal, reveal);
  let [inputs, drawn] = [[], ""];
  let committedAt; // ms

  const showMe = () => {
    view.set({ guess: null });
    view.set({ committed: true }); // an event of its own
  };
  const guessAgain = () => {
    if (performance.now() - committedAt < SECOND_TAP) return;
    view.set({ committed: false, guess: null }); // together, so that no answer overtakes the next guess
    requestAnimationFrame(() => inputs[0].focus());
  };
  const commit = button("submit", "lv-solid lv-strong lv-commit", "Lock in my guess");
  const show = button("button", "lv-again", "Show me", showMe);
  const again = button("button", "lv-again", "Guess again", guessAgain);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (model.get("committed")) return;
    refusal.textContent = inputs[0].validationMessage;
    if (refusal.textContent) inputs[0].focus();
    else view.set({ committed: true });
  });
  form.addEventListener("input", () => (refusal.textContent = ""));
  form.addEventListener("keydown", (event) => event.key === "Enter" && event.stopPropagation()); // VS Code would open the cell

  return view.start(() => {
    const committed = model.get("committed");
    question.textContent = model.get("question");
    const key = JSON.stringify(["options", "low", "high", "unit"].map((trait) => model.get(trait)));
    if (key !== drawn) {
      const made = fields(view, name);
      ({ inputs } = made);
      form.replaceChildren(made.node, h("div", { class: "lv-pills" }, commit, show, again));
    }
    drawn = key;
    const [isNews, hadFocus] = [committed && again.hidden, form.contains(document.activeElement)];
    for (const input of inputs) showGuess(input, model);
    commit.hidden = show.hidden = committed;
    again.hidden = reveal.hidden = !committed;
    if (isNews) [committedAt, refusal.textContent] = [performance.now(), ""];
    if (isNews && hadFocus) again.focus(); // what had it is hidden or disabled
    reveal.replaceChildren(...(committed ? revealed(model) : []));
  });
}
