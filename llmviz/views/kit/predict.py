"""Predict, commit, reveal: a question that the reader answers before the model does, then the picture that shows it.

`Predict` asks about any picture. A view that itself asks before it measures is a `GuessFirst`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import ref

import ipywidgets
import numpy as np
import traitlets

from llmviz.model import Trace
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Picture, Text
from llmviz.views.kit.pieces import clean, quote
from llmviz.views.kit.state_fields import picked, replace
from llmviz.views.kit.view import Scene, View, on, part, sentences, shared

# A number; of options, the text or the index of one, or the indices of all that are tied, the best first.
Answer = float | np.number | np.bool_ | str | tuple[float, ...]
EARLIER = "This answer is about your earlier text. Press Guess again for the current one."
MOST_GUESSES = 200  # that a page holds of one card
ROUND_NUMBERS = [*range(20), *(n * 10**k for k in range(5) for n in (20, 25, 30, 40, 50, 60, 80, 100, 150))]
HIDDEN = {"answer": None, "answer_text": "", "verdict": "", "explained": ""}


class GuessCard(Picture):
    """A question, and an answer that is not on the page before the reader commits to a guess, or asks to be shown."""

    _static = "predict"
    _by_page = ("guess", "committed")

    question = Text()
    options = traitlets.List(traitlets.Unicode(), None, allow_none=True).tag(sync=True)
    unit = Text()
    low = traitlets.Float(None, allow_none=True).tag(sync=True)
    high = traitlets.Float(None, allow_none=True).tag(sync=True)
    whole = traitlets.Bool(False).tag(sync=True)  # a count: no guess between two numbers

    guess = traitlets.Float(None, allow_none=True).tag(sync=True)  # the number, or the index of the option
    committed = traitlets.Bool(False).tag(sync=True)  # without a guess: "show me"

    # Empty until then, because what is not sent cannot be peeked at.
    answer = traitlets.Float(None, allow_none=True).tag(sync=True)  # a number or an index, as the guess
    answer_text = Text()
    verdict = Text()
    explained = Text()

    def page_values(self) -> dict:
        """Return the options, or the numbers that a reader is likely to type or to choose with the slider."""
        low, high = self.low, self.high
        if self.options is not None:
            values = range(len(self.options))
        elif low is None or high is None or high - low > MOST_GUESSES:
            values = [n for n in ROUND_NUMBERS if (low or 0) <= n <= (math.inf if high is None else high)]
        elif self.whole or high - low > 20:
            values = range(int(low), int(high) + 1)
        else:
            hundred = {round(low + i * (high - low) / 100, 9) for i in range(101)}
            values = sorted(hundred | {i / 10 for i in range(math.ceil(10 * low), math.floor(10 * high) + 1)})
        return {"guess": [float(value) for value in values], "committed": [False, True]}

    def text(self) -> str:
        rows = [self.question]
        for index, option in enumerate(self.options or ()):
            rows.append(f"  ({'•' if self.guess == index else ' '}) {option}")
        if self.committed:
            rows += [line for line in (self.verdict, self.explained) if line]
        else:
            rows.append("(Lock in a guess, or press Show me, to see the answer.)")
        return "\n".join(rows)


def guess() -> Any:
    """Declare the field for the guess on the part "card"; a new text sets it back."""
    takes = "a finite number, or None"
    return picked(None, lambda value, _: value is None or _is_finite(value), takes, set_by=("card", "guess"))


@dataclass(frozen=True)
class Asked:
    """A question, and what can be guessed: one of `options`, or a number from `low` to `high`. whole: a count."""

    question: str
    options: tuple[str, ...] | None = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    whole: bool = False

    def allows(self, guess: float | None) -> bool:
        """Say whether a reader can commit to this guess; None means that she asks to be shown."""
        if guess is None:
            return True
        if self.options is not None:
            return guess in range(len(self.options))
        low, high = (-np.inf if self.low is None else self.low), (np.inf if self.high is None else self.high)
        return bool(np.isfinite(guess)) and low <= guess <= high and not (self.whole and guess % 1)

    def card(self, guess: float | None, committed: bool, answer: Answer | None, explain: str = "") -> dict:
        """Return the traits of a `GuessCard`; `answer` is None while it is computed."""
        options = None if self.options is None else [*self.options]
        drawn = {**vars(self), "options": options, "guess": guess, "committed": committed, **HIDDEN}
        if not committed or answer is None:
            return drawn
        return {**drawn, **self._compared(guess, self.settled(answer)), "explained": explain}

    def settled(self, answer: Answer) -> tuple[float, ...]:
        """Return the answer as a number, or as the indices of options; ValueError if it is none of the options."""
        answers = answer if isinstance(answer, tuple) else (answer,)
        if self.options is None:
            return tuple(map(float, answers))
        indices = {name: i for i, option in enumerate(self.options) for name in (i, option)}
        given = [clean(each) if isinstance(each, str) else each for each in answers]
        if any(each not in indices for each in given):
            raise ValueError(f"{quote(str(answer))} is none of the options")
        return tuple(indices[each] for each in given)

    def _compared(self, guess: float | None, answer: tuple[float, ...]) -> dict:
        value = guess if guess in answer else answer[0]
        if self.options is None:
            text = amount(value, self.unit)
            verdict = f"The answer is {text}." if guess is None else how_far(guess, value, self.unit)
        else:
            said, text = (None if i is None else self.options[int(i)] for i in (guess, value))
            verdict = _which(said, text)
            if len(answer) > 1:
                text = " and ".join(", ".join(f"“{self.options[int(i)]}”" for i in answer).rsplit(", ", 1))
                verdict = f"{f'You guessed “{said}”. ' if said else ''}It's a tie between {text}."
        return {"answer": value if np.isfinite(value) else None, "answer_text": text, "verdict": verdict}


@dataclass(frozen=True)
class Answered:
    """A question about a run, with the reader's guess and the answer, as they were when the reader committed."""

    asked: Asked
    about: object  # as `_identity` returns it
    guess: float | None = None
    answer: tuple[float, ...] = ()  # as `Asked.settled` returns it
    explain: str = ""
    problem: str = ""  # why there is no answer


