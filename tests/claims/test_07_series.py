"""What the table of sayings comes to on the default model, so that a verdict that turns is noticed."""

from dataclasses import astuple, replace
from functools import partial
from itertools import islice

import pytest

from llmviz.views.differences import sayings
from llmviz.views.differences.sayings import SAYINGS, Saying

NAMED = {one.measure.__name__: one for one in SAYINGS}


def outcome(one: Saying, model) -> str:
    """Its line of the table."""
    return " | ".join(astuple(sayings.claim(one, sayings.numbers(model, one))))


CONCLUSIONS = tuple(partial(outcome, one) for one in SAYINGS)


def counted(model, name: str, n: int | None = None) -> tuple[int, int]:
    """How many bear it out, of how many: of all examples, or of the first n."""
    one = NAMED[name]
    few = replace(one, examples=lambda model: dict(islice(one.examples(model).items(), n)))
    return sayings.counted(few, sayings.numbers(model, few))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("one_token", (154, 162)),
        ("surcharge", (10, 10)),
        ("alike", (35, 50)),
        ("analogies", (4, 6)),
        ("looks", (1, 15)),
        ("template", (0, 15)),
        ("half_of_the_writing", (0, 15)),
    ],
)
def test_quick_ones(model, name, found):
    assert counted(model, name) == found


@pytest.mark.parametrize(
    ("name", "n", "found"),
    [
        ("picks", 2, (0, 2)),
        ("shuffled", 2, (0, 2)),
        ("copies", 2, (2, 2)),
        ("twice", 2, (2, 2)),
    ],
)
def test_first_examples_of_what_takes_longer(model, name, n, found):
    assert counted(model, name, n) == found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("picks", (0, 8)),
        ("outside", (12, 15)),
        ("settled", (3, 15)),
        ("shuffled", (0, 8)),
        ("copies", (8, 8)),
        ("knocked_out", (5, 8)),
        ("swapped_ffns", (4, 10)),
        ("twice", (8, 8)),
        ("sure_and_right", (50, 61)),
    ],
)
def test_all_examples(model, name, found):
    assert counted(model, name) == found
