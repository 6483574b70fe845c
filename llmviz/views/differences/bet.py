"""A guess about a training that has yet to be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from llmviz.views.differences.learner import Learner
from llmviz.views.differences.training_run import TrainingRun
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.predict import Answer, Question


class Bet(Explorer):
    """A guess card whose answer comes once a learner is trained; committing shows `then`.

    answer: from the learner's `TrainingRun` to the number, or the index or text of an option, or the indices of tied
    ones.
    """

    def __init__(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        learner: Learner,
        answer: Callable[[TrainingRun], Answer],
        then: ipywidgets.Widget,
        **card,
    ):
        self.learner, self.then, self._answer = learner, then, answer
        self.card = Question(question, options, answer=None, stage="training", **card)
        super().__init__([self.card, then])
        self.card.observe(self._settle, "committed")
        self.watch(learner, self._settle, "trace")
        self._settle()

    @one_at_a_time
    def _settle(self, _change=None) -> None:
        run = self.learner.trace
        self.then.layout.display = "" if self.card.committed else "none"
        if not (run and run.finished):
            self.card.tell(None)
        if self.card.committed and run and run.finished:
            self.card.tell(self._answer(run))
        elif self.card.committed:
            self.card.change(told=f"The answer comes after all {self.learner.steps} steps.")


def left_to_learn(run: TrainingRun) -> float:
    """Return the surprise at the held-out text at the end, in bits a token."""
    return run.points[-1][2]


def apart(run: TrainingRun) -> int:
    """Say what the held-out text's curve did: 0 fell as low as the other, 1 stayed above it, 2 rose from its lowest."""
    _, trained, held_out = np.array(run.points).T
    if held_out[-1] > held_out.min() + 0.2:
        return 2
    return int(held_out[-1] > trained[-1] + 1)
