"""A head's name, a field for it in a view's state, and a picture of all heads at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from llmviz.model import Config
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Floats, Picture, Text, cells, has_place, lines
from llmviz.views.kit.state_fields import picked

MAP_SIZE = 32  # cells along one side of a small map


def head_name(layer: int, head: int) -> str:
    """Return a head's name, such as "L13·H8"."""
    return f"L{layer}·H{head}"


def picked_head(**others: Any) -> Any:
    """Declare a field for a head, as (layer, head), or None; others: see `picked`. The view's run is the model."""
    return picked(
        None,
        lambda head, view: (
            head is None or head in np.ndindex(view.run.config.n_layers, view.run.config.n_heads)
        ),
        "a layer and a head, or None",
        **others,
    )


class HeadGrid(Picture):
    """All heads at once, each with a small map, or with one number: `values` [n_layers, n_heads, rows, cols].

    Columns are layers, rows are heads; `group` neighbouring heads share keys and values. `kind` and `limit` fix the
    colours as in `HeatMap`, and `measure` names the numbers. The readout shows a head's `scores` [k, n_layers, n_heads]
    with their `score_names`. A click or the arrow keys select a head (`selected`, layer and head). `chosen` heads have
    a dashed border. Enter or a click asks `provenance(layer, head)`.
    """

    _static, _stage = "head_grid", "attention"

    values = Floats(ndim=(4,))
    group = traitlets.Int(1).tag(sync=True)
    kind = traitlets.Enum(("weight", "prob", "signed"), "weight").tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)
    measure = Text("attention weight")
    unit = Text("%")  # of 100 times the numbers: "%", or "percentage points"
    scores = Floats(ndim=(3,))
    score_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.List(traitlets.Int(), [0, 0], minlen=2, maxlen=2).tag(sync=True)
    chosen = traitlets.List(traitlets.List(traitlets.Int(), minlen=2, maxlen=2)).tag(sync=True)

    def page_values(self) -> dict:
        return {"selected": cells(self.values)}

    def text(self) -> str:
        """Return a number for each head, its own or the largest of its map; rows are heads, columns are layers."""
        numbers = np.fmax.reduce(self.values.reshape(*self.values.shape[:2], -1), axis=2)
        what = self.measure if self.values.shape[2:] == (1, 1) else f"largest {self.measure} of each map"
        rows = [
            [f"head {i}", *("–" if np.isnan(v) else f"{100 * v:.0f}" for v in row)]
            for i, row in enumerate(numbers.T)
        ]
        chosen = ", ".join(head_name(*head) for head in self.chosen)
        table = lines([["", *range(len(numbers))], *rows])
        chosen_line = f"\nchosen: {chosen}" if chosen else ""
        return f"{what}, in {self.unit}; rows: heads, columns: layers\n{table}{chosen_line}"

    def headline(self) -> str:
        """Return how many heads there are, which is selected, and which are chosen."""
        n_layers, n_heads = self.values.shape[:2]
        parts = [f"{n_layers} layers of {n_heads} heads", f"selected: {head_name(*self.selected)}"]
        if self.values.shape[2:] == (1, 1):
            value = self.values[tuple(self.selected)].item()
            parts[-1] += f", {self.measure} {amount(100 * value, self.unit)}"
        if self.chosen:
            parts.append("chosen: " + ", ".join(head_name(*head) for head in self.chosen[:20]))
        return "; ".join(parts)

    @traitlets.validate("selected")
    def _a_head(self, proposal):
        head = proposal["value"]
        if head != [0, 0] and not has_place(self.values, head):  # [0, 0] is selected while there are none.
            raise traitlets.TraitError(f"selected is the layer and the number of a head, not {head}")
        return head


def empty_grid(config: Config, **options) -> HeadGrid:
    """Return the grid of a model's heads, with a number for each, all 0 until the first values come."""
    values, group = np.zeros((config.n_layers, config.n_heads, 1, 1)), config.n_heads // config.n_kv_heads
    return HeadGrid(values=values, group=group, **options)
