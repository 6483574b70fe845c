"""Look for what a sentence is about, and not for its words, so that it can be worded again."""

import re
from collections.abc import Iterable


def holding(*values: object) -> str:
    """Return a pattern for texts which hold all these numbers, names and values, whole and in any order."""
    whole = (rf"(?=.*(?<![\w-])(?<!\d[.,]){re.escape(str(value))}(?!\w|[.,]\d))" for value in values)
    return rf"(?s)\A{''.join(whole)}"


def numbers(text: str) -> list[float]:
    """Return the numbers in a text, in its order; 8,192 is one."""
    found = re.findall(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?", text)
    return [float(number.replace(",", "").replace("−", "-")) for number in found]


def rounded_to(digits: int, measured: Iterable[float]) -> list[float]:
    """Return numbers as a text with so many digits after the point has them."""
    return [round(float(number), digits) for number in measured]
