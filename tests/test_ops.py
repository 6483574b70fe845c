"""softmax, rms_norm, silu and linear against their formulas in float64, one number at a time."""

import math

import numpy as np
import pytest
from finite_differences import assert_slopes

from llmviz import ops


def random(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def softmax_of(row) -> list[float]:
    exps = [math.exp(float(x)) for x in row]
    return [e / math.fsum(exps) for e in exps]


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 4)])
def test_softmax_is_each_exp_over_their_sum(shape):
    x = random(*shape, scale=3)
    shares = ops.softmax(x)
    assert shares.dtype == np.float32
    assert shares.shape == shape
    expected = np.array([softmax_of(row) for row in x.reshape(-1, shape[-1])]).reshape(shape)
    np.testing.assert_allclose(shares, expected, rtol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, rtol=1e-6)


def test_softmax_gives_exactly_nothing_to_minus_infinity():
    shares = ops.softmax(np.array([[0, -np.inf, 0], [-np.inf, -np.inf, 5]], np.float32))
    assert shares.tolist() == [[0.5, 0, 0.5], [0, 0, 1]]


def test_softmax_neither_overflows_nor_underflows_to_nan():
    assert ops.softmax(np.array([1e38, -1e38, 1e38], np.float32)).tolist() == [0.5, 0, 0.5]
    assert ops.softmax(np.array([-1e30, -1e30], np.float32)).tolist() == [0.5, 0.5]


def test_softmax_does_not_see_a_common_shift():
    x = random(6)
    np.testing.assert_allclose(ops.softmax(x + np.float32(100)), ops.softmax(x), rtol=1e-4)


@pytest.mark.parametrize("shape", [(8,), (3, 8), (2, 3, 8)])
def test_rms_norm_divides_by_the_root_of_the_mean_square(shape):
    x, weight, eps = random(*shape, scale=5), random(8, seed=1), 1e-5
    normed = ops.rms_norm(x, weight, eps=eps)
    assert normed.dtype == np.float32
    for row, got in zip(x.reshape(-1, 8), normed.reshape(-1, 8)):
        rms = math.sqrt(math.fsum(float(v) ** 2 for v in row) / 8 + eps)
        np.testing.assert_allclose(got, [float(v) / rms * float(w) for v, w in zip(row, weight)], rtol=1e-5)
    np.testing.assert_allclose(x * ops.rms_scale(x, weight, eps=eps), normed, rtol=1e-5)


def test_rms_norm_gives_every_vector_a_root_mean_square_of_one_whatever_its_length():
    ones = np.ones(16, np.float32)
    for scale in (1e-1, 1.0, 1e6, 1e15):
        normed = ops.rms_norm(random(16, scale=scale), ones, eps=1e-5)
        assert np.sqrt(np.mean(normed.astype(np.float64) ** 2)) == pytest.approx(1, rel=1e-2)


def test_rms_norm_leaves_a_zero_vector_at_zero():
    assert not ops.rms_norm(np.zeros((2, 4), np.float32), np.ones(4, np.float32), eps=1e-5).any()


def test_rms_norm_keeps_the_sign_and_does_not_subtract_the_mean():
    x = np.full((1, 4), -3, np.float32)
    np.testing.assert_allclose(ops.rms_norm(x, np.ones(4, np.float32), eps=0.0), -1, rtol=1e-6)


def test_silu_is_x_times_its_sigmoid():
    x = np.concatenate([random(200, scale=4), np.array([0, 1, -1, 30, -30], np.float32)])
    expected = [float(v) / (1 + math.exp(-float(v))) for v in x]
    np.testing.assert_allclose(ops.silu(x), expected, rtol=1e-5, atol=1e-6)


def test_silu_of_huge_numbers():
    big = np.array([1e4, 1e30, 3e38], np.float32)
    np.testing.assert_array_equal(ops.silu(big), big)
    np.testing.assert_array_equal(ops.silu(-big), 0)


