"""Two heads that make one skill, on a tiny model."""

import numpy as np
import pytest
from widget_tree import scene

from llmviz import Edits, attention, experiments
from llmviz.views.attention import TwoHeads

READER, N = (2, 1), 8

pytestmark = pytest.mark.usefixtures("nothing_measured")


@pytest.fixture
def view(tiny_model):
    return TwoHeads(tiny_model, n=N, reader=READER)


def score(view, edits=None) -> float:
    run = view.run.trace(scene(view).row.tokens, edits)
    return attention.induction_score(run.blocks[READER[0]].attention.pattern, run.tokens)[READER[1]]


def test_each_earlier_head_is_off_alone_and_the_worst_becomes_the_writer(view):
    grid, pair = view.parts["grid"], view.parts["pair"]
    assert grid.layout.display == pair.layout.display == "none"  # before a head is chosen
    view.parts["each_off"].click()
    effect = scene(view).known("each_off")
    for layer, head in np.ndindex(READER[0], 6):
        alone = score(view, Edits(head={(layer, head): 0})) - score(view)
        assert effect[layer, head] == pytest.approx(alone, abs=1e-5)
    assert np.isnan(effect[READER[0] :]).all()
    assert tuple(grid.selected) == np.unravel_index(np.nanargmin(effect), effect.shape)
    assert grid.layout.display == pair.layout.display == ""


def test_each_line_is_its_own_run(tiny_model):
    writer = (0, 2)
    view = TwoHeads(tiny_model, n=N, reader=READER, writer=writer)
    pair, row = view.parts["pair"], scene(view).row
    assert len(row.tokens) == 2 * len(set(row.tokens)) == 2 * N
    assert pair.cuts == ["", "writer", "k", "q", "v", "other"]
    paths = [experiments.patch_path(row, writer, READER, into) for into in "kqv"]
    runs = [None, Edits(head={writer: 0}), *paths]
    for edits, (shown, right) in zip(runs, pair.totals):
        assert shown == pytest.approx(score(view, edits), abs=1e-5)
        copied = experiments.token_probs(tiny_model.trace(row.tokens, edits), last=N - 1)
        assert right == pytest.approx(copied.mean(), rel=1e-4)
    others = experiments.random_heads((READER[0], 6), 3, [writer], view.state.seed)
    mean = np.mean([score(view, Edits(head={head: 0})) for head in others])
    assert pair.totals[-1, 0] == pytest.approx(mean, abs=1e-5)
    strip = view.parts["strip"]
    np.testing.assert_allclose(strip.weights[1:], experiments.token_probs(row)[N:], rtol=1e-5)
    strip.selected = 3
    assert pair.pieces == [row.pieces[i] for i in (2, 3, 1)]
    written, read = (row.blocks[layer].attention.pattern[head] for layer, head in (writer, READER))
    right = experiments.token_probs(row)[N + 2]
    expected = [written[3, 2], read[N + 2, 3], right, written[N + 2, N + 1]]
    np.testing.assert_allclose(pair.here[0], expected, rtol=1e-4)


def test_another_row_or_reader_takes_the_results_away_and_keeps_the_writer(view):
    grid, pair = view.parts["grid"], view.parts["pair"]
    view.parts["each_off"].click()
    writer, before = scene(view).writing, pair.totals.copy()
    grid.selected = [2, 3]  # a later head is no writer
    assert tuple(grid.selected) == scene(view).writing == writer
    view.parts["new_row"].click()
    assert scene(view).writing == writer
    assert not np.array_equal(before, pair.totals)
    assert grid.layout.display == "none"
    reader = next(head for head in scene(view).readers_scores if head != READER)
    view.parts["readers"].value = reader
    assert scene(view).writing == (writer if writer[0] < reader[0] else None)


def test_a_reader_in_the_first_layer_has_no_writer(tiny_model):
    view = TwoHeads(tiny_model, n=N, reader=(0, 1), writer=(1, 1))
    assert scene(view).writing is None
    assert view.parts["each_off"].disabled
