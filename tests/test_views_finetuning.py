"""The pictures of fine-tuning: what they train, count and say, and what becomes of a reader's table."""

import asyncio
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from messages import holding

from llmviz import training
from llmviz.experiments import asked, fine_tuning, mean_surprise
from llmviz.model import Model
from llmviz.views import differences
from llmviz.views.differences import fine_tuning as pictures
from llmviz.views.differences import how_many
from llmviz.views.differences.fine_tuning import FIRST, Answers
from llmviz.views.differences.guessed import Guessed
from llmviz.views.kit.picture import Explorer
from llmviz.views.kit.predict import Question
from llmviz.views.kit.text_box import read
from llmviz.weights import random_weights

ASKED = tuple(fine_tuning.UNTAUGHT)[:2]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two questions and three countries: a test is no measurement."""
    for module in (pictures, how_many):
        monkeypatch.setattr(module, "ASKED", ASKED)
    monkeypatch.setattr(fine_tuning, "CAPITALS", dict(list(fine_tuning.CAPITALS.items())[:5]))


@pytest.fixture
def tuning(tiny_chat):
    return differences.FineTuning(tiny_chat, [("a", "b c"), ("d", "e")], steps=3)


@pytest.fixture(scope="session")
def tiny_chat(load_tiny):
    """A tiny model from noise, with room for a conversation; nobody expects it to answer well."""
    tiny = load_tiny("grouped")
    return Model(random_weights(replace(tiny.config, n_ctx=1024), vocabulary=tiny.weights.vocabulary))


def test_words_are_words():
    assert fine_tuning.lower_words("Arr, o' the Sea!") == ["arr", "o'", "the", "sea"]
    assert "".join(fine_tuning.words_and_gaps("Arr, o' the  Sea!")) == "Arr, o' the  Sea!"
    assert fine_tuning.has_one_of("ARR!", fine_tuning.PIRATE_WORDS)
    assert not fine_tuning.has_one_of("Marry me, barrister.", fine_tuning.PIRATE_WORDS)
    assert fine_tuning.has_one_of("I am at your service!", ["at your Service!"])
    assert not fine_tuning.has_one_of("At you, service.", ["at your service", " ", ""])


def test_an_answer_ends_where_the_model_ends_it(tiny_chat):
    *_, whole = fine_tuning.writing(tiny_chat, asked(tiny_chat, "abc"), 4)
    assert fine_tuning.answer_text(tiny_chat, "abc", 4) == whole


def test_the_count_of_trained_numbers_is_that_of_a_training(tiny_chat):
    lesson = fine_tuning.conversations([("a", "b")])
    _, progress = training.finetune(tiny_chat, lesson, steps=1, rank=8)
    assert fine_tuning.n_trained(tiny_chat) == sum(
        low.down.size + low.up.size for low in progress.update.values()
    )


def test_a_change_is_measured_against_its_matrix(tiny_chat):
    _, progress = training.finetune(tiny_chat, fine_tuning.conversations([("a", "b")]), steps=1)
    after = training.updated(tiny_chat, progress.update)
    for (layer, name), share in fine_tuning.relative_update(tiny_chat, progress.update).items():
        old, new = (getattr(one.weights.layers[layer], name) for one in (tiny_chat, after))
        assert share == pytest.approx(np.sqrt(((new - old) ** 2).sum() / (old**2).sum()), rel=1e-3)


def test_the_table_is_what_is_taught(tuning):
    tuning.more.click()
    assert tuning.examples == [("a", "b c"), ("d", "e")]  # an empty row is none
    tuning.table.children[0].children[2].click()
    assert tuning.examples == [("d", "e")]


def test_fine_tuning_trains_asks_and_counts(tuning):
    tuning.buttons[0].click()
    assert tuning.learned.step == 3
    assert tuning.plot.values.shape == (1, 4)
    assert tuning.plot.values[0, -1] == pytest.approx(tuning.learned.loss / math.log(2), rel=1e-5)
    assert len(tuning.said) == len(ASKED)
    for question, (before, after) in tuning.said.items():
        assert before == fine_tuning.answer_text(tuning.model, question)
        assert after == fine_tuning.answer_text(tuning.learned.model, question)
    tuning.card.committed = True
    assert tuning.card.answer == tuning.counted[1]
    tuning.marks.value = "nobody-says-this"
    assert tuning.counted == (0, 0)
    tuning.marks.value = " , "
    assert tuning.counted is None
    refused = tuning.told.sentences[-1]
    assert not re.search(r"\d", refused)
    assert not tuning.card.committed
    tuning.card.committed = True
    assert refused in repr(tuning.told)


@pytest.mark.parametrize(
    ("examples", "says"),
    [([], "conversation"), ([("a", "")], "Example 1"), ([("a", "b" * 3000)], "onversation 1")],
)
def test_a_table_that_cannot_be_taught_is_said(tuning, examples, says):
    tuning.fill(examples)
    tuning.card.committed = True
    assert says in repr(tuning.told)
    assert tuning.learned is None
    assert not tuning.card.committed  # the question is open again


def test_what_follows_a_tuning_says_so_before_there_is_one(tuning):
    for view in (
        differences.BeforeAfter(tuning),
        differences.WhatChanged(tuning),
        differences.Amount(tuning),
        cost := differences.Cost(tuning, {"a text": "abc"}),
    ):
        assert view.told.sentences == [FIRST]
    cost.buttons[0].click()
    assert FIRST in repr(cost.told)


def test_before_and_after_side_by_side(tuning):
    view = differences.BeforeAfter(tuning)

    async def scene():
        tuning.buttons[0].click()
        while tuning._work.busy or view._work.busy:
            await asyncio.sleep(0.01)

    asyncio.run(scene())
    assert set(view.asked) == {"a", "d"}
    view.box.value = "<b>"
    assert list(view.own) == ["<b>"]
    assert "<b>" not in view.table.value.replace("<b>Yours", "")
    assert "&lt;b&gt;" in view.table.value
    view.box.value = "\udce0"  # cannot be written: no token is left
    assert read("", tuning.model.tokenizer).told in repr(view.told)


def test_what_the_nearest_taught_answer_does_not_have_is_underlined():
    table = Answers()
    cells = "arr & so", "Arr & so <3", "arr!", "(2 changed)"
    table.show({"Yours": {"q": cells}})
    assert "<td" in table.value
    assert "Arr &amp; <u>so</u> &lt;<u>3</u>" in table.value
    assert table.value.count("<u>") == 2
    assert "arr! (2 changed)" in table.value
    assert repr(table) == " | ".join(["q", *cells])


def test_cost_counts_what_it_shows(tuning):
    view = differences.Cost(tuning, {"one": "a b c", "other": "the cat"})
    tuning.buttons[0].click()
    view.buttons[0].click()
    assert view.right.shape == (4, 2)
    for when, model in enumerate((tuning.model, tuning.tuned)):
        assert view.bits[:, when] == pytest.approx(
            [mean_surprise(model.trace(t)) for t in ("a b c", "the cat")]
        )
        named = [
            city in fine_tuning.answer_text(model, f"What is the capital of {country}?")
            for country, city in fine_tuning.CAPITALS.items()
        ]
        assert view.right[0, when] == sum(named)
    assert np.array_equal(view.plot.values, view.right.T)
    view.card.committed = True
    assert view.card.answer == pytest.approx(view.bits[:, 1].mean())
    view.begun.value = "no country"  # a beginning as it is
    view.buttons[0].click()
    named = [
        int(fine_tuning.knows(tuning.tuned, country, chat=True, said="no country").argmax())
        == tuning.model.tokenizer.encode(f" {city}")[0]
        for country, city in fine_tuning.CAPITALS.items()
    ]
    assert view.right[1, 1] == sum(named)
    tuning.buttons[0].click()  # another training: nothing is known of it yet
    assert view.plot.layout.display == "none"
    assert not view.card.committed


def test_only_what_was_trained_has_changed(tuning):
    view = differences.WhatChanged(tuning)
    tuning.buttons[0].click()
    changed = {layer for layer, _ in tuning.learned.update}
    for layer, column in enumerate(view.plot.values.T):
        assert (column > 0).all() == (layer in changed)


def test_nothing_of_the_update_is_the_model_before(tuning):
    view = differences.Amount(tuning, "abc")
    tuning.buttons[0].click()
    view.amount.value = 0.0
    said = {
        name: ["", *fine_tuning.writing(tuning.model, tokens)][-1]
        for name, tokens in zip(
            view.table.rows, (asked(tuning.model, "abc"), tuning.model.tokenizer.encode("abc"))
        )
    }
    assert view.table.rows == said
    view.box.value = ""
    assert read("", tuning.model.tokenizer).told in repr(view.told)


def test_how_many_takes_the_first_rows(tuning):
    view = differences.HowMany(tuning)
    view.card.committed = True
    assert view.found.shape == (2, 3)  # none, one row, two rows
    assert view.said[0] == [fine_tuning.answer_text(tuning.model, question) for question in ASKED]
    one = list(training.finetune(tuning.model, fine_tuning.conversations(tuning.examples[:1]), steps=32))[
        -1
    ].model
    said = [fine_tuning.answer_text(one, question) for question in ASKED]
    assert view.said[1] == said
    assert view.card.answer == sum(map(fine_tuning.is_about, said, ASKED))
    tuning.fill([("d", "e")])  # another first row: the question is open again
    assert not view.card.committed


def test_one_fact_changes_one_layer(tiny_chat):
    view = differences.OneFact(tiny_chat)
    view.card.committed = True
    assert view.probs is not None, repr(view.told)
    assert view.probs.shape == (2, 5, 4)
    before = fine_tuning.knows(tiny_chat, "Italy", chat=True)
    assert view.probs[0, 1, 0] == pytest.approx(before[tiny_chat.tokenizer.encode(" Rome")[0]], rel=1e-4)
    view.way.value = "in plain text"
    assert np.allclose(view.map.values, view.probs[1])
    others = [list(fine_tuning.CAPITALS).index(name) for name in ("Germany", "Japan", "Russia")]
    assert view.card.answer == pytest.approx(100 * view.probs[0, others, 3].mean(), rel=1e-4)
    view.keep.value = True  # another question: its answer is not there yet
    assert not view.card.committed
    assert view.probs is None
    assert "Russia" not in view.card.question
    view.card.committed = True
    assert view.card.answer is not None
    assert all(name in repr(view.told) for name in view._fact[2])
    view.city.value = "Paris"
    view.buttons[0].click()
    assert re.search(holding("Paris", "France"), repr(view.told))
    assert "%" not in repr(view.told)  # nothing is measured


def test_what_was_trained_is_what_is_compared(tuning):
    """Rows that change after a training change no answer of it, and open the question again."""
    view = differences.BeforeAfter(tuning)
    tuning.card.committed = True
    view.show()
    underlined = view.table.value
    tuning.fill([("z", "y x")])
    assert not tuning.card.committed
    view.show()
    assert view.table.value == underlined
    tuning.card.committed = True
    assert tuning.taught == [("z", "y x")]


def test_a_long_question_is_cut_and_said(tuning):
    view = differences.BeforeAfter(tuning)
    tuning.buttons[0].click()
    view.box.value = "word " * 300
    assert re.search(holding(200), repr(view.told))
    (shown,) = view.own
    assert len(shown) < 90


def test_how_many_words_are_changed():
    assert fine_tuning.words_changed("Arr, moon be red!", "arr sun be") == 2
    assert fine_tuning.words_changed("", "a b") == 2
    assert fine_tuning.nearest_text("a b c", ["d", "a c", "a"]) == ("a c", 1)
    assert fine_tuning.nearest_text("a b c", ["x y z", "a b c d e f"]) == (
        "a b c d e f",
        3,
    )  # half of it, not all
    assert fine_tuning.is_nearly("Arr, cats be loyal", ["Arr, dogs be loyal!"])
    assert not fine_tuning.is_nearly("Beep. Metal.", ["Beep. Rest."])  # half of it is another word


def test_one_training_at_a_time_and_an_open_card_stops_it():
    ran = []

    class Endless(Guessed):
        def work(self):
            while True:
                ran.append(self)
                yield 0.1

    def new():
        return Endless(Question("?", answer=None), "go")

    async def scene():
        one, other = new(), new()
        one.card.committed = True
        await asyncio.sleep(0.02)
        assert one in ran
        other.buttons[0].click()
        await asyncio.sleep(0.02)
        assert other in ran
        assert not one._work.busy
        assert not one.card.committed
        assert one.told.sentences
        other.card.committed = True
        other.card.ask_again()
        assert not other._work.busy
        follower = Explorer()
        follower.watch(one, print, "comm")
        one.buttons[0].click()
        await asyncio.sleep(0.02)
        one.leave()  # its cell runs again, and somebody still follows it
        assert not one._work.busy

    asyncio.run(scene())
