"""Tables hold text, whatever it is; and the claims of the series fill theirs themselves."""

import pytest
from messages import numbers
from test_claims import of_ten

from llmviz import views
from llmviz.claims.claim import FAILS, HOLDS, IN_PART
from llmviz.claims.differences_series import SERIES
from llmviz.views.differences.claims_of_the_series import ClaimsOfTheSeries
from llmviz.views.differences.table import Table


def test_a_table_is_text():
    cells = "a < b & c", "<script>window.hacked = 1</script>", "holds"
    table = Table("one", "two", "three")
    table.sections = {"": [cells], "a title": [("d", "e", "f")]}
    assert "<script>" not in table.value
    assert "&lt;script&gt;" in table.value
    assert table.value.count("<tr ") == 4
    assert repr(table).splitlines() == [" | ".join(cells), "d | e | f"]
    assert table._repr_mimebundle_()["text/plain"] == repr(table)


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


def test_it_is_measured_row_by_row(tiny_model, three):
    view, seen = ClaimsOfTheSeries(tiny_model, three), []
    view.parts["table"].observe(lambda _: seen.append(sum(map(bool, results(view)))), "sections")
    view.parts["begin"].click()
    assert seen == [1, 2, 3]


def test_the_series_table_says_what_it_tries_and_no_outcome(tiny_model):
    view = views.claims_of_the_series(tiny_model)
    assert rows(view) == [(f"{page} · {claim.sentence}", claim.method, "") for page, claim in view.claims]
    assert [*SERIES] == [f"0{i}" for i in range(7)]
