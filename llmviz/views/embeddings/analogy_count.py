"""Arithmetic on words, counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from llmviz.claims.cases import FAMILIES
from llmviz.embeddings import AnalogyScore
from llmviz.experiments.table import analogy_score
from llmviz.experiments.words import pairs_of
from llmviz.views.embeddings.rows import CENTRED, Rows
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.state_fields import tick
from llmviz.views.kit.view import Scene, job, part

NAMES = ("a − b + c", "a − wrong b + c", "a + c", "c on its own")
ASKED = "capitals"  # the family that the question is about


class AnalogyCount(GuessFirst):
    """First a guess; then how often a − b + c comes out right in each of some families of words, beside controls."""

    experiment, as_it_comes, stage = "count", ("bars",), "embeddings"
    unit, high = "%", 100

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        centred: bool = tick(CENTRED)

    def question(self, scene: Scene) -> str:
        return f"For how many of the questions about {ASKED} is the right answer the nearest token?"

    def answer(self, scene: Scene) -> float:
        score = scene.outcome[ASKED, False]
        return 100 * score.right / score.asked

    def explanation(self, scene: Scene) -> str:
        score = scene.outcome[ASKED, False]
        return (
            f"With another pair's word subtracted, it's right for {score.wrong / score.asked:.0%}, and with nothing "
            f"subtracted for {score.added / score.asked:.0%}. If no words are left out, a − b + c is right for "
            f"{score.untouched / score.asked:.0%}."
        )

    @job()
    def count(self, scene: Scene) -> Iterator[tuple[float, dict[tuple[str, bool], AnalogyScore] | None]]:
        """Count each family in the table, and then in the table minus its average row."""
        model, known = scene.run, {}
        for i, (centred, name) in enumerate(product((False, True), FAMILIES), start=1):
            pairs = pairs_of(FAMILIES[name], model.tokenizer)
            known = known | {(name, centred): analogy_score(model, pairs, centred=centred)}
            yield i / (2 * len(FAMILIES)), known

    @part(LinePlot, bars=True, unit="share", y_axis="right answers", y_max=1.0, x_axis="")
    def bars(self, scene: Scene) -> dict:
        scores = {name: score for (name, centred), score in scene.outcome.items() if centred == scene.centred}
        counts = [(score.right, score.wrong, score.added, score.c_alone) for score in scores.values()]
        asked = [max(1, score.asked) for score in scores.values()]
        return {
            "labels": [*scores],
            "names": [*NAMES],
            "values": np.array(counts, float).reshape(-1, len(NAMES)).T / asked,
            "caption": f"Right answers in each family of words{Rows(scene.run, scene.centred).note}",
        }
