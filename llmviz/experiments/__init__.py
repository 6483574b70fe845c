"""Experiments on the whole model: take a part away or put one back, and measure what becomes of the answer.

    direct attribution   the last norm's scale held as it was, the logit of a token is a plain sum over the blocks
    logit lens           the guess that the model would make at each depth
    switching off        one head at a time at zero, or a part at one token only
    swapping             what a part adds, taken from another run or from the mean of many (activation patching)
    path patching        what one head writes kept from one other head that reads it (Wang et al. 2022)
    minimal pairs        two sentences that differ in one word, and in the one that depends on it
    what mattered        which tokens an answer rests on: its gradient, and leaving each token out
    knocking out         some heads may not look at some tokens (Geva et al. 2023)
    comparing            how far two runs, or two guesses, are apart
    turning back         one head's queries and keys, and where it would look, without RoPE
    cost                 the time and the memory that one more token takes, as the text grows
    rounding             a model whose matrices have fewer bits a number
    letters              what the model can say of the letters of words, and what its rows hold of them
    words, table         which words are tokens, and how near their rows of the embedding table are
    word_map, senses     what a flat map of words keeps; one word in two senses, layer by layer
    another order        two tokens swapped, or all but the last shuffled: what notices it
    writing              what the model writes: first choices, repetition, and answers that are right

Nothing here computes a stage: all of it runs the model with `Edits`, or reads a trace or the weights. What takes many
runs is an iterator, one run a step, that can be left at any of them. Negative positions count from the end.
"""

from llmviz.experiments.ablation import (
    ablate,
    ablate_each_head,
    each_block_off,
    heads_off_together,
    knockout_attention,
    measure_each_head,
)
from llmviz.experiments.answers import answer_probs, is_right
from llmviz.experiments.attention_behaviours import (
    Overview,
    attention_from,
    behaviours,
    even_previous_token_score,
    largest_in_blocks,
    overview,
    previous_token_scores,
    random_heads,
    relative_change,
    strongest_heads,
)
from llmviz.experiments.attribution import (
    LogitParts,
    direct_logit_attribution,
    each_head_ov_logits,
    head_attribution,
    head_contribution,
    leave_one_out,
    logit_direction,
    mean_correlation_by_chance,
    neuron_attribution,
    ov_logits,
    rank_correlation,
    saliency,
    what_mattered,
)
from llmviz.experiments.chat import answer, asked, tokens_to_message
from llmviz.experiments.composition import (
    Composition,
    Condition,
    conditions,
    each_earlier_head_off,
    measure_composition,
    scores_left,
    strongest_readers,
)
from llmviz.experiments.cost import Timing, cached_bytes, measure_cost
from llmviz.experiments.induction import (
    copying_by_pass,
    induction_score_of,
    induction_scores,
    random_tokens,
    repeat_after,
    repeat_probability,
    without_heads,
)
from llmviz.experiments.lens import AT_ONCE, Lens, logit_lens, residual_norms
from llmviz.experiments.minimal_pairs import (
    MinimalPair,
    differing_tokens,
    each_head_patched,
    mean_outcome,
    minimal_pair,
)
from llmviz.experiments.order import (
    differing_neighbours,
    head_change,
    layers_that_notice,
    output_changes,
    shuffle_changes,
    shuffle_tokens,
    swap_tokens,
    swapped_layers,
    swapped_runs,
)
from llmviz.experiments.patching import (
    Pair,
    cut_paths,
    fact_mover_head,
    head_outputs,
    pair_of,
    patch_component,
    patch_each_head,
    patch_heads,
    patch_path,
    patch_residual,
)
from llmviz.experiments.probabilities import (
    extra_surprise,
    likeliest_after,
    likeliest_changes,
    log_odds,
    mean_surprise,
    moved_by,
    option_probs,
    probability,
    surprisal_after,
    surprisal_in_window,
    surprise,
    surprise_by_context,
    token_logprobs,
    token_probs,
    total_variation,
)
from llmviz.experiments.rounding import (
    GROUP,
    distinct_values,
    quantise_matrix,
    quantised,
    share_rounded,
    with_noise_of,
)
from llmviz.experiments.sinks import (
    awake_on,
    first_token_weights,
    heads_on_first,
    short_values,
    value_norms,
    weight_off_sinks,
)
from llmviz.experiments.size import n_parameters, parameters
from llmviz.experiments.without_rope import (
    all_before_rope,
    before_rope,
    last_scores,
    mean_scores_by_distance,
    pattern_without_rope,
    score_at,
    score_changes,
    unturned_cost,
    unturned_pairs,
)
from llmviz.experiments.writing import Written, first_choices, gain_from_copies, write, write_on

__all__ = [
    "AT_ONCE",
    "GROUP",
    "Composition",
    "Condition",
    "Lens",
    "LogitParts",
    "MinimalPair",
    "Overview",
    "Pair",
    "Timing",
    "Written",
    "ablate",
    "ablate_each_head",
    "all_before_rope",
    "answer",
    "answer_probs",
    "asked",
    "attention_from",
    "awake_on",
    "before_rope",
    "behaviours",
    "cached_bytes",
    "conditions",
    "copying_by_pass",
    "cut_paths",
    "differing_neighbours",
    "differing_tokens",
    "direct_logit_attribution",
    "distinct_values",
    "each_block_off",
    "each_earlier_head_off",
    "each_head_ov_logits",
    "each_head_patched",
    "even_previous_token_score",
    "extra_surprise",
    "fact_mover_head",
    "first_choices",
    "first_token_weights",
    "gain_from_copies",
    "head_attribution",
    "head_change",
    "head_contribution",
    "head_outputs",
    "heads_off_together",
    "heads_on_first",
    "induction_score_of",
    "induction_scores",
    "is_right",
    "knockout_attention",
    "largest_in_blocks",
    "last_scores",
    "layers_that_notice",
    "leave_one_out",
    "likeliest_after",
    "likeliest_changes",
    "log_odds",
    "logit_direction",
    "logit_lens",
    "mean_correlation_by_chance",
    "mean_outcome",
    "mean_scores_by_distance",
    "mean_surprise",
    "measure_composition",
    "measure_cost",
    "measure_each_head",
    "minimal_pair",
    "moved_by",
    "n_parameters",
    "neuron_attribution",
    "option_probs",
    "output_changes",
    "ov_logits",
    "overview",
    "pair_of",
    "parameters",
    "patch_component",
    "patch_each_head",
    "patch_heads",
    "patch_path",
    "patch_residual",
    "pattern_without_rope",
    "previous_token_scores",
    "probability",
    "quantise_matrix",
    "quantised",
    "random_heads",
    "random_tokens",
    "rank_correlation",
    "relative_change",
    "repeat_after",
    "repeat_probability",
    "residual_norms",
    "saliency",
    "score_at",
    "score_changes",
    "scores_left",
    "share_rounded",
    "short_values",
    "shuffle_changes",
    "shuffle_tokens",
    "strongest_heads",
    "strongest_readers",
    "surprisal_after",
    "surprisal_in_window",
    "surprise",
    "surprise_by_context",
    "swap_tokens",
    "swapped_layers",
    "swapped_runs",
    "token_logprobs",
    "token_probs",
    "tokens_to_message",
    "total_variation",
    "unturned_cost",
    "unturned_pairs",
    "value_norms",
    "weight_off_sinks",
    "what_mattered",
    "with_noise_of",
    "without_heads",
    "write",
    "write_on",
]
