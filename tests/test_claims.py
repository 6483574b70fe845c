"""Claims: stored results that are fresh and within their bounds, a sample measured again, and the rows themselves."""

import functools
import json
import math
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from llmviz import download, views
from llmviz.claims import CLAIMS, Bounds, Claim, stored
from llmviz.claims import __main__ as command
from llmviz.claims.claim import (
    FAILS,
    HOLDS,
    IN_PART,
    NO_BETTER,
    UNTRIED,
    YES,
    above,
    below,
    following,
    format_value,
    remembered,
    section,
    split,
    verdict,
)
from llmviz.claims.differences_series import SERIES
from llmviz.experiments import pair_of
from llmviz.experiments.facts import why_no_fact

# Shapes are checked by the tests of what is used here.
pytestmark = pytest.mark.usefixtures("unchecked")
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ROWS = [(page, claim) for page, claims in CLAIMS.items() for claim in claims]
# What is measured again here: a few cases of a few claims, cheap ones.
SAMPLE = {
    "00.hot_is_wide": ("code", "the same word"),
    "00.norms_off": ("a fact",),
    "00.ffn_eleven_off": ("numbers",),
    "00.prediction_comes_late": ("numbers", "a fact"),
    "01.space_with_its_word": ("code", "a letter"),
    "01.several_spaces": ("code", "Rust"),
    "01.shuffled_words": ("French",),
    "01.capitals": ("photosynthesis",),
    "01.languages": ("Amharic, 1", "Chinese, 2"),
    "01.last_letters": ("lemon",),
    "02.opposites": ("hot cold",),
    "02.subtraction_helps": ("capitals",),
    "02.near_from_one_end": ("spider web",),
    "02.word_first": ("bank",),
    "02.senses_apart": ("bank, dog",),
    "03.only_the_distance": ("a fact",),
    "03.strongest_head": ("code", "French, 2"),
    "03.usual_scores_fall": ("a letter",),
    "03.rope_off_costs": ("numbers",),
    "03.fast_at_repeats": ("10 on, seed 0",),
    "03.turned_without_rope": ("Tom Anna, dog cat",),
    "04.no_word_makes_a_sink": (" cat",),
    "04.no_language_head": ("Wir gehen morgen in die Stadt.",),
    "04.one_head_patched": ("kings",),
    "04.pushes_up_were": ("boys",),
    "04.writer_off": ("row 0",),
    "04.path_into_keys": ("row 1",),
    "05.below_zero_early": ("a recipe",),
    "05.no_plain_matrix": ("French",),
    "05.concentrated_at_the_first_token": ("a letter",),
    "05.ffns_off": ("Kenya",),
    "05.ffns_patched": ("Germany, as France",),
    "05.head_patched": ("France, as Germany", "Japan, as Kenya"),
    "05.last_token_patched": ("Sweden, as Greece",),
    "05.pushes_up_the_capital": ("China",),
    "05.opposites_and_symbols": ("The opposite of hot is",),
    "06.few_when_cold": ("code", "Spanish"),
    "06.top_k_before_or_after": ("a proverb",),
    "06.a_space_comes_next": ("3 + 4 = ",),
    "06.second_number": ("3 + 4 = ",),
    "06.cold_takes_from_the_right": ("The capital of Australia is",),
    "06.user_after_the_end": ("What is the capital of France?",),
    "08.formula": ("GPT-2 small", "Kimi K2"),
    "07.repeats_the_last": ("recipes, seed 0",),
    "07.nudging": ("a fact", "numbers"),
    "07.against_the_gradient": ("a fact",),
    "09.fact_spreads": ("France",),
    "09.takes_shape": ("a fact",),
    "09.attends_to_its_noun": ("cat", "king"),
    "09.induction_heads_copy": ("row 0",),
    "09.facts_are_in_ffns": ("France",),
}
# Another CPU rounds otherwise, and many layers make more of it.
again = partial(pytest.approx, rel=0.02, abs=1e-3)


def by_name(name: str) -> Claim:
    page, _, name = name.partition(".")
    return next(claim for claim in CLAIMS[page] if claim.name == name)


def row_ids(row) -> str:
    return f"{row[0]}.{row[1].name}"


# --- the pages' claims ---


def test_names_are_unique_identifiers():
    assert [*CLAIMS] == sorted(path.name[:2] for path in NOTEBOOKS.glob("*.ipynb"))
    assert not [name for name, n in Counter(map(row_ids, ROWS)).items() if n > 1]
    assert all(claim.name.isidentifier() for _, claim in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=row_ids)
