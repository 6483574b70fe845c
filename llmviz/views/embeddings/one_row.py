"""One row of the table for each token of a text."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz.views.embeddings.rows import Rows
from llmviz.views.kit.state_fields import position
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, View, explains, part
from llmviz.views.provenance import Explanation


class RowExplorer(View):
    """A text as tokens; the row of the table that belongs to the selected one, all its numbers."""

    stage = "embeddings"

    @dataclass(frozen=True)
    class State:
        selected: int | None = position(0, of=("strip", "selected"))

    @part(TokenStrip, [], caption="Your text as tokens. Click one to see its row")
    def strip(self, scene: Scene) -> dict:
        return {"pieces": scene.run.pieces, "ids": scene.run.tokens, "selected": scene.selected}

    @part(VectorPicture, [])
    def row(self, scene: Scene) -> dict:
        rows, token = Rows(scene.run.model), scene.run.tokens[scene.selected]
        n = rows.W_E.shape[1]
        return {
            "values": rows.W_E[[token]],
            "labels": [scene.run.pieces[scene.selected]],
            "caption": f"Row {token:,} of the embedding table: the {n} numbers of {rows.name(token)}",
        }

    @explains("row")
    def explain(self, scene: Scene, _row: int, dimension: int) -> Explanation:
        return Rows(scene.run.model).number(scene.run.tokens[scene.selected], dimension)
