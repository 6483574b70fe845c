"""The tokens nearest to a token, and its other spellings."""

from __future__ import annotations

import numpy as np

from llmviz import embeddings
from llmviz.experiments.words import word_ids
from llmviz.views.embeddings.nearest_tokens import NearestTokens
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.embeddings.word_box import WordBox
from llmviz.views.kit.controls import checkbox, row
from llmviz.views.kit.picture import one_at_a_time


class NeighbourExplorer(TableExplorer):
    """The nearest tokens to any token, with or without other spellings of the same word."""

    def __init__(self, table: Table, word: str, *, n: int = 12):
        self.n = n
        self.word = WordBox(table.model.tokenizer, word)
        self.spellings = checkbox("show other spellings of the word, too")
        self.list = NearestTokens(provenance=self._explain)
        super().__init__(table, [row(self.word, self.spellings), self.list])
        self.word.observe(self._draw, "word")
        self.spellings.observe(self._draw, "value")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        token = self.word.token
        if token is None:
            return self.list.clear(self.word.word.problem)
        W_E, spelled = self.table.W_E, word_ids(self.model)
        left_out = {token}
        if not self.spellings.value:
            left_out.update(np.flatnonzero(spelled == spelled[token]).tolist())
        n_hidden = len(left_out) - 1
        hidden = f", without {n_hidden} other spelling{'s' * (n_hidden > 1)} of it" if n_hidden else ""
        name = f"{self.table.name(token)} (id {token:,})"
        self.list.show(
            self.model.tokenizer,
            embeddings.cosine_to_all(W_E[token], W_E),
            n=self.n,
            exclude=sorted(left_out),
            itself=token,
            caption=f"The tokens nearest to {name}{hidden}{self.table.told}.",
        )

    def _explain(self, row: int):
        near, token = self.list.ids[row], self.word.token
        return self.table.cosine(self.table.name(token), self.table.W_E[token], f"W_E[{token}]", near)
