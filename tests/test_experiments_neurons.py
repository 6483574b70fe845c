"""The neurons of a run: whose gate is open, which write most, and which push the token that comes next."""

import numpy as np
import pytest

from llmviz import ffn, ops
from llmviz.experiments import neurons


def test_what_neurons_with_a_gate_below_zero_write(prompt):
    run, w = prompt.trace.blocks[1].ffn, prompt.trace.model.weights.layers[1]
    lengths = [float(np.linalg.norm(h * row)) for h, row in zip(run.hidden[-1], w.W_down)]
    below = [length for length, gate in zip(lengths, run.gate[-1]) if gate < 0]
    share, written = neurons.gates_below_zero(prompt.trace)[:, 1]
    assert share == pytest.approx(len(below) / len(lengths))
    assert written == pytest.approx(sum(below) / sum(lengths), rel=1e-4)


def test_how_many_write_half_and_the_control(prompt):
    hidden, w = prompt.trace.blocks[1].ffn.hidden[-1], prompt.trace.model.weights.layers[1]
    lengths = sorted((float(np.linalg.norm(h * row)) for h, row in zip(hidden, w.W_down)), reverse=True)
    needed = next(n for n in range(1, 81) if sum(lengths[:n]) >= sum(lengths) / 2)
    own, dealt = neurons.neurons_for_half(prompt.trace)
    assert own[1] == needed
    assert (dealt > 0).all()
    assert (dealt != own).any()


def test_twice_the_vector(prompt, tiny_model):
    block, w = prompt.trace.blocks[2], tiny_model.weights.layers[2]
    x = ops.rms_norm(block.resid_mid[-1:], w.ffn_norm, eps=tiny_model.config.norm_eps)
    once, twice = (ffn.swiglu(k * x, w.W_gate, w.W_up, w.W_down).out for k in (1, 2))
    growth = neurons.growth_for_twice_the_input(prompt.trace)
    assert growth[0, 2] == pytest.approx(np.linalg.norm(twice) / np.linalg.norm(once), rel=1e-4)
    np.testing.assert_allclose(growth[1], 4, rtol=1e-4)


def test_agreement_is_a_correlation_with_other_neurons_rows_as_control(tiny_model):
    trace = tiny_model.trace("the cat sat on the dog " * 6)
    agreement = neurons.agreement(trace, 1)
    hidden, w = trace.blocks[1].ffn.hidden, tiny_model.weights
    pushes = [w.layers[1].W_down[5] @ w.W_U[:, token] for token in trace.tokens[2:]]
    assert agreement[0, 5] == pytest.approx(np.corrcoef(hidden[1:-1, 5], pushes)[0, 1], abs=1e-4)
    every = w.layers[1].W_down @ w.W_U[:, trace.tokens[2:]]
    crossed = np.corrcoef(hidden[1:-1].T, every)[: hidden.shape[1], hidden.shape[1] :]
    for dealt in agreement[1:]:
        partners = np.abs(crossed - dealt[:, None]).argmin(axis=1)
        np.testing.assert_allclose(np.take_along_axis(crossed, partners[:, None], 1)[:, 0], dealt, atol=1e-4)
        assert (partners != np.arange(len(partners))).all()


def test_one_in_a_hundred_of_the_control_agrees_better_than_chance():
    agreement = np.zeros((3, 200))
    agreement[1:] = np.random.default_rng(0).permutation(400).reshape(2, 200)
    agreement[0, :3] = [399.5, 390, 397]
    least, better = neurons.better_than_chance(agreement)
    assert (agreement[1:] > least).sum() == 4
    assert np.flatnonzero(better).tolist() == [0, 2]


def test_the_peaks_of_a_neuron(prompt, tiny_model):
    w, fires = tiny_model.weights, prompt.trace.blocks[1].ffn.hidden[1:]
    for neuron in (0, 5):
        peaks = neurons.peaks(prompt.trace, 1, neuron, 2)
        at = max(range(len(fires)), key=lambda i: abs(fires[i, neuron]))
        assert (peaks.positions[0], peaks.sign) == (at + 1, np.sign(fires[at, neuron]))
        np.testing.assert_allclose(peaks.firing[0], peaks.sign, rtol=1e-5)
        pushes = peaks.sign * w.layers[1].W_down[neuron] @ w.W_U
        assert peaks.pushed == np.argsort(-pushes)[:2].tolist()
        np.testing.assert_allclose(
            peaks.pushes, peaks.sign * np.sort(pushes)[:-3:-1] / abs(pushes).max(), rtol=1e-4
        )
    assert neurons.peaks(tiny_model.trace("t"), 1, 0, 2).positions == [0, 0]  # the only place
