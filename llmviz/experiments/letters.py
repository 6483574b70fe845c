"""Ask about the letters of words: can the model not see them, or not count? Also read them off the embedding table."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from llmviz.experiments.probabilities import option_probs
from llmviz.model import Model
from llmviz.reuse import kept_with

DIGITS = tuple("123456789")
LETTERS = tuple(f" {chr(97 + i)}" for i in range(26))
LIST_LENGTH = 9
RIDGE = 30  # how strongly the linear probe is regularised


@dataclass(frozen=True)
class LetterQuestion:
    """A question about a word, and the answers among which the model chooses."""

    asked: str
    right: str
    options: tuple[str, ...]

    @property
    def text(self) -> str:
        """The question as the model gets it, up to the answer. (A digit has its space as a token of its own.)"""
        return f"{self.asked} Answer:{' ' if self.options == DIGITS else ''}"


@dataclass(frozen=True, eq=False)
class Answer:
    """A question, and the probability of each option."""

    question: LetterQuestion
    probs: Float[np.ndarray, " n_options"]

    @property
    def choice(self) -> str:
        """The model's first choice."""
        return self.question.options[int(self.probs.argmax())].strip()

    @property
    def is_right(self) -> bool:
        """Whether that is right."""
        return self.choice == self.question.right.strip()

    @property
    def right_prob(self) -> float:
        """The probability of the right option."""
        return float(self.probs[self.question.options.index(self.question.right)])


def commonest_letter(word: str) -> str:
    """Return the most frequent letter of a word; of several, the first."""
    return max(dict.fromkeys(word), key=word.count)


def questions(word: str) -> tuple[LetterQuestion, ...]:
    """Return five questions: three counts with the same right answer (of the word's commonest letter in it, in the word
    spelled out, and of the word in a list), then the first and the last letter."""
    letter = commonest_letter(word)
    n = word.count(letter)
    return (
        LetterQuestion(f"How many times is the letter {letter} in {word}?", str(n), DIGITS),
        LetterQuestion(f"How many times is the letter {letter} in {' '.join(word)}?", str(n), DIGITS),
        LetterQuestion(f"How many times is the word {word} in {listed(word, n)}?", str(n), DIGITS),
        LetterQuestion(f"What is the first letter of {word}?", f" {word[0]}", LETTERS),
        LetterQuestion(f"What is the last letter of {word}?", f" {word[-1]}", LETTERS),
    )


def listed(word: str, n: int) -> str:
    """List nine words, n of which are this one; so the length of the list does not give n away."""
    others = [other for other in ("dog", "tree", "sun") if other != word]
    parts = [others[i % len(others)] for i in range(LIST_LENGTH - n)]
    for i in range(n):
        parts.insert(2 * i + 1, word)
    return ", ".join(parts)


def in_front(example: str | None, kind: int) -> str:
    """Return what comes before a question: the same question about the example with its answer, or nothing."""
    if example is None:
        return ""
    question = questions(example)[kind]
    return f"{question.text}{question.right}\n"


def ask(model: Model, word: str, kind: int, *, example: str | None) -> Answer:
    """Ask one of the `questions` about a word, after the same one about the example, and measure each option."""
    question = questions(word)[kind]
    return Answer(question, option_probs(model, in_front(example, kind) + question.text, question.options))


@dataclass(frozen=True)
class Tally:
    """How the model answers one kind of question about several words, and the best constant answer as the baseline."""

    choices: tuple[str, ...]
    right: int  # how many of them are right
    commonest: str  # what the model says most often, and how often
    n_commonest: int
    best: str  # the constant answer that is right most often, and how often: the baseline
    n_best: int


def tally(answers: Iterable[Answer]) -> Tally:
    """Count answers to the same question about different words."""
    pairs = [(answer.choice, answer.question.right.strip()) for answer in answers]
    choices, truths = zip(*pairs, strict=True)
    commonest, best = (max(given, key=given.count) for given in (choices, truths))
    right = sum(choice == truth for choice, truth in pairs)
    return Tally(choices, right, commonest, choices.count(commonest), best, truths.count(best))


def ask_each(
    model: Model, words: Sequence[str], kinds: Sequence[int], *, example: str
) -> Iterator[tuple[float, dict[int, Tally] | None]]:
    """Ask some kinds of questions about each word; yield the share that is done, and finally the tally of each kind."""
    asked: dict[int, list[Answer]] = {kind: [] for kind in kinds}
    for i, word in enumerate(words, start=1):
        for kind, answers in asked.items():
            answers.append(ask(model, word, kind, example=example))
        yield i / len(words), None
    yield 1.0, {kind: tally(answers) for kind, answers in asked.items()}


def random_words(model: Model, n: int, *, seed: int) -> list[str]:
    """Draw n words of 4 to 10 letters that are one token with a space before them."""
    words = [piece[1:].decode() for piece in model.tokenizer.ranks if re.fullmatch(b" [a-z]{4,10}", piece)]
    return np.random.default_rng(seed).choice(words, n, replace=False).tolist()


@kept_with()
def letter_probe(model: Model, place: int, seed: int) -> tuple[float, float]:
    """Learn to read a letter off the words' rows of the embedding table, and try it on words that were held out.

    A linear probe (ridge regression) learns the letter at `place` from about four fifths of the words. Words that begin
    with the same two letters (for the last letter: end with the same three) are all learned from or all held out.
    Returns two accuracies, 0 to 1: the probe's, and
    that of always saying the letter that is commonest among the words learned from.
    """
    words = {
        piece[1:].decode(): token
        for piece, token in model.tokenizer.ranks.items()
        if re.fullmatch(b" [a-z]{4,}", piece)
    }
    rows = np.asarray(model.weights.W_E)[list(words.values())]
    rows = np.c_[(rows - rows.mean(0)) / rows.std(), np.ones(len(rows))]
    letter = np.array([ord(word[place]) - ord("a") for word in words])
    kins, kin = np.unique([word[-3:] if place == -1 else word[:2] for word in words], return_inverse=True)
    learn = (np.random.default_rng(seed).random(len(kins)) < 0.8)[kin]
    x, is_letter = rows[learn], np.eye(26)[letter[learn]]
    probe = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ is_letter)
    read = (rows[~learn] @ probe).argmax(axis=1) == letter[~learn]
    constant = letter[~learn] == is_letter.sum(axis=0).argmax()
    return float(read.mean()), float(constant.mean())
