"""The rows that pictures of this stage compare: those of the embedding table, unchanged or minus their average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import embeddings
from llmviz.experiments.table import rows
from llmviz.model import Model
from llmviz.views.kit.pieces import isolated
from llmviz.views.provenance import Explanation

CENTRED = "Subtract the average row"  # the label of the box to tick


@dataclass(frozen=True)
class Rows:
    """A model's embedding table, or (`centred`) that table minus its average row."""

    model: Model
    centred: bool = False

    @property
    def W_E(self) -> np.ndarray:
        """Return the rows [n_vocab, d_model]."""
        return rows(self.model, self.centred)

    @property
    def source(self) -> str:
        """Return the expression that gives `W_E`."""
        return "model.weights.W_E" + (" - model.weights.W_E.mean(axis=0)" if self.centred else "")

    @property
    def note(self) -> str:
        """Return what captions add if the rows are centred."""
        return ", after subtracting the average row" if self.centred else ""

    def name(self, token: int) -> str:
        """Return a token's text, quoted."""
        return isolated(self.model.tokenizer.pieces([token])[0])

    def cosine(self, what: str, vector: np.ndarray, source: str, token: int) -> Explanation:
        """Explain the cosine of a vector, named `what`, and a token's row. source: the vector in terms of W_E."""
        row = self.W_E[token]
        return Explanation(
            f"Cosine of {what} and {self.name(token)} (id {token}){self.note}",
            "cosine(v, w) = v · w / (|v| |w|)",
            [("W_E", self.W_E, self.source), ("v", vector, source), ("w", row, f"W_E[{token}]")],
            "v @ w / (np.linalg.norm(v) * np.linalg.norm(w))",
            embeddings.cosine_similarity(vector, row),
        )
