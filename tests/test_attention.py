"""Attention against loops over heads, queries and keys in float64, and the head measures on patterns made by hand."""

import math

import numpy as np
import pytest
from finite_differences import assert_slopes
from messages import holding

from llmviz import attention, ops
from llmviz.weights import Config

HEADS = [(4, 4), (6, 2), (9, 3), (4, 1), (1, 1)]  # query heads, key/value heads
D_HEAD, D_MODEL = 6, 10


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def arrays(n_heads: int, n_kv_heads: int, *, seq: int = 5, kv_seq: int = 5) -> tuple[np.ndarray, ...]:
    """q, k, v, W_O"""
    return (
        random(n_heads, seq, D_HEAD, seed=1) * np.float32(2),
        random(n_kv_heads, kv_seq, D_HEAD, seed=2) * np.float32(2),
        random(n_kv_heads, kv_seq, D_HEAD, seed=3),
        random(n_heads, D_HEAD, D_MODEL, seed=4),
    )


def by_hand(q, k, v, W_O, *, causal=True, scale=True, head_scale=None) -> dict[str, np.ndarray]:
    """One head, one query, one key at a time."""
    (n_heads, seq, d_head), (n_kv_heads, kv_seq, _) = q.shape, k.shape
    q, k, v, W_O = (array.astype(np.float64) for array in (q, k, v, W_O))
    scores, pattern = np.full((n_heads, seq, kv_seq), -np.inf), np.zeros((n_heads, seq, kv_seq))
    z, out = np.zeros((n_heads, seq, d_head)), np.zeros((seq, W_O.shape[2]))
    for h in range(n_heads):
        shared = h * n_kv_heads // n_heads
        for i in range(seq):
            here = kv_seq - seq + i
            seen = [j for j in range(kv_seq) if j <= here or not causal]
            for j in seen:
                scores[h, i, j] = math.fsum(q[h, i] * k[shared, j]) / (math.sqrt(d_head) if scale else 1)
            total = math.fsum(math.exp(scores[h, i, j]) for j in seen)
            for j in seen:
                pattern[h, i, j] = math.exp(scores[h, i, j]) / total
                z[h, i] += pattern[h, i, j] * v[shared, j]
            z[h, i] *= 1 if head_scale is None else head_scale[h]
            out[i] += z[h, i] @ W_O[h]
    return {"scores": scores, "pattern": pattern, "z": z, "out": out}


def heads_scaled(scale: np.ndarray):
    """What a head hands over, times a number."""
    return lambda name, array: array * scale[:, None, None] if name == "z" else array


def assert_same(trace: attention.AttentionTrace, expected: dict[str, np.ndarray]) -> None:
    for name, array in expected.items():
        np.testing.assert_allclose(getattr(trace, name), array, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), HEADS)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_attention_equals_the_loops(n_heads, n_kv_heads, causal, scale):
    given = arrays(n_heads, n_kv_heads)
    trace = attention.attend(*given, causal=causal, scale=scale)
    assert_same(trace, by_hand(*given, causal=causal, scale=scale))
    np.testing.assert_allclose(trace.pattern.sum(axis=-1), 1, rtol=1e-5)
    for name in ("scores", "pattern", "z", "out"):
        assert getattr(trace, name).dtype == np.float32, name


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), HEADS)
@pytest.mark.parametrize("seq", [1, 3])
def test_fewer_queries_than_keys_are_the_last_ones(n_heads, n_kv_heads, seq):
    q, k, v, W_O = arrays(n_heads, n_kv_heads)
    whole = attention.attend(q, k, v, W_O)
    last = attention.attend(q[:, -seq:], k, v, W_O)
    assert_same(last, by_hand(q[:, -seq:], k, v, W_O))
    np.testing.assert_allclose(last.out, whole.out[-seq:], rtol=1e-4, atol=1e-5)


