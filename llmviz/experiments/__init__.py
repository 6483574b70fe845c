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

from llmviz.experiments.ablation import ablate, ablate_each_head, blind, knockout_attention, measure_each_head
from llmviz.experiments.answers import answer_probs, is_right
from llmviz.experiments.attention_behaviours import (
    MAP_SIZE,
    Overview,
    attention_from,
    largest_in_blocks,
    overview,
    random_heads,
    relative_change,
    strongest_heads,
)
from llmviz.experiments.attribution import (
    LogitParts,
    direct_logit_attribution,
    head_attribution,
    head_contribution,
    leave_one_out,
    logit_direction,
    neuron_attribution,
    ov_logits,
    saliency,
)
from llmviz.experiments.chat import answer, asked, tokens_to_message
from llmviz.experiments.induction import induction_scores, random_tokens, repeat_probability
from llmviz.experiments.lens import AT_ONCE, Lens, logit_lens, residual_norms
from llmviz.experiments.patching import (
    Pair,
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
    option_probs,
    probability,
    surprisal_after,
    surprise,
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
from llmviz.experiments.sinks import first_token_weights, value_norms, weight_off_sinks
from llmviz.experiments.size import n_parameters, parameters
from llmviz.experiments.without_rope import before_rope, pattern_without_rope
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
    "ablate",
    "ablate_each_head",
    "answer",
    "answer_probs",
    "asked",
    "attention_from",
    "before_rope",
    "blind",
    "direct_logit_attribution",
    "distinct_values",
    "fact_mover_head",
    "first_choices",
    "first_token_weights",
    "gain_from_copies",
    "head_attribution",
    "head_contribution",
    "head_outputs",
    "induction_scores",
    "is_right",
    "knockout_attention",
    "largest_in_blocks",
    "leave_one_out",
    "logit_direction",
    "logit_lens",
    "measure_each_head",
    "n_parameters",
    "neuron_attribution",
    "option_probs",
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
    "probability",
    "quantise_matrix",
    "quantised",
    "random_heads",
    "random_tokens",
    "relative_change",
    "repeat_probability",
    "residual_norms",
    "saliency",
    "share_rounded",
    "strongest_heads",
    "surprisal_after",
    "surprise",
    "token_logprobs",
    "token_probs",
    "tokens_to_message",
    "total_variation",
    "value_norms",
    "weight_off_sinks",
    "with_noise_of",
    "write",
    "write_on",
]
