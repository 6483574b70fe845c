"""In a straight line from one word to another."""

from __future__ import annotations

import numpy as np

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearestTokens
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.embeddings.word_box import WordBox, first_problem
from llmviz.views.kit.controls import row, slider
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.provenance import Explanation, Operand


class WalkExplorer(TableExplorer):
    """From one word's vector in a straight line to another's: the nearest tokens on the way."""

    def __init__(self, table: Table, a: str, b: str, *, n: int = 8):
        self.n = n
        model = table.model
        self.a = WordBox(model.tokenizer, a, label="From")
        self.b = WordBox(model.tokenizer, b, label="to")
        self.way = slider(0, "Part of the way, %", 100, stage="embeddings", step=5)
        self.list = NearestTokens(mark="an end", provenance=self._explain)
        self.rows = VectorPicture(np.zeros((3, model.config.d_model)), provenance=self._explain_mix)
        super().__init__(table, [row(self.a, self.b), self.way, self.list, self.rows])
        for box in (self.a, self.b):
            box.observe(self._draw, "word")
        self.way.observe(self._step, "value")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        """Other words: another line between their rows."""
        problem = first_problem(self.a, self.b)
        self.rows.layout.display = "none" if problem else ""
        if problem:
            self.walk = None
            return self.list.clear(problem)
        W_E = self.table.W_E
        self.walk = embeddings.walk(*embeddings.embed([self.a.token, self.b.token], W_E), W_E)
        self._step()

    @one_at_a_time
    def _step(self, _change=None) -> None:
        if self.walk is None:
            return
        ends, part = [self.a.token, self.b.token], self.way.value / 100
        names = self.model.tokenizer.pieces(ends)
        a, b = map(isolated, names)
        caption = f"{self.way.value}% of the way from {a} to {b}: the nearest tokens{self.table.told}."
        cosines = self.walk.cosines(part)
        self.list.show(self.model.tokenizer, cosines, n=self.n, marked=ends, caption=caption)
        rows = np.stack([self.walk.start, self.walk.at(part), self.walk.end])
        self.rows.change(values=rows, labels=[names[0], f"{self.way.value}%", names[1]])

    def _explain_mix(self, row: int, i: int) -> Explanation:
        if row != 1:  # the two ends are rows of the table
            return self.table.number((self.a, None, self.b)[row].token, i)
        part = self.way.value / 100
        return Explanation(
            f"Number {i}, {self.way.value}% of the way",
            "mix = (1 − part) · start + part · end",
            [
                Operand("W_E", self.table.W_E, self.table.source),
                Operand("start", self.walk.start, f"W_E[{self.a.token}]"),
                Operand("end", self.walk.end, f"W_E[{self.b.token}]"),
                Operand("part", part),
                Operand("i", int(i)),
            ],
            "(1 - part) * start[i] + part * end[i]",
            self.walk.at(part)[i],
        )

    def _explain(self, row: int) -> Explanation:
        near, part = self.list.ids[row], self.way.value / 100
        source = f"(1 - {part:g}) * W_E[{self.a.token}] + {part:g} * W_E[{self.b.token}]"
        return self.table.cosine("the mix", self.walk.at(part), source, near)
