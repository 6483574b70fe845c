"""A fact followed with a twin text: what is switched off, what is swapped, and what is said of it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from llmviz.views.ffn.fact_steps import carries, said, steps
from llmviz.views.ffn.follow_the_fact import spans
from messages import holding, numbers

from llmviz import Edits, experiments
from llmviz.experiments import fact_mover_head, facts, patch_residual
from llmviz.experiments.facts import CAPITALS
from llmviz.views import ffn as pictures
from llmviz.views.ffn.fact import NO_FACT, WORDS, twin
from llmviz.views.ffn.ten_countries import agree


@pytest.fixture
def fact(prompt):
    """ "the cat sat on the dog" and its twin; the subject is not the last token."""
    return pictures.Fact(prompt, "a")


def finish(view):
    """Press the button where no event loop runs: the whole work at once."""
    (name,) = view.jobs
    view.parts[name].click()


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
def test_where_there_is_no_fact_it_is_said_why(fact, prompt, why):
    shown = [pictures.FollowTheFact(fact, 1), pictures.PutIn(fact), pictures.WhatTheMoverSays(fact)]
    if why == "no twin":  # a single token has no subject
        prompt.box.value = "t"
    else:  # its own word
        fact.controls["word"].value = fact.trace.trace.pieces[fact.trace.subject].strip()
    for view in shown:
        for name in view.jobs:
            view.parts[name].click()
        assert repr(view.parts["message"]) == NO_FACT[why]
    for ask in (
        lambda pair: facts.answer_probability(pair, 3, 2),
        facts.last_decisive_layer,
        facts.rank_of_answer,
    ):
        with pytest.raises(ValueError, match=why):
            ask(fact.trace)


def test_what_the_mover_says_follows_text_and_subject(fact, prompt):
    view = pictures.WhatTheMoverSays(fact)
    for change in (lambda: None, lambda: setattr(prompt.box, "value", "a cat sat on the dog")):
        change()
        layer, head = fact_mover_head(fact.trace)
        assert (view.controls["layer"].value, view.controls["head"].value) == (layer, head)
        assert view.parts["strip"].selected == fact.trace.subject
        assert view.parts["strip"].pieces == fact.trace.trace.pieces
        assert view.parts["pushed"].titles[0].startswith(f"L{layer}·H{head} ")
    pushes = experiments.ov_logits(fact.trace.trace, layer, head, fact.trace.subject)
    place = np.argsort(-pushes).tolist().index(fact.trace.answers[0]) + 1
    assert facts.rank_of_answer(fact.trace) == place
    assert re.search(holding(f"{place:,}"), repr(view.parts["message"]))


# --- the steps ---


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_step_measures_part_and_control(fact, number):
    pair, view = fact.trace, pictures.FollowTheFact(fact, number)
    finish(view)
    table, message = view.parts["table"], view.parts["message"].sentences
    tests = facts.fact_tests(pair, early=view.controls["early"].value)
    step = steps(pair, tests)[number - 1]
    np.testing.assert_allclose(table.values[0], pair.answer_probs(), rtol=1e-5)
    for row, edits in enumerate(tests[number - 1].tests):
        probs = np.array([pair.answer_probs(edit) for edit in edits])
        strongest = probs[:, 0].argmin() if row < 2 else probs[:, 1].argmax()
        np.testing.assert_allclose(table.values[1 + row], probs[strongest], rtol=1e-4)
    own = pair.answer_probs(facts.fact_tests(pair)[number - 1].tests[0][0])[0]
    assert facts.answer_probability(pair, number, 0) == pytest.approx(100 * own, abs=0.01)
    assert step.names[0] in table.row_labels[1]
    assert step.names[0][1:] in message[0]
    assert any(meaning[1:] in message[-1] for meaning in WORDS["meaning"].values())


@pytest.mark.parametrize(("subject", "same"), [(-2, True), (-3, False)])
def test_one_run_is_not_told_as_two_findings(fact, tiny_model, subject, same):
    """The last token as in the twin's run is the subject put into that run, where no token stands between the two."""
    tokens, other = fact.trace.trace.tokens, fact.trace.twin.tokens[fact.trace.subject]
    pair = experiments.pair_of(tiny_model, tokens, other, len(tokens) + subject)
    layer = fact_mover_head(pair)[0]
    swapped = tiny_model.trace(tokens, patch_residual(pair, layer, [len(tokens) - 1]))
    back = experiments.Pair(pair.twin, pair.trace, pair.subject)
    put_back = tiny_model.trace(pair.twin.tokens, patch_residual(back, layer, [pair.subject]))
    assert np.allclose(swapped.logits, put_back.logits, atol=1e-4) == same
    for number, step in enumerate(steps(pair, facts.fact_tests(pair)), start=1):
        last = said(pair, replace(step, probs=np.zeros((4, 2))))[-1]
        assert (bool(step.note), last == step.note) == (same and number == 3,) * 2


