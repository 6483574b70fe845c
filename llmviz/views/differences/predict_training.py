"""A guess about a training before it is done."""

from __future__ import annotations

from llmviz.views.kit.predict import Predict
from llmviz.views.kit.view import Scene, part


class PredictTraining(Predict):
    """A guess card about a `Pretraining`, whose answer comes once its model is trained; committing shows `then`.

    answer: from the `TrainingSoFar` to the number, or the index of an option.
    """

    @part(Predict.card.make)
    def card(self, scene: Scene) -> dict:
        """Draw the answer of the present training, which may have gone on since the reader committed."""
        if scene.answered is None:
            return Predict.card(self, scene)
        guess, run = scene.answered.guess, scene.run
        if run and run.finished:
            return scene.asked.card(guess, True, scene.answer.answer, scene.answer.explain)
        waits = f"The answer comes after all {self.source.steps} steps."
        return scene.asked.card(guess, True, None) | {"verdict": waits}
