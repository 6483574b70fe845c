"""Every conclusion that a page draws, measured over many texts, words or seeds: `python -m tests.claims [PAGE …]`.

A conclusion is a function from a model to a `Measured`; the module of each page lists its own in `CONCLUSIONS`. The
tests in it hold the numbers to the wording that stands on the page, so that what breaks a sentence breaks a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One conclusion: what the page says, and a number for each text (word, seed …) on which it was tried."""

    says: str
    values: Mapping[str, float]
    unit: str
    agrees: Callable[[float], bool]  # does this number bear the sentence out?

    @property
    def agree(self) -> int:
        """How many agree."""
        return sum(self.agrees(value) for value in self.values.values())

    @property
    def lowest(self) -> float:
        return min(self.values.values())

    @property
    def highest(self) -> float:
        return max(self.values.values())

    def __str__(self) -> str:
        ordered = sorted(self.values, key=self.values.get)
        ends = [f"{self.values[name]:.4g} {self.unit} ({name})" for name in (ordered[0], ordered[-1])]
        return f"{self.says}\n    {self.agree} of {len(self.values)} agree; from {ends[0]} to {ends[1]}"