class Predict(View):
    """A question on a card, and `then`, a picture that is shown once the reader has committed to a guess.

    options: texts to choose from; `answer` is then the index or the text of one, or a tuple of indices that are tied.
    None: the guess and the answer are numbers, on a line from `low` to `high` where both are given.
    answer: the value, or a function that computes it. Without `about` it is called now, so that later cells cannot
    change it. An error in it becomes a sentence. It must not read `then`, which waits until the reader commits.
    about: a `Prompt` (or another view with a `trace`). Question, options, answer and explain may then be functions of
    its trace, and follow it; the answer is computed, and the picture drawn for a new text, when the reader commits.
    From then on the card keeps the question that was answered, also when the text changes.
    explain: said after the reveal, whatever the guess was. No score is kept.
    instead: a sentence that takes the place of card and picture, for a model to which the question does not apply.
    """

    copies_as_code = False

    @dataclass(frozen=True)
    class State:
        """The guess on an open card, or what the reader has answered."""

        guess: float | None = guess()
        answered: Answered | None = picked(
            None,
            lambda done, _: done is None or (isinstance(done, Answered) and done.asked.allows(done.guess)),
            "an `Answered` with a guess that can be, or None",
        )

    def __init__(
        self,
        question: str | Callable[[Trace], str],
        options: Sequence[str] | Callable[[Trace], Sequence[str]] | None = None,
        *,
        answer: Callable[..., Answer] | Answer,
        about: Closable | None = None,
        then: ipywidgets.Widget | None = None,
        explain: str | Callable[[Trace], str] = "",
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
        whole: bool = False,
        stage: str | None = None,
        instead: str = "",
    ):
        self.instead = instead
        self._question, self._options, self._answer, self._explain = question, options, answer, explain
        self._number = {"unit": unit, "low": low, "high": high, "whole": whole}
        self._stage, self.then = stage, then
        super().__init__(about)
        if about is None and not instead:
            self.scene(self.state).answer  # noqa: B018  It is computed now.

    def arrange(self) -> list[ipywidgets.Widget]:
        self.card = self.parts["card"]
        return [self.card, self.parts["no_question"], self.parts["reveal"]]

    def follow(self, source: Any, show: Callable) -> None:
        """Follow a text whose box `then` shows already; only the card is dimmed with it."""
        Closable.follow(self, source, show)
        if isinstance(source, Closable):
            source.dim_if_outdated(self.card)

    # --- what is asked, and what is the answer ---

    @shared
    def asked(self, scene: Scene) -> Asked:
        options = self._of(self._options, scene.run)
        texts = None if options is None else tuple(clean(str(option)) for option in options)
        return Asked(self._of(self._question, scene.run), texts, **self._number)

    @shared
    def answer(self, scene: Scene) -> Answered:
        asked, about = scene.asked, _identity(self if scene.run is None else scene.run)
        try:
            answer = asked.settled(self._of(self._answer, scene.run))
            return Answered(asked, about, answer=answer, explain=self._of(self._explain, scene.run))
        except Exception as error:
            return Answered(asked, about, problem=str(error))

    def _of(self, value: Any, run: Any) -> Any:
        if not callable(value):
            return value
        return value() if self.source is None else value(run)

    # --- events ---

    def fitted(self, state: State) -> State:
        follows = callable(self._question) or callable(self._options)
        return replace(state, guess=None) if follows or state.answered else state

    @on("card", "committed")
    def commit(self, state: State, committed: bool) -> State:
        if not committed or state.answered:
            return state if committed else self.State()
        return self.State(answered=replace(self.scene(state).answer, guess=state.guess))

    # --- parts ---

    @part(lambda view: GuessCard(stage=view._stage))
    def card(self, scene: Scene) -> dict:
        answered = scene.answered
        if self.instead:
            return {"hidden": True}
        if answered is None:
            return scene.asked.card(scene.guess, False, None)
        if answered.problem:
            problem = answered.problem.removesuffix(".")
            verdict = {"verdict": f"Couldn't compute the answer: {problem}."}
            return answered.asked.card(answered.guess, True, None) | verdict
        explain = answered.explain
        if answered.about != _identity(self if scene.run is None else scene.run):
            explain = f"{explain} {EARLIER}".strip()
        return answered.asked.card(answered.guess, True, answered.answer, explain)

    @sentences
    def no_question(self, _scene: Scene) -> list[str]:
        return [self.instead]

    @part(lambda view: ipywidgets.Box() if view.then is None else view.then)
    def reveal(self, scene: Scene) -> dict:
        return {"hidden": scene.answered is None or self.then is None}


def _identity(run: object) -> object:
    """Return what identifies a run without keeping it alive: its tokens and edits, or a reference to another object."""
    return ((*run.tokens,), run.edits) if isinstance(run, Trace) else ref(run)


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < np.inf


def how_far(guess: float, answer: float, unit: str = "") -> str:
    """Say how far a guess was off: "You guessed 20%. It's 67.5%, so you were 47.5 percentage points too low." """
    if (shown := amount(guess, unit)) == amount(answer, unit):
        return f"You guessed {shown}, and that's right."
    both = f"You guessed {shown}. It's {amount(answer, unit)}"
    if not np.isfinite(answer):
        return f"{both}."
    off = guess - answer
    close = 0.005 if unit == "%" else 0
    if abs(off) <= max(close, 0.005 * max(abs(answer), abs(guess))):
        return f"{both}, so you were spot on."
    distance = amount(abs(off), "percentage points" if unit == "%" else "")
    return f"{both}, so you were {distance} too {'high' if off > 0 else 'low'}."


def _which(guess: str | None, answer: str) -> str:
    if guess is None:
        return f"The answer is “{answer}”."
    if guess == answer:
        return f"You guessed “{guess}”, and that's right."
    return f"You guessed “{guess}”. The answer is “{answer}”."
