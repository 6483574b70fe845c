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


def planted(monkeypatch, trace, hidden):
    """Let the neurons of a run's layers fire as said [layer, seq, d_ff]."""
    blocks = {id(block): layer for layer, block in enumerate(trace.blocks)}
    monkeypatch.setattr(
        type(trace.blocks[0]),
        "ffn_at",
        lambda block, at: ffn.FFNTrace(*[hidden[blocks[id(block)]][at]] * 4),
    )


def test_the_contrast_of_a_neuron():
    at = np.array([False, True, False, True, False])
    fires = np.array([[9, 9, 9], [2, -3, 2], [0.5, -1, 1], [3, -4, -4], [-1, 2, 1]], float)
    np.testing.assert_allclose(neurons.contrast(fires, at), [2, 1.5, -2])
    assert np.isnan(neurons.contrast(fires, np.zeros(5, bool))).all()
    assert np.isnan(neurons.contrast(fires, np.ones(5, bool))).all()


def test_a_search_finds_a_planted_neuron_and_the_control_does_not(tiny_model, monkeypatch):
    trace = tiny_model.trace("the cat sat on the cat and the dog sat on a cat")
    at = neurons.spelling(trace, {"cat"})
    assert [trace.pieces[i] for i in np.flatnonzero(at)] == [" cat"] * 3
    hidden = np.random.default_rng(0).normal(size=(3, len(at), 80))
    hidden[1, :, 7] = np.where(at, -5.0, 0.5)
    planted(monkeypatch, trace, hidden)
    steps = [*neurons.search(trace, at, least=1)]
    assert [step.share_done for step in steps] == pytest.approx([1 / 3, 2 / 3, 1])
    assert steps[0].detectors == []
    (detector,) = steps[-1].detectors
    assert detector == pytest.approx((1, 7, 10, -5))
    assert steps[-1].by_chance < 1
    assert neurons.best_detectors(trace, {"cat"}, 2)[0] == detector
    assert neurons.contrasts_elsewhere(trace, [detector], at) == pytest.approx([10])


def test_which_neurons_detect_a_token_in_both_halves(tiny_model, monkeypatch):
    trace = tiny_model.trace("the cat sat on the cat and a cat " * 2)
    is_cat, hidden = neurons.spelling(trace, {"cat"}), np.zeros((3, len(trace.tokens), 80))
    hidden[1, :, 3] = np.where(is_cat, -2, 1)
    hidden[1, :, 4] = np.where(is_cat & (np.arange(len(is_cat)) < len(is_cat) // 2), 2, 1)
    planted(monkeypatch, trace, hidden)
    assert np.flatnonzero(neurons.detects_a_token(trace, 1)).tolist() == [3]
    assert not neurons.detects_a_token(trace, 0).any()


def test_both_kinds_are_counted(tiny_model, monkeypatch):
    detect, push = np.zeros(80, bool), np.zeros(80, bool)
    detect[:4] = push[3:11] = True
    monkeypatch.setattr(neurons, "detects_a_token", lambda *_: detect)
    monkeypatch.setattr(neurons, "better_than_chance", lambda _: (0.0, push))
    assert neurons.both_kinds(tiny_model, "the cat sat", n_tokens=9) == (25, 12.5, 10)
