"""What a claim is: a sentence of a page, how it is measured on one case, and what the numbers must be."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from fnmatch import fnmatchcase
from statistics import fmean, median
from typing import Any
from weakref import WeakKeyDictionary

from llmviz.model import Model

Range = tuple[float, float]  # lowest and highest, both included
Measure = Callable[[Model, Any], float]  # of one case; NaN where this case cannot be asked of this model
YES: Range = (1, 1)  # what supports a claim whose values are 1 for yes and 0 for no


def above(low: float) -> Range:
    """Return the range from `low` on."""
    return low, math.inf


def below(high: float) -> Range:
    """Return the range up to `high`."""
    return -math.inf, high


@dataclass(frozen=True)
class Bounds:
    """What a page states about the values of a claim. Nothing is asked where a field is None.

    On cases of a reader's own, counts become shares, and what names a case or an extreme (`lowest`, `highest`, `at`,
    `exceptions`, `of`) is left out.
    """

    supports: Range | None = None  # a value in this range supports the sentence; None: every value does
    count: int | Range | None = None  # how many cases support it: exactly, or (least, most); None: all
    of: int | None = None  # how many cases have a value; None: all cases of the claim
    exceptions: tuple[str, ...] | None = (
        None  # patterns: each case that does not support it matches one ("* Kenya")
    )
    within: Range | None = None  # every value
    lowest: Range | None = None
    median: Range | None = None
    mean: Range | None = None
    highest: Range | None = None
    at: Mapping[str, Range] | None = None  # named cases
    above_control: int | None = None  # in at least so many cases the value is higher than the control's
    below_control: int | None = None  # … lower
    control: "Bounds | None" = None  # the same, of the control's values

    def supporting(self, values: Mapping[str, float]) -> list[str]:
        """Return the names of the cases that support the sentence."""
        return [
            name for name, value in values.items() if self.supports is None or inside(value, self.supports)
        ]

    def problems(
        self, values: Mapping[str, float], controls: Mapping[str, float], n_cases: int, *, own: bool = False
    ) -> list[str]:
        """Return what contradicts the page, in words; an empty list if all bounds hold.

        n_cases: how many cases the claim has. own: the values are those of other cases.
        """
        if not values:
            return ["no case could be measured"]
        n, supporting, numbers = len(values), self.supporting(values), list(values.values())
        of = self.of or n_cases
        share = n / of if own else 1
        problems = [] if own or n == of else [f"{n} cases have a value instead of {of}"]
        least, most = self.count if isinstance(self.count, tuple) else (self.count, self.count)
        least = of if least is None else least
        # An exact count of the page's cases says of others only that about as many support the sentence.
        most = math.inf if most is None or (own and most == least) else most
        if not math.floor(least * share) <= len(supporting) <= math.ceil(most * share if most < of else n):
            problems.append(f"{len(supporting)} of {n} support it instead of {_counted(self.count, of)}")
        statistics: dict[str, Callable] = {"median": median, "mean": fmean}
        statistics |= {} if own else {"lowest": min, "highest": max}
        for name, statistic in statistics.items():
            if (range_ := getattr(self, name)) and not inside(result := statistic(numbers), range_):
                problems.append(f"the {name} value is {result:.4g}, {_outside(range_)}")
        asked = {} if own else dict(self.at or {})
        if self.within:
            asked |= {name: self.within for name in values if name not in asked}
        problems += [
            f"{name} has {values.get(name, math.nan):.4g}, {_outside(range_)}"
            for name, range_ in asked.items()
            if not inside(values.get(name, math.nan), range_)
        ]
        if self.exceptions is not None and not own:
            for name in set(values) - set(supporting):
                if not any(fnmatchcase(name, pattern) for pattern in self.exceptions):
                    problems.append(f"{name} does not support it")
        both = [(value, controls[name]) for name, value in values.items() if name in controls]
        for word, asked_for, better in (
            ("higher", self.above_control, sum(value > other for value, other in both)),
            ("lower", self.below_control, sum(value < other for value, other in both)),
        ):
            if asked_for is not None and better < math.floor(asked_for * share):
                problems.append(
                    f"{better} values are {word} than the control's instead of {asked_for} of {of}"
                )
        if self.control:
            result = self.control.problems(controls, {}, n_cases, own=own)
            problems += [f"control: {problem}" for problem in result]
        return problems


def inside(value: float, range_: Range) -> bool:
    """Say whether a value lies in a range; NaN lies in none."""
    return range_[0] <= value <= range_[1]


def _counted(count: int | Range | None, of: int) -> str:
    if isinstance(count, tuple):
        return f"{count[0]} to {count[1]} of {of}"
    return f"all {of}" if count is None else f"{count} of {of}"


def _outside(range_: Range) -> str:
    low, high = range_
    if high == math.inf:
        return f"less than {low:g}"
    return f"more than {high:g}" if low == -math.inf else f"not from {low:g} to {high:g}"


@dataclass(frozen=True)
class Outcome:
    """What a claim came out as on some cases."""

    values: dict[str, float]
    controls: dict[str, float]  # empty without a control
    problems: tuple[str, ...]  # what contradicts the page

    @property
    def holds(self) -> bool:
        """Whether all bounds hold."""
        return not self.problems


@dataclass(frozen=True, eq=False)
class Claim:
    """A conclusion that a page draws, and how it is tested."""

    sentence: str  # what the page says
    tested: str  # what was done to each case; the control is named apart
    value: Measure
    bounds: Bounds
    _: KW_ONLY
    over: str  # what the cases are: "texts", "words", "seeds", …
    cases: Mapping[str, Any]
    control: tuple[str, Measure] | None = None  # what it is, in a few words, and its value
    unit: str = "%"  # "" for yes (1) or no (0)
    name: str = ""  # an identifier, unique in its page; `section` gives it
    section: str = ""  # the heading of the table under which it stands

    @property
    def method(self) -> str:
        """How it was tested, with its control."""
        return f"{self.tested} Control: {self.control[0]}." if self.control else self.tested

    def measure(self, model: Model, cases: Mapping[str, Any] | None = None) -> Outcome:
        """Measure the claim on its own cases, or on others of the same kind.

        A case whose value is NaN is left out. On other cases the bounds are shares (see `Bounds`).
        """
        own, chosen = cases is not None, self.cases if cases is None else cases
        measures = self.value, self.control[1] if self.control else None
        values, controls = (
            {name: float(measure(model, case)) for name, case in chosen.items()} if measure else {}
            for measure in measures
        )
        values, controls = ({k: v for k, v in d.items() if not math.isnan(v)} for d in (values, controls))
        return self.outcome(values, controls, own=own)

    def outcome(self, values: dict[str, float], controls: dict[str, float], *, own: bool = False) -> Outcome:
        """Check numbers that were measured before. own: on cases that are not the claim's."""
        problems = self.bounds.problems(values, controls, len(self.cases), own=own)
        return Outcome(values, controls, tuple(problems))

    def result(self, outcome: Outcome) -> str:
        """Say in a phrase what came out: "67 of 90 pairs; median 81% (random heads: at most 1%)"."""
        n, bounds = len(outcome.values), self.bounds
        if not n:
            return "not measured"
        phrase = self._phrase(outcome.values, bounds)
        if n > 1 and (bounds.supports or not self.unit):
            count = len(bounds.supporting(outcome.values))
            counted = f"{'all ' if count == n else f'{count} of '}{n} {self.over}"
            phrase = f"{counted}; {phrase}" if phrase else counted
        elif n > 1:
            phrase = f"{phrase}, on all {n} {self.over}"
        if self.control and outcome.controls:
            control = self._phrase(outcome.controls, bounds.control or Bounds())
            control = control or f"{sum(map(bool, outcome.controls.values()))} of {len(outcome.controls)}"
            phrase = f"{phrase} ({self.control[0]}: {control})"
        return phrase

    def _phrase(self, values: Mapping[str, float], bounds: Bounds) -> str:
        numbers = sorted(values.values())
        if len(numbers) > 1 and not self.unit:
            return ""
        if len(numbers) == 1 or numbers[0] == numbers[-1]:
            return format_value(numbers[0], self.unit) if self.unit else "yes" if numbers[0] else "no"
        if bounds.supports is None and bounds.within and -math.inf in bounds.within:
            most = format_value(numbers[-1], self.unit)
            return most if most.startswith("under") else f"at most {most}"
        if bounds.supports is None and bounds.within and math.inf in bounds.within:
            return f"at least {format_value(numbers[0], self.unit)}"
        first, middle, last = (format_value(n, self.unit) for n in (numbers[0], median(numbers), numbers[-1]))
        if first == last:
            return first
        # The unit is named once, but each number has its own %.
        once = suffix(self.unit).removeprefix("%")
        first, middle = (number.removesuffix(once) for number in (first, middle))
        return f"median {middle}, from {first} to {last}"


