// What is said beside the picture: the caption, the legend, and everything in words.

import { colorScale, scaleLegend } from "../kit/colour.js";
import { h, markLegend, pieceNodes, plain } from "../kit/elements.js";
import { count } from "../kit/numbers.js";
import { share } from "./numbers.js";

// In a caption, what is between stars is strong, and a piece is in \u2068…\u2069, so that Hebrew doesn't turn the
// sentence around it.
const PARTS = /\*([^*]+)\*|\u2068([^\u2069]*)\u2069/g;
const told = (piece) => `“\u2068${piece}\u2069”`;

/** A caption without its stars. */
export const spoken = (caption) => plain(caption.replace(PARTS, (part, strong) => strong ?? part));

export const captionNodes = (caption) =>
  caption.split(PARTS).map((part, i) => {
    if (part === undefined || i % 3 === 0) return part ?? "";
    return i % 3 === 1 ? h("b", {}, part) : h("bdi", { class: "lv-piece" }, pieceNodes(part));
  });

function captionOfLayer(data, { layer, rising, passed, inFFN }) {
  if (!rising) return `The columns pass through *${data.layers} layers*, and each layer adds something to them.`;
  if (passed) return `*Layer ${layer}*: attention and the FFN add to the columns.`;
  if (inFFN) return `Layer ${layer}, *FFN*: each column is processed on its own, and neurons add to it.`;
  const look = data.strongest[layer];
  if (data.n === 1) return `Layer ${layer}, *attention*: a single token can attend only to itself.`;
  if (!look || look.weight < 0.3)
    return `Layer ${layer}, *attention*: each token attends to itself and earlier ones, and takes in what it finds.`;
  const [last, named] = [data.pieces.at(-1), look.piece].map(told);
  const from = `head ${look.head}, ${share(look.weight)}`;
  return `Layer ${layer}, *attention*: ${last} attends to ${named} (${from}) and takes in what it finds.`;
}

export function captionAt(data, moment) {
  const { scene, picking } = moment;
  if (scene === 0) return "The model cuts your text into *tokens*. It knows each one only by a number.";
  if (scene === 1) return `Each number picks *one row* from a table of ${count(data.sizes.n_vocab)}.`;
  if (scene === 2) return `Each row, ${count(data.sizes.d_model)} numbers, stands up as the token’s own *column*.`;
  if (scene === 3 && !data.turns.length)
    return "Each column gets a *vector of its position* added, which the model has learned.";
  if (scene === 3)
    return data.count > 1 && data.angles.every((angle) => angle === 0)
      ? "*Clock hands* would show how far numbers rotate at each position, but RoPE is switched off."
      : "In every layer, attention rotates numbers by position (RoPE), as *clock hands* show.";
  if (scene === 4) return captionOfLayer(data, moment);
  const table = data.tied ? "the table" : "a second table";
  if (scene === 5)
    return `The last column is compared with *every row* of ${table}. The better the match, the likelier the token.`;
  if (picking < 6.4)
    return "All tokens lie end to end, and likelier ones take up more room. *A random number* picks one.";
  const drawn = told(data.drawn.piece);
  return data.ends
    ? `${drawn} was picked. It means that the text *ends* here.`
    : `${drawn} joins the text, and the loop starts *again*.`;
}

/** What the marks on the screen mean, with this text's numbers. */
export function legendAt(data, { state, layer, scene, rising, passed, inFFN }, layout, theme) {
  const nodes = [];
  const explain = (words) => nodes.push(h("span", {}, captionNodes(words)));
  if (layout.leftOut) explain(`*Drawn: the first token and the last ${layout.lanes.length - 1} of ${count(data.n)}.*`);
  if (scene === 1) explain("the table is drawn on a square-root scale (√), which gives low token numbers more room");
  if (scene >= 1 && scene <= 4) {
    const limit = Number(data.scales[state].toPrecision(2));
    const times = Number(data.sizes.embedding_scale.toPrecision(3));
    const of = scene === 1 ? `numbers of a row${times === 1 ? "" : ` × ${times}`}` : "numbers of a column";
    const what = data.every > 1 ? `${of} (one in ${data.every} is drawn)` : of;
    nodes.push(scaleLegend(colorScale("signed", theme, limit), what));
  }
  if (scene === 3 && !layout.tall) explain("*below a column*: its position");
  if (scene === 4 && rising) {
    if (inFFN) explain(`*bars over a column*: the neurons that write most, of ${count(data.sizes.d_ff)}`);
    if (!layout.tall) explain("*below a column*: the length of its vector");
    if (layout.lanes.some(({ i }) => data.isLong(state, i))) explain("*pale*: a column too long for this colour scale");
    const sinks = data.restShares[layer];
    if (sinks > 0.005 && !inFFN && !passed)
      explain(`*not drawn*: ${share(sinks)} of the attention goes to pale columns (attention sinks)`);
  }
  if (scene === 6) explain("tokens are in the order of the table, so the likeliest may be anywhere");
  nodes.push(...markLegend([...data.pieces, data.drawn.piece, ...data.predictions.map(([piece]) => piece)]));
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
