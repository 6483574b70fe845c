"""The texts to train on: what is in them, and how the model wrote two of them."""

import re
from collections import Counter
from functools import partial

import numpy as np
import pytest
from messages import holding

from llmviz.texts import NAMES, WRITTEN, read, write
from llmviz.texts.forms import (
    UNFIT,
    Form,
    foods,
    line_ends,
    plural,
    recipe_fault,
    recipe_text_fault,
    sentence_ends,
    story_fault,
)
from llmviz.texts.write import TextBatch, make, make_many, selected


def texts_of(name: str) -> list[str]:
    return read(name).rstrip("\n").split("\n\n")


# ---- what is in them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_long_enough_to_learn_from_and_short_enough_to_ship(name):
    text = read(name)
    assert 200_000 <= len(text) <= 400_000
    assert sum(c.isascii() for c in text) > 0.99 * len(text)
    assert len(texts_of(name)) > 10


def test_another_name_is_told_the_names():
    with pytest.raises(ValueError, match=holding("'poems'", *NAMES)):
        read("poems")


@pytest.mark.parametrize("name", WRITTEN)
def test_every_written_text_is_plain_whole_and_different(name):
    texts = texts_of(name)
    assert len(texts) == len(set(texts))
    for text in texts:
        assert re.fullmatch(r"[A-Za-z0-9 \n\"',.:!?/-]+", text)  # so no markup, and no control tokens
        assert re.search(r"[.!?]\"?$", text)
        assert not re.search(r"\bAs an AI\b| $|  ", text, re.MULTILINE)
        assert not UNFIT.search(text)


def test_every_story_and_every_recipe_has_all_its_parts():
    for story in texts_of("bedtime stories"):
        assert re.match(r"[^.]+ named (\w+)\. \1 ", story)
        assert story.count('"') % 2 == 0
    for recipe in texts_of("recipes"):
        title, needed, to_do = re.fullmatch(
            r"(\w+ \w+)\n.+?\nYou need:\n(.+)\nWhat to do:\n(.+)", recipe, re.DOTALL
        ).groups()
        things = re.findall(r"^- (.+)$", needed, re.MULTILINE)
        assert len(things) == needed.count("\n") + 1 >= 3
        assert all(
            count == 1 for count in Counter(food for thing in things for food in set(foods(thing))).values()
        )
        assert set(foods(to_do)) <= set(foods(title + recipe.split("\n")[1] + needed))


# ---- many at once ----------------------------------------------------------------------------------------------------


def test_texts_side_by_side_get_the_logits_that_each_gets_alone(tiny_model):
    rng = np.random.default_rng(0)
    texts = [rng.integers(3, tiny_model.config.n_vocab, n).tolist() for n in (3, 9, 5)]
    batch = TextBatch(tiny_model, 3)
    for place, text in enumerate(texts):
        np.testing.assert_allclose(batch.begin(place, text), tiny_model.trace(text).logits, atol=1e-4)
    for back in (0, 0, 2, 0):  # on by a token; the third time, the last two are written again
        texts = [text[: len(text) - back] for text in texts]
        at, tokens = np.array([len(text) for text in texts]), rng.integers(3, tiny_model.config.n_vocab, 3)
        texts = [[*text, int(token)] for text, token in zip(texts, tokens)]
        for text, logits in zip(texts, batch.step(at, tokens)):
            np.testing.assert_allclose(logits, tiny_model.trace(text).logits, atol=1e-4)


def test_the_default_model_too(model):
    texts = [model.tokenizer.encode(text) for text in ("Once upon a time, there was", "You need: 2 eggs and")]
    batch = TextBatch(model, 2)
    for place, text in enumerate(texts):
        batch.begin(place, text[:-1])
    logits = batch.step(np.array([len(text) - 1 for text in texts]), np.array([text[-1] for text in texts]))
    for text, row in zip(texts, logits):
        np.testing.assert_allclose(row, model.trace(text).logits, atol=1e-3)


SHORT = Form(
    lambda rng: (f"Tell me about {rng.choice(['a cat', 'the sea'])}.", ["It is"]),
    sentence_ends,
    lambda sentence, before, sentences: "an even length" if len(sentence) % 2 == 0 else None,
    lambda text: None,
)


def made_alone(model, number: int) -> str | None:
    """By running the model over the whole text for each token."""
    making = make(model.tokenizer, SHORT, number)
    tokens = next(making)
    try:
        while True:
            at, token = making.send(model.trace(tokens).logits)
            tokens = [*tokens[:at], token]
    except StopIteration as end:
        return end.value


def test_a_text_does_not_depend_on_the_others(model):
    many = list(make_many(model, range(3), partial(make, model.tokenizer, SHORT), at_once=2))
    assert sorted(number for number, _ in many) == [0, 1, 2]
    number, text = many[0]
    assert text == made_alone(model, number)
    assert any(text and text.startswith("It is") for _, text in many)


