"""A view that asks before it measures: first a guess, then an experiment, then its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from llmviz.views.kit import controls
from llmviz.views.kit.predict import Answer, Asked, GuessCard, guess
from llmviz.views.kit.state_fields import picked, replace
from llmviz.views.kit.view import NotMeasured, Scene, View, part, press, sentences, shared

STOPPED = "Stopped early. The answer needs the whole experiment."


class GuessFirst(View):
    """A question on a card. Committing to a guess starts the `experiment`, a job whose result answers the question.

    A subclass must say its `question` and its `answer`. What a part reads decides when it is shown: `so_far` from the
    first result on, `outcome` when the experiment is done, and neither while the card is open. What asks another
    question opens the card again. explain: shown with the answer.
    """

    experiment: ClassVar[str] = ""  # empty: the answer takes no job
    stage: ClassVar[str] = "training"
    # What can be guessed: one of the options, or a number, whole for a count.
    options: tuple[str, ...] | None = None
    unit: str = ""
    low: float = 0
    high: float | None = None
    whole: bool = False

    @dataclass(frozen=True)
    class State:
        """The guess, and whether the reader has committed to it, or asked to be shown without one."""

        guess: float | None = guess()
        committed: bool = picked(
            False,
            lambda value, _: isinstance(value, bool),
            "True or False",
            set_by=("card", "committed"),
            on_page=lambda view: () if view.parts["card"] in view.needs_kernel() else (False, True),
        )

    def __init__(self, source: Any, *, explain: str = "", **state: Any):
        self.explain = explain
        super().__init__(source, **state)

    def arrange(self) -> list[Any]:
        """Return the widgets as `arrangement` names them; by default card, controls, buttons and the other parts."""
        if self.arrangement:
            return super().arrange()
        p, bar = self.parts, self.progress.children
        buttons = [p[name] for name in p if (name, "click") in self._events or name in self.jobs]
        first = controls.row(*(button for button in buttons if button not in bar), self.progress)
        rest = [widget for widget in p.values() if widget not in (p["card"], *buttons, *bar)]
        return [p["card"], controls.row(*self.controls.values()), first, *rest]

    # --- what a subclass says ---

    def question(self, scene: Scene) -> str:
        """Return the question; empty where there is nothing to ask about."""
        raise NotImplementedError

    def answer(self, scene: Scene) -> Answer:
        """Return the answer, once the experiment is done."""
        raise NotImplementedError

    def explanation(self, scene: Scene) -> str:
        """Return what the card adds to the answer, whatever the guess was."""
        return self.explain

    def problem(self, scene: Scene) -> str:
        """Say why the experiment cannot be done, or return an empty string."""
        return ""

    # --- what its parts read ---

    @shared
    def asked(self, scene: Scene) -> Asked:
        return Asked(self.question(scene), self.options, self.unit, self.low, self.high, self.whole)

    @shared
    def is_known(self, scene: Scene) -> bool:
        """Say whether the reader has committed, and the experiment is done."""
        return scene.committed and (not self.experiment or scene.status(self.experiment) == "done")

    @shared
    def so_far(self, scene: Scene) -> Any:
        """Return what the experiment has measured so far. `NotMeasured` before its first result and on an open card."""
        if not scene.committed:
            raise NotMeasured
        return scene.known(self.experiment)

    @shared
    def outcome(self, scene: Scene) -> Any:
        """Return the result of the experiment. `NotMeasured` before it is done and on an open card."""
        if not scene.is_known:
            raise NotMeasured
        return scene.result(self.experiment)

    # --- when it asks, and when it measures ---

    def needs(self, state: Any) -> str | None:
        begins = state.committed and self.experiment and self._can_be_asked(self.scene(state))
        return self.experiment if begins else None

    def _can_be_asked(self, scene: Scene) -> bool:
        return bool(scene.asked.question) and not self.problem(scene)

    def put_right(self, before: Any, state: Any) -> Any:
        """Open the card where another question is asked, and where the guess or the experiment cannot be."""
        opened = before.committed and not state.committed
        if opened or self._asked_about(before) != self._asked_about(state):
            return replace(state, guess=None, committed=False)
        scene = self.scene(state)
        can_be = scene.asked.allows(state.guess) and self._can_be_asked(scene)
        return replace(state, committed=state.committed and can_be)

    def _show(self, state: Any) -> None:
        before = self.state
        super()._show(state)
        if self.experiment and before.committed and not state.committed:
            key = self.key(self.experiment, before)
            if self._measurements.of(key).status == "stopped":  # so that the next guess starts it again
                self._measurements.set(key, status="new")

    def needed_on_page(self, state: Any) -> tuple[str, ...]:
        """Return what the answer needs: a question that has none there would be a dead end."""
        can_be_answered = True in self.values_on_page("committed")
        return self.needed(replace(state, committed=True) if can_be_answered else state)

    def at_any_price(self) -> Iterator[Any]:
        """Yield the answered card: a page should hold it before anything else."""
        if True in self.values_on_page("committed"):
            yield replace(self.state, committed=True)

    def _asked_about(self, state: Any) -> tuple:
        return self.scene(state).asked, self.experiment and self.key(self.experiment, state)

    @part(lambda view: GuessCard(stage=view.stage))
    def card(self, scene: Scene) -> dict:
        answer, explain = (self.answer(scene), self.explanation(scene)) if scene.is_known else (None, "")
        drawn = scene.asked.card(scene.guess, scene.committed, answer, explain)
        if scene.committed and self.experiment and scene.status(self.experiment) == "stopped":
            drawn["verdict"] = scene.measured(self.experiment, "problem") or STOPPED
        return {**drawn, "hidden": not scene.asked.question}

    @sentences
    def refusal(self, scene: Scene) -> list[str]:
        return [self.problem(scene)]


def starts(label: str | Callable[[Any, Scene], str]) -> Callable[[Any, Any], Any]:
    """Return the event of a button that starts the experiment, with the reader's guess or without one."""

    def name(view: Any, scene: Scene) -> str:
        return (label(view, scene) if callable(label) else label) if scene.asked.question else ""

    @press(name, when=lambda view, scene: not (scene.committed or view.problem(scene)))
    def begin(view: GuessFirst, state: Any) -> Any:
        can_be = view.scene(state).asked.allows(state.guess)
        return replace(state, committed=True, guess=state.guess if can_be else None)

    return begin
