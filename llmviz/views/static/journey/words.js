// What is said beside the picture: the caption, the legend, and everything in words.

import { colorScale, scaleLegend } from "../kit/colour.js";
import { h, markLegend, pieceNodes, plain, quoted } from "../kit/elements.js";
import { count } from "../kit/numbers.js";
import { share } from "./numbers.js";

/** A sentence in parts: what is between stars is strong, and a value {piece} is a token's piece. */
function say(texts, ...values) {
  const parts = [];
  let strong = false;
  texts.forEach((text, i) => {
    text.split("*").forEach((words, k) => {
      if (k) strong = !strong;
      if (words) parts.push({ words, strong });
    });
    if (i < values.length) parts.push(values[i].piece === undefined ? { words: String(values[i]), strong } : values[i]);
  });
  return parts;
}
export const wordsOf = (parts) => parts.map(({ words, piece }) => words ?? quoted(piece)).join("");
export const captionNodes = (parts) =>
  parts.map(({ words, strong, piece }) =>
    piece === undefined
      ? strong
        ? h("b", {}, words)
        : words
      : h("span", {}, "“", h("bdi", { class: "lv-piece" }, pieceNodes(piece)), "”"),
  );

function captionOfLayer(data, { layer, u, rising, calm }) {
  if (!rising) return say`The columns pass through *${data.layers} layers*, and each layer adds something to them.`;
  if (calm > 0.5) return say`*Layer ${layer}*: attention and the FFN add to the columns.`;
  if (u >= 0.56) return say`Layer ${layer}, *FFN*: each column is processed on its own, and neurons add to it.`;
  const look = data.strongest[layer];
  if (data.n === 1) return say`Layer ${layer}, *attention*: a single token can attend only to itself.`;
  if (!look || look.weight < 0.3)
    return say`Layer ${layer}, *attention*: each token attends to itself and earlier ones, and takes in what it finds.`;
  const [last, named] = [{ piece: data.pieces.at(-1) }, { piece: look.piece }];
  const from = `head ${look.head}, ${share(look.weight)}`;
  return say`Layer ${layer}, *attention*: ${last} attends to ${named} (${from}) and takes in what it finds.`;
}

/** The caption in parts: {words, strong} or {piece}. */
export function captionAt(data, moment) {
  const { scene, picking } = moment;
  if (scene === 0) return say`The model cuts your text into *tokens*. It knows each one only by a number.`;
  if (scene === 1) return say`Each number picks *one row* from a table of ${count(data.sizes.n_vocab)}.`;
  if (scene === 2) return say`Each row, ${count(data.sizes.d_model)} numbers, stands up as the token’s own *column*.`;
  if (scene === 3 && !data.turns.length)
    return say`Each column gets a *vector of its position* added, which the model has learned.`;
  if (scene === 3)
    return data.count > 1 && data.angles.every((angle) => angle === 0)
      ? say`*Clock hands* would show how far numbers rotate at each position, but RoPE is switched off.`
      : say`In every layer, attention rotates numbers by position (RoPE), as *clock hands* show.`;
  if (scene === 4) return captionOfLayer(data, moment);
  const table = data.tied ? "the table" : "a second table";
  if (scene === 5)
    return say`The last column is compared with *every row* of ${table}. The better the match, the likelier the token.`;
  if (picking < 6.4)
    return say`All tokens lie end to end, and likelier ones take up more room. *A random number* picks one.`;
  const drawn = { piece: data.drawn.piece };
  return data.ends
    ? say`${drawn} was picked. It means that the text *ends* here.`
    : say`${drawn} joins the text, and the loop starts *again*.`;
}

/** What the marks on the screen mean, with this text's numbers. */
export function legendAt(data, { state, layer, scene, t, rising, attention }, layout, theme) {
  const nodes = [];
  const explain = (...words) => nodes.push(h("span", {}, ...words));
  if (layout.leftOut) {
    const lastOnes = layout.lanes.length - 1;
    explain(h("b", {}, `Drawn: the first token and the last ${lastOnes} of ${count(data.n)}.`));
  }
  if (scene === 1) explain("the table is drawn on a square-root scale (√), which gives low token numbers more room");
  if ((scene >= 2 && scene <= 4) || (scene === 1 && t > 12)) {
    const limit = Number(data.scales[state].toPrecision(2));
    const of = scene === 1 ? "numbers of a row" : "numbers of a column";
    const what = data.every > 1 ? `${of} (one in ${data.every} is drawn)` : of;
    nodes.push(scaleLegend(colorScale("signed", theme, limit), what));
  }
  if (scene === 4 && rising) {
    if (!layout.tall) explain(h("b", {}, "length"), ": of the column’s vector");
    if (layout.lanes.some(({ i }) => data.isLong(state, i)))
      explain(h("b", {}, "pale"), ": a column too long for this colour scale");
    const sinks = `: ${share(data.restShares[layer] ?? 0)} of the attention goes to pale columns`;
    if (attention > 0.3 && data.restShares[layer] > 0.005)
      explain(h("b", {}, "dotted"), `${sinks} (attention sinks: they attract much of it)`);
  }
  if (scene === 6) explain("tokens are in the order of the table, so the likeliest may be anywhere");
  if (t < 7 || scene === 6) nodes.push(...markLegend([...data.pieces, data.drawn.piece]));
  else if (scene === 4 || scene === 5) nodes.push(...markLegend(data.predictions.map(([piece]) => piece)));
  return nodes;
}

/** The numbers as a list in words, for those who hear the page. */
export function inWords(data) {
  const tokens = data.pieces.map((piece, i) => `${plain(piece)} is number ${data.tokens[i]}`);
  const predictions = data.predictions.map(([piece, prob], i) => `${i}: ${plain(piece)}, ${share(prob)}`);
  const lookOf = (look) => (look ? `${plain(look.piece)}, head ${look.head}, ${share(look.weight)}` : "none");
  const looks = data.strongest.map((look, i) => `${i}: ${lookOf(look)}`);
  const likeliest = data.likeliest.map(({ piece, prob }) => `${plain(piece)} ${share(prob)}`);
  const all = data.n === 1 ? "1 token" : `${count(data.n)} tokens`;
  const drawn = tokens.length < data.n ? `, of which the first and the last ${tokens.length - 1} are drawn` : "";
  const items = [
    `${all}${drawn}: ${tokens.join(", ")}.`,
    `The likeliest next token after each layer: ${predictions.join("; ")}.`,
    `The last token’s largest attention weight in each layer, not counting attention sinks (pale columns) and itself: ${looks.join("; ")}.`,
    `Likeliest next tokens: ${likeliest.join(", ")}.`,
    `Drawn: ${plain(data.drawn.piece)}.`,
  ];
  const list = items.map((item) => h("li", {}, item));
  return h("ol", {}, list);
}
