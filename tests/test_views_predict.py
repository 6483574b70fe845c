"""Predict, commit, reveal."""

import numpy as np
import pytest

from llmviz.views import Predict
from llmviz.views.kit.predict import amount, how_far


def test_nothing_is_computed_or_sent_before_the_commitment():
    calls = []
    question = Predict("Which?", ["a", "b"], answer=lambda: calls.append(1) or 1, explain="Because of b.")
    question.guess = 0
    assert calls == []
    state = question.get_state()
    assert state["answer"] is None
    assert state["answer_text"] == state["told"] == state["explained"] == ""
    question.committed = True
    assert calls == [1]
    assert question.answer == 1
    assert question.answer_text == "b"
    assert question.explained == "Because of b."


@pytest.mark.parametrize("answer", [1, "b", np.int64(1), lambda: "b"])
def test_the_answer_is_an_options_index_or_text(answer):
    question = Predict("Which?", ["a", "b"], answer=answer)
    question.change(guess=0, committed=True)
    assert question.answer == 1
    assert question.told == "You said “a”. It is “b”."


def test_a_right_guess():
    question = Predict("Which?", ["a", "b"], answer="b")
    question.change(guess=1, committed=True)
    assert question.told == "It is “b”, as you said."


def test_an_answer_that_is_no_option_is_said_as_it_is():
    question = Predict("Which?", ["a", "b"], answer=lambda: "zebra")
    question.change(guess=1, committed=True)
    assert question.answer is None
    assert question.told == "You said “b”. It is none of these, but “zebra”."


def test_a_number_is_compared():
    question = Predict("How likely?", answer=lambda: np.float32(0.675 * 100), unit="%", low=0, high=100)
    question.guess = 20
    question.committed = True
    assert question.answer == pytest.approx(67.5)
    assert question.answer_text == "67.5 %"
    assert question.told.startswith("You said 20 %. It is 67.5 %: you were 47.5 percentage points too low")


@pytest.mark.parametrize(
    ("guess", "answer", "unit", "sentence"),
    [
        (10, 10, "", "You said 10. It is 10: spot on."),
        (0, 0, "", "You said 0. It is 0: spot on."),
        (12, 10, "layers", "You said 12 layers. It is 10 layers: you were 2 layers too high."),
        (1, 50_000, "", "You said 1. It is 50,000: you were 49,999 too low, a factor of 5e+04."),
        (-1, 1, "", "You said −1. It is 1: you were 2 too low."),
        (3, float("nan"), "", "You said 3. It is undefined."),
    ],
)
def test_how_far_off(guess, answer, unit, sentence):
    assert how_far(guess, answer, unit) == sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (0.00012345, "0.000123"), (1234.5, "1,234"), (-0.5, "−0.5"), (float("inf"), "∞")],
)
def test_amounts_for_people(value, text):
    assert amount(value) == text


def test_the_notebook_can_say_it_in_its_own_words():
    question = Predict("How many?", answer=30, tell=lambda guess, answer: f"{guess:.0f} against {answer:.0f}")
    question.change(guess=12, committed=True)
    assert question.told == "12 against 30"
    question = Predict("Which?", ["a", "b"], answer=1, tell=lambda guess, answer: f"{guess}/{answer}")
    question.change(guess=0, committed=True)
    assert question.told == "a/b"


@pytest.mark.parametrize(
    "answer",
    [lambda: 1 / 0, lambda: [].index(3), lambda: 7, lambda: None],
    ids=["raises", "lookup", "no option", "None"],
)
def test_an_error_in_the_answer_is_a_sentence(answer):
    question = Predict("Which?", ["a", "b"], answer=answer)
    question.change(guess=0, committed=True)
    assert question.told.startswith("The answer could not be computed")
    assert question.answer is None


def test_no_commitment_without_a_guess():
    question = Predict("How many?", answer=3)
    question.committed = True
    assert not question.committed
    assert question.told == ""


def test_asking_again_closes_the_reveal_and_computes_anew():
    answers = iter([1, 0])
    question = Predict("Which?", ["a", "b"], answer=lambda: next(answers))
    question.change(guess=0, committed=True)
    assert question.answer_text == "b"
    question.ask_again()
    assert (question.guess, question.answer, question.told, question.answer_text) == (None, None, "", "")
    question.change(guess=0, committed=True)
    assert question.answer_text == "a"
    question.ask_again(answer=1)
    question.change(guess=1, committed=True)
    assert question.answer_text == "b"


def test_text_form():
    question = Predict("Which?", ["a", "b"], answer=1, explain="Because.")
    question.guess = 0
    assert question.text().splitlines() == [
        "Which?",
        "  (•) a",
        "  ( ) b",
        "(The answer comes after you commit to a guess.)",
    ]
    question.committed = True
    assert question.text().splitlines()[-2:] == ["You said “a”. It is “b”.", "Because."]


def test_options_from_a_reader_are_data():
    question = Predict("<b>Which?</b>", ["<script>alert(1)</script>", "\ud83d"], answer="\ud83d")
    question.change(guess=0, committed=True)
    assert question.options == ["<script>alert(1)</script>", "\\ud83d"]
    assert question.answer == 1
