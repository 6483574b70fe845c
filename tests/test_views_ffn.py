"""The FFN's pictures: the numbers they are given, and what their controls do."""

import re
from dataclasses import replace

import numpy as np
import pytest
from messages import holding, numbers
from widget_tree import is_shown

from llmviz import Edits, experiments, ffn, ops, views
from llmviz.experiments import Pair, fact_mover_head, facts, neurons
from llmviz.experiments.facts import CAPITALS
from llmviz.experiments.patch_map import other_subject
from llmviz.texts import STORY
from llmviz.views import ffn as pictures
from llmviz.views.ffn.ten_countries import brought_out
from llmviz.views.kit.fact import NO_FACT
from llmviz.views.kit.patch_map import COMPONENTS, along, spans


def changed(at, value):
    """An edit by hand: a copy of an array with another value in one place."""

    def change(array):
        new = array.copy()
        new[at] = value
        return new

    return change


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
    fires = abs(np.concatenate([block.ffn.hidden for block in prompt.trace.blocks], axis=1)[:, order[1]])
    others = np.where(texts[1][1], 0, fires)[1:]
    assert views.quote(prompt.trace.pieces[1 + int(others.argmax())]) in repr(words.parts["message"])


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


# --- a fact with its twin ---


@pytest.fixture
def fact(prompt, nothing_measured):
    """ "the cat sat on the dog" and its twin; the subject is not the last token."""
    return pictures.Fact(prompt, "a")


# --- the two texts ---


def test_the_fact_follows_text_subject_and_word(fact, prompt):
    first = fact.trace
    fact.parts["strip"].selected = 2
    assert fact.trace.subject == 2
    assert fact.trace.twin.tokens != first.twin.tokens
    fact.controls["word"].value = "dog"
    word = fact.trace.twin.tokens[2]
    assert fact.trace.twin.pieces[2].strip() == "dog"
    prompt.box.value = "the dog sat on"
    assert fact.trace.trace.tokens == prompt.trace.tokens
    assert fact.trace.twin.tokens[fact.trace.subject] == word
    for problem in ("", "cat dog", "a\x07b"):  # no token
        fact.controls["word"].value = problem
        assert fact.trace is None
        assert repr(fact.parts["answers"])


@pytest.mark.parametrize("why", ["no twin", "same answer"])
def test_where_there_is_no_fact_one_line_says_why(fact, prompt, why):
    shown = [pictures.PatchMap(fact), pictures.WhatTheMoverSays(fact)]
    if why == "no twin":  # a single token has no subject
        prompt.box.value = "t"
    else:  # its own word
        fact.controls["word"].value = fact.trace.trace.pieces[fact.trace.subject].strip()
    assert NO_FACT[why] in repr(fact.parts["answers"])
    for view in shown:
        assert view.children[0] is fact.line
        assert not any(is_shown(view, name) for name in {"card", "map", "message", "pushed"} & {*view.parts})
    with pytest.raises(ValueError, match=why):
        facts.rank_of_answer(fact.trace)


def test_a_closed_view_leaves_the_line_to_the_others(fact):
    one, other = pictures.PatchMap(fact), pictures.PatchMap(fact)
    one.close()
    assert fact.line.comm is not None
    assert other.children[0] is fact.line
    line = fact.line
    fact.close()
    assert line.comm is None


# --- the patch map ---


