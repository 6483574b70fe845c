"""Predict, commit, reveal: a question that the reader answers before the model does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real

import numpy as np
import traitlets

from llmviz.views.kit.picture import Picture, Text, script, style
from llmviz.views.kit.pieces import clean

Value = int | float | str | np.number | np.bool_


class Predict(Picture):
    """A question whose answer comes from the model, and only after the reader has committed to a guess.

    options: texts to choose from; `answer` is then the index or the text of one (a text that is none of them is
    said as it is). None: the guess and the answer are numbers, on a line from `low` to `high` where both are given.
    answer: the value, or a function that computes it at the moment of commitment; an error in it becomes a sentence.
    tell: a sentence about (guess, answer), in place of the usual one; both are numbers, or both texts.
    explain: said after the reveal, whatever the guess was. No score is kept.
    """

    _esm = script("predict")
    _css = style("predict")
    _by_page = ("guess", "committed")
    _data = ("question", "options", "guess", "committed", "answer_text")

    question = Text()
    options = traitlets.List(traitlets.Unicode(), None, allow_none=True).tag(sync=True)
    unit = Text()
    low = traitlets.Float(None, allow_none=True).tag(sync=True)
    high = traitlets.Float(None, allow_none=True).tag(sync=True)

    guess = traitlets.Float(None, allow_none=True).tag(sync=True)  # the number, or the index of the option
    committed = traitlets.Bool(False).tag(sync=True)

    # Empty until the guess is committed: what is not sent cannot be peeked at.
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
        answer: Callable[[], Value] | Value,
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
        tell: Callable[[Value, Value], str] | None = None,
        explain: str = "",
        **traits,
    ):
        self._answer, self._tell, self._explain_text = answer, tell, explain
        if options is not None:
            options = [clean(str(option)) for option in options]
        super().__init__(question=question, options=options, unit=unit, low=low, high=high, **traits)
        self.observe(self._reveal, "committed")

    @traitlets.validate("guess")
    def _an_option(self, proposal):
        guess = proposal["value"]
        if None not in (guess, self.options) and guess not in range(len(self.options)):
            raise traitlets.TraitError(f"there is no option number {guess}")
        return guess

    def ask_again(self, answer: Callable[[], Value] | Value | None = None) -> None:
        """Back to the open question, with another answer if one is given."""
        if answer is not None:
            self._answer = answer
        self.change(committed=False, guess=None)

    def text(self) -> str:
        rows = [self.question]
        for index, option in enumerate(self.options or ()):
            rows.append(f"  ({'•' if self.guess == index else ' '}) {option}")
        if self.committed:
            rows += [line for line in (self.told, self.explained) if line]
        else:
            rows.append("(The answer comes after you commit to a guess.)")
        return "\n".join(rows)

    def _reveal(self, _change) -> None:
        if not self.committed:
            self.change(answer=None, answer_text="", told="", explained="")
            return
        if self.guess is None or not np.isfinite(self.guess):
            self.committed = False
            return
        try:
            self.change(**self._outcome())
        except Exception as error:  # whatever a notebook's function raises is said, never thrown at a reader
            self.change(answer_text="", told=f"The answer could not be computed: {error}", explained="")

    def _outcome(self) -> dict:
        answer = self._answer() if callable(self._answer) else self._answer
        if self.options is None:
            guess, answer = float(self.guess), float(answer)
            return {
                "answer": answer if np.isfinite(answer) else None,
                "answer_text": amount(answer, self.unit),
                "told": self._tell(guess, answer) if self._tell else how_far(guess, answer, self.unit),
                "explained": self._explain_text,
            }
        guess = self.options[int(self.guess)]
        index = _index(answer, self.options)
        answer = clean(str(answer)) if index is None else self.options[index]
        return {
            "answer": index,
            "answer_text": answer,
            "told": self._tell(guess, answer) if self._tell else _which(guess, answer, index is not None),
            "explained": self._explain_text,
        }


def how_far(guess: float, answer: float, unit: str = "") -> str:
    """ "You said 20 %. It is 67.5 %: you were 47.5 percentage points too low." """
    said = f"You said {amount(guess, unit)}. It is {amount(answer, unit)}"
    if not np.isfinite(answer):
        return f"{said}."
    off = guess - answer
    if abs(off) <= 0.005 * max(abs(answer), abs(guess)):
        return f"{said}: spot on."
    distance = amount(abs(off), "percentage points" if unit == "%" else unit)
    sentence = f"{said}: you were {distance} too {'high' if off > 0 else 'low'}"
    if guess > 0 and answer > 0 and not 1 / 3 < guess / answer < 3:
        sentence += f", a factor of {max(guess / answer, answer / guess):.2g}"
    return f"{sentence}."


def amount(value: float, unit: str = "") -> str:
    """A number for people, three or four digits long, with its unit."""
    if not np.isfinite(value):
        digits = "undefined" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    elif abs(value) < 1e15 and (abs(value) >= 1000 or float(value).is_integer()):
        digits = f"{value:,.0f}"
    else:
        digits = f"{value:.3g}"
    return f"{digits.replace('-', '−')} {unit}".rstrip()


def _index(answer: Value, options: list[str]) -> int | None:
    if isinstance(answer, Real | np.number | np.bool_):
        index = int(answer)
        if not 0 <= index < len(options):
            raise ValueError(f"there is no option number {index}")
        return index
    return options.index(clean(answer)) if clean(answer) in options else None


def _which(guess: str, answer: str, listed: bool) -> str:
    if not listed:
        return f"You said “{guess}”. It is none of these, but “{answer}”."
    return f"It is “{answer}”, as you said." if guess == answer else f"You said “{guess}”. It is “{answer}”."
