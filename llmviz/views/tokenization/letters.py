"""Can the model not see the letters, or not count? Up to five questions about a word, and other words beside it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from llmviz.claims.cases import LETTER_EXAMPLES as EXAMPLES
from llmviz.claims.cases import LETTER_WORDS as WORDS
from llmviz.experiments import letters
from llmviz.experiments.letters import DIGITS, LIST_LENGTH, Answer, commonest_letter
from llmviz.model import Model
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import choice, line, replace, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, job, on, part, sentences, shared
from llmviz.views.tokenization.typed_text import chips

NAMES = ("a letter in it", "… spelled out", "word in a list", "first letter", "last letter")
IN_FRONT = {example: example for example in EXAMPLES} | {"none": None}


class LettersExplorer(View):
    """A box for a word, questions about it, and what the model answers; a button asks about all of `WORDS`.

    kinds: which of the questions, by their place in `NAMES`; one alone has no map and no other words. The example
    in front of them can be changed (where it is one of the words, that is not asked about), or left out.
    """

    stage = "tokenization"

    @dataclass(frozen=True)
    class State:
        """The word, the example in front, and the answer that is shown in full; None: the first."""

        word: str = line("", "A word (Enter)", "300px", live=False)
        example: str = choice(EXAMPLES[0], "Example in front", [*IN_FRONT], "auto")
        cell: tuple[int, int] | None = selection(
            "map", lambda view: product(range(1 + len(WORDS)), range(len(view.kinds)))
        )

    arrangement = (("word", "example", "ask_others", "progress"), "map", "message", "strip")

    def __init__(self, model: Model, word: str, kinds: Sequence[int] = range(len(NAMES)), **state):
        self.kinds = tuple(kinds)
        if len(self.kinds) == 1:
            self.arrangement = (("word", "example"), "message", "strip")
        super().__init__(model, word, **state)

    def inputs(self) -> Hashable:
        return super().inputs(), self.kinds

    def first_choice(self) -> str:
        """Return what the model answers to the first of the questions about the word in the box."""
        ((first, *_),) = self.scene(self.state).own.values()
        return first.choice

    @on("word", "value")
    def another_word(self, state: State, word: str) -> State:
        return replace(state, word=word, cell=None)

    def ask(self, word: str, scene: Scene) -> list[Answer]:
        """Return the answers to all questions about a word."""
        return [letters.ask(self.run, word, kind, example=IN_FRONT[scene.example]) for kind in self.kinds]

    @shared
    def own(self, scene: Scene) -> dict[str, list[Answer]]:
        """Return the answers about the word in the box, under it."""
        word = scene.word.strip().lower()
        if not re.fullmatch("[a-z]{2,20}", word) or word.count(commonest_letter(word)) > LIST_LENGTH // 2:
            raise NothingToShow(
                "One word, please, of 2 to 20 letters from a to z, none more than four times."
            )
        return {word: self.ask(word, scene)}

    @job("example", start="ask about twenty words")
    def ask_others(self, scene: Scene) -> Iterator[tuple[float, dict[str, list[Answer]]]]:
        """Yield the answers by word."""
        answers: dict[str, list[Answer]] = {}
        for i, word in enumerate(WORDS, start=1):
            if word != scene.example:
                answers = answers | {word: self.ask(word, scene)}
            yield i / len(WORDS), answers

    @shared
    def answers(self, scene: Scene) -> dict[str, list[Answer]]:
        """Return all answers by word, the reader's own first."""
        return scene.own | (scene.result("ask_others") or {})

    @shared
    def chosen(self, scene: Scene) -> tuple[int, int, Answer]:
        """Return the row, the column and the answer that is shown in full."""
        rows, (row, column) = [*scene.answers.values()], scene.cell or (0, 0)
        row, column = min(row, len(rows) - 1), min(column, len(self.kinds) - 1)
        return row, column, rows[row][column]

    @part(
        HeatMap,
        kind="prob",
        row_axis="the word",
        col_axis="the question",
        quantity="share of the right answer",
        numbers="always",
    )
    def map(self, scene: Scene) -> dict:
        rows = [*scene.answers.values()]
        options = " or ".join(dict.fromkeys(map(options_of, rows[0])))
        return {
            "values": [[answer.right_prob for answer in row] for row in rows],
            "row_labels": [*scene.answers],
            "col_labels": [NAMES[kind] for kind in self.kinds],
            "selected": [*scene.chosen[:2]],
            "cell_text": [[f"{answer.choice} {'✗✓'[answer.is_right]}" for answer in row] for row in rows],
            "caption": f"Which of {options} the model likes best (✓ right, ✗ wrong). The shade is the share of the "
            "right one among them; all other tokens are left aside.",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        _, column, answer = scene.chosen
        right = f"Right is {answer.question.right.strip()}."
        result = f"it gets {percent(answer.right_prob)}; the model's first choice among them is {answer.choice}, with"
        if answer.is_right:
            result = "it is the model's first choice, with"
        other_words = [answers[column] for word, answers in scene.answers.items() if word != scene.example]
        return [
            f"“{answer.question.asked}” {right} Among {options_of(answer)}, {result} {percent(answer.probs.max())}.",
            summary(other_words) if len(other_words) > 1 else "",
        ]

    @part(TokenStrip, [], highlight_name="the question; in front of it the example")
    def strip(self, scene: Scene) -> dict:
        (_, column, answer), example, tokenizer = scene.chosen, IN_FRONT[scene.example], self.run.tokenizer
        before, in_front = letters.in_front(example, self.kinds[column]), "Nothing stands in front."
        tokens, highlight = tokenizer.encode(before + answer.question.text), []
        if example:
            in_front = f"In front stands the same about “{example}”, answered."
            highlight = [*range(len(tokenizer.encode(before)), len(tokens))]
        caption = f"The question as the model gets it. {in_front}"
        return {**chips(tokens, tokenizer, caption), "highlight": highlight}


def options_of(answer: Answer) -> str:
    """Say what the options are; all other tokens are left aside."""
    return "the numbers 1 to 9" if answer.question.options == DIGITS else "the 26 letters"


def summary(answers: list[Answer]) -> str:
    """Say how many are right, and how many would be by always saying the same."""
    n = letters.tally(answers)
    return (
        f"This question, all {len(answers)} words: {n.right} right. It says “{n.commonest}” {n.n_commonest} times. "
        f"Who always said “{n.best}” would have {n.n_best} right."
    )