def test_a_stored_result_is_fresh_and_holds(row):
    page, claim = row
    result = stored.load()[page].get(claim.name)
    fresh = result is not None and result["key"] == stored.key(claim, download.FILE_SHA256)
    assert fresh, f"stale: run python -m llmviz.claims --write {page}"
    assert stored.outcome(claim, result).problems == ()


@pytest.mark.parametrize("row", ROWS, ids=row_ids)
def test_a_result_has_the_median_of_both_sets(row):
    page, claim = row
    outcome = stored.outcome(claim, stored.load()[page][claim.name])
    phrases = re.sub(r" \(.*?\)", "", claim.result(outcome)).split("Unseen: ")
    for values, phrase in zip(split(outcome.values, claim.unseen), phrases):
        tiny = 0 <= max(values.values()) < 0.01 and "%" in claim.unit  # all are "under 0.01%"
        varies = len({format_value(n) for n in values.values()}) > 1 and not tiny
        assert bool(re.search("(^|; )median ", phrase)) == (varies and not claim.yes_or_no)


def test_nothing_else_is_stored():
    names = {f"{page}.{name}" for page, rows in stored.load().items() for name in rows}
    assert names == set(map(row_ids, ROWS))


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_comes_out_again(model, name):
    claim, cases = by_name(name), SAMPLE[name]
    result = stored.load()[name[:2]][claim.name]
    outcome = claim.measure(model, {case: claim.all_cases[case] for case in cases})
    assert outcome.values == again({case: result["values"][case] for case in cases})
    if claim.control:
        assert outcome.controls == again({case: result["controls"][case] for case in cases})


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS, ids=row_ids)
def test_every_claim_holds_when_measured_anew(model, row):
    assert row[1].measure(model).problems == ()


@pytest.mark.parametrize("page", [page for page, claims in CLAIMS.items() if claims])
def test_a_results_table_has_all_claims_of_its_page(page):
    table = views.results(page)
    rows = [row for of_section in table.sections.values() for row in of_section]
    assert len(rows) == len(CLAIMS[page])
    shown = table._repr_html_()
    assert shown.count('scope="row"') == len(rows)
    assert shown.count('scope="rowgroup"') == len({claim.section for claim in CLAIMS[page]})
    assert shown.count('scope="col"') == 3
    assert all(" | ".join(row) in repr(table) for row in rows)


def test_what_the_model_cannot_tell_apart_is_no_pair_to_follow(model):
    for text, other in (("I like my dog because", " cat"), ("She went to the big house and", " car")):
        assert why_no_fact(pair_of(model, text, model.tokens_of(other)[0])) == "close answers"


# --- a row ---