def test_the_map_shows_all_four_steps_and_none_of_another_text(fact, prompt):
    fourth, whole = pictures.FollowTheFact(fact, 4), pictures.FollowTheFact(fact)
    drawn = whole.parts["map"]
    finish(fourth)
    assert fourth.parts["map"].layout.display == "none"
    fourth.close()  # leaves the fact to the others
    assert fact.comm is not None
    assert drawn.layout.display == "none"
    finish(whole)
    assert [item["number"] for item in drawn.items] == [1, 2, 3, 4]
    assert drawn.unknown
    prompt.box.value = "the dog sat on"
    assert drawn.layout.display == "none"


def test_what_a_step_shows(fact):
    pair = fact.trace
    own, theirs = (
        experiments.probability(run, token) for run, token in zip((pair.trace, pair.twin), pair.answers)
    )
    step = steps(pair, facts.fact_tests(pair))[0]
    probs = np.zeros((4, 2))

    def shown():
        return carries(pair, replace(step, probs=probs))

    probs[0, 0], probs[2, 1] = 0.1 * own, 0.6 * theirs
    assert shown() == "carries"
    probs[2, 1] = 0.4 * theirs
    assert shown() == "unclear"  # its control is lost as well
    probs[1, 0] = 0.6 * own
    assert shown() == "needed"
    probs[0, 0] = 0.6 * own
    assert shown() == "neither"


def test_put_in_at_every_depth(fact, tiny_model):
    pair, view = fact.trace, pictures.PutIn(fact, "dog")
    finish(view)
    values, answer = view.parts["plot"].values, pair.answers[0]
    second, _ = twin(pair.trace, pair.subject, "dog")
    for row, (base, at) in enumerate(
        ((pair.twin, pair.subject), (pair.twin, -1), (second.twin, pair.subject))
    ):
        edits = Edits(resid={(2, at): pair.trace.blocks[2].resid_pre[at]})
        wanted = experiments.probability(tiny_model.trace(base.tokens, edits), answer)
        assert values[row, 2] == pytest.approx(wanted, rel=1e-4)
    own = experiments.probability(pair.trace, answer)
    assert values[0, 0] == pytest.approx(own, rel=1e-4)
    above = np.flatnonzero(values[0] > 0.5 * own)
    assert facts.last_decisive_layer(pair) == above.max(initial=-1)


def test_spans_name_runs():
    yes = np.zeros(12, bool)
    assert numbers(spans(yes)) == []
    yes[[0, 1, 2, 5, 6, 9]] = True
    assert numbers(spans(yes)) == [0, 2, 5, 6, 9]


# --- ten countries ---


def test_ten_countries(tiny_model, nothing_measured):
    view = pictures.TenCountries(tiny_model)
    card, off, swap = (view.parts[name] for name in ("card", "off", "swap"))
    assert not view.busy  # nothing runs before the reader asks
    assert off.layout.display == swap.layout.display == "none"
    card.set_state({"committed": True})
    assert off.layout.display == swap.layout.display == ""
    at = list(CAPITALS).index("Japan")
    pair = facts.question_pair(tiny_model, "Japan", "China")
    np.testing.assert_allclose([off.values[at, 0], swap.values[at, 0]], pair.answer_probs(), rtol=1e-4)
    off_edits, _, swap_edits, _ = facts.fact_tests(pair)[3].tests
    assert off.values[at, 7] == pytest.approx(pair.answer_probs(off_edits[0])[0], rel=1e-3, abs=1e-9)
    assert swap.values[at, 7] == pytest.approx(pair.answer_probs(swap_edits[0])[1], rel=1e-3, abs=1e-9)
    assert "of 10" in repr(view.parts["message"])
    twins = np.roll(off.values[:, 0], -1)
    assert card.answer == (swap.values[:, 3] > 0.5 * twins).sum()


def test_what_is_said_of_all_countries():
    lost, taken = np.full((2, 9), 0.8), np.zeros((2, 9))
    lost[:, 1] = 0.1
    taken[0, 3] = 0.7
    told = agree(lost, taken, ["head 4 of layer 23"] * 2)
    assert numbers(told[0]) == [2, 2, 0, 0]  # lost, of so many; with the control off; brought by the swap
    assert numbers(told[1]) == [0, 2, 0, 1]
    assert "head 4 of layer 23" in told[-1]
