"""Numbers in a grid: tokens against tokens, heads against layers, or anything against anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz.views.kit.numbers import minus, percent
from llmviz.views.kit.picture import Floats, OfCells, Scaled, Text, lines
from llmviz.views.kit.pieces import legible, visible_label
from llmviz.views.kit.theme import MAX_TOKENS


class HeatMap(Scaled, OfCells):
    """A grid of numbers, `values` [rows, cols]; NaN and infinite cells stay blank (masked).

    With `causal`, so do all cells to the right of the diagonal. (A causal mask makes those weights 0, and a 0 does not
    say whether a cell was masked.)

    `kind` fixes the colours: "weight" (0 to `limit`, square-root scale, so that small shares show), "prob" (0 to
    `limit`, linear) or "signed" (-`limit` to `limit`, zero in the middle). `limit` is 1 for weights and probabilities
    and the largest absolute value for signed numbers, unless given; cells beyond it get a notch. Where maps are
    compared, give them one `limit`.

    Labels are pieces, numbers or words; unless given, `col_labels` are the row labels. `cell_text` [rows][cols] is
    written into the cells instead of the numbers; `numbers` is "auto" (where they fit), "always" or "never".
    A click, the arrow keys or Python select a cell (`selected`, row and column); Enter or a click asks
    `provenance(row, column)`. Of more than 512 rows or columns the first 512 are drawn, and the picture says so.

    Too few or too many labels, or a selection outside, are a `traitlets.TraitError`.
    """

    _static, _stage = "heat_map", "attention"

    values = Floats(ndim=(2,), limit=MAX_TOKENS)
    row_axis = Text("from (query)")
    col_axis = Text("to (key)")
    kind = traitlets.Enum(("weight", "prob", "signed"), "weight").tag(sync=True)
    unit = traitlets.Enum(("%", ""), "%").tag(sync=True)  # of weights; "" if they are not shares
    blank = Text("")  # why cells are blank
    causal = traitlets.Bool(False)
    quantity = Text("")  # what the values are, such as "length", if the word for their kind is wrong
    cell_text = traitlets.List(traitlets.List(), None, allow_none=True).tag(sync=True)
    numbers = traitlets.Enum(("auto", "always", "never"), "auto").tag(sync=True)

    def __init__(
        self,
        values: Sequence | np.ndarray | None = None,
        row_labels: Sequence | np.ndarray | range = (),
        col_labels: Sequence | np.ndarray | range | None = None,
        *,
        selected: Sequence | None = None,
        **traits,
    ):
        why = "masked" if traits.get("row_axis", "from").startswith("from") else "nothing to measure"
        super().__init__(
            values=np.zeros((0, 0)) if values is None else values,
            row_labels=row_labels,
            col_labels=row_labels if col_labels is None else col_labels,
            selected=None if selected is None else [int(i) for i in selected],
            **{"blank": why, **traits},
        )

    def fitted(self) -> float:
        return float(np.nanmax(np.abs(self.values), initial=0)) or 1.0 if self.kind == "signed" else 1.0

    def text(self) -> str:
        """Return a line for each row, with a dash for a blank cell."""
        head = f"rows: {self.row_axis}, columns: {self.col_axis}" + (", in %" if self._shares else "")
        numbers = (self.values * (100 if self._shares else 1)).tolist()
        cols = [visible_label(label) for label in self.col_labels]
        rows = [[visible_label(n), *map(_short, row)] for n, row in zip(self.row_labels, numbers)]
        return f"{head}\n{lines([['', *cols], *rows])}"

    def headline(self) -> str:
        """Return the size of the map, its largest cell, and how many are blank."""
        blank, (rows, cols) = np.isnan(self.values), self.values.shape
        facts = [f"Heat map: {rows} rows, {self.row_axis}; {cols} columns, {self.col_axis}"]
        if not blank.all():
            r, c = np.unravel_index(np.nanargmax(np.abs(self.values)), self.values.shape)
            value = percent(self.values[r, c]) if self._shares else _short(self.values[r, c])
            place = f"{visible_label(self.row_labels[r])}, {visible_label(self.col_labels[c])}"
            facts.append(
                f"{'furthest from zero' if self.kind == 'signed' else 'largest'}: {value} at {place}"
            )
        if blank.any():
            facts.append(f"{blank.sum()} cells are blank ({self.blank})")
        return "; ".join(facts)

    @property
    def _shares(self) -> bool:
        """Say whether the numbers are written in %."""
        return self.kind == "prob" or (self.kind == "weight" and self.unit == "%")

    @traitlets.validate("values")
    def _blank_where_not_finite(self, proposal):
        values = proposal["value"]
        if values is None:
            return None
        labels = (len(self.row_labels), len(self.col_labels))
        if values.shape != labels:
            raise traitlets.TraitError(
                f"values of shape {values.shape} with {labels[0]} row_labels and {labels[1]} col_labels; "
                "change(values=…, row_labels=…, col_labels=…) sets them together"
            )
        values = np.where(np.isfinite(values), values, np.float32(np.nan))
        return np.where(np.tri(*labels, dtype=bool), values, np.float32(np.nan)) if self.causal else values

    @traitlets.validate("cell_text")
    def _clean_cells(self, proposal):
        value = proposal["value"]
        return value and [[legible(str(text)) for text in row] for row in value]


def _short(value: float | np.floating) -> str:
    return "–" if value != value else minus(f"{value:.3g}" if abs(value) < 1e4 else f"{value:.2e}")
