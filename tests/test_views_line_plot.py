"""The kit's line plot: its numbers as text, for axes of numbers and of names."""

import re

import numpy as np
import pytest
from messages import holding, numbers

from llmviz.views import LinePlot


def words(plot):
    return [line.split() for line in plot.text().splitlines()]


def test_every_point_is_told():
    plot = LinePlot(x=[0, 1, 2], values=[[1.0, -2.5, np.nan]], names=["score"], x_axis="distance")
    assert words(plot) == [["distance", "score"], ["0", "1"], ["1", "−2.5"], ["2", "–"]]
    assert re.search(holding("distance", "score", "–"), plot.summary)
    assert numbers(plot.summary) == [1, 0]  # the first value, and where it is highest


def test_the_selected_point_is_told():
    plot = LinePlot(x=[0, 10], values=[[1.0, -2.5], [3, 4]], names=["a", "b"], x_axis="distance", unit="ms")
    plot.selected = 1
    assert plot.summary == "distance 10: a −2.5 ms, b 4 ms"
    plot.change(x=[0], values=[[1.0], [2.0]])  # the point is no longer there
    assert plot.selected is None
    assert re.search(holding("distance", "a", "1 ms", "2 ms"), plot.summary)


@pytest.mark.parametrize(
    ("unit", "told"), [("share", "25.0%"), ("rank", "0"), ("ms", "0.25 ms"), ("", "0.25")]
)
def test_units(unit, told):
    assert (
        LinePlot(x=[1], values=[[0.25]], names=["a"], unit=unit).text().splitlines()[1].split(None, 1)[1]
        == told
    )


def test_names_stand_for_places():
    plot = LinePlot(labels=["layer 0", " cat"], values=[[1, 2], [3, 4]], names=["up", "down"], x_axis="")
    assert words(plot) == [["up", "down"], ["layer", "0", "1", "3"], ["·cat", "2", "4"]]
    pieces = LinePlot(x=[4, 5], x_pieces=[" cat", "<b>"], values=[[1, 2]], names=["a"], x_axis="position")
    assert words(pieces)[1:] == [["4", "·cat", "1"], ["5", "<b>", "2"]]


def test_long_lines_are_thinned_as_text_but_keep_their_ends():
    rows = LinePlot(x=range(2_001), values=[np.arange(2_001.0)], names=["score"]).text().splitlines()[1:]
    assert len(rows) < 60
    assert rows[0].startswith("0 ")
    assert rows[10].startswith("10 ")
    assert rows[-1].startswith("2,000 ")


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"x": [1, 2], "values": [[1]], "names": ["a"]},
        {"x": [1], "values": [[1]], "names": []},
        {"values": [[1]]},
    ],
)
def test_numbers_that_do_not_fit_together_draw_nothing(numbers):
    plot = LinePlot(**numbers, waiting="later")
    assert plot.n_points == 0
    assert plot.text() == plot.summary == "later"


def test_a_gap_only():
    plot = LinePlot(x=[1, 2], values=[[np.nan, np.nan]], names=["a"])
    assert plot.summary.count("–") == 2


def test_an_axis_need_not_begin_at_zero():
    assert LinePlot().y_min == 0
    assert LinePlot(y_min=None).y_min is None
