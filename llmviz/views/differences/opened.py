"""A small model opened while it learns: where its tokens are, and what its heads do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import ipywidgets
import numpy as np

from llmviz import embeddings
from llmviz.experiments import attention_behaviours, learning
from llmviz.experiments.attention_behaviours import INDUCTION, habits
from llmviz.experiments.learning import KINDS, N_NEAREST, N_WINDOWS, habits_in, part_costs
from llmviz.experiments.training_run import TrainingSoFar
from llmviz.model import Model
from llmviz.training import Progress
from llmviz.views.differences.learner import Learner
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.predict import within
from llmviz.views.kit.state_fields import picked, selected, selection
from llmviz.views.kit.view import NothingToShow, Scene, View, job, looks, part, sentences, shared

# What a head with each of these habits attends to.
HABITS = dict(
    zip(
        attention_behaviours.HABITS,
        (
            "the current token",
            "the token just before",
            "the token before that",
            "the very first token",
            "an earlier copy of itself",
            "what came after an earlier copy",
        ),
    )
)
TIED_WEIGHTS, TIED_COSTS = 0.03, 0.1  # differences that another seed turns round; costs in bits a token
N_OF_CHAT = 4  # passages that the chat model reads: it takes longer
# In the order of `part_costs`.
PARTS = ("attention of layer 0", "FFN of layer 0", "attention of layer 1", "FFN of layer 1")

# --- answers of guess cards ---


def share_of_own_kind(run: TrainingSoFar) -> float:
    """Return how many of a piece's nearest are of its own kind, in the last model, in %."""
    return 100 * learning.share_of_own_kind(run.model, run.learned)


def grown_most(run: TrainingSoFar) -> tuple[int, ...]:
    """Return which of HABITS grew most, in the head that has it most, or nearly."""
    first, last = (habits_in(at.model, run.held_out) for at in (run.snapshots[0], run.last))
    return within(last - first, TIED_WEIGHTS)


def needed_most(run: TrainingSoFar) -> tuple[int, ...]:
    """Return which of PARTS the last model can least do without, or nearly."""
    _, _, usual = part_costs(run.model, run.held_out)
    return within(usual, TIED_COSTS)


# --- views ---


class OfTraining(View):
    """A view of a learner's `TrainingSoFar`; before there is one, it says what it waits for."""

    stage = "attention"
    waits_for: ClassVar[str]

    @dataclass(frozen=True)
    class State:
        point: int | None = selection("curves")

    def __init__(self, learner: Learner, **state: Any):
        super().__init__(learner, **state)

    @shared
    def training(self, scene: Scene) -> TrainingSoFar:
        if scene.run is None:
            raise NothingToShow(f"Train the first model: {self.waits_for} here.")
        return scene.run


