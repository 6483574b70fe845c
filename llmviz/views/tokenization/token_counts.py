"""How many tokens each of several texts is."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets

from llmviz.views.kit.picture import Picture, Pieces, lines
from llmviz.views.kit.pieces import visible


class TokenCounts(Picture):
    """How many tokens each of several texts is, as bars; `before` draws an outline to compare with.

    notes: one more string a row, behind the bar. A click or the arrow keys select a row (trait `selected`).
    """

    _static = "token_counts"
    _data = ("labels", "counts", "before", "notes")

    labels = Pieces()
    counts = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    before = traitlets.List(traitlets.Int(min=0), default_value=None, allow_none=True).tag(sync=True)
    before_label = traitlets.Unicode("before").tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, labels: Sequence[str], counts: Sequence[int], *, notes: Sequence[str] = (), **traits):
        super().__init__(labels=labels, counts=[int(n) for n in counts], notes=list(notes), **traits)

    def text(self) -> str:
        rows = []
        for i, (label, n) in enumerate(zip(self.labels, self.counts)):
            was = [f"{self.before_label}: {self.before[i]:,}"] if self.before else []
            rows.append([visible(label), f"{n:,}", *self.notes[i : i + 1], *was])
        return lines(rows)

    @traitlets.validate("selected")
    def _a_row(self, proposal):
        value = proposal["value"]
        if value is not None and not 0 <= value < len(self.labels):
            raise traitlets.TraitError(f"selected is a row from 0 to {len(self.labels) - 1}, not {value}")
        return value
