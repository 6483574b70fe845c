"""Experiments on the model: each against a formula written another way."""

import gc
import math
import weakref
from dataclasses import replace

import numpy as np
import pytest
import tiny_gguf
from finite_differences import in_doubles

from llmviz import Edits, Sampler, experiments, ops, position, sampling, training
from llmviz.edits import add, scale
from llmviz.experiments import attention_behaviours, fine_tuning, learning
from llmviz.model import Model
from llmviz.weights import stored

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
    with pytest.raises(ValueError, match="no sum"):
        experiments.direct_logit_attribution(tiny_model.trace(TEXT, edits), 9)


def test_neurons_under_an_ffn_changed_by_hand_are_refused(tiny_model):
    trace = tiny_model.trace(TEXT, Edits(at={("ffn_out", 1): scale(0, positions=-1)}))
    with pytest.raises(ValueError, match="the FFN of layer 1 is no sum"):
        experiments.neuron_attribution(trace, 1, 9)
    parts = experiments.direct_logit_attribution(trace, 9)
    assert parts.ffn[1] == pytest.approx(0, abs=1e-5)
    assert parts.total == pytest.approx(trace.logits[9], rel=1e-4, abs=1e-4)


def test_negative_positions_count_from_the_end_and_others_are_told(tiny_model):
    trace = tiny_model.trace(TEXT)
    seq = len(trace.tokens)
    for place in (-1, -3, -seq):
        one, other = (
            experiments.direct_logit_attribution(trace, 9, position=at) for at in (place, place + seq)
        )
        np.testing.assert_allclose(one.ffn, other.ffn, rtol=1e-4, atol=1e-5)
        one, other = (experiments.neuron_attribution(trace, 2, 9, position=at) for at in (place, place + seq))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for place in (seq, -seq - 1):
        for run in (
            experiments.direct_logit_attribution,
            lambda *given, **at: experiments.neuron_attribution(*given, 1, **at),
        ):
            with pytest.raises(ValueError, match=f"no position {place}; they go from 0 to {seq - 1}"):
                run(trace, 1, position=place)


@pytest.mark.parametrize("edits", [Edits(), Edits(ffn={1: 0.5}), Edits(neuron={(1, 3): 4.0})])
def test_the_neurons_sum_to_their_ffn(tiny_model, edits):
    trace = tiny_model.trace(TEXT, edits)
    neurons = experiments.neuron_attribution(trace, 1, 9, against=4)
    assert neurons.shape == (80,)
    parts = experiments.direct_logit_attribution(trace, 9, against=4)
    assert neurons.sum() == pytest.approx(parts.ffn[1], rel=1e-3, abs=1e-4)


# --- one head: what it writes, what it says, and who reads it ---


