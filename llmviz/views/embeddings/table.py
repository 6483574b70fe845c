"""The table that all pictures of the page compare: as it is, or with its average row taken away."""

from __future__ import annotations

import ipywidgets
import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.experiments.table import rows
from llmviz.model import Model
from llmviz.views.kit.controls import checkbox
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import Explorer, guard, one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.provenance import Explanation, Operand


class Table(Closable, ipywidgets.VBox):
    """The rows that pictures compare, and one switch for all of them: "take the average away".

    `W_E` [n_vocab, d_model] is the model's table, or that table minus its average row.
    """

    W_E = traitlets.Any()

    def __init__(self, model: Model):
        self.model = model
        self.switch = checkbox("take the average away (in all pictures of this page, not in its questions)")
        super().__init__([self.switch])
        guard(self)
        self.W_E = model.weights.W_E
        self.switch.observe(self._switched, "value")

    @one_at_a_time
    def _switched(self, _change) -> None:
        self.W_E = rows(self.model, self.switch.value)

    @property
    def source(self) -> str:
        """The expression that gives `W_E`."""
        return "model.weights.W_E" + (" - model.weights.W_E.mean(axis=0)" if self.switch.value else "")

    @property
    def told(self) -> str:
        """What a caption adds."""
        return ", the average taken away" if self.switch.value else ""

    def piece(self, token: int) -> str:
        """A token's text."""
        return self.model.tokenizer.pieces([token])[0]

    def name(self, token: int) -> str:
        """A token's text, quoted."""
        return isolated(self.piece(token))

    def number(self, token: int, i: int) -> Explanation:
        """Where one number of a row is from."""
        return Explanation(
            f"Number {i} of {self.name(token)} (id {token}){self.told}",
            "the embedding of a token = the row of the table W_E with the token's id",
            [
                Operand("W_E", self.W_E, self.source),
                Operand("token", int(token)),
                Operand("dimension", int(i)),
            ],
            "W_E[token, dimension]",
            self.W_E[token, i],
        )

    def cosine(self, what: str, vector: np.ndarray, source: str, token: int) -> Explanation:
        """Where the cosine of a vector (`source` in terms of W_E) and a token's row is from."""
        row = self.W_E[token]
        return Explanation(
            f"Cosine of {what} and {self.name(token)} (id {token}){self.told}",
            "cosine(v, w) = v · w / (|v| |w|)",
            [
                Operand("W_E", self.W_E, self.source),
                Operand("v", vector, source),
                Operand("w", row, f"W_E[{token}]"),
            ],
            "v @ w / (np.linalg.norm(v) * np.linalg.norm(w))",
            embeddings.cosine_similarity(vector, row),
        )


class TableExplorer(Explorer):
    """Controls and pictures below the switch of their table; `_draw` answers it."""

    def __init__(self, table: Table, children):
        self.table, self.model = table, table.model
        super().__init__([table, *children])
        self.watch(table, self._draw, "W_E")
