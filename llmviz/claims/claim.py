"""What a claim is: a sentence of a page, how it is measured on one case, and what the numbers must be."""

import contextlib
import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from fnmatch import fnmatchcase
from statistics import fmean, median
from typing import Any

from llmviz.model import Model
from llmviz.reuse import kept_with

Range = tuple[float, float]  # lowest and highest, both included
Measure = Callable[[Model, Any], float]  # of one case; NaN where this case cannot be asked of this model
YES: Range = (1, 1)  # what supports a claim whose values are 1 for yes and 0 for no
HOLDS, IN_PART, FAILS = "holds", "holds in part", "fails"
NO_BETTER, UNTRIED = "no better than its control", "cannot be tried here"
remembered = kept_with()  # for what claims share; never a trace, which would keep its model alive


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
    exceptions: tuple[str, ...] = ("*",)  # each case that does not support it matches one, such as "* Kenya"
    within: Range | None = None  # every value but those in `at`
    lowest: Range | None = None
    median: Range | None = None
    mean: Range | None = None
    highest: Range | None = None
    at: Mapping[str, Range] | None = None  # named cases
    above_control: int = 0  # in at least so many cases the value is higher than the control's
    below_control: int = 0  # … lower
    control: "Bounds | None" = None  # the same, of the control's values

    @property
    def says_of_others(self) -> bool:
        """Whether anything is stated of cases of a reader's own."""
        return replace(self, of=None, exceptions=("*",), lowest=None, highest=None, at=None) != Bounds()

    def supporting(self, values: Mapping[str, float]) -> list[str]:
        """Return the names of the cases that support the sentence."""
        return [name for name, value in values.items() if not self.supports or inside(value, self.supports)]

    def problems(
        self, values: Mapping[str, float], controls: Mapping[str, float], n_cases: int, *, own: bool = False
    ) -> list[str]:
        """Return what contradicts the page, in words; an empty list if all bounds hold.

        n_cases: how many cases the claim has. own: the values are those of other cases.
        """
        if not values:
            return ["no case could be measured"]
        n, of, supporting, numbers = len(values), self.of or n_cases, self.supporting(values), values.values()
        problems = [] if own or n == of else [f"{n} cases have a value instead of {of}"]

        count: float | Range = of if self.count is None else self.count
        if not isinstance(count, tuple):
            # An exact count of the page's cases says of others only that about as many support the sentence.
            count = count, math.inf if own or self.count is None else count
        more = [value - controls[name] for name, value in values.items() if name in controls]
        n_compared = len(more) if controls else n
        for what, n_so, (least, most), n_asked in (
            ("support it", len(supporting), count, n),
            (
                "are higher than the control's",
                sum(by > 0 for by in more),
                (self.above_control, of),
                n_compared,
            ),
            (
                "are lower than the control's",
                sum(by < 0 for by in more),
                (self.below_control, of),
                n_compared,
            ),
        ):
            share = n_asked / of if own else 1
            if not least * share - 1 < n_so < most * share + 1:
                wanted = f"{least}" if most in (least, of, math.inf) else f"{least} to {most}"
                problems.append(f"{n_so} of {n_asked} {what} instead of {wanted} of {of}")

        ranges = [("the median", median(numbers), self.median), ("the mean", fmean(numbers), self.mean)]
        at = {} if own else self.at or {}
        ranges += [(name, value, self.within) for name, value in values.items() if name not in at]
        if not own:
            ranges += [("the lowest", min(numbers), self.lowest), ("the highest", max(numbers), self.highest)]
            ranges += [(name, values.get(name, math.nan), range_) for name, range_ in at.items()]
            problems += [
                f"{name} does not support it"
                for name in values
                if name not in supporting and not any(fnmatchcase(name, part) for part in self.exceptions)
            ]
        problems += [
            f"{what} is {value:.4g}, not from {range_[0]:g} to {range_[1]:g}"
            for what, value, range_ in ranges
            if range_ and not inside(value, range_)
        ]
        control = self.control.problems(controls, {}, n_cases, own=own) if self.control else []
        return [*problems, *(f"control: {problem}" for problem in control)]


