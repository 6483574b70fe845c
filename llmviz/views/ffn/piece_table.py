"""Tokens in rows and columns, each coloured by a number of its own."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Labels, Picture, Pieces, Text, has_place, lines
from llmviz.views.kit.pieces import visible, visible_label


class PieceTable(Picture):
    """Tokens in rows and columns, each cell coloured by its number: `values` [rows, cols], `pieces` row after row.

    kind: "prob" (0 to `limit`) or "signed" (-`limit` to `limit`). A click, the arrow keys or Python select a cell
    (`selected`, row and column); Enter or a click asks `provenance(row, column)`. Use `change` to set them together.
    """

    _static = "piece_table"
    _data = ("values", "pieces", "row_labels", "col_labels")

    values = Floats(ndim=(2,))
    pieces = Pieces()
    row_labels = Labels()
    col_labels = Labels()
    row_axis = Text("")
    col_axis = Text("")
    kind = traitlets.Enum(("prob", "signed"), "prob").tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)
    selected = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)

    def text(self) -> str:
        if self.values is None:
            return "no tokens yet"
        cols = self.values.shape[1]
        rows = [["", *map(visible_label, self.col_labels)]]
        for i, (label, line) in enumerate(zip(self.row_labels, self.values)):
            named = zip(self.pieces[i * cols : (i + 1) * cols], line)
            rows.append(
                [visible_label(label), *(f"{visible(piece)} {self._number(v)}" for piece, v in named)]
            )
        return lines(rows)

    def headline(self) -> str:
        if self.values is None:
            return "no tokens yet"
        rows, cols = self.values.shape
        last = " ".join(visible(piece) for piece in self.pieces[-cols:])
        return f"{rows} rows, {self.row_axis}; {cols} columns, {self.col_axis}; the last row: {last}"

    def _number(self, value: float | np.floating) -> str:
        return percent(value) if self.kind == "prob" else f"{value:.3g}"

    @traitlets.validate("selected")
    def _a_cell(self, proposal):
        value = proposal["value"]
        if value is not None and not has_place(self.values, value):
            shape = None if self.values is None else self.values.shape
            raise traitlets.TraitError(f"selected is [row, column] within {shape}, not {value}")
        return value

    @traitlets.observe("values")
    def _drop_what_does_not_fit(self, _change):
        if self.selected is not None and not has_place(self.values, self.selected):
            self.selected = None
