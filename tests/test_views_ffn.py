"""The FFN's pictures: the numbers they are given, and what their controls do."""

import re

import numpy as np
import pytest
from messages import holding, numbers

from llmviz import Edits, experiments, ffn, ops, views
from llmviz.experiments import neurons
from llmviz.views import ffn as pictures
from llmviz.views.ffn.residual_stream import for_good

# --- one FFN by hand ---


def test_by_hand_shows_the_models_own_arrays(prompt, tiny_model):
    view = pictures.FFNByHand(prompt, 2, token=3)
    inner, written, curve = (view.parts[name] for name in ("inner", "written", "curve"))
    block = prompt.trace.blocks[2]
    w = tiny_model.weights.layers[2]
    run = ffn.swiglu(
        ops.rms_norm(block.resid_mid[3:4], w.ffn_norm, eps=tiny_model.config.norm_eps),
        w.W_gate,
        w.W_up,
        w.W_down,
    )
    np.testing.assert_allclose(inner.values, [run.gate[0], run.up[0], run.hidden[0]], atol=1e-5)
    np.testing.assert_allclose(written.values[0] + written.values[1], written.values[2], atol=1e-4)
    x, y = curve.curve
    np.testing.assert_allclose(y, x / (1 + np.exp(-x)), atol=1e-5)
    gate, up, passed, hidden = curve.values
    np.testing.assert_allclose(passed * up, hidden, atol=1e-5)
    assert np.abs(gate).max() <= x[-1]


def test_a_neuron_selected_on_the_curve_is_framed_in_the_stripes(prompt):
    view = pictures.FFNByHand(prompt, 1)
    curve, inner = view.parts["curve"], view.parts["inner"]
    curve.selected = 17
    assert inner.selected == 17
    inner.selected = 3
    assert curve.selected == 3


# --- all neurons at the last token ---


def test_lines_over_the_layers_are_what_is_measured(prompt):
    for draw, measure in (
        (pictures.gates, neurons.gates_below_zero),
        (pictures.half_of_the_writing, neurons.neurons_for_half),
        (pictures.twice_the_vector, neurons.growth_for_twice_the_input),
    ):
        np.testing.assert_allclose(draw(prompt.trace).values, measure(prompt.trace), rtol=1e-5)


def test_a_question_names_its_text(tiny_model):
    for text, shown in (
        ("the cat", "“the cat”"),
        ("the cat sat on " * 9 + "the dog", "on the dog”"),
        ("t", "“t”"),
    ):
        told = pictures.asked_at(tiny_model.trace(text))
        assert shown in told
        assert len(told) < 100


# --- a layer's population ---


def test_a_planted_neuron_comes_first(tiny_model, monkeypatch):
    """One whose firing is its push of the next token, and no other."""
    view = pictures.Population(tiny_model, "the cat sat on the dog " * 6, layer=0)
    trace, w = view.run, tiny_model.weights
    hidden = np.random.default_rng(0).normal(size=trace.blocks[1].ffn.hidden.shape).astype(np.float32)
    hidden[1:-1, 7] = [w.layers[1].W_down[7] @ w.W_U[:, token] for token in trace.tokens[2:]]
    block = type(trace.blocks[1])
    run = trace.blocks[1].ffn
    monkeypatch.setattr(
        block, "ffn_at", lambda _, at: ffn.FFNTrace(run.gate[at], run.up[at], hidden[at], run.out[at])
    )
    view.controls["layer"].value = 1
    assert view.parts["plot"].values[0, 0] == pytest.approx(1, abs=1e-3)
    assert view.parts["table"].row_labels[0].startswith("7 ")


def test_a_place_in_the_ranking_selects_the_neurons(tiny_model):
    view = pictures.Population(tiny_model, "the cat sat on the dog", layer=1)
    table, before = view.parts["table"], view.parts["table"].row_labels
    view.parts["plot"].selected = 30
    assert table.row_labels != before
    assert len(table.row_labels) == 8
    view.text.box.value = "the dog"
    assert numbers(repr(view.parts["message"])) == []  # it is too short, so nothing is measured
    assert table.values.shape == (8, 6)


# --- one logit, and its way through the depths ---


