"""Arithmetic on words, counted."""

from __future__ import annotations

import numpy as np

from llmviz.claims.cases import FAMILIES
from llmviz.experiments.table import analogy_score
from llmviz.experiments.words import pairs_of
from llmviz.views.embeddings.table import Table, TableExplorer
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import one_at_a_time


class AnalogyCount(TableExplorer):
    """How often a − b + c comes out right in each of some families of words, beside a + c and c alone."""

    def __init__(self, table: Table):
        self.families = {name: pairs_of(listed, table.model.tokenizer) for name, listed in FAMILIES.items()}
        self.bars = LinePlot(
            bars=True, unit="share", y_axis="right", y_max=1.0, x_axis="", stage="embeddings"
        )
        super().__init__(table, [self.bars])
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        self.scores = {
            name: analogy_score(self.model, pairs, centred=self.table.switch.value)
            for name, pairs in self.families.items()
        }
        scores = list(self.scores.values())
        firsts = ", ".join(" − ".join(listed.split(",")[0].split()) for listed in FAMILIES.values())
        right = np.array([[one.right, one.added, one.c_alone] for one in scores], float).T
        self.bars.change(
            labels=list(self.families),
            names=["a − b + c", "a + c", "c alone"],
            values=right / [max(1, one.asked) for one in scores],
            caption="How often the wanted word is the nearest one, the question's own words left out"
            f"{self.table.told}: {scores[0].asked} questions for each family ({firsts}).",
        )
