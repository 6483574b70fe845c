"""A small model in training: how it continues a sentence at each stage, and its losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from llmviz import texts, training
from llmviz.experiments.learning import SMALL, WARM, write_tokens
from llmviz.experiments.text_statistics import COUNTED, READ_AGAIN, REPEATED
from llmviz.experiments.training_run import SNAPSHOTS, TrainingSoFar, train_on
from llmviz.reuse import kept_with
from llmviz.texts.own import LONGEST, OwnText, read_own
from llmviz.tokenization import drop_unwritable
from llmviz.training import Progress
from llmviz.views.differences.one_training import TRAINED_WITHIN, OneTraining
from llmviz.views.differences.table import Table
from llmviz.views.kit.controls import text_area
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import as_sentence, clean, legible
from llmviz.views.kit.state_fields import choice, line, picked, replace, seed, selected, selection
from llmviz.views.kit.state_fields import text as typed
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, job, looks, part, press, sentences

OWN = "a text of your own"
STEPS = 600
BEGINS = "Learning the vocabulary …"  # until the first step is done


def read(name: str, typed: str = "", letters: int | None = None) -> OwnText:
    """Return a text by its name, or the reader's own; only its first `letters`, if given."""
    source = read_own(typed) if name == OWN else OwnText(texts.read(name))
    return replace(source, text=source.text[:letters])


# What is trained: the text's name, the text itself if it is the reader's own, steps, seed, and a number, because the
# same lesson again is another training.
Lesson = tuple[str, str, int, int, int]
HINT = "Paste a text, some 100,000 characters of it, or write the path of a file"


def snapshot_step() -> Any:
    """Declare one of a view's `snapshot_steps`, with a slider; None: the last."""
    return picked(
        None,
        lambda step, _: step is None or type(step) is int,
        "the step of a snapshot, or None",
        control=lambda _step, _view: ipywidgets.SelectionSlider(
            options=(0,),
            description="Step",
            style={"description_width": "initial"},
            layout={"width": "min(500px, 98%)"},
        ),
        shows=lambda step, view: {
            "options": view.snapshot_steps,
            "value": step if step in view.snapshot_steps else view.snapshot_steps[-1],
        },
        on_page=lambda view: view.snapshot_steps,
    )


