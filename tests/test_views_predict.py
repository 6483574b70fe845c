"""Predict, commit, reveal."""

import numpy as np
import pytest
import traitlets

from llmviz import views
from llmviz.views import Predict
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.predict import how_far, within


def test_nothing_of_the_answer_is_sent_before_the_commitment():
    card = Predict("Which?", ["a", "b"], answer=lambda: 1, explain="Because of b.").card
    card.guess = 0
    state = card.get_state()
    assert state["answer"] is None
    assert state["answer_text"] == state["told"] == state["explained"] == ""
    card.committed = True
    assert (card.answer, card.answer_text, card.explained) == (1, "b", "Because of b.")


def test_the_answer_is_fixed_when_the_card_is_made():
    ids = [1, 2]
    question = Predict("How many?", answer=lambda: len(ids))
    ids.append(3)
    question.card.change(guess=2, committed=True)
    assert question.card.told == "You said 2. It is 2: spot on."


def test_the_picture_is_shown_by_committing():
    picture = views.HeatMap([[1.0]], ["a"])
    question = Predict("Which?", ["a", "b"], answer=1, then=picture)
    assert picture.layout.display == "none"
    assert picture.text() not in repr(question)
    question.card.change(guess=0, committed=True)
    assert not picture.layout.display
    assert picture.text() in repr(question)
    question.card.ask_again()
    assert picture.layout.display == "none"


def test_show_me_needs_no_guess():
    card = Predict("Which?", ["a", "b"], answer=1, explain="Because.").card
    card.committed = True
    assert (card.told, card.explained) == ("It is “b”.", "Because.")
    card = Predict("How many?", answer=1, unit="tokens").card
    card.committed = True
    assert card.told == "It is 1 token."


@pytest.mark.parametrize("guess", [-5, 1e9, float("nan"), 101])
def test_a_number_out_of_range_is_refused(guess):
    card = Predict("How likely?", answer=3, unit="%", low=0, high=100).card
    card.change(guess=guess, committed=True)
    assert not card.committed
    assert card.told == card.answer_text == ""


def test_a_count_has_no_guess_between_two_numbers():
    card = Predict("How many?", answer=3, unit="answers", low=0, high=10, whole=True).card
    card.change(guess=5.2, committed=True)
    assert not card.committed
    card.change(guess=5, committed=True)
    assert card.told == "You said 5 answers. It is 3 answers: you were 2 answers too high."


@pytest.mark.parametrize("guess", [2, -1, 0.5])
def test_an_option_that_does_not_exist_is_refused(guess):
    card = Predict("Which?", ["a", "b"], answer=1).card
    with pytest.raises(traitlets.TraitError, match="no option"):
        card.change(guess=guess, committed=True)
    assert not card.committed


def test_a_question_about_the_readers_text(tiny_model):
    prompt = views.Prompt(tiny_model, "The cat")
    question = Predict(
        lambda trace: f"How many tokens has {''.join(trace.pieces)}?",
        answer=lambda trace: len(trace.tokens),
        about=prompt,
        unit="tokens",
    )
    assert question.card.question == "How many tokens has The cat?"
    assert prompt.freshness.followers in question.card._dom_classes  # pale while the box is empty
    prompt.box.value = "The black cat sat"
    assert question.card.question == "How many tokens has The black cat sat?"
    question.card.change(guess=1, committed=True)
    n = len(prompt.trace.tokens)
    assert question.card.told.startswith(f"You said 1 token. It is {n} tokens")
    prompt.box.value = (
        "a"  # the text changes after the guess: the answer is that of the text that stands there
    )
    assert (
        question.card.told == f"It is {len(prompt.trace.tokens)} token{'s' * (len(prompt.trace.tokens) > 1)}."
    )


def test_nothing_is_computed_for_a_text_before_the_commitment(tiny_model):
    prompt, computed, drawn = views.Prompt(tiny_model, "The cat"), [], []

    def draw(trace):
        drawn.append(trace)
        return views.TokenStrip(trace.pieces)

    def answer(trace):
        assert drawn[-1] is trace  # it may be read from the picture
        computed.append(trace)
        return len(trace.tokens)

    question = Predict("How many?", answer=answer, about=prompt, then=views.live(prompt, draw))
    for text in ("The black cat", "The black cat sat"):
        prompt.box.value = text
    assert (len(computed), len(drawn)) == (0, 1)
    question.card.committed = True
    assert question.card.told == f"It is {len(prompt.trace.tokens)}."
    question.card.ask_again()
    question.card.committed = True
    assert computed == drawn[1:] == [prompt.trace]
    prompt.box.value = "a"  # an open card and its picture follow the text
    assert computed[1:] == drawn[2:] == [prompt.trace]


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


