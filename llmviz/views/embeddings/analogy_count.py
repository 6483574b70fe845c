"""How often arithmetic on words gives the right word."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmviz.claims.cases import FAMILIES
from llmviz.embeddings import AnalogyScore
from llmviz.experiments.table import count_analogies
from llmviz.experiments.words import pairs_of
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.view import Scene, job, part, shared

NAMES = ("a − b + c", "a − wrong b + c", "a − random word + c", "a + c", "c on its own")
ASKED = "capitals"  # the family that the question is about


class AnalogyCount(GuessFirst):
    """How often a − b + c and its controls are right, for several families of words."""

    experiment, stage, unit, high = "count", "embeddings", "%", 100

    def question(self, scene: Scene) -> str:
        n = len(scene.pairs[ASKED])
        return f"Of the {n * (n - 1)} questions about {ASKED}, what percentage does a − b + c get right?"

    def problem(self, scene: Scene) -> str:
        few = len(scene.pairs[ASKED]) < 2
        return "This model's vocabulary doesn't have these words as single tokens." * few

    @shared
    def pairs(self, scene: Scene) -> dict[str, list[tuple[int, int]]]:
        """Return the pairs of each family whose words are single tokens."""
        return {name: pairs_of(listed, scene.run.tokenizer) for name, listed in FAMILIES.items()}

    def answer(self, scene: Scene) -> float:
        score = scene.outcome[ASKED]
        return round(100 * score.right / score.asked)

    def explanation(self, scene: Scene) -> str:
        score = scene.outcome[ASKED]
        counts = score.wrong, score.random, score.added, score.untouched
        wrong, random, added, untouched = (n / score.asked for n in counts)
        return (
            f"With the wrong country subtracted, {wrong:.0%} are right, with a random word {random:.0%}, and with "
            f"nothing {added:.0%}. If the question's own words weren't left out, {untouched:.0%} would be right."
        )

    @job()
    def count(self, scene: Scene) -> Iterator[tuple[float, dict[str, AnalogyScore]]]:
        return count_analogies(scene.run, scene.pairs)

    @part(LinePlot, bars=True, unit="share", y_axis="right answers", y_max=1.0, x_axis="")
    def bars(self, scene: Scene) -> dict:
        scores = scene.so_far
        counts = [
            (score.right, score.wrong, score.random, score.added, score.c_alone) for score in scores.values()
        ]
        asked = [max(1, score.asked) for score in scores.values()]
        return {
            "labels": [*scores],
            "names": [*NAMES],
            "values": np.array(counts, float).T / asked,
            "caption": "Right answers in each family of words, with the question's own words left out",
        }
