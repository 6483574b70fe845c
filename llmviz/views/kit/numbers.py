"""Numbers as people read them: no space before %, a real minus sign, and no more digits than help."""

from __future__ import annotations

import numpy as np


def minus(text: str) -> str:
    """Return a number's text with real minus signs, in front and in an exponent."""
    return text.replace("-", "−")


def with_unit(digits: str, unit: str) -> str:
    """Return a number's text with its unit: "3.5 bits", "90%"."""
    return minus(digits) + (unit if unit in ("%", "°") else f" {unit}").rstrip()


def percent(p: float | np.floating) -> str:
    """Return a probability, or the difference of two, as text: "67.5%", "0.02%", "< 0.001%", "−30.0%"."""
    value = 100 * float(p)
    if np.isnan(value):
        return "undefined"
    if 0 < abs(value) < 0.001:
        return "< 0.001%" if value > 0 else "> −0.001%"
    return with_unit("0" if value == 0 else f"{value:.2g}" if abs(value) < 0.0995 else f"{value:.1f}", "%")


def amount(value: float | np.number, unit: str = "") -> str:
    """Return a number as text, three or four digits long, with its unit; after 1, a plural unit loses its s."""
    value = float(value) or 0.0  # zero has no sign
    if unit == "%" and 0 < abs(value) < 0.001:
        return percent(value / 100)
    if not np.isfinite(value):
        digits = "undefined" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    elif abs(value) < 1e15 and (abs(value) >= 999.5 or value.is_integer()):
        digits = f"{value:,.0f}"  # from 999.5 on, three digits would be 1e+03
    else:
        digits = f"{value:.3g}"
    if digits == "1" and unit.endswith("s"):
        unit = unit[:-1]
    return with_unit(digits, unit)
