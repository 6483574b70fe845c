"""The table of claims: what is measured is text, whatever it holds; and the table of the series, that fills itself."""

import asyncio
import math
from dataclasses import replace

import pytest
from messages import numbers

from llmviz import views
from llmviz.claims import Bounds, Claim
from llmviz.claims.claim import above
from llmviz.claims.differences_series import SERIES
from llmviz.views.differences.claims_of_the_series import NO_BETTER, ClaimsOfTheSeries, line, verdict
from llmviz.views.kit.claims import Claim as Line
from llmviz.views.kit.claims import Claims


def test_a_claim_is_text():
    cells = "a < b & c", "<script>window.hacked = 1</script>", "holds"
    table = Claims(rows=(Line(*cells),))
    assert "<script>" not in table.value
    assert "&lt;script&gt;" in table.value
    assert table.value.count("<tr>") == 2
    assert repr(table).splitlines()[1:] == [" | ".join(cells)]
    assert table._repr_mimebundle_()["text/plain"] == repr(table)
    table.rows = Line("a"), Line("b", "1", "fails")
    assert repr(table).splitlines()[1:] == ["a", "b | 1 | fails"]
    assert table.value.count("fails") == 1


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


def lines(view) -> list[str]:
    return repr(view.parts["table"]).splitlines()[1:]


def outcomes(view) -> dict:
    return (view.scene(view.state).result("measure") or ({}, 0))[0]


def said(view) -> list[float]:
    return numbers(view.parts["message"].sentences[0])


def test_the_numbers_word_the_verdict(tiny_model, three):
    view = ClaimsOfTheSeries(tiny_model, three)
    empty = [f"09 · Numbers are {name}." for name in ("high", "middle", "low")]
    assert lines(view) == empty
    view.parts["measure"].click()
    for (_, claim), title, n, row in zip(view.claims, empty, (10, 5, 1), lines(view)):
        result = claim.result(claim.measure(tiny_model))
        start = f"{title} | {claim.method} {result[0].upper()}{result[1:]} | {verdict(n, 10)}"
        assert row.startswith(start)
        assert numbers(row.removeprefix(start)) == [n, 10]
    low = outcomes(view)["low"]
    assert (low.values["3"], low.controls["3"]) == (3, 9)
    n_tried, n, _seconds, *verdicts = said(view)
    assert (n_tried, n, verdicts) == (3, 3, [1, 1, 1])
    assert all(line in repr(view) for line in lines(view))


@pytest.mark.parametrize(
    ("limit", "word"),
    [
        (40, "holds in part: 5 of 10 numbers (control: 4 of 10)"),
        (36, f"{NO_BETTER}: 5 of 10 numbers (control: 5 of 10)"),
    ],
)
def test_a_control_that_does_as_well_decides(tiny_model, limit, word):
    claim = of_ten("middle", 6)
    claim = replace(claim, bounds=replace(claim.bounds, control=Bounds(supports=above(limit))))
    shown = line("09", claim, claim.measure(tiny_model))
    assert shown.verdict == word
    assert shown.measured.startswith(f"{claim.method} 5 of 10")


def test_nine_of_ten_hold_and_one_of_ten_fails():
    assert [verdict(k, 10) for k in (0, 1, 9, 10)] == ["fails"] * 2 + ["holds"] * 2
    assert len({verdict(k, 10) for k in range(2, 9)} | {verdict(0, 0), "fails", "holds"}) == 4


def test_what_a_model_cannot_be_asked_is_left_out(tiny_model):
    def measure(_model, number):
        if number > 7:
            raise ValueError("no such token")
        return math.nan if number > 3 else number

    def outcome(claim):
        *steps, (share, outcome) = claim.try_each(tiny_model)
        assert (len(steps), share, len(outcome.controls)) == (10, 1, 10)
        return outcome

    three = replace(of_ten("high", 0), value=measure)
    assert outcome(three).values == {"1": 1, "2": 2, "3": 3}
    none = replace(three, value=lambda *_: measure(None, 4))
    assert outcome(none).values == {}
    assert line("09", none, outcome(none)).verdict == verdict(0, 0)


def test_it_is_measured_row_by_row_and_a_second_press_stops_it(tiny_model, three):
    view, seen = ClaimsOfTheSeries(tiny_model, three), []

    async def scene(then):
        view.parts["table"].observe(lambda _: seen.append(sum("|" in line for line in lines(view))), "value")
        view.parts["measure"].click()
        while view.busy:
            await asyncio.sleep(0)
            if len(outcomes(view)) == 1:
                then()
        await asyncio.sleep(0.02)

    assert not outcomes(view)
    asyncio.run(scene(view.parts["measure"].click))
    assert [*outcomes(view)] == ["high"]
    assert lines(view)[1:] == ["09 · Numbers are middle.", "09 · Numbers are low."]
    assert said(view)[:2] == [1, 3]
    seen.clear()
    asyncio.run(scene(lambda: None))  # and a third one tries all again
    assert [*dict.fromkeys(seen)] == [0, 1, 2, 3]
    assert said(view)[:2] == [3, 3]


def test_the_series_table_says_what_it_tries_and_no_outcome(tiny_model):
    view = views.claims_of_the_series(tiny_model)
    assert lines(view) == [f"{page} · {claim.sentence}" for page, claim in view.claims]
    assert [*SERIES] == [*(f"0{i}" for i in range(7)), "09"]


@pytest.mark.parametrize(
    "claim", [claim for claims in SERIES.values() for claim in claims], ids=lambda claim: claim.name
)
def test_every_claim_can_be_tried_on_another_model(tiny_model, claim):
    """Or the table says that it cannot."""
    *_, (_, outcome) = claim.try_each(tiny_model)
    shown = line("09", claim, outcome)
    assert shown.measured
    verdicts = {verdict(k, n) for k, n in ((0, 0), (0, 10), (5, 10), (10, 10))}
    assert shown.verdict.partition(":")[0] in {NO_BETTER} | verdicts
