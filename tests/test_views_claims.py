"""Tables hold text, whatever it is; and the claims of the series fill theirs themselves."""

import math
from dataclasses import replace

import pytest
from messages import numbers

from llmviz import views
from llmviz.claims import Bounds, Claim
from llmviz.claims.claim import FAILS, HOLDS, IN_PART, NO_BETTER, UNTRIED, above, verdict
from llmviz.claims.differences_series import SERIES
from llmviz.views.differences.claims_of_the_series import ClaimsOfTheSeries
from llmviz.views.differences.table import Table


def test_a_table_is_text():
    cells = "a < b & c", "<script>window.hacked = 1</script>", "holds"
    table = Table("one", "two", "three")
    table.sections = {"": [cells], "a title": [("d", "e", "f")]}
    assert "<script>" not in table.value
    assert "&lt;script&gt;" in table.value
    assert table.value.count("<tr>") == 4
    assert repr(table).splitlines() == [" | ".join(cells), "d | e | f"]
    assert table._repr_mimebundle_()["text/plain"] == repr(table)


def of_ten(name: str, limit: float) -> Claim:
    """Of ten numbers; those above `limit` support it. Its control is the number's square."""
    return Claim(
        f"Numbers are {name}.",
        "Count.",
        lambda _model, number: number,
        Bounds(supports=above(limit)),
        over="numbers",
        cases={str(i): i for i in range(1, 11)},
        control=("squares", lambda _model, number: number**2),
        unit="apples",
        name=name,
    )


@pytest.fixture
def three():
    return {"09": [of_ten("high", 1), of_ten("middle", 6), of_ten("low", 10)]}


def rows(view) -> list[tuple[str, ...]]:
    return view.parts["table"].sections[""]


def results(view) -> list[str]:
    return [result for *_, result in rows(view)]


def test_the_numbers_word_the_verdict_and_answer_the_guess(tiny_model, three):
    view = ClaimsOfTheSeries(tiny_model, three)
    card, before = view.parts["card"], rows(view)
    assert before == [(f"09 · {claim.sentence}", claim.method, "") for _, claim in view.claims]
    assert card.high == 3
    card.change(guess=2, committed=True)
    counts = ((HOLDS, 10), (IN_PART, 5), (FAILS, 1))
    assert results(view) == [f"{said}: {n} of 10 numbers" for said, n in counts]
    assert (card.answer, 2 in numbers(card.verdict)) == (1, True)
    assert numbers(repr(view.parts["message"])) == [3, 3, 1, 1, 1]
    card.change(committed=False, guess=None)
    assert rows(view) == before


@pytest.mark.parametrize(("limit", "said", "n"), [(40, IN_PART, 4), (36, NO_BETTER, 5)])
def test_a_control_that_does_as_well_decides(tiny_model, limit, said, n):
    claim = of_ten("middle", 6)
    claim = replace(claim, bounds=replace(claim.bounds, control=Bounds(supports=above(limit))))
    assert verdict(claim, claim.measure(tiny_model)) == (said, f"5 of 10 numbers (control: {n} of 10)")


@pytest.mark.parametrize(
    ("limit", "said"), [(2, HOLDS), (3, IN_PART), (9, IN_PART), (10, FAILS), (11, FAILS)]
)
def test_nine_of_ten_hold_and_one_of_ten_fails(tiny_model, limit, said):
    claim = of_ten("some", limit)
    assert verdict(claim, claim.measure(tiny_model))[0] == said


def test_what_cannot_be_tried_is_said(tiny_model):
    claim = replace(of_ten("none", 0), value=lambda *_: math.nan)
    *_, (_, outcome) = claim.try_each(tiny_model)
    assert verdict(claim, outcome)[0] == UNTRIED


def test_it_is_measured_row_by_row(tiny_model, three):
    view, seen = ClaimsOfTheSeries(tiny_model, three), []
    view.parts["table"].observe(lambda _: seen.append(sum(map(bool, results(view)))), "sections")
    view.parts["begin"].click()
    assert seen == [1, 2, 3]


def test_the_series_table_says_what_it_tries_and_no_outcome(tiny_model):
    view = views.claims_of_the_series(tiny_model)
    assert rows(view) == [(f"{page} · {claim.sentence}", claim.method, "") for page, claim in view.claims]
    assert [*SERIES] == [*(f"0{i}" for i in range(7)), "09"]


@pytest.mark.parametrize(
    "claim", [claim for claims in SERIES.values() for claim in claims], ids=lambda claim: claim.name
)
def test_every_claim_can_be_tried_on_another_model(tiny_model, claim):
    """Or the table says that it cannot."""
    *_, (_, outcome) = claim.try_each(tiny_model)
    said, counted = verdict(claim, outcome)
    assert said in (HOLDS, IN_PART, FAILS, NO_BETTER, UNTRIED)
    assert counted