def inside(value: float, range_: Range) -> bool:
    """Say whether a value lies in a range; NaN lies in none."""
    return range_[0] <= value <= range_[1]


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
    cases: Mapping[str, Any]  # on which the sentence was worded
    unseen: Mapping[str, Any] = field(default_factory=dict)  # others, which had no part in the wording
    unseen_bounds: Bounds | None = None  # what must hold of those; None: `bounds`, with counts as shares
    control: tuple[str, Measure] | None = None  # what it is, in a few words, and its value
    unit: str = "%"  # where it isn't yes or no; in brackets if it is named before the number: "(rank)"
    name: str = ""  # an identifier, unique in its page; `section` gives it
    section: str = ""  # the heading of the table under which it stands

    @property
    def yes_or_no(self) -> bool:
        """Whether the values are 1 for yes and 0 for no."""
        return self.bounds.supports == YES

    @property
    def all_cases(self) -> dict[str, Any]:
        """The cases on which the sentence was worded, and the unseen ones."""
        return {**self.cases, **self.unseen}

    @property
    def method(self) -> str:
        """How it was tested, with its control."""
        return f"{self.tested} Control: {self.control[0]}." if self.control else self.tested

    def measure(self, model: Model, cases: Mapping[str, Any] | None = None) -> Outcome:
        """Measure the claim on its own cases, the unseen ones included, or on others of the same kind.

        A case whose value is NaN is left out. On other cases the bounds are shares (see `Bounds`), and what cannot be
        asked of a case leaves it out, too; ValueError if none is left.
        """
        tried = self.all_cases if cases is None else cases
        may_refuse = () if cases is None else (ValueError, IndexError, FloatingPointError)
        refused: list[Exception] = []

        def measured(measure: Measure) -> dict[str, float]:
            values = {}
            for name, case in tried.items():
                try:
                    values[name] = float(measure(model, case))
                except may_refuse as error:
                    refused.append(error)
            return {name: value for name, value in values.items() if not math.isnan(value)}

        values, controls = measured(self.value), measured(self.control[1]) if self.control else {}
        if not values and cases is not None:
            raise ValueError(str(refused[0]) if refused else "they have nothing of what it asks about")
        return self.outcome(values, controls, own=cases is not None)

    def try_each(self, model: Model) -> Iterator[tuple[float, Outcome | None]]:
        """Measure the claim case by case; yield the share that is done, and in the end what came out.

        Left out is what the model cannot be asked: a word that is not one token, and where its numbers overflow.
        """
        values: dict[str, float] = {}
        controls: dict[str, float] = {}
        for i, (name, case) in enumerate(self.all_cases.items(), start=1):
            for numbers, measure in ((values, self.value), (controls, self.control and self.control[1])):
                with contextlib.suppress(ValueError, FloatingPointError):
                    if measure and not math.isnan(value := float(measure(model, case))):
                        numbers[name] = value
            yield i / len(self.all_cases), None
        yield 1.0, self.outcome(values, controls)

    def outcome(self, values: dict[str, float], controls: dict[str, float], *, own: bool = False) -> Outcome:
        """Check numbers that were measured before. own: on cases that are not the claim's."""
        worded, unseen = split(values, self.unseen)
        controls_worded, controls_unseen = split(controls, self.unseen)
        # Other cases may have nothing that the control asks about.
        compared = controls or not own
        bounds = (
            self.bounds if compared else replace(self.bounds, control=None, above_control=0, below_control=0)
        )
        problems = bounds.problems(worded, controls_worded, len(self.cases), own=own)
        if self.unseen and not own:
            if self.unseen_bounds:
                violations = self.unseen_bounds.problems(unseen, controls_unseen, len(self.unseen))
            else:
                violations = self.bounds.problems(unseen, controls_unseen, len(self.cases), own=True)
            problems += [f"unseen: {problem}" for problem in violations]
        return Outcome(values, controls, tuple(problems))

    def result(self, outcome: Outcome) -> str:
        """Say in a phrase what came out: "67 of 90 pairs; median 81% (random heads: at most 1%)".

        Unseen cases have their own phrase after it.
        """
        values, unseen = split(outcome.values, self.unseen)
        controls, controls_unseen = split(outcome.controls, self.unseen)
        phrase = self._counted(values, controls, self.bounds)
        if not unseen:
            return phrase
        return (
            f"{phrase}. Unseen: {self._counted(unseen, controls_unseen, self.unseen_bounds or self.bounds)}"
        )

    def _counted(self, values: Mapping[str, float], controls: Mapping[str, float], bounds: Bounds) -> str:
        over, n = self.over, len(values)
        if not n:
            return "not measured"
        phrase = self._phrase(values, bounds)
        if n > 1:
            count = len(bounds.supporting(values))
            counted = f"{count} of {n} {over}" if count < n else f"{'both' if n == 2 else f'all {n}'} {over}"
            more = [value - controls[name] for name, value in values.items() if name in controls]
            if self.yes_or_no:
                phrase = counted
            elif bounds.supports:
                phrase = f"{counted}; {phrase}"
            elif more and (bounds.above_control or bounds.below_control):
                n_so = sum(by > 0 if bounds.above_control else by < 0 for by in more)
                than = "more than" if bounds.above_control else "less than"
                phrase = f"{than} the control on {n_so} of {n} {over}; {phrase}"
            else:
                phrase = f"{phrase}, measured on {n} {over}"
        if self.control and controls:
            phrase += f" ({self.control[0]}: {self._phrase(controls, bounds.control or Bounds())})"
        return phrase

    def _phrase(self, values: Mapping[str, float], bounds: Bounds) -> str:
        numbers, unit, noun = sorted(values.values()), self.unit, ""
        if self.yes_or_no:
            yes = sum(map(bool, numbers))
            return f"{yes} of {len(numbers)}" if len(numbers) > 1 else "yes" if yes else "no"
        if unit.startswith("("):
            unit, noun = "", f"{unit.strip('()')} "
        first, middle, last = (format_value(n, unit) for n in (numbers[0], median(numbers), numbers[-1]))
        low, high = bounds.within if bounds.within and not bounds.supports else (0, 0)
        if first == last or (low == -math.inf and last.startswith("under")):
            return f"{noun}{last}"
        # The unit is named once, but each number has its own %.
        first, last = (format_value(n, "%" if "%" in unit else "") for n in (numbers[0], numbers[-1]))
        ends = f"at most {last}" if low == -math.inf else f"at least {first}" if high == math.inf else ""
        return f"median {noun}{middle}, {ends or f'from {first} to {last}'}"


