"""A fact followed with a twin text: what is switched off, what is swapped, and what is said of it."""

import asyncio
import re
from dataclasses import replace

import numpy as np
import pytest
from messages import holding, numbers

from llmviz import Edits, experiments, ops
from llmviz.experiments import (
    ablate,
    fact_mover_head,
    facts,
    knockout_attention,
    patch_component,
    patch_residual,
)
from llmviz.experiments.facts import CAPITALS, why_no_fact
from llmviz.views import ffn as pictures
from llmviz.views.ffn.fact import NO_FACT, twin
from llmviz.views.ffn.fact_steps import MEANING, carries, said, steps
from llmviz.views.ffn.follow_the_fact import spans
from llmviz.views.ffn.ten_countries import agree


@pytest.fixture
def fact(prompt):
    """ "the cat sat on the dog" and its twin; the subject is not the last token."""
    return pictures.Fact(prompt, "a")


def finish(view):
    """Press the button where no event loop runs: the whole work at once."""
    (name,) = view._jobs
    view.parts[name].click()


# --- what is done to a run ---


def test_a_swap_of_everything_at_the_subject_is_the_twin(fact, tiny_model):
    pair = fact.trace
    assert pair.trace.tokens[: pair.subject] == pair.twin.tokens[: pair.subject]
    run = tiny_model.trace(pair.trace.tokens, patch_residual(pair, 0, [pair.subject]))
    np.testing.assert_allclose(run.logits, pair.twin.logits, atol=1e-4)


@pytest.mark.parametrize("array", ["ffn_out", "attention_out"])
def test_off_and_swapped_touch_one_token_in_some_layers(fact, tiny_model, array):
    pair, name = fact.trace, array.partition("_")[0]
    for edits, wanted in (
        (ablate(array, [1], pair.subject), 0),
        (
            patch_component(pair, array, [1], pair.subject),
            getattr(pair.twin.blocks[1], name).out[pair.subject],
        ),
    ):
        run = tiny_model.trace(pair.trace.tokens, edits)
        out = getattr(run.blocks[1], name).out
        np.testing.assert_allclose(out[pair.subject], wanted, atol=1e-5)
        np.testing.assert_allclose(out[0], getattr(pair.trace.blocks[1], name).out[0], atol=1e-5)


def test_a_swapped_head_hands_over_what_it_does_in_the_twin(fact, tiny_model):
    pair, last = fact.trace, len(fact.trace.trace.tokens) - 1
    run = tiny_model.trace(pair.trace.tokens, patch_component(pair, "z", [1], last, head=2))
    np.testing.assert_allclose(
        run.blocks[1].attention.z[2, last], pair.twin.blocks[1].attention.z[2, last], atol=1e-5
    )
    np.testing.assert_allclose(run.blocks[1].attention.z[0], pair.trace.blocks[1].attention.z[0], atol=1e-5)


def test_a_knockout_takes_one_key_from_one_query(fact, tiny_model):
    pair = fact.trace
    edits = knockout_attention([(1, head) for head in range(tiny_model.config.n_heads)], [pair.subject])
    pattern = tiny_model.trace(pair.trace.tokens, edits).blocks[1].attention.pattern
    assert (pattern[:, -1, pair.subject] == 0).all()
    np.testing.assert_allclose(pattern[:, -1].sum(axis=-1), 1, rtol=1e-5)
    assert (pattern[:, pair.subject, pair.subject] > 0).all()


def test_the_mover_adds_most_out_of_the_subject(fact):
    pair = fact.trace
    answer = pair.answers[0]
    direction = experiments.logit_direction(pair.trace, answer, against="mean")
    parts = {}
    for layer in (1,):  # of three: the first has nothing before it, the last no FFN after it
        run = pair.trace.blocks[layer].attention
        for head in range(len(run.z)):
            v = pair.trace.blocks[layer].v[pair.trace.model.config.kv_head_of(head), pair.subject]
            written = (
                run.pattern[head, -1, pair.subject] * v @ pair.trace.model.weights.layers[layer].W_O[head]
            )
            parts[layer, head] = written @ direction
    assert fact_mover_head(pair) == max(parts, key=parts.get)


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


@pytest.mark.parametrize("word", ["", "   ", "cat dog", "<script>", "🙂🙂", "a\x07b"])
def test_a_word_that_is_no_token_is_told(fact, word):
    fact.controls["word"].value = word
    if fact.trace is None:
        assert repr(fact.parts["answers"])
    fact.controls["word"].value = "a"
    assert fact.trace is not None


