"""The table of claims: what is measured is text, whatever it holds; and the table of the series, that fills itself."""

import asyncio
from dataclasses import replace

import pytest

from llmviz import views
from llmviz.views.differences import sayings
from llmviz.views.differences.claims_of_the_series import ClaimsOfTheSeries
from llmviz.views.differences.sayings import SAYINGS, Saying
from llmviz.views.kit.claims import Claim, Claims


def test_a_claim_is_text():
    table = Claims([Claim("a < b & c", "<script>window.hacked = 1</script>", "holds")])
    assert "<script>" not in table.value
    assert "&lt;script&gt;" in table.value
    assert table.value.count("<tr>") == 2
    assert repr(table).splitlines()[1] == "a < b & c | <script>window.hacked = 1</script> | holds"
    assert table._repr_mimebundle_()["text/plain"] == repr(table)


def test_other_rows_take_the_place_of_those_there():
    table = Claims([Claim("a"), Claim("b")])
    assert repr(table).splitlines()[1:] == ["a", "b"]
    table.show([Claim("a"), Claim("b", "1", "fails")])
    assert repr(table).splitlines()[1:] == ["a", "b | 1 | fails"]
    assert table.value.count("fails") == 1


def saying(said: str, limit: float, seen: list | None = None) -> Saying:
    """Of ten numbers; those above `limit` bear it out. Its control is the number's square."""

    def measure(_model, number):
        if seen is not None:
            seen.append((said, number))
        return float(number), float(number**2)

    return Saying(
        page="09",
        said=said,
        of="numbers",
        examples=lambda _: {str(i): i for i in range(1, 11)},
        measure=measure,
        bears_out=lambda own, control: own > limit,
        told=lambda t: f"sum {t[0].sum():.0f}, of the squares {t[1].sum():.0f}",
    )


@pytest.fixture
def three():
    return [saying("high", 0), saying("middle", 5), saying("low", 9)]


def lines(view) -> list[str]:
    return repr(view.table).splitlines()[1:]


def test_the_numbers_word_the_verdict(tiny_model, three):
    view = ClaimsOfTheSeries(tiny_model, three)
    assert lines(view) == ["09 · high", "09 · middle", "09 · low"]
    view.buttons[0].click()
    measured = "sum 55, of the squares 385"
    assert lines(view) == [
        f"09 · high | {measured} | holds: 10 of 10 numbers",
        f"09 · middle | {measured} | holds in part: 5 of 10 numbers",
        f"09 · low | {measured} | fails: 1 of 10 numbers",
    ]
    assert view.numbers["low"]["3"] == (3, 9)
    assert "3 of 3 sayings tried in 0 s on this model: 1 hold, 1 hold in part, 1 fail." in repr(view)
    assert all(line in repr(view) for line in lines(view))


def test_nine_of_ten_hold_and_one_of_ten_fails():
    assert [sayings.verdict(k, 10) for k in (0, 1, 2, 8, 9, 10)] == [
        *["fails"] * 2,
        *["holds in part"] * 2,
        *["holds"] * 2,
    ]
    assert sayings.verdict(0, 0) == "cannot be tried here"


def test_what_a_model_cannot_be_asked_is_left_out(tiny_model):
    def measure(_model, number):
        if number > 3:
            raise ValueError("no such token")
        return float(number), 0.0

    some = replace(saying("some", 0), measure=measure)
    assert sayings.counted(some, sayings.numbers(tiny_model, some)) == (3, 3)
    none = replace(some, measure=lambda *_: measure(None, 4))
    assert sayings.claim(none, sayings.numbers(tiny_model, none)).verdict == "cannot be tried here"


def test_an_example_about_something_else_is_not_counted(tiny_model):
    asked = replace(saying("", 0), bears_out=lambda own, _: own > 8 if own > 5 else None)
    assert sayings.counted(asked, sayings.numbers(tiny_model, asked)) == (2, 5)


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
    assert not view.numbers

    async def scene():
        view.table.observe(lambda _: seen.append(sum("sum" in line for line in lines(view))), "value")
        view.buttons[0].click()
        while view._work.busy:
            await asyncio.sleep(0)

    asyncio.run(scene())
    assert seen == [1, 2, 3]
    assert view.buttons[0].description == "Try all 3"


def test_a_second_press_stops_it_and_keeps_the_rows_that_are_full(tiny_model, three):
    view = ClaimsOfTheSeries(tiny_model, three)
    pressed(view, lambda: len(view.numbers) == 1, view.buttons[0].click)
    assert list(view.numbers) == ["high"]
    assert lines(view)[1:] == ["09 · middle", "09 · low"]
    assert "Stopped. 1 of 3 sayings tried" in repr(view)
    view.buttons[0].click()  # and a third one tries all again
    assert len(view.numbers) == 3
    assert "Stopped" not in repr(view)


def test_closing_it_ends_the_work(tiny_model):
    seen = []
    view = ClaimsOfTheSeries(tiny_model, [saying("one", 0, seen), saying("two", 0, seen)])
    pressed(view, lambda: len(seen) == 3, view.close)
    assert seen == [("one", 1), ("one", 2), ("one", 3)]


def test_the_series_table_says_what_it_tries_and_no_outcome(tiny_model):
    view = views.claims_of_the_series(tiny_model)
    assert lines(view) == [one.title for one in SAYINGS]
    assert {one.page for one in SAYINGS} == {f"0{i}" for i in range(8)}
    assert not view.numbers


@pytest.mark.parametrize("one", SAYINGS, ids=lambda one: one.measure.__name__)
def test_every_saying_can_be_tried_on_another_model(tiny_model, one):
    """Or it is said that it cannot."""
    rows = sayings.numbers(tiny_model, one)
    claim = sayings.claim(one, rows)
    assert claim.measured
    assert claim.verdict.partition(":")[0] in ("holds", "holds in part", "fails", "cannot be tried here")