class Pretraining(OneTraining):
    """Train a small model on a text: one button begins, another stops the training and lets it go on.

    `trace` is the `TrainingSoFar`, or None before the first; views of the trained model follow it. It changes with each
    of the `SNAPSHOTS` and when the training stops. letters: learn only from the first so many characters of the text.
    control: another `Pretraining`, whose curve and figures are shown as well; all surprises are in bits per byte then,
    because its vocabulary is another.
    """

    stage = "training"
    arrangement = (
        *(("text", "start"), "own", ("train", "seed", "progress")),
        *("status", "sentence", "step", "curves", "figures"),
    )
    trace = traitlets.Instance(TrainingSoFar, allow_none=True)

    @dataclass(frozen=True)
    class State:
        text: str = choice("bedtime stories", "Text to learn from", [*texts.NAMES, OWN], "min(380px, 98%)")
        own: str = typed("", lambda value: text_area(value, HINT), longest=4 * LONGEST)
        start: str = line("Once upon a time", "The sentence begins with", live=True)
        seed: int = seed(0)
        lesson: Lesson | None = picked(
            None, lambda lesson, _: lesson is None or isinstance(lesson, tuple), "a Lesson, or None"
        )
        message: str = picked("", lambda message, _: isinstance(message, str), "a sentence")
        step: int | None = snapshot_step()
        point: int | None = selection("curves")
        token: int | None = selection("sentence")

    def __init__(
        self,
        text: str = "bedtime stories",
        *,
        letters: int | None = None,
        steps: int = STEPS,
        control: Pretraining | None = None,
        **state,
    ):
        self.letters, self.steps, self.control = letters, steps, control
        super().__init__(control, text=text, **state)

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Return the steps after which there is a snapshot of the model."""
        run = self.scene(self.state).result("learn")
        return tuple(at.step for at in run.snapshots) if run else (0,)

    # --- what happens ---

    @press("Train", look="primary", when=lambda _, scene: scene.status("learn") != "running")
    def train(self, state: State) -> State:
        """Begin a training from random weights; if the text cannot be learned from, say why."""
        source = read(state.text, state.own, self.letters)
        try:
            if source.text:
                training.pretrain(source.text, SMALL)  # ValueError if the text is no good
        except ValueError as error:
            source = OwnText("", as_sentence(error))
        if not source.text:
            stays = " The trained model is unchanged." if self.trace else ""
            return replace(state, message=f"{source.message}{stays}")
        number = state.lesson[-1] + 1 if state.lesson else 1
        own = source.text if state.text == OWN else ""
        return replace(
            state, lesson=(state.text, own, self.steps, state.seed, number), message=source.message, step=None
        )

    def before_a_page(self) -> None:
        """Do a training that a page without a kernel can show, if there is time for it."""
        before = self.state
        self._happen(Pretraining.train)
        if self.state.lesson and self.do_job("learn", self.state, TRAINED_WITHIN):
            done = "This training was done when the page was built."
            self.become(replace(self.state, message=f"{done} {self.state.message}".strip()))
        else:
            missing = "This page was built without this training. The full version can do it."
            self.become(replace(before, message=missing))

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["train"], self.controls["text"], self.controls["seed"]]

    def fitted(self, state: State) -> State:
        """Return the state unchanged, because a new run of the control changes nothing here."""
        return state

    def inputs(self) -> tuple:
        return (self.letters,)

    def needs(self, state: State) -> str | None:
        return "learn" if state.lesson else None

    @job("lesson")
    def learn(self, scene: Scene) -> Iterator[tuple[float, TrainingSoFar | None]]:
        if so_far := scene.result("learn"):
            rest = so_far.rest
        else:
            name, own, steps, seed, _ = scene.lesson
            rest = train_on(name, own or read(name, letters=self.letters).text, steps, seed)
        for share, run in rest:
            yield share, run and replace(run, rest=rest)

    def hand_on(self, scene: Scene) -> None:
        run = scene.result("learn")
        if run and (run.last.step in SNAPSHOTS or scene.status("learn") != "running"):
            self.trace = run

    # --- parts ---

    @looks("own")
    def own_text(self, scene: Scene) -> dict:
        return {"hidden": scene.text != OWN}

    @sentences
    def status(self, scene: Scene) -> list[str]:
        run, status = scene.result("learn"), scene.status("learn")
        if run:
            at = f"Step {run.last.step} of {run.steps}, after {run.last.seconds:.0f} s of work."
        else:
            at = BEGINS if status == "running" else ""
        return [
            scene.message,
            at,
            as_sentence(run.error) if run and run.error else "",
            "Stopped." if status == "stopped" else "",
            "" if scene.start else "Type how the sentence begins.",
        ]

    @looks("step")
    def before_training(self, scene: Scene) -> dict:
        return {"hidden": scene.result("learn") is None}

    @part(TokenStrip, [])
    def sentence(self, scene: Scene) -> dict:
        at = scene.known("learn").at(scene.step)
        pieces = at.model.tokenizer.pieces(continuation(at, scene.start))
        return {
            "pieces": pieces,
            "selected": selected(scene.token, len(pieces)),
            "caption": f"What the model writes after {at.step} steps of training (temperature {WARM.temperature:g})",
        }

    @part(
        lambda view: LinePlot(
            x_axis="step",
            y_axis=f"surprise (bits per {'byte' if view.control else 'token'})",
            unit="bits",
            y_max=None if view.control else math.log2(SMALL.n_vocab),
            caption="The model's surprise (loss) at its training text and at the held-out tenth",
            waiting="press “Train”",
            stage="training",
        )
    )
    def curves(self, scene: Scene) -> dict:
        run, names = scene.result("learn"), ["training text", "held-out text", *COUNTED]
        names += ["the first model: held-out text"] if self.control else []
        if run is None:
            return {"names": names, "x": None, "values": None, "selected": None}
        run = run.a_byte() if self.control else run
        x, learned, held_out = np.array(run.points).T
        values = [learned, held_out, *(np.full(len(x), bits) for bits in run.baselines)]
        if self.control:
            control = {step: held_out for step, _, held_out in scene.run.a_byte().points} if scene.run else {}
            values.append(np.array([control.get(step, math.nan) for step in x]))
        return {"names": names, "x": x, "values": np.stack(values), "selected": selected(scene.point, len(x))}

    @part(Table)
    def figures(self, scene: Scene) -> dict:
        run = scene.known("learn")
        if run.error or scene.status("learn") == "running":
            raise NothingToShow
        runs = {"this model": run} | ({"the first model": scene.run} if self.control and scene.run else {})
        columns = [figures(run, a_byte=self.control is not None) for run in runs.values()]
        rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
        heads = ("measured", *(f"{name}, after {run.last.step} steps" for name, run in runs.items()))
        return {"heads": heads, "sections": {"": rows}}


def figures(run: TrainingSoFar, *, a_byte: bool) -> dict[str, str]:
    """Return the numbers of a training by their names. a_byte: in bits per byte, to compare vocabularies."""
    losses = run.a_byte() if a_byte else run
    step, learned, held_out = losses.points[-1]
    written, longest, control = run.copied
    unit = "bits per byte" if a_byte else "bits per token"
    at = "" if step == run.last.step else f" at step {step}"  # a training that was stopped
    rows = {
        "surprise at the training text (mean of five steps)": f"{learned:.2f} {unit}{at}",
        "surprise at the held-out text": f"{held_out:.2f} {unit}{at}",
    } | {f"the same, {how}": f"{bits:.2f} {unit}" for how, bits in zip(COUNTED, losses.baselines)}
    if not a_byte:
        share, bits = run.repeats
        outside = ", ".join(f"{who} {by:.2f}" for who, by in zip(("the model", *COUNTED), bits[:, 1]))
        rows |= {
            f"held-out text outside repeats ({REPEATED} or more characters in a row from the training text)": (
                f"{100 * (1 - share):.0f}% of its tokens (we measured at most {READ_AGAIN:,} characters)"
            ),
            "surprise outside repeats": "there is none" if share == 1 else f"{outside} {unit}",
        }
    marked = in_a_line(written.replace(longest, f"[[{longest}]]", 1))
    return rows | {
        "another text that it wrote, with the longest passage copied from the training text in [[ ]]": marked,
        "length of that passage": f"{len(longest)} of {len(written)} characters",
        f"longest one in {len(control)} held-out stretches as long as what it wrote": f"{control[-1]} characters",
    }


@kept_with()
def continuation(snapshot: Progress, start: str) -> list[int]:
    """Return the tokens of a start and of its continuation by the model of a snapshot, all with the same draws."""
    start, _ = drop_unwritable(start, snapshot.model.tokenizer.ranks)
    return write_tokens(snapshot.model, start) if start else []


def in_a_line(text: str) -> str:
    """Return a text that a model wrote in one line, as a sentence can show it."""
    return " ".join(legible(clean(text)).split())
