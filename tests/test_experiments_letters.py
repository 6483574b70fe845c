"""Questions about letters, how answers are counted, and the probe that reads letters off the embedding table."""

from dataclasses import replace

import numpy as np
import pytest

from llmviz.experiments import letters
from llmviz.model import Model


@pytest.mark.parametrize("word", ["strawberry", "cat", "dog", "banana", "noon"])
def test_the_three_counts_ask_for_the_same_number(word):
    in_word, spelled, listed, first, last = letters.questions(word)
    letter = letters.commonest_letter(word)
    assert in_word.right == spelled.right == listed.right == str(word.count(letter))
    parts = listed.asked.partition(" in ")[2].rstrip("?").split(", ")
    assert len(parts) == letters.LIST_LENGTH
    assert str(parts.count(word)) == listed.right
    assert (first.right, last.right) == (f" {word[0]}", f" {word[-1]}")
    assert all(question.right in question.options for question in (in_word, first, last))


def test_an_answer_is_the_likeliest_option_of_the_models_own_run(model):
    answer = letters.ask(model, "window", 3, example="potato")
    text = f"What is the first letter of potato? Answer: p\n{answer.question.asked} Answer:"
    logits = model.trace(text).logits
    best = max(letters.LETTERS, key=lambda option: logits[model.tokenizer.encode(option)[0]])
    assert answer.choice == best.strip()
    assert answer.probs.sum() == pytest.approx(1, abs=1e-5)


def test_without_an_example_nothing_comes_before_the_question():
    assert letters.in_front(None, 0) == ""
    assert letters.in_front("potato", 4) == f"{letters.questions('potato')[4].text} o\n"


def test_answers_are_counted_beside_the_best_constant_answer():
    def answer(word: str, option: str) -> letters.Answer:
        question = letters.questions(word)[3]
        return letters.Answer(question, np.eye(26)[question.options.index(f" {option}")])

    answers = [answer("cat", "c"), answer("cow", "d"), answer("dog", "d"), answer("ant", "d")]
    found = letters.tally(answers)
    assert (found.right, found.commonest, found.n_commonest, found.best, found.n_best) == (2, "d", 3, "c", 2)


def test_random_words_are_words_of_one_token(model):
    drawn = letters.random_words(model, 5, seed=1)
    assert len({*drawn}) == 5
    assert all(word.islower() and len(model.tokenizer.encode(f" {word}")) == 1 for word in drawn)
    assert drawn == letters.random_words(model, 5, seed=1) != letters.random_words(model, 5, seed=2)


def test_the_probe_reads_what_is_in_a_row_and_nothing_else(model):
    """A table whose rows say the second letter, and not the third."""
    pieces = model.tokenizer.pieces(range(model.config.n_vocab))
    rng = np.random.default_rng(0)
    table = rng.normal(size=model.weights.W_E.shape).astype(np.float32)
    for token, piece in enumerate(pieces):
        if piece[1:2].isalpha() and len(piece) > 2:
            table[token, ord(piece[2]) % 32] += 10
    planted = Model(replace(model.weights, W_E=table))
    read, constant = letters.letter_probe(planted, 1, 0)
    assert read > 0.95 > 0.5 > constant
    assert letters.letter_probe(planted, 2, 0)[0] < 0.3
