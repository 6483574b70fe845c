"""A small model in training: its two losses, and a sentence that it writes again and again."""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import ipywidgets
import numpy as np
import traitlets

from llmviz import texts, training
from llmviz.experiments.learning import SMALL
from llmviz.model import Model
from llmviz.training import Progress
from llmviz.views.differences.guessed import OneTraining, as_sentence
from llmviz.views.differences.training_run import (
    SNAPSHOTS,
    Lesson,
    TrainingRun,
    continuation,
    in_a_line,
    train_on,
)
from llmviz.views.kit.controls import Told, row, text_area, text_box
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.state_fields import choice, picked, seed, typed
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, job, looks, part, press

OWN = "a text of your own"
LONGEST = 500_000  # letters of a text
STEPS = 600
BEGINS = "Learning the vocabulary …"  # until the first step is done
PATH = re.compile(
    r"(/|~|\.{1,2}/|[A-Za-z]:[\\/]).*|\S+\.(txt|md|py)"
)  # what was meant as one, though no file is there


@dataclass(frozen=True)
class Read:
    """A text to learn from, and a sentence where something was left out or is amiss."""

    text: str
    told: str = ""


def read(name: str, typed: str = "", letters: int | None = None) -> Read:
    """A text by its name, or what somebody typed: the path of a file, or the text itself.

    In a class what is typed is text alone: a visitor has no business with the teacher's files.
    """
    if name != OWN:
        try:
            return Read(texts.read(name)[:letters])
        except FileNotFoundError as error:  # a Python without its manual, say
            return Read("", f"{error}")
    typed, told = typed.strip(), ""
    if not typed:
        return Read("", "Paste a text, or write the path of a file.")
    if len(typed) < 500 and "\n" not in typed and not os.environ.get("LLMVIZ_CLASS"):
        try:
            path = Path(typed).expanduser()
            if path.is_file():
                with path.open("rb") as file:
                    typed = file.read(4 * LONGEST).decode("utf-8", "ignore")
                if "\0" in typed:
                    return Read("", "That file is no plain text.")
            elif PATH.fullmatch(typed):
                return Read("", f"There is no file at {typed}.")
        except (OSError, ValueError, RuntimeError) as error:  # a text may be no possible name of a file
            if PATH.fullmatch(typed):
                return Read("", f"That file cannot be read: {error}")
    typed = typed.encode(errors="replace").decode()  # half a character is no byte
    if len(typed) > LONGEST:
        told = f"Of {len(typed):,} letters the first {LONGEST:,} are used."
    return Read(typed[:LONGEST][:letters], told)


@functools.lru_cache(maxsize=4)
def untrained(name: str) -> Progress:
    """Where the training on one of the texts begins: its vocabulary is learned, all parameters are noise."""
    return next(training.pretrain(read(name).text, SMALL, steps=1))


def _phase(scene: Scene) -> str:
    """Return "running", "paused" or "stopped"; "stopped", too, where a training is done or cannot go on."""
    run = scene.result("learn")
    return "stopped" if run and (run.finished or run.error) else scene.phase


