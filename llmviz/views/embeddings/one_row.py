"""One row of the table for each token of a text."""

from __future__ import annotations

import numpy as np

from llmviz import embeddings
from llmviz.model import Trace
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.provenance import Explanation


class RowExplorer(TableExplorer):
    """A text as tokens; the row of the table that belongs to the selected one, all its numbers."""

    def __init__(self, table: Table, prompt: Prompt):
        self.strip = TokenStrip(
            [], stage="embeddings", caption="Pick a token: its id is the number of a row of the table."
        )
        self.row = VectorPicture(np.zeros(table.model.config.d_model), provenance=self._explain)
        super().__init__(table, [self.strip, self.row])
        self.follow(prompt, self._read)
        self.strip.observe(self._draw, "selected")

    @one_at_a_time
    def _read(self, trace: Trace) -> None:
        kept = min(self.strip.selected or 0, len(trace.tokens) - 1)
        self.strip.change(pieces=trace.pieces, ids=trace.tokens, selected=kept)
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        place = self.strip.selected
        self.row.layout.display = "none" if place is None else ""
        if place is None:
            return
        token, piece = self.strip.ids[place], self.strip.pieces[place]
        values = embeddings.embed([token], self.table.W_E)
        caption = (
            f"Row {token:,} of the table{self.table.told}, all {values.shape[1]} numbers: "
            f"the vector of {isolated(piece)}."
        )
        self.row.change(values=values, labels=[piece], caption=caption, asked=None)

    def _explain(self, *where: int) -> Explanation:
        if self.strip.selected is None:
            raise ValueError("no token is picked")
        return self.table.number(self.strip.ids[self.strip.selected], where[-1])
