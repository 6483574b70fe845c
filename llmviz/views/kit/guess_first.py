"""A guess first, then an experiment, then what came out: a view that asks before it measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from llmviz.views.kit import controls
from llmviz.views.kit.predict import Answer, Asked, GuessCard, guess
from llmviz.views.kit.state_fields import picked, replace
from llmviz.views.kit.view import Scene, View, part, press, sentences, shared

STOPPED = "Stopped early. The answer needs the whole experiment."


class GuessFirst(View):
    """A question on a card; to commit to a guess starts the `experiment`, a job, and its result answers the question.

    `question` and `answer` are all that a view must say. Its own parts are shown when the experiment is done, those in
    `as_it_comes` from its first result on, and those in `at_once` always; on an open card they are hidden, and whatever
    asks another question opens it again. explain: said with the answer.
    """

    experiment: ClassVar[str] = ""  # empty: the answer takes no job
    as_it_comes: ClassVar[tuple[str, ...]] = ()
    at_once: ClassVar[tuple[str, ...]] = ()
    stage: ClassVar[str] = "training"
    # What can be guessed: one of the options, or a number, whole for a count.
    options: tuple[str, ...] | None = None
    unit: str = ""
    low: float = 0
    high: float | None = None
    whole: bool = False

    @dataclass(frozen=True)
    class State:
        """The guess, and whether the reader has committed to it, or to none."""

        guess: float | None = guess()
        committed: bool = picked(
            False,
            lambda value, _: isinstance(value, bool),
            "True or False",
            of=("card", "committed"),
            on_page=lambda view: () if view.parts["card"] in view.needs_kernel() else (False, True),
        )

    def __init__(self, source: Any, *, explain: str = "", **state: Any):
        self.explain = explain
        super().__init__(source, **state)

    def arrange(self) -> list[Any]:
        """Return the card, the controls, the buttons, and below them what came out; or what `arrangement` names."""
        if self.arrangement:
            return super().arrange()
        p, stops = self.parts, {*self.progress.children} if self.jobs else set()
        buttons = [part_ for name, part_ in p.items() if not self._is_drawn(name) and part_ not in stops]
        rest = [part_ for name, part_ in p.items() if self._is_drawn(name) and name != "card"]
        bar = [self.progress] if self.jobs else []
        return [p["card"], controls.row(*self.controls.values()), controls.row(*buttons, *bar), *rest]

    def _is_drawn(self, part_: str) -> bool:
        """Say whether it is neither a button nor the bar."""
        return (part_, "click") not in self._events and part_ not in (*self.jobs, "progress")

    # --- what a view says of itself ---

    def question(self, scene: Scene) -> str:
        """Return what is asked; empty where there is nothing to ask about."""
        raise NotImplementedError

    def answer(self, scene: Scene) -> Answer:
        """Return the answer, once the experiment is done."""
        raise NotImplementedError

    def explanation(self, scene: Scene) -> str:
        """Return what is said with the answer, whatever the guess was, once the experiment is done."""
        return self.explain

    def problem(self, scene: Scene) -> str:
        """Say why the experiment cannot be done; nothing where it can."""
        return ""

    # --- what follows from it ---

    @shared
    def asked(self, scene: Scene) -> Asked:
        return Asked(self.question(scene), self.options, self.unit, self.low, self.high, self.whole)

    @shared
    def outcome(self, scene: Scene) -> Any:
        """Return what the experiment has measured so far."""
        return scene.result(self.experiment)

    @shared
    def is_known(self, scene: Scene) -> bool:
        """Say whether the card is committed, and the experiment done."""
        return scene.committed and (not self.experiment or scene.status(self.experiment) == "done")

    def draw(self, name: str, scene: Scene) -> dict | None:
        is_shown = not self._is_drawn(name) or name in ("card", "refusal", *self.at_once) or scene.is_known
        if is_shown or (name in self.as_it_comes and scene.committed and scene.outcome is not None):
            return super().draw(name, scene)
        return None

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
            if self._measurements.of(key).status == "stopped":  # The next guess starts it again.
                self._measurements.set(key, status="new")

    def slices(self) -> Iterator[Any]:
        """Yield the answered card first, which a page should hold before anything else."""
        if True in self.values_on_page("committed"):
            yield replace(self.state, committed=True)
        yield from super().slices()

    def _asked_about(self, state: Any) -> tuple:
        return self.scene(state).asked, self.experiment and self.key(self.experiment, state)

    @part(lambda view: GuessCard(stage=view.stage))
    def card(self, scene: Scene) -> dict:
        answer, explain = (self.answer(scene), self.explanation(scene)) if scene.is_known else (None, "")
        drawn = scene.asked.card(scene.guess, scene.committed, answer, explain)
        if scene.committed and self.experiment and scene.status(self.experiment) == "stopped":
            drawn["verdict"] = scene.of_job(self.experiment, "problem") or STOPPED
        return {**drawn, "hidden": not scene.asked.question}

    @sentences
    def refusal(self, scene: Scene) -> list[str]:
        return [self.problem(scene)]


def starts(label: str | Callable[[Any, Scene], str]) -> Callable[[Any, Any], Any]:
    """Return an event, a button, that starts the experiment with the guess so far, or without one."""

    @press(label, when=lambda view, scene: not (scene.committed or view.problem(scene)))
    def begin(view: GuessFirst, state: Any) -> Any:
        can_be = view.scene(state).asked.allows(state.guess)
        return replace(state, committed=True, guess=state.guess if can_be else None)

    return begin
