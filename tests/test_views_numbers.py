"""A number for people: its digits, its minus sign, its unit."""

import pytest

from llmviz.views.kit.numbers import amount, percent


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (amount(-0.0, "%"), "0%"),
        (amount(3.0), "3"),
        (amount(0.00012345), "0.000123"),
        (amount(1234.5), "1,234"),
        (amount(-0.5), "−0.5"),
        (amount(float("inf")), "∞"),
        (amount(999.6), "1,000"),
        (amount(999.4), "999"),
        (amount(-2.5e-5), "−2.5e−05"),
        (amount(-0.0002, "%"), "> −0.001%"),
        (amount(1, "tokens"), "1 token"),
        (amount(49152, "tokens"), "49,152 tokens"),
        (amount(-52, "°"), "−52°"),
        (amount(float("inf"), "bits"), "∞ bits"),
        (amount(float("nan")), "undefined"),
        (percent(0), "0%"),
        (percent(0.675), "67.5%"),
        (percent(0.0002), "0.02%"),
        (percent(1e-9), "< 0.001%"),
        (percent(-0.3), "−30.0%"),
        (percent(float("nan")), "undefined"),
    ],
)
def test_a_number_for_people(said, text):
    assert said == text
