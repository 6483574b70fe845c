"""softmax, rms_norm, silu and linear against their formulas in float64, one number at a time."""

import math

import numpy as np
import pytest

from llmviz import ops


def random(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def softmax_of(row) -> list[float]:
    exps = [math.exp(float(x)) for x in row]
    return [one / math.fsum(exps) for one in exps]


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
