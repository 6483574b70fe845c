"""The row of the embedding table for each token of a text."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz.views import provenance
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import position
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture, usual_limit
from llmviz.views.kit.view import Scene, View, explains, part, shared
from llmviz.views.provenance import Explanation


class RowExplorer(View):
    """A text as tokens, and the row of the selected token, with all its numbers."""

    stage = "embeddings"

    @dataclass(frozen=True)
    class State:
        selected: int | None = position(0, set_by=("strip", "selected"))

    @part(TokenStrip, [], caption="Your text as tokens. Click one to see its row")
    def strip(self, scene: Scene) -> dict:
        return {"pieces": scene.run.pieces, "ids": scene.run.tokens, "selected": scene.selected}

    @shared
    def limit(self, scene: Scene) -> float:
        """Return the end of the colour scale, the same for all rows; a sample of the table is enough for it."""
        return usual_limit(scene.run.model.weights.W_E[::16])

    @part(VectorPicture, [])
    def row(self, scene: Scene) -> dict:
        run, W_E = scene.run, scene.run.model.weights.W_E
        token, piece = run.tokens[scene.selected], run.pieces[scene.selected]
        return {
            "values": W_E[[token]],
            "labels": [piece],
            "limit": scene.limit,
            "caption": f"Row {token:,} of the embedding table: the {W_E.shape[1]} numbers of {isolated(piece)}",
        }

    @explains("row")
    def explain(self, scene: Scene, _row: int, dimension: int) -> Explanation:
        return provenance.embedding(scene.run.model, scene.run.tokens[scene.selected], dimension)
