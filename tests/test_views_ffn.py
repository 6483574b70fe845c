"""The FFN's pictures: the numbers they are given, and what their controls do."""

import re

import numpy as np
import pytest
from messages import holding

from llmviz import Edits, experiments, ffn, ops, views
from llmviz.experiments import neurons
from llmviz.views import ffn as pictures
from llmviz.views.kit.text_box import STORY

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


# --- neurons that fire at a word ---


def test_the_neuron_of_the_articles_reads_what_is_typed(prompt, tiny_model):
    view = pictures.ArticleNeuron(prompt)
    story = tiny_model.trace(tiny_model.tokenizer.encode(STORY)[: neurons.N_READ])
    layer, neuron, contrast, usual = neurons.best_detectors(story, neurons.ARTICLES, 1)[0]
    fires = story.blocks[layer].ffn.hidden[1:, neuron]
    at = np.array([piece.strip().lower() in ("a", "an") for piece in story.pieces[1:]])
    assert contrast == pytest.approx(abs(fires[at]).min() / abs(fires[~at]).max(), rel=1e-4)
    for text in ("the cat sat on the dog", "a dog"):
        prompt.box.value = text
        fires = prompt.trace.blocks[layer].ffn.hidden[:, neuron]
        shares = np.minimum(np.abs(fires) / abs(usual), 1)
        np.testing.assert_allclose(view.parts["strip"].weights, shares, rtol=1e-4)
    pushes = np.sign(usual) * tiny_model.weights.layers[layer].W_down[neuron] @ tiny_model.weights.W_U
    likeliest = tiny_model.tokenizer.pieces([int(pushes.argmax())])[0]
    assert views.quote(likeliest) in repr(view.parts["message"])


def test_without_an_article_there_is_no_answer(tiny_model):
    with pytest.raises(ValueError, match="neither"):
        pictures.contrast_of_articles(tiny_model.trace("the dog"))


@pytest.fixture
def words(prompt, nothing_measured, monkeypatch):
    """A search for " cat" in a text of three sentences, in which a tiny model finds something."""
    monkeypatch.setattr("llmviz.views.ffn.detectors.LEAST", 0.2)
    monkeypatch.setattr(neurons.sentences_with, "__defaults__", (("the {} sat", "on the {}", "a {}"),))
    return pictures.WordNeurons(prompt, words="cat, dog", committed=True)


def test_what_a_search_finds_is_tested_on_another_text(words, prompt, tiny_model):
    card, table, strip = (words.parts[name] for name in ("card", "table", "strip"))
    searched = tiny_model.trace(neurons.sentences_with(["cat", "dog"]))
    texts = [(run, np.array([piece == " cat" for piece in run.pieces])) for run in (searched, prompt.trace)]

    def contrasts(run, at, layer):
        fires = run.blocks[layer].ffn.hidden[1:]
        weakest = np.where(np.ptp(np.sign(fires[at[1:]]), axis=0), -1, abs(fires[at[1:]]).min(axis=0))
        return weakest / abs(fires[~at[1:]]).max(axis=0)

    both = np.array([[contrasts(*text, layer) for layer in range(3)] for text in texts])
    passed = both[0] >= 0.2
    assert passed.sum() > 1
    assert card.answer == pytest.approx(100 * (both[1][passed] > 1).mean(), abs=0.1)
    order = np.argsort(-both[0], axis=None)[: table.values.shape[1]]
    np.testing.assert_allclose(table.values[0], both[0].flat[order], rtol=1e-3)
    np.testing.assert_allclose(table.values[1], np.maximum(both[1].flat[order], 0), rtol=1e-3)
    before = strip.weights
    table.selected = [0, 1]
    assert not np.array_equal(strip.weights, before)


def test_another_text_takes_no_other_search(words, prompt):
    assert words.state.committed
    before = words.parts["table"].values
    prompt.box.value = "a dog sat on the cat"
    assert words.state.committed
    after = words.parts["table"].values
    np.testing.assert_array_equal(after[0], before[0])
    assert not np.array_equal(after[1], before[1])


@pytest.mark.parametrize("typed", ["", "cat", "cat, cat", "cat, xyzzy", "the, cat", "a\x07b, cat"])
def test_words_that_cannot_be_searched_are_refused_in_a_sentence(words, prompt, typed):
    prompt.box.value = "a dog sat"
    words.controls["words"].value = typed
    assert not words.state.committed
    assert repr(words.parts["refusal"])
    assert words.parts["table"].layout.display == "none"


# --- one logit ---


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
    above = prompt.trace.logits.max() - prompt.trace.logits.mean()
    assert re.search(holding(f"{above:.2f}"), pictures.logit_asked(prompt.trace))
