"""A number for people: its digits, its minus sign, its unit."""

import pytest

from llmviz.views.kit.numbers import amount, percent


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-0.0, "%", "0%"),
        (999.6, "", "1,000"),
        (999.4, "", "999"),
        (-999.6, "ms", "−1,000 ms"),
        (1e5, "", "100,000"),
        (-2.5e-5, "", "−2.5e−05"),
        (67.5, "%", "67.5%"),
        (-0.0002, "%", "> −0.001%"),
        (1, "tokens", "1 token"),
        (49152, "tokens", "49,152 tokens"),
        (float("inf"), "bits", "∞ bits"),
        (float("nan"), "", "undefined"),
    ],
)
def test_an_amount(value, unit, text):
    assert amount(value, unit) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0, "0%"),
        (1, "100.0%"),
        (0.675, "67.5%"),
        (0.0002, "0.02%"),
        (1e-9, "< 0.001%"),
        (-0.3, "−30.0%"),
        (-0.0002, "−0.02%"),
        (-1e-9, "> −0.001%"),
        (float("nan"), "undefined"),
    ],
)
def test_a_share(p, text):
    assert percent(p) == text