def test_a_single_token_has_no_subject(fact, prompt):
    shown = [pictures.FollowTheFact(fact, 1), pictures.PutIn(fact)]
    prompt.box.value = "t"
    assert fact.trace is None
    for one in shown:
        finish(one)
        assert repr(one.parts["message"]) == NO_FACT["no twin"]
    with pytest.raises(ValueError, match="subject"):
        facts.answer_probability(fact.trace, 1, 0)
    with pytest.raises(ValueError, match="subject"):
        facts.last_decisive_layer(fact.trace)


def test_texts_that_go_on_alike_have_nothing_to_follow(fact):
    fact.controls["word"].value = fact.trace.trace.pieces[fact.trace.subject].strip()  # its own word
    for one in (pictures.FollowTheFact(fact, 3), pictures.PutIn(fact)):
        finish(one)
        assert repr(one.parts["message"]) == NO_FACT["same answer"]
    assert repr(pictures.WhatTheMoverSays(fact).parts["message"]) == NO_FACT["same answer"]
    for ask in (
        lambda pair: facts.answer_probability(pair, 3, 2),
        facts.last_decisive_layer,
        facts.rank_of_answer,
    ):
        with pytest.raises(ValueError, match="same answer"):
            ask(fact.trace)


def test_an_answer_that_the_other_run_has_as_well_is_nothing_to_follow(fact, tiny_model):
    """Else all that is swapped "brings" the twin's answer."""
    found = []
    for other in range(tiny_model.config.n_vocab):
        pair = experiments.pair_of(tiny_model, fact.trace.trace.tokens, other, 3)
        own, theirs = pair.answers
        run, twins = (ops.softmax(one.logits) for one in (pair.trace, pair.twin))
        close = twins[own] >= 0.5 * run[own] or run[theirs] >= 0.5 * twins[theirs]
        problem = why_no_fact(pair)
        assert problem == ("same answer" if own == theirs else "close answers" if close else None)
        found.append(problem)
    assert set(found) == {"same answer", "close answers", None}


def test_what_the_mover_says_follows_text_and_subject(fact, prompt):
    one = pictures.WhatTheMoverSays(fact)
    for change in (lambda: None, lambda: setattr(prompt.box, "value", "a cat sat on the dog")):
        change()
        assert (one.controls["layer"].value, one.controls["head"].value) == fact_mover_head(fact.trace)
        assert one.parts["strip"].selected == fact.trace.subject
        assert one.parts["strip"].pieces == fact.trace.trace.pieces
        layer, head = fact_mover_head(fact.trace)
        assert one.parts["pushed"].titles[0].startswith(f"L{layer}·H{head} ")
    said = experiments.ov_logits(fact.trace.trace, *fact_mover_head(fact.trace), fact.trace.subject)
    place = np.argsort(-said).tolist().index(fact.trace.answers[0]) + 1
    assert facts.rank_of_answer(fact.trace) == place
    assert re.search(holding(f"{place:,}"), repr(one.parts["message"]))


# --- the steps ---


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_step_measures_part_and_control(fact, tiny_model, number):
    pair = fact.trace
    one = pictures.FollowTheFact(fact, number)
    finish(one)
    tests = facts.fact_tests(pair, early=one.controls["early"].value)
    step = steps(pair, tests)[number - 1]
    np.testing.assert_allclose(one.parts["table"].values[0], pair.answer_probs(), rtol=1e-5)
    for row, edits in enumerate(tests[number - 1].tests):
        every = np.array([pair.answer_probs(edit) for edit in edits])
        best = every[:, 0].argmin() if row < 2 else every[:, 1].argmax()
        np.testing.assert_allclose(one.parts["table"].values[1 + row], every[best], rtol=1e-4)
    assert facts.answer_probability(pair, number, 0) == pytest.approx(
        100 * pair.answer_probs(facts.fact_tests(pair)[number - 1].tests[0][0])[0], abs=0.01
    )
    assert step.names[0] in one.parts["table"].row_labels[1]
    assert step.names[0] in one.parts["message"].sentences[0].replace(
        step.names[0][0].upper(), step.names[0][0], 1
    )
    verdict = next(sentence for sentence in reversed(one.parts["message"].sentences) if sentence != step.note)
    assert any(meaning[1:] in verdict for meaning in MEANING.values())