def test_the_logit_opens_into_parts_that_sum_to_it(prompt):
    bar = pictures.LogitTakenApart(prompt).parts["bar"]
    logit = float(prompt.trace.logits.max())
    assert bar.values == pytest.approx([logit], abs=1e-3)
    for name in ("the logit", "attention", "attention 1", "FFNs"):
        bar.selected = next(i for i, label in enumerate(bar.labels) if label.startswith(name))
        ends = bar.starts + bar.values
        assert ends[-1] == pytest.approx(logit, abs=1e-3)
    answer = int(prompt.trace.logits.argmax())
    parts = experiments.direct_logit_attribution(prompt.trace, answer, against="mean")
    shown = dict(zip(bar.labels, bar.values))
    assert shown["FFN 2"] == pytest.approx(parts.ffn[2], abs=1e-4)
    assert shown["attention 1"] == pytest.approx(parts.attention[1], abs=1e-4)
    heads = [v for label, v in shown.items() if label.startswith("layer 1, head")]
    assert sum(heads) == pytest.approx(parts.attention[1], abs=1e-4)
    bar.selected = 0
    assert len(bar.labels) == 1


def test_edits_that_break_the_sum_are_said_in_place_of_the_bars(tiny_model):
    view = pictures.LogitTakenApart(tiny_model.trace("the cat", Edits(residual=False)))
    assert view.parts["bar"].layout.display == "none"
    assert repr(view.parts["message"])
    view.parts["bar"].set_state({"selected": 0})
    assert view.state == view.State()


def test_the_question_of_the_logit_leaves_out_what_every_token_has(prompt):
    logits = prompt.trace.logits
    parts = logits.max(), logits.mean(), logits.max() - logits.mean()
    assert re.search(
        holding(*(f"{part:.2f}".replace("-", "−") for part in parts)), pictures.logit_asked(prompt.trace)
    )


def test_the_lens_names_the_likeliest_tokens(prompt, tiny_model):
    view = pictures.LensGrid(prompt, words="cat, dog cat")
    table, plot = view.parts["map"], view.parts["plot"]
    assert table.values.shape == (4, len(prompt.trace.tokens))
    cat, dog = (tiny_model.tokenizer.encode(text)[0] for text in (" cat", " dog"))
    tokens = [int(prompt.trace.logits.argmax()), cat, dog]
    assert plot.names == [views.quote(piece) for piece in tiny_model.tokenizer.pieces(dict.fromkeys(tokens))]
    explanation = table.provenance(2, 1)
    assert float(explanation.result) == pytest.approx(float(table.values[2, 1]), rel=1e-4)
    view.controls["words"].value = "<script> \x04 " + "a b c d e f g h"
    assert 1 < len(plot.names) <= 6


def test_for_good_means_to_the_end():
    assert for_good(np.array([5, 1, 2, 1, 1])) == 3
    assert for_good(np.array([1, 1])) == 0
    assert for_good(np.array([1, 2])) is None


# --- the stream ---


def test_norms_are_lengths(prompt):
    view = pictures.StreamNorms(prompt)
    table = view.parts["map"]
    expected = np.sqrt((prompt.trace.blocks[1].resid_post[2].astype(float) ** 2).sum())
    assert table.values[2, 2] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(view.parts["plot"].values, table.values[[0, -1]])
    explanation = table.provenance(2, 2)
    result = eval(explanation.line, {"np": np}, {"x": explanation.operands[0][1]})
    assert result == pytest.approx(expected, rel=1e-5)


def test_the_shares_of_the_parameters(tiny_model, monkeypatch):
    shares = pictures.parameter_shares(tiny_model)
    assert shares.values.sum() == pytest.approx(1)
    parts = dict(zip(shares.labels, shares.values[0]))
    assert max(parts, key=parts.get) in shares.caption
    captions = set()
    for others in (1, 2):  # the FFNs have most of them, or only more than each other part
        counts = {"FFN": 2, **{f"part {i}": 1 for i in range(others)}}
        monkeypatch.setattr(experiments, "parameters", lambda model, counts=counts: counts)
        captions.add(pictures.parameter_shares(tiny_model).caption)
    assert len(captions) == 2
