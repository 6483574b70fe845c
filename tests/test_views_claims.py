"""The table of claims: what is measured is text, whatever it holds; and the table of the series, that fills itself."""

import asyncio
import itertools
import math
from dataclasses import replace

import pytest
from messages import numbers

from llmviz import views
from llmviz.claims import Bounds, Claim
from llmviz.claims.claim import above
from llmviz.claims.differences_series import SERIES
from llmviz.views.differences.claims_of_the_series import NO_BETTER, ClaimsOfTheSeries, line, tried, verdict
from llmviz.views.kit.claims import Claim as Line
from llmviz.views.kit.claims import Claims


def test_a_claim_is_text():
    cells = "a < b & c", "<script>window.hacked = 1</script>", "holds"
    table = Claims([Line(*cells)])
    assert "<script>" not in table.value
    assert "&lt;script&gt;" in table.value
    assert table.value.count("<tr>") == 2
    assert repr(table).splitlines()[1] == " | ".join(cells)
    assert table._repr_mimebundle_()["text/plain"] == repr(table)


def test_other_rows_take_the_place_of_those_there():
    table = Claims([Line("a"), Line("b")])
    assert repr(table).splitlines()[1:] == ["a", "b"]
    table.show([Line("a"), Line("b", "1", "fails")])
    assert repr(table).splitlines()[1:] == ["a", "b | 1 | fails"]
    assert table.value.count("fails") == 1


def of_ten(name: str, limit: float, seen: list | None = None) -> Claim:
    """Of ten numbers; those above `limit` support it. Its control is the number's square."""

    def measure(_model, number):
        if seen is not None:
            seen.append((name, number))
        return number

    return Claim(
        f"Numbers are {name}.",
        "Count.",
        measure,
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
    return repr(view.table).splitlines()[1:]


def test_the_numbers_word_the_verdict(tiny_model, three):
    view = ClaimsOfTheSeries(tiny_model, three)
    empty = [f"09 · Numbers are {name}." for name in ("high", "middle", "low")]
    assert lines(view) == empty
    view.buttons[0].click()
    for (_, claim), title, n, said in zip(view.claims, empty, (10, 5, 1), lines(view)):
        result = claim.result(claim.measure(tiny_model))
        start = f"{title} | {claim.method} {result[0].upper()}{result[1:]} | {verdict(n, 10)}"
        assert said.startswith(start)
        assert numbers(said.removeprefix(start)) == [n, 10]
    assert view.outcomes["low"].values["3"] == 3
    assert view.outcomes["low"].controls["3"] == 9
    n_tried, n, _seconds, *verdicts = numbers(view.told.sentences[0])
    assert (n_tried, n, verdicts) == (3, 3, [1, 1, 1])
    assert all(line in repr(view) for line in lines(view))


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        (40, "holds in part: 5 of 10 numbers (control: 4 of 10)"),
        (36, f"{NO_BETTER}: 5 of 10 numbers (control: 5 of 10)"),
    ],
)
def test_a_control_that_does_as_well_decides(tiny_model, limit, found):
    claim = of_ten("middle", 6)
    claim = replace(claim, bounds=replace(claim.bounds, control=Bounds(supports=above(limit))))
    shown = line("09", claim, claim.measure(tiny_model))
    assert shown.verdict == found
    assert shown.measured.startswith(f"{claim.method} 5 of 10")


def test_nine_of_ten_hold_and_one_of_ten_fails():
    verdicts = [verdict(k, 10) for k in range(11)]
    assert [len([*same]) for _, same in itertools.groupby(verdicts)] == [2, 7, 2]
    assert (verdicts[0], verdicts[10]) == ("fails", "holds")
    assert verdict(0, 0) not in verdicts


def test_what_a_model_cannot_be_asked_is_left_out(tiny_model):
    def measure(_model, number):
        if number > 7:
            raise ValueError("no such token")
        return math.nan if number > 3 else number

    def values(claim):
        found, controls = {}, {}
        assert list(tried(tiny_model, claim, found, controls))[-1] == 1
        assert len(controls) == 10
        return found

    some = replace(of_ten("some", 0), value=measure)
    assert values(some) == {"1": 1, "2": 2, "3": 3}
    none = replace(some, value=lambda *_: measure(None, 4))
    assert values(none) == {}
    assert line("09", none, none.outcome({}, {})).verdict == verdict(0, 0)


def pressed(view, until, then) -> None:
    """Press the button, let it work until something is so, do something, and let the rest have its time."""

    async def scene():
        view.buttons[0].click()
        while not until():
            await asyncio.sleep(0)
        then()
        await asyncio.sleep(0.02)

    asyncio.run(scene())


def test_nothing_is_measured_before_the_button_and_then_row_by_row(tiny_model, three):
    view, seen = ClaimsOfTheSeries(tiny_model, three), []
    assert not view.outcomes

    async def scene():
        view.table.observe(lambda _: seen.append(sum("|" in line for line in lines(view))), "value")
        view.buttons[0].click()
        while view._work.busy:
            await asyncio.sleep(0)

    asyncio.run(scene())
    assert seen == [1, 2, 3]
    assert view.buttons[0].description == "Try all 3"


def test_a_second_press_stops_it_and_keeps_the_rows_that_are_full(tiny_model, three):
    view = ClaimsOfTheSeries(tiny_model, three)
    pressed(view, lambda: len(view.outcomes) == 1, view.buttons[0].click)
    assert list(view.outcomes) == ["high"]
    assert lines(view)[1:] == ["09 · Numbers are middle.", "09 · Numbers are low."]
    assert numbers(view.told.sentences[0])[:2] == [1, 3]
    view.buttons[0].click()  # and a third one tries all again
    assert len(view.outcomes) == 3
    assert numbers(view.told.sentences[0])[:2] == [3, 3]


def test_closing_it_ends_the_work(tiny_model):
    seen = []
    view = ClaimsOfTheSeries(tiny_model, {"09": [of_ten("one", 0, seen), of_ten("two", 0, seen)]})
    pressed(view, lambda: len(seen) == 3, view.close)
    assert seen == [("one", 1), ("one", 2), ("one", 3)]


def test_the_series_table_says_what_it_tries_and_no_outcome(tiny_model):
    view = views.claims_of_the_series(tiny_model)
    assert lines(view) == [f"{page} · {claim.sentence}" for page, some in SERIES.items() for claim in some]
    assert [*SERIES] == [f"0{i}" for i in range(8)]
    assert not view.outcomes


@pytest.mark.parametrize(
    "claim", [claim for some in SERIES.values() for claim in some], ids=lambda claim: claim.name
)
def test_every_claim_can_be_tried_on_another_model(tiny_model, claim):
    """Or the table says that it cannot."""
    values, controls = {}, {}
    assert list(tried(tiny_model, claim, values, controls))[-1] == 1
    shown = line("07", claim, claim.outcome(values, controls))
    assert shown.measured
    assert shown.verdict.partition(":")[0] in {NO_BETTER} | {
        verdict(k, n) for k, n in ((0, 0), (0, 10), (5, 10), (10, 10))
    }
