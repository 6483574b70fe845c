"""A guess first, then an experiment, then what came out: a view that asks before it measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from llmviz.views.kit.predict import Answer, Asked, GuessCard, guess
from llmviz.views.kit.state_fields import picked
from llmviz.views.kit.view import Scene, View, part, press, sentences, shared

STOPPED = "Stopped before the end, and the answer takes all of it. The button below goes on."


class GuessFirst(View):
    """A question on a card; to commit to a guess starts the `experiment`, a job, and its result answers the question.

    `question` and `answer` are all that a view must say. A part that shows the result reads `scene.outcome`: it is None
    as long as the card is open, and whatever asks another question opens the card again.
    explain: said with the answer.
    """

    experiment: ClassVar[str] = ""  # empty: the answer takes no job
    stage: ClassVar[str] = "training"

    @dataclass(frozen=True)
    class State:
        """The guess, and whether the reader has committed to it, or to none."""

        guess: float | None = guess()
        committed: bool = picked(
            False,
            lambda value, _: isinstance(value, bool),
            "True or False",
            of=("card", "committed"),
            on_page=lambda _: (False, True),
        )

    def __init__(self, source: Any, *, explain: str = "", **state: Any):
        self.explain = explain
        super().__init__(source, **state)

    def question(self, scene: Scene) -> Asked | None:
        """Return what is asked; None where there is nothing to ask about."""
        raise NotImplementedError

    def answer(self, scene: Scene) -> Answer:
        """Return the answer, once the experiment is done."""
        raise NotImplementedError

    def problem(self, scene: Scene) -> str:
        """Say why the experiment cannot be done; nothing where it can."""
        return ""

    @shared
    def outcome(self, scene: Scene) -> Any:
        """Return what the experiment has measured so far; None on an open card."""
        return scene.result(self.experiment) if scene.committed else None

    @shared
    def whole_outcome(self, scene: Scene) -> Any:
        """Return what the experiment came to in the end; None before, and on an open card."""
        is_whole = scene.outcome is not None and scene.status(self.experiment) == "done"
        return scene.outcome if is_whole else None

    def needs(self, state: Any) -> str | None:
        return self.experiment if state.committed and self.experiment else None

    def put_right(self, before: Any, state: Any) -> Any:
        """Open the card where another question is asked, and where the guess or the experiment cannot be."""
        opened = before.committed and not state.committed
        if opened or self._asked_about(before) != self._asked_about(state):
            return replace(state, guess=None, committed=False)
        scene = self.scene(state)
        question = self.question(scene)
        can_be = question is not None and question.allows(state.guess) and not self.problem(scene)
        return replace(state, committed=state.committed and can_be)

    def _asked_about(self, state: Any) -> tuple:
        return self.question(self.scene(state)), self.experiment and self.key(self.experiment, state)

    @part(lambda view: GuessCard(stage=view.stage))
    def card(self, scene: Scene) -> dict:
        question = self.question(scene)
        if question is None:
            return {"hidden": True}
        status = scene.status(self.experiment) if scene.committed and self.experiment else "done"
        answer = self.answer(scene) if scene.committed and status == "done" else None
        drawn = question.card(scene.guess, scene.committed, answer, self.explain)
        return drawn | {"hidden": False} | ({"told": STOPPED} if status == "stopped" else {})

    @sentences
    def refusal(self, scene: Scene) -> list[str]:
        return [self.problem(scene)]


def starts(label: str | Callable[[Any, Scene], str]) -> Callable[[Any, Any], Any]:
    """Return an event, a button, that starts the experiment with the guess so far, or without one."""

    @press(
        label,
        look="primary",
        when=lambda view, scene: not (scene.committed or view.problem(scene)),
    )
    def begin(view: GuessFirst, state: Any) -> Any:
        can_be = view.question(view.scene(state)).allows(state.guess)
        return replace(state, committed=True, guess=state.guess if can_be else None)

    return begin