def test_who_breaks_a_rule_each_time_is_dropped(model, monkeypatch):
    monkeypatch.setattr(write, "TRIES", 2)
    tried = []
    never = Form(
        SHORT.plan, SHORT.ends, lambda *given: tried.append(given) or "never good", lambda text: None
    )
    assert list(make_many(model, [0], partial(make, model.tokenizer, never), at_once=1)) == [(0, None)]
    assert len(tried) == write.TRIES


def test_a_whole_text_that_breaks_a_rule_is_dropped(model):
    never = Form(SHORT.plan, SHORT.ends, lambda *_: None, lambda text: "never good")
    assert list(make_many(model, [0], partial(make, model.tokenizer, never), at_once=1)) == [(0, None)]


# ---- the rules -------------------------------------------------------------------------------------------------------

STORY = "Once upon a time, there was a little fox named Pip. Pip lived on a farm.\nOne day, Pip was sad."


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        (" He sat under a tree and looked at the stars.", None),
        (' "I am so happy," said the owl.', None),
        (" No.", "length"),
        (" He saw a **star** in the sky.", "characters"),
        (' "I am so happy, said the owl.', "characters"),
        (" He said 'hello to the sun.", "characters"),
        (" He sat down.\nThe end was near.", "a paragraph inside"),
        (" He went to Benjelmus and sat down.", "a new name"),
        (" The owl killed a mouse in the night.", "not for a class, or about the text itself"),
        (" The moral is that friends help.", "not for a class, or about the text itself"),
        (" He wanted to cook the little mouse.", "not for a class, or about the text itself"),
        (" He was very extraordinary that day.", "a long word"),
        (" Pip lived on a small farm.", "said before"),
    ],
)
def test_sentences_of_a_story(sentence, rule):
    assert story_fault(sentence, STORY, []) == rule


RECIPE = "Apple Pie\nApple pie is sweet.\nYou need:\n- some apples\n-"
STEPS = RECIPE.removesuffix("\n-") + "\n- 2 cups of flour\nWhat to do:\n1."


@pytest.mark.parametrize(
    ("line", "before", "rule"),
    [
        (" 1/2 cup of sugar", RECIPE, None),
        (" 2 large apples", RECIPE, "said before"),
        (" 2 cups of salt", RECIPE, "too much of it"),
        (" 2 cups of gravel", RECIPE, "no food that we know"),
        (" 250g (1 lb.) flour", RECIPE, "characters"),
        (" 2 cups of raw milk", RECIPE, "not for a class, or about the text itself"),
        (" Cut the apples into slices.", STEPS, None),
        (" Cut the potatoes into slices.", STEPS, "not on the list"),
        (" You can eat it for lunch.", STEPS, "no step"),
        (" Cut the apples into slices", STEPS, "characters"),
        (" Apple pie is very sweet.", STEPS, "said before"),
    ],
)
def test_lines_of_a_recipe(line, before, rule):
    assert recipe_fault(line, before, [" sweet and apple pie."]) == rule


def test_a_whole_recipe():
    flour, eggs = STEPS + " Mix the flour.", STEPS.replace("flour", "flour\n- 2 eggs") + " Mix the eggs."
    assert recipe_text_fault(flour) is None
    assert recipe_text_fault(eggs) == "raw eggs"
    unbaked = "Put the cookies with baking soda on a baking sheet."
    assert recipe_text_fault(f"{eggs}\n2. {unbaked}") == "raw eggs"
    assert recipe_text_fault(f"{eggs}\n2. Bake it at 400 degrees.") is None
    assert recipe_text_fault(f"{eggs}\n2. Bake it at 700 degrees.") == "too hot"


def test_where_a_sentence_and_a_line_end():
    assert sentence_ends(' "Hello," said Pip.', " The")
    assert sentence_ends(' "Hello!"', "\n\n")
    assert not sentence_ends(' "Hello!"', " said")
    assert not sentence_ends(" It was", " The")
    assert line_ends(" 2 apples", ",", "\n-")
    assert line_ends(" 2 apples", " (", "\n-")
    assert not line_ends(" Cut the apples", ",", "\n1.")
    assert line_ends(" Cut the apples.", " Then", "\n1.")


def test_foods_are_known_in_the_plural():
    for food in ("apple", "potato", "peach", "cherry", "blueberry", "egg"):
        assert foods(f"Take 2 {plural(food)}, please") == [food]
    assert plural("cheese") == "cheese"


def test_texts_are_in_order_without_repetitions_and_what_was_left_out():
    assert selected({2: "b.", 0: "a.", 1: None, 3: "a.", 4: "c."}, {4}) == ["a.", "b."]


def test_the_logits_after_short_texts_are_those_of_one_run_each(tiny_model):
    texts = [tiny_model.tokenizer.encode(text) for text in ("the cat", "a", "the dog sat on")]
    together = write.logits_after_each(tiny_model, texts)
    np.testing.assert_allclose(
        together, [tiny_model.trace(tokens).logits for tokens in texts], rtol=1e-4, atol=1e-5
    )