@pytest.mark.parametrize("answer", [1, "b", np.int64(1), lambda: "b"])
def test_the_answer_is_an_options_index_or_text(answer):
    question = Predict("Which?", ["a", "b"], answer=answer).card
    question.change(guess=0, committed=True)
    assert question.answer == 1
    assert question.told == "You said “a”. It is “b”."


@pytest.mark.parametrize(("guess", "right"), [(0, 0), (2, 2), (1, 2)])
def test_either_of_two_that_are_tied_is_right(guess, right):
    question = Predict("Which?", ["a", "b", "c"], answer=lambda: within([1.0, 0.5, 1.01], 0.03)).card
    question.change(guess=guess, committed=True)
    assert question.answer == right
    assert question.told.endswith("It is a tie: “c” and “a”.")


def test_a_right_guess():
    question = Predict("Which?", ["a", "b"], answer="b").card
    question.change(guess=1, committed=True)
    assert question.told == "It is “b”, as you said."


def test_an_answer_that_is_no_option_is_said_as_it_is():
    question = Predict("Which?", ["a", "b"], answer=lambda: "zebra").card
    question.change(guess=1, committed=True)
    assert question.answer is None
    assert question.told == "You said “b”. It is none of these, but “zebra”."


def test_a_number_is_compared():
    question = Predict("How likely?", answer=lambda: np.float32(0.675 * 100), unit="%", low=0, high=100).card
    question.guess = 20
    question.committed = True
    assert question.answer == pytest.approx(67.5)
    assert question.answer_text == "67.5%"
    assert question.told.startswith("You said 20%. It is 67.5%: you were 47.5 percentage points too low")


@pytest.mark.parametrize(
    ("guess", "answer", "unit", "sentence"),
    [
        (10, 10, "", "You said 10. It is 10: spot on."),
        (0, 0, "", "You said 0. It is 0: spot on."),
        (0, 0.00002, "%", "You said 0%. It is < 0.001%: spot on."),
        (12, 10, "layers", "You said 12 layers. It is 10 layers: you were 2 layers too high."),
        (1, 50_000, "", "You said 1. It is 50,000: you were 49,999 too low, a factor of 50,000."),
        (
            30,
            0.224,
            "%",
            "You said 30%. It is 0.224%: you were 29.8 percentage points too high, a factor of 130.",
        ),
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
    question = Predict(
        "How many?", answer=30, tell=lambda guess, answer: f"{guess:.0f} against {answer:.0f}"
    ).card
    question.change(guess=12, committed=True)
    assert question.told == "12 against 30"
    question = Predict("Which?", ["a", "b"], answer=1, tell=lambda guess, answer: f"{guess}/{answer}").card
    question.change(guess=0, committed=True)
    assert question.told == "a/b"


@pytest.mark.parametrize(
    "answer",
    [lambda: 1 / 0, lambda: [].index(3), lambda: 7, lambda: None],
    ids=["raises", "lookup", "no option", "None"],
)
def test_an_error_in_the_answer_is_a_sentence(answer):
    question = Predict("Which?", ["a", "b"], answer=answer).card
    question.change(guess=0, committed=True)
    assert question.told.startswith("There is no answer")
    assert question.answer is None


def test_asking_again_closes_the_reveal():
    card = Predict("Which?", ["a", "b"], answer=1).card
    card.change(guess=0, committed=True)
    assert card.answer_text == "b"
    card.ask_again()
    assert (card.guess, card.answer, card.told, card.answer_text) == (None, None, "", "")
    card.ask("Which now?", ["a", "b"], answer=0)
    card.change(guess=0, committed=True)
    assert card.told == "It is “a”, as you said."


def test_text_form():
    question = Predict("Which?", ["a", "b"], answer=1, explain="Because.").card
    question.guess = 0
    assert question.text().splitlines() == [
        "Which?",
        "  (•) a",
        "  ( ) b",
        "(The answer comes after you commit to a guess, or ask to be shown.)",
    ]
    question.committed = True
    assert question.text().splitlines()[-2:] == ["You said “a”. It is “b”.", "Because."]


def test_options_from_a_reader_are_data():
    question = Predict("<b>Which?</b>", ["<script>alert(1)</script>", "\ud83d"], answer="\ud83d").card
    question.change(guess=0, committed=True)
    assert question.options == ["<script>alert(1)</script>", "\\ud83d"]
    assert question.answer == 1
