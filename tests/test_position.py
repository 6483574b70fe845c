"""RoPE against complex numbers: turning a pair (a, b) by an angle is multiplying a + ib by e^(i angle)."""

import cmath
import math

import numpy as np
import pytest
from finite_differences import assert_slopes
from messages import holding

from llmviz import position

BASE = 10_000.0


def vectors(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def as_complex(x: np.ndarray) -> np.ndarray:
    """The pairs of the last axis as complex numbers."""
    pairs = x.astype(np.float64).reshape(*x.shape[:-1], -1, 2)
    return pairs[..., 0] + 1j * pairs[..., 1]


def test_angles_are_position_over_powers_of_the_base():
    angles = position.rotation_angles(np.array([0.0, 1.0, 7.0, 8191.0]), 8, base=100_000.0)
    assert angles.shape == (4, 4)
    for p, row in zip((0, 1, 7, 8191), angles):
        np.testing.assert_allclose(row, [p / 100_000 ** (2 * i / 8) for i in range(4)], rtol=1e-12)


def test_the_first_hand_turns_one_radian_a_token_and_later_ones_slower():
    (angles,) = position.rotation_angles(np.array([1.0]), 64, base=BASE)
    assert angles[0] == 1
    assert (np.diff(angles) < 0).all()
    assert angles[-1] == pytest.approx(BASE ** (-62 / 64))


def test_an_odd_width_cannot_be_paired():
    with pytest.raises(ValueError, match=holding("d_head", 7)):
        position.rotation_angles(np.array([1.0]), 7, base=BASE)


@pytest.mark.parametrize("shape", [(5, 8), (3, 5, 8)])
def test_rotating_is_multiplying_complex_numbers(shape):
    x = vectors(*shape)
    positions = np.array([0.0, 1.0, 2.5, 100.0, 8191.0])
    turned = position.rotate(x, position.rotation_angles(positions, 8, base=BASE))
    assert turned.dtype == np.float32
    hands = [[cmath.exp(1j * p / BASE ** (2 * i / 8)) for i in range(4)] for p in positions]
    np.testing.assert_allclose(as_complex(turned), as_complex(x) * hands, rtol=0, atol=1e-6)


def test_rotation_keeps_lengths_and_position_zero_changes_nothing():
    x = vectors(4, 64)
    turned = position.rotate(x, position.rotation_angles(np.array([0.0, 3.0, 500.0, 8000.0]), 64, base=BASE))
    np.testing.assert_array_equal(turned[0], x[0])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)


def test_turning_back_gives_the_vector_again():
    x, angles = vectors(5, 64), position.rotation_angles(np.arange(5.0) * 321, 64, base=BASE)
    np.testing.assert_allclose(position.rotate(position.rotate(x, angles), -angles), x, rtol=0, atol=1e-6)


def test_split_halves_turn_as_neighbours_do():
    x = np.random.default_rng(5).standard_normal((2, 4, 8)).astype(np.float32)
    angles = position.rotation_angles(np.arange(4), 8, base=BASE)
    together = [0, 4, 1, 5, 2, 6, 3, 7]  # each number of the first half, then its partner in the second
    expected = position.rotate(x[..., together], angles)
    np.testing.assert_array_equal(position.rotate(x, angles, split_halves=True)[..., together], expected)
    back = position.rotate(position.rotate(x, angles, split_halves=True), -angles, split_halves=True)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-6)


def test_factors_slow_the_hands_down():
    plain = position.rotation_angles(np.arange(4), 8, base=BASE)
    slower = position.rotation_angles(np.arange(4), 8, base=BASE, factors=(1.0, 1.0, 2.5, 8.0))
    np.testing.assert_allclose(slower * [1, 1, 2.5, 8], plain)


def test_a_score_depends_on_the_distance_only():
    q, k = vectors(64), vectors(64, seed=1)

    def score(at_q: float, at_k: float) -> float:
        angles = position.rotation_angles(np.array([at_q, at_k]), 64, base=BASE)
        turned = position.rotate(np.stack([q, k]), angles)
        return float(turned[0].astype(np.float64) @ turned[1] / 8)

    near = [score(5 + shift, 2 + shift) for shift in (0, 100, 1000, 8000)]
    np.testing.assert_allclose(near, near[0], rtol=0, atol=1e-5)
    assert abs(score(6, 2) - near[0]) > 1e-4


def test_the_sinusoids_are_sines_in_even_columns_and_cosines_in_odd_ones():
    encoding = position.sinusoidal_encoding(np.array([0.0, 1.0, 42.0]), 6)
    assert encoding.dtype == np.float32
    for p, row in zip((0, 1, 42), encoding):
        for i in range(3):
            angle = p / 10_000 ** (2 * i / 6)
            np.testing.assert_allclose(row[2 * i : 2 * i + 2], [math.sin(angle), math.cos(angle)], atol=1e-7)


def test_sinusoids_a_fixed_distance_apart_have_the_same_dot_product_everywhere():
    encoding = position.sinusoidal_encoding(np.arange(100.0), 64, base=1_000.0)
    dots = [encoding[p] @ encoding[p + 9] for p in (0, 30, 90)]
    np.testing.assert_allclose(dots, dots[0], rtol=1e-5)


def test_backwards_turns_back():
    x = np.random.default_rng(0).standard_normal((2, 3, 8))
    d_turned = np.random.default_rng(1).standard_normal((2, 3, 8))
    angles = position.rotation_angles(np.array([0.0, 1.0, 50.0]), 8, base=BASE)
    d_x = position.rotate(d_turned, -angles)
    assert_slopes(lambda: (d_turned * position.rotate(x, angles)).sum(), x=(x, d_x))
    assert position.rotate(d_turned.astype(np.float32), -angles).dtype == np.float32


def test_the_learned_vectors_are_rows_of_a_table():
    table = np.random.default_rng(6).standard_normal((10, 4)).astype(np.float32)
    np.testing.assert_array_equal(position.learned_encoding(np.array([3, 4, 9]), table), table[[3, 4, 9]])
