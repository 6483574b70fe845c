"""Can the model not see the letters, or not count? Up to five questions about a word, and other words beside it."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import ipywidgets
import numpy as np

from llmviz.claims.cases import LETTER_EXAMPLES as EXAMPLES
from llmviz.claims.cases import LETTER_WORDS as WORDS
from llmviz.experiments.letters import (
    DIGITS,
    LIST_LENGTH,
    Answer,
    LetterQuestion,
    ask,
    choice,
    commonest_letter,
    in_front,
    tally,
)
from llmviz.model import Model
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.text_box import status
from llmviz.views.kit.token_strip import TokenStrip

NAMES = ("a letter in it", "… spelled out", "word in a list", "first letter", "last letter")


class LettersExplorer(Experiment):
    """A box for a word, questions about it, and what the model answers; a button asks about all of `WORDS`.

    kinds: which of the questions, by their place in `NAMES`; one alone has no map and no other words. The example
    in front of them can be changed (where it is one of the words, that is not asked about), or left out.
    """

    def __init__(self, model: Model, word: str, kinds: Sequence[int] = range(len(NAMES))):
        super().__init__("ask about twenty words")
        self._model, self._kinds = model, list(kinds)
        self._asked: dict[str, list[Answer]] = {}  # what is shown, by word
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
        return choice(*next(iter(self._asked.values()))[0])

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

    def _answer_all(self, word: str, example: str | None) -> list[Answer]:
        return [ask(self._model, word, kind, example=example) for kind in self._kinds]

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
        among = " or ".join(
            dict.fromkeys(_among(question) for question, _ in next(iter(self._asked.values())))
        )
        self.map.change(
            selected=None,
            values=[
                [_of(question, probs, question.right) for question, probs in line]
                for line in self._asked.values()
            ],
            row_labels=list(self._asked),
            cell_text=[
                [f"{choice(*one)} {'✓' if choice(*one) == one[0].right.strip() else '✗'}" for one in line]
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
        shown, p = choice(question, probs), _of(question, probs, question.right)
        of_this_kind = [line[which] for other, line in self._asked.items() if other != example]
        first = (
            f"it is the model's first choice, with {percent(p)}"
            if shown == question.right.strip()
            else f"it gets {percent(p)}; the model's first choice among them is {shown}, with "
            f"{percent(float(probs.max()))}"
        )
        self.told.say(
            f"“{question.asked}” Right is {question.right.strip()}. Among {_among(question)}, {first}.",
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


def _among(question: LetterQuestion) -> str:
    """Say what the options are; all other tokens are left aside."""
    return "the numbers 1 to 9" if question.options == DIGITS else "the 26 letters"


def _of(question: LetterQuestion, probs: np.ndarray, option: str) -> float:
    return float(probs[question.options.index(option)])


def _summary(answers: list[Answer]) -> str:
    """Say how many are right, and how many would be by always saying the same."""
    n = tally(answers)
    return (
        f"This question, all {len(answers)} words: {n.right} right. It says “{n.commonest}” {n.n_commonest} times. "
        f"Who always said “{n.best}” would have {n.n_best} right."
    )
