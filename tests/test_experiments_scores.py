"""One attention score, taken apart."""

from dataclasses import replace

import numpy as np
import pytest

from llmviz import Edits
from llmviz.experiments.score_parts import at_mean, score_parts, stream_parts, weights_at_mean

TEXT = "the cat sat on the dog"


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 5), (2, 3)])
def test_the_parts_sum_to_every_score_of_the_query(tiny_model, layer, head):
    trace = tiny_model.trace(TEXT)
    for query in (0, 3, -1):
        parts = score_parts(trace, layer, head, query)
        scores = trace.blocks[layer].attention.scores[head, query][: parts.values.shape[1]]
        np.testing.assert_allclose(parts.values.sum(axis=(0, 2)), scores, rtol=1e-3, atol=1e-4)
        assert parts.values.shape == (1 + 2 * layer, query % len(trace.tokens) + 1, 1 + 2 * layer)


def test_a_pair_of_parts_is_one_product(tiny_model):
    """By complex numbers: a pair of numbers turns by its angle, so a score is Re(q̄ k) with the angle between them."""
    trace, (layer, head, query, key) = tiny_model.trace(TEXT), (2, 4, 5, 1)
    config, w = tiny_model.config, tiny_model.weights.layers[layer]
    written = trace.blocks[0].ffn.out[query], trace.blocks[1].attention.out[key]
    vectors = []
    for at, part, W in ((query, written[0], w.W_Q[head]), (key, written[1], w.W_K[config.kv_head_of(head)])):
        x = trace.blocks[layer].resid_pre[at].astype(float)
        pairs = (part * w.attention_norm / np.sqrt((x**2).mean() + config.norm_eps) @ W).reshape(-1, 2)
        turn = at * config.rope_base ** (-np.arange(0, config.d_head, 2) / config.d_head)
        vectors.append((pairs[:, 0] + 1j * pairs[:, 1]) * np.exp(1j * turn))
    wanted = np.real(np.conj(vectors[0]) @ vectors[1]) / np.sqrt(config.d_head)
    parts = score_parts(trace, layer, head, query)
    place = parts.names.index("FFN 0"), key, parts.names.index("attention 1")
    assert parts.values[place] == pytest.approx(wanted, rel=1e-3)
    others = [parts.values[place[0], other, place[2]] for other in (0, 2, 3, 4, 5)]
    assert parts.beyond(key)[place[0], place[2]] == pytest.approx(
        wanted - np.mean(others), rel=1e-3, abs=1e-6
    )


def test_a_part_at_its_mean_is_a_run_with_another_stream(tiny_model):
    trace, (layer, head, key) = tiny_model.trace(TEXT), (2, 1, 3)
    _, parts = stream_parts(trace, layer)
    found = weights_at_mean(trace, layer, head, key)
    for i, part in enumerate(parts):
        others = np.mean([part[at] for at in range(len(part)) if at != key], axis=0)
        stream = trace.blocks[layer].resid_pre[key] - part[key] + others
        run = tiny_model.trace(trace.tokens, Edits(resid={(layer, key): stream}))
        assert found[i] == pytest.approx(run.blocks[layer].attention.pattern[head, -1, key], rel=1e-3)


@pytest.mark.parametrize("part", ["embedding", "attention 1", "FFN 0"])
def test_one_part_has_its_mean_at_one_key_and_all_later_parts_are_computed_again(tiny_model, part):
    trace, key = tiny_model.trace(TEXT), 3
    run = tiny_model.trace(trace.tokens, at_mean(trace, part, key))
    (names, before), (_, after) = stream_parts(trace, 2), stream_parts(replace(run, edits=Edits()), 2)
    own = names.index(part)
    mean = np.mean([before[own, at] for at in range(len(trace.tokens)) if at != key], axis=0)
    np.testing.assert_allclose(after[own, key], mean, atol=1e-5)
    elsewhere = np.arange(len(trace.tokens)) != key
    np.testing.assert_allclose(after[own, elsewhere], before[own, elsewhere], atol=1e-5)
    np.testing.assert_allclose(after[:own], before[:own], atol=1e-5)
    assert all(np.abs(after[later, key] - before[later, key]).max() > 1e-3 for later in range(own + 1, 5))


def test_only_an_unchanged_run_is_taken_apart(tiny_model):
    with pytest.raises(ValueError, match="edits"):
        score_parts(tiny_model.trace(TEXT, Edits(rope=False)), 1, 0)
    with pytest.raises(ValueError, match="head"):
        score_parts(tiny_model.trace(TEXT), 1, 99)
