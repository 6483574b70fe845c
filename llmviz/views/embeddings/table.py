"""The table that all pictures of the page compare: unchanged, or with its average row taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.experiments.table import rows
from llmviz.model import Model
from llmviz.views import provenance
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import tick
from llmviz.views.kit.view import Scene, View
from llmviz.views.provenance import Explanation


@dataclass(frozen=True)
class Rows:
    """The rows that pictures compare: a model's table, or (`centred`) that table minus its average row."""

    model: Model
    centred: bool

    @property
    def W_E(self) -> np.ndarray:
        """The rows [n_vocab, d_model]."""
        return rows(self.model, self.centred)

    @property
    def source(self) -> str:
        """The expression that gives `W_E`."""
        return "model.weights.W_E" + (" - model.weights.W_E.mean(axis=0)" if self.centred else "")

    @property
    def note(self) -> str:
        """What a caption adds."""
        return ", the average taken away" if self.centred else ""

    def name(self, token: int) -> str:
        """Return a token's text, quoted."""
        return isolated(self.model.tokenizer.pieces([token])[0])

    def number(self, token: int, i: int) -> Explanation:
        """Say where one number of a row is from."""
        return provenance.embedding(self.model, token, i, W_E=self.W_E, source=self.source, note=self.note)

    def cosine(self, what: str, vector: np.ndarray, source: str, token: int) -> Explanation:
        """Say where the cosine of a vector (`source` in terms of W_E) and a token's row is from."""
        row = self.W_E[token]
        return Explanation(
            f"Cosine of {what} and {self.name(token)} (id {token}){self.note}",
            "cosine(v, w) = v · w / (|v| |w|)",
            [("W_E", self.W_E, self.source), ("v", vector, source), ("w", row, f"W_E[{token}]")],
            "v @ w / (np.linalg.norm(v) * np.linalg.norm(w))",
            embeddings.cosine_similarity(vector, row),
        )


class Table(View):
    """One switch for all pictures of a page: "take the average away". `trace`: the `Rows` that they compare.

    source: a model.
    """

    travels = True
    copies_as_code = False  # it stands above many views

    trace = traitlets.Instance(Rows)

    @dataclass(frozen=True)
    class State:
        centred: bool = tick("take the average away (in all pictures of this page, not in its questions)")

    def hand_on(self, scene: Scene) -> None:
        self.trace = Rows(scene.run, scene.centred)
