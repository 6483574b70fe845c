"""Answers to the exercises: `checks.name(your_function)` says whether it is right, or hints at the likely mistake.

Each check tries the function on a few small inputs and compares it with an independent formula. A wrong result is
also compared with what the usual mistakes would give, so that the hint can name the mistake. Nothing is raised for a
wrong answer; an unfinished stub is told apart from a wrong one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """What a check found. `passed` is None where the exercise was not attempted yet."""

    passed: bool | None
    message: str

    def __repr__(self) -> str:
        return {True: "✓ ", False: "✗ ", None: "… "}[self.passed] + self.message


@dataclass(frozen=True)
class Mistake:
    """A usual mistake: the formula that makes it, and the hint for whoever made it."""

    formula: Callable
    hint: str


def compare(
    attempt: Callable,
    cases: Sequence[tuple],
    formula: Callable,
    mistakes: Sequence[Mistake] = (),
    praise: str = "right",
) -> Verdict:
    """Run `attempt` and `formula` on every case (a tuple of arguments) and say where they part.

    Numbers and arrays are compared to 1e-4, relative and absolute; everything else by equality.
    """
    for case in cases:
        try:
            got = attempt(*_copies(case))
        except (
            Exception
        ) as error:  # a reader's exercise may raise anything: it is told, never thrown at a class
            return Verdict(False, f"it raised {type(error).__name__}: {error}")
        if got is None or got is Ellipsis:
            return Verdict(None, "not attempted yet")
        wanted = formula(*_copies(case))
        if _alike(got, wanted):
            continue
        for mistake in mistakes:
            if _alike(got, mistake.formula(*_copies(case))):
                return Verdict(False, mistake.hint)
        if np.shape(got) != np.shape(wanted):
            return Verdict(False, f"the shape should be {np.shape(wanted)}, yours is {np.shape(got)}")
        return Verdict(
            False, f"for {_short(case)} it should give {_short(wanted)}, yours gives {_short(got)}"
        )
    return Verdict(True, praise)


def _copies(case: tuple) -> tuple:
    """Fresh arguments, so that a function which changes its input spoils nothing."""
    return tuple(np.copy(one) if isinstance(one, np.ndarray) else one for one in case)


def _alike(a, b) -> bool:
    try:
        if np.shape(a) != np.shape(b):
            return False
        if isinstance(b, np.ndarray | float | np.floating):
            return bool(np.allclose(np.asarray(a, float), b, rtol=1e-4, atol=1e-4, equal_nan=True))
        return bool(np.all(a == b))
    except (TypeError, ValueError):
        return False


def _short(value) -> str:
    if isinstance(value, np.ndarray | np.floating):
        value = np.array2string(np.asarray(value), precision=3, threshold=8, separator=", ")
    text = ", ".join(map(_short, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 90 else text[:88] + " …"
