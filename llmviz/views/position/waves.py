"""The pattern of 2017."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import position
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.state_fields import index, picked, replace
from llmviz.views.kit.view import Scene, View, explains, on, part
from llmviz.views.provenance import Explanation, Operand


class SinusoidPattern(View):
    """The sinusoidal encoding as a picture, and the dot product of one row with the rows before and after it."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        row: int = index(20, "Position", lambda view: len(view.encoding))
        column: int = picked(
            0, lambda value, view: value in range(view.encoding.shape[1]), "the index of a column"
        )

    def __init__(self, *, n_positions: int = 100, d_model: int = 128, **state):
        self.encoding = position.sinusoidal_encoding(np.arange(n_positions), d_model)
        super().__init__(None, **state)

    @on("map", "selected")
    def select(self, state: State, cell: list[int] | None) -> State:
        return replace(state, row=cell[0], column=cell[1]) if cell else state

    @part(
        lambda view: HeatMap(
            view.encoding,
            range(len(view.encoding)),
            range(view.encoding.shape[1]),
            row_axis="position",
            col_axis="dimension",
            kind="signed",
            limit=1.0,
            numbers="never",
            stage="position",
            caption=f"A line for each position, {view.encoding.shape[1]} numbers long: fast waves on the left, slow "
            "ones on the right",
        )
    )
    def map(self, scene: Scene) -> dict:
        return {"selected": [scene.row, scene.column]}

    @explains("map")
    def explain(self, scene: Scene, at: int, column: int) -> Explanation:
        d_model = self.encoding.shape[1]
        wave = "sin" if column % 2 == 0 else "cos"
        return Explanation(
            f"Number {column} of position {at}",
            f"{wave} of position / 10000^(2i / d_model), with 2i = {column - column % 2}",
            [Operand("position", at), Operand("column", column - column % 2), Operand("d_model", d_model)],
            f"np.{wave}(position / 10_000 ** (column / d_model))",
            self.encoding[at, column],
        )

    @part(LinePlot, x_axis="distance from the chosen position", y_axis="dot product")
    def lines(self, scene: Scene) -> dict:
        reach = len(self.encoding) - 1
        values = np.full(2 * reach + 1, np.nan, np.float32)
        values[reach - scene.row :][: reach + 1] = self.encoding @ self.encoding[scene.row]
        return {
            "x": np.arange(-reach, reach + 1),
            "values": values[None],
            "y_max": self.encoding.shape[1] / 2,
            "names": [f"position {scene.row} with each other position"],
            "caption": f"Line {scene.row} times every line: the further away, the smaller on the whole",
        }
