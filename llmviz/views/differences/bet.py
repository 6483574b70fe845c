"""A guess about a training that has yet to be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from llmviz.experiments.training_run import TrainingSoFar
from llmviz.views.differences.learner import Learner
from llmviz.views.kit.predict import Answer, Predict
from llmviz.views.kit.view import Scene, part


class Bet(Predict):
    """A guess card whose answer comes once a learner is trained; committing shows `then`.

    answer: from the learner's `TrainingSoFar` to the number, or the index or text of an option, or the indices of tied
    ones.
    """

    def __init__(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        learner: Learner,
        answer: Callable[[TrainingSoFar], Answer],
        then: ipywidgets.Widget,
        explain: str = "",
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
    ):
        card = {"explain": explain, "unit": unit, "low": low, "high": high, "stage": "training"}
        super().__init__(question, options, answer=answer, about=learner, then=then, **card)

    @part(Predict.card.make)
    def card(self, scene: Scene) -> dict:
        """Draw the answer of the present training, not of the moment at which the reader committed."""
        if scene.answered is None:
            return Predict.card(self, scene)
        guess, run = scene.answered.guess, scene.run
        if run and run.finished:
            return scene.asked.card(guess, True, scene.answer.answer, scene.answer.explain)
        waits = f"The answer comes after all {self.source.steps} steps."
        return scene.asked.card(guess, True, None) | {"verdict": waits}


def left_to_learn(run: TrainingSoFar) -> float:
    """Return the surprise at the held-out text at the end, in bits a token."""
    return run.points[-1][2]


def apart(run: TrainingSoFar) -> int:
    """Say what the held-out text's curve did: 0 fell as low as the other, 1 stayed above it, 2 rose from its lowest."""
    _, trained, held_out = np.array(run.points).T
    if held_out[-1] > held_out.min() + 0.2:
        return 2
    return int(held_out[-1] > trained[-1] + 1)
