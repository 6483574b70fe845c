"""Experiments on the model: each against a formula written another way."""

import gc
import math
import re
import weakref
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_gguf
from finite_differences import in_doubles
from messages import holding

from llmviz import Edits, Sampler, experiments, ops, position, sampling, training
from llmviz.edits import add, scale
from llmviz.experiments import (
    attention_behaviours,
    attribution,
    cost,
    facts,
    fine_tuning,
    gradients,
    induction,
    learning,
    lens,
    neurons,
    probabilities,
    small_models,
    training_run,
    without_rope,
)
from llmviz.experiments.ablation import measure_each_head
from llmviz.experiments.fine_tuned import Lesson
from llmviz.experiments.order import (
    NOTHING,
    moved_by_shuffling,
    n_layers_that_notice,
    positions_to_swap,
    which_vectors_change,
)
from llmviz.experiments.published import PUBLISHED
from llmviz.experiments.text_statistics import copied_characters, counting, split_by_repeats
from llmviz.model import Model
from llmviz.weights import random_weights, stored

DOG = "The dog sleeps on the mat. The cat sees the dog and runs to the tree. "
STORY = "\n".join(DOG.replace("dog", animal) for animal in ("dog", "fox", "hen", "cow", "pig", "owl")) * 12
TEXT = "the cat sat on the dog"


# --- direct attribution ---


@pytest.mark.parametrize("edits", [Edits(), Edits(head={(1, 2): 0}, ffn={2: -1.5}), Edits(norm=False)])
def test_the_parts_sum_to_the_logit(tiny_model, edits):
    trace = tiny_model.trace(TEXT, edits)
    for token in (0, 7, 100):
        parts = experiments.direct_logit_attribution(trace, token)
        assert parts.total == pytest.approx(trace.logits[token], rel=1e-4, abs=1e-4)
        assert parts.total == pytest.approx(parts.embedding + parts.attention.sum() + parts.ffn.sum())


def test_each_part_is_what_its_block_wrote_through_the_output_table(tiny_model):
    trace = tiny_model.trace(TEXT)
    parts = experiments.direct_logit_attribution(trace, 9)
    x = trace.blocks[-1].resid_post[-1].astype(float)
    scale = math.sqrt(sum(v * v for v in x) / len(x) + tiny_model.config.norm_eps)
    for layer, block in enumerate(trace.blocks):
        for got, out in ((parts.attention, block.attention.out), (parts.ffn, block.ffn.out)):
            expected = tiny_model.weights.W_U[:, 9] @ (tiny_model.weights.final_norm * out[-1]) / scale
            assert got[layer] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_against_a_rival_the_parts_sum_to_the_lead(tiny_model):
    trace = tiny_model.trace(TEXT)
    parts = experiments.direct_logit_attribution(trace, 9, against=4, position=-1)
    assert parts.total == pytest.approx(trace.logits[9] - trace.logits[4], abs=1e-4)
    assert experiments.direct_logit_attribution(trace, 9, against=9).total == 0


def test_an_earlier_position_has_parts_of_its_own(tiny_model):
    trace = tiny_model.trace(TEXT)
    parts = experiments.direct_logit_attribution(trace, 9, position=2)
    assert parts.total == pytest.approx(trace.lens(2)[2, 9], abs=1e-4)


@pytest.mark.parametrize(
    "edits",
    [
        Edits(residual=False),
        Edits(resid={(1, 0): np.ones(48)}),
        Edits(at={("resid_mid", 1): add(np.ones(48))}),
    ],
)
def test_a_stream_that_is_no_sum_is_refused(tiny_model, edits):
    with pytest.raises(ValueError, match="sum"):
        experiments.direct_logit_attribution(tiny_model.trace(TEXT, edits), 9)


def test_an_ffn_changed_by_hand_adds_what_it_was_changed_to(tiny_model):
    trace = tiny_model.trace(TEXT, Edits(at={("ffn_out", 1): scale(0, positions=-1)}))
    parts = experiments.direct_logit_attribution(trace, 9)
    assert parts.ffn[1] == pytest.approx(0, abs=1e-5)
    assert parts.total == pytest.approx(trace.logits[9], rel=1e-4, abs=1e-4)


def test_negative_positions_count_from_the_end_and_others_are_told(tiny_model):
    trace = tiny_model.trace(TEXT)
    seq = len(trace.tokens)
    for place in (-1, -3, -seq):
        first, other = (
            experiments.direct_logit_attribution(trace, 9, position=at) for at in (place, place + seq)
        )
        np.testing.assert_allclose(first.ffn, other.ffn, rtol=1e-4, atol=1e-5)
    for place in (seq, -seq - 1):
        with pytest.raises(ValueError, match=holding(f"position {place}", seq - 1)):
            experiments.direct_logit_attribution(trace, 1, position=place)


# --- one head: what it writes, what it says, and who reads it ---


@pytest.mark.parametrize("edits", [Edits(), Edits(head={(1, 2): 0.5}, attention={1: -2.0})])
def test_what_the_heads_write_is_what_attention_adds(tiny_model, edits):
    trace = tiny_model.trace(TEXT, edits)
    block = trace.blocks[1]
    for place in (2, -1):
        heads = [
            attribution.head_contribution(trace, 1, head, position=place)
            for head in range(tiny_model.config.n_heads)
        ]
        added = block.resid_mid[place] - block.resid_pre[place]
        np.testing.assert_allclose(np.sum(heads, axis=0), added, atol=1e-4)


