"""Two heads that make one skill, and what a head says, on a tiny model."""

import numpy as np
import pytest

from llmviz import Edits, attention, experiments, views
from llmviz.views.attention import TwoHeads, WhatAHeadSays

READER, N = (2, 1), 8
TEXT = "the cat sat on the dog"


@pytest.fixture
def page(tiny_model):
    return TwoHeads(tiny_model, n=N, reader=READER)


def score(page, edits=None) -> float:
    run = page.model.trace(page.row * 2, edits)
    return attention.induction_score(run.blocks[READER[0]].attention.pattern, run.tokens)[READER[1]]


def test_nothing_is_told_before_a_head_is_chosen(page):
    assert page.grid.layout.display == page.pair.layout.display == "none"
    assert page.pair.totals is None
    assert len(page.row) == len(set(page.row)) == N
    right = experiments.token_probs(page.model.trace(page.row * 2))
    np.testing.assert_allclose(page.strip.weights[1:], right[N:], rtol=1e-5)


def test_each_earlier_head_is_off_alone_and_the_worst_becomes_the_writer(page):
    page.buttons[0].click()
    for layer, head in np.ndindex(*page.effect.shape):
        if layer < READER[0]:
            alone = score(page, Edits(head={(layer, head): 0})) - score(page)
            assert page.effect[layer, head] == pytest.approx(alone, abs=1e-5)
        else:
            assert np.isnan(page.effect[layer, head])
    assert page.writer == np.unravel_index(np.nanargmin(page.effect), page.effect.shape)
    assert tuple(page.grid.selected) == page.writer
    assert page.pair.layout.display == ""


def test_a_click_makes_a_writer_and_each_line_is_its_own_run(page):
    page.grid.selected = [0, 2]
    assert page.pair.cuts == ["", "writer", "k", "q", "v", "k", "other"]
    clean = page.model.trace(page.row * 2)
    runs = [None, Edits(head={(0, 2): 0})] + [experiments.patch_path(clean, (0, 2), READER, x) for x in "kqv"]
    many = clean
    for one in (one for _, one in page.readers.options if one[0] > 0):
        many = page.model.trace(page.row * 2, experiments.patch_path(many, (0, 2), one, "k"))
    for edits, (found, right) in zip([*runs, many.edits], page.pair.totals):
        assert found == pytest.approx(score(page, edits), abs=1e-5)
        copied = experiments.token_probs(page.model.trace(page.row * 2, edits), last=len(page.row) - 1)
        assert right == pytest.approx(copied.mean(), rel=1e-4)
    page.strip.selected = 3
    a, b, before = page.model.tokenizer.pieces([page.row[i] for i in (2, 3, 1)])
    assert page.pair.pieces == [a, b, before]
    written, read = (clean.blocks[i].attention.pattern[head] for i, head in ((0, 2), READER))
    right = experiments.token_probs(clean)[N + 2]
    expected = [written[3, 2], read[N + 2, 3], right, written[N + 2, N + 1]]
    np.testing.assert_allclose(page.pair.here[0], expected, rtol=1e-4)


def test_the_random_head_is_the_mean_of_three(page):
    page.grid.selected = [0, 2]
    others = experiments.random_heads((READER[0], page.model.config.n_heads), 3, [(0, 2)], page.seed.value)
    found = [score(page, Edits(head={one: 0})) for one in others]
    assert page.pair.totals[-1, 0] == pytest.approx(np.mean(found), abs=1e-5)


def test_what_is_cut_has_its_name_when_it_is_cut(page):
    page.grid.selected = [0, 2]
    assert "K-composition" not in page.pair.caption
    page.pair.selected = page.pair.cuts.index("k")
    assert "K-composition" in page.pair.caption


def test_a_later_head_is_no_writer(page):
    page.grid.selected = [2, 3]
    assert page.writer is None


def test_another_row_takes_the_results_away_and_keeps_the_writer(page):
    page.grid.selected = [0, 2]
    before, row = page.pair.totals.copy(), page.row
    page.new_row.click()
    assert page.row != row
    assert not np.array_equal(before, page.pair.totals)
    page.buttons[0].click()
    assert page.writer == np.unravel_index(
        np.nanargmin(page.effect), page.effect.shape
    )  # what is told is drawn
    page.readers.value = next(one for _, one in page.readers.options if one != READER)
    assert page.grid.layout.display == "none"


def test_a_reader_in_the_first_layer_has_no_writer(tiny_model):
    page = TwoHeads(tiny_model, n=N, reader=(0, 1), writer=(1, 1))
    assert page.writer is None
    assert page.buttons[0].disabled


def test_a_head_says_its_value_through_the_output_table(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    page = WhatAHeadSays(prompt, layer=1, head=2)
    page.parts["strip"].selected = 2
    said = experiments.ov_logits(prompt.trace, 1, 2, 2)
    up, down = np.sort(said)[::-1][:6], np.sort(said)[:6]
    np.testing.assert_allclose(page.parts["pushed"].values[0], [np.nan, *up, np.nan, *down])
    assert page.parts["pushed"].titles[0].startswith("L1·H2 at")
    assert page.parts["pushed"].titles[1].startswith("L1·H2 at")
    assert not page.parts["pushed"].titles[2].startswith("L1·H2 at")
    np.testing.assert_allclose(
        page.parts["strip"].weights, prompt.trace.blocks[1].attention.pattern[2, -1], rtol=1e-4
    )


def test_heads_share_one_scale_and_one_token_has_no_control(tiny_model):
    page = WhatAHeadSays(views.Prompt(tiny_model, TEXT), layer=1, head=2)
    assert page.parts["pushed"].limit == max(3, np.nanmax(np.abs(page.parts["pushed"].values)))
    page = WhatAHeadSays(views.Prompt(tiny_model, "a"), layer=1, head=2)
    assert len(page.parts["pushed"].titles) == 2  # another head, but no other token


@pytest.mark.parametrize("text", [TEXT, "a"])
def test_the_parts_sum_to_the_logit(tiny_model, text):
    prompt = views.Prompt(tiny_model, text)
    page = WhatAHeadSays(prompt, layer=1, head=2)
    *parts, _, total = page.parts["added"].values[0]
    assert total == pytest.approx(prompt.trace.logits.max(), abs=1e-4)
    assert sum(parts) == pytest.approx(total, abs=1e-4)


def test_it_follows_the_text_and_looks_from_any_token(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    page = WhatAHeadSays(prompt, layer=1, head=2)
    page.controls["query"].value = 2
    assert np.isnan(page.parts["strip"].weights[3:]).all()
    page.parts["strip"].selected = 5  # it cannot look ahead
    assert page.parts["strip"].selected == 2
    prompt.box.value = "the dog"
    assert page.controls["query"].max == page.controls["query"].value == len(prompt.trace.tokens) - 1


def test_edits_without_a_sum_are_told(tiny_model):
    page = WhatAHeadSays(tiny_model.trace(TEXT, Edits(residual=False)), layer=1, head=2)
    assert "sum" in repr(page.parts["sum"])
