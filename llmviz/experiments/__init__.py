"""Experiments on the whole model: take a part away or put one back, and measure what becomes of the answer.

    direct attribution   the last norm's scale held as it was, the logit of a token is a plain sum over the blocks
    logit lens           the guess that the model would make at each depth
    switching off        one head at a time at zero, or a part at one token only
    swapping             what a part adds, taken from another run or from the mean of many (activation patching)
    path patching        what one head writes kept from one other head that reads it (Wang et al. 2022)
    what mattered        which tokens an answer rests on: its gradient, and leaving each token out
    knocking out         some heads may not look at some tokens (Geva et al. 2023)
    comparing            how far two runs, or two guesses, are apart
    turning back         one head's queries and keys, and where it would look, without RoPE
    writing              what the model writes: first choices, repetition, and answers that are right
    rounding             a model whose matrices have fewer bits a number

Nothing here computes a stage: all of it runs the model with `Edits`, or reads a trace. What takes many runs is an
iterator, one run a step, that can be left at any of them. Negative positions count from the end.
"""

from llmviz.experiments.ablation import blind, each_head, each_head_off, looking_elsewhere, off_at
from llmviz.experiments.answers import answer_probs, is_right
from llmviz.experiments.attention_behaviours import (
    MAP_SIZE,
    Overview,
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
    head_attribution,
    head_says,
    head_writes,
    left_out,
    neuron_attribution,
    saliency,
)
from llmviz.experiments.chat import answer, asked, tokens_to_message
from llmviz.experiments.induction import copying, induction_scores, random_tokens
from llmviz.experiments.lens import AT_ONCE, Lens, logit_lens, stream_norms
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
    moved,
    probability,
    surprisal,
    surprisal_after,
    token_logprobs,
    token_probs,
)
from llmviz.experiments.rounding import (
    GROUP,
    distinct_values,
    round_numbers,
    rounded,
    share_rounded,
    with_noise_of,
)
from llmviz.experiments.sinks import awake, to_first, value_lengths
from llmviz.experiments.size import n_parameters, parameters
from llmviz.experiments.without_rope import before_rope, unturned_pattern
from llmviz.experiments.writing import Written, first_choices, gain_from_copies, write, write_on

__all__ = [
    "AT_ONCE",
    "GROUP",
    "MAP_SIZE",
    "Lens",
    "LogitParts",
    "Overview",
    "Pair",
    "Written",
    "answer",
    "answer_probs",
    "asked",
    "awake",
    "before_rope",
    "blind",
    "choose",
    "copying",
    "cut_path",
    "direct_attribution",
    "direction_of",
    "distinct_values",
    "each_head",
    "each_head_off",
    "each_head_swapped",
    "first_choices",
    "gain_from_copies",
    "handed_over",
    "head_attribution",
    "head_says",
    "head_writes",
    "induction_scores",
    "is_right",
    "largest_in_blocks",
    "left_out",
    "logit_lens",
    "looking_elsewhere",
    "moved",
    "mover",
    "n_parameters",
    "neuron_attribution",
    "off_at",
    "overview",
    "pair_of",
    "parameters",
    "probability",
    "put_in",
    "random_heads",
    "random_tokens",
    "relative_change",
    "round_numbers",
    "rounded",
    "saliency",
    "share_rounded",
    "stream_norms",
    "strongest",
    "surprisal",
    "surprisal_after",
    "swap_at",
    "swapped",
    "to_first",
    "token_logprobs",
    "token_probs",
    "tokens_to_message",
    "unturned_pattern",
    "value_lengths",
    "weights_from",
    "with_noise_of",
    "write",
    "write_on",
]
