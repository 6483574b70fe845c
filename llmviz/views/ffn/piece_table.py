"""Tokens in rows and columns, each coloured by a number of its own."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import OfCells, Pieces, Text, lines
from llmviz.views.kit.pieces import visible, visible_label


class PieceTable(OfCells):
    """Tokens in rows and columns, each cell coloured by its number: `values` [rows, cols], `pieces` row after row.

    kind: "prob" (0 to `limit`) or "signed" (-`limit` to `limit`). A click, the arrow keys or Python select a cell
    (`selected`, row and column); Enter or a click asks `provenance(row, column)`. Use `change` to set them together.
    """

    _static = "piece_table"
    _data = ("values", "pieces", "row_labels", "col_labels")

    pieces = Pieces()
    row_axis = Text("")
    col_axis = Text("")
    kind = traitlets.Enum(("prob", "signed"), "prob").tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)

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
