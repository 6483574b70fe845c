"""Can the model not see the letters, or not count? Up to five questions about a word, and other words beside it."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.text_box import status
from llmviz.views.kit.token_strip import TokenStrip

DIGITS = tuple("123456789")
LETTERS = tuple(f" {chr(97 + i)}" for i in range(26))
# one stands before a question, answered, so that the form is clear
EXAMPLES = ("potato", "lemon", "tatter", "coffee")
LIST_LENGTH = 9
WORDS = (
    "strawberry", "banana", "apple", "letter", "elephant", "summer", "coffee", "window", "bottle", "rabbit",
    "pepper", "cat", "butterfly", "kitchen", "mirror", "garden", "house", "coconut", "cookie", "mississippi",
)  # fmt: skip
NAMES = ("a letter in it", "… spelled out", "word in a list", "first letter", "last letter")


@dataclass(frozen=True)
class Question:
    """A question about a word, and the answers among which the model chooses."""

    asked: str
    right: str
    options: tuple[str, ...]

    @property
    def among(self) -> str:
        """What the options are; all other tokens are left aside."""
        return "the numbers 1 to 9" if self.options == DIGITS else "the 26 letters"

    @property
    def text(self) -> str:
        """As the model gets it, up to the answer. (A digit has its space as a token of its own.)"""
        return f"{self.asked} Answer:{' ' if self.options == DIGITS else ''}"


def commonest_letter(word: str) -> str:
    """The letter that stands most often in a word, the first of them where several do."""
    return max(dict.fromkeys(word), key=word.count)


def questions(word: str) -> tuple[Question, ...]:
    """One for each of `NAMES`. The three counts have the same right answer: how often its commonest letter stands."""
    letter = commonest_letter(word)
    n = word.count(letter)
    return (
        Question(f"How many times is the letter {letter} in {word}?", str(n), DIGITS),
        Question(f"How many times is the letter {letter} in {' '.join(word)}?", str(n), DIGITS),
        Question(f"How many times is the word {word} in {listed(word, n)}?", str(n), DIGITS),
        Question(f"What is the first letter of {word}?", f" {word[0]}", LETTERS),
        Question(f"What is the last letter of {word}?", f" {word[-1]}", LETTERS),
    )


def listed(word: str, n: int) -> str:
    """A list of nine words, n of them this one, so that the length of the list says nothing."""
    others = [other for other in ("dog", "tree", "sun") if other != word]
    parts = [others[i % len(others)] for i in range(LIST_LENGTH - n)]
    for i in range(n):
        parts.insert(2 * i + 1, word)
    return ", ".join(parts)


def answer(
    model: Model, word: str, kind: int, *, example: str | None = EXAMPLES[0]
) -> tuple[Question, np.ndarray]:
    """One of the questions about a word, after the same one about the example, and each option's probability."""
    question = questions(word)[kind]
    text = in_front(example, kind) + question.text
    return question, experiments.option_probs(model, text, question.options)


def in_front(example: str | None, kind: int) -> str:
    """What stands before a question: the same one about the example, answered; nothing without one."""
    if example is None:
        return ""
    question = questions(example)[kind]
    return f"{question.text}{question.right}\n"


