"""Numbers over the layers, as lines or bars."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.views.picture import Floats, Picture, Text, lines, percent, script, style


class LayerPlot(Picture):
    """Numbers over the layers (or any few named things): `values` [k, n], a line or a set of bars for each name.

    `labels` names the n places. log_y: a logarithmic axis; down: it grows downwards, so that rank 1 is on top. unit:
    "share" writes per cent, "rank" whole numbers. A click, the arrow keys or Python select a place (`selected`).
    """

    _esm = script("layer_plot")
    _css = style("layer_plot")
    _data = ("values", "names", "labels")

    values = Floats(ndim=(2,))
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    x_axis = Text("layer")
    y_axis = Text("")
    unit = Text("")
    log_y = traitlets.Bool(False).tag(sync=True)
    down = traitlets.Bool(False).tag(sync=True)
    bars = traitlets.Bool(False).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def text(self) -> str:
        if self.values is None or not self.values.size:
            return "nothing measured yet"
        rows = [["", *self.names]]
        rows += [[label, *map(self._number, column)] for label, column in zip(self.labels, self.values.T)]
        return lines(rows)

    def headline(self) -> str:
        if self.values is None or not self.values.size:
            return "nothing measured yet"
        ends = [
            f"{name}: {self._number(row[0])} at {self.labels[0]}, {self._number(row[-1])} at {self.labels[-1]}"
            for name, row in zip(self.names, self.values)
        ]
        return "; ".join(ends)

    def _number(self, value: float | np.floating) -> str:
        if np.isnan(value):
            return "–"
        if self.unit == "share":
            return percent(value)
        return f"{value:,.0f}" if self.unit == "rank" else f"{value:.3g}"
