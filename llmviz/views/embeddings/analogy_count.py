"""Arithmetic on words, counted."""

from __future__ import annotations

import numpy as np

from llmviz.claims.cases import FAMILIES
from llmviz.embeddings import AnalogyScore
from llmviz.experiments.table import analogy_score
from llmviz.experiments.words import pairs_of
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.view import Scene, View, part, shared

NAMES = ("a − b + c", "a + c", "c alone")


class AnalogyCount(View):
    """How often a − b + c comes out right in each of some families of words, beside a + c and c alone."""

    stage = "embeddings"

    @property
    def scores(self) -> dict[str, AnalogyScore]:
        """The counts of each family."""
        return self.scene(self.state).counts

    @shared
    def counts(self, scene: Scene) -> dict[str, AnalogyScore]:
        model, centred = scene.run.model, scene.run.centred
        pairs = {name: pairs_of(listed, model.tokenizer) for name, listed in FAMILIES.items()}
        return {name: analogy_score(model, pairs[name], centred=centred) for name in pairs}

    @part(LinePlot, bars=True, unit="share", y_axis="right", y_max=1.0, x_axis="")
    def bars(self, scene: Scene) -> dict:
        scores = [*scene.counts.values()]
        right = np.array([(score.right, score.added, score.c_alone) for score in scores], float).T
        firsts = ", ".join(" − ".join(listed.split(",")[0].split()) for listed in FAMILIES.values())
        return {
            "labels": [*FAMILIES],
            "names": [*NAMES],
            "values": right / [max(1, score.asked) for score in scores],
            "caption": "How often the wanted word is the nearest one, the question's own words left out"
            f"{scene.run.note}: {scores[0].asked} questions for each family ({firsts}).",
        }