def verdict(claim: Claim, outcome: Outcome) -> tuple[str, str]:
    """Return a verdict on a model, such as `HOLDS`, and the counts that it rests on.

    A claim holds in nine of ten cases or more, and fails in one of ten or fewer, or where its control does as well.
    """
    n, n_support = len(outcome.values), len(claim.bounds.supporting(outcome.values))
    if not n:
        return UNTRIED, "this model cannot be asked this"
    verdict = HOLDS if n_support >= 0.9 * n else FAILS if n_support <= 0.1 * n else IN_PART
    counted = f"{n_support} of {n:,} {claim.over}"
    if claim.bounds.control and claim.bounds.control.supports and outcome.controls:
        n_control, of = len(claim.bounds.control.supporting(outcome.controls)), len(outcome.controls)
        counted += f" (control: {n_control} of {of:,})"
        if verdict != FAILS and n_support / n <= n_control / of:
            verdict = NO_BETTER
    return verdict, counted


def split(values: Mapping[str, float], names: Container[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the values of the cases that are not among `names`, and of those that are."""
    others = {name: value for name, value in values.items() if name not in names}
    return others, {name: value for name, value in values.items() if name in names}


def format_value(number: float, unit: str = "") -> str:
    """Write a number with two digits, or all of its whole ones, and its unit."""
    number = round(number) if abs(number) >= 100 else float(f"{number:.2g}")
    unit = unit if unit.startswith("%") or not unit else f" {unit}"
    unit = unit.replace("bits", "bit") if number == 1 else unit
    if unit.startswith("%") and 0 < abs(number) < 0.01:
        return f"under 0.01{unit}"
    return f"{number:,.10f}".rstrip("0").rstrip(".").replace("-", "−") + unit


def section(title: str, **claims: Claim) -> tuple[Claim, ...]:
    """Return claims by their names, under a heading of their page's table."""
    return tuple(replace(claim, name=name, section=title) for name, claim in claims.items())


def following(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return each name with the next one, the last with the first, as cases."""
    names = list(names)
    return {name: (name, after) for name, after in zip(names, [*names[1:], names[0]])}
