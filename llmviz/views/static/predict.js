// A question: choose or type a guess, commit to it, and only then see what the model says.

import { clamp, frame, h, minus, uid } from "./kit.js";

const SECOND_TAP = 700; // ms: "Guess again" comes where "Lock in my guess" was, and a double tap is not meant for it

export function render({ model, el }) {
  const view = frame(model, el, "predict");
  const group = uid();
  const question = h("div", { class: "lv-question", id: `${group}-q` });
  const form = h("form", { class: "lv-form", "aria-labelledby": `${group}-q` });
  const reveal = h("div", { class: "lv-reveal", "aria-live": "polite" });

  const commit = h("button", { type: "submit", class: "lv-commit" }, "Lock in my guess");
  const show = h(
    "button",
    {
      type: "button",
      class: "lv-again",
      // One after the other: each is an event of its own.
      onclick: () => {
        view.set({ guess: null });
        view.set({ committed: true });
      },
    },
    "Show me",
  );
  const refusal = h("div", { class: "lv-refusal", role: "alert" });
  const again = h(
    "button",
    {
      type: "button",
      class: "lv-again",
      onclick: () => {
        if (performance.now() - revealed < SECOND_TAP) return;
        view.set({ committed: false });
        view.set({ guess: null });
        requestAnimationFrame(() => form.querySelector("input")?.focus());
      },
    },
    "Guess again",
  );
  view.body.append(question, form, refusal, reveal);
  let inputs = [];
  let revealed; // when

  /** Why the guess cannot be taken; empty where it can. */
  const problem = () => {
    const [options, low, high, guess] = ["options", "low", "high", "guess"].map((trait) => model.get(trait));
    if (options) return guess === null ? "Please choose an option." : "";
    if (inputs[0].validity.badInput || guess === null) return "Please type a number.";
    if (model.get("whole") && !Number.isInteger(guess)) return "Please type a whole number.";
    const [least, most] = [low ?? -Infinity, high ?? Infinity];
    if (guess >= least && guess <= most) return "";
    if (high === null) return `Please type ${short(low)} or more.`;
    return low === null
      ? `Please type ${short(high)} or less.`
      : `Please type a number from ${short(low)} to ${short(high)}.`;
  };

  const choices = (options) => {
    inputs = options.map((_, i) =>
      h("input", { type: "radio", name: group, value: i, onchange: () => view.set({ guess: i }) }),
    );
    return h(
      "div",
      { class: "lv-options", role: "radiogroup", "aria-labelledby": `${group}-q` },
      options.map((option, i) => h("label", { class: "lv-option" }, inputs[i], h("bdi", {}, option))),
    );
  };
  const numberField = () => {
    const [low, high, unit] = [model.get("low"), model.get("high"), model.get("unit")];
    const bounded = low !== null && high !== null;
    const step = bounded ? (model.get("whole") || high - low > 20 ? 1 : (high - low) / 100) : "any";
    const typed = h("input", {
      type: "number",
      class: "lv-number",
      step: "any",
      placeholder: "your guess",
      "aria-labelledby": `${group}-q`,
    });
    const slid = bounded
      ? h("input", {
          type: "range",
          class: "lv-range",
          min: low,
          max: high,
          step,
          "aria-label": "your guess, on a line",
        })
      : null;
    typed.addEventListener("input", () => view.set({ guess: typed.value === "" ? null : Number(typed.value) }));
    slid?.addEventListener("input", () => view.set({ guess: Number(slid.value) }));
    inputs = [typed, slid].filter(Boolean);
    return h(
      "div",
      { class: "lv-quantity" },
      typed,
      unit ? h("span", {}, unit) : null,
      slid ? h("span", { class: "lv-slide lv-aside" }, short(low), slid, short(high)) : null,
    );
  };
  const short = (v) => minus(String(Number(v.toPrecision(4))));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (model.get("committed")) return;
    refusal.textContent = problem();
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

  /** Where on the line the guess and the answer lie. */
  const numberLine = () => {
    const [low, high, guess, answer] = ["low", "high", "guess", "answer"].map((trait) => model.get(trait));
    if (model.get("options") || low === null || high === null || answer === null || high <= low) return null;
    if (guess === null) return null;
    const place = (v) => 100 * clamp((v - low) / (high - low));
    const dot = (name, v, label) =>
      h("span", { class: `lv-dot lv-dot-${name}`, style: `left:${place(v)}%` }, h("span", {}, label));
    const [from, to] = [place(guess), place(answer)].toSorted((a, b) => a - b);
    return h(
      "div",
      { class: "lv-line-of-two", "aria-hidden": "true" },
      h("span", { class: "lv-gap", style: `left:${from}%;width:${to - from}%` }),
      dot("guess", guess, "you"),
      dot("answer", answer, "answer"),
    );
  };

  let drawn;
  return view.start(() => {
    const [options, guess, committed] = [model.get("options"), model.get("guess"), model.get("committed")];
    question.textContent = model.get("question");
    const key = JSON.stringify([options, model.get("low"), model.get("high"), model.get("unit")]);
    if (key !== drawn)
      form.replaceChildren(
        options ? choices(options) : numberField(),
        h("div", { class: "lv-act" }, commit, show, again),
      );
    drawn = key;
    for (const input of inputs) {
      input.disabled = committed;
      if (input.type === "radio") {
        const i = Number(input.value);
        input.checked = i === guess;
        input.parentElement.classList.toggle("lv-chosen", i === guess);
        input.parentElement.classList.toggle("lv-right", committed && i === model.get("answer"));
      } else if (guess === null || Number(input.value) !== guess || input.value === "") {
        if (guess !== null || document.activeElement !== input || committed)
          input.value = guess === null ? "" : String(guess);
      }
      if (input.type === "range") input.classList.toggle("lv-untouched", guess === null);
    }
    const hadFocus = form.contains(document.activeElement);
    if (committed && again.hidden) revealed = performance.now();
    commit.hidden = show.hidden = committed;
    again.hidden = !committed;
    if (committed) refusal.textContent = "";
    if (committed && hadFocus && !form.contains(document.activeElement)) again.focus(); // stays on the card
    const verdict = model.get("verdict");
    reveal.hidden = !committed;
    if (committed && !verdict) reveal.replaceChildren(h("div", { class: "lv-sentences" }, "Computing …"));
    else if (committed)
      reveal.replaceChildren(
        ...[
          numberLine(),
          h("div", { class: "lv-sentences" }, verdict),
          model.get("explained") ? h("div", { class: "lv-why" }, model.get("explained")) : null,
        ].filter(Boolean),
      );
    else reveal.replaceChildren();
  });
}