@pytest.mark.parametrize("edits", [Edits(), Edits(head={(1, 2): 0.5}, attention={1: -2.0})])
def test_what_the_heads_write_is_what_attention_adds(tiny_model, edits):
    trace = tiny_model.trace(TEXT, edits)
    block = trace.blocks[1]
    for place in (2, -1):
        heads = [
            experiments.head_contribution(trace, 1, head, position=place)
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
        parts = [experiments.head_contribution(trace, 1, head, position=3, source=at) for at in range(5)]
        np.testing.assert_allclose(
            parts[2], factor * a.pattern[head, 3, 2] * (W_O[head].T @ a.v[head // shared, 2]), atol=1e-5
        )
        np.testing.assert_allclose(
            sum(parts), experiments.head_contribution(trace, 1, head, position=3), rtol=1e-3, atol=1e-5
        )
        assert not parts[4].any()  # masked


def test_a_head_that_is_no_sum_of_its_sources_is_refused(tiny_model):
    for name in ("z", "attention_out"):
        trace = tiny_model.trace(TEXT, Edits(at={(name, 1): scale(2.0)}))
        with pytest.raises(ValueError, match="no sum of what its heads write"):
            experiments.head_contribution(trace, 1, 0, source=0)
        with pytest.raises(ValueError, match="no sum of what its heads write"):
            experiments.ov_logits(trace, 1, 0, 0)
    trace = tiny_model.trace(TEXT)
    for place, what in (((9, 0), "layer 9"), ((1, 99), "head 99"), ((1, -1), "head -1")):
        with pytest.raises(ValueError, match=f"no {what}"):
            experiments.head_contribution(trace, *place)
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
    written = experiments.head_contribution(trace, 1, 2, source=1) / weight
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
        (((1, 0), (1, 1)), "layer 1 reads nothing"),
        (((2, 0), (1, 1)), "layer 1 reads nothing"),
        (((0, 0), (3, 1)), "layer 3 reads nothing"),
        (((0, 99), (1, 1)), "no head 99"),
        (((0, 0), (1, 1), "x"), 'into must be "q"'),
    ],
)
def test_a_path_that_is_not_there_is_told(tiny_model, arguments, told):
    with pytest.raises(ValueError, match=told):
        experiments.patch_path(tiny_model.trace(TEXT), *arguments)


def test_copying_is_what_the_second_pass_gives_the_right_token(tiny_model):
    row = [9, 4, 100, 31]
    probs = [Sampler().probs(tiny_model.trace(row + row[:n]).logits)[row[n]] for n in (1, 2, 3)]
    assert experiments.repeat_probability(tiny_model, row) == pytest.approx(np.mean(probs), rel=1e-4)
    edits = Edits(ffn={1: 0})
    assert experiments.repeat_probability(tiny_model, row, edits) != pytest.approx(np.mean(probs), rel=1e-4)
    with pytest.raises(ValueError, match="two tokens or more"):
        experiments.repeat_probability(tiny_model, [9])


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
    assert lens.guesses.shape == lens.probs.shape == (4, seq)
    assert ranks.shape == (2, 4)
    for depth in (1, 2, 3):
        logits = trace.lens(depth - 1)
        probs = Sampler().probs(logits[-1])
        assert lens.guesses[depth].tolist() == logits.argmax(axis=1).tolist()
        assert lens.probs[depth, -1] == pytest.approx(probs.max(), rel=1e-5)
        order = sorted(range(len(probs)), key=lambda token: -logits[-1, token])
        assert ranks[:, depth].tolist() == [order.index(9) + 1, order.index(4) + 1]
        np.testing.assert_allclose(lens.last[depth], logits[-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(experiments.logit_lens(trace, last=2).guesses, lens.guesses[:, -2:])
    assert experiments.logit_lens(trace, last=99).ranks([]).shape == (0, 4)
    with pytest.raises(ValueError, match="last must be 1 or more, got 0"):
        experiments.logit_lens(trace, last=0)


def test_the_lens_is_the_same_in_one_product_or_in_many(tiny_model, monkeypatch):
    trace = tiny_model.trace(TEXT)
    whole = experiments.logit_lens(trace)
    monkeypatch.setattr(experiments.lens, "AT_ONCE", 1)
    parts = experiments.logit_lens(trace)
    np.testing.assert_array_equal(parts.guesses, whole.guesses)
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
        np.testing.assert_allclose(experiments.token_logprobs(trace), expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(experiments.token_probs(trace), np.exp(expected), rtol=1e-2)
    for last in (0, 1, 3, len(tokens) - 1, 99):
        found = experiments.token_logprobs(trace, last=last)
        np.testing.assert_allclose(found, expected[max(0, len(expected) - last) :], rtol=1e-3, atol=1e-4)
    assert experiments.token_probs(tiny_model.trace([5])).shape == (0,)
    with pytest.raises(ValueError, match="last must be 0 or more, got -1"):
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


def test_a_run_that_overflows_has_no_value(tiny_model):
    def overflows(trace):
        raise FloatingPointError

    assert all(np.isnan(value) for *_, value in experiments.ablate_each_head(tiny_model, [5, 6], overflows))


# --- comparing and counting ---


def test_the_stream_has_a_length_at_each_depth(tiny_model):
    trace = tiny_model.trace(TEXT)
    norms = experiments.residual_norms(trace)
    assert norms.shape == (4, len(trace.tokens))
    for depth, x in enumerate([trace.blocks[0].resid_pre, *(block.resid_post for block in trace.blocks)]):
        assert norms[depth, 2] == pytest.approx(math.sqrt(math.fsum(float(v) ** 2 for v in x[2])), rel=1e-5)


def test_relative_change(tiny_model):
    one, other = tiny_model.trace("The cat sat"), tiny_model.trace("A cat sat")
    found = experiments.relative_change(one, other)
    for layer, change in enumerate(found):
        a, b = (trace.blocks[layer].attention.out[-1].astype(float) for trace in (one, other))
        assert change == pytest.approx(((a - b) ** 2).sum() ** 0.5 / (a**2).sum() ** 0.5, rel=1e-4)
    assert (experiments.relative_change(one, one) == 0).all()


def test_moved_probability():
    assert experiments.total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.0, 0.5])) == pytest.approx(
        0.5
    )
    assert experiments.total_variation(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0


# --- parameters ---


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
    assert "output table" not in experiments.parameters(load_tiny("full"))


def test_choosing_shares_the_probability_among_the_options_alone(model):
    options = [" a", " b", " c"]
    logits = model.trace("The first letter is").logits
    tokens = [model.tokenizer.encode(option)[0] for option in options]
    weights = np.exp(logits[tokens].astype(float))
    assert experiments.option_probs(model, "The first letter is", options) == pytest.approx(
        weights / weights.sum(), abs=1e-5
    )
    with pytest.raises(ValueError, match="must be one token"):
        experiments.option_probs(model, "Hi", ["strawberry"])


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
        found = experiments.pattern_without_rope(trace, layer, head)
        assert found.shape == (len(q), len(q))
        halved = 0.5 if ("pattern", layer) in edits.at else 1
        for at in range(len(q)):
            seen = at + 1 if edits.causal_mask else len(q)
            grown = [math.exp(q[at] @ k[to] / root) for to in range(seen)]
            np.testing.assert_allclose(found[at, :seen], halved * np.array(grown) / sum(grown), atol=1e-5)
            assert np.isnan(found[at, seen:]).all()
        own = trace.blocks[layer].attention.pattern[head]
        assert np.allclose(np.nan_to_num(found), own, atol=1e-3) != edits.rope


def test_surprise_is_that_of_each_tokens_own_start(tiny_model):
    tokens = tiny_model.tokenizer.encode("The cat sat on the mat and the cat slept")
    found = experiments.surprise(tiny_model.trace(tokens), last=3)
    for i, bits in enumerate(found):
        start = tokens[: len(tokens) - 3 + i]
        logits = tiny_model.trace(start).logits.astype(float)
        right = logits[tokens[len(start)]]
        assert bits == pytest.approx((np.log(np.exp(logits).sum()) - right) / np.log(2), rel=1e-3)


def test_surprise_is_the_same_of_logits_and_of_a_run(tiny_model):
    """With logits so far apart that the probability of a token is no float64 number."""
    tokens = tiny_model.tokens_of(TEXT)
    trace = tiny_model.trace(tokens, Edits(norm=False, ffn={2: 3000.0}))
    found = experiments.surprise(trace)
    assert np.isfinite(found).all()
    assert found.max() > 1100
    np.testing.assert_allclose(sampling.surprise(trace.all_logits(), tokens), found, rtol=1e-4, atol=1e-3)


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
    "off_at": lambda pair, at: experiments.ablate("ffn_out", [0, 1], at),
    "off_at, a head": lambda pair, at: experiments.ablate("z", [1], at, head=2),
    "swap_at, an FFN": lambda pair, at: experiments.patch_component(pair, "ffn_out", [0], at),
    "swap_at, attention": lambda pair, at: experiments.patch_component(pair, "attention_out", [1], at),
    "swap_at, a head": lambda pair, at: experiments.patch_component(pair, "z", [1], at, head=3),
    "put_in": lambda pair, at: experiments.patch_residual(pair, 1, [at]),
    "swapped": lambda pair, at: experiments.patch_heads(
        experiments.head_outputs(pair.other), [(1, 2), (2, 0)], at
    ),
    "looking_elsewhere": lambda pair, at: experiments.knockout_attention([(0, 1), (1, 2)], [0], at),
    "blind": lambda pair, at: experiments.blind([0, 1], at, at - 1),
}


@pytest.mark.parametrize("name", AT_THE_LAST)
def test_the_last_token_is_the_prompts_in_every_edit(tiny_model, name):
    pair = experiments.pair_of(tiny_model, TEXT, 40)
    tokens, edits = list(pair.trace.tokens), AT_THE_LAST[name]
    last = len(tokens) - 1
    plain, counted = edits(pair, last), edits(pair, -1)
    steps = [tiny_model.generate(tokens, 4, Sampler(temperature=0), edits=one) for one in (plain, counted)]
    for one, other in zip(*steps, strict=True):
        tiny_model.forget()
        expected = tiny_model.trace(tokens, plain).logits
        np.testing.assert_allclose(one.logits, expected, atol=1e-4 * np.abs(expected).max())
        np.testing.assert_allclose(other.logits, expected, atol=1e-4 * np.abs(expected).max())
        tokens.append(one.token)
    tokens = pair.trace.tokens
    assert np.abs(tiny_model.trace(tokens, counted).logits - pair.trace.logits).max() > 1e-4
    assert tiny_model.trace(tokens, edits(pair, -1)).blocks[-1] is tiny_model.trace(tokens, plain).blocks[-1]


NOT_THERE = {  # what is asked for, and what the model or the text has not
    "neuron_attribution": (lambda m, t, p: experiments.neuron_attribution(t, 99, 5), "layer 99"),
    "neuron_attribution, from the end": (
        lambda m, t, p: experiments.neuron_attribution(t, -1, 5),
        "layer -1",
    ),
    "direction_of": (lambda m, t, p: experiments.logit_direction(t, 9999), "token 9999"),
    "direction_of, against": (lambda m, t, p: experiments.logit_direction(t, 5, against=9999), "token 9999"),
    "direct_attribution": (lambda m, t, p: experiments.direct_logit_attribution(t, -1), "token -1"),
    "probability": (lambda m, t, p: experiments.probability(t, 9999), "token 9999"),
    "ranks": (lambda m, t, p: experiments.logit_lens(t, last=1).ranks([5, 9999]), "token 9999"),
    "before_rope": (lambda m, t, p: experiments.before_rope(t, 99, 0), "layer 99"),
    "before_rope, a head": (lambda m, t, p: experiments.before_rope(t, 0, 99), "head 99"),
    "unturned_pattern": (lambda m, t, p: experiments.pattern_without_rope(t, 99, 0), "layer 99"),
    "unturned_pattern, a head": (lambda m, t, p: experiments.pattern_without_rope(t, 0, 99), "head 99"),
    "unturned_pattern, a head from the end": (
        lambda m, t, p: experiments.pattern_without_rope(t, 0, -1),
        "head -1",
    ),
    "off_at": (lambda m, t, p: p.shares(experiments.ablate("ffn_out", [0], 99)), "position 99"),
    "swap_at": (lambda m, t, p: experiments.patch_component(p, "ffn_out", [0], 99), "position 99"),
    "swap_at, a layer": (
        lambda m, t, p: experiments.patch_component(p, "attention_out", [99], 0),
        "layer 99",
    ),
    "swap_at, a head": (lambda m, t, p: experiments.patch_component(p, "z", [0], 0, 99), "head 99"),
    "put_in": (lambda m, t, p: experiments.patch_residual(p, 0, [99]), "position 99"),
    "put_in, a layer": (lambda m, t, p: experiments.patch_residual(p, 99, [0]), "layer 99"),
    "swapped": (
        lambda m, t, p: experiments.patch_heads(experiments.head_outputs(t), [(0, 99)]),
        "head 99",
    ),
    "swapped, a layer": (
        lambda m, t, p: experiments.patch_heads(experiments.head_outputs(t), [(99, 0)]),
        "layer 99",
    ),
    "blind": (lambda m, t, p: p.shares(experiments.blind([0], 99, 0)), "position 99"),
    "blind, a key": (lambda m, t, p: p.shares(experiments.blind([0], 0, 99)), "key 99"),
    "blind, a layer": (lambda m, t, p: p.shares(experiments.blind([99], 0, 0)), "layer 99"),
    "looking_elsewhere": (
        lambda m, t, p: p.shares(experiments.knockout_attention([(0, 0)], [99])),
        "key 99",
    ),
    "looking_elsewhere, a head": (
        lambda m, t, p: p.shares(experiments.knockout_attention([(0, 99)], [0])),
        "head 99",
    ),
    "each_head_off": (
        lambda m, t, p: list(experiments.ablate_each_head(m, t.tokens, len, before=99)),
        "layer 98",
    ),
    "pair_of": (lambda m, t, p: experiments.pair_of(m, TEXT, 9999), "token 9999"),
    "weights_from": (lambda m, t, p: experiments.attention_from(t, 99), "position 99"),
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_what_is_not_there_is_said(tiny_model, name):
    run, what = NOT_THERE[name]
    with pytest.raises(ValueError, match=f"there is no {what}"):
        run(tiny_model, tiny_model.trace(TEXT), experiments.pair_of(tiny_model, TEXT, 40))


def test_a_cut_path_is_for_the_text_that_it_was_cut_in(tiny_model):
    for into in "kv":
        edits = experiments.patch_path(tiny_model.trace(TEXT), (0, 1), (2, 3), into)
        with pytest.raises(ValueError, match="cut it again"):
            tiny_model.trace(tiny_model.tokens_of(TEXT)[:-1], edits)


def test_an_overview_is_drawn_once_for_a_run_and_dies_with_it(tiny_model):
    model = Model(tiny_model.weights)
    trace = model.trace(TEXT)
    seen = experiments.overview(trace)
    assert (
        experiments.overview(model.trace(TEXT), False)
        is experiments.overview(trace, hide_first=False)
        is seen
    )
    hidden = experiments.overview(model.trace(TEXT), True)
    assert np.isnan(hidden.maps[..., 0]).all()
    edited = experiments.overview(model.trace(TEXT, Edits(at={("pattern", 2): scale(0.5)})))
    np.testing.assert_allclose(edited.maps[2], seen.maps[2] / 2)
    held = [weakref.ref(one) for one in (seen, hidden, edited, trace.blocks[-1], trace.logits)]
    del seen, hidden, edited
    model.forget()
    gc.collect()
    assert [one() is None for one in held] == [False, False, True, False, False]
    del trace
    gc.collect()
    assert all(one() is None for one in held)


def test_no_experiment_keeps_a_model(tiny_model):
    model = Model(tiny_model.weights)
    pair = experiments.pair_of(model, TEXT, 40)
    experiments.overview(pair.trace)
    experiments.pattern_without_rope(pair.trace, 0, 0)
    experiments.saliency(model, TEXT)
    list(experiments.leave_one_out(model, TEXT))
    list(experiments.ablate_each_head(model, pair.trace.tokens, lambda run: 0.0))
    pair.shares(experiments.blind([0], -1, 0))
    pair.shares(experiments.patch_path(pair.trace, (0, 1), (2, 3)))
    list(model.generate(TEXT, 2, seed=0))
    held = [weakref.ref(one) for one in (model, pair.trace, pair.other, *pair.trace.blocks)]
    del pair, model
    gc.collect()
    assert all(one() is None for one in held)


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

    likeliest = int(model.trace(tokens).logits.argmax())
    for token in (None, 5):
        found, answer = experiments.saliency(model, tokens, token), likeliest if token is None else token
        assert found.shape == (7,)
        for i, rows in enumerate([*([token] for token in tokens), tokens]):
            slope = (lnp(answer, 1 + h, rows) - lnp(answer, 1 - h, rows)) / (2 * h)
            assert (found[i] if i < 7 else found.sum()) == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_leaving_a_token_out_is_a_run_without_it(tiny_model):
    tokens = tiny_gguf.random_ids("grouped", 5)
    logits = tiny_model.trace(tokens).logits
    answer = int(logits.argmax())

    def lnp(ids: list[int], token: int) -> float:
        return math.log(ops.softmax(tiny_model.trace(ids).logits.astype(np.float64))[token])

    found = dict(experiments.leave_one_out(tiny_model, tokens))
    assert list(found) == [4, 3, 2, 1, 0]
    for at, lost in found.items():
        rest = tokens[:at] + tokens[at + 1 :]
        assert lost == pytest.approx(lnp(tokens, answer) - lnp(rest, answer), abs=1e-5)
    other = dict(experiments.leave_one_out(tiny_model, tokens, 5))
    assert other[2] == pytest.approx(lnp(tokens, 5) - lnp(tokens[:2] + tokens[3:], 5), abs=1e-5)


def test_what_mattered_needs_an_answer_that_exists_and_a_token_to_leave_out(tiny_model):
    for run in (experiments.saliency, experiments.leave_one_out):
        with pytest.raises(ValueError, match="token"):
            run(tiny_model, [5, 6], 10**6)
        with pytest.raises(ValueError, match="empty"):
            run(tiny_model, "")
    with pytest.raises(ValueError, match="one token"):
        experiments.leave_one_out(tiny_model, [5])


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
    with pytest.raises(ValueError, match="at least 1 bit"):
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


# --- fine-tuning -----------------------------------------------------------------------------------------------------


def test_many_answers_at_once_are_the_answers_one_by_one(model):
    questions = list(fine_tuning.UNTAUGHT)[:2]
    one_by_one = [fine_tuning.answer(model, question, 8) for question in questions]
    assert fine_tuning.answers(model, questions, 8) == one_by_one


def test_an_answer_at_once_ends_where_the_model_ends_it(model):
    question = "What is the capital of Spain?"
    whole = fine_tuning.answer(model, question)
    assert fine_tuning.answers(model, [question]) == [whole]


# --- small models ----------------------------------------------------------------------------------------------------


def test_a_training_keeps_what_it_was_and_how_it_went():
    run = learning.Training(STORY, steps=22)
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


def test_a_table_in_order_repeats_the_last_token():
    """The table serves both ends: where the blocks add nothing, each token is the likeliest after itself."""
    model = learning.Training(STORY, steps=1).first
    nothing = Edits(attention={0: 0, 1: 0}, ffn={0: 0, 1: 0})
    windows = learning.windows(model, STORY)
    assert learning.repeats_the_last(model, windows, nothing) == 1


def test_the_words_and_passages_that_a_model_has_from_its_text(tiny_model, monkeypatch):
    monkeypatch.setattr(learning, "writings", lambda _model: ["xx The cat zog sat it", "The dog"])
    assert (
        learning.known_words(tiny_model, "The cat sat") == 0.5
    )  # of cat and zog: neither the first word nor the last
    assert learning.copied(tiny_model, "The cat sat") == (len("The cat ") + len("The ")) / 2