def test_the_future_gets_exactly_nothing():
    trace = attention.attend(*arrays(6, 2))
    future = np.triu(np.ones((5, 5), bool), k=1)
    assert np.isneginf(trace.scores[:, future]).all()
    assert not trace.pattern[:, future].any()
    assert (trace.pattern[:, ~future] > 0).all()
    np.testing.assert_array_equal(trace.pattern[:, 0, 0], 1)


def test_head_scale_multiplies_what_a_head_hands_over_and_not_where_it_looks():
    given = arrays(6, 2)
    scale = np.array([1, 0, 2, 1, -1, 0.5], np.float32)
    trace = attention.attend(*given, edit=heads_scaled(scale))
    assert_same(trace, by_hand(*given, head_scale=scale))
    np.testing.assert_array_equal(trace.pattern, attention.attend(*given).pattern)


def test_without_scale_the_scores_are_root_d_head_larger():
    q, k, _, _ = arrays(4, 4)
    larger, smaller = (attention.attention_scores(q, k, scale=scale) for scale in (False, True))
    np.testing.assert_allclose(larger, smaller * math.sqrt(D_HEAD), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("seq", "kv_seq"), [(1, 1), (4, 4), (1, 6), (3, 6)])
def test_the_mask_hides_what_comes_later(seq, kv_seq):
    expected = [[j > kv_seq - seq + i for j in range(kv_seq)] for i in range(seq)]
    assert attention.hidden_keys(np.arange(kv_seq - seq, kv_seq), kv_seq).tolist() == expected


@pytest.mark.parametrize("stored_as_views", [True, False])
@pytest.mark.parametrize("seq", [1, 5, 80])
def test_project_multiplies_by_each_heads_matrix(stored_as_views, seq):
    W = random(3, D_MODEL, D_HEAD)
    if (
        stored_as_views
    ):  # as the weights come from the file: [heads * d_head, d_model], seen from another side
        W = np.ascontiguousarray(W.transpose(0, 2, 1)).transpose(0, 2, 1)
    x = random(seq, D_MODEL, seed=1)
    expected = np.stack([x.astype(np.float64) @ W[h] for h in range(3)])
    np.testing.assert_allclose(attention.project(x, W), expected, rtol=0, atol=1e-5)


def test_a_head_reads_the_whole_vector():
    """Not a slice of it: changing any one number of x changes every head's query."""
    x, W = random(1, D_MODEL), random(3, D_MODEL, D_HEAD)
    for i in range(D_MODEL):
        other = x.copy()
        other[0, i] += 1
        assert (attention.project(other, W) != attention.project(x, W)).any(axis=(1, 2)).all()


def test_output_adds_the_heads_up():
    z, W_O = random(3, 5, D_HEAD), random(3, D_HEAD, D_MODEL, seed=1)
    expected = sum(z[h].astype(np.float64) @ W_O[h] for h in range(3))
    np.testing.assert_allclose(attention.output(z, W_O), expected, rtol=0, atol=1e-5)


def test_mixing_weighs_the_values():
    pattern = np.array([[[1, 0, 0], [0.25, 0.75, 0], [0, 0, 1]]], np.float32)
    v = np.array([[[4, 0], [0, 4], [8, 8]]], np.float32)
    assert attention.mix(pattern, v).tolist() == [[[4, 0], [1, 3], [8, 8]]]


def test_inputs_are_left_as_they_were():
    given = arrays(6, 2)
    before = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    attention.attend(*given, edit=heads_scaled(np.zeros(6, np.float32)))
    for array, old in zip(given, before):
        np.testing.assert_array_equal(array, old)


