"""The kit's line plot: its numbers as text, for axes of numbers and of names."""

import re

import numpy as np
import pytest
from messages import holding, numbers

from llmviz.views import LinePlot


@pytest.mark.parametrize(
    ("plot", "words"),
    [
        (
            {"x": [0, 1, 2], "values": [[1.0, -2.5, np.nan]], "names": ["score"], "x_axis": "distance"},
            ["distance score", "0 1", "1 −2.5", "2 –"],
        ),
        (
            {
                "labels": ["layer 0", " cat"],
                "values": [[1, 2], [3, 4]],
                "names": ["up", "down"],
                "x_axis": "",
            },
            ["up down", "layer 0 1 3", "·cat 2 4"],
        ),
        (
            {"x": [4, 5], "x_pieces": [" cat", "<b>"], "values": [[1, 2]], "names": ["a"]},
            ["position a", "4 ·cat 1", "5 <b> 2"],
        ),
        *(
            ({"x": [1], "values": [[0.25]], "names": ["a"], "unit": unit}, ["position a", f"1 {said}"])
            for unit, said in (("share", "25.0%"), ("rank", "0"), ("ms", "0.25 ms"), ("", "0.25"))
        ),
        ({}, ["later"]),
        ({"x": [1, 2], "values": [[1]], "names": ["a"]}, ["later"]),  # numbers that do not fit together
        ({"x": [1], "values": [[1]], "names": []}, ["later"]),
        ({"values": [[1]]}, ["later"]),
    ],
)
def test_every_point_is_said(plot, words):
    assert [" ".join(line.split()) for line in repr(LinePlot(waiting="later", **plot)).splitlines()] == words


def test_the_summary_says_ends_and_highest_point_or_the_selected_one():
    plot = LinePlot(x=[0, 10], values=[[1.0, np.nan], [3, 4]], names=["a", "b"], x_axis="distance", unit="ms")
    assert re.search(holding("distance", "a", "1 ms", "–", "3 ms", "4 ms"), plot.summary)
    plot.selected = 1
    assert plot.summary == "distance 10: a –, b 4 ms"
    plot.change(x=[0], values=[[1.0], [2.0]])  # the point is no longer there
    assert plot.selected is None
    assert numbers(plot.summary)[:2] == [1, 1]
    assert LinePlot(x=[1, 2], values=[[np.nan, np.nan]], names=["a"]).summary.count("–") == 2


def test_long_lines_are_thinned_as_text_but_keep_their_ends():
    rows = LinePlot(x=range(2_001), values=[np.arange(2_001.0)], names=["score"]).text().splitlines()[1:]
    assert len(rows) < 60
    assert [rows[i].split()[0] for i in (0, 10, -1)] == ["0", "10", "2,000"]