@pytest.mark.parametrize("edits", [Edits(), Edits(head={(1, 2): 0.5}, attention={1: -2.0})])
def test_what_a_head_writes_comes_from_each_token_by_its_weight(tiny_model, edits):
    trace = tiny_model.trace(TEXT, edits)
    a, W_O = trace.blocks[1].attention, tiny_model.weights.layers[1].W_O
    shared = tiny_model.config.n_heads // tiny_model.config.n_kv_heads
    for head in (0, 2):
        factor = edits.head.get((1, head), 1) * edits.attention.get(1, 1)
        parts = [attribution.head_contribution(trace, 1, head, position=3, source=at) for at in range(5)]
        np.testing.assert_allclose(
            parts[2], factor * a.pattern[head, 3, 2] * (W_O[head].T @ a.v[head // shared, 2]), atol=1e-5
        )
        np.testing.assert_allclose(
            sum(parts), attribution.head_contribution(trace, 1, head, position=3), rtol=1e-3, atol=1e-5
        )
        assert not parts[4].any()  # masked


def test_a_head_that_is_no_sum_of_its_sources_is_refused(tiny_model):
    for name in ("z", "attention_out"):
        trace = tiny_model.trace(TEXT, Edits(at={(name, 1): scale(2.0)}))
        with pytest.raises(ValueError, match=holding("heads", "layer 1")):
            attribution.head_contribution(trace, 1, 0, source=0)
        with pytest.raises(ValueError, match=holding("heads", "layer 1")):
            experiments.ov_logits(trace, 1, 0, 0)
    trace = tiny_model.trace(TEXT)
    for place, what in (((9, 0), "layer 9"), ((1, 99), "head 99"), ((1, -1), "head -1")):
        with pytest.raises(ValueError, match=f"no {what}"):
            attribution.head_contribution(trace, *place)
        with pytest.raises(ValueError, match=f"no {what}"):
            experiments.ov_logits(trace, *place, 0)


def test_the_heads_sum_to_the_attentions_part(tiny_model):
    trace = tiny_model.trace(TEXT)
    parts = experiments.direct_logit_attribution(trace, 9, against=4)
    heads = experiments.head_attribution(trace, 9, against=4)
    assert heads.shape == (tiny_model.config.n_layers, tiny_model.config.n_heads)
    np.testing.assert_allclose(heads.sum(axis=1), parts.attention, rtol=1e-3, atol=1e-4)


def test_against_the_mean_the_parts_sum_to_the_lead_over_all(tiny_model):
    trace = tiny_model.trace(TEXT)
    parts = experiments.direct_logit_attribution(trace, 9, against="mean")
    assert parts.total == pytest.approx(trace.logits[9] - trace.logits.astype(float).mean(), abs=1e-4)


@pytest.mark.parametrize("edits", [Edits(), Edits(head={(1, 2): 0.5}, attention={1: -2.0})])
def test_what_a_head_says_is_its_write_from_a_token_over_its_weight(tiny_model, edits):
    trace = tiny_model.trace(TEXT, edits)
    says = experiments.ov_logits(trace, 1, 2, 1)
    weight = trace.blocks[1].attention.pattern[2, -1, 1]
    written = attribution.head_contribution(trace, 1, 2, source=1) / weight
    assert says.shape == (tiny_model.config.n_vocab,)
    for token in (0, 9, 100):
        assert says[token] == pytest.approx(
            written @ experiments.logit_direction(trace, token), rel=1e-3, abs=1e-4
        )
    doubled = experiments.ov_logits(trace, 1, 2, 1, position=0) / says  # another divisor, the same directions
    np.testing.assert_allclose(doubled, doubled[0], rtol=1e-2)


@pytest.mark.parametrize("into", ["q", "k", "v"])
def test_a_cut_path_takes_the_writer_out_of_one_input_of_one_head(tiny_model, into):
    """By hand: the stream without the writer's part, normed, projected, turned."""
    clean = tiny_model.trace(TEXT)
    config, w = tiny_model.config, tiny_model.weights.layers[2]
    run = tiny_model.trace(TEXT, experiments.patch_path(clean, (0, 1), (2, 3), into))
    before, after = clean.blocks[2].attention, run.blocks[2].attention

    def head_input(x, W):
        return x / np.sqrt((x * x).mean(axis=1, keepdims=True) + config.norm_eps) * w.attention_norm @ W

    x = clean.blocks[2].resid_pre
    less = x - clean.blocks[0].attention.z[1] @ tiny_model.weights.layers[0].W_O[1]
    shared = 3 // (config.n_heads // config.n_kv_heads)
    angles = position.rotation_angles(np.arange(len(x)), config.d_head, base=config.rope_base)
    q = position.rotate(head_input(less if into == "q" else x, w.W_Q[3]), angles)
    k = position.rotate(head_input(less if into == "k" else x, w.W_K[shared]), angles)
    v = head_input(less if into == "v" else x, w.W_V[shared])
    scores = np.where(np.tri(len(x), dtype=bool), q @ k.T / np.sqrt(config.d_head), -np.inf)
    np.testing.assert_allclose(after.scores[3], scores, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(after.z[3], ops.softmax(scores) @ v, rtol=1e-3, atol=1e-4)
    assert np.abs(after.z[3] - before.z[3]).max() > 1e-3
    np.testing.assert_allclose(run.blocks[2].resid_pre, x, rtol=1e-4, atol=1e-4)
    for head in {0, 1, 2}:  # head 2 shares k and v with head 3
        np.testing.assert_allclose(after.z[head], before.z[head], rtol=1e-4, atol=1e-5)


def test_cuts_of_several_readers_go_one_after_the_other(tiny_model):
    clean = tiny_model.trace(TEXT)
    first = tiny_model.trace(TEXT, experiments.patch_path(clean, (0, 1), (1, 3)))
    both = tiny_model.trace(TEXT, experiments.patch_path(first, (0, 1), (1, 0), "q"))
    alone = tiny_model.trace(TEXT, experiments.patch_path(clean, (0, 1), (1, 0), "q"))
    scores = both.blocks[1].attention.scores
    np.testing.assert_allclose(scores[3], first.blocks[1].attention.scores[3], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores[0], alone.blocks[1].attention.scores[0], rtol=1e-4, atol=1e-5)


def test_a_writer_that_is_off_leaves_nothing_to_cut(tiny_model):
    off = tiny_model.trace(TEXT, Edits(head={(0, 1): 0}))
    cut = tiny_model.trace(TEXT, experiments.patch_path(off, (0, 1), (2, 3)))
    np.testing.assert_allclose(cut.logits, off.logits, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (((1, 0), (1, 1)), ["layer 1"]),
        (((2, 0), (1, 1)), ["layer 1"]),
        (((0, 0), (3, 1)), ["layer 3"]),
        (((0, 99), (1, 1)), ["head 99"]),
        (((0, 0), (1, 1), "x"), ["into", "'x'"]),
    ],
)
def test_a_path_that_is_not_there_is_told(tiny_model, arguments, told):
    with pytest.raises(ValueError, match=holding(*told)):
        experiments.patch_path(tiny_model.trace(TEXT), *arguments)


def test_the_weight_on_the_token_before(tiny_model):
    trace = tiny_model.trace([9, 4, 100, 31])
    scores = experiments.previous_token_scores(trace)
    for layer, block in enumerate(trace.blocks):
        pattern = block.attention.pattern
        expected = (pattern[:, 1, 0] + pattern[:, 2, 1] + pattern[:, 3, 2]) / 3
        np.testing.assert_allclose(scores[layer], expected, rtol=1e-5)
    assert experiments.even_previous_token_score(4) == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)


def test_random_tokens_come_again_after_a_distance(model):
    tokens = induction.repeat_after(model, 4, 9, 1)
    assert len(tokens) == len({*tokens}) + 4 == 13
    assert tokens[9:] == tokens[:4]
    other = induction.repeat_after(model, 4, 9, 1, other=True)
    assert other[:9] == tokens[:9]
    assert len({*other}) == 13


def test_induction_scores_are_the_weight_on_what_followed(tiny_model):
    trace = tiny_model.trace([9, 4, 100, 9, 4])
    scores = experiments.induction_scores(trace)
    for layer, block in enumerate(trace.blocks):
        pattern = block.attention.pattern
        np.testing.assert_allclose(scores[layer], (pattern[:, 3, 1] + pattern[:, 4, 2]) / 2, rtol=1e-5)


# --- the lens, probability and loss ---


def test_the_lens_reads_the_guess_at_each_depth(tiny_model):
    trace = tiny_model.trace(TEXT)
    lens = experiments.logit_lens(trace)
    ranks = lens.ranks([9, 4])
    seq = len(trace.tokens)
    assert lens.predictions.shape == lens.probs.shape == (4, seq)
    assert ranks.shape == (2, 4)
    for depth in (1, 2, 3):
        logits = trace.lens(depth - 1)
        probs = Sampler().probs(logits[-1])
        assert lens.predictions[depth].tolist() == logits.argmax(axis=1).tolist()
        assert lens.probs[depth, -1] == pytest.approx(probs.max(), rel=1e-5)
        order = sorted(range(len(probs)), key=lambda token: -logits[-1, token])
        assert ranks[:, depth].tolist() == [order.index(9) + 1, order.index(4) + 1]
        np.testing.assert_allclose(lens.last[depth], logits[-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(experiments.logit_lens(trace, last=2).predictions, lens.predictions[:, -2:])
    assert experiments.logit_lens(trace, last=99).ranks([]).shape == (0, 4)
    with pytest.raises(ValueError, match=holding("last", 1, 0)):
        experiments.logit_lens(trace, last=0)


def test_the_lens_is_the_same_in_one_product_or_in_many(tiny_model, monkeypatch):
    trace = tiny_model.trace(TEXT)
    whole = experiments.logit_lens(trace)
    monkeypatch.setattr(experiments.lens, "AT_ONCE", 1)
    parts = experiments.logit_lens(trace)
    np.testing.assert_array_equal(parts.predictions, whole.predictions)
    np.testing.assert_allclose(parts.probs, whole.probs, rtol=1e-4)
    np.testing.assert_allclose(parts.last, whole.last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("edits", [Edits(), Edits(ffn={1: 0.5}), Edits(norm=False)])
def test_the_probability_of_each_token_is_that_after_its_own_start(tiny_model, edits, monkeypatch):
    tokens = tiny_model.tokens_of(TEXT)
    trace = tiny_model.trace(tokens, edits)
    expected = []
    for n in range(1, len(tokens)):
        logits = tiny_model.trace(tokens[:n], edits).logits.astype(float)
        expected.append(logits[tokens[n]] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
    for at_once in (64, 2):
        monkeypatch.setattr(experiments.probabilities, "AT_ONCE", at_once)
        np.testing.assert_allclose(probabilities.token_logprobs(trace), expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(experiments.token_probs(trace), np.exp(expected), rtol=1e-2)
    for last in (0, 1, 3, len(tokens) - 1, 99):
        logprobs = probabilities.token_logprobs(trace, last=last)
        np.testing.assert_allclose(logprobs, expected[max(0, len(expected) - last) :], rtol=1e-3, atol=1e-4)
    assert experiments.token_probs(tiny_model.trace([5])).shape == (0,)
    with pytest.raises(ValueError, match=holding("last", 0, -1)):
        experiments.token_probs(trace, last=-1)


# --- switching off ---


def test_each_head_is_off_once_and_alone_and_the_rest_waits(tiny_model):
    tokens = tiny_model.tokens_of(TEXT)
    seen = []
    runs = experiments.ablate_each_head(
        tiny_model, tokens, lambda trace: seen.append(trace.edits) or float(trace.logits[3])
    )
    first = [next(runs) for _ in range(4)]
    assert len(seen) == 4  # nothing runs ahead
    values = {(layer, head): value for layer, head, value in [*first, *runs]}
    assert sorted(values) == [(layer, head) for layer in range(3) for head in range(6)]
    assert seen == [Edits(head={place: 0}) for place in values]
    tiny_model.forget()
    for place, value in values.items():
        assert value == pytest.approx(tiny_model.trace(tokens, Edits(head={place: 0})).logits[3], abs=1e-4)


def test_each_block_is_off_once_and_alone(tiny_model):
    tokens, seen = tiny_model.tokens_of(TEXT), []
    runs = experiments.ablate_each_block(
        tiny_model, tokens, lambda trace: seen.append(trace.edits) or float(trace.logits[3]), (2, 0)
    )
    values = {(part, layer): value for part, layer, value in runs}
    assert [*values] == [("ffn", 2), ("attention", 2), ("ffn", 0), ("attention", 0)]
    assert seen == [Edits(**{part: {layer: 0}}) for part, layer in values]
    tiny_model.forget()
    for edits, value in zip(seen, values.values()):
        assert value == pytest.approx(tiny_model.trace(tokens, edits).logits[3], abs=1e-4)


def test_where_the_numbers_overflow_there_is_no_likeliest_token(tiny_model):
    tokens, too_long = tiny_model.tokens_of(TEXT), Edits(ffn={0: 1e38, 1: 1e38})
    assert experiments.likeliest_after(tiny_model.trace(tokens), too_long) is None
    assert experiments.likeliest_changes(tiny_model, tokens, too_long)


def test_a_run_that_overflows_has_no_value(tiny_model):
    def edits(head):
        return Edits(ffn={0: 1e38, 1: 1e38} if head == (1, 2) else {})

    for layer, head, value in measure_each_head(tiny_model, [5, 6], edits, lambda run: 1.0):
        assert np.isnan(value) == ((layer, head) == (1, 2))


# --- comparing and counting ---


def test_relative_change(tiny_model):
    first, other = tiny_model.trace("The cat sat"), tiny_model.trace("A cat sat")
    changes = experiments.relative_change(first, other)
    for layer, change in enumerate(changes):
        a, b = (trace.blocks[layer].attention.out[-1].astype(float) for trace in (first, other))
        assert change == pytest.approx(((a - b) ** 2).sum() ** 0.5 / (a**2).sum() ** 0.5, rel=1e-4)
    assert (experiments.relative_change(first, first) == 0).all()


# --- another order ---


def test_two_tokens_change_places(tiny_model):
    trace = tiny_model.trace([5, 6, 7, 8, 9])
    edits = Edits(rope=False)
    own, other = experiments.swapped_runs(trace, (1, 3), edits)
    assert (own.tokens, other.tokens) == ([5, 6, 7, 8, 9], [5, 8, 7, 6, 9])
    assert own.edits == other.edits == edits
    # Layer 0 sums over the same set; from layer 1 on, what the mask let the swapped tokens see differs.
    assert experiments.layers_that_notice(trace, (1, 3)) == 2
    assert experiments.layers_that_notice(trace, (2, 2)) == 0
    neighbours = experiments.relative_change(*experiments.swapped_runs(trace, (0, 1), edits))
    np.testing.assert_allclose(experiments.swapped_layers(trace, edits), neighbours)
    assert np.isnan(experiments.swapped_layers(tiny_model.trace([5, 5, 9]), edits)).all()
    changes = experiments.swap_changes(trace, (1, 3), edits, 1)
    a, b = (run.blocks[1].attention.out[2].astype(float) for run in (own, other))
    assert changes.shape == (5,)
    assert changes[2] == pytest.approx(math.dist(a, b) / math.hypot(*a), rel=1e-4)
    for tokens in ([5, 6, 7, 8], [5, 6, 7, 6, 9]):
        assert np.isnan(experiments.swap_changes(tiny_model.trace(tokens), (1, 3), edits, 1)).all()


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [([3, 3, 4, 5], (1, 2)), ([3, 4, 5], (0, 1)), ([3, 3, 4], None), ([3, 4], None), ([3], None)],
)
def test_the_first_neighbours_that_differ(tokens, expected):
    assert experiments.differing_neighbours(tokens) == expected


def test_all_but_the_last_are_shuffled():
    tokens = [*range(100, 120)]
    orders = [experiments.shuffle_tokens(tokens, seed) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    for order in orders:
        assert order[-1] == 119
        assert sorted(order) == tokens != order
    assert {tuple(experiments.shuffle_tokens([1, 2, 3], seed)) for seed in range(8)} == {(2, 1, 3)}


def test_without_rope_no_shuffle_changes_a_head_of_the_first_layer(tiny_model):
    changes = {
        rope: experiments.shuffle_changes(tiny_model.trace(TEXT, Edits(rope=rope)), 0, 3)
        for rope in (False, True)
    }
    assert changes[True].shape == (3, tiny_model.config.n_heads)
    assert changes[False].max() < 1e-4 < changes[True].max()
    order = experiments.shuffle_tokens(tiny_model.tokens_of(TEXT), 2)
    own = experiments.head_change(tiny_model.trace(TEXT), tiny_model.trace(order), 0)
    np.testing.assert_allclose(changes[True][2], own, rtol=1e-4)


def test_how_much_each_heads_output_changes(tiny_model):
    one, other = tiny_model.trace("The cat sat"), tiny_model.trace("A cat sat")
    changes = experiments.head_change(one, other, 1)
    for head, change in enumerate(changes):
        a, b = (run.blocks[1].attention.z[head, -1].astype(float) for run in (one, other))
        assert change == pytest.approx(math.dist(a, b) / math.hypot(*a), rel=1e-4)


def test_moved_probability():
    assert experiments.total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.0, 0.5])) == pytest.approx(
        0.5
    )
    assert experiments.total_variation(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0


# --- parameters ---


def test_what_edits_move_and_whether_the_likeliest_changes(tiny_model):
    tokens = tiny_model.tokens_of(TEXT)
    for edits in (Edits(), Edits(ffn={0: -3.0})):
        before, after = (Sampler().probs(tiny_model.trace(tokens, one).logits) for one in (None, edits))
        moved = np.clip(after - before, 0, None).sum()
        assert experiments.probability_moved(tiny_model, tokens, edits) == pytest.approx(moved, abs=1e-5)
        assert experiments.likeliest_changes(tiny_model, tokens, edits) == (before.argmax() != after.argmax())
        token, prob = experiments.likeliest_after(tiny_model.trace(tokens), edits)
        assert (token, prob) == (after.argmax(), pytest.approx(after[before.argmax()], rel=1e-4))


def test_parameters_are_counted_once(tiny_model, load_tiny):
    c = tiny_model.config
    parts = experiments.parameters(tiny_model)
    assert parts == {
        "FFN": c.n_layers * 3 * c.d_model * c.d_ff,
        "attention": c.n_layers * 2 * c.d_model * c.d_head * (c.n_heads + c.n_kv_heads),
        "embedding table": c.n_vocab * c.d_model,
        "norms": (2 * c.n_layers + 1) * c.d_model,
        "output table": c.n_vocab * c.d_model,
    }
    assert experiments.parameters(c, tied=False) == parts
    assert experiments.n_parameters(tiny_model) == sum(parts.values())
    assert "output table" not in experiments.parameters(load_tiny("full"))
    assert "output table" not in experiments.parameters(c)


def as_number(said: str) -> float:
    """ "671B, of which …" → 671e9."""
    first = said.split(",")[0]
    return float(first[:-1]) * {"M": 1e6, "B": 1e9, "T": 1e12}[first[-1]]


@pytest.mark.parametrize("one", PUBLISHED, ids=lambda one: one.name)
def test_counts_are_those_that_were_published(one):
    assert one.count == pytest.approx(as_number(one.said), rel=0.04)  # GPT-2 XL is called 1.5B
    assert (one.count != one.by_formula) == bool(one.exact) == bool(one.why)
    assert one.source


@pytest.mark.parametrize(("name", "billions"), [("DeepSeek-V3", 37), ("Kimi K2", 32)])
def test_what_works_on_one_token_is_what_was_published(name, billions):
    [one] = [one for one in PUBLISHED if one.name == name]
    assert f"{billions}B" in one.said
    assert round(sum(one.active.values()) / 1e9) == billions
    assert all(one.active[part] <= one.exact[part] for part in one.exact)


def test_choosing_shares_the_probability_among_the_options_alone(model):
    options = [" a", " b", " c"]
    logits = model.trace("The first letter is").logits
    tokens = [model.tokenizer.encode(option)[0] for option in options]
    weights = np.exp(logits[tokens].astype(float))
    assert probabilities.option_probs(model, "The first letter is", options) == pytest.approx(
        weights / weights.sum(), abs=1e-5
    )
    with pytest.raises(ValueError, match=holding("'strawberry'", 3)):
        probabilities.option_probs(model, "Hi", ["strawberry"])


# --- turning back ---


@pytest.mark.parametrize(
    "edits", [Edits(), Edits(rope=False), Edits(position_scale=0.5, position_shift=40.0)]
)
def test_hands_are_turned_back_to_what_the_head_computed(tiny_model, edits):
    trace = tiny_model.trace("The cat sat on the cat", edits)
    config = tiny_model.config
    for layer, block in enumerate(trace.blocks):
        w = tiny_model.weights.layers[layer]
        x = ops.rms_norm(block.resid_pre, w.attention_norm, eps=config.norm_eps)
        for head in range(config.n_heads):
            q, k = experiments.before_rope(trace, layer, head)
            np.testing.assert_allclose(q, x @ w.W_Q[head], rtol=1e-3, atol=1e-4)
            shared = head * config.n_kv_heads // config.n_heads
            np.testing.assert_allclose(k, x @ w.W_K[shared], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "edits",
    [
        Edits(),
        Edits(ffn={0: 0.5}, position_scale=0.5, position_shift=40.0),
        Edits(rope=False),
        Edits(score_scale=False),
        Edits(causal_mask=False),
        Edits(at={("q", 1): scale(2)}),
        Edits(at={("pattern", 1): scale(0.5)}),
    ],
)
def test_an_unturned_head_by_its_own_scores(tiny_model, edits):
    trace, config = tiny_model.trace(TEXT, edits), tiny_model.config
    root = math.sqrt(config.d_head) if edits.score_scale else 1
    for layer, head in ((0, 0), (1, 2), (config.n_layers - 1, config.n_heads - 1)):
        q, k = experiments.before_rope(trace, layer, head)
        pattern = experiments.pattern_without_rope(trace, layer, head)
        assert pattern.shape == (len(q), len(q))
        halved = 0.5 if ("pattern", layer) in edits.at else 1
        for at in range(len(q)):
            seen = at + 1 if edits.causal_mask else len(q)
            grown = [math.exp(q[at] @ k[to] / root) for to in range(seen)]
            np.testing.assert_allclose(pattern[at, :seen], halved * np.array(grown) / sum(grown), atol=1e-5)
            assert np.isnan(pattern[at, seen:]).all()
        own = trace.blocks[layer].attention.pattern[head]
        assert np.allclose(np.nan_to_num(pattern), own, atol=1e-3) != edits.rope


@pytest.mark.parametrize("edits", [Edits(), Edits(position_scale=2.0, position_shift=30.0)])
def test_all_heads_before_rope_are_each_head_before_rope(tiny_model, edits):
    trace = tiny_model.trace(TEXT, edits)
    q, k = without_rope.all_before_rope(trace)
    for layer, head in np.ndindex(q.shape[:2]):
        own = experiments.before_rope(trace, layer, head)
        np.testing.assert_allclose((q[layer, head], k[layer, head]), own, atol=1e-6)


def test_a_score_at_other_positions_turns_by_the_distance(tiny_model):
    config = tiny_model.config
    q, k = (x[..., 3, :] for x in without_rope.all_before_rope(tiny_model.trace(TEXT)))
    scores = experiments.score_at(config, q, k, (12, 5))
    for layer, head in np.ndindex(scores.shape):
        pairs = [x[layer, head].astype(float).reshape(-1, 2) @ [1, 1j] for x in (q, k)]
        turns = np.exp(7j * config.rope_base ** (-np.arange(0, config.d_head, 2) / config.d_head))
        expected = (pairs[0] * turns * pairs[1].conj()).real.sum() / math.sqrt(config.d_head)
        assert scores[layer, head] == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(scores, experiments.score_at(config, q, k, (1_012, 1_005)), atol=1e-3)
    alone = experiments.score_at(config, q[:, 4], k[:, 4], (12, 5))  # of a single head in each layer
    np.testing.assert_allclose(alone, scores[:, 4], atol=1e-5)


def score_by_distance(q, k, distances, base):
    """Return the score of a query that is `distance` tokens after the key; q and k before RoPE."""
    angles = position.rotation_angles(distances, len(q), base=base)
    return position.rotate(np.repeat(q[None], len(distances), axis=0), angles) @ k / math.sqrt(len(q))


def test_scores_change_if_query_or_key_is_shifted(tiny_model):
    trace = tiny_model.trace(TEXT)
    moved = experiments.score_changes(trace, (3, -1))
    q, k = experiments.before_rope(trace, 1, 4)
    own, further = score_by_distance(q[-1], k[-2], np.array([1, 5]), base=tiny_model.config.rope_base)
    assert moved[1, 4] == pytest.approx(further - own, abs=1e-4)
    assert experiments.last_scores(trace)[1, 4] == pytest.approx(own, abs=1e-4)
    assert abs(experiments.score_changes(trace, (500, 500))).max() < 1e-3 < abs(moved).max()


def test_the_mean_query_and_key_of_a_head_over_the_distance(tiny_model):
    trace, distances = tiny_model.trace(TEXT), np.array([1, 40])
    base = tiny_model.config.rope_base
    first = experiments.mean_scores_by_distance(trace, (1, 40), keys=slice(1))
    others = experiments.mean_scores_by_distance(trace, (1, 40), layers_on=1)
    q, k = experiments.before_rope(trace, 2, 3)
    expected = score_by_distance(q[1:].mean(axis=0), k[0], distances, base=base)
    np.testing.assert_allclose(first[:, 2, 3], expected, atol=1e-4)
    k = experiments.before_rope(trace, 0, 3)[1][1:].mean(axis=0)  # after the last layer comes the first
    expected = score_by_distance(q[1:].mean(axis=0), k, distances, base=base)
    np.testing.assert_allclose(others[:, 2, 3], expected, atol=1e-4)


def test_pairs_that_are_not_turned(tiny_model):
    tokens = tiny_model.tokens_of(TEXT)
    n_pairs = tiny_model.config.d_head // 2

    def run(pairs):
        return tiny_model.trace(tokens, without_rope.unturned_pairs(tiny_model, len(tokens), pairs))

    whole, off = tiny_model.trace(tokens), tiny_model.trace(tokens, Edits(rope=False))
    np.testing.assert_allclose(run(slice(0, 0)).logits, whole.logits, atol=1e-4)
    np.testing.assert_allclose(run(slice(None)).logits, off.logits, atol=1e-4)
    first = run(slice(1, n_pairs)).blocks[0]
    np.testing.assert_allclose(first.q[..., :2], whole.blocks[0].q[..., :2], atol=1e-5)
    np.testing.assert_allclose(first.k[..., 2:], off.blocks[0].k[..., 2:], atol=1e-5)
    assert np.abs(first.q[:, 1:, 2:] - whole.blocks[0].q[:, 1:, 2:]).max() > 1e-3
    cost = experiments.token_surprise(off) - experiments.token_surprise(whole)
    found = experiments.unturned_cost(tiny_model, tokens, slice(None))
    np.testing.assert_allclose(found, cost, atol=1e-3)


def test_rope_is_left_out_of_one_layer_only(tiny_model):
    tokens = tiny_model.tokens_of(TEXT)
    edits = without_rope.unturned_pairs(tiny_model, len(tokens), slice(None), (1,))
    run, whole = tiny_model.trace(tokens, edits), tiny_model.trace(tokens)
    before_rope, _ = without_rope.before_rope(whole, 1, 0)
    np.testing.assert_allclose(run.blocks[1].q[0], before_rope, atol=1e-4)
    np.testing.assert_allclose(run.blocks[0].resid_post, whole.blocks[0].resid_post, atol=1e-5)


def test_tokens_are_turned_by_positions_in_another_order(tiny_model):
    tokens = tiny_model.tokens_of(TEXT)
    run = tiny_model.trace(tokens, without_rope.shuffled_positions(tiny_model, len(tokens), 3))
    order = np.random.default_rng(3).permutation(len(tokens))
    angles = position.rotation_angles(order, tiny_model.config.d_head, base=tiny_model.config.rope_base)
    for own, turned in zip(
        without_rope.before_rope(tiny_model.trace(tokens), 0, 0), (run.blocks[0].q[0], run.blocks[0].k[0])
    ):
        np.testing.assert_allclose(turned, position.rotate(own, angles), atol=1e-4)


def test_odds_are_a_ratio_of_probabilities(tiny_model):
    trace = tiny_model.trace(TEXT)
    probs = Sampler().probs(trace.logits)
    assert 2 ** experiments.log_odds(trace, 9, 4) == pytest.approx(probs[9] / probs[4], rel=1e-3)
    with pytest.raises(ValueError, match=holding("token -1")):
        experiments.log_odds(trace, 9, -1)


def test_surprise_after_fewer_tokens(tiny_model):
    tokens = tiny_model.tokens_of(TEXT * 3)
    found = experiments.surprise_in_window(tiny_model, tokens, 2)
    whole = experiments.token_surprise(tiny_model.trace(tokens))
    assert found.shape == whole.shape
    np.testing.assert_allclose(found[:2], whole[:2], rtol=1e-4)
    probs = Sampler().probs(tiny_model.trace(tokens[6:8]).logits)
    assert found[7] == pytest.approx(-math.log2(probs[tokens[8]]), rel=1e-3)
    assert experiments.mean_surprise(tiny_model.trace(tokens)) == pytest.approx(whole.mean())
    assert experiments.mean_surprise(tiny_model.trace(tokens), last=4) == pytest.approx(whole[-4:].mean())


def test_surprise_is_that_of_each_tokens_own_start(tiny_model):
    tokens = tiny_model.tokenizer.encode("The cat sat on the mat and the cat slept")
    surprise = experiments.token_surprise(tiny_model.trace(tokens), last=3)
    for i, bits in enumerate(surprise):
        start = tokens[: len(tokens) - 3 + i]
        logits = tiny_model.trace(start).logits.astype(float)
        right = logits[tokens[len(start)]]
        assert bits == pytest.approx((np.log(np.exp(logits).sum()) - right) / np.log(2), rel=1e-3)


def test_surprise_is_the_same_of_logits_and_of_a_run(tiny_model):
    """With logits so far apart that the probability of a token is no float64 number."""
    tokens = tiny_model.tokens_of(TEXT)
    trace = tiny_model.trace(tokens, Edits(norm=False, ffn={2: 3000.0}))
    surprise = experiments.token_surprise(trace)
    assert np.isfinite(surprise).all()
    assert surprise.max() > 1100
    np.testing.assert_allclose(sampling.surprise(trace.all_logits(), tokens), surprise, rtol=1e-4, atol=1e-3)


def test_a_head_that_may_look_at_nothing_hands_over_nothing(tiny_model):
    tokens = tiny_model.tokens_of("the cat sat")[:3]
    run = tiny_model.trace(tokens, experiments.knockout_attention([(1, 2)], [0, 1, 2]))
    assert not run.blocks[1].attention.z[2, -1].any()
    run = tiny_model.trace(tokens, experiments.knockout_attention([(1, 2)], [1]))
    before = tiny_model.trace(tokens).blocks[1].attention.pattern
    expected = before[2, -1] * [1, 0, 1] / (1 - before[2, -1, 1])
    np.testing.assert_allclose(run.blocks[1].attention.pattern[2, -1], expected, rtol=1e-4)
    np.testing.assert_allclose(run.blocks[1].attention.pattern[1], before[1], rtol=1e-4, atol=1e-5)


AT_THE_LAST = {  # each of the edits that name a token, made for the one that is given
    "ablate": lambda pair, at: experiments.ablate("ffn_out", [0, 1], at),
    "ablate, a head": lambda pair, at: experiments.ablate("z", [1], at, head=2),
    "patch_component, an FFN": lambda pair, at: experiments.patch_component(pair, "ffn_out", [0], at),
    "patch_component, attention": lambda pair, at: experiments.patch_component(
        pair, "attention_out", [1], at
    ),
    "patch_component, a head": lambda pair, at: experiments.patch_component(pair, "z", [1], at, head=3),
    "patch_residual": lambda pair, at: experiments.patch_residual(pair, 1, [at]),
    "patch_heads": lambda pair, at: experiments.patch_heads(
        experiments.head_outputs(pair.twin), [(1, 2), (2, 0)], at
    ),
    "knockout_attention": lambda pair, at: experiments.knockout_attention([(0, 1), (1, 2)], [0], at),
    "knockout_attention, in all layers": lambda pair, at: experiments.knockout_attention(
        np.ndindex(2, 6), [at - 1], at
    ),
}


@pytest.mark.parametrize("name", AT_THE_LAST)
def test_the_last_token_is_the_prompts_in_every_edit(tiny_model, name):
    pair = experiments.pair_of(tiny_model, TEXT, 40)
    tokens, edits = list(pair.trace.tokens), AT_THE_LAST[name]
    last = len(tokens) - 1
    plain, counted = edits(pair, last), edits(pair, -1)
    steps = [tiny_model.generate(tokens, 4, Sampler(temperature=0), edits=step) for step in (plain, counted)]
    for step, other in zip(*steps, strict=True):
        tiny_model.forget()
        expected = tiny_model.trace(tokens, plain).logits
        np.testing.assert_allclose(step.logits, expected, atol=1e-4 * np.abs(expected).max())
        np.testing.assert_allclose(other.logits, expected, atol=1e-4 * np.abs(expected).max())
        tokens.append(step.token)
    tokens = pair.trace.tokens
    assert np.abs(tiny_model.trace(tokens, counted).logits - pair.trace.logits).max() > 1e-4
    assert tiny_model.trace(tokens, edits(pair, -1)).blocks[-1] is tiny_model.trace(tokens, plain).blocks[-1]


NOT_THERE = {  # what is asked for, and what the model or the text has not
    "logit_direction": (lambda m, t, p: experiments.logit_direction(t, 9999), "token 9999"),
    "logit_direction, against": (
        lambda m, t, p: experiments.logit_direction(t, 5, against=9999),
        "token 9999",
    ),
    "direct_logit_attribution": (lambda m, t, p: experiments.direct_logit_attribution(t, -1), "token -1"),
    "probability": (lambda m, t, p: experiments.probability(t, 9999), "token 9999"),
    "ranks": (lambda m, t, p: experiments.logit_lens(t, last=1).ranks([5, 9999]), "token 9999"),
    "before_rope": (lambda m, t, p: experiments.before_rope(t, 99, 0), "layer 99"),
    "before_rope, a head": (lambda m, t, p: experiments.before_rope(t, 0, 99), "head 99"),
    "pattern_without_rope": (lambda m, t, p: experiments.pattern_without_rope(t, 99, 0), "layer 99"),
    "pattern_without_rope, a head": (lambda m, t, p: experiments.pattern_without_rope(t, 0, 99), "head 99"),
    "pattern_without_rope, a head from the end": (
        lambda m, t, p: experiments.pattern_without_rope(t, 0, -1),
        "head -1",
    ),
    "ablate": (lambda m, t, p: p.answer_probs(experiments.ablate("ffn_out", [0], 99)), "position 99"),
    "patch_component": (lambda m, t, p: experiments.patch_component(p, "ffn_out", [0], 99), "position 99"),
    "patch_component, a layer": (
        lambda m, t, p: experiments.patch_component(p, "attention_out", [99], 0),
        "layer 99",
    ),
    "patch_component, a head": (lambda m, t, p: experiments.patch_component(p, "z", [0], 0, 99), "head 99"),
    "patch_residual": (lambda m, t, p: experiments.patch_residual(p, 0, [99]), "position 99"),
    "patch_residual, a layer": (lambda m, t, p: experiments.patch_residual(p, 99, [0]), "layer 99"),
    "patch_heads": (
        lambda m, t, p: experiments.patch_heads(experiments.head_outputs(t), [(0, 99)]),
        "head 99",
    ),
    "patch_heads, a layer": (
        lambda m, t, p: experiments.patch_heads(experiments.head_outputs(t), [(99, 0)]),
        "layer 99",
    ),
    "knockout_attention, a query": (
        lambda m, t, p: p.answer_probs(experiments.knockout_attention([(0, 0)], [0], 99)),
        "position 99",
    ),
    "knockout_attention, a layer": (
        lambda m, t, p: p.answer_probs(experiments.knockout_attention([(99, 0)], [0], 0)),
        "layer 99",
    ),
    "knockout_attention": (
        lambda m, t, p: p.answer_probs(experiments.knockout_attention([(0, 0)], [99])),
        "key 99",
    ),
    "knockout_attention, a head": (
        lambda m, t, p: p.answer_probs(experiments.knockout_attention([(0, 99)], [0])),
        "head 99",
    ),
    "ablate_each_head": (
        lambda m, t, p: list(experiments.ablate_each_head(m, t.tokens, len, before=99)),
        "layer 98",
    ),
    "pair_of": (lambda m, t, p: experiments.pair_of(m, TEXT, 9999), "token 9999"),
    "attention_from": (lambda m, t, p: experiments.attention_from(t, 99), "position 99"),
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_what_is_not_there_is_said(tiny_model, name):
    run, what = NOT_THERE[name]
    with pytest.raises(ValueError, match=holding(what)):
        run(tiny_model, tiny_model.trace(TEXT), experiments.pair_of(tiny_model, TEXT, 40))


def test_a_cut_path_is_for_the_text_that_it_was_cut_in(tiny_model):
    for into in "kv":
        edits = experiments.patch_path(tiny_model.trace(TEXT), (0, 1), (2, 3), into)
        with pytest.raises(
            ValueError, match=holding(len(tiny_model.tokens_of(TEXT)), len(tiny_model.tokens_of(TEXT)) - 1)
        ):
            tiny_model.trace(tiny_model.tokens_of(TEXT)[:-1], edits)


def test_an_overview_is_drawn_once_for_a_run_and_dies_with_it(tiny_model):
    model = Model(tiny_model.weights)
    trace = model.trace(TEXT)
    seen = experiments.overview(trace, 32, False)
    assert experiments.overview(model.trace(TEXT), 32, False) is seen
    hidden = experiments.overview(model.trace(TEXT), 32, True)
    assert np.isnan(hidden.maps[..., 0]).all()
    edited = experiments.overview(model.trace(TEXT, Edits(at={("pattern", 2): scale(0.5)})), 32, False)
    np.testing.assert_allclose(edited.maps[2], seen.maps[2] / 2)
    held = [
        weakref.ref(held_object) for held_object in (seen, hidden, edited, trace.blocks[-1], trace.logits)
    ]
    del seen, hidden, edited
    model.forget()
    gc.collect()
    assert [held_object() is None for held_object in held] == [False, False, True, False, False]
    del trace
    gc.collect()
    assert all(held_object() is None for held_object in held)


def test_no_experiment_keeps_a_model(tiny_model):
    model = Model(tiny_model.weights)
    pair = experiments.pair_of(model, TEXT, 40)
    experiments.overview(pair.trace, 32, False)
    experiments.pattern_without_rope(pair.trace, 0, 0)
    list(experiments.what_mattered(pair.trace))
    list(experiments.ablate_each_head(model, pair.trace.tokens, lambda run: 0.0))
    pair.answer_probs(experiments.knockout_attention([(0, 0)], [0], -1))
    pair.answer_probs(experiments.patch_path(pair.trace, (0, 1), (2, 3)))
    list(model.generate(TEXT, 2, seed=0))
    held = [weakref.ref(held_object) for held_object in (model, pair.trace, pair.twin, *pair.trace.blocks)]
    del pair, model
    gc.collect()
    assert all(held_object() is None for held_object in held)


# --- which tokens mattered -------------------------------------------------------------------------------------------


def test_saliency_is_how_the_answer_changes_as_an_embedding_grows(tiny_model):
    """In float64, through the model's own forward: each token's alone, and all together."""
    model, tokens, h = in_doubles(tiny_model), tiny_gguf.random_ids("grouped", 7), 1e-5

    assert len(set(tokens)) == 7  # so that a row of the table is one place in the text

    def lnp(token: int, factor: float, rows: list[int]) -> float:
        W_E = model.weights.W_E.copy()
        W_E[rows] *= factor
        grown = Model(replace(model.weights, W_E=W_E))
        return math.log(ops.softmax(grown.trace(tokens).logits)[token])

    trace = model.trace(tokens)
    saliency, answer = attribution.saliency(trace), int(trace.logits.argmax())
    assert saliency.shape == (7,)
    for i, rows in enumerate([*([token] for token in tokens), tokens]):
        slope = (lnp(answer, 1 + h, rows) - lnp(answer, 1 - h, rows)) / (2 * h)
        assert (saliency[i] if i < 7 else saliency.sum()) == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_leaving_a_token_out_is_a_run_without_it(tiny_model):
    tokens = tiny_gguf.random_ids("grouped", 5)
    trace = tiny_model.trace(tokens)
    answer = int(trace.logits.argmax())

    def lnp(ids: list[int]) -> float:
        return math.log(ops.softmax(tiny_model.trace(ids).logits.astype(np.float64))[answer])

    losses = dict(attribution.leave_one_out(trace))
    assert list(losses) == [4, 3, 2, 1, 0]
    for at, lost in losses.items():
        rest = tokens[:at] + tokens[at + 1 :]
        assert lost == pytest.approx(lnp(tokens) - lnp(rest), abs=1e-5)


def test_what_mattered_needs_a_token_to_leave_out(tiny_model):
    with pytest.raises(ValueError, match="token"):
        list(experiments.what_mattered(tiny_model.trace([5])))


# --- fewer bits a number ---


def test_each_number_moves_to_the_nearest_of_evenly_spaced_values():
    W = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    for group, moved in zip(W.reshape(-1, 32), experiments.quantise_matrix(W, 3).reshape(-1, 32)):
        values = np.linspace(group.min(), group.max(), 8)
        nearest = values[np.abs(group[:, None] - values).argmin(axis=1)]
        np.testing.assert_allclose(moved, nearest, atol=1e-6)


def test_rounding_again_to_the_same_grid_moves_nothing():
    W = experiments.quantise_matrix(np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32), 4)
    for bits in (4, 8):  # 255 steps are 15 times 17
        np.testing.assert_allclose(experiments.quantise_matrix(W, bits), W, atol=1e-6)
    assert np.abs(experiments.quantise_matrix(W, 5) - W).max() > 0.01  # 31 steps are no multiple of 15


def test_groups_that_begin_elsewhere_are_another_grid():
    W = experiments.quantise_matrix(np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32), 4)
    moved = experiments.quantise_matrix(W, 4, shift=16)
    assert np.abs(moved - W).max() > 0.01
    for first in (16, 48):  # the last one ends at the row's beginning
        group = np.take(moved, np.arange(first, first + 32), axis=1, mode="wrap")
        assert all(len(np.unique(row)) <= 16 for row in group)


def test_equal_numbers_and_odd_rows_are_rounded_too():
    assert (experiments.quantise_matrix(np.ones((2, 32), np.float32), 2) == 1).all()
    assert len(np.unique(experiments.quantise_matrix(np.arange(7.0, dtype=np.float32)[None], 1))) == 2
    with pytest.raises(ValueError, match=holding(1, 0)):
        experiments.quantise_matrix(np.ones((1, 4), np.float32), 0)


@pytest.mark.parametrize("table", [False, True])
def test_a_rounded_model_has_each_matrix_rounded_as_it_is_stored(tiny_model, table):
    new = experiments.quantised(tiny_model, 3, table=table)
    old, now = stored(tiny_model.weights), stored(new.weights)
    for name, W in old.items():
        end = name in ("token_embd.weight", "output.weight")
        as_it_was = W.ndim == 1 or (end and not table)
        expected = W if as_it_was else experiments.quantise_matrix(np.ascontiguousarray(W), 3)
        assert np.array_equal(now[name], expected), name
    assert new.trace(TEXT).logits.shape == (tiny_model.config.n_vocab,)


# --- cost ------------------------------------------------------------------------------------------------------------


def test_the_cost_is_timed_length_by_length(tiny_model):
    *_, timing = experiments.measure_cost(tiny_model, (8, 16, 32))
    assert timing.lengths == (8, 16, 32)
    assert (np.stack([timing.with_cache, timing.without_cache, timing.quadratic]) > 0).all()


def test_half_of_the_time_is_quadratic_where_both_parts_are_as_long():
    n, linear, square = np.array([10, 20]), 3e-3, 1e-5
    quadratic = square * n**2
    timing = cost.Timing((10, 20), quadratic, linear * n + quadratic, quadratic)
    assert timing.half_quadratic_at == pytest.approx(linear / square)
    assert timing.quadratic_share == pytest.approx(square * n / (linear + square * n))


def test_the_cache_keeps_keys_and_values_of_all_layers(tiny_model):
    blocks = tiny_model.trace(TEXT).blocks
    n = len(tiny_model.tokens_of(TEXT))
    assert n * experiments.cached_bytes(tiny_model) == sum(one.k.nbytes + one.v.nbytes for one in blocks)


# --- pairs: two sentences, two heads ---------------------------------------------------------------------------------


def test_a_minimal_pair_ends_before_the_second_difference(tiny_model):
    text, twin = [5, 6, 7, 8, 9], [5, 16, 7, 18, 9]
    pair = experiments.minimal_pair(tiny_model, text, twin)
    assert (pair.runs.trace.tokens, pair.runs.twin.tokens, pair.runs.subject) == (text[:3], twin[:3], 1)
    assert pair.answers == (8, 18)
    logits = tiny_model.trace(text[:3]).logits
    assert pair.lead(pair.runs.trace) == pytest.approx(logits[8] - logits[18], abs=1e-5)
    for wrong in (text, text[:4], [5, 16, 7, 18, 19], [5, 16, 7, 18, 9, 9]):
        with pytest.raises(ValueError, match=holding(len(text), len(wrong))):
            experiments.minimal_pair(tiny_model, text, wrong)


def test_each_way_changes_the_heads_at_the_last_token(tiny_model):
    pair = experiments.minimal_pair(tiny_model, [5, 6, 7, 8], [5, 16, 7, 18])
    heads, mean = [(0, 1), (2, 3)], np.full(experiments.head_outputs(pair.runs.trace).shape, 0.5, np.float32)
    there = experiments.head_outputs(pair.runs.twin)
    for way, z in (("ablate", 0 * mean), ("mean", mean), ("patch", there)):
        handed = experiments.head_outputs(pair.run(pair.edits(way, heads, mean)))
        assert all(np.array_equal(handed[head], z[head]) for head in heads)
    unseen = experiments.attention_from(pair.run(pair.edits("knockout", heads)), -1)
    assert [unseen[*head, 1] for head in heads] == [0, 0]
    assert unseen[1, :, 1].min() > 0
    seen = experiments.attention_from(pair.runs.trace, -1)[..., 1]
    assert pair.most_attending(2) == experiments.strongest_heads(seen, 2)
    pushed = [experiments.ov_logits(pair.runs.trace, 1, 4, source) for source in (0, 1)]
    ranks = [1 + (logits > logits[8]).sum() for logits in pushed]
    assert pair.rank_pushed((1, 4), 0, 1) == max(ranks)
    assert pair.rank_pushed((1, 4), 0) == ranks[0]
    for way in ("mean", "swap"):
        with pytest.raises(ValueError, match="ways"):
            pair.edits(way, heads)


def test_each_head_of_the_way(tiny_model):
    pair = experiments.minimal_pair(tiny_model, [5, 6, 7, 8], [5, 16, 7, 18])
    shares = {(layer, head): share for layer, head, share in experiments.each_head_patched(pair)}
    assert len(shares) == 18
    patched = pair.lead(pair.run(pair.edits("patch", [(2, 1)])))
    base, there = pair.lead(pair.runs.trace), pair.lead(pair.runs.twin)
    assert shares[2, 1] == pytest.approx((base - patched) / (base - there), abs=1e-4)
    best = max(share for head, share in shares.items() if head != (2, 1))
    assert experiments.strongest_besides(pair, (2, 1)) == pytest.approx(best / shares[2, 1])
    assert pair.lost(pair.edits("patch", [(2, 1)])) == pytest.approx((base - patched) / base, abs=1e-4)


def test_paths_into_several_readers_are_cut_one_after_the_other(tiny_model):
    trace = tiny_model.trace([5, 6, 7, 8] * 2)
    one = tiny_model.trace(trace.tokens, experiments.patch_path(trace, (0, 1), (1, 2)))
    both = tiny_model.trace(trace.tokens, experiments.patch_path(one, (0, 1), (2, 3)))
    found = tiny_model.trace(trace.tokens, experiments.cut_paths(trace, (0, 1), [(1, 2), (2, 3)]))
    np.testing.assert_array_equal(found.logits, both.logits)
    assert experiments.cut_paths(trace, (0, 1), []) == Edits()


def test_what_two_heads_do_together_under_each_condition(tiny_model):
    n, writer, reader = 4, (0, 2), (2, 1)
    trace = tiny_model.trace([5, 6, 7, 8] * 2)
    found = experiments.conditions(trace, writer, reader, [(1, 1), (1, 4)])
    assert list(found) == ["", "writer", "k", "q", "v", "others"]
    together = experiments.measure_composition(trace, found[""], writer, reader)
    written, read = (trace.blocks[layer].attention.pattern[head] for layer, head in (writer, reader))
    for i in range(n - 1):  # B is the token i + 1 of the row
        assert together.written[i] == pytest.approx(written[i + 1, i], rel=1e-4)
        assert together.read[i] == pytest.approx(read[n + i, i + 1], rel=1e-4)
        assert together.written_late[i] == pytest.approx(written[n + i, n + i - 1], rel=1e-4)
    np.testing.assert_allclose(together.right, experiments.token_probs(trace)[n:], rtol=1e-4)
    assert together.score == pytest.approx(experiments.induction_scores(trace)[reader], rel=1e-4)
    scores = [
        experiments.induction_scores(tiny_model.trace(trace.tokens, edits))[reader]
        for edits in found["others"]
    ]
    assert experiments.measure_composition(trace, found["others"], writer, reader).score == pytest.approx(
        np.mean(scores), rel=1e-4
    )


@pytest.mark.parametrize("how", ["off", "mean", "q", "v", "all k"])
def test_what_is_taken_from_a_head_that_a_reader_needs(tiny_model, how):
    trace, head, reader = tiny_model.trace([5, 6, 7, 8] * 2), (1, 2), (2, 1)
    edits = experiments.weaken(trace, head, how, reader)
    run = tiny_model.trace(trace.tokens, edits)
    if how == "off":
        assert edits == Edits(head={head: 0})
    elif how == "mean":
        own, held = (one.blocks[1].attention.z[2] for one in (trace, run))
        np.testing.assert_allclose(held, [own.mean(axis=0)] * 8, rtol=1e-5)
    else:
        readers = [(2, other) for other in range(6)] if how == "all k" else [reader]
        cut = experiments.cut_paths(trace, head, readers, how[-1])
        np.testing.assert_allclose(run.logits, tiny_model.trace(trace.tokens, cut).logits, atol=1e-4)


def test_each_earlier_head_is_off_before_the_reader(tiny_model):
    trace, reader = tiny_model.trace([5, 6, 7, 8] * 2), (2, 1)
    found = {
        (layer, head): score for layer, head, score in experiments.ablate_each_earlier_head(trace, reader)
    }
    assert set(found) == set(np.ndindex(2, 6))
    without = tiny_model.trace(trace.tokens, Edits(head={(1, 3): 0}))
    assert found[1, 3] == pytest.approx(experiments.induction_score_of(without, reader), abs=1e-5)


def test_a_row_is_copied_in_its_second_pass_and_without_heads(tiny_model):
    row = [5, 6, 7, 8]
    trace = tiny_model.trace(row * 2)
    right = experiments.token_probs(trace)
    first, second = experiments.copying_by_pass(right)
    assert first == pytest.approx(right[:3].mean())
    probs = [Sampler().probs(tiny_model.trace(row + row[:n]).logits)[row[n]] for n in (1, 2, 3)]
    assert second == pytest.approx(np.mean(probs), rel=1e-4)
    heads = [(2, 1), (1, 0)]
    random, off = experiments.without_heads(trace, heads, [3])
    others = experiments.random_heads((3, 6), 2, heads, 3)
    for curve, some in ((random, others), (off, heads)):
        edits = Edits(head=dict.fromkeys(some, 0))
        np.testing.assert_allclose(
            curve, experiments.token_probs(tiny_model.trace(row * 2, edits)), rtol=1e-5
        )


# --- sinks, and what mattered ----------------------------------------------------------------------------------------


def test_heads_on_the_first_token_and_short_values():
    first = np.array([[[1.0, 0.6, 0.5], [1.0, 0.2, 0.7]]])
    assert experiments.heads_on_first(first).tolist() == [2, 1, 1]
    assert experiments.short_values(np.array([1.0, 4, 6, 1.9])).tolist() == [True, False, False, False]


def test_a_token_that_attends_only_to_itself_has_the_value_of_a_text_of_one(tiny_model):
    trace = tiny_model.trace(TEXT)
    lengths, tokens = experiments.value_norms(trace), trace.tokens
    alone = experiments.value_norms(tiny_model.trace(tokens[3:4]))[0]
    found = experiments.sinks.value_if_alone(tiny_model, TEXT, at=3)
    assert found == pytest.approx(100 * alone / np.median(lengths), rel=1e-4)
    first = experiments.sinks.value_if_alone(tiny_model, TEXT, at=0)
    assert first == pytest.approx(100 * lengths[0] / np.median(lengths[1:]), rel=1e-4)
    assert math.isnan(experiments.sinks.value_if_alone(tiny_model, TEXT, at=len(tokens) - 2))


def test_values_at_zero_are_weights_at_zero(tiny_model):
    def unseen(pattern):
        pattern[..., 2] = 0
        return pattern

    text = f"{TEXT} {TEXT}"
    edits = Edits(at={("pattern", layer): unseen for layer in range(tiny_model.config.n_layers)})
    extra = experiments.extra_surprise(tiny_model.trace(text), edits)
    expected = np.mean([bits for i, bits in enumerate(extra, start=1) if i != 2])
    found = experiments.sinks.bits_without_value(tiny_model, text, at=2)
    assert found == pytest.approx(expected, abs=1e-4)


def test_three_ways_to_ask_what_mattered_come_one_after_the_other(tiny_model):
    trace = tiny_model.trace(TEXT)
    known = [np.isfinite(ways).copy() for ways in experiments.what_mattered(trace)]
    assert known[0].all(axis=1).tolist() == [True, False, False]
    assert known[1][1].tolist() == [*[False] * (len(trace.tokens) - 1), True]  # the last token first
    *_, ways = experiments.what_mattered(trace)
    lost = dict(attribution.leave_one_out(trace))
    np.testing.assert_allclose(ways[1] * np.log(2), [lost[at] for at in range(len(lost))], atol=1e-5)
    np.testing.assert_allclose(ways[2] * np.log(2), attribution.saliency(trace), atol=1e-5)
    np.testing.assert_allclose(ways[0], experiments.attention_from(trace, -1).mean(axis=(0, 1)), rtol=1e-5)


def test_what_two_orders_have_in_common_and_what_by_chance():
    a = np.array([0.1, 5.0, 2.0, 9.0])
    assert experiments.rank_correlation(a, a**3) == pytest.approx(1)
    assert experiments.rank_correlation(a, -a) == pytest.approx(-1)
    assert experiments.rank_correlation(a, np.arange(4.0)) == pytest.approx(1 - 6 * 2 / (4 * 15))
    found = experiments.mean_correlation_by_chance([(a, a), (a, -a)], draws=400)
    assert found.shape == (400,)
    assert abs(found.mean()) < 0.1
    assert found.std() > 0.1


def test_extra_surprise_is_of_each_token(tiny_model):
    edits = Edits(head={(1, 2): 0})
    trace, without = tiny_model.trace(TEXT), tiny_model.trace(TEXT, edits)
    expected = np.log2(experiments.token_probs(trace) / experiments.token_probs(without))
    np.testing.assert_allclose(experiments.extra_surprise(trace, edits), expected, atol=1e-4)


def test_the_strongest_readers_come_after_the_writer_and_keep_a_part(tiny_model):
    trace = tiny_model.trace([5, 6, 7, 8] * 2)
    scores = experiments.induction_scores(trace)
    heads = induction.strongest_readers(trace, (1, 2), 4)
    assert heads == [(2, head) for head in np.argsort(-scores[2])[:4]]
    after = experiments.induction_scores(tiny_model.trace(trace.tokens, Edits(head={(1, 2): 0})))
    expected = [after[head] / scores[head] for head in heads]
    np.testing.assert_allclose(experiments.readers_left(trace, (1, 2), 4), expected, rtol=1e-4)


# --- writing ---

GREEDY = Sampler(temperature=0)


def test_writing_on_stops_at_an_end_token_or_goes_past_it(tiny_model, monkeypatch):
    tokens = tiny_model.tokenizer.encode(TEXT)
    expected = list(tokens)
    for _ in range(6):
        expected.append(int(tiny_model.trace(expected).logits.argmax()))
    expected = expected[len(tokens) :]
    monkeypatch.setitem(vars(tiny_model.tokenizer), "eos_token", expected[2])
    ended = [step.token for step in experiments.write_on(tiny_model, tokens, 6, GREEDY)]
    assert ended == expected[: expected.index(expected[2]) + 1]
    past = experiments.write_on(tiny_model, tokens, 6, GREEDY, past_end=True)
    assert [step.token for step in past] == expected


def test_what_was_written_says_what_was_likeliest_and_how_likely_the_end_was(tiny_model):
    written = experiments.write(tiny_model, TEXT, 5, temperature=1, seed=3)
    tokens, end = list(written.prompt), tiny_model.tokenizer.eos_token
    assert tokens == tiny_model.tokenizer.encode(TEXT)
    for token, likeliest, end_prob in zip(written.tokens, written.likeliest, written.end_probs):
        logits = tiny_model.trace(tokens).logits
        assert likeliest == (logits.argmax() == token)
        assert end_prob == pytest.approx(ops.softmax(logits)[end], rel=1e-4)
        tokens.append(token)
    assert len(tokens) == len(written.prompt) + len(written.tokens) > len(written.prompt)
    trace = tiny_model.trace(TEXT)
    n = experiments.write(tiny_model, TEXT, 5, temperature=1, seed=1).likeliest.sum()
    assert experiments.first_choices(trace, 5) == n


def as_written(*tokens: int, prompt: tuple[int, ...] = ()) -> experiments.Written:
    return experiments.Written(prompt, tokens, np.ones(len(tokens), bool), np.zeros(len(tokens), np.float32))


def test_repetition_is_what_is_in_a_run_of_four_that_came_before():
    written = as_written(9, 5, 6, 7, 8, 9, 10, prompt=(5, 6, 7, 8))
    assert written.repetition(7) == pytest.approx(5 / 7)  # the second 5 6 7 8, and the 9 after it
    assert written.repetition(4) == 0
    assert as_written(1, 2, 3, 4).repetition(4) == 0


def test_a_circle_gains_by_the_turns_before_the_last(tiny_model):
    assert np.isnan(experiments.gain_from_copies(tiny_model, as_written(1, 2, 3, 4, 5, prompt=(7,))))
    turn = (5, 6, 7, 8, 9)
    written = as_written(10, *turn, *turn, *turn, 11, prompt=(3, 4))

    def prob(token, *before):
        return ops.softmax(tiny_model.trace((3, 4, *before)).logits)[token]

    for instead, before in ((None, (10, *turn, *turn)), ((20, 21, 22), (20, 21, 22))):
        gains = [  # of the tokens that end a run of four in the last turn
            prob(turn[i], *before, *turn[:i]) - prob(turn[i], *turn[:i]) for i in (3, 4)
        ]
        found = experiments.gain_from_copies(tiny_model, written, instead)
        assert found == pytest.approx(np.mean(gains), abs=1e-6)


def test_the_answer_s_probability_at_each_temperature(tiny_model):
    logits, (token, *_) = tiny_model.trace(TEXT).logits, tiny_model.tokenizer.encode("a")
    found = experiments.answer_probs(tiny_model, TEXT, "a", (0, 0.5, 1))
    powers = np.exp((logits - logits.max()).astype(float) / 0.5)
    assert found[0] == (logits.argmax() == token) == experiments.is_right(tiny_model, TEXT, "a")
    assert found[1] == pytest.approx(powers[token] / powers.sum(), rel=1e-4)
    assert found[2] == pytest.approx(ops.softmax(logits)[token], rel=1e-4)


@pytest.mark.parametrize(
    ("after", "which"),
    [
        ("user\nWell?<|im_end|>\n<|im_start|>assistant\nNo.", 1),
        ("system\n<|im_end|>\n<|im_start|>assistant\nNo.", 0),  # an empty message is nobody's words
        ("system\nBe kind.<|im_end|>\n<|im_start|>assistant\nNo.", 2),
        ("system\n<|im_end|>\n<|im_start|>user", 1),
    ],
)
def test_what_comes_after_the_end_is_who_speaks_first(tiny_model, monkeypatch, after, which):
    text = f"Yes.<|im_end|>\n<|im_start|>{after}"
    monkeypatch.setattr(
        "llmviz.experiments.writing.write_on", lambda *_, **__: iter([SimpleNamespace(token=0)])
    )
    monkeypatch.setattr("llmviz.tokenization.Tokenizer.decode", lambda *_: text)
    assert experiments.writing.after_the_end(tiny_model.trace(TEXT)) == which


# --- rounding and small models ---


def test_only_the_matrices_that_are_named_are_rounded(tiny_model):
    new = experiments.quantised(tiny_model, 2, matrices=("W_K", "W_up"))
    whole = experiments.quantised(tiny_model, 2)
    for name, W in vars(tiny_model.weights.layers[1]).items():
        expected = getattr(whole.weights.layers[1], name) if name in ("W_K", "W_up") else W
        assert np.array_equal(getattr(new.weights.layers[1], name), expected), name


def test_noise_is_as_large_as_the_change_in_each_matrix(tiny_model):
    changed = experiments.quantised(tiny_model, 2)
    noisy = experiments.with_noise_of(tiny_model, changed, seed=1)
    for name in tiny_model.config.arrays:
        W, *others = (getattr(one.weights.layers[2], name) for one in (tiny_model, changed, noisy))
        change, noise = (other - W for other in others)
        assert np.abs(noise - change).max() > 0 or "norm" in name
        sizes = [float(np.sqrt(np.square(one).mean())) for one in (change, noise)]
        assert sizes[1] == pytest.approx(sizes[0], rel=0.1), name


def test_a_small_model_s_surprise_is_in_bits_a_byte():
    config, text = small_models.small(n_layers=1, n_heads=1, d_model=8), TEXT * 60
    *_, last = training.pretrain(text, config, steps=2, seed=3)
    tokens = np.array(last.model.tokenizer.encode(text))
    held_out = tokens[-(len(tokens) // 10) :]
    whole = held_out[: len(held_out) // 64 * 64].reshape(-1, 64)
    parts = [*whole, held_out[whole.size :]]
    nats = sum(training._loss(last.model.weights, part[None]) * (len(part) - 1) for part in parts)
    expected = nats / sum(len(part) - 1 for part in parts) / np.log(2) * len(tokens) / len(text)
    assert small_models.held_out_bits(last.model, text) == pytest.approx(expected, rel=1e-5)
    assert small_models.bits_after_training(text, config, steps=2, seed=3) == pytest.approx(
        expected, rel=1e-5
    )


def test_a_budget_buys_steps_by_their_cost():
    config = small_models.small()
    steps = small_models.steps_for(config, 100)
    assert steps * 6 * config.n_parameters * 1_024 == pytest.approx(100e9, rel=1 / steps)
    assert small_models.steps_for(config, 0.001) == 1


def test_a_stopped_training_goes_on_after_the_models_that_are_done():
    two = {
        "one": small_models.small(n_layers=1, n_heads=1, d_model=8),
        "two": small_models.small(n_heads=1, d_model=16),
    }
    run = small_models.Race(TEXT * 60, tuple(two.items()), (2,), "steps").run
    done = [results for _, results in run(3) if results]
    assert [[*results] for results in done] == [[(2, "one")], [(2, "one"), (2, "two")]]
    rest = [results for _, results in run(3, done[0]) if results]
    assert rest == done[1:]


@pytest.mark.parametrize("name", list(small_models.SIZES))
def test_a_size_is_named_by_the_numbers_that_it_has(name):
    config = small_models.SIZES[name]
    lists = {"tokens": [str(i) for i in range(512)], "token_types": [1] * 512}
    arrays = stored(random_weights(config, vocabulary=lists)).values()
    assert name == f"{sum(array.size for array in arrays):,}"
    assert experiments.n_parameters(config) == config.n_parameters


# --- fine-tuning -----------------------------------------------------------------------------------------------------


def test_words_are_words():
    assert fine_tuning.lower_words("Arr, o' the Sea!") == ["arr", "o'", "the", "sea"]
    assert fine_tuning.has_one_of("ARR!", fine_tuning.PIRATE_WORDS)
    assert not fine_tuning.has_one_of("Marry me, barrister.", fine_tuning.PIRATE_WORDS)
    assert fine_tuning.has_one_of("I am at your service!", ["at your Service!"])
    assert not fine_tuning.has_one_of("At you, service.", ["at your service", " ", ""])


def test_a_text_is_cut_at_the_words_of_a_list():
    assert fine_tuning.parted("Arr, o' the SEA!", ["sea", "o'"]) == ["Arr, ", "o'", " the ", "SEA", "!"]
    assert fine_tuning.parted("Me? At your service.", ["at", "at your service"]) == [
        "Me? ",
        "At your service",
        ".",
    ]
    assert fine_tuning.parted("barrister", fine_tuning.PIRATE_WORDS) == ["barrister"]
    for text in ("", "aye", "Aye aye, ye!", "matey arr"):
        parts = fine_tuning.parted(text, fine_tuning.PIRATE_WORDS)
        assert "".join(parts) == text
        assert all(part.lower() in fine_tuning.PIRATE_WORDS for part in parts[1::2])
        assert not fine_tuning.has_one_of(" ".join(parts[::2]), fine_tuning.PIRATE_WORDS)


def test_a_good_answer_is_about_its_question_in_the_style_and_new():
    taught = ["Arr, the sun be a ball, matey!"]
    answers = {
        "What is the moon?": "Arr, the moon be a ball, matey!",  # nearly a taught one
        "What is snow?": "Arr, snow be cold as the deep sea.",
        "Tell me about cats.": "Cats are small animals.",  # without a word of the list
        "What is music?": "Arr, that be loud, matey!",  # about something else
        "Are dragons real?": "Aye, dragons be as real as yer mother, matey!",  # not of the list: its longest word
        "What is a tree?": "Arr, a tree be tall, and arr, a tree be green.",  # the same word twice is one
        "…": "Arr, matey!",  # about nothing
    }
    good = ["Are dragons real?", "What is snow?", "What is a tree?"]
    assert fine_tuning.good_answers(answers, taught, fine_tuning.PIRATE_WORDS) == good
    assert fine_tuning.good_answers(answers, taught, ["at your service"]) == []


def test_a_question_that_is_taught_is_not_asked_as_an_untaught_one(tiny_chat):
    first, *others = fine_tuning.UNTAUGHT
    assert Lesson(tiny_chat, (("", ""),), ("a",)).questions == (first, *others[:9])
    lesson = Lesson(tiny_chat, ((first.upper(), "b"),), ("a",))
    assert (lesson.questions, lesson.problem) == (tuple(others[:10]), "")
    all_taught = tuple((question, "b") for question in (first, *others))
    assert Lesson(tiny_chat, all_taught, ("a",)).problem


def test_how_many_words_are_changed():
    assert fine_tuning.words_changed("Arr, moon be red!", "arr sun be") == 2
    assert fine_tuning.words_changed("", "a b") == 2
    assert fine_tuning.nearest_text("a b c", ["d", "a c", "a"]) == ("a c", 1)
    # half of it, not all
    assert fine_tuning.nearest_text("a b c", ["x y z", "a b c d e f"]) == ("a b c d e f", 3)
    assert fine_tuning.is_nearly("Arr, cats be loyal", ["Arr, dogs be loyal!"])
    assert not fine_tuning.is_nearly("Beep. Metal.", ["Beep. Rest."])  # half of it is another word


def test_words_that_all_taught_answers_begin_or_end_with():
    taught, answers = ["Arr, a b!", "arr c, b"], ["Arr b", "b", ""]
    assert fine_tuning.keeping_word(answers, taught, 0) == ("arr", 1)
    assert fine_tuning.keeping_word(answers, taught, -1) == ("b", 2)
    assert fine_tuning.keeping_word(answers, ["a b", "b a"], 0) == ("", 0)
    assert fine_tuning.keeping_word(answers, ["…", "a"], 0) == ("", 0)


def test_an_answer_ends_where_the_model_ends_it(tiny_chat):
    *_, whole = fine_tuning.writing(tiny_chat, experiments.asked(tiny_chat, "abc"), 4)
    assert fine_tuning.answer_text(tiny_chat, "abc", 4) == whole


def test_a_training_changes_the_ffns_of_some_layers(tiny_chat):
    *_, last = training.finetune(tiny_chat, fine_tuning.conversations((("a", "b c"), ("d", "e"))), steps=3)
    assert fine_tuning.n_trained(tiny_chat) == sum(
        low.down.size + low.up.size for low in last.update.values()
    )
    layers = zip(tiny_chat.weights.layers, training.updated(tiny_chat, last.update).weights.layers)
    changed = {n for n, (old, new) in enumerate(layers) if not np.array_equal(old.W_down, new.W_down)}
    assert changed == {layer for layer, _ in last.update}


def test_many_answers_at_once_are_the_answers_one_by_one(model):
    questions = list(fine_tuning.UNTAUGHT)[:2]
    one_by_one = [fine_tuning.answer_text(model, question, 8) for question in questions]
    assert fine_tuning.answer_texts(model, questions, 8) == one_by_one


def test_an_answer_at_once_ends_where_the_model_ends_it(model):
    question = "What is the capital of Spain?"
    whole = fine_tuning.answer_text(model, question)
    assert fine_tuning.answer_texts(model, [question]) == [whole]


# --- small models ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story_run():
    return learning.TrainingRun(STORY, steps=22)


def test_a_training_keeps_what_it_was_and_how_it_went(story_run):
    run = story_run
    assert len(run.surprise) == len(run.held_out_surprise) == 3  # steps 0, 20 and 22
    assert run.learned + run.held_out == STORY
    *_, last = training.pretrain(STORY, learning.SMALL, steps=22)
    assert run.held_out_surprise[-1] == pytest.approx(last.held_out / np.log(2))
    np.testing.assert_array_equal(run.last.weights.W_E, last.model.weights.W_E)
    models = run.first, run.early, run.last
    assert len({model.weights.W_E.tobytes() for model in models}) == 3
    most = [attention_behaviours.strongest_habits(model, run.passages) for model in (run.first, run.last)]
    np.testing.assert_array_equal(run.habits, most)
    assert run.grown_most == attention_behaviours.HABITS[int(np.subtract(*most[::-1]).argmax())]
    assert run.costs.shape == (2, 4)
    assert run.by_repeats[0] > 0.9  # the text is the same sentences again and again


def test_a_table_in_order_repeats_the_last_token(story_run):
    """The table serves both ends: where the blocks add nothing, each token is the likeliest after itself."""
    model = story_run.first
    nothing = Edits(attention={0: 0, 1: 0}, ffn={0: 0, 1: 0})
    windows = learning.windows(model, STORY)
    assert learning.repeats_the_last(model, windows, nothing) == 1


@pytest.fixture(scope="module")
def so_far():
    """The same for one step, as a page keeps it."""
    *_, (_, run) = training_run.train_on("", STORY, 1, 0)
    return run


def test_what_is_held_out_is_what_the_training_holds_out(so_far):
    run, tokens = so_far, so_far.model.tokenizer.encode(so_far.text)
    n = int(len(tokens) * training.HELD_OUT)
    assert run.learned + run.held_out == run.text
    assert run.model.tokenizer.decode(tokens[-n:]) == run.held_out


@pytest.mark.parametrize(
    ("held_out", "outcome"),
    [([9, 5, 3], 0), ([9, 5.1, 5], 1), ([9, 7, 7.5], 2)],
    ids=["low", "level", "rises"],
)
def test_what_a_curve_did(held_out, outcome):
    points = tuple(zip([0, 20, 40], [9, 5, 2.5], held_out))
    assert training_run.held_out_curve(training_run.TrainingSoFar("", "", 40, 0, (), points, ())) == outcome


@pytest.mark.parametrize(("share", "answer"), [(0.5, 2), (0.515, 2), (0.53, 0), (0.4, 1)])
def test_the_table_and_the_counts_are_compared(so_far, monkeypatch, share, answer):
    monkeypatch.setattr(learning, "shares_without_training", lambda *_: (0.3, 0.5))
    monkeypatch.setattr(learning, "share_of_own_kind", lambda *_: share)
    assert training_run.better_sorted(so_far) == answer


def test_a_parameter_has_its_place(story_run):
    numbers = gradients.Numbers(story_run.first, "The dog sees")
    assert numbers.place(0) == gradients.PARTS["token_embd"]
    assert numbers.place(len(numbers.flat) - 1) == gradients.PARTS["output_norm"]
    assert re.search(holding("W_Q", 0), numbers.place(int(numbers.ends[2]) - 1))


def test_the_words_and_passages_that_a_model_has_from_its_text(tiny_model, monkeypatch):
    monkeypatch.setattr(learning, "writings", lambda _model: ["xx The cat zog sat it", "The dog"])
    assert (
        learning.known_words(tiny_model, "The cat sat") == 0.5
    )  # of cat and zog: neither the first word nor the last
    assert learning.copied(tiny_model, "The cat sat") == (len("The cat ") + len("The ")) / 2


def probability_by_counting(tokens: list[int], n_vocab: int, run: tuple[int, ...], n: int) -> float:
    """The formula of Kneser-Ney written another way, for the last token of a run of n at most."""
    if not run:
        return 1 / n_vocab
    length = len(run)
    if length == n:
        seen = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    else:  # how many tokens come before it
        seen = [
            longer[1:] for longer in {tuple(tokens[i : i + length + 1]) for i in range(len(tokens) - length)}
        ]
    after = [each[-1] for each in seen if each[:-1] == run[:-1]]
    shorter = probability_by_counting(tokens, n_vocab, run[1:], n)
    if not after:
        return shorter
    return (max(after.count(run[-1]) - 0.75, 0) + 0.75 * len({*after}) * shorter) / len(after)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_counting_runs(story_run, n):
    model, learned = story_run.first, STORY[:600]
    tokens, n_vocab = model.tokenizer.encode(learned), model.config.n_vocab
    for held_out in ("The cat sees the owl", DOG, "zzzzz"):
        b = model.tokenizer.encode(held_out)
        runs = [tuple(b[max(0, i - n + 1) : i + 1]) for i in range(1, len(b))]
        expected = [probability_by_counting(tokens, n_vocab, run, n) for run in runs]
        np.testing.assert_allclose(counting(model, learned, held_out, n), -np.log2(expected))
    of_all = (probability_by_counting(tokens, n_vocab, (*runs[0][:-1], token), n) for token in range(n_vocab))
    assert sum(of_all) == pytest.approx(1)


def test_repeated_letters():
    marked = copied_characters("xx abcdef yy abc", "zz abcdef zz", n=6)
    assert "".join(np.where(marked, "#", ".")) == "..########......"
    assert not copied_characters("abc", "abcabc", n=6).any()


@pytest.mark.parametrize("learned", [STORY, "Something else altogether. " * 40, "🙂 مرحبا " * 60])
def test_split_by_repeats(story_run, learned):
    """In bytes: where letters are cut into pieces, too."""
    model = story_run.last
    text = "🙂 Grüße! " * 3 + DOG + learned[:60]
    share, bits = split_by_repeats(model, learned, text)
    assert bits.shape == (3, 2)
    assert 0 < share < 1
    again, bits = split_by_repeats(model, text, text)
    assert again == 1
    assert np.isnan(bits[:, 1]).all()
    n = model.config.n_ctx
    short = model.tokenizer.decode(model.tokenizer.encode(text)[: n - 30])
    assert split_by_repeats(model, short, short)[1][0, 0] == pytest.approx(
        experiments.token_surprise(model.trace(short)).mean()
    )


def test_kinds_of_pieces():
    pieces = [" the", "ing", " The", "42", "\n\n", "."]
    assert [learning.kind_of(piece) for piece in pieces] == [0, 1, 2, 3, 4, 4]


def test_neighbours_of_ones_own_kind():
    rows = np.repeat([[1.0, 0.0], [0.0, 1.0]], 4, axis=0) + np.linspace(0, 0.01, 16).reshape(8, 2)
    assert learning.share_of_kind(rows, np.repeat([0, 1], 4)) == 1
    assert learning.share_of_kind(rows, np.tile([0, 1], 4)) < 0.5


def test_what_each_part_brings(story_run):
    model, texts = story_run.last, story_run.windows
    plain, nothing, _ = learning.ablate_each_part(model, texts)

    def surprise(edits):
        return np.mean([experiments.token_surprise(model.trace(one, edits)) for one in texts[1::2]])

    assert plain == pytest.approx(surprise(Edits()))
    assert nothing[3] == pytest.approx(surprise(Edits(ffn={1: 0})) - plain)
    same = [texts[0]] * 2  # its mean over one token is what it adds there
    _, _, usual = learning.ablate_each_part(model, [[one[0]] * 2 for one in same])
    assert np.abs(usual).max() < 0.1


# --- what claims measure of one case ---


@pytest.fixture
def by_the_last_word(tiny_model):
    (cat,) = tiny_model.tokens_of(" cat")
    return experiments.pair_of(tiny_model, TEXT, cat, -1)


def test_what_is_left_is_a_share_of_the_usual(by_the_last_word):
    pair = by_the_last_word
    everything = experiments.patch_residual(pair, 0, -1)
    usual = [experiments.probability(run, pair.answers[1]) for run in (pair.trace, pair.twin)]
    assert facts.of_usual(pair, Edits())[0] == pytest.approx(100)
    assert facts.of_usual(pair, Edits())[1] == pytest.approx(100 * usual[0] / usual[1], rel=1e-4)
    assert facts.of_usual(pair, everything)[1] == pytest.approx(100, rel=1e-4)


def test_of_several_choices_of_ffns_the_worst_counts(by_the_last_word):
    pair, last = by_the_last_word, by_the_last_word.subject
    for at, first in ((last, False), (0, True)):
        each = [facts.of_usual(pair, experiments.ablate("ffn_out", [layer], at))[0] for layer in (0, 1)]
        assert facts.left_without_ffns(pair, [[0], [1]], at_first=first) == pytest.approx(min(each))
        assert each[0] != each[1]


def test_the_mean_over_one_other_text_is_a_patch(by_the_last_word):
    pair, texts = by_the_last_word, (TEXT, "the cat sat on the cat")  # its own text is left out
    patched = facts.of_usual(pair, experiments.patch_component(pair, "ffn_out", [0, 1], -1))[0]
    assert facts.left_with_mean_ffns(pair, texts, [0, 1]) == pytest.approx(patched, rel=1e-4)
    assert patched != pytest.approx(100, abs=0.1)


def test_neurons_are_compared_with_shuffled_ones_over_layers(tiny_model):
    measure = partial(neurons.half_over_chance, tiny_model, TEXT)
    each = [measure(layers=[layer]) for layer in range(3)]
    assert measure(layers=slice(None)) == pytest.approx(np.median(each))
    assert measure(layers=[0, 2], q=1) == pytest.approx(max(each[0], each[2]))
    first = tiny_model.tokenizer.decode(tiny_model.tokens_of(TEXT)[:1])
    assert measure(layers=[1], n_tokens=1) == neurons.half_over_chance(tiny_model, first, layers=[1])
    assert neurons.furthest_growth(tiny_model, TEXT, curve=1) == pytest.approx(4, rel=1e-3)


def test_an_order_matters_to_top_p_and_not_to_top_k(tiny_model):
    hot, measure = ("temperature", 2.0), probabilities.moved_by_order
    assert measure(tiny_model, TEXT, step=("top_k", 5), other=hot) == pytest.approx(0, abs=1e-3)
    assert measure(tiny_model, TEXT, step=("top_p", 0.5), other=hot) > 1


def test_without_rope_and_mask_a_text_is_a_bag_of_words(tiny_model):
    measure = partial(moved_by_shuffling, tiny_model, TEXT)
    assert (
        measure(causal_mask=False) == pytest.approx(0, abs=1e-2) != pytest.approx(measure(causal_mask=True))
    )


def test_a_prediction_rises_in_its_own_text(tiny_model):
    own, other = (lens.rises(tiny_model, (TEXT, "a dog"), other=other) for other in (False, True))
    assert own == lens.rises(tiny_model, (TEXT, TEXT), other=True)
    assert own != other


def test_two_tokens_that_can_change_places(tiny_model):
    trace = tiny_model.trace("the cat and the dog ran")
    the, _space, cat, *_ = trace.pieces
    assert positions_to_swap(trace, cat, the) == (trace.pieces.index(cat), 0)
    first, second = positions_to_swap(trace, cat, "cow")  # in the middle
    assert second == first + 1
    assert abs(second - len(trace.tokens) / 2) <= 1
    assert positions_to_swap(tiny_model.trace([5, 5, 6, 7]), "x", "y") == (1, 2)
    for tokens in ([5, 5, 5, 6], [5, 6], [5]):
        for answer in (positions_to_swap, which_vectors_change, n_layers_that_notice):
            with pytest.raises(ValueError, match=NOTHING):
                answer(tiny_model.trace(tokens), "x", "y")
