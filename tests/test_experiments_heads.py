"""Measures of heads and of one query, on a run."""

import numpy as np
import pytest

from llmviz import Edits, attention, experiments
from llmviz.experiments import attention_behaviours
from llmviz.views.attention.head_grid import MAP_SIZE


@pytest.fixture(scope="module")
def cat(model):
    return model.trace("The cat that I saw yesterday was sleeping")


@pytest.mark.parametrize("edits", [Edits(), Edits(causal_mask=False), Edits(score_scale=False)])
def test_one_querys_weights_are_the_patterns_row(tiny_model, edits):
    trace = tiny_model.trace("The cat sat on the cat", edits)
    for query in range(len(trace.tokens)):
        weights = experiments.attention_from(trace, query)
        assert weights.shape == (3, 6, len(trace.tokens))
        patterns = [block.attention.pattern[:, query] for block in trace.blocks]
        np.testing.assert_allclose(np.nan_to_num(weights), patterns, rtol=1e-4, atol=1e-6)
        assert np.isnan(weights).any() == (edits.causal_mask and query < len(trace.tokens) - 1)


@pytest.mark.parametrize(
    "edits",
    [Edits(), Edits(causal_mask=False, score_scale=False), Edits(head={(1, 2): 0.5}, attention={1: 2})],
)
def test_one_query_on_its_own_is_its_row_of_all(tiny_model, edits):
    block = tiny_model.trace("The cat sat on the cat", edits).blocks[1]
    whole = block.attention
    for query in range(block.q.shape[1]):
        row = block.attention_at(query)
        seen = row.pattern.shape[2]
        np.testing.assert_allclose(row.pattern[:, 0], whole.pattern[:, query, :seen], rtol=1e-5)
        assert not whole.pattern[:, query, seen:].any()
        np.testing.assert_allclose(row.scores[:, 0], whole.scores[:, query, :seen], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(row.z[:, 0], whole.z[:, query], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(row.out[0], whole.out[query], rtol=1e-4, atol=1e-6)


def test_the_overview_of_a_short_text_is_its_patterns(cat):
    seen = experiments.overview(cat, MAP_SIZE, False)
    assert (seen.maps.shape, seen.step) == ((30, 9, 8, 8), 1)
    pattern = cat.blocks[13].attention.pattern
    np.testing.assert_array_equal(np.nan_to_num(seen.maps[13]), pattern)
    assert np.isnan(seen.maps[13, 8][np.triu_indices(8, 1)]).all()  # masked is blank, not zero
    np.testing.assert_array_equal(seen.scores[1, 13], attention.first_token_score(pattern))
    np.testing.assert_array_equal(seen.scores, experiments.head_behaviours(cat))
    assert np.isnan(seen.scores[2:]).all()  # no token comes twice
    hidden = experiments.overview(cat, MAP_SIZE, True)
    np.testing.assert_allclose(np.nansum(hidden.maps[..., 1:, :], axis=-1), 1, rtol=1e-4)
    assert np.isnan(hidden.maps[..., 0]).all()


@pytest.mark.parametrize(("seq", "step"), [(5, 2), (6, 3), (7, 1)])
def test_blocks_keep_their_largest_number(seq, step):
    pattern = np.random.default_rng(seq).random((2, seq, seq), dtype=np.float32)
    pattern[:, *np.triu_indices(seq, 1)] = np.nan
    blocks = attention_behaviours.largest_in_blocks(pattern, step)
    for h, r, c in np.ndindex(blocks.shape):
        block = pattern[h, r * step : (r + 1) * step, c * step : (c + 1) * step]
        known = block[~np.isnan(block)]
        assert np.isnan(blocks[h, r, c]) if not known.size else blocks[h, r, c] == known.max()


def test_strongest_skips_what_is_not_a_number():
    assert experiments.strongest_heads(np.array([[0.1, np.nan], [0.9, 0.5]]), 9) == [(1, 0), (1, 1), (0, 0)]
    assert experiments.strongest_heads(np.full((2, 2), np.nan), 3) == []


def test_random_heads_are_others():
    taken = [(0, 0), (1, 1)]
    heads = experiments.random_heads((2, 3), 10, taken, seed=0)
    assert len(heads) == len(set(heads)) == 4
    assert not set(heads) & set(taken)
    one_draw, another = (experiments.random_heads((30, 9), 8, taken, seed=seed) for seed in (1, 2))
    assert one_draw != another


def test_patterns_that_were_changed_are_shown_as_changed(tiny_model):
    """What is read off a head is what the run used, also where a function changes its scores or its pattern."""
    trace = tiny_model.trace("The cat sat on the dog", Edits(at={("scores", 1): lambda scores: 3 * scores}))
    changed = trace.blocks[1].attention.pattern
    assert np.abs(changed - tiny_model.trace(trace.tokens).blocks[1].attention.pattern).max() > 1e-3
    np.testing.assert_array_equal(trace.blocks[1].patterns(slice(2, 4)), changed[2:4])
    np.testing.assert_allclose(experiments.attention_from(trace, 3)[1, :, :4], changed[:, 3, :4], rtol=1e-5)


def test_a_second_sink_wakes_no_head(model):
    """L17·H3 looks at a token that has become a sink: half of its weight is not on the first one, and moves nothing."""
    trace = model.trace("one two three one two three one two three")
    on_others = 1 - attention.first_token_score(trace.blocks[17].attention.pattern)[3]
    assert on_others > 0.5
    assert experiments.weight_off_sinks(trace)[17, 3] < 0.15