@pytest.mark.parametrize("what", COMPONENTS)
@pytest.mark.parametrize("control", [False, True])
def test_each_cell_is_a_run_with_one_edit(fact, tiny_model, what, control):
    """By hand: the array that the named place gives in the twin's run is put into the reader's."""
    view = pictures.PatchMap(fact, what=what, control=control, committed=True)
    pair, drawn = fact.trace, view.parts["map"]
    source = other_subject(pair) if control else pair.twin
    answers = [int(run.logits.argmax()) for run in (pair.trace, pair.twin)]
    layers, columns, _ = drawn.values.shape
    assert (layers, columns) == (3, 6 if what == "single heads" else len(pair.trace.tokens))
    for layer, column in [(0, 0), (1, columns - 2), (2, columns - 1), (1, 3)]:
        block = source.blocks[layer]
        given = {
            "vectors": block.resid_pre,
            "attention": block.resid_mid - block.resid_pre,
            "FFN": block.resid_post - block.resid_mid,
            "single heads": block.attention.z[:, -1],
        }[what]

        patched = changed((column, -1) if what == "single heads" else column, given[column])
        run = tiny_model.trace(pair.trace.tokens, Edits(at={(COMPONENTS[what].part, layer): patched}))
        np.testing.assert_allclose(
            drawn.values[layer, column], ops.softmax(run.logits)[answers], rtol=2e-3, atol=1e-6
        )


def test_patching_the_subject_below_all_layers_gives_the_twins_run(fact):
    view = pictures.PatchMap(fact, committed=True)
    pair, drawn = fact.trace, view.parts["map"]
    np.testing.assert_allclose(
        drawn.values[0, pair.subject], ops.softmax(pair.twin.logits)[pair.answers], rtol=1e-3
    )
    np.testing.assert_allclose(
        drawn.values[:, : pair.subject], np.broadcast_to(drawn.base, (3, pair.subject, 2))
    )
    carries = drawn.values[..., 1] > 0.5 * drawn.usual
    assert view.parts["card"].answer == carries[:, pair.subject].sum()
    assert repr(view.parts["message"])
    view.controls["what"].value = "single heads"
    assert view.state.committed  # another map needs no other guess
    assert view.parts["card"].answer == (drawn.values[..., 1] > 0.5 * drawn.usual).sum()
    twins, usual = drawn.values, drawn.usual
    view.controls["control"].value = True
    assert not np.array_equal(drawn.values, twins)
    assert view.parts["card"].answer == (drawn.values[..., 1] > 0.5 * usual).sum()


def test_a_map_of_two_texts_that_differ_in_several_words(tiny_model):
    texts = [tiny_model.trace(text) for text in ("the cat sat on the dog", "the dog sat on a dog")]
    pair = Pair(*texts, subject=1)
    if facts.why_no_fact(pair):
        pytest.skip("this model answers both alike")
    view = pictures.PatchMap(pair, committed=True)
    values = view.parts["map"].values
    edits = Edits(resid={(1, 2): texts[1].blocks[1].resid_pre[2]})
    wanted = ops.softmax(tiny_model.trace(texts[0].tokens, edits).logits)[pair.answers]
    np.testing.assert_allclose(values[1, 2], wanted, rtol=1e-3)
    with pytest.raises(ValueError, match="8 and 7"):
        replace(pair, twin=tiny_model.trace("the cat sat on the"))


def test_the_text_form_has_every_number(fact):
    drawn = pictures.PatchMap(fact, committed=True).parts["map"]
    rows = [line.split()[2:] for line in drawn.text().splitlines() if line.startswith("layer")]
    shown = np.array(rows, float).reshape(2, 3, -1)[:, ::-1]  # the last layer comes first
    np.testing.assert_allclose(shown, 100 * drawn.values.transpose(2, 0, 1), atol=0.51)
    drawn.selected = [1, 2]
    assert re.search(holding("layer 1", "cat"), drawn.headline())


def test_what_is_said_along_the_layers():
    carries = np.zeros((6, 3), bool)
    carries[:3, 1] = carries[4:, 2] = True
    said = along(carries, ["a", "b", "c"], "x")
    assert numbers(said[0]) == [0, 2, 4, 5]
    assert numbers(said[1]) == [3]
    yes = np.zeros(12, bool)
    yes[[0, 1, 2, 5, 6, 9]] = True
    assert numbers(spans(yes)) == [0, 2, 5, 6, 9]


# --- the FFNs at the subject ---


