"""SwiGLU one neuron at a time, and what a neuron writes."""

import math

import numpy as np
import pytest
from finite_differences import assert_slopes

from llmviz import ffn, ops

D_MODEL, D_FF = 6, 10


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


W_GATE, W_UP, W_DOWN = (
    random(D_MODEL, D_FF, seed=1),
    random(D_MODEL, D_FF, seed=2),
    random(D_FF, D_MODEL, seed=3),
)


def by_hand(x, neuron_scale=None) -> dict[str, list]:
    """One token and one neuron at a time."""
    arrays = {"gate": [], "up": [], "hidden": [], "out": []}
    for row in x.astype(np.float64):
        gate = [math.fsum(row * W_GATE[:, i]) for i in range(D_FF)]
        up = [math.fsum(row * W_UP[:, i]) for i in range(D_FF)]
        scale = [1.0] * D_FF if neuron_scale is None else neuron_scale
        hidden = [g / (1 + math.exp(-g)) * u * float(s) for g, u, s in zip(gate, up, scale)]
        out = [math.fsum(h * float(w) for h, w in zip(hidden, W_DOWN[:, j])) for j in range(D_MODEL)]
        for name, values in (("gate", gate), ("up", up), ("hidden", hidden), ("out", out)):
            arrays[name].append(values)
    return arrays


def neurons_scaled(scale: np.ndarray | None):
    """How each neuron fires, times a number."""
    return lambda name, array: array if scale is None or name != "hidden" else array * scale


@pytest.mark.parametrize("seq", [1, 4, 70])
@pytest.mark.parametrize("neuron_scale", [None, np.array([0, 2, 1, -1, 1, 1, 0, 1, 1, 0.5], np.float32)])
def test_swiglu_equals_the_loops(seq, neuron_scale):
    x = random(seq, D_MODEL)
    trace = ffn.swiglu(x, W_GATE, W_UP, W_DOWN, edit=neurons_scaled(neuron_scale))
    for name, expected in by_hand(x, neuron_scale).items():
        got = getattr(trace, name)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_each_token_thinks_alone():
    x = random(4, D_MODEL)
    changed = x.copy()
    changed[2] += 1
    first, other = (ffn.swiglu(v, W_GATE, W_UP, W_DOWN).out for v in (x, changed))
    np.testing.assert_allclose(other[[0, 1, 3]], first[[0, 1, 3]], rtol=1e-5, atol=1e-6)
    assert (np.abs(other[2] - first[2]) > 1e-3).any()


def test_without_the_gate_it_would_be_linear_and_with_it_it_is_not():
    x = random(1, D_MODEL)
    once, twice = (ffn.swiglu(v, W_GATE, W_UP, W_DOWN) for v in (x, 2 * x))
    np.testing.assert_allclose(twice.up, 2 * once.up, rtol=1e-5)
    assert np.abs(twice.out - 2 * once.out).max() > 0.1


def test_what_the_neurons_add_sums_to_the_layers_output():
    trace = ffn.swiglu(random(3, D_MODEL), W_GATE, W_UP, W_DOWN)
    parts = trace.hidden[1][:, None] * W_DOWN
    np.testing.assert_allclose(parts.sum(axis=0), trace.out[1], rtol=0, atol=1e-5)


def test_inputs_are_left_as_they_were():
    given = [array.copy() for array in (random(3, D_MODEL), W_GATE, W_UP, W_DOWN)]
    for array in given:
        array.flags.writeable = False  # writing to them would raise
    ffn.swiglu(*given, edit=neurons_scaled(np.zeros(D_FF, np.float32)))


def test_backwards():
    x, d_out = random(4, D_MODEL).astype(np.float64), random(4, D_MODEL, seed=5).astype(np.float64)
    W_gate, W_up, W_down = (W.astype(np.float64) for W in (W_GATE, W_UP, W_DOWN))
    trace = ffn.swiglu(x, W_gate, W_up, W_down)
    back = ffn.swiglu_backward(d_out, trace.gate, trace.up, W_gate, W_up, W_down)
    f = lambda: (d_out * ffn.swiglu(x, W_gate, W_up, W_down).out).sum()  # noqa: E731
    assert_slopes(
        f,
        x=(x, back.x),
        W_gate=(W_gate, ops.linear_gradient(back.gate, x)),
        W_up=(W_up, ops.linear_gradient(back.up, x)),
        W_down=(W_down, ops.linear_gradient(d_out, trace.hidden)),
    )


def test_backwards_without_a_gate():
    x, d_out = random(4, D_MODEL).astype(np.float64), random(4, D_MODEL, seed=5).astype(np.float64)
    W_up, W_down = W_UP.astype(np.float64), W_DOWN.astype(np.float64)
    up = ffn.swiglu(x, None, W_up, W_down, activation="gelu_tanh").up
    back = ffn.swiglu_backward(d_out, None, up, None, W_up, W_down, activation="gelu_tanh")
    assert back.gate is None
    f = lambda: (d_out * ffn.swiglu(x, None, W_up, W_down, activation="gelu_tanh").out).sum()  # noqa: E731
    assert_slopes(f, x=(x, back.x), W_up=(W_up, ops.linear_gradient(back.up, x)))


def test_a_product_gives_each_factor_what_the_other_is():
    gate, up, d_hidden = (random(3, 5, seed=seed).astype(np.float64) for seed in (1, 2, 3))
    back = ffn.swiglu_backward(d_hidden, gate, up, *np.broadcast_to(np.eye(5), (3, 5, 5)))
    f = lambda: (d_hidden * ops.silu(gate) * up).sum()  # noqa: E731
    assert_slopes(f, gate=(gate, back.gate), up=(up, back.up))


def test_backwards_is_float32_as_well():
    trace = ffn.swiglu(random(4, D_MODEL), W_GATE, W_UP, W_DOWN)
    back = ffn.swiglu_backward(random(4, D_MODEL, seed=5), trace.gate, trace.up, W_GATE, W_UP, W_DOWN)
    assert {array.dtype for array in (back.gate, back.up, back.x)} == {np.dtype(np.float32)}


def test_an_ffn_without_a_gate_and_with_biases():
    rng = np.random.default_rng(4)
    x, W_up, b_up = rng.standard_normal((3, 5)), rng.standard_normal((5, 9)), rng.standard_normal(9)
    W_down, b_down = rng.standard_normal((9, 5)), rng.standard_normal(5)
    f = ffn.swiglu(
        x, None, W_up, W_down, b_up=b_up, b_down=b_down, activation="gelu_tanh", after=lambda out: 2 * out
    )
    hidden = ops.gelu_tanh(x @ W_up + b_up)
    assert f.gate is None
    np.testing.assert_allclose(f.hidden, hidden, rtol=1e-6)
    np.testing.assert_allclose(f.out, 2 * (hidden @ W_down + b_down), rtol=1e-6)
