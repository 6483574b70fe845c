// Everything that draws a widget, by the name that its class in Python has as `_draws`. tests/bundle.py makes
// bundle.js of this.

export { dress } from "./dress.js";
export { render as answer_card } from "./answer_card.js";
export { render as arcs } from "./arcs.js";
export { render as bpe_training } from "./bpe_training.js";
export { render as copy_button } from "./copy_button.js";
export { render as cosine_histogram } from "./cosine_histogram.js";
export { render as count_bars } from "./count_bars.js";
export { render as flat_map } from "./flat_map.js";
export { render as freshness } from "./freshness.js";
export { render as head_grid } from "./head_grid.js";
export { render as head_pair } from "./head_pair.js";
export { render as heat_map } from "./heat_map.js";
export { render as journey } from "./journey/index.js";
export { render as line_plot } from "./line_plot.js";
export { render as merge_replay } from "./merge_replay.js";
export { render as model_sizes } from "./model_sizes.js";
export { render as nearest_tokens } from "./nearest_tokens.js";
export { render as next_token_bars } from "./next_token_bars.js";
export { render as patch_map } from "./patch_map.js";
export { render as pipeline_map } from "./pipeline_map.js";
export { render as predict } from "./predict.js";
export { render as rope_dial } from "./rope_dial.js";
export { render as sampler_cards } from "./sampler_cards.js";
export { render as score_steps } from "./score_steps.js";
export { render as sentences } from "./sentences.js";
export { render as signed_bars } from "./signed_bars.js";
export { render as silu_curve } from "./silu_curve.js";
export { render as softmax_steps } from "./softmax_steps.js";
export { render as sum_bar } from "./sum_bar.js";
export { render as switches } from "./switches.js";
export { render as token_strip } from "./token_strip.js";
export { render as two_arrows } from "./two_arrows.js";
export { render as vector_picture } from "./vector_picture.js";
export { render as written_text } from "./written_text.js";
