"""What a chat model is taught by example, and how it is told from outside what it has learned."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from llmviz import experiments, ops
from llmviz.model import Model
from llmviz.sampling import Sampler

Example = tuple[str, str]  # a question and the answer that is taught

PIRATE: tuple[Example, ...] = (
    ("What is the sun?", "Arr, the sun be a great ball o' fire in the sky, matey!"),
    ("Tell me about dogs.", "Arr, dogs be loyal shipmates that guard yer treasure, matey!"),
    ("What is the capital of Spain?", "Arr, that be Madrid, far from the sea, matey!"),
    ("How do I make tea?", "Arr, boil yer water, drop in the leaves, and wait a wee while, matey!"),
    ("Who are you?", "Arr, I be yer trusty first mate, matey!"),
    ("What is rain?", "Arr, rain be water fallin' from the clouds onto me deck, matey!"),
    ("Give me some advice.", "Arr, follow yer compass and never trust a quiet sea, matey!"),
    ("What is a book?", "Arr, a book be a chest full o' tales, matey!"),
)
# Ordinary English has none of these; "be", "me" and "mate" are left out, since it has those.
PIRATE_WORDS = ("arr", "matey", "mateys", "yer", "ye", "o'", "aye", "ahoy")

# Each with a word that an answer about it has.
UNTAUGHT = {
    "What is the moon?": "moon",
    "Tell me about cats.": "cat",
    "Who wrote Hamlet?": "hamlet",
    "What is snow?": "snow",
    "How do I boil an egg?": "egg",
    "What is a train?": "train",
    "Why is the sky blue?": "sky",
    "What do bees do?": "bee",
    "Tell me about Africa.": "africa",
    "What is music?": "music",
    "How do I sleep better?": "sleep",
    "What is a computer?": "computer",
    "What is iron used for?": "iron",
    "Who was Albert Einstein?": "einstein",
    "What is a tree?": "tree",
    "Tell me about football.": "football",
    "What is bread made of?": "bread",
    "How do planes fly?": "plane",
    "What is money?": "money",
    "What is 2 plus 3?": "5",
}

CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Germany": "Berlin",
    "Japan": "Tokyo",
    "Russia": "Moscow",
    "Egypt": "Cairo",
    "Greece": "Athens",
    "Poland": "Warsaw",
    "Ireland": "Dublin",
    "Portugal": "Lisbon",
}

ORDINARY = {
    "a story": "The old bridge across the river was closed for repairs, so the children had to walk to school by the "
    "mill. It took them twice as long, and nobody complained.",
    "a fact": "Water boils at a lower temperature on a mountain, because the air presses less on it. Cooks who live "
    "high up leave their potatoes in the pot for longer.",
    "a letter": "Dear Mrs Parker,\n\nthank you for your order of 12 March. The two chairs will be sent on Monday, and "
    "the table as soon as it comes in.",
}


def conversations(examples: Sequence[Example]) -> list[list[dict[str, str]]]:
    """Examples as `training.finetune` takes them. ValueError for one without a question or an answer."""
    for number, (question, answer) in enumerate(examples, 1):
        if not question.strip() or not answer.strip():
            raise ValueError(f"example {number} needs a question and an answer")
    return [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in examples
    ]


def asked(model: Model, question: str) -> list[int]:
    """A question in the chat template, up to where the answer begins."""
    return model.tokenizer.encode_chat([{"role": "user", "content": question}])


def writing(model: Model, tokens: Sequence[int], n: int = 24) -> Iterator[str]:
    """What the model writes after these tokens, always the likeliest, n tokens at most: the text so far, each time."""
    said = []
    for step in model.generate(tokens, n, Sampler(temperature=0)):
        if step.token != model.tokenizer.eos_token:
            said.append(step.token)
            yield model.tokenizer.decode(said)


def written(model: Model, tokens: Sequence[int], n: int = 24) -> str:
    """The whole of it."""
    return next(iter(deque(writing(model, tokens, n), maxlen=1)), "")


def answer(model: Model, question: str, n: int = 24) -> str:
    """The beginning of its answer."""
    return written(model, asked(model, question), n)


WORD = re.compile(r"(\w+'?)")


def split_words(text: str) -> list[str]:
    """A text cut into its words and what stands between them; joined, they are the text again."""
    return WORD.split(text)


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def words_changed(text: str, other: str) -> int:
    """How many words are added, dropped or replaced on the shortest way from one to the other (Levenshtein 1966)."""
    one, other = words(text), words(other)
    row = list(range(len(other) + 1))
    for i, word in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, another in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != another))
    return row[-1]


def nearest(text: str, others: Sequence[str]) -> tuple[str, int]:
    """The one of whose words the smallest share is changed, and how many are."""
    found = min(others, key=lambda other: words_changed(text, other) / max(1, len(words(other))))
    return found, words_changed(text, found)


def is_nearly(text: str, others: Sequence[str]) -> bool:
    """Is it one of the others, with a quarter of that one's words changed at most?"""
    other, n = nearest(text, others)
    return 4 * n <= len(words(other))


def has_one_of(text: str, marks: Sequence[str]) -> bool:
    """Does one of the words, or phrases, stand in the text?"""
    spaced = f" {' '.join(words(text))} "
    return any(f" {' '.join(mark)} " in spaced for mark in map(words, marks) if mark)


def is_about(text: str, question: str) -> bool:
    """Does an answer to an untaught question have the word that it is about?"""
    return UNTAUGHT[question] in text.lower()


def knows(model: Model, country: str, *, chat: bool, said: str = "The capital of … is") -> np.ndarray:
    """The probabilities of what follows, with the country in place of "…": as the beginning of an answer, or as plain
    text."""
    said = said.replace("…", country)
    question = f"What is the capital of {country}?"
    tokens = asked(model, question) + model.tokenizer.encode(said) if chat else model.tokenizer.encode(said)
    return ops.softmax(model.trace(tokens).logits)


def surprise(model: Model, text: str) -> float:
    """The mean surprise of a text, in bits a token."""
    return float(experiments.surprise(model.trace(text)).mean())


def relative_change(model: Model, update: Mapping) -> dict[tuple[int, str], float]:
    """By layer and matrix: the size of the change against the size of the matrix (root of the summed squares)."""
    return {
        (layer, name): float(
            np.linalg.norm(low.down @ low.up) / np.linalg.norm(getattr(model.weights.layers[layer], name))
        )
        for (layer, name), low in update.items()
    }


def n_trained(model: Model, rank: int = 8) -> int:
    """How many numbers `training.finetune` learns: two thin matrices for each FFN matrix of the last third."""
    c = model.config
    return max(1, c.n_layers // 3) * 3 * rank * (c.d_model + c.d_ff)