@pytest.mark.parametrize(("subject", "same"), [(-2, True), (-3, False)])
def test_one_run_is_not_told_as_two_findings(fact, tiny_model, subject, same):
    """The last token as in the twin's run is the subject put into that run, where no token stands between the two."""
    tokens = fact.trace.trace.tokens
    other = fact.trace.twin.tokens[fact.trace.subject]
    pair = experiments.pair_of(tiny_model, tokens, other, len(tokens) + subject)
    layer = fact_mover_head(pair)[0]
    swapped = tiny_model.trace(tokens, patch_residual(pair, layer, [len(tokens) - 1]))
    back = experiments.Pair(pair.twin, pair.trace, pair.subject)
    put_back = tiny_model.trace(pair.twin.tokens, patch_residual(back, layer, [pair.subject]))
    assert np.allclose(swapped.logits, put_back.logits, atol=1e-4) == same
    listed = steps(pair, facts.fact_tests(pair))
    assert [bool(step.note) for step in listed] == [False, False, same, False]
    messages = [said(pair, replace(step, probs=np.zeros((4, 2)))) for step in listed]
    assert [bool(step.note) and step.note in message[-1] for message, step in zip(messages, listed)] == [
        *(False, False, same, False)
    ]


def test_the_map_grows_with_the_steps_and_starts_anew_with_the_text(fact, prompt):
    one, other = pictures.FollowTheFact(fact, 1), pictures.FollowTheFact(fact, 4)
    every = pictures.FollowTheFact(fact)
    finish(one)
    finish(other)
    assert one.parts["map"].layout.display == "none"
    assert [item["number"] for item in every.parts["map"].items] == [1, 4]
    assert not every.parts["map"].unknown
    finish(every)
    assert len(every.parts["map"].items) == 4
    assert every.parts["map"].unknown
    prompt.box.value = "the dog sat on"
    assert every.parts["map"].layout.display == "none"


def test_closing_one_step_leaves_the_fact_to_the_others(fact):
    one, other = pictures.FollowTheFact(fact, 1), pictures.FollowTheFact(fact, 2)
    one.close()
    assert fact.comm is not None
    finish(other)
    assert [item["number"] for item in pictures.FollowTheFact(fact).parts["map"].items] == [2]


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
    pair, one = fact.trace, pictures.PutIn(fact, "dog")
    finish(one)
    answer = pair.answers[0]
    second, _ = twin(pair.trace, pair.subject, "dog")
    for row, (base, at) in enumerate(
        ((pair.twin, pair.subject), (pair.twin, -1), (second.twin, pair.subject))
    ):
        edits = Edits(resid={(2, at): pair.trace.blocks[2].resid_pre[at]})
        wanted = experiments.probability(tiny_model.trace(base.tokens, edits), answer)
        assert one.parts["plot"].values[row, 2] == pytest.approx(wanted, rel=1e-4)
    assert one.parts["plot"].values[0, 0] == pytest.approx(
        experiments.probability(pair.trace, answer), rel=1e-4
    )
    layer = facts.last_decisive_layer(pair)
    above = one.parts["plot"].values[0] > 0.5 * experiments.probability(pair.trace, answer)
    assert layer == np.flatnonzero(above).max(initial=-1)


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


def test_stopped_before_the_end_the_ten_go_on_where_they_were(tiny_model, nothing_measured):
    async def stop():
        view = pictures.TenCountries(tiny_model)
        view.parts["card"].set_state({"committed": True})
        while view.busy and view._measured("countries", view.state).result is None:
            await asyncio.sleep(0.01)
        view.parts["countries"].click()
        assert not view.busy
        assert view.parts["card"].answer is None
        known = view._measured("countries", view.state).result
        view.parts["countries"].click()
        while view.busy:
            await asyncio.sleep(0.01)
        assert view._measured("countries", view.state).result[: len(known)] == known
        assert view.parts["card"].answer is not None

    asyncio.run(stop())


def test_what_is_said_of_all_countries():
    lost, taken = np.full((2, 9), 0.8), np.zeros((2, 9))
    lost[:, 1] = 0.1
    taken[0, 3] = 0.7
    told = agree(lost, taken, ["head 4 of layer 23"] * 2)
    assert numbers(told[0]) == [2, 2, 0, 0]  # lost, of so many; with the control off; brought by the swap
    assert numbers(told[1]) == [0, 2, 0, 1]
    assert "head 4 of layer 23" in told[-1]


def test_the_experiment_can_be_stopped(fact):
    async def press_twice():
        view = pictures.PutIn(fact)
        button = view.parts["depths"]
        before = button.description
        button.click()
        await asyncio.sleep(0)
        assert button.description == "stop"
        button.click()
        await asyncio.sleep(0.02)
        assert button.description == before
        assert not view.busy

    asyncio.run(press_twice())


def test_spans_name_runs():
    yes = np.zeros(12, bool)
    assert numbers(spans(yes)) == []
    yes[[0, 1, 2, 5, 6, 9]] = True
    assert numbers(spans(yes)) == [0, 2, 5, 6, 9]
