"""Predict, commit, reveal."""

import re
from dataclasses import replace

import numpy as np
import pytest
import traitlets
from messages import holding, numbers

from llmviz import views
from llmviz.experiments.small_models import within
from llmviz.views import Predict
from llmviz.views.kit.predict import how_far
from llmviz.views.kit.view import Refused


def test_nothing_of_the_answer_is_sent_but_while_the_card_is_committed():
    card = Predict("Which?", ["a", "b"], answer=lambda: 1, explain="Because of b.").card
    told = ("answer", "answer_text", "verdict", "explained")
    for _ in range(2):
        assert card.guess is None
        card.guess = 0
        assert [card.get_state()[name] for name in told] == [None, "", "", ""]
        card.committed = True
        assert (card.answer, card.answer_text, card.explained) == (1, "b", "Because of b.")
        card.change(committed=False, guess=None)


def test_the_answer_is_fixed_when_the_card_is_made():
    ids = [1, 2]
    question = Predict("How many?", answer=lambda: len(ids))
    ids.append(3)
    question.card.change(guess=2, committed=True)
    assert question.card.verdict == how_far(2, 2)


def test_the_picture_is_shown_by_committing():
    picture = views.HeatMap([[1.0]], ["a"])
    question = Predict("Which?", ["a", "b"], answer=1, then=picture)
    assert picture.layout.display == "none"
    assert picture.text() not in repr(question)
    question.card.change(guess=0, committed=True)
    assert not picture.layout.display
    assert picture.text() in repr(question)
    question.card.change(committed=False, guess=None)
    assert picture.layout.display == "none"


@pytest.mark.parametrize("guess", [-5, 1e9, float("nan"), 101])
def test_a_number_out_of_range_is_refused(guess):
    card = Predict("How likely?", answer=3, unit="%", low=0, high=100).card
    card.set_state({"guess": guess, "committed": True})
    assert not card.committed
    assert card.verdict == card.answer_text == ""


def test_a_count_has_no_guess_between_two_numbers():
    card = Predict("How many?", answer=3, unit="answers", low=0, high=10, whole=True).card
    card.change(guess=5.2, committed=True)
    assert not card.committed
    card.change(guess=5, committed=True)
    assert card.verdict == how_far(5, 3, "answers")


@pytest.mark.parametrize("guess", [2, -1, 0.5])
def test_an_option_that_does_not_exist_is_refused(guess):
    card = Predict("Which?", ["a", "b"], answer=1).card
    card.change(guess=guess, committed=True)
    assert not card.committed


def test_a_question_about_the_readers_text(tiny_model):
    def asked(trace):
        return f"How many tokens has {''.join(trace.pieces)}?"

    prompt = views.Prompt(tiny_model, "The cat")
    question = Predict(
        asked,
        answer=lambda trace: len(trace.tokens),
        about=prompt,
        unit="tokens",
    )
    assert question.card.question == asked(prompt.trace)
    assert prompt.freshness.followers in question.card._dom_classes  # pale while the box is empty
    prompt.box.value = "The black cat sat"
    assert question.card.question == asked(prompt.trace)
    question.card.change(guess=1, committed=True)
    n = len(prompt.trace.tokens)
    assert question.card.verdict == how_far(1, n, "tokens")
    answered = question.card.question, question.card.verdict
    prompt.box.value = "a"  # the text changes after the guess: the card keeps the question that was answered
    assert (question.card.question, question.card.verdict) == answered
    assert question.card.explained  # and says so
    question.card.change(committed=False, guess=None)
    assert question.card.question == asked(prompt.trace)
    question.card.committed = True
    assert numbers(question.card.verdict) == [len(prompt.trace.tokens)]
    assert not question.card.explained


def test_nothing_is_computed_for_a_text_before_the_commitment(tiny_model):
    prompt, computed, drawn = views.Prompt(tiny_model, "The cat"), [], []

    def draw(trace):
        drawn.append(trace)
        return views.TokenStrip(trace.pieces)

    def answer(trace):
        computed.append(trace)
        return len(trace.tokens)

    question = Predict("How many?", answer=answer, about=prompt, then=views.live(prompt, draw))
    for text in ("The black cat", "The black cat sat"):
        prompt.box.value = text
    assert (len(computed), len(drawn)) == (0, 1)
    question.card.committed = True
    assert numbers(question.card.verdict) == [len(prompt.trace.tokens)]
    question.card.change(committed=False, guess=None)
    question.card.committed = True
    assert computed == drawn[1:] == [prompt.trace]
    prompt.box.value = "a"  # the picture follows the text, and the card keeps its question
    assert (len(computed), drawn[2:]) == (1, [prompt.trace])
    question.card.change(committed=False, guess=None)
    question.card.committed = True
    assert computed[1:] == [prompt.trace]