def test_every_array_can_be_changed_as_it_arises():
    q, k, v, W_O = arrays(6, 2)
    seen = {}

    def edit(name, array):
        seen[name] = array.copy()
        return array + 1

    trace = attention.attend(q, k, v, W_O, edit=edit)
    assert list(seen) == ["scores", "pattern", "z", "attention_out"]
    np.testing.assert_array_equal(seen["scores"], attention.attention_scores(q, k))
    future = attention.hidden_keys(np.arange(k.shape[1] - q.shape[1], k.shape[1]), k.shape[1])
    np.testing.assert_array_equal(trace.scores, np.where(future, -np.inf, seen["scores"] + 1))
    np.testing.assert_array_equal(seen["z"], attention.mix(trace.pattern, v))
    np.testing.assert_array_equal(trace.pattern, seen["pattern"] + 1)
    np.testing.assert_array_equal(trace.out, seen["attention_out"] + 1)


def test_heads_that_cannot_be_grouped_are_told():
    q, _, _, W_O = arrays(5, 5)
    _, k, v, _ = arrays(2, 2)
    with pytest.raises(ValueError, match=holding(5, 2)):
        attention.attend(q, k, v, W_O)
    with pytest.raises(ValueError, match=holding("v", v.shape)):
        attention.attend(q, k[:1], v, W_O)


# Head measures


def looks_at(keys: list[int]) -> np.ndarray:
    """The pattern of one head whose query i puts all its weight on keys[i]: [1, seq, seq]."""
    return np.eye(len(keys), dtype=np.float32)[keys][None]


def measures(pattern: np.ndarray, tokens: list[int]) -> dict[str, float]:
    return {
        "previous": attention.previous_token_score(pattern)[0].item(),
        "first": attention.first_token_score(pattern)[0].item(),
        "duplicate": attention.duplicate_token_score(pattern, tokens)[0].item(),
        "induction": attention.induction_score(pattern, tokens)[0].item(),
    }


#         place:  0  1  2  3  4  5
TWICE = [7, 8, 9, 7, 8, 9]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([0, 0, 1, 2, 3, 4], {"previous": 1, "first": 1 / 5, "duplicate": 0, "induction": 0}),
        ([0, 0, 0, 0, 0, 0], {"previous": 1 / 5, "first": 1, "duplicate": 1 / 3, "induction": 0}),
        ([0, 1, 2, 0, 1, 2], {"previous": 0, "first": 1 / 5, "duplicate": 1, "induction": 0}),
        # always the token that followed the earlier copy
        ([0, 1, 2, 1, 2, 3], {"previous": 0, "first": 0, "duplicate": 0, "induction": 1}),
        ([0, 1, 2, 3, 4, 5], {"previous": 0, "first": 0, "duplicate": 0, "induction": 0}),
    ],
)
def test_measures_of_heads_made_by_hand(keys, expected):
    assert measures(looks_at(keys), TWICE) == pytest.approx(expected)


def naive_measures(pattern: np.ndarray, tokens: list[int]) -> dict[str, float]:
    """The definitions in words, as loops."""
    seq, weights_of = len(tokens), {"previous": [], "first": [], "duplicate": [], "induction": []}
    for i in range(1, seq):
        copies = [j for j in range(i) if tokens[j] == tokens[i]]
        weights_of["previous"].append(pattern[i, i - 1])
        weights_of["first"].append(pattern[i, 0])
        if copies:
            weights_of["duplicate"].append(sum(pattern[i, j] for j in copies))
            weights_of["induction"].append(sum(pattern[i, j + 1] for j in copies))
    return {name: float(np.mean(weights)) if weights else math.nan for name, weights in weights_of.items()}


def test_measures_of_a_random_pattern_follow_their_definitions():
    tokens = np.random.default_rng(5).integers(4, size=12).tolist()  # many repeats, neighbours too
    pattern = attention.attend(*arrays(4, 2, seq=12, kv_seq=12)).pattern
    for head in range(4):
        got = measures(pattern[head : head + 1], tokens)
        assert got == pytest.approx(naive_measures(pattern[head], tokens), rel=1e-5)