class PiecesMap(OfTraining):
    """The rows of the most frequent tokens on a flat map (PCA), at each snapshot of a training."""

    stage, waits_for = "embeddings", "its map grows"
    arrangement = ("step", "flat", "message")

    @dataclass(frozen=True)
    class State:
        step: int | None = picked(  # None: the last
            None,
            lambda step, view: step is None or step in view.steps,
            "the step of a snapshot, or None",
            shows=lambda step, view: {
                "options": view.steps,
                "value": view.steps[-1] if step is None else step,
            },
            control=lambda _, view: ipywidgets.SelectionSlider(
                options=view.steps,
                description="Step",
                style={"description_width": "initial"},
                layout={"width": "min(500px, 98%)"},
            ),
            on_page=lambda view: view.steps,
        )
        point: int | None = selection("flat")

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps of the snapshots."""
        return tuple(snapshot.step for snapshot in self.run.snapshots) if self.run else (0,)

    @looks("step")
    def before_training(self, scene: Scene) -> dict:
        return {"hidden": scene.run is None}

    @part(FlatMap, groups=list(KINDS))
    def flat(self, scene: Scene) -> dict:
        run, snapshot = scene.training, scene.training.at(scene.step)
        tokens, pieces, kinds = learning.frequent_pieces(run.model, run.learned)
        now, last = (
            embeddings.pca(embeddings.embed(tokens, at.model.weights.W_E)) for at in (snapshot, run.last)
        )
        plane = embeddings.aligned(now, last.directions)
        return {
            "selected": selected(scene.point, len(pieces)),
            "pieces": pieces,
            "places": plane.coordinates,
            "group_of": kinds.tolist(),
            "axes": [f"direction: {percent(share)} of the variance" for share in plane.explained],
            "caption": f"The {len(pieces)} most frequent tokens after {snapshot.step} steps, on a flat map",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        run, first, now = scene.training, scene.training.snapshots[0], scene.training.at(scene.step)
        before, after = (percent(learning.share_of_own_kind(at.model, run.learned)) for at in (first, now))
        by_chance, counted = map(percent, learning.shares_without_training(first.model, run.learned))
        return [
            f"Of a token's {N_NEAREST} nearest (in all {run.model.config.d_model} numbers) {after} are of its own kind "
            f"after {now.step} steps; {before} before the first; {by_chance} with the kinds dealt out at random.",
            f"The control without a network: each token is described by how often every other is next to it in the "
            f"text. Then {counted} of the nearest are of its own kind.",
        ]


class HeadsGrowing(OfTraining):
    """How far the model's heads have each of six habits, at each snapshot of a training.

    chat: a finished model, whose best induction head is measured too, and compared when the training is over.
    """

    waits_for = "its heads grow"
    arrangement = ("curves", "message", "progress", "verdict")

    def __init__(self, learner: Learner, chat: Model, **state: Any):
        self.chat = chat
        super().__init__(learner, **state)

    def needs(self, _state: object) -> str | None:
        finished = self.run and self.run.finished
        is_long_enough = finished and not np.isnan(habits_in(self.run.model, self.run.held_out)[INDUCTION])
        return "read_by_chat" if is_long_enough else None

    @job()
    def read_by_chat(self, scene: Scene) -> Iterator[tuple[float, float | None]]:
        """Measure the chat model's best induction head on passages of the same text, one a step."""
        measured, of_chat = [], learning.passages(self.chat, scene.run.held_out, N_OF_CHAT)
        for i, passage in enumerate(of_chat):
            yield i / len(of_chat), None
            measured.append(habits(self.chat, [passage])[INDUCTION])
        yield 1.0, float(np.nanmean(measured, axis=0).max())

    @part(
        LinePlot,
        names=list(HABITS),
        x_axis="step",
        y_axis="mean weight",
        unit="share",
        y_max=1.0,
        caption="For each habit, the head of the model that has it most",
    )
    def curves(self, scene: Scene) -> dict:
        return over_snapshots(scene, lambda at: habits_in(at.model, scene.training.held_out))

    @sentences
    def message(self, scene: Scene) -> list[str]:
        run = scene.training
        before, now = (habits_in(at.model, run.held_out) for at in (run.snapshots[0], run.last))
        twice = learning.passages(run.model, run.held_out)
        first, again = learning.surprise_when_repeated(run.model, twice)
        return [
            f"{len(twice)} passages of the held-out text, each read twice in a row. A weight is the mean over them.",
            *(
                f"{name} (attends to {what}): from {percent(before[i])} to {percent(now[i])}."
                for i, (name, what) in enumerate(HABITS.items())
            ),
            f"Surprise after {run.last.step} steps: {first:.2f} bits a token the first time, {again:.2f} the second.",
        ]

    @sentences
    def verdict(self, scene: Scene) -> list[str]:
        if not self.needs(scene.state):
            return []
        if (chat := scene.result("read_by_chat")) is None:
            return ["The chat model reads the same text …"]
        run = scene.training
        noise, now = (
            float(habits_in(at.model, run.held_out)[INDUCTION]) for at in (run.snapshots[0], run.last)
        )
        grown = "One has grown" if now > (noise + chat) / 2 else "None has grown"
        return [
            f"An induction head? {grown}: the best head has {percent(now)} here, {percent(noise)} in noise, and "
            f"{percent(chat)} in the chat model."
        ]


def over_snapshots(scene: Scene, measure: Callable[[Progress], np.ndarray]) -> dict:
    """Return the traits of a plot with a line for each number that is measured of each snapshot of a training."""
    snapshots = scene.training.snapshots
    return {
        "labels": [f"{snapshot.step}" for snapshot in snapshots],
        "values": np.stack([measure(snapshot) for snapshot in snapshots], axis=1),
        "selected": selected(scene.point, len(snapshots)),
    }


class PartsOff(OfTraining):
    """How much each part of the model matters, at each snapshot of a training.

    It is how much the surprise at the held-out text rises, in bits a token, when the part's output is replaced by its
    mean over other stretches.
    """

    stage, waits_for = "ffn", "the effect of each part is measured"

    @part(
        LinePlot,
        names=list(PARTS),
        x_axis="step",
        y_axis="bits a token more",
        unit="bits",
        caption="How much more the held-out text surprises, with one part's output replaced by its average",
    )
    def curves(self, scene: Scene) -> dict:
        return over_snapshots(scene, lambda at: part_costs(at.model, scene.training.held_out)[2])

    @sentences
    def message(self, scene: Scene) -> list[str]:
        run = scene.training
        plain, nothing, usual = part_costs(run.model, run.held_out)
        return [
            f"After {run.last.step} steps the whole model has {plain:.2f} bits a token at {N_WINDOWS // 2} stretches. "
            "How much more with a part's output replaced by its average over other stretches (or by nothing):",
            *(f"{part}: {more:.2f} bits ({none:.2f})." for part, more, none in zip(PARTS, usual, nothing)),
        ]