def test_an_open_card_keeps_a_guess_that_still_fits(tiny_model):
    prompt = views.Prompt(tiny_model, "The cat")
    same = Predict("How many?", answer=lambda trace: len(trace.tokens), about=prompt)
    other = Predict("Which?", lambda trace: trace.pieces, answer=0, about=prompt)
    same.card.guess = other.card.guess = 1
    prompt.box.value = "a"
    assert (same.card.guess, other.card.guess) == (1, None)
    assert other.card.options == prompt.trace.pieces


def test_a_state_whose_guess_is_no_option_is_refused(tiny_model):
    card = Predict("Which?", ["a", "b"], answer=1)
    answered = replace(card.scene(card.state).answer, guess=1)
    card.become(card.State(answered=answered))
    assert card.card.verdict.count("“b”") == 1
    with pytest.raises(Refused):
        card.become(card.State(answered=replace(answered, guess=2)))
    assert card.card.committed
    assert card.card.guess == 1


def test_a_hidden_picture_that_something_follows_does_not_wait(tiny_model):
    prompt = views.Prompt(tiny_model, "The cat")
    followed, hidden = views.kit.picture.Explorer(), views.kit.picture.Explorer()
    seen = []
    for view in (followed, hidden):
        view.follow(prompt, lambda _, view=view: seen.append(view))
    followed.add_traits(trace=traitlets.Any(prompt.trace))
    hidden.follow(followed, lambda _: None)
    followed.layout.display = hidden.layout.display = "none"
    seen.clear()
    prompt.box.value = "The black cat"
    assert seen == [followed]


@pytest.mark.parametrize(
    ("guess", "answer", "right", "quoted"),
    [
        (0, 1, 1, "ab"),
        (0, "b", 1, "ab"),
        (0, np.int64(1), 1, "ab"),
        (0, lambda: "b", 1, "ab"),
        (1, "b", 1, "b"),
        (None, 1, 1, "b"),  # "show me" needs no guess
    ],
)
def test_the_answer_is_an_options_index_or_a_text(guess, answer, right, quoted):
    card = Predict("Which?", ["a", "b"], answer=answer, explain="Because.").card
    card.change(guess=guess, committed=True)
    assert (card.answer, card.explained) == (right, "Because.")
    assert "".join(re.findall("“(.*?)”", card.verdict)) == quoted


@pytest.mark.parametrize(("guess", "right"), [(0, 0), (2, 2), (1, 2)])
def test_either_of_two_that_are_tied_is_right(guess, right):
    question = Predict("Which?", ["a", "b", "c"], answer=lambda: within([1.0, 0.5, 1.01], 0.03)).card
    question.change(guess=guess, committed=True)
    assert question.answer == right
    assert question.verdict.endswith("It's a tie between “c” and “a”.")


def test_a_number_is_compared():
    question = Predict("How likely?", answer=lambda: np.float32(0.675 * 100), unit="%", low=0, high=100).card
    question.guess = 20
    question.committed = True
    assert question.answer == pytest.approx(67.5)
    assert question.answer_text == "67.5%"
    assert re.search(holding("20%", "67.5%", 47.5), question.verdict)
    question.change(committed=False, guess=None)
    question.committed = True
    assert numbers(question.verdict) == [67.5]
    assert how_far(12, 10).replace("12", "8") != how_far(8, 10)  # too high, too low


@pytest.mark.parametrize(
    ("guess", "answer", "unit", "told"),
    [
        (10, 10, "", [10]),
        (0, 0, "", [0]),
        (0, 0.00002, "%", [0, 0.001]),  # less than that
        (12, 10, "layers", [12, 10, 2]),
        (1, 50_000, "", [1, 50_000, 49_999]),
        (30, 0.224, "%", [30, 0.224, 29.8]),
        (-1, 1, "", [-1, 1, 2]),
        (3, float("nan"), "", [3]),
    ],
)
def test_how_far_off(guess, answer, unit, told):
    assert {*numbers(how_far(guess, answer, unit))} == {*told}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda: 1 / 0, "division"),
        (lambda: [].index(3), "3"),
        (lambda: "zebra", "“zebra”"),
        (lambda: None, ""),
    ],
    ids=["raises", "lookup", "no option", "None"],
)
def test_an_error_in_the_answer_is_a_sentence(answer, says):
    question = Predict("Which?", ["a", "b"], answer=answer, explain="Because.").card
    question.change(guess=0, committed=True)
    assert question.verdict
    assert says in question.verdict
    assert question.answer is None
    assert question.explained == ""


def test_text_form():
    question = Predict("Which?", ["a", "b"], answer=1, explain="Because.").card
    question.guess = 0
    *open_card, waits = question.text().splitlines()
    assert open_card == ["Which?", "  (•) a", "  ( ) b"]
    question.committed = True
    assert question.text().splitlines() == [*open_card, question.verdict, "Because."]
    assert waits not in question.text()


def test_options_from_a_reader_are_data():
    question = Predict("<b>Which?</b>", ["<script>alert(1)</script>", "\ud83d"], answer="\ud83d").card
    question.change(guess=0, committed=True)
    assert question.options == ["<script>alert(1)</script>", "\\ud83d"]
    assert question.answer == 1
