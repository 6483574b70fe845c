"""All heads at once, a small map or a number each."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.model import Config
from llmviz.views.attention.heads import head_name
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Floats, Picture, Text, cells, has_place, lines

MAP_SIZE = 32  # cells along one side of a small map


class HeadGrid(Picture):
    """All heads at once: `values` [n_layers, n_heads, rows, cols], a small map a head, or [n_layers, n_heads], numbers.

    Columns are layers, rows heads; heads that share keys and values (`group` of them) are neighbours. `kind` and
    `limit` fix the colours as in `HeatMap`, `measure` names the numbers. Of `scores` [k, n_layers, n_heads], those of
    the head in question are shown, with their `score_names`. A click or the arrow keys select a head (`selected`, layer
    and head). `chosen` ones are dashed. Enter or a click asks `provenance(layer, head)`.
    """

    _static = "head_grid"
    _data = ("values", "selected", "chosen")

    values = Floats(ndim=(4,))
    group = traitlets.Int(1).tag(sync=True)
    kind = traitlets.Enum(("weight", "prob", "signed"), "weight").tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)
    measure = Text("attention weight")
    unit = Text("%")  # of signed numbers, a hundred of them to 1: "%" of something, or percentage "points"
    scores = Floats(ndim=(3,))
    score_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.List(traitlets.Int(), [0, 0], minlen=2, maxlen=2).tag(sync=True)
    chosen = traitlets.List(traitlets.List(traitlets.Int(), minlen=2, maxlen=2)).tag(sync=True)

    def __init__(self, values: np.ndarray, **traits):
        super().__init__(values=four_axes(values), **{"stage": "attention", **traits})

    def page_values(self) -> dict:
        return {"selected": cells(self.values)}

    def text(self) -> str:
        """One number a head: the number itself, or the largest weight of its map; a line a head, a column a layer."""
        if self.values is None or not self.values.size:
            return "no heads yet"
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
        """How many heads, which is selected and which are chosen."""
        if self.values is None or not self.values.size:
            return "no heads yet"
        n_layers, n_heads = self.values.shape[:2]
        parts = [f"{n_layers} layers of {n_heads} heads", f"selected: {head_name(*self.selected)}"]
        if self.values.shape[2:] == (1, 1):
            value = self.values[tuple(self.selected)].item()
            parts[-1] += f", {self.measure} {amount(100 * value, self.unit)}"
        if self.chosen:
            parts.append("chosen: " + ", ".join(head_name(*head) for head in self.chosen[:20]))
        return "; ".join(parts)

    @traitlets.validate("selected", "chosen")
    def _heads_that_exist(self, proposal):
        value, several = proposal["value"], proposal["trait"].name == "chosen"
        for head in value if several else [value]:
            waiting = not several and head == [0, 0]  # the first head is selected before there are any
            if not waiting and not has_place(self.values, head):
                shape = None if self.values is None else self.values.shape[:2]
                raise traitlets.TraitError(f"a head is [layer, head] within {shape}, not {head}")
        if several and len(set(map(tuple, value))) < len(value):
            raise traitlets.TraitError("a head is chosen once")
        return value


def empty_grid(config: Config, **options) -> HeadGrid:
    """The grid of a model's heads, one number each, that waits for the numbers."""
    shape, group = (config.n_layers, config.n_heads), config.n_heads // config.n_kv_heads
    return HeadGrid(np.zeros(shape), group=group, **options)


def four_axes(values: np.ndarray) -> np.ndarray:
    """[n_layers, n_heads] as maps of one cell each; [n_layers, n_heads, rows, cols] unchanged."""
    values = np.asarray(values, np.float32)
    return values[:, :, None, None] if values.ndim == 2 else values
