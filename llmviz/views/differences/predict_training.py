"""A guess about a training that has yet to be done."""

from __future__ import annotations

import numpy as np

from llmviz.experiments import learning
from llmviz.experiments.training_run import TrainingSoFar
from llmviz.views.kit.predict import Predict
from llmviz.views.kit.view import Scene, part

TIED = 0.065  # of a token's nearest: as much as the table and the counts differed in our trainings


class PredictTraining(Predict):
    """A guess card about a `Pretraining`, whose answer comes once its model is trained; committing shows `then`.

    answer: from the `TrainingSoFar` to the number, or the index of an option.
    """

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


def final_surprise(run: TrainingSoFar) -> float:
    """Return the surprise at the held-out text at the end, in bits a token."""
    return run.points[-1][2]


def held_out_curve(run: TrainingSoFar) -> int:
    """Say what the held-out text's curve did: 0 fell as low as the other, 1 stayed above it, 2 rose from its lowest."""
    _, trained, held_out = np.array(run.points).T
    if held_out[-1] > held_out.min() + 0.2:
        return 2
    return int(held_out[-1] > trained[-1] + 1)


def better_sorted(run: TrainingSoFar) -> int:
    """Say what puts more tokens next to others of their kind: 0 the model's table, 1 counting neighbours, 2 neither."""
    _, counted = learning.shares_without_training(run.snapshots[0].model, run.learned)
    lead = learning.share_of_own_kind(run.model, run.learned) - counted
    return 2 if abs(lead) <= TIED else int(lead < 0)
