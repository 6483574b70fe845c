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

Nothing here computes a stage: all of it runs the model with `Edits`, or reads a trace. What takes many runs is an
iterator, one run a step, that can be left at any of them. Negative positions count from the end.
"""

from llmviz.experiments.ablation import blind, each_head, each_head_off, looking_elsewhere, off_at
from llmviz.experiments.attention_behaviours import (
    Overview,
    behaviours,
    largest_in_blocks,
    overview,
    random_heads,
    relative_change,
    strongest,
    weights_from,
)
from llmviz.experiments.attribution import (
    LogitParts,
    direct_attribution,
    direction_of,
    each_head_says,
    head_attribution,
    head_says,
    head_writes,
    left_out,
    mean_correlation_by_chance,
    neuron_attribution,
    rank_correlation,
    saliency,
    what_mattered,
)
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
    copying,
    copying_by_pass,
    induction_score_of,
    induction_scores,
    random_tokens,
    without_heads,
)
from llmviz.experiments.lens import AT_ONCE, Lens, logit_lens, stream_norms
from llmviz.experiments.minimal_pairs import (
    MinimalPair,
    differing_tokens,
    each_head_patched,
    mean_outcome,
    minimal_pair,
)
from llmviz.experiments.patching import (
    Pair,
    cut_path,
    cut_paths,
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
    extra_surprisal,
    moved,
    probability,
    surprisal,
    token_logprobs,
    token_probs,
)
from llmviz.experiments.rounding import GROUP, round_numbers, rounded
from llmviz.experiments.sinks import awake, awake_on, heads_on_first, short_values, to_first, value_lengths
from llmviz.experiments.size import parameters
from llmviz.experiments.without_rope import before_rope, unturned_pattern

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
    "awake",
    "awake_on",
    "before_rope",
    "behaviours",
    "blind",
    "cached_bytes",
    "choose",
    "conditions",
    "copying",
    "copying_by_pass",
    "cut_path",
    "cut_paths",
    "differing_tokens",
    "direct_attribution",
    "direction_of",
    "each_earlier_head_off",
    "each_head",
    "each_head_off",
    "each_head_patched",
    "each_head_says",
    "each_head_swapped",
    "extra_surprisal",
    "handed_over",
    "head_attribution",
    "head_says",
    "head_writes",
    "heads_on_first",
    "induction_score_of",
    "induction_scores",
    "largest_in_blocks",
    "left_out",
    "logit_lens",
    "looking_elsewhere",
    "mean_correlation_by_chance",
    "mean_outcome",
    "measure_composition",
    "measure_cost",
    "minimal_pair",
    "moved",
    "mover",
    "neuron_attribution",
    "off_at",
    "overview",
    "pair_of",
    "parameters",
    "probability",
    "put_in",
    "random_heads",
    "random_tokens",
    "rank_correlation",
    "relative_change",
    "round_numbers",
    "rounded",
    "saliency",
    "scores_left",
    "short_values",
    "stream_norms",
    "strongest",
    "strongest_readers",
    "surprisal",
    "swap_at",
    "swapped",
    "to_first",
    "token_logprobs",
    "token_probs",
    "unturned_pattern",
    "value_lengths",
    "weights_from",
    "what_mattered",
    "without_heads",
]