NUMBERS = {"one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}


def times(_model, number: float, by: float = 1) -> float:
    return by * number


def claim(bounds=Bounds(), value=times, **fields) -> Claim:  # noqa: B008
    fields = {"over": "numbers", "cases": NUMBERS, "unit": "apples", "name": "fake", **fields}
    return Claim("Numbers grow.", "Count.", value, bounds, **fields)


@pytest.mark.parametrize(
    ("holding", "broken"),
    [
        (Bounds(supports=above(2), count=3), Bounds(supports=above(2), count=2)),
        (Bounds(supports=above(1)), Bounds(supports=above(2))),
        (Bounds(supports=above(2), count=(2, 4)), Bounds(supports=above(2), count=(0, 2))),
        (
            Bounds(supports=above(2), count=3, exceptions=("o*",)),
            Bounds(count=3, supports=above(2), exceptions=()),
        ),
        (Bounds(within=(1, 4)), Bounds(within=(1, 3.9))),
        (Bounds(lowest=(1, 1), highest=above(4)), Bounds(highest=above(5))),
        (Bounds(median=(2.5, 2.5)), Bounds(median=above(3))),
        (Bounds(mean=(2.5, 2.5)), Bounds(mean=below(2))),
        (Bounds(at={"two": (2, 2)}), Bounds(at={"two": (3, 3)})),
        (Bounds(), Bounds(at={"nobody": above(0)})),
        (Bounds(), Bounds(of=3)),
    ],
)
def test_bounds_hold_or_break(holding, broken):
    assert claim(holding).measure(None).holds
    outcome = claim(broken).measure(None)
    assert not outcome.holds
    assert len(outcome.problems) == 1


def test_what_a_model_cannot_be_asked_is_left_out():
    def refuses(_model, number: float) -> float:
        if number > 2:
            raise ValueError("no such token")
        return np.nan if number > 1 else number

    *steps, (share, outcome) = claim(value=refuses, control=("as it is", times)).try_each(None)
    assert (len(steps), share) == (4, 1)
    assert outcome.values == {"one": 1}
    assert outcome.controls == NUMBERS


def test_a_control_is_measured_on_the_same_cases_and_has_bounds():
    control = ("half of it", partial(times, by=0.5))
    bounds = Bounds(above_control=4, control=Bounds(within=below(2)))
    outcome = claim(bounds, control=control).measure(None)
    assert outcome.controls == {"one": 0.5, "two": 1.0, "three": 1.5, "four": 2.0}
    assert outcome.holds
    assert len(claim(Bounds(below_control=1), control=control).measure(None).problems) == 1
    assert len(claim(Bounds(control=Bounds(within=below(1))), control=control).measure(None).problems) == 2


def test_on_cases_of_ones_own_counts_are_shares():
    three_of_four = claim(Bounds(supports=above(2), count=3, at={"one": (1, 1)}, highest=(4, 4)))
    own = dict.fromkeys("abcdefg", 5.0) | {"h": 1.0}
    assert three_of_four.measure(None, own).holds  # more than three quarters
    assert not three_of_four.measure(None, {"a": 5.0, "b": 1.0, "c": 1.0, "d": 1.0}).holds
    rarely = claim(Bounds(supports=above(4), count=(0, 1)))
    assert not rarely.measure(None, own).holds
    assert not claim(Bounds(within=(1, 4))).measure(None, {"a": 5.0}).holds


def test_unseen_cases_have_bounds_and_a_phrase_of_their_own():
    unseen = {"five": 5.0, "six": 6.0}
    row = claim(Bounds(supports=above(2), count=3, highest=(4, 4)), unseen=unseen)
    outcome = row.measure(None)
    assert outcome.holds
    both = (
        "3 of 4 numbers; median 2.5 apples, from 1 to 4. Unseen: both numbers; median 5.5 apples, from 5 to 6"
    )
    assert row.result(outcome) == both
    assert not claim(Bounds(within=(1, 5)), unseen=unseen).measure(None).holds
    of_its_own = Bounds(supports=above(6), count=1, highest=(6, 6))
    assert claim(unseen=unseen, unseen_bounds=of_its_own).measure(None).holds
    assert not claim(unseen=unseen, unseen_bounds=Bounds(supports=above(6))).measure(None).holds
    (*_, (_, at_last)) = row.try_each(None)
    assert at_last == outcome
    assert row.result(row.measure(None, {"a": 3.0, "b": 4.0})).count("Unseen") == 0


def test_a_case_that_cannot_be_asked_is_left_out():
    odd = claim(Bounds(of=2), value=lambda _, number: number if number % 2 else np.nan)
    assert odd.measure(None).values == {"one": 1.0, "three": 3.0}
    assert odd.measure(None).holds
    assert odd.measure(None, {"a": 2.0, "b": 3.0}).values == {"b": 3.0}
    with pytest.raises(ValueError, match="nothing"):
        odd.measure(None, {"a": 2.0})


def test_a_case_of_ones_own_that_is_refused_is_left_out():
    whole = claim(value=lambda _, number: int(number))
    assert whole.measure(None, {"a": "no number", "b": "3"}).values == {"b": 3.0}
    with pytest.raises(ValueError, match="no number"):
        whole.measure(None, {"a": "no number"})
    with pytest.raises(ValueError, match="invalid literal"):
        replace(whole, cases={"a": "x", "b": "3"}).measure(None)


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        (
            {"bounds": Bounds(supports=above(2), count=3)},
            "3 of 4 numbers; median 2.5 apples, from 1 to 4",
        ),
        ({"bounds": Bounds(within=below(5))}, "median 2.5 apples, at most 4, measured on 4 numbers"),
        ({"bounds": Bounds(supports=YES, count=1)}, "1 of 4 numbers"),
        ({"cases": {"one": 0.001}, "unit": "%"}, "under 0.01%"),
        (
            {"cases": {"one": 0.001, "two": 0.002}, "bounds": Bounds(within=below(1)), "unit": "%"},
            "under 0.01%, measured on 2 numbers",
        ),
        ({"unit": "(rank)"}, "median rank 2.5, from 1 to 4, measured on 4 numbers"),
        (
            {"unit": "(rank)", "bounds": Bounds(within=above(0))},
            "median rank 2.5, at least 1, measured on 4 numbers",
        ),
        ({"unit": "% left"}, "median 2.5% left, from 1% to 4%, measured on 4 numbers"),
        (
            {"control": ("zero", partial(times, by=0)), "bounds": Bounds(within=above(0)), "unit": "%"},
            "median 2.5%, at least 1%, measured on 4 numbers (zero: 0%)",
        ),
    ],
)
def test_a_result_in_a_phrase(fields, phrase):
    row = claim(**fields)
    assert row.result(row.measure(None)) == phrase


