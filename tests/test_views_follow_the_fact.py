"""A fact followed with a twin text: what is switched off, what is swapped, and what is said of it."""

import asyncio
import re

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
from llmviz.views.ffn.fact import NO_FACT, steps, twin
from llmviz.views.ffn.follow_the_fact import MEANING, agree, carries, said, spans


@pytest.fixture
def fact(prompt):
    """ "the cat sat on the dog" and its twin; the subject is not the last token."""
    return pictures.Fact(prompt, "a")


def finish(explorer):
    """Press the button where no event loop runs: the whole work at once."""
    explorer.buttons[0].click()


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
    fact.strip.selected = 2
    assert fact.trace.subject == 2
    assert fact.trace.twin.tokens != first.twin.tokens
    fact.word.value = "dog"
    word = fact.trace.twin.tokens[2]
    assert fact.trace.twin.pieces[2].strip() == "dog"
    prompt.box.value = "the dog sat on"
    assert fact.trace.trace.tokens == prompt.trace.tokens
    assert fact.trace.twin.tokens[fact.trace.subject] == word


@pytest.mark.parametrize("word", ["", "   ", "cat dog", "<script>", "🙂🙂", "a\x07b"])
def test_a_word_that_is_no_token_is_told(fact, word):
    fact.word.value = word
    if fact.trace is None:
        assert repr(fact.told)
    fact.word.value = "a"
    assert fact.trace is not None


def test_a_single_token_has_no_subject(fact, prompt):
    shown = [pictures.FollowTheFact(fact, 1), pictures.PutIn(fact)]
    prompt.box.value = "t"
    assert fact.trace is None
    for one in shown:
        finish(one)
        assert repr(one.told) == NO_FACT["no twin"]
    with pytest.raises(ValueError, match="subject"):
        facts.answer_probability(fact.trace, 1, 0)
    with pytest.raises(ValueError, match="subject"):
        facts.last_decisive_layer(fact.trace)


def test_texts_that_go_on_alike_have_nothing_to_follow(fact):
    fact.word.value = fact.trace.trace.pieces[fact.trace.subject].strip()  # its own word
    for one in (pictures.FollowTheFact(fact, 3), pictures.PutIn(fact)):
        finish(one)
        assert repr(one.told) == NO_FACT["same answer"]
    assert repr(pictures.WhatTheMoverSays(fact).told) == NO_FACT["same answer"]
    assert not fact.found
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
        assert (one.says.layer.value, one.says.head.value) == fact_mover_head(fact.trace)
        assert one.says.strip.selected == fact.trace.subject
        assert one.says.strip.pieces == fact.trace.trace.pieces
        layer, head = fact_mover_head(fact.trace)
        assert one.says.said.titles[0].startswith(f"L{layer}·H{head} ")
    said = experiments.ov_logits(fact.trace.trace, *fact_mover_head(fact.trace), fact.trace.subject)
    place = np.argsort(-said).tolist().index(fact.trace.answers[0]) + 1
    assert facts.rank_of_answer(fact.trace) == place
    assert re.search(holding(f"{place:,}"), repr(one.told))


# --- the steps ---


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_step_measures_part_and_control(fact, tiny_model, number):
    pair = fact.trace
    one = pictures.FollowTheFact(fact, number)
    finish(one)
    step = steps(pair, early=one.layers.value)[number - 1]
    np.testing.assert_allclose(one.table.values[0], pair.answer_probs(), rtol=1e-5)
    for row, (_, edits) in enumerate((*step.off, *step.swap)):
        every = np.array([pair.answer_probs(edit) for edit in edits])
        best = every[:, 0].argmin() if row < 2 else every[:, 1].argmax()
        np.testing.assert_allclose(one.table.values[1 + row], every[best], rtol=1e-4)
    assert facts.answer_probability(pair, number, 0) == pytest.approx(
        100 * pair.answer_probs(steps(pair)[number - 1].off[0][1][0])[0], abs=0.01
    )
    name = step.off[0][0]
    assert name in one.table.row_labels[1]
    assert step.name in one.told.sentences[0].replace(step.name[0].upper(), step.name[0], 1)
    verdict = next(told for told in reversed(one.told.sentences) if told != step.note)
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
    assert [bool(step.note) for step in steps(pair)] == [False, False, same, False]
    told = [said(pair, step, np.zeros((4, 2)), np.ones(2)) for step in steps(pair)]
    assert [bool(step.note) and step.note in one[-1] for one, step in zip(told, steps(pair))] == [
        *(False, False, same, False)
    ]