def test_a_measure_where_it_never_could_happen_is_nan():
    nothing_repeats = measures(looks_at([0, 0, 1]), [1, 2, 3])
    assert math.isnan(nothing_repeats["duplicate"])
    assert math.isnan(nothing_repeats["induction"])
    assert nothing_repeats["previous"] == 1
    assert all(math.isnan(value) for value in measures(looks_at([0]), [5]).values())


def test_without_the_first_token_the_rest_sums_to_one_again():
    pattern = np.array([[[1, 0, 0], [0.75, 0.25, 0], [0.5, 0.2, 0.3]]], np.float32)
    hidden = attention.without_first_token(pattern)
    assert np.isnan(hidden[0, :, 0]).all()
    assert np.isnan(hidden[0, 0]).all()  # the first token sees itself only: nothing is left
    np.testing.assert_allclose(hidden[0, 1:, 1:], [[1, 0], [0.4, 0.6]], rtol=1e-6)
    assert pattern[0, 0, 0] == 1  # the given array is left alone


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), HEADS)
def test_the_key_head_of_a_query_head_is_the_one_that_moves_its_scores(n_heads, n_kv_heads):
    config = Config(1, n_heads, n_kv_heads, D_MODEL, D_HEAD, 8, 10, 10, 10_000.0, 1e-5)
    q, k, _, _ = arrays(n_heads, n_kv_heads)
    plain = attention.attention_scores(q, k)
    for shared in range(n_kv_heads):
        other = k.copy()
        other[shared] += 1
        moved = np.abs(attention.attention_scores(q, other) - plain).max(axis=(1, 2)) > 1e-3
        users = np.flatnonzero(moved)
        assert [config.kv_head_of(int(head)) for head in users] == [shared] * config.group_size
        assert (config.kv_head_of(users) == shared).all()


# --- backwards -------------------------------------------------------------------------------------------------------


def doubles(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("heads", [1, 3])
def test_projection_backwards(heads):
    x, W, d_heads = (
        doubles(4, D_MODEL),
        doubles(heads, D_MODEL, D_HEAD, seed=1),
        doubles(heads, 4, D_HEAD, seed=2),
    )
    f = lambda: (d_heads * attention.project(x, W)).sum()  # noqa: E731
    d_W = attention.project_gradient(d_heads, x)
    assert_slopes(f, x=(x, attention.project_backward(d_heads, W)), W=(W, d_W))
    assert d_W.transpose(0, 2, 1).flags.c_contiguous  # as W_Q, W_K and W_V lie


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), HEADS)
def test_scores_backwards(n_heads, n_kv_heads):
    q, k, d_scores = doubles(n_heads, 3, 4), doubles(n_kv_heads, 5, 4, seed=1), doubles(n_heads, 3, 5, seed=2)
    f = lambda: (d_scores * attention.attention_scores(q, k)).sum()  # noqa: E731
    d_q, d_k = attention.attention_scores_backward(d_scores, q, k)
    assert_slopes(f, q=(q, d_q), k=(k, d_k))


def test_scores_backwards_with_a_cap_and_another_divisor():
    rules = attention.Rules(divisor=3.0, cap=1.5)
    q, k, d_scores = doubles(4, 3, 4), doubles(2, 5, 4, seed=1), doubles(4, 3, 5, seed=2)
    f = lambda: (d_scores * attention.attention_scores(q, k, rules=rules)).sum()  # noqa: E731
    d_q, d_k = attention.attention_scores_backward(d_scores, q, k, rules=rules)
    assert_slopes(f, q=(q, d_q), k=(k, d_k))


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), HEADS)
def test_mixing_backwards(n_heads, n_kv_heads):
    pattern, v = doubles(n_heads, 3, 5), doubles(n_kv_heads, 5, 4, seed=1)
    d_z = doubles(n_heads, 3, 4, seed=2)
    d_pattern, d_v = attention.mix_backward(d_z, pattern, v)
    f = lambda: (d_z * attention.mix(pattern, v)).sum()  # noqa: E731
    assert_slopes(f, pattern=(pattern, d_pattern), v=(v, d_v))


