"""Predict, commit, reveal: a question that the reader answers before the model does, then the picture that shows it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from numbers import Real

import ipywidgets
import numpy as np
import traitlets

from llmviz.model import Trace
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Explorer, Picture, Text, one_at_a_time
from llmviz.views.kit.pieces import clean

Value = int | float | str | np.number | np.bool_
Answer = Value | tuple[int, ...]  # the indices of options that are tied


class Predict(Explorer):
    """A question on a card, and `then`, a picture that is shown once the reader has committed to a guess.

    options: texts to choose from; `answer` is then the index or the text of one (a text that is none of them is
    said as it is), or a tuple of indices that are tied. None: the guess and the answer are numbers, on a line from
    `low` to `high` where both are given.
    answer: the value, or a function that computes it, which is called now: what the page does to names later changes
    no answer. An error in it becomes a sentence.
    about: a `Prompt` (or another view with a `trace`). Question, options, answer and explain may then be functions of
    its trace, and follow it; the answer is computed, and the picture drawn for a new text, when the reader commits.
    tell: a sentence about (guess, answer), in place of the usual one; both are numbers, or both texts.
    explain: said after the reveal, whatever the guess was. No score is kept.
    """

    def __init__(
        self,
        question: str | Callable[[Trace], str],
        options: Sequence[str] | Callable[[Trace], Sequence[str]] | None = None,
        *,
        answer: Callable[..., Answer] | Answer,
        about: Closable | None = None,
        then: ipywidgets.Widget | None = None,
        explain: str | Callable[[Trace], str] = "",
        **card,
    ):
        self._parts = {"question": question, "options": options, "answer": answer, "explain": explain}
        self.card = Question("", answer=None, **card)
        self.then = then
        super().__init__([self.card] if then is None else [self.card, then])
        if about is None:
            self._ask()
        else:
            Closable.follow(self, about, self._ask)  # its box stands with the picture
            about.dims(self.card)
        self.card.observe(self._reveal, "committed")
        self._reveal()

    @one_at_a_time
    def _ask(self, *trace: Trace) -> None:
        def of(part: str):
            value = self._parts[part]
            return value(*trace) if callable(value) else value

        answer = self._parts["answer"]
        if callable(answer):
            answer = functools.cache(functools.partial(self._answer, *trace))
            if not trace:
                with contextlib.suppress(Exception):  # said once the reader has committed
                    answer()
        self.card.ask(of("question"), of("options"), answer=answer, explain=of("explain"))

    def _answer(self, *trace: Trace) -> Answer:
        self._reveal()  # first: it may be read from the picture, which has waited for that
        return self._parts["answer"](*trace)

    def _reveal(self, _change=None) -> None:
        if self.then is not None:
            self.then.layout.display = "" if self.card.committed else "none"


class Question(Picture):
    """The card of `Predict`. Nothing of the answer is on the page before the reader has committed, or gave up."""

    _static = "predict"
    _by_page = ("guess", "committed")
    _data = ("question", "options", "guess", "committed", "answer_text")

    question = Text()
    options = traitlets.List(traitlets.Unicode(), None, allow_none=True).tag(sync=True)
    unit = Text()
    low = traitlets.Float(None, allow_none=True).tag(sync=True)
    high = traitlets.Float(None, allow_none=True).tag(sync=True)
    whole = traitlets.Bool(False).tag(sync=True)  # a count: no guess between two numbers

    guess = traitlets.Float(None, allow_none=True).tag(sync=True)  # the number, or the index of the option
    committed = traitlets.Bool(False).tag(sync=True)  # without a guess: "show me"

    # Empty until then: what is not sent cannot be peeked at.
    # The number, or the index if it is an option.
    answer = traitlets.Float(None, allow_none=True).tag(sync=True)
    answer_text = Text()
    told = Text()
    explained = Text()

    def __init__(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        answer: Answer | Callable[[], Answer] | None,
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
        tell: Callable[[Value, Value], str] | None = None,
        explain: str = "",
        **traits,
    ):
        self._answer, self._tell, self._explain_text = answer, tell, explain
        super().__init__(question=question, options=_texts(options), unit=unit, low=low, high=high, **traits)
        self.observe(self._reveal, "committed")

    @traitlets.validate("guess")
    def _an_option(self, proposal):
        guess = proposal["value"]
        if None not in (guess, self.options) and guess not in range(len(self.options)):
            raise traitlets.TraitError(f"there is no option number {guess}")
        return guess

    def ask(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        answer: Answer | Callable[[], Answer] | None,
        explain: str = "",
    ) -> None:
        """Another question. An open card stays open, its guess kept where it still fits; else the answer is told.

        answer: a function is called when the reader has committed.
        """
        options = _texts(options)
        new = (question, options) != (self.question, self.options)
        self._answer, self._explain_text = answer, explain
        with self.hold_sync():
            if new or self.committed:
                self.change(question=question, options=options, guess=None)
            if self.committed:
                self._reveal()

    def tell(self, answer: Answer | None) -> None:
        """The answer, for a card that may be committed before it is known (None: it says "computing …")."""
        self._answer = answer
        self._reveal()

    def ask_again(self) -> None:
        """Back to the open question."""
        self.change(committed=False, guess=None)

    def told_about(self, guesses: Sequence[float]) -> list[str]:
        """What the card, committed with each of these guesses, would tell; the answer is computed once."""
        answer = functools.cache(self._answer) if callable(self._answer) else self._answer
        return [self._outcome(float(guess), answer)["told"] for guess in guesses]

    def text(self) -> str:
        rows = [self.question]
        for index, option in enumerate(self.options or ()):
            rows.append(f"  ({'•' if self.guess == index else ' '}) {option}")
        if self.committed:
            rows += [line for line in (self.told, self.explained) if line]
        else:
            rows.append("(The answer comes after you commit to a guess, or ask to be shown.)")
        return "\n".join(rows)

    @one_at_a_time
    def _reveal(self, _change=None) -> None:
        if not self.committed:
            self.change(answer=None, answer_text="", told="", explained="")
        elif not self._fits(self.guess):  # the page refuses it, too
            self.committed = False
        elif self._answer is None:
            self.change(answer=None, answer_text="", told="", explained="")
        else:
            self.change(**self._outcome(self.guess, self._answer))

    def _fits(self, guess: float | None) -> bool:
        if guess is None or self.options is not None:
            return True
        low = -np.inf if self.low is None else self.low
        if self.whole and not float(guess).is_integer():
            return False
        return bool(np.isfinite(guess)) and low <= guess <= (np.inf if self.high is None else self.high)

    def _outcome(self, guess: float | None, answer: Answer | Callable[[], Answer] | None) -> dict:
        try:
            return self._compared(guess, answer() if callable(answer) else answer)
        except Exception as error:  # whatever a notebook's function raises is said, never thrown at a reader
            told = f"There is no answer: {error}"
            return {"answer": None, "answer_text": "", "told": told, "explained": ""}

    def _compared(self, guess: float | str | None, answer: Answer | None) -> dict:
        if answer is None:
            raise ValueError("nothing was given")
        tied = answer if isinstance(answer, tuple) else ()
        if tied:
            answer = guess if guess in tied else tied[0]
        if self.options is None:
            answer = float(answer)
            shown = answer if np.isfinite(answer) else None
            text = amount(answer, self.unit)
            usual = f"It is {text}." if guess is None else how_far(guess, answer, self.unit)
        else:
            shown = _index(answer, self.options)
            answer = text = clean(str(answer)) if shown is None else self.options[shown]
            guess = None if guess is None else self.options[int(guess)]
            usual = _which(guess, text, shown is not None)
        if len(tied) > 1:
            text = " and ".join(f"“{self.options[i]}”" for i in tied)
            usual = f"{f'You said “{guess}”. ' if guess else ''}It is a tie: {text}."
        told = self._tell(guess, answer) if self._tell and guess is not None else usual
        return {"answer": shown, "answer_text": text, "told": told, "explained": self._explain_text}


def within(values: Sequence[float] | np.ndarray, distance: float) -> tuple[int, ...]:
    """Return the indices of the values that are at most so far below the highest, the highest first."""
    order = np.argsort(-np.asarray(values), kind="stable")
    return tuple(int(i) for i in order if values[order[0]] - values[i] <= distance)


def _texts(options: Sequence[str] | None) -> list[str] | None:
    return None if options is None else [clean(str(option)) for option in options]


def how_far(guess: float, answer: float, unit: str = "") -> str:
    """ "You said 20%. It is 67.5%: you were 47.5 percentage points too low." """
    said = f"You said {amount(guess, unit)}. It is {amount(answer, unit)}"
    if not np.isfinite(answer):
        return f"{said}."
    off = guess - answer
    close = 0.005 if unit == "%" else 0
    if abs(off) <= max(close, 0.005 * max(abs(answer), abs(guess))):
        return f"{said}: spot on."
    distance = amount(abs(off), "percentage points" if unit == "%" else unit)
    sentence = f"{said}: you were {distance} too {'high' if off > 0 else 'low'}"
    if guess > 0 and answer > 0 and not 1 / 3 < guess / answer < 3:
        factor = float(f"{max(guess / answer, answer / guess):.2g}")
        sentence += f", a factor of {amount(factor)}"
    return f"{sentence}."


def _index(answer: Value, options: list[str]) -> int | None:
    if isinstance(answer, Real | np.number | np.bool_):
        index = int(answer)
        if not 0 <= index < len(options):
            raise ValueError(f"there is no option number {index}")
        return index
    return options.index(clean(answer)) if clean(answer) in options else None


def _which(guess: str | None, answer: str, listed: bool) -> str:
    if guess is None:
        return f"It is “{answer}”."
    if not listed:
        return f"You said “{guess}”. It is none of these, but “{answer}”."
    return f"It is “{answer}”, as you said." if guess == answer else f"You said “{guess}”. It is “{answer}”."