def test_numbers_are_written_with_two_digits():
    assert [format_value(n) for n in (0.00012, 2.849, 89.6, 2425.2, -0.5)] == [
        "0.00012",
        "2.8",
        "90",
        "2,425",
        "−0.5",
    ]
    assert [format_value(n, "bits") for n in (1.01, 1.1)] == ["1 bit", "1.1 bits"]


def test_a_section_names_its_claims():
    (row,) = section("Numbers", grow=claim())
    assert (row.name, row.section) == ("grow", "Numbers")


def test_each_with_the_next():
    assert following(["a", "b", "c"]) == {"a": ("a", "b"), "b": ("b", "c"), "c": ("c", "a")}


def test_what_claims_share_is_measured_once_and_lives_as_long_as_its_model():
    import gc
    import weakref

    class Fake:
        pass

    seen = []

    @remembered
    def shared(model, case):
        seen.append(case)
        return case * 2

    fake = Fake()
    assert [shared(fake, 1), shared(fake, 1), shared(fake, 2)] == [2, 2, 4]
    assert seen == [1, 2]
    gone = weakref.ref(fake)
    del fake
    gc.collect()
    assert gone() is None


# --- keys ---

FACTOR = 2


def uses_a_constant(_model, number: float) -> float:
    return helped(number)


def helped(number: float) -> float:
    return FACTOR * number


def test_a_key_changes_with_what_a_claim_uses(monkeypatch):
    monkeypatch.setattr(stored, "PACKAGE", __name__)
    key = functools.partial(stored.key, sha256="abc")
    plain = key(claim(value=uses_a_constant))
    assert key(claim(value=uses_a_constant)) == plain
    assert (
        key(claim(Bounds(within=below(0)), value=uses_a_constant, unit="pears")) == plain
    )  # the values stay
    assert key(claim(value=uses_a_constant, cases={"one": 1.0})) != plain
    assert key(claim(value=uses_a_constant, control=("one", times))) != plain
    assert stored.key(claim(value=uses_a_constant), "other model") != plain
    monkeypatch.setitem(uses_a_constant.__globals__, "FACTOR", 3)
    assert key(claim(value=uses_a_constant)) != plain
    assert key(claim(value=partial(times, by=2))) != key(claim(value=partial(times, by=3)))
    first = claim(value=lambda _, n: n + 1)
    second = claim(value=lambda _, n: n + 2)
    assert key(first) != key(second)
    with pytest.raises(TypeError, match="process"):
        key(claim(value=partial(times, by=object())))


def test_one_page_is_stored_and_the_others_stay(tmp_path):
    path, row = tmp_path / "fake-12345678.jsonl", claim()
    outcome = row.measure(None, {"third": 1 / 3})
    stored.save({"01": {"fake": stored.result_row(row, outcome, "sha")}, "02": {}}, path)
    stored.save({"02": {"other": stored.result_row(row, outcome, "sha")}}, path)
    loaded = stored.load(path)
    assert loaded["01"]["fake"] == {"key": stored.key(row, "sha"), "values": {"third": 0.33333}}
    assert [*loaded["02"]] == ["other"]


# --- the command ---


def digits(_model, text: str) -> float:
    return sum(map(str.isdigit, text)) or np.nan


@pytest.fixture
def only_numbers(monkeypatch, model):
    """The command, with claims over numbers, texts and pairs of words."""
    lengths = partial(claim, value=lambda model, text: len(text), name="long")
    texts = lengths(cases={"a": "a text of words"}, over="texts", control=("digits", digits))
    pairs = lengths(
        value=lambda m, pair: len(pair.split()[2]), cases={"a": "hot cold"}, name="two", over="pairs"
    )
    families = lengths(value=lambda m, words: int(words), cases={"a": "a b c", "b": "d e f g"}, name="listed")
    texts = replace(texts, bounds=Bounds(above_control=1, control=Bounds(within=above(1))))
    for pages in (command.CLAIMS, CLAIMS):
        monkeypatch.setitem(pages, "00", (claim(Bounds(within=below(4))), texts, pairs, families))