def test_ffns_at_the_subject_are_switched_off_and_patched(fact, tiny_model):
    """By hand: the FFNs' outputs are set to 0, or to those in the twin's run."""
    view = pictures.FFNsAtTheSubject(fact)
    table = view.parts["table"]
    assert table.layout.display == "none"
    view.parts["card"].set_state({"committed": True})
    pair = fact.trace
    at, early = pair.subject, range(3 // 6, 3 // 2 + 1)  # of three layers

    twins = [(block.resid_post - block.resid_mid)[at] for block in pair.twin.blocks]

    def edited(layers, position, given):
        edits = Edits(at={("ffn_out", i): changed(position, given[i]) for i in layers})
        return ops.softmax(tiny_model.trace(pair.trace.tokens, edits).logits)[pair.answers]

    wanted = [
        edited([], at, twins),
        *(edited(early, position, [0] * 3) for position in (at, at - 1)),
        *(edited(layers, at, twins) for layers in (early, [1, 2], [0])),
    ]
    np.testing.assert_allclose(table.values, wanted, rtol=2e-3, atol=1e-6)
    share = 100 * wanted[3][1] / ops.softmax(pair.twin.logits).max()
    assert view.parts["card"].answer == pytest.approx(share, rel=2e-3)


# --- the head, and ten countries ---


def test_what_the_mover_says_follows_text_and_subject(fact, prompt):
    view = pictures.WhatTheMoverSays(fact)
    strip, pushed = view.parts["strip"], view.parts["pushed"]
    for change in (lambda: None, lambda: setattr(prompt.box, "value", "a cat sat on the dog")):
        change()
        pair, (layer, head) = fact.trace, fact_mover_head(fact.trace)
        assert strip.selected == pair.subject
        for at in (pair.subject, 0):
            strip.selected = at
            pattern = pair.trace.blocks[layer].attention.pattern[head, -1]
            np.testing.assert_allclose(strip.weights, pattern, rtol=1e-4)
            for panel, run in enumerate((pair.trace, pair.twin)):
                pushes = experiments.ov_logits(run, layer, head, at)
                np.testing.assert_allclose(pushed.values[panel], np.sort(pushes)[:-7:-1], rtol=1e-3)
            likeliest = pair.twin.model.tokenizer.pieces([int(pushes.argmax())])[0]
            assert pushed.labels[6] == likeliest
    pushes = experiments.ov_logits(fact.trace.trace, layer, head, fact.trace.subject)
    place = np.argsort(-pushes).tolist().index(fact.trace.answers[0]) + 1
    assert facts.rank_of_answer(fact.trace) == place
    assert re.search(holding(f"{place:,}"), repr(view.parts["message"]))


def test_ten_countries(tiny_model, nothing_measured, monkeypatch):
    monkeypatch.setattr(
        facts, "why_no_fact", lambda _: None
    )  # A model from noise gives both countries one answer.
    view = pictures.TenCountries(tiny_model)
    card, table = view.parts["card"], view.parts["table"]
    assert not view.busy  # nothing runs before the reader asks
    assert table.layout.display == "none"
    card.set_state({"committed": True})
    assert table.layout.display == ""
    at = list(CAPITALS).index("Japan")
    pair = facts.question_pair(tiny_model, "Japan", "China")
    layer, head = fact_mover_head(pair)
    patched = changed((head, -1), pair.twin.blocks[layer].attention.z[head, -1])
    run = tiny_model.trace(pair.trace.tokens, Edits(at={("z", layer): patched}))
    wanted = [experiments.probability(pair.trace, pair.answers[0]), *ops.softmax(run.logits)[pair.answers]]
    np.testing.assert_allclose(table.values[at, :3], wanted, rtol=1e-3)
    assert repr(view.parts["message"])
    twins = np.roll(table.values[:, 0], -1)
    assert card.answer == (table.values[:, 2] > 0.5 * twins).sum()
    for column, out in zip((2, 3), brought_out(table.values).T):
        np.testing.assert_array_equal(out, table.values[:, column] > 0.5 * twins)
    fails = [name for name, out in zip(CAPITALS, brought_out(table.values)[:, 0]) if not out]
    assert re.search(holding(*fails), card.explained)