@pytest.mark.parametrize("rows", [1, 2, 64, 65, 200])  # both sides of where the order of the product changes
@pytest.mark.parametrize("as_stored", [True, False])
def test_linear_is_the_product_in_either_order(rows, as_stored):
    x = random(rows, 24)
    W = random(40, 24, seed=1).T if as_stored else random(24, 40, seed=1)
    got = ops.linear(x, W)
    assert got.shape == (rows, 40)
    expected = [
        [math.fsum(float(a) * float(b) for a, b in zip(row, W[:, j])) for j in (0, 17, 39)] for row in x
    ]
    np.testing.assert_allclose(got[:, [0, 17, 39]], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.softmax(x),
        lambda x: ops.rms_norm(x, np.ones(x.shape[-1], np.float32), eps=1e-5),
        lambda x: ops.silu(x),
        lambda x: ops.linear(x, np.eye(x.shape[-1], dtype=np.float32)),
    ],
)
def test_the_input_is_left_as_it_was(call):
    x = random(3, 4)
    before = x.copy()
    x.flags.writeable = False
    call(x)
    np.testing.assert_array_equal(x, before)


# --- backwards -------------------------------------------------------------------------------------------------------


def doubles(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 4)])
def test_softmax_backward(shape):
    x, d_shares = doubles(*shape), doubles(*shape, seed=1)
    d_x = ops.softmax_backward(d_shares, ops.softmax(x))
    assert_slopes(lambda: (d_shares * ops.softmax(x)).sum(), x=(x, d_x))


def test_nothing_goes_back_to_a_score_that_is_masked_and_a_share_of_one_cannot_change():
    x = doubles(4, 4)
    x[np.triu_indices(4, 1)] = -np.inf
    d_shares = doubles(4, 4, seed=1)
    d_x = ops.softmax_backward(d_shares, ops.softmax(x))
    np.testing.assert_array_equal(d_x[np.triu_indices(4, 1)], 0)
    assert d_x[0, 0] == 0
    seen = np.tril_indices(4)
    visible = x[seen]

    def weighed() -> float:
        x[seen] = visible
        return (d_shares * ops.softmax(x)).sum()

    assert_slopes(weighed, scores=(visible, d_x[seen]))


@pytest.mark.parametrize("shape", [(6,), (3, 6), (2, 3, 6)])
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_rms_norm_backward(shape, eps):
    x, weight, d_out = doubles(*shape, scale=2), doubles(6, seed=1), doubles(*shape, seed=2)
    d_x, d_weight = ops.rms_norm_backward(d_out, x, weight, eps=eps)
    f = lambda: (d_out * ops.rms_norm(x, weight, eps=eps)).sum()  # noqa: E731
    assert_slopes(f, x=(x, d_x), weight=(weight, d_weight))


def test_a_longer_vector_of_the_same_direction_is_normed_alike_so_nothing_goes_back_along_it():
    x, d_out = doubles(3, 6, scale=50), doubles(3, 6, seed=2)
    d_x, _ = ops.rms_norm_backward(d_out, x, np.ones(6), eps=1e-12)
    np.testing.assert_allclose((d_x * x).sum(axis=-1), 0, rtol=0, atol=1e-9)


def test_layer_norm_backward():
    x, weight, d_out = doubles(3, 6, scale=2), doubles(6, seed=1), doubles(3, 6, seed=2)
    bias = doubles(6, seed=3)
    d_x, d_weight, d_bias = ops.layer_norm_backward(d_out, x, weight, eps=1e-5)
    f = lambda: (d_out * ops.layer_norm(x, weight, bias, eps=1e-5)).sum()  # noqa: E731
    assert_slopes(f, x=(x, d_x), weight=(weight, d_weight), bias=(bias, d_bias))