@pytest.mark.usefixtures("only_numbers")
def test_cases_of_ones_own_from_a_file(tmp_path, capsys):
    numbers, texts = tmp_path / "numbers.json", tmp_path / "texts.txt"
    numbers.write_text(json.dumps({"big": 9.0}), "utf-8")
    assert command.main(["00", "--cases", str(numbers)]) == 1
    assert "big is 9" in capsys.readouterr().out
    texts.write_text("one text\nof two lines\n\nanother\n", "utf-8")
    assert command.main(["00", "--cases", str(texts)]) == 0
    printed = capsys.readouterr().out
    assert "1 of 4 claims" in printed
    assert "measured on 2 texts" in printed
    assert "The control (digits)" in printed
    texts.write_text("2 of these\n\nand 3 more words\n", "utf-8")
    assert command.main(["00", "--cases", str(texts)]) == 0
    assert "The control" not in capsys.readouterr().out


@pytest.mark.usefixtures("only_numbers")
@pytest.mark.parametrize(
    ("wanted", "content"),
    [("00.two", "hot cold\n\nup down"), ("00.listed", "some words\n\nand three more words")],
)
def test_a_claim_that_cannot_be_asked_of_these_cases_is_skipped(tmp_path, capsys, wanted, content):
    (tmp_path / "cases.txt").write_text(content, "utf-8")
    assert command.main([wanted, "--cases", str(tmp_path / "cases.txt")]) == 0
    printed = capsys.readouterr().out
    assert "skipped, because" in printed
    assert "hold" not in printed.lower()


def test_where_nothing_is_stated_of_other_cases_nothing_holds(capsys):
    row, big = claim(Bounds(lowest=below(1), at={"one": (1, 1)})), {"big": 9.0}
    command.show(row, row.measure(None, big), 0, big)
    command.show(row, row.measure(None), 0, None)
    first, second = (line for line in capsys.readouterr().out.splitlines() if ": " in line)
    assert first.split(":")[0].strip() == "measured"
    assert second.split(":")[0].strip() == "holds"


@pytest.mark.usefixtures("only_numbers")
@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("cases.json", "[1, 2]", "name"),
        ("cases.json", "{", "cases.json: it is not valid JSON (Expecting"),
        ("texts.txt", "caf\udce9", "texts.txt: it is not a text in UTF-8"),
        ("cases.json", '{"a": {"b": 1}}', "No claim fits"),
        ("words.txt", "one\ntwo\n", "No claim fits"),
        ("empty.txt", "\n\n", "no cases"),
    ],
)
def test_a_file_that_does_not_fit(tmp_path, capsys, name, content, error):
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert command.main(["00", "--cases", str(tmp_path / name)]) == 2
    assert error in capsys.readouterr().err


def test_only_what_is_stale_is_measured(monkeypatch, tmp_path, model, capsys):
    monkeypatch.setattr(stored, "RESULTS", tmp_path)
    monkeypatch.setitem(CLAIMS, "00", (claim(name="first"),))
    assert command.main(["00", "--write"]) == 0
    monkeypatch.setitem(CLAIMS, "00", (claim(name="first"), claim(name="second", unit="pears")))
    capsys.readouterr()
    assert command.main(["00", "--write", "--stale"]) == 0
    assert capsys.readouterr().out.count("holds:") == 1
    (path,) = tmp_path.iterdir()
    assert [*stored.load(path)["00"]] == ["first", "second"]


def test_what_is_not_there_is_said(tmp_path, capsys):
    assert command.main(["00", "--cases", str(tmp_path / "nothing.txt")]) == 2
    assert command.main(["99"]) == 2
    assert command.main(["00.nothing"]) == 2
    assert "00.nothing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["00.hot_is_wide", "--write"])


# --- a verdict on another model ---


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


@pytest.mark.parametrize(
    "claim", [claim for claims in SERIES.values() for claim in claims], ids=lambda claim: claim.name
)
def test_every_claim_can_be_tried_on_another_model(tiny_model, claim):
    """Or the table says that it cannot."""
    *_, (_, outcome) = claim.try_each(tiny_model)
    said, counted = verdict(claim, outcome)
    assert said in (HOLDS, IN_PART, FAILS, NO_BETTER, UNTRIED)
    assert counted
