// The loop: the text on top, the model below it, and the way round. The part at work wears the accent.

import { clamp, count, floats, frame, h, keyed, KIT, markLegend, percent, pieceNodes, setText } from "./kit.js";

const SENTENCES = {
  read: "1 · The model reads the whole text, every token of it.",
  guess: "2 · The model gives every token of its vocabulary a probability.",
  pick: "3 · One token is picked, each as often as its probability says.",
  append: "4 · The picked token joins the text, and the loop starts again.",
};

export function render({ model, el }) {
  const view = frame(model, el, "loop_picture");
  const text = keyed("group", "lv-text", "the text so far");
  const arrow = (phase, label, head) =>
    h(
      "div",
      { class: `lv-way lv-aside lv-way-${phase}`, style: `grid-area:way-${phase}`, "data-phase": phase },
      h("span", { class: "lv-rail" }),
      h("span", { class: "lv-head", "aria-hidden": "true" }, head),
      h("span", { class: "lv-tag" }, label),
    );
  const box = (name, phases, title, ...inner) =>
    h(
      "div",
      { class: `lv-box lv-box-${name}`, style: `grid-area:box-${name}`, "data-phase": phases },
      h("div", { class: "lv-box-title" }, title),
      ...inner,
    );
  const guesses = h("div", { class: "lv-guesses" });
  const pick = h("div", { class: "lv-picked" });
  const loop = h(
    "div",
    { class: "lv-loop" },
    text,
    arrow("read", "1 read", "▼"),
    arrow("append", "4 append", "▲"),
    box("model", "read", "Model", h("div", { class: "lv-small lv-aside" }, "reads every token of the text")),
    arrow("guess", "2 guess", "▶"),
    box("guess", "guess", "Probabilities", guesses),
    arrow("pick", "3 pick", "▶"),
    box("pick", "pick append", "Pick", pick),
  );
  view.body.append(loop);
  const parts = [...loop.querySelectorAll("[data-phase]")];
  let chips = [];
  let rows = []; // of the guesses
  const drawn = {};

  const drawText = (pieces, nPrompt) => {
    const from = Math.max(0, pieces.length - KIT.maxTokens); // the end is where things happen
    const same =
      drawn.pieces &&
      drawn.nPrompt === nPrompt &&
      drawn.from === from &&
      pieces.length >= drawn.pieces.length &&
      drawn.pieces.every((piece, i) => piece === pieces[i]);
    if (!same) {
      chips = [];
      text.replaceChildren();
    }
    for (let i = from + chips.length; i < pieces.length; i++) {
      const node = h(
        "bdi",
        { class: `lv-token lv-piece ${i < nPrompt ? "lv-prompt" : "lv-written"}` },
        pieceNodes(pieces[i]),
      );
      chips.push(node);
      text.append(node);
    }
    if (!chips.length) text.replaceChildren(h("span", { class: "lv-empty" }, "no text yet"));
    Object.assign(drawn, { pieces, nPrompt, from });
    text.scrollTop = text.scrollHeight;
  };

  return view.start(() => {
    const [pieces, nPrompt, phase, picked] = ["pieces", "n_prompt", "phase", "picked"].map((trait) => model.get(trait));
    if (pieces !== drawn.pieces || nPrompt !== drawn.nPrompt) drawText(pieces, nPrompt);
    const newest = pieces.length > nPrompt ? chips.at(-1) : null;
    for (const node of chips) node.classList.toggle("lv-newest", node === newest);
    for (const part of parts)
      part.classList.toggle("lv-on", phase !== null && part.dataset.phase.split(" ").includes(phase));
    text.classList.toggle("lv-on", phase === "append" || phase === "read");
    loop.dataset.narrow = String(view.width() < 660);

    const [likeliest, probs] = [model.get("likeliest"), floats(model.get("probs"))];
    if (likeliest !== drawn.likeliest || !guesses.childElementCount) {
      drawn.likeliest = likeliest;
      rows = likeliest.map((piece) => ({
        piece: h("bdi", { class: "lv-piece" }, pieceNodes(piece)),
        bar: h("span", { class: "lv-guess-bar" }),
        value: h("span", {}),
      }));
      guesses.replaceChildren(
        ...rows.map(({ piece, bar, value }) =>
          h("div", { class: "lv-guess" }, piece, h("span", { class: "lv-guess-track" }, bar), value),
        ),
        h(
          "div",
          { class: "lv-small lv-aside" },
          rows.length ? "… and one for every other token" : "one for every token of the vocabulary",
        ),
      );
    }
    rows.forEach(({ bar, value }, i) => {
      bar.style.width = `${100 * clamp(probs?.data[i] ?? 0)}%`;
      setText(value, percent(probs?.data[i] ?? 0));
    });
    if (picked !== drawn.picked || !pick.childElementCount) {
      drawn.picked = picked;
      pick.replaceChildren(
        picked === null
          ? h("div", { class: "lv-small lv-aside" }, "one token, by chance")
          : h("bdi", { class: "lv-token lv-piece lv-written" }, pieceNodes(picked)),
      );
    }
    const written = Math.max(0, pieces.length - nPrompt);
    const shown = pieces.length - drawn.from;
    view.setLegend(
      drawn.from > 0 && h("b", {}, `The last ${count(shown)} of ${count(pieces.length)} tokens are drawn.`),
      h("span", {}, h("i", { class: "lv-key lv-prompt" }), ` prompt: ${count(Math.min(nPrompt, pieces.length))}`),
      h("span", {}, h("i", { class: "lv-key lv-written" }), ` written by the loop: ${count(written)}`),
      ...markLegend(pieces.slice(-KIT.maxTokens)),
    );
    view.note(SENTENCES[phase] ?? "");
  });
}
