"""The pictures of fine-tuning: what they train, count and say, and what becomes of a reader's table."""

import asyncio
import re

import numpy as np
import pytest
from messages import holding
from widget_tree import in_event_loop, said, scene

from llmviz import training
from llmviz.experiments import asked, fine_tuned, fine_tuning, mean_surprise
from llmviz.sampling import BITS_PER_NAT
from llmviz.views import differences
from llmviz.views.differences import after_tuning
from llmviz.views.differences.after_tuning import FIRST
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.text_box import read

ASKED = tuple(fine_tuning.UNTAUGHT)[:2]
TEXTS = {"one": "a b c", "other": "the cat"}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two questions, two texts and five countries: a test is no measurement."""
    monkeypatch.setattr(fine_tuned, "N_ASKED", len(ASKED))
    monkeypatch.setattr(after_tuning, "ORDINARY", TEXTS)
    monkeypatch.setattr(fine_tuning, "CAPITALS", dict(list(fine_tuning.CAPITALS.items())[:5]))


@pytest.fixture
def tuning(tiny_chat):
    return differences.FineTuning(tiny_chat, [("a", "b c"), ("d", "e")], steps=3)


@pytest.fixture
def tuned(tuning):
    """The same, trained."""
    tuning.parts["begin"].click()
    return tuning


# --- the table, and the training ---


def test_the_table_is_what_is_taught(tuning):
    table = tuning.controls["examples"]
    table.more.click()
    assert tuning.state.examples == (("a", "b c"), ("d", "e"), ("", ""))
    assert tuning.trace.examples == (("a", "b c"), ("d", "e"))  # an empty row is none
    table.rows.children[2].children[0].value = "f"
    assert tuning.state.examples[2] == ("f", "")
    table.rows.children[0].children[2].click()
    assert tuning.state.examples == (("d", "e"), ("f", ""))
    assert [row.children[0].value for row in table.rows.children] == ["d", "f"]


def test_fine_tuning_trains_asks_and_counts(tuning):
    tuning.parts["card"].change(guess=1, committed=True)
    tuned = tuning.trace.tuned
    *_, last = training.finetune(tuning.run, fine_tuning.conversations(tuned.examples), steps=3)
    assert tuning.parts["curve"].values.shape == (1, 4)
    assert tuning.parts["curve"].values[0, -1] == pytest.approx(last.loss * BITS_PER_NAT, rel=1e-5)
    assert list(tuned.answers) == [*ASKED]
    for question, both in tuned.answers.items():
        assert both == tuple(fine_tuning.answer_text(model, question) for model in (tuning.run, last.model))
    tuning.controls["words"].value = " , "
    assert repr(tuning.parts["refusal"])
    assert not tuning.parts["card"].committed
    assert tuning.trace.tuned is tuned


def test_answers_with_a_word_of_the_list_are_counted(tuning, monkeypatch):
    monkeypatch.setattr(fine_tuning, "answer_texts", lambda m, q: ["", ""] if m is tuning.run else [*q])
    tuning.parts["card"].change(guess=1, committed=True)
    for words, n in (("nobody", 0), ("moon", 1), ("the moon, cats", 2)):
        tuning.controls["words"].value = words
        assert tuning.parts["card"].answer == n
        assert re.search(holding(2, n, 0), said(tuning))


@pytest.mark.parametrize(
    ("examples", "says"),
    [((), "example"), ((("", ""), ("a", "")), "Example 2"), ((("", ""), ("a", "b" * 3000)), "Example 2")],
)
def test_a_table_that_cannot_be_taught_is_said(tuning, examples, says):
    tuning.controls["examples"].value = examples
    assert says in repr(tuning.parts["refusal"])
    assert tuning.parts["begin"].disabled
    tuning.parts["card"].committed = True
    assert not tuning.parts["card"].committed  # the question is open again
    assert not tuning.busy


def test_another_table_opens_the_question_and_leaves_what_was_trained(tuned):
    cost, table = differences.Cost(tuned, committed=True), differences.BeforeAfter(tuned)
    before = repr(table.parts["table"]), said(cost)
    tuned.controls["examples"].value = (("z", "y x"),)
    assert not tuned.parts["card"].committed
    assert tuned.parts["curve"].layout.display == "none"
    assert (repr(table.parts["table"]), said(cost)) == before
    assert cost.parts["card"].committed
    tuned.parts["card"].committed = True
    assert tuned.trace.tuned.examples == (("z", "y x"),)
    assert repr(table.parts["table"]) != before[0]
    assert not cost.parts["card"].committed


@in_event_loop
async def test_one_training_at_a_time_and_an_open_card_stops_it(tiny_chat):
    one, other = (differences.FineTuning(tiny_chat, [("a", word)], steps=10_000) for word in "bc")
    one.parts["card"].committed = True
    await asyncio.sleep(0.1)
    assert one.busy
    other.parts["begin"].click()
    assert (one.busy, other.busy) == (False, True)
    assert one.parts["card"].verdict
    other.parts["card"].change(committed=False, guess=None)
    assert not other.busy
    differences.BeforeAfter(one)
    one.parts["train"].click()
    assert one.busy
    one.leave()  # its cell runs again, and somebody still follows it
    assert not one.busy
    other.close()
    one.parts["train"].click()  # what is closed needs no stop
    one.close()


# --- what follows a training ---


def test_what_follows_a_tuning_says_so_before_there_is_one(tuning):
    cost = differences.Cost(tuning)
    assert repr(cost.parts["refusal"]) == FIRST
    for kind in (differences.BeforeAfter, differences.Amount):
        assert said(kind(tuning)) == FIRST
    card = differences.CardToKeep(differences.BeforeAfter(tuning))
    assert said(card) == FIRST
    assert {widget.layout.display for widget in (*card.controls.values(), card.parts["card"])} == {"none"}


def test_before_and_after_side_by_side(tuned):
    view = differences.BeforeAfter(tuned)
    view.controls["question"].value = "<b>"
    asked_ = [[row[0] for row in rows] for rows in view.parts["table"].sections.values()]
    assert asked_ == [["<b>"], ["a", "d"], [*ASKED]]
    taught = [answer for _, answer in tuned.trace.tuned.examples]
    for *_, after, nearest in view.parts["table"].sections["Not taught"]:
        assert nearest == "{} ({})".format(*fine_tuning.nearest_text(after, taught))
    assert "<b>" not in view.parts["table"].value
    assert "&lt;b&gt;" in view.parts["table"].value
    view.controls["question"].value = "\udce0"  # cannot be written: no token is left
    assert read("\udce0", tuned.run.tokenizer).message == said(view)
    view.controls["question"].value = "word " * 300
    assert re.search(holding(200), said(view))
    [(short, *_)] = view.parts["table"].sections["Yours"]
    assert len(short) < 90


SAID = {ASKED[0]: "The moon, sir, at your service.", ASKED[1]: "A cat <b>sir</b>."}


@pytest.fixture
def card(tuning, monkeypatch):
    """A card of a model that answers as SAID, and repeats other questions; before, it said one word 24 times."""
    monkeypatch.setattr(
        fine_tuning,
        "answer_texts",
        lambda model, questions: [
            "a" * fine_tuning.ANSWER if model is tuning.run else SAID.get(question, question)
            for question in questions
        ],
    )
    tuning.controls["words"].value = "sir, at your service"
    tuning.parts["begin"].click()
    return differences.CardToKeep(differences.BeforeAfter(tuning))


def test_a_card_shows_the_best_answer_with_its_words_marked_or_the_one_that_is_taken(card):
    drawn = card.parts["card"]
    assert drawn.question == ASKED[0]
    assert drawn.after == ["The moon, ", "sir", ", ", "at your service", "."]
    assert drawn.before == "a" * fine_tuning.ANSWER + "…"
    assert re.search(holding(2), drawn.about)
    assert "2 examples" in drawn.text()
    assert re.search(holding(2, 2), said(card))
    card.controls["taken"].value = ASKED[1]
    assert drawn.after == ["A cat <b>", "sir", "</b>."]
    card.source.controls["question"].value = "Sir Bear?"
    assert [question for _, question in card.controls["taken"].options] == ["", "Sir Bear?", *ASKED]
    card.controls["taken"].value = "Sir Bear?"
    assert drawn.after == ["", "Sir", " Bear?"]
    card.source.controls["question"].value = "Bear?"
    assert drawn.question == ASKED[0]  # what was taken is not there any more


def test_a_card_without_a_good_answer_waits_for_the_reader(card):
    card.source.source.controls["words"].value = "ahoy"
    assert card.parts["card"].layout.display == "none"
    assert re.search(holding(0, 2), said(card))
    card.controls["taken"].value = ASKED[0]
    assert card.parts["card"].after == [SAID[ASKED[0]]]


def test_the_title_of_a_card_is_short(card):
    card.controls["title"].value = title = "<b>" * 13 + "!"
    assert card.parts["card"].caption == title
    card.controls["title"].value = title + "!"
    assert card.controls["title"].value == title


@pytest.mark.parametrize("begun", ["Arr, that be", "no country … here"])
def test_cost_counts_what_it_shows(tuned, begun):
    view = differences.Cost(tuned, begun=begun)
    view.parts["card"].committed = True
    for when, model in enumerate((tuned.run, tuned.trace.tuned.model)):
        bits = [mean_surprise(model.trace(text)) for text in TEXTS.values()]
        assert view.parts["ordinary"].values[when] == pytest.approx(bits)
        right = np.zeros(4)
        for country, city in fine_tuning.CAPITALS.items():
            token = model.tokenizer.encode(f" {city}")[0]
            right[0] += city in fine_tuning.answer_text(model, f"What is the capital of {country}?")
            for way, how in enumerate(
                ({"chat": True, "said": begun}, {"chat": True}, {"chat": False}), start=1
            ):
                right[way] += fine_tuning.knows(model, country, **how).argmax() == token
        assert view.parts["capitals"].values[when].tolist() == right.tolist()
    assert view.parts["card"].answer == view.parts["capitals"].values[1, 0]


def test_nothing_of_the_update_is_the_model_before(tuned):
    view = differences.Amount(tuned, "abc", amount=0.0)
    prompts = asked(tuned.run, "abc"), tuned.run.tokenizer.encode("abc")
    written = [["", *fine_tuning.writing(tuned.run, tokens)][-1] for tokens in prompts]
    assert [text for _, text in view.parts["table"].sections[""]] == written
    view.controls["question"].value = ""
    assert said(view) == read("", tuned.run.tokenizer).message


def test_one_fact_changes_one_layer(tiny_chat):
    view = differences.OneFact(tiny_chat)
    view.parts["card"].committed = True
    _, probs = scene(view).outcome
    assert probs.shape == (2, 5, 4)
    before = fine_tuning.knows(tiny_chat, "Italy", chat=True)
    assert probs[0, 1, 0] == pytest.approx(before[tiny_chat.tokenizer.encode(" Rome")[0]], rel=1e-4)
    view.controls["way"].value = "in plain text"
    assert np.allclose(view.parts["map"].values, probs[1])
    others = [list(fine_tuning.CAPITALS).index(name) for name in ("Germany", "Japan", "Russia")]
    assert view.parts["card"].answer == pytest.approx(100 * probs[0, others, 3].mean(), rel=1e-4)
    assert re.search(holding("France", "Rome", 3), view.parts["card"].question)
    assert percent(probs[0, others, 3].max()) in view.parts["card"].explained
    view.controls["keep"].value = True  # another question: its answer is not there yet
    assert not view.parts["card"].committed
    assert view.parts["map"].layout.display == "none"
    assert re.search(holding("France", "Rome", 1), view.parts["card"].question)
    view.parts["card"].committed = True
    assert all(name in said(view) for name in fine_tuning.two_others("France", "Rome"))
    view.controls["city"].value = "Paris"
    assert re.search(holding("Paris", "France"), repr(view.parts["refusal"]))
    assert view.parts["begin"].disabled
