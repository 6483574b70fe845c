"""The pattern of 2017."""

from __future__ import annotations

import numpy as np

from llmviz import position
from llmviz.views.kit.controls import slider
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.provenance import Explanation, Operand


class SinusoidPattern(Explorer):
    """The sinusoidal encoding as a picture, and the dot product of one row with the rows before and after it."""

    def __init__(self, *, n_positions: int = 100, d_model: int = 128, row: int = 20):
        self.encoding = position.sinusoidal_encoding(np.arange(n_positions), d_model)
        self.row = slider(row, "Position", n_positions - 1, stage="position")
        self.map = HeatMap(
            self.encoding,
            range(n_positions),
            range(d_model),
            row_axis="position",
            col_axis="dimension",
            kind="signed",
            limit=1.0,
            numbers="never",
            stage="position",
            caption=f"A line for each position, {d_model} numbers long: fast waves on the left, slow ones on the right",
            provenance=self._explain,
        )
        self.lines = LinePlot(
            x_axis="distance from the chosen position",
            y_axis="dot product",
            stage="position",
            y_max=d_model / 2,
        )
        super().__init__([self.row, self.map, self.lines])
        self.row.observe(lambda _: self._show(), "value")
        self.map.observe(self._picked, "selected")
        self._show()

    @one_at_a_time
    def _picked(self, change) -> None:
        if change["new"] is not None:
            self.row.value = change["new"][0]

    @one_at_a_time
    def _show(self) -> None:
        p, n = self.row.value, len(self.encoding)
        products = self.encoding @ self.encoding[p]
        reach = n - 1
        values = np.full(2 * reach + 1, np.nan, np.float32)
        values[reach - p : reach - p + n] = products
        if self.map.selected is None or self.map.selected[0] != p:
            self.map.selected = [p, self.map.selected[1] if self.map.selected else 0]
        self.lines.change(
            x=np.arange(-reach, reach + 1),
            values=values[None],
            names=[f"position {p} with each other position"],
            caption=f"Line {p} times every line: the further away, the smaller on the whole",
            selected=reach,
        )

    def _explain(self, at: int, column: int) -> Explanation:
        d_model = self.encoding.shape[1]
        wave = "sin" if column % 2 == 0 else "cos"
        return Explanation(
            f"Number {column} of position {at}",
            f"{wave} of position / 10000^(2i / d_model), with 2i = {column - column % 2}",
            [Operand("position", at), Operand("column", column - column % 2), Operand("d_model", d_model)],
            f"np.{wave}(position / 10_000 ** (column / d_model))",
            self.encoding[at, column],
        )
