"""The numbers of a text's journey, each against a formula of its own."""

from dataclasses import replace

import numpy as np
import pytest

import llmviz
from llmviz import ops, sampling
from llmviz.experiments.journey import turn
from llmviz.model import Model

TEXT = "the cat sat on the dog"


@pytest.fixture
def trace(trace_with_a_long_column):
    return trace_with_a_long_column


@pytest.fixture
def numbers(trace):
    return turn(trace)


def states(trace):
    rows = [trace.blocks[0].resid_pre]
    for block in trace.blocks:
        rows += [block.resid_mid, block.resid_post]
    return np.stack(rows)


def test_columns_are_some_of_the_numbers_of_the_stream(trace, numbers):
    dims = range(0, trace.model.config.d_model, numbers.every)
    for state, stream in enumerate(states(trace)):
        for token in range(len(trace.tokens)):
            expected = [stream[token, dim] for dim in dims]
            np.testing.assert_array_equal(numbers.streams[state, token], expected)
    assert numbers.streams.shape[2] <= 2 * 32


def test_lengths_are_norms_and_long_ones_stand_out(trace, numbers):
    for state, stream in enumerate(states(trace)):
        lengths = [float((row.astype(np.float64) ** 2).sum() ** 0.5) for row in stream]
        np.testing.assert_allclose(numbers.lengths[state], lengths, rtol=1e-5)
        usual = sorted(lengths)[len(lengths) // 2] if len(lengths) % 2 else None
        middle = usual or sum(sorted(lengths)[len(lengths) // 2 - 1 : len(lengths) // 2 + 1]) / 2
        assert numbers.long[state].tolist() == [length > 3 * middle for length in lengths]
    assert numbers.long[3].tolist() == [False, True, *[False] * (len(trace.tokens) - 2)]


def test_full_colour_leaves_the_long_columns_out(numbers):
    ordinary = np.abs(np.delete(numbers.streams[3], 1, axis=0)).ravel()
    assert numbers.scales[3] == pytest.approx(np.percentile(ordinary, 97))
    assert numbers.scales[3] < np.percentile(np.abs(numbers.streams[3]), 97)


def test_what_attention_and_the_ffn_add(trace, numbers):
    for layer, block in enumerate(trace.blocks):
        out = block.ffn.out
        np.testing.assert_allclose(numbers.ffn_adds[layer], out[:, :: numbers.every], atol=1e-4)
        np.testing.assert_allclose(numbers.adds[2 * layer + 1], np.linalg.norm(out, axis=1), rtol=1e-3)
        into = np.linalg.norm(block.attention.out, axis=1)
        np.testing.assert_allclose(numbers.adds[2 * layer], into, rtol=1e-3, atol=1e-4)


def test_looks_are_the_strong_ones_at_earlier_tokens_that_are_not_long(trace, numbers):
    expected, n_drawn = [], 10 + len(trace.tokens) // 2
    for layer, block in enumerate(trace.blocks):
        pattern, here = block.attention.pattern, []
        for a in range(len(trace.tokens)):
            for b in range(a):
                weights = [pattern[head, a, b] for head in range(len(pattern))]
                if max(weights) >= 0.3 and not numbers.long[2 * layer, b]:
                    here.append((layer, a, b, int(np.argmax(weights)), float(max(weights))))
        expected += sorted(here, key=lambda look: -look[-1])[:n_drawn]
    found = sorted(map(tuple, numbers.looks.tolist()))
    assert len(found) == len(expected) > n_drawn
    np.testing.assert_allclose(found, sorted(expected), rtol=1e-5)


def test_rests_are_means_over_heads_and_go_to_long_columns_only(trace, numbers):
    for layer, block in enumerate(trace.blocks):
        for a in range(len(trace.tokens)):
            for b in range(len(trace.tokens)):
                weight = float(np.mean([head[a, b] for head in block.attention.pattern]))
                expected = weight if numbers.long[2 * layer, b] else 0
                assert numbers.rests[layer, a, b] == pytest.approx(expected, abs=1e-6)
    assert numbers.rests[2].any()


def test_the_last_tokens_strongest_look(trace, numbers):
    for layer, (block, look) in enumerate(zip(trace.blocks, numbers.strongest)):
        options = [
            (float(weight), place, head)
            for head, row in enumerate(block.attention.pattern[:, -1])
            for place, weight in enumerate(row[:-1])
            if not numbers.long[2 * layer, place]
        ]
        weight, place, head = max(options)
        assert (look.place, look.head, look.piece) == (place, head, trace.pieces[place])
        assert look.weight == pytest.approx(weight, rel=1e-5)


def test_no_look_at_a_begin_token(tiny_model):
    trace = tiny_model.trace(TEXT)
    begin = trace.tokens[next(look.place for look in turn(trace).strongest)]
    begins = Model(tiny_model.weights, replace(tiny_model.tokenizer, begin_token=begin))
    strongest = turn(begins.trace(trace.tokens)).strongest
    assert all(look.weight and trace.tokens[look.place] != begin for look in strongest)


def test_the_neurons_that_write_most(trace, numbers):
    for layer, block in enumerate(trace.blocks):
        for token, hidden in enumerate(block.ffn.hidden):
            rows = hidden[:, None] * trace.model.weights.layers[layer].W_down
            sizes = np.sqrt((rows**2).sum(axis=1))
            assert numbers.neurons[layer, token].tolist() == sizes.argsort()[::-1][:5].tolist()
            shares = np.sort(sizes)[::-1][:5] / np.linalg.norm(rows.sum(axis=0))
            np.testing.assert_allclose(numbers.pushes[layer, token], shares, rtol=2e-3)


def test_the_guess_at_each_depth_is_the_logit_lens(trace, numbers):
    for layer, (piece, prob) in enumerate(numbers.depths):
        logits = trace.lens(layer)[-1]
        assert piece == trace.model.tokenizer.pieces([int(logits.argmax())])[0]
        assert prob == pytest.approx(1 / float(np.exp(logits - logits.max()).sum()), rel=1e-4)


def test_the_last_column_gives_the_logits(trace, numbers):
    model = trace.model
    last = trace.blocks[-1].resid_post[-1]
    normed = ops.rms_norm(last[None], model.weights.final_norm, eps=model.config.norm_eps)[0]
    np.testing.assert_allclose(numbers.final, normed[:: numbers.every], rtol=1e-5)
    np.testing.assert_allclose(normed @ model.weights.W_U, trace.logits, rtol=1e-4, atol=1e-4)


def test_the_table_is_cut_into_bands_that_leave_no_row_out(trace, numbers):
    n_vocab, bands = trace.model.config.n_vocab, numbers.bands.tolist()
    assert bands[0] == 0
    assert bands == sorted(set(bands))
    assert bands[-1] < n_vocab
    for first, end, best in zip(bands, [*bands[1:], n_vocab], numbers.matches):
        assert best == max(trace.logits[row] for row in range(first, end))
    W_E = trace.model.weights.W_E
    np.testing.assert_array_equal(numbers.table[-1], W_E[bands[-1], :: numbers.every][:24])
    assert numbers.tied is False  # this tiny model has a table of its own for the output


def test_clock_hands(trace, numbers):
    config = trace.model.config
    for hand, pair in enumerate(pair for pair in (0, 4, 8) if pair < config.d_head // 2):
        for place in range(len(trace.tokens)):
            angle = place / config.rope_base ** (2 * pair / config.d_head)
            assert numbers.angles[hand, place] == pytest.approx(angle)
        assert numbers.turns[hand] == pytest.approx(
            2 * np.pi * config.rope_base ** (2 * pair / config.d_head)
        )
    assert not turn(trace.model.trace(TEXT, llmviz.Edits(rope=False))).angles.any()


def test_the_line_of_all_tokens(trace, numbers):
    probs = np.exp(trace.logits.astype(np.float64) - trace.logits.max())
    probs /= probs.sum()
    assert [guess.token for guess in numbers.likeliest] == probs.argsort()[::-1][:10].tolist()
    for guess in [*numbers.likeliest, numbers.drawn]:
        assert guess.prob == pytest.approx(probs[guess.token], rel=1e-4)
        assert guess.start == pytest.approx(probs[: guess.token].sum(), abs=1e-5)
        assert guess.score == pytest.approx(trace.logits[guess.token])
    assert numbers.others == pytest.approx(1 - sum(guess.prob for guess in numbers.likeliest), abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_the_random_number_is_the_one_that_draw_uses(trace, seed):
    numbers = turn(trace, seed=seed)
    probs = sampling.Sampler().probs(trace.logits)
    assert numbers.drawn.token == sampling.draw(probs, np.random.default_rng(seed))
    assert numbers.random == np.random.default_rng(seed).random()
    inside = numbers.random - numbers.drawn.start
    assert -1e-6 <= inside <= numbers.drawn.prob + 1e-6


def test_long_texts_show_the_first_and_the_last_tokens(tiny_model):
    trace = tiny_model.trace([1, 2, 3, 4, 5, 6, 7, 8])
    few, all_of_them = turn(trace, limit=3), turn(trace)
    assert few.shown == [0, 6, 7]
    np.testing.assert_array_equal(few.lengths, all_of_them.lengths[:, few.shown])
    np.testing.assert_array_equal(few.neurons, all_of_them.neurons[:, few.shown])
    assert [look and look.place for look in few.strongest] == [
        look and look.place for look in all_of_them.strongest
    ]
