"""Experiments on the whole model: change a part of it, and measure what happens to the answer.

    ablation               switch parts off, one head at a time or one part at one token; attention knockout
    patching               give a part its output in another run (activation patching), or cut a path between heads
    attribution            what each part adds directly to a logit, and which tokens of the text an answer rests on
    lens                   the prediction at each depth, and how similar words are there
    score_parts            what the parts of the stream add to one attention score
    minimal_pairs          two sentences that differ in one word, and in the one that depends on it
    facts                  follow a fact from the subject to the answer
    induction              two heads that copy what came before, together
    attention_behaviours, sinks   what heads attend to
    order, without_rope    other positions: tokens swapped or shuffled, and queries and keys before RoPE
    neurons                which neurons write, which fire at one word, and what they push
    probabilities, text_statistics   how likely tokens were, and how far apart two predictions are
    journey                one turn of the loop, for a picture of all stages
    writing, places, answers   what the model writes, place by place, and which answers are right
    letters, words, table  what the embedding table has of words and their letters
    rounding, published, cost   fewer bits, numbers of parameters, and what a token costs
    families               in words, what a model does in another way than the default model
    learning, small_models, gradients, fine_tuning, fine_tuned   what training changes

Nothing here computes a stage: it runs the model with `Edits`, or reads a trace or the weights. What takes many runs is
an iterator with one run at each step, which you can leave at any step. Negative positions count from the end.
"""
# ruff: noqa: F401  What is imported here is what the package offers.

from .ablation import ablate, ablate_each_block, ablate_each_head, knockout_attention
from .answers import answer_probs, is_right
from .attention_behaviours import (
    attention_from,
    even_previous_token_score,
    head_behaviours,
    head_pattern,
    noun_head,
    overview,
    previous_token_scores,
    query_row,
    random_heads,
    relative_change,
    sharpest_head,
    strongest_heads,
    switched,
)
from .attribution import (
    direct_logit_attribution,
    head_attribution,
    logit_direction,
    mean_correlation_by_chance,
    n_costlier,
    ov_logits,
    rank_correlation,
    what_mattered,
)
from .cost import cached_bytes, measure_cost
from .induction import (
    ablate_each_earlier_head,
    compose_each,
    conditions,
    copying,
    copying_by_pass,
    effects_of_earlier_heads,
    induction_score_of,
    induction_scores,
    measure_composition,
    random_tokens,
    reader_and_writers,
    readers_left,
    weaken,
    without_heads,
)
from .lens import logit_lens
from .minimal_pairs import each_head_patched, minimal_pair, noun_at, strongest_besides
from .order import (
    NOTICED,
    differing_neighbours,
    head_change,
    layers_that_notice,
    shuffle_changes,
    shuffle_tokens,
    swap_changes,
    swap_tokens,
    swapped_layers,
    swapped_runs,
)
from .patching import (
    Pair,
    cut_paths,
    fact_mover_head,
    head_outputs,
    pair_of,
    patch_component,
    patch_heads,
    patch_path,
    patch_residual,
)
from .probabilities import (
    extra_surprise,
    likeliest_after,
    likeliest_changes,
    log_odds,
    mean_surprise,
    probability,
    probability_moved,
    surprise_in_window,
    token_probs,
    token_surprise,
    total_variation,
)
from .published import n_parameters, parameters
from .rounding import (
    GROUP,
    quantise_matrix,
    quantised,
    with_noise_of,
)
from .sinks import first_token_weights, heads_on_first, short_values, value_norms, weight_off_sinks
from .without_rope import (
    before_rope,
    last_scores,
    mean_scores_by_distance,
    pattern_without_rope,
    repeat_cost,
    score_at,
    score_changes,
    shuffled_positions,
    turned_to,
    unturned_cost,
    unturned_pairs,
)
from .writing import (
    Written,
    added_by_template,
    answer,
    asked,
    first_choices,
    gain_from_copies,
    logits_after,
    write,
    write_edited,
    write_on,
)
