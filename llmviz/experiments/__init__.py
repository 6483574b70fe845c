"""Experiments on the whole model: take a part away or put one back, and measure what becomes of the answer.

    direct attribution   the last norm's scale held as it was, the logit of a token is a plain sum over the blocks
    logit lens           the guess that the model would make at each depth
    switching off        one head at a time at zero, or a part at one token only
    swapping             what a part adds, taken from another run or from the mean of many (activation patching)
    path patching        what one head writes kept from one other head that reads it (Wang et al. 2022)
    what mattered        which tokens an answer rests on: its gradient, and leaving each token out
    knocking out         some heads may not look at some tokens (Geva et al. 2023)
    comparing            how far two runs, or two guesses, are apart
    another order        two tokens swapped, or all but the last shuffled: what notices it
    turning back         queries and keys without RoPE, in one head or of some pairs, and scores at other positions
    rounding             a model whose matrices have fewer bits a number

Nothing here computes a stage: all of it runs the model with `Edits`, or reads a trace. What takes many runs is an
iterator, one run a step, that can be left at any of them. Negative positions count from the end.
"""

from llmviz.experiments.ablation import (
    blind,
    each_block_off,
    each_head,
    each_head_off,
    heads_off_together,
    looking_elsewhere,
    off_at,
)
from llmviz.experiments.attention_behaviours import (
    MAP_SIZE,
    Overview,
    even_previous_token_score,
    largest_in_blocks,
    overview,
    previous_token_scores,
    random_heads,
    relative_change,
    strongest,
    weights_from,
)
from llmviz.experiments.attribution import (
    LogitParts,
    direct_attribution,
    direction_of,
    head_attribution,
    head_says,
    head_writes,
    left_out,
    neuron_attribution,
    saliency,
)
from llmviz.experiments.induction import copying, induction_scores, random_tokens, repeat_after
from llmviz.experiments.lens import AT_ONCE, Lens, logit_lens, stream_norms
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
    cut_path,
    each_head_swapped,
    handed_over,
    mover,
    pair_of,
    put_in,
    swap_at,
    swapped,
)
from llmviz.experiments.probabilities import (
    choose,
    likeliest_after,
    likeliest_changes,
    log_odds,
    mean_surprise,
    moved,
    moved_by,
    probability,
    surprisal,
    surprisal_in_window,
    surprise_by_context,
    token_logprobs,
    token_probs,
)
from llmviz.experiments.rounding import GROUP, round_numbers, rounded
from llmviz.experiments.sinks import awake, to_first, value_lengths
from llmviz.experiments.size import parameters
from llmviz.experiments.without_rope import (
    all_before_rope,
    before_rope,
    last_scores,
    mean_scores_by_distance,
    score_at,
    score_changes,
    unturned_cost,
    unturned_pairs,
    unturned_pattern,
)

__all__ = [
    "AT_ONCE",
    "GROUP",
    "MAP_SIZE",
    "Lens",
    "LogitParts",
    "Overview",
    "Pair",
    "all_before_rope",
    "awake",
    "before_rope",
    "blind",
    "choose",
    "copying",
    "cut_path",
    "differing_neighbours",
    "direct_attribution",
    "direction_of",
    "each_block_off",
    "each_head",
    "each_head_off",
    "each_head_swapped",
    "even_previous_token_score",
    "handed_over",
    "head_attribution",
    "head_change",
    "head_says",
    "head_writes",
    "heads_off_together",
    "induction_scores",
    "largest_in_blocks",
    "last_scores",
    "layers_that_notice",
    "left_out",
    "likeliest_after",
    "likeliest_changes",
    "log_odds",
    "logit_lens",
    "looking_elsewhere",
    "mean_scores_by_distance",
    "mean_surprise",
    "moved",
    "moved_by",
    "mover",
    "neuron_attribution",
    "off_at",
    "output_changes",
    "overview",
    "pair_of",
    "parameters",
    "previous_token_scores",
    "probability",
    "put_in",
    "random_heads",
    "random_tokens",
    "relative_change",
    "repeat_after",
    "round_numbers",
    "rounded",
    "saliency",
    "score_at",
    "score_changes",
    "shuffle_changes",
    "shuffle_tokens",
    "stream_norms",
    "strongest",
    "surprisal",
    "surprisal_in_window",
    "surprise_by_context",
    "swap_at",
    "swap_tokens",
    "swapped",
    "swapped_layers",
    "swapped_runs",
    "to_first",
    "token_logprobs",
    "token_probs",
    "unturned_cost",
    "unturned_pairs",
    "unturned_pattern",
    "value_lengths",
    "weights_from",
]