@pytest.mark.parametrize("curve", ops.ACTIVATIONS)
def test_the_backward_of_each_curve(curve):
    x, d_out = doubles(4, 5, scale=3), doubles(4, 5, seed=1)
    d_x = ops.ACTIVATIONS_BACKWARD[curve](d_out, x)
    assert_slopes(lambda: (d_out * ops.ACTIVATIONS[curve](x)).sum(), x=(x, d_x))


def test_soft_cap_backward():
    x, d_out = doubles(4, 5, scale=3), doubles(4, 5, seed=1)
    d_x = ops.soft_cap_backward(d_out, ops.soft_cap(x, 2.0), 2.0)
    assert_slopes(lambda: (d_out * ops.soft_cap(x, 2.0)).sum(), x=(x, d_x))


def test_silu_backward_of_what_is_far_from_zero_is_all_or_nothing():
    far = np.array([1e30, 200, -200, -1e30], np.float32)
    with np.errstate(all="raise"):
        assert ops.silu_backward(np.ones(4, np.float32), far).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("rows", [3, 65])  # both orders of the product
def test_linear_backward_and_gradient(rows):
    x, W, d_out = doubles(rows, 4), doubles(5, 4, seed=1).T, doubles(rows, 5, seed=2)
    f = lambda: (d_out * ops.linear(x, W)).sum()  # noqa: E731
    d_W = ops.linear_gradient(d_out, x)
    assert_slopes(f, x=(x, ops.linear_backward(d_out, W)), W=(W, d_W))
    assert d_W.T.flags.c_contiguous  # as the matrices lie


@pytest.mark.parametrize(
    "call",
    [
        lambda d, x: ops.softmax_backward(d, ops.softmax(x)),
        lambda d, x: ops.rms_norm_backward(d, x, np.ones(4, np.float32), eps=1e-5),
        lambda d, x: ops.layer_norm_backward(d, x, np.ones(4, np.float32), eps=1e-5),
        lambda d, x: ops.silu_backward(d, x),
        lambda d, x: ops.gelu_tanh_backward(d, x),
        lambda d, x: ops.soft_cap_backward(d, x, 2.0),
        lambda d, x: ops.linear_backward(d, np.eye(4, dtype=np.float32)),
        lambda d, x: ops.linear_gradient(d, x),
    ],
)
def test_backwards_is_float32_as_well_and_leaves_what_it_reads(call):
    d, x = random(3, 4), random(3, 4, seed=1)
    before = d.copy(), x.copy()
    d.flags.writeable = x.flags.writeable = False
    gradients = call(d, x)
    assert {array.dtype for array in (gradients if isinstance(gradients, tuple) else (gradients,))} == {
        np.dtype(np.float32)
    }
    np.testing.assert_array_equal((d, x), before)


def test_top_is_by_probability_then_by_id():
    probs = np.array([0.1, 0.3, 0.1, 0.3, 0.2])
    assert ops.top(probs, 4).tolist() == [1, 3, 4, 0]
    assert ops.top(probs, 99).tolist() == [1, 3, 4, 0, 2]


def test_gelu_is_near_the_normal_distribution_s():
    x = np.linspace(-6, 6, 101).astype(np.float32)
    expected = [value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in x.tolist()]
    np.testing.assert_allclose(ops.gelu_tanh(x), expected, rtol=0, atol=1e-3)


def test_the_soft_cap_hardly_changes_small_numbers_and_ends_at_the_cap():
    x = np.array([-1e6, -0.1, 0.0, 0.1, 7.0, 1e6], np.float32)
    capped = ops.soft_cap(x, 10.0)
    np.testing.assert_allclose(capped, [-10, -0.1, 0, 0.1, 10 * math.tanh(0.7), 10], rtol=1e-3)
    assert capped.dtype == np.float32


def test_layer_norm_takes_the_mean_away_too():
    x, weight, bias = random(3, 40, scale=5, seed=1), random(40, seed=2), random(40, seed=3)
    standard = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    expected = standard * weight + bias
    np.testing.assert_allclose(ops.layer_norm(x, weight, bias, eps=1e-5), expected, rtol=0, atol=1e-5)