@pytest.mark.parametrize("n_heads", [1, 4])
def test_output_backwards(n_heads):
    z, W_O, d_out = doubles(n_heads, 3, D_HEAD), doubles(n_heads, D_HEAD, 5, seed=1), doubles(3, 5, seed=2)
    f = lambda: (d_out * attention.output(z, W_O)).sum()  # noqa: E731
    d_W_O = attention.output_gradient(d_out, z)
    assert_slopes(f, z=(z, attention.output_backward(d_out, W_O)), W_O=(W_O, d_W_O))
    assert d_W_O.reshape(-1, 5).T.flags.c_contiguous  # as W_O lies


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), HEADS)
def test_all_of_masked_attention_backwards(n_heads, n_kv_heads):
    """The pieces in a row, through the mask, against nudging q, k and v of `attend` itself."""
    q, k, v = doubles(n_heads, 4, 4), doubles(n_kv_heads, 4, 4, seed=1), doubles(n_kv_heads, 4, 4, seed=2)
    W_O, d_out = doubles(n_heads, 4, 5, seed=3), doubles(4, 5, seed=4)
    trace = attention.attend(q, k, v, W_O)
    d_pattern, d_v = attention.mix_backward(attention.output_backward(d_out, W_O), trace.pattern, v)
    d_scores = ops.softmax_backward(d_pattern, trace.pattern)
    assert not d_scores[:, attention.hidden_keys(np.arange(4), 4)].any()
    d_q, d_k = attention.attention_scores_backward(d_scores, q, k)
    f = lambda: (d_out * attention.attend(q, k, v, W_O).out).sum()  # noqa: E731
    assert_slopes(f, q=(q, d_q), k=(k, d_k), v=(v, d_v))


def test_backwards_is_float32_as_well():
    q, k, v, W_O = arrays(6, 2)
    x, d_out, d_heads = random(5, D_MODEL), random(5, D_MODEL, seed=7), random(6, 5, D_HEAD, seed=8)
    gradients = [
        attention.project_backward(d_heads, W_O.transpose(0, 2, 1)),
        attention.project_gradient(d_heads, x),
        *attention.attention_scores_backward(random(6, 5, 5), q, k),
        *attention.mix_backward(d_heads, random(6, 5, 5), v),
        attention.output_backward(d_out, W_O),
        attention.output_gradient(d_out, d_heads),
    ]
    assert {array.dtype for array in gradients} == {np.dtype(np.float32)}


def test_a_query_meets_the_tokens_of_its_window():
    q, k, v = np.random.default_rng(1).standard_normal((3, 2, 7, 4)).astype(np.float32)
    _, whole, _ = attention.weigh(q, k, v)
    _, pattern, _ = attention.weigh(q, k, v, rules=attention.Rules(window=3))
    for query in range(7):
        seen = slice(max(0, query - 2), query + 1)
        expected = whole[:, query, seen] / whole[:, query, seen].sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(pattern[:, query, seen], expected, rtol=1e-5)
        assert np.count_nonzero(pattern[:, query]) == expected.size
    _, last, _ = attention.weigh(q[:, -1:], k, v, rules=attention.Rules(window=3))
    np.testing.assert_allclose(last, pattern[:, -1:], rtol=1e-6)


def test_scores_with_another_divisor_and_a_cap():
    q, k = np.random.default_rng(2).standard_normal((2, 2, 5, 4)).astype(np.float32)
    raw = attention.attention_scores(q, k, scale=False)
    scores = attention.attention_scores(q, k, rules=attention.Rules(divisor=3.0, cap=0.5))
    np.testing.assert_allclose(scores, 0.5 * np.tanh(raw / 3 / 0.5), rtol=1e-5, atol=1e-6)
