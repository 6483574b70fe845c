"""The pattern of 2017."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import position
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.state_fields import index, replace
from llmviz.views.kit.view import Scene, View, on, part


class SinusoidPattern(View):
    """The sinusoidal encoding as a picture, and the dot product of one row with the rows before and after it."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        row: int = index(20, "Position", lambda view: len(view.encoding))

    def __init__(self, *, n_positions: int = 100, d_model: int = 128, **state):
        self.encoding = position.sinusoidal_encoding(np.arange(n_positions), d_model)
        super().__init__(None, **state)

    @on("map", "selected")
    def select(self, state: State, cell: list[int] | None) -> State:
        return replace(state, row=cell[0]) if cell else state

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
            caption=f"The pattern for each position, {view.encoding.shape[1]} numbers in a row: fast waves on the left",
        )
    )
    def map(self, scene: Scene) -> dict:
        return {"selected": [scene.row, 0]}

    @part(LinePlot, x_axis="distance from the chosen position (positions)", y_axis="dot product")
    def lines(self, scene: Scene) -> dict:
        reach = len(self.encoding) - 1
        values = np.full(2 * reach + 1, np.nan, np.float32)
        values[reach - scene.row :][: reach + 1] = self.encoding @ self.encoding[scene.row]
        return {
            "x": np.arange(-reach, reach + 1),
            "values": values[None],
            "y_max": self.encoding.shape[1] / 2,
            "names": [f"position {scene.row} with each other position"],
            "caption": f"Dot product of row {scene.row} with every row",
        }
