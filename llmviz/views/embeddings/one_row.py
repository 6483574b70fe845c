"""One row of the table for each token of a text."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import traitlets

from llmviz import embeddings
from llmviz.views.embeddings.table import Table
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.state_fields import clip_position, selection
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, View, explains, part, shared
from llmviz.views.provenance import Explanation


class TextAndTable(Closable, ipywidgets.VBox):
    """A text box above a table's switch. `trace`: the run on the text, and the table's rows."""

    travels = True
    trace = traitlets.Tuple()

    def __init__(self, prompt: Prompt, table: Table):
        self.prompt, self.table = prompt, table
        super().__init__([prompt, table])
        for source in self.children:
            self.watch(source, self._pair, "trace")
        self._pair()
        self.goes_with_its_followers()

    def _pair(self, _change=None) -> None:
        self.trace = self.prompt.trace, self.table.trace

    def dims(self, view: ipywidgets.DOMWidget) -> None:
        self.prompt.dims(view)


class RowExplorer(View):
    """A text as tokens; the row of the table that belongs to the selected one, all its numbers."""

    @dataclass(frozen=True)
    class State:
        """The token that is picked; None: the first."""

        token: int | None = selection("strip")

    def __init__(self, table: Table, prompt: Prompt, **state):
        super().__init__(TextAndTable(prompt, table), **state)

    @shared
    def picked(self, scene: Scene) -> tuple[int, int]:
        """Return the position of the picked token, and its id."""
        tokens = scene.run[0].tokens
        position = clip_position(scene.token or 0, len(tokens))
        return position, tokens[position]

    @part(
        lambda _: TokenStrip(
            [], stage="embeddings", caption="Pick a token: its id is the number of a row of the table."
        )
    )
    def strip(self, scene: Scene) -> dict:
        trace, _ = scene.run
        return {"pieces": trace.pieces, "ids": trace.tokens, "selected": scene.picked[0]}

    @part(lambda _: VectorPicture([]))
    def row(self, scene: Scene) -> dict:
        (trace, rows), (position, token) = scene.run, scene.picked
        values = embeddings.embed([token], rows.W_E)
        return {
            "values": values,
            "labels": [trace.pieces[position]],
            "caption": f"Row {token:,} of the table{rows.note}, all {values.shape[1]} numbers: "
            f"the vector of {rows.name(token)}.",
        }

    @explains("row")
    def explain(self, scene: Scene, _row: int, dimension: int) -> Explanation:
        return scene.run[1].number(scene.picked[1], dimension)
