"""Can the model not see the letters, or not count? Questions about twenty words, and about one of the reader's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from llmviz.claims.cases import LETTER_EXAMPLES as EXAMPLES
from llmviz.claims.cases import LETTER_WORDS as WORDS
from llmviz.experiments import letters
from llmviz.experiments.letters import LIST_LENGTH, Tally, commonest_letter
from llmviz.model import Model
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.numbers import amount, percent
from llmviz.views.kit.state_fields import choice, line, replace, selected, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, job, looks, part, sentences, shared
from llmviz.views.tokenization.counts import CountBars
from llmviz.views.tokenization.typed_text import chips

NAMES = ("letters in a word", "letters, spelled out", "words in a list", "first letter", "last letter")
COUNTS = (0, 1, 2)  # the kinds of questions with a count as answer
IN_FRONT = {example: example for example in EXAMPLES} | {"none": None}


class LettersExplorer(GuessFirst):
    """Some kinds of questions about all of `WORDS`, and then about a word of the reader's own.

    kinds: the kinds of questions that are asked (their indices in `NAMES`). ask: the question on the card. about: the
    kind that it is about. The twenty words come after the first of `EXAMPLES`; the reader's own word after any or none.
    """

    copies_as_code = False  # The pictures come only after the guess.
    stage, unit, whole, experiment = "tokenization", "words", True, "ask_words"

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, the reader's word, the example before it, and the row shown in full; None: that of `about`."""

        word: str = line("strawberry", "Your own word (Enter)", "330px")
        example: str = choice(EXAMPLES[0], "Example before it", [*IN_FRONT], "auto")
        row: int | None = selection("bars", lambda view: range(len(view.kinds)))

    arrangement = ("card", "refusal", "progress", "bars", ("word", "example"), "strip", "message")

    def __init__(self, model: Model, ask: str, *, about: int, kinds: Sequence[int], **state):
        self.ask, self.about, self.kinds, self.high = ask, about, tuple(kinds), len(WORDS)
        super().__init__(model, **state)

    def inputs(self) -> tuple:
        return super().inputs(), self.kinds

    def question(self, scene: Scene) -> str:
        return self.ask

    def answer(self, scene: Scene) -> int:
        return scene.outcome[self.about].right

    def explanation(self, scene: Scene) -> str:
        """Compare each kind of question with the best constant answer, and say what that means."""
        n, about = len(WORDS), scene.outcome[self.about]
        beats = {kind: scene.outcome[kind].right > scene.outcome[kind].n_best for kind in self.kinds}
        constant = f"Always saying “{about.best}” would be right for {about.n_best}"
        if {*self.kinds} <= {*COUNTS}:
            better = [NAMES[kind] for kind in self.kinds if beats[kind]]
            if better:
                return (
                    f"{constant}. The model does better than one constant answer with: {', '.join(better)}."
                )
            return (
                f"{constant}, and no row beats that. This model fails even when each letter is a token, and even when "
                "it counts whole words. So hidden letters aren't its only problem. In a model that can count, they may "
                "still matter."
            )
        (other,) = {*self.kinds} - {self.about}
        known = ", so the model knows something about letters that its tokens don't show"
        compared = "more than" if beats[other] else "no more than"
        more = "" if beats[other] else " It may know more than it names."
        return (
            f"{constant}{known if beats[self.about] else ''}. Asked for the {NAMES[other]}, the model is right for "
            f"{scene.outcome[other].right} of {n}, {compared} with one constant answer.{more} After a different "
            f"example, or none, it can get far fewer {NAMES[self.about]}s right: see “Results on other texts” below."
        )

    def slices(self) -> Iterator[State]:
        """Yield each question after each example as well."""
        yield from super().slices()
        for row, example in product(range(len(self.kinds)), IN_FRONT):
            yield replace(self.state, committed=True, row=row, example=example)

    @job()
    def ask_words(self, scene: Scene) -> Iterator[tuple[float, dict[int, Tally] | None]]:
        return letters.ask_each(self.run, WORDS, self.kinds, example=EXAMPLES[0])

    @shared
    def own_word(self, scene: Scene) -> str:
        """Return the reader's word; before the card is answered, nothing about it is shown."""
        if not scene.is_known:
            raise NothingToShow
        word = scene.word.strip().lower()
        if not re.fullmatch("[a-z]{2,20}", word) or word.count(commonest_letter(word)) > LIST_LENGTH // 2:
            raise NothingToShow(
                "Type a single word of 2 to 20 letters from a to z, with no letter more than four times."
            )
        return word

    @shared
    def row_shown(self, scene: Scene) -> int:
        """Return the row of the question that is shown in full."""
        row = selected(scene.row, len(self.kinds))
        return self.kinds.index(self.about) if row is None else row

    @looks("word")
    def hide_word(self, scene: Scene) -> dict:
        return {"hidden": not scene.is_known}

    @looks("example")
    def hide_example(self, scene: Scene) -> dict:
        return {"hidden": not scene.is_known}

    @part(CountBars, before_label="the best score from one constant answer")
    def bars(self, scene: Scene) -> dict:
        tallies = [scene.outcome[kind] for kind in self.kinds]
        return {
            "labels": [NAMES[kind] for kind in self.kinds],
            "counts": [n.right for n in tallies],
            "high": len(WORDS),
            "before": [n.n_best for n in tallies],
            "notes": [f"right · says “{n.commonest}” for {amount(n.n_commonest, 'words')}" for n in tallies],
            "selected": scene.row_shown,
            "caption": f"Right answers about {len(WORDS)} words, each asked after the example “{EXAMPLES[0]}”. "
            "Click a row to see its question below",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        kind = self.kinds[scene.row_shown]
        answer = letters.ask(self.run, scene.own_word, kind, example=IN_FRONT[scene.example])
        options = f"{answer.question.options[0].strip()} to {answer.question.options[-1].strip()}"
        right = "which is right" if answer.is_right else f"but {answer.question.right.strip()} is right"
        return [
            f"Of {options}, the model finds {answer.choice} the likeliest ({percent(answer.probs.max())}), {right}."
        ]

    @part(TokenStrip, [])
    def strip(self, scene: Scene) -> dict:
        kind = self.kinds[scene.row_shown]
        text = letters.in_front(IN_FRONT[scene.example], kind) + letters.questions(scene.own_word)[kind].text
        tokenizer = self.run.tokenizer
        return chips(tokenizer.encode(text), tokenizer, "What the model reads before it answers")
