"""The cosine of two tokens among others: of one of them with all tokens, or of random pairs."""

from __future__ import annotations

import ipywidgets
import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.experiments.table import random_pairs
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.embeddings.word_box import WordBox, first_problem
from llmviz.views.kit.controls import row
from llmviz.views.kit.numbers import minus, percent
from llmviz.views.kit.picture import Picture, Text, lines, one_at_a_time
from llmviz.views.provenance import Explanation

EDGES = np.linspace(-0.5, 1.0, 61)  # of the histogram: fixed, so that two baselines can be compared


class CosineHistogram(Picture):
    """How many of some pairs have which cosine (`cosines` [n_pairs]), with one pair's cosine `value` marked.

    The cosines are counted in steps of 0.025 from -0.5 to 1; those outside count at the ends.
    """

    _static = "cosine_histogram"
    _data = ("counts", "value", "label", "caption")

    edges = traitlets.List(traitlets.Float(), EDGES.tolist()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    median = traitlets.Float(0.0).tag(sync=True)
    value = traitlets.Float(None, allow_none=True).tag(sync=True)
    label = Text()  # what `value` belongs to
    among = Text()  # which pairs are counted
    verdict = Text()

    def __init__(self, cosines, value: float | None = None, *, label: str = "", among: str = "", **traits):
        super().__init__(**{"stage": "embeddings", **traits})
        self.show(cosines, value, label=label, among=among)

    def show(
        self, cosines, value: float | None = None, *, label: str = "", among: str = "", **traits
    ) -> None:
        """Show another pair or other random pairs in place."""
        cosines = np.asarray(cosines, dtype=float)  # none: nothing to compare with
        counts, _ = np.histogram(np.clip(cosines, EDGES[0], EDGES[-1]), EDGES)
        verdict = ""
        if value is not None:
            below = float((cosines < value).mean())
            verdict = f"cosine {value:.2f}: higher than {percent(below)} of these: {among}"
        self.change(
            counts=counts.tolist(),
            median=float(np.median(cosines)) if cosines.size else 0.0,
            value=value,
            label=label,
            among=among,
            verdict=minus(verdict),
            asked=None,
            **traits,
        )

    def text(self) -> str:
        shares = np.array(self.counts) / max(1, sum(self.counts))
        rows = [
            (f"{low:.3f} to {high:.3f}", percent(share))
            for low, high, share in zip(self.edges, self.edges[1:], shares)
            if share
        ]
        head = [
            f"{self.label}: {self.verdict}" if self.value is not None else "",
            minus(f"{self.among}: half of them below {self.median:.2f}") if rows else "nothing to compare",
        ]
        return "\n".join([*filter(None, head), lines(rows)])

    def headline(self) -> str:
        """The caption, the pair's cosine and what it is compared with."""
        return "\n".join([self.caption, *self.text().split("\n")[:2]])


class CosineExplorer(TableExplorer):
    """The cosine of any two tokens, held against what one of them has with all others, or against random pairs."""

    def __init__(self, table: Table, a: str, b: str):
        self.a = WordBox(table.model.tokenizer, a, label="One word")
        self.b = WordBox(table.model.tokenizer, b, label="Another")
        self.against = ipywidgets.ToggleButtons(
            options=[
                ("the first word and any token", 0),
                ("the second word and any token", 1),
                ("random pairs", 2),
            ],
            description="Compare with",
            style={"description_width": "initial", "button_width": "auto"},
        )
        self.histogram = CosineHistogram([0.0], provenance=self._explain)
        super().__init__(table, [row(self.a, self.b), self.against, self.histogram])
        for box in (self.a, self.b):
            box.observe(self._draw, "word")
        self.against.observe(self._draw, "value")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        tokens, W_E = [self.a.token, self.b.token], self.table.W_E
        problem = first_problem(self.a, self.b)
        if problem:
            return self.histogram.show([], caption=problem)
        value = float(embeddings.cosine_similarity(*embeddings.embed(tokens, W_E)))
        a, b = map(self.table.name, tokens)
        if self.against.value == 2:
            cosines, among = random_pairs(self.model, self.table.switch.value), "random pairs of tokens"
        else:
            mine = tokens[self.against.value]
            cosines = np.delete(embeddings.cosine_to_all(W_E[mine], W_E), mine)
            among = f"{self.table.name(mine)} with each other token"
        self.histogram.show(
            cosines,
            None if np.isnan(value) else value,
            label=f"{a} and {b}",
            among=among,
            caption=f"How alike are {a} and {b}{self.table.told}? Their cosine among others.",
        )

    def _explain(self) -> Explanation:
        if problem := first_problem(self.a, self.b):
            raise ValueError(problem)
        vector = self.table.W_E[self.a.token]
        return self.table.cosine(self.table.name(self.a.token), vector, f"W_E[{self.a.token}]", self.b.token)