class Learner(OneTraining):
    """Train a small model on a text: `train`, `pause`, `go on`, `stop`.

    `trace` is the `TrainingRun`, or None: whatever opens the model follows it. It changes with each snapshot that
    stays, and where the training stops. letters: learn from the start of the text only. control: another learner, whose
    curve is drawn beside.
    """

    trace = traitlets.Instance(TrainingRun, allow_none=True)

    @dataclass(frozen=True)
    class State:
        """What is to be trained and how its sentence begins; what is being trained, whether it runs, and a message."""

        text: str = choice("bedtime stories", "Text to learn from", [*texts.NAMES, OWN], "min(380px, 98%)")
        own: str = typed(
            "",
            lambda value: text_area(
                value, "Paste a text, some 100,000 letters of it, or write the path of a file"
            ),
            longest=4 * LONGEST,
        )
        start: str = typed("Once upon a time", lambda value: text_box(value, "The sentence begins with"))
        seed: int = seed(0)
        lesson: Lesson | None = picked(None, lambda lesson, _: isinstance(lesson, Lesson | None), "a Lesson")
        phase: str = picked(
            "stopped",
            lambda phase, _: phase in ("running", "paused", "stopped"),
            "running, paused or stopped",
        )
        message: str = picked("", lambda message, _: isinstance(message, str), "a sentence")

    def __init__(
        self,
        text: str = "bedtime stories",
        *,
        letters: int | None = None,
        steps: int = STEPS,
        control: Learner | None = None,
        **state,
    ):
        self.letters, self.steps, self.control = letters, steps, control
        super().__init__(control, text=text, **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        c, p = self.controls, self.parts
        buttons = row(p["train"], p["stop"], p["progress"], c["seed"])
        shown = (p[name] for name in ("status", "sentence", "curves", "results", "history"))
        return [row(c["text"], c["start"]), c["own"], buttons, *shown]

    @property
    def model(self) -> Model | None:
        """The model as it is now; None before the first training."""
        return self.trace and self.trace.model

    # --- what happens ---

    @press(
        lambda _, scene: {"running": "pause", "paused": "go on", "stopped": "train"}[_phase(scene)],
        look="primary",
    )
    def train(self, state: State) -> State:
        """Begin from noise, or pause, or go on where it was paused."""
        phase = _phase(self.scene(state))
        if phase != "stopped":
            return replace(state, phase="running" if phase == "paused" else "paused")
        source = read(state.text, state.own, self.letters)
        try:
            if source.text:
                training.pretrain(source.text, SMALL)  # it says whether the text serves
        except ValueError as error:
            source = Read("", as_sentence(error))
        if not source.text:
            stays = " The trained model stays as it was." if self.trace else ""
            return replace(state, message=f"{source.told}{stays}")
        number = state.lesson.number + 1 if state.lesson else 1
        lesson = Lesson(state.text, source.text, self.steps, state.seed, number, source.told)
        return replace(state, lesson=lesson, phase="running", message="")

    @press("stop", when=lambda _, scene: _phase(scene) != "stopped")
    def stop(self, state: State) -> State:
        """End it. What is trained by then stays."""
        return replace(state, phase="stopped")

    def interrupted(self, state: State) -> State:
        return replace(state, phase="paused") if _phase(self.scene(state)) == "running" else state

    def before_a_page(self) -> None:
        """A page without a kernel shows a training that was done when it was built."""
        self._happen(Learner.train)
        self.become(replace(self.state, message="This training was done when the page was built."))

    def fitted(self, state: State) -> State:
        """The control has gone on, which changes nothing here."""
        return state

    def inputs(self) -> tuple:
        """A lesson says all that a training depends on."""
        return ()

    def needs(self, state: State) -> str | None:
        return "learn" if _phase(self.scene(state)) == "running" else None

    @job("lesson")
    def learn(self, scene: Scene) -> Iterator[TrainingRun | None]:
        return train_on(scene.lesson)

    def hand_on(self) -> None:
        scene = self.scene(self.state)
        run = scene.result("learn")
        if run is None or run.last.step in SNAPSHOTS or _phase(scene) != "running":
            self.trace = run

    # --- parts ---

    @looks("own")
    def own_text(self, scene: Scene) -> dict:
        return {"hidden": scene.text != OWN}

    @part(lambda _: ipywidgets.FloatProgress(0, min=0, max=1, layout={"width": "min(300px, 60%)"}))
    def progress(self, scene: Scene) -> dict:
        run = scene.result("learn")
        return {"value": run.last.step / run.lesson.steps if run else 0.0}

    @part(lambda _: Told())
    def status(self, scene: Scene) -> dict:
        lesson, run = scene.lesson, scene.result("learn")
        how = {"running": "", "paused": "Paused.", "stopped": "Stopped."}[scene.phase]
        if lesson is None:
            standing = []
        elif run is None:
            standing = [how or BEGINS, lesson.note]
        else:
            at = f"Step {run.last.step} of {lesson.steps}, after {run.last.seconds:.0f} s of work."
            standing = [at, run.error or how, lesson.note]
        return {"sentences": [sentence for sentence in (scene.message, *standing) if sentence]}

    @part(lambda _: TokenStrip([], stage="training", caption="What it writes now"))
    def sentence(self, scene: Scene) -> dict:
        run = scene.result("learn")
        tokens = continuation(run.last, scene.start) if run and scene.start else []
        return {"pieces": run.model.tokenizer.pieces(tokens) if run else []}

    @part(
        lambda view: LinePlot(
            names=[
                *("training text", "held-out text", "counting pairs"),
                *(["the first model: held-out text"] if view.control else []),
            ],
            x_axis="step",
            y_axis="bits a token",
            unit="bits",
            y_max=math.log2(SMALL.n_vocab),
            stage="training",
            caption="Surprise (loss): of the text it learns from, and of the last tenth, which it never learns from",
            waiting="press “train”",
        )
    )
    def curves(self, scene: Scene) -> dict:
        run = scene.result("learn")
        if run is None:
            return {"x": None, "values": None}
        x, learned, held_out = np.array(run.points).T
        values = [learned, held_out, np.full(len(x), run.baseline)]
        if self.control:
            control = {step: loss for step, _, loss in scene.run.points} if scene.run else {}
            values.append(np.array([control.get(step, math.nan) for step in x]))
        return {"x": x, "values": np.stack(values)}

    @part(lambda _: Told())
    def results(self, scene: Scene) -> dict:
        run = scene.result("learn")
        if run is None or run.error or _phase(scene) == "running":
            return {"sentences": []}
        losses = run.compared(scene.run) if self.control else run.against_counting
        return {"sentences": [losses, run.repeats, *run.copied]}

    @part(lambda _: Told())
    def history(self, scene: Scene) -> dict:
        """The sentence of each snapshot; of the last one, too, where the training stands still."""
        run = scene.result("learn")
        if run is None:
            return {"sentences": []}
        if not scene.start:
            return {"sentences": ["Type how the sentence begins."]}
        stays = [
            snapshot for snapshot in run.snapshots if snapshot.step in SNAPSHOTS or _phase(scene) != "running"
        ]
        written = (run.model.tokenizer.decode(continuation(snapshot, scene.start)) for snapshot in stays)
        return {
            "sentences": [
                f"step {snapshot.step}: {in_a_line(line)}" for snapshot, line in zip(stays, written)
            ]
        }
