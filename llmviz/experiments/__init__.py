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
    rounding             a model whose matrices have fewer bits a number
    letters              what the model can say of the letters of words, and what its rows hold of them
    words, table         which words are tokens, and how near their rows of the embedding table are
    word_map, senses     what a flat map of words keeps; one word in two senses, layer by layer

Nothing here computes a stage: all of it runs the model with `Edits`, or reads a trace or the weights. What takes many
runs is an iterator, one run a step, that can be left at any of them. Negative positions count from the end.
"""

from llmviz.experiments.ablation import ablate, ablate_each_head, blind, knockout_attention, measure_each_head
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
    surprise,
    token_logprobs,
    token_probs,
    total_variation,
)
from llmviz.experiments.rounding import GROUP, quantise_matrix, quantised
from llmviz.experiments.sinks import first_token_weights, value_norms, weight_off_sinks
from llmviz.experiments.size import parameters
from llmviz.experiments.without_rope import before_rope, pattern_without_rope

__all__ = [
    "AT_ONCE",
    "GROUP",
    "MAP_SIZE",
    "Lens",
    "LogitParts",
    "Overview",
    "Pair",
    "ablate",
    "ablate_each_head",
    "attention_from",
    "before_rope",
    "blind",
    "direct_logit_attribution",
    "fact_mover_head",
    "first_token_weights",
    "head_attribution",
    "head_contribution",
    "head_outputs",
    "induction_scores",
    "knockout_attention",
    "largest_in_blocks",
    "leave_one_out",
    "logit_direction",
    "logit_lens",
    "measure_each_head",
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
    "strongest_heads",
    "surprise",
    "token_logprobs",
    "token_probs",
    "total_variation",
    "value_norms",
    "weight_off_sinks",
]