def format_value(number: float, unit: str = "") -> str:
    """Write a number with two digits, or all of its whole ones, and its unit."""
    number = round(number) if abs(number) >= 100 else float(f"{number:.2g}")
    if unit.startswith("%") and 0 < abs(number) < 0.01:
        return f"under 0.01{unit}"
    digits = f"{number:,.10f}".rstrip("0").rstrip(".").replace("-", "−")
    return f"{digits}{suffix(unit)}"


def suffix(unit: str) -> str:
    """Return what follows a number: the unit after a space, which % doesn't have."""
    return unit if unit.startswith("%") or not unit else f" {unit}"


def section(title: str, **claims: Claim) -> tuple[Claim, ...]:
    """Return claims by their names, under a heading of their page's table."""
    return tuple(replace(claim, name=name, section=title) for name, claim in claims.items())


def following(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return each name with the next one, the last with the first, as cases."""
    names = list(names)
    return {name: (name, after) for name, after in zip(names, [*names[1:], names[0]])}


def remembered(function: Callable) -> Callable:
    """Keep what a function of a model (and hashable arguments) returned, for as long as the model lives.

    For what several claims share. Return numbers, arrays or text from it, never a trace: a trace holds its model, so
    neither would ever be freed.
    """
    results: WeakKeyDictionary[Model, dict[tuple, Any]] = WeakKeyDictionary()

    @functools.wraps(function)
    def wrapper(model: Model, *args):
        of_model = results.setdefault(model, {})
        if args not in of_model:
            of_model[args] = function(model, *args)
        return of_model[args]

    return wrapper