def test_the_map_grows_with_the_steps_and_starts_anew_with_the_text(fact, prompt):
    one, other = pictures.FollowTheFact(fact, 1), pictures.FollowTheFact(fact, 4)
    every = pictures.FollowTheFact(fact)
    finish(one)
    finish(other)
    assert one.map not in one.children
    assert [item["number"] for item in every.map.items] == [1, 4]
    assert not every.map.unknown
    finish(every)
    assert len(every.map.items) == 4
    assert every.map.unknown
    prompt.box.value = "the dog sat on"
    assert not fact.found
    assert every.map.layout.display == "none"


def test_closing_one_step_leaves_the_fact_to_the_others(fact):
    one, other = pictures.FollowTheFact(fact, 1), pictures.FollowTheFact(fact, 2)
    one.close()
    assert fact.comm is not None
    finish(other)
    assert list(fact.found) == [2]


def test_what_a_step_shows():
    whole, found = np.array([0.8, 0.01]), np.zeros((4, 2))
    found[0, 0], found[2] = 0.1, [0.1, 0.7]
    assert carries(found, whole, 0.9) == "carries"
    found[2] = [0.7, 0.1]
    assert carries(found, whole, 0.9) == "unclear"  # its control is lost as well
    found[1, 0] = 0.5
    assert carries(found, whole, 0.9) == "needed"
    found[0, 0] = 0.7
    assert carries(found, whole, 0.9) == "neither"


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
        assert one.plot.values[row, 2] == pytest.approx(wanted, rel=1e-4)
    assert one.plot.values[0, 0] == pytest.approx(experiments.probability(pair.trace, answer), rel=1e-4)
    layer = facts.last_decisive_layer(pair)
    above = one.plot.values[0] > 0.5 * experiments.probability(pair.trace, answer)
    assert layer == np.flatnonzero(above).max(initial=-1)


def test_ten_countries(tiny_model):
    one = pictures.TenCountries(tiny_model)
    assert not one.told.sentences  # nothing runs before the reader asks
    assert {part.layout.display for part in one.asked} == {"none"}
    one.card.committed = True
    assert {part.layout.display for part in one.asked} == {""}
    at = list(CAPITALS).index("Japan")
    pair = experiments.pair_of(tiny_model, "The capital of Japan is", tiny_model.tokens_of(" China")[0])
    np.testing.assert_allclose(
        [one.off.values[at, 0], one.swap.values[at, 0]], pair.answer_probs(), rtol=1e-4
    )
    step = steps(pair)[3]
    assert one.off.values[at, 7] == pytest.approx(pair.answer_probs(step.off[0][1][0])[0], rel=1e-3, abs=1e-9)
    assert one.swap.values[at, 7] == pytest.approx(
        pair.answer_probs(step.swap[0][1][0])[1], rel=1e-3, abs=1e-9
    )
    assert "of 10" in repr(one.told)
    twins = np.roll(one.off.values[:, 0], -1)
    assert one.card.answer == (one.swap.values[:, 3] > 0.5 * twins).sum()


def test_stopped_before_the_end_the_question_of_the_ten_is_open_again(tiny_model):
    async def stop():
        one = pictures.TenCountries(tiny_model)
        one.card.committed = True
        await asyncio.sleep(0.01)
        one.buttons[0].click()
        assert not one.card.committed
        assert {part.layout.display for part in one.asked} == {"none"}

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
        one = pictures.PutIn(fact)
        before = one.buttons[0].description
        one.buttons[0].click()
        await asyncio.sleep(0)
        assert one.buttons[0].description == "stop"
        one.buttons[0].click()
        await asyncio.sleep(0.02)
        assert one.buttons[0].description == before

    asyncio.run(press_twice())


def test_spans_name_runs():
    yes = np.zeros(12, bool)
    assert numbers(spans(yes)) == []
    yes[[0, 1, 2, 5, 6, 9]] = True
    assert numbers(spans(yes)) == [0, 2, 5, 6, 9]
