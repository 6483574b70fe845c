"""What a chat model is taught by example, and how it is told from outside what it has learned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice

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

UNTAUGHT = (
    "What is the moon?",
    "Tell me about cats.",
    "Who wrote Hamlet?",
    "What is snow?",
    "How do I boil an egg?",
    "What is a train?",
    "Why is the sky blue?",
    "What do bees do?",
    "Tell me about Africa.",
    "What is music?",
    "How do I sleep better?",
    "What is a computer?",
    "What is iron used for?",
    "Who was Albert Einstein?",
    "What is a tree?",
    "Tell me about football.",
    "What is bread made of?",
    "How do planes fly?",
    "What is money?",
    "What is 2 plus 3?",
)

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


def written(model: Model, tokens: Sequence[int], n: int = 24) -> str:
    """What the model writes after these tokens, always the likeliest, n tokens at most."""
    end = model.tokenizer.eos_token
    steps = islice(model.generate(tokens, n, Sampler(temperature=0)), n)
    return model.tokenizer.decode([step.token for step in steps if step.token != end])


def answer(model: Model, question: str, n: int = 24) -> str:
    """The beginning of its answer."""
    return written(model, asked(model, question), n)


def words(text: str) -> list[str]:
    return re.findall(r"[\w]+'?", text.lower().replace("’", "'"))


def has_one_of(text: str, marks: Sequence[str]) -> bool:
    """Does one of the words stand in the text?"""
    return not set(marks).isdisjoint(words(text))


def knows(model: Model, country: str, *, chat: bool) -> np.ndarray:
    """The probabilities of what follows "The capital of … is": as the beginning of an answer, or as plain text."""
    said = f"The capital of {country} is"
    question = f"What is the capital of {country}?"
    tokens = asked(model, question) + model.tokenizer.encode(said) if chat else model.tokenizer.encode(said)
    return ops.softmax(model.trace(tokens).logits)


def surprise(model: Model, text: str) -> float:
    """The mean surprise of a text, in bits a token."""
    return float(experiments.surprisal(model.trace(text)).mean())


def relative_change(model: Model, update: Mapping) -> dict[tuple[int, str], float]:
    """By layer and matrix: the size of the change against the size of the matrix (root of the summed squares)."""
    return {
        (layer, name): float(np.linalg.norm(low.down @ low.up) / np.linalg.norm(getattr(model.weights.layers[layer], name)))
        for (layer, name), low in update.items()
    }
