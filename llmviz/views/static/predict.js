// A question: choose or type a guess, commit to it, and only then see what the model says.

import { h, uid } from "./kit/elements.js";
import { frame } from "./kit/frame.js";
import { clamp, minus } from "./kit/numbers.js";

const SECOND_TAP = 700; // ms: "Guess again" comes where "Lock in my guess" was, and a double tap is not meant for it

const short = (v) => minus(String(Number(v.toPrecision(4))));

/** Why a guess cannot be taken; empty where it can. */
function problem(model, input) {
  const [options, low, high, guess] = ["options", "low", "high", "guess"].map((trait) => model.get(trait));
  if (options) return guess === null ? "Please choose an option." : "";
  if (input.validity.badInput || guess === null) return "Please type a number.";
  if (model.get("whole") && !Number.isInteger(guess)) return "Please type a whole number.";
  if (guess >= (low ?? -Infinity) && guess <= (high ?? Infinity)) return "";
  if (high === null) return `Please type ${short(low)} or more.`;
  return low === null
    ? `Please type ${short(high)} or less.`
    : `Please type a number from ${short(low)} to ${short(high)}.`;
}

/** The fields of a card, whose question has the id `name`: {node, inputs}. */
function fields(view, name) {
  const [options, low, high, unit, whole] = ["options", "low", "high", "unit", "whole"].map((t) => view.model.get(t));
  const guess = ({ target }) => view.set({ guess: target.value === "" ? null : Number(target.value) });
  const field = (type, more) => h("input", { type, oninput: guess, ...more });
  const named = { "aria-labelledby": name };
  if (options) {
    const inputs = options.map((_, value) => field("radio", { name, value }));
    const labels = options.map((option, i) => h("label", { class: "lv-box lv-pill" }, inputs[i], h("bdi", {}, option)));
    return { inputs, node: h("div", { class: "lv-pills", role: "radiogroup", ...named }, labels) };
  }
  const typed = field("number", { class: "lv-box lv-number", step: "any", placeholder: "your guess", ...named });
  const node = h("div", { class: "lv-pills" }, typed, unit ? h("span", {}, unit) : null);
  if (low === null || high === null) return { inputs: [typed], node };
  const step = whole || high - low > 20 ? 1 : (high - low) / 100;
  const slid = field("range", { min: low, max: high, step, "aria-label": "your guess, on a line" });
  node.append(h("span", { class: "lv-pills lv-aside" }, short(low), slid, short(high)));
  return { inputs: [typed, slid], node };
}

/** Where on the line from the lowest to the highest number the guess and the answer lie; null where there is none. */
function numberLine(model) {
  const [low, high, guess, answer] = ["low", "high", "guess", "answer"].map((trait) => model.get(trait));
  if (model.get("options") || [low, high, guess, answer].includes(null) || high <= low) return null;
  const [you, right] = [guess, answer].map((v) => 100 * clamp((v - low) / (high - low)));
  const dot = (kind, at, words) =>
    h("span", { class: `lv-box lv-dot lv-dot-${kind}`, style: `left:${at}%` }, h("span", {}, words));
  return h(
    "div",
    { class: "lv-line-of-two", "aria-hidden": "true" },
    h("span", { class: "lv-gap", style: `left:${Math.min(you, right)}%;width:${Math.abs(you - right)}%` }),
    dot("guess", you, "you"),
    dot("answer lv-solid lv-strong", right, "answer"),
  );
}

export function render({ model, el }) {
  const view = frame(model, el, "predict");
  const name = uid();
  const part = (kind, attributes) => h("div", { class: `lv-${kind}`, ...attributes });
  const question = part("question lv-strong", { id: name });
  const form = h("form", { class: "lv-pills lv-form", "aria-labelledby": name });
  const refusal = part("refusal lv-strong", { role: "alert" });
  const reveal = part("reveal", { "aria-live": "polite" });
  view.body.append(question, form, refusal, reveal);
  let inputs = [];
  let revealed; // when

  const button = (type, kind, onclick, words) =>
    h("button", { type, class: `lv-box lv-button ${kind}`, onclick }, words);
  const commit = button("submit", "lv-solid lv-strong lv-commit", null, "Lock in my guess");
  const showMe = () => {
    view.set({ guess: null });
    view.set({ committed: true }); // an event of its own
  };
  const show = button("button", "lv-again", showMe, "Show me");
  const guessAgain = () => {
    if (performance.now() - revealed < SECOND_TAP) return;
    view.set({ committed: false, guess: null }); // together, so that no answer overtakes the next guess
    requestAnimationFrame(() => form.querySelector("input")?.focus());
  };
  const again = button("button", "lv-again", guessAgain, "Guess again");

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (model.get("committed")) return;
    refusal.textContent = problem(model, inputs[0]);
    if (refusal.textContent) inputs[0].focus();
    else view.set({ committed: true });
  });
  form.addEventListener("input", () => (refusal.textContent = ""));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault(); // a radio button would not submit everywhere
    event.stopPropagation(); // VS Code would open the cell
    form.requestSubmit();
  });

  const showGuess = (input, guess, committed) => {
    input.disabled = committed;
    if (input.type === "radio") {
      const isAnswer = Number(input.value) === model.get("answer");
      input.checked = Number(input.value) === guess;
      input.parentElement.classList.toggle("lv-right", committed && isAnswer);
    } else if (guess !== null) {
      if (input.value === "" || Number(input.value) !== guess) input.value = String(guess);
    } else if (document.activeElement !== input || committed) input.value = ""; // else it may be half typed
  };

  let drawn;
  return view.start(() => {
    const [guess, committed, verdict] = ["guess", "committed", "verdict"].map((trait) => model.get(trait));
    question.textContent = model.get("question");
    const key = JSON.stringify(["options", "low", "high", "unit"].map((trait) => model.get(trait)));
    if (key !== drawn) {
      const made = fields(view, name);
      ({ inputs } = made);
      form.replaceChildren(made.node, h("div", { class: "lv-pills" }, commit, show, again));
    }
    drawn = key;
    for (const input of inputs) showGuess(input, guess, committed);
    const hadFocus = form.contains(document.activeElement);
    if (committed && again.hidden) revealed = performance.now();
    commit.hidden = show.hidden = committed;
    again.hidden = reveal.hidden = !committed;
    if (committed) refusal.textContent = "";
    if (committed && hadFocus && !form.contains(document.activeElement)) again.focus(); // stays on the card
    const said = (kind, words) => h("div", { class: `lv-${kind}` }, words);
    const why = verdict && model.get("explained") ? said("why", model.get("explained")) : null;
    const parts = [verdict && numberLine(model), said("sentences lv-strong", verdict || "Computing …"), why];
    reveal.replaceChildren(...(committed ? parts.filter(Boolean) : []));
  });
}
