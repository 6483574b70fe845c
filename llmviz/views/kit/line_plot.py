"""Lines or bars over an axis of numbers or names."""

from __future__ import annotations

import math

import numpy as np
import traitlets

from llmviz.views.kit.numbers import minus, percent, with_unit
from llmviz.views.kit.picture import Floats, Labels, OfRows, Pieces, Text, lines
from llmviz.views.kit.pieces import visible, visible_label


class LinePlot(OfRows):
    """A line, or a set of bars, for each name: `values` [k, n] over the numbers `x` [n] or over n `labels`.

    NaN leaves a gap. log_x: the axis is logarithmic, from x[0] on. unit: "share" writes per cent, "rank" whole numbers;
    anything else, such as "ms", follows the numbers. The y axis covers at least y_min to y_max. `marks` are upright
    lines, each [x, word]. `x_pieces` has a piece for each point, which the readout shows. If there are only a few bars,
    of a single name, their numbers are on them. A click, the arrow keys or Python select a point (`selected`, its
    index).
    """

    _static = "line_plot"
    _rows = ("x", "values", "names", "labels")

    x = Floats(ndim=(1,))
    values = Floats(ndim=(2,))
    names = Labels()
    labels = Labels()
    x_axis = Text("position")
    y_axis = Text("")
    x_ticks = traitlets.List(traitlets.Float()).tag(sync=True)
    x_pieces = Pieces()
    log_x = traitlets.Bool(False).tag(sync=True)
    bars = traitlets.Bool(False).tag(sync=True)
    unit = Text("")
    y_min = traitlets.Float(0.0, allow_none=True).tag(sync=True)
    y_max = traitlets.Float(None, allow_none=True).tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    waiting = Text("nothing measured yet")

    @property
    def n_rows(self) -> float:
        return self.n_points or math.inf

    @property
    def n_points(self) -> int:
        """Return how many points a line has; 0 as long as values and axis do not fit together."""
        n = len(self.labels) if self.labels else 0 if self.x is None else len(self.x)
        return n if self.values is not None and self.values.shape == (len(self.names), n) else 0

    @property
    def is_empty(self) -> bool:
        return not self.n_points

    def text(self) -> str:
        """Return a line for each point; of more than 64 points, each near the start, then fewer and fewer."""
        rows = [[self.x_axis, *self.names]]
        rows += [[self._place(i), *map(self._number, self.values[:, i])] for i in _thinned(self.n_points)]
        return lines(rows)

    def headline(self) -> str:
        """Return the numbers at the selected point; without one, the ends of each line and where it is highest."""
        if self.selected is not None:
            column = self.values[:, self.selected]
            numbers = ", ".join(f"{name} {self._number(value)}" for name, value in zip(self.names, column))
            return f"{self.x_axis} {self._place(self.selected)}: {numbers}".lstrip()
        facts = []
        for name, line in zip(self.names, self.values):
            best = 0 if np.isnan(line).all() else int(np.nanargmax(line))
            ends = f"from {self._number(line[0])} to {self._number(line[-1])}"
            facts.append(f"{name}: {ends}, highest at {self._place(best)}")
        return f"{' over '.join(filter(None, (self.y_axis, self.x_axis)))}. {'; '.join(facts)}".lstrip(". ")

    def _place(self, i: int) -> str:
        if self.labels:
            return visible_label(self.labels[i])
        at = minus(f"{self.x[i]:,g}")
        return f"{at} {visible(self.x_pieces[i])}" if i < len(self.x_pieces) else at

    def _number(self, value: float | np.floating) -> str:
        if np.isnan(value):
            return "–"
        if self.unit == "share":
            return percent(value)
        return minus(f"{value:,.0f}" if self.unit == "rank" else with_unit(f"{value:.3g}", self.unit))


def _thinned(n: int) -> list[int]:
    """Return all indices of a short line; of a long one, those up to 10, then fewer and fewer."""
    if n <= 64:
        return list(range(n))
    return sorted({*range(11), *np.geomspace(10, n - 1, 40).round().astype(int).tolist()})