class LettersExplorer(Experiment):
    """A box for a word, questions about it, and what the model answers; a button asks about all of `WORDS`.

    kinds: which of the questions, by their place in `NAMES`; one alone has no map and no other words. The example
    in front of them can be changed (where it is one of the words, that is not asked about), or left out.
    """

    def __init__(self, model: Model, word: str, kinds: Sequence[int] = range(len(NAMES))):
        super().__init__("ask about twenty words")
        self._model, self._kinds = model, list(kinds)
        self._asked: dict[str, list[tuple[Question, np.ndarray]]] = {}  # what is shown, by word
        self._answers = functools.cache(self._answer_all)
        self.box = ipywidgets.Text(word, continuous_update=False, description="A word (Enter)")
        self.box.style.description_width = "initial"
        self.example = ipywidgets.Dropdown(
            options=[*((example, example) for example in EXAMPLES), ("none", None)],
            description="Example in front",
            style={"description_width": "initial"},
            layout={"width": "auto"},
        )
        self.message = ipywidgets.HTML()
        self.map = HeatMap(
            np.zeros((1, len(self._kinds))),
            [word],
            [NAMES[kind] for kind in self._kinds],
            kind="prob",
            row_axis="the word",
            col_axis="the question",
            quantity="share of the right answer",
            numbers="always",
            stage="tokenization",
        )
        self.strip = TokenStrip([], highlight_name="the question; in front of it the example")
        self._ask()
        self.box.observe(self._ask, "value")
        self.example.observe(self._ask_anew, "value")
        self.map.observe(self._show_one, "selected")
        self.buttons[0].on_click(lambda pressed: self.start(self._ask_others(), pressed))
        above, others = [self.box, self.example], [self.buttons[0], self.progress]
        if len(self._kinds) == 1:
            self.children = [row(*above), self.message, self.told, self.strip]
        else:
            self.children = [row(*above, *others), self.message, self.map, self.told, self.strip]

    def first_choice(self) -> str:
        """What the model answers to the first of the questions about the word in the box."""
        return said(*next(iter(self._asked.values()))[0])

    @one_at_a_time
    def _ask_anew(self, _change) -> None:
        """The same word after another example; the others have to be asked again."""
        self.stop()
        word, (_, which) = next(iter(self._asked)), self.map.selected or (0, 0)
        self._asked = {word: self._answers(word, self.example.value)}
        self._show([0, which])

    @one_at_a_time
    def _ask(self, _change=None) -> None:
        word = self.box.value.strip().lower()
        if not re.fullmatch("[a-z]{2,20}", word) or word.count(commonest_letter(word)) > LIST_LENGTH // 2:
            self.message.value = status(
                "One word, please, of 2 to 20 letters from a to z, none more than four times."
            )
            return
        self.message.value = ""
        before = self._asked if len(self._asked) > 1 else {}  # else nobody has asked about others
        others = {other: found for other, found in before.items() if other in WORDS and other != word}
        self._asked = {word: self._answers(word, self.example.value)} | others
        self._show([0, 0])

    def _answer_all(self, word: str, example: str | None) -> list[tuple[Question, np.ndarray]]:
        return [answer(self._model, word, kind, example=example) for kind in self._kinds]

    def before_a_page(self) -> None:
        """Ask what the button asks, so that a page has it in time."""
        if len(self._kinds) > 1:
            for word in WORDS:
                self._answers(word, self.example.value)

    def _ask_others(self) -> Steps:
        for i, word in enumerate(WORDS):
            if word not in self._asked and word != self.example.value:
                self._asked[word] = self._answers(word, self.example.value)
                self._show(self.map.selected)
            yield (i + 1) / len(WORDS)

    def _show(self, selected: list[int] | None) -> None:
        among = " or ".join(dict.fromkeys(question.among for question, _ in next(iter(self._asked.values()))))
        self.map.change(
            selected=None,
            values=[
                [_of(question, probs, question.right) for question, probs in line]
                for line in self._asked.values()
            ],
            row_labels=list(self._asked),
            cell_text=[
                [f"{said(*one)} {'✓' if said(*one) == one[0].right.strip() else '✗'}" for one in line]
                for line in self._asked.values()
            ],
            caption=f"Which of {among} the model likes best (✓ right, ✗ wrong). The shade is the share of the right "
            "one among them; all other tokens are left aside.",
        )
        self.map.selected = selected
        self._show_one()

    @one_at_a_time
    def _show_one(self, _change=None) -> None:
        at, which = self.map.selected or (0, 0)
        word = list(self._asked)[at]
        question, probs = self._asked[word][which]
        example = self.example.value
        shown, p = said(question, probs), _of(question, probs, question.right)
        of_this_kind = [line[which] for other, line in self._asked.items() if other != example]
        first = (
            f"it is the model's first choice, with {percent(p)}"
            if shown == question.right.strip()
            else f"it gets {percent(p)}; the model's first choice among them is {shown}, with "
            f"{percent(float(probs.max()))}"
        )
        self.told.say(
            f"“{question.asked}” Right is {question.right.strip()}. Among {question.among}, {first}.",
            _summary(of_this_kind) if len(of_this_kind) > 1 else "",
        )
        encode = self._model.tokenizer.encode
        before = in_front(example, self._kinds[which])
        tokens = encode(before + question.text)
        said_before = (
            f"In front stands the same about “{example}”, answered."
            if example
            else "Nothing stands in front."
        )
        self.strip.change(
            selected=None,
            pieces=self._model.tokenizer.pieces(tokens),
            ids=tokens,
            highlight=list(range(len(encode(before)), len(tokens))) if example else [],
            caption=f"The question as the model gets it. {said_before}",
        )


def said(question: Question, probs: np.ndarray) -> str:
    """The model's first choice."""
    return question.options[int(probs.argmax())].strip()


def _of(question: Question, probs: np.ndarray, option: str) -> float:
    return float(probs[question.options.index(option)])


def _summary(found: list[tuple[Question, np.ndarray]]) -> str:
    """How many are right, and how many would be by saying always the same."""
    answers = [said(*one) for one in found]
    truths = [question.right.strip() for question, _ in found]
    right = sum(a == b for a, b in zip(answers, truths))
    usual, best = max(answers, key=answers.count), max(truths, key=truths.count)
    return (
        f"This question, all {len(found)} words: {right} right. It says “{usual}” {answers.count(usual)} times. "
        f"Who always said “{best}” would have {truths.count(best)} right."
    )
