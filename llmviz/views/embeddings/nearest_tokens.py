"""Tokens in order of their cosine with something, and where such a cosine comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.model import Model
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, lines
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.provenance import Explanation, Operand


class NearestTokens(Picture):
    """Tokens in order of their cosine with something, as bars from 0 to 1; a band shows what random pairs have.

    pieces, cosines [n], ids [n]; marked: rows drawn quieter, with the word `mark` behind them; baseline: mean and
    standard deviation of the cosines of random pairs.
    """

    _static = "nearest_tokens"
    _data = ("pieces", "cosines", "ids", "marked", "baseline")

    pieces = Pieces()
    cosines = Floats(ndim=(1,))
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    mark = Text("typed")
    baseline = Floats(ndim=(1,))
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)  # the row

    def __init__(self, pieces: Sequence[str] = (), cosines=(), ids: Sequence[int] = (), **traits):
        traits = {"stage": "embeddings", **traits}
        super().__init__(pieces=pieces, cosines=cosines, ids=[int(i) for i in ids], **traits)

    def show(
        self, tokenizer: Tokenizer, found: embeddings.Neighbours, *, marked: Sequence[int] = (), **traits
    ) -> None:
        """Show other neighbours in place; `marked` are token ids."""
        rows = [i for i, token in enumerate(found.tokens) if token in marked]
        pieces = tokenizer.pieces(found.tokens)
        self.change(
            pieces=pieces,
            cosines=found.cosines,
            ids=found.tokens,
            marked=rows,
            selected=None,
            asked=None,
            **traits,
        )

    def clear(self, caption: str) -> None:
        """Nothing to show, and why."""
        self.change(pieces=[], cosines=[], ids=[], marked=[], selected=None, caption=caption, asked=None)

    def text(self) -> str:
        rows = [
            (visible(piece), f"{cosine:.3f}", f"id {token}", self.mark if i in self.marked else "")
            for i, (piece, cosine, token) in enumerate(zip(self.pieces, self.cosines, self.ids))
        ]
        return lines(rows) or "nothing to compare"

    def headline(self) -> str:
        """The caption, and the rows."""
        return f"{self.caption}\n{self.text()}".strip()


def name_of(model: Model, token: int) -> str:
    """A token's piece."""
    return model.tokenizer.pieces([token])[0]


def cosine_with(model: Model, vector: np.ndarray, source: str, token: int) -> Explanation:
    """Where the cosine of a made-up vector and a token's row comes from."""
    row = model.weights.W_E[token]
    return Explanation(
        f"Cosine of the vector and {isolated(name_of(model, token))} (id {token})",
        "cosine(v, w) = v · w / (|v| |w|)",
        [
            Operand("W_E", model.weights.W_E, "model.weights.W_E"),
            Operand("v", vector, source),
            Operand("w", row, f"W_E[{token}]"),
        ],
        "v @ w / (np.linalg.norm(v) * np.linalg.norm(w))",
        embeddings.cosine_similarity(vector, row),
    )
