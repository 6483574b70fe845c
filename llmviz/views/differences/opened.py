"""A small model opened while it learns: where its tokens lie, and what its heads do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import embeddings
from llmviz.experiments import attention_behaviours
from llmviz.experiments.attention_behaviours import INDUCTION, habits
from llmviz.experiments.learning import (
    KINDS,
    N_NEAREST,
    N_WINDOWS,
    ablate_each_part,
    by_neighbours,
    frequent,
    kind_of,
    passages,
    share_by_chance,
    share_of_kind,
    surprise_when_repeated,
    windows,
)
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.training import Progress
from llmviz.views.differences.learner import Learner
from llmviz.views.differences.training_run import TrainingRun
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.predict import within
from llmviz.views.kit.state_fields import picked, selected, selection
from llmviz.views.kit.view import Scene, View, job, looks, part, sentences

# What a head with each of these habits attends to.
HABITS = dict(
    zip(
        attention_behaviours.HABITS,
        (
            "the token that it stands at",
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
# In the order of `parts_off`.
PARTS = ("attention of layer 0", "FFN of layer 0", "attention of layer 1", "FFN of layer 1")

# --- what is measured of a snapshot: once --------------------------------------------------------------------------


@kept_with()
def frequent_pieces(first: Progress, text: str) -> tuple[list[int], list[str], np.ndarray]:
    """Return the most frequent tokens of a text as the model of a first snapshot cuts it, their pieces, their kinds."""
    tokens = frequent(first.model, text)
    pieces = first.model.tokenizer.pieces(tokens)
    return tokens, pieces, np.array([kind_of(piece) for piece in pieces], int)


@kept_with()
def shares_of_controls(first: Progress, text: str) -> tuple[float, float]:
    """Measure the share of a token's nearest that are of its own kind: kinds shuffled; rows of counted neighbours."""
    tokens, _, kinds = frequent_pieces(first, text)
    rows = embeddings.embed(tokens, first.model.weights.W_E)
    return share_by_chance(rows, kinds), share_of_kind(by_neighbours(first.model, text, tokens), kinds)


@kept_with()
def habits_of(snapshot: Progress, text: str) -> np.ndarray:
    """Measure how far a snapshot's heads have each of HABITS, on passages read twice: [6, n_layers, n_heads]."""
    return habits(snapshot.model, passages(snapshot.model, text))


@kept_with()
def costs_of(snapshot: Progress, text: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Measure what each part of a snapshot's model brings; see `ablate_each_part`."""
    return ablate_each_part(snapshot.model, windows(snapshot.model, text))


# --- answers of guess cards -------------------------------------------------------------------------------------------


def share_of_own_kind(run: TrainingRun) -> float:
    """Measure how many of a piece's nearest are of its own kind, in the last model, in %."""
    return 100 * share_at(run, run.last)


def share_at(run: TrainingRun, snapshot: Progress) -> float:
    """Measure which share of a piece's nearest are of its own kind, in a snapshot."""
    tokens, _, kinds = frequent_pieces(run.snapshots[0], run.learned)
    return share_of_kind(embeddings.embed(tokens, snapshot.model.weights.W_E), kinds)


def grown_most(run: TrainingRun) -> tuple[int, ...]:
    """Return which of HABITS grew most, in the head that has it most, or nearly."""
    return within(best_heads(run, run.last) - best_heads(run, run.snapshots[0]), TIED_WEIGHTS)


def best_heads(run: TrainingRun, snapshot: Progress) -> np.ndarray:
    """Return [6], for each of HABITS how far the head has it that has it most."""
    return habits_of(snapshot, run.held_out).max(axis=(1, 2))


def needed_most(run: TrainingRun) -> tuple[int, ...]:
    """Return which of PARTS the last model can least do without, or nearly."""
    _, _, usual = costs_of(run.last, run.held_out)
    return within(usual, TIED_COSTS)


def has_grown(score: float, noise: float, chat: float) -> bool:
    """Return whether a habit is nearer to the chat model's best head than to noise."""
    return score > (noise + chat) / 2


# --- views -----------------------------------------------------------------------------------------------------------


class OfTraining(View):
    """A view of a learner's `TrainingRun`; None before there is one."""

    @dataclass(frozen=True)
    class State:
        """The snapshot that is selected in the plot."""

        point: int | None = selection("curves")

    def __init__(self, learner: Learner, **state):
        super().__init__(learner, **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        return [*self.controls.values(), *self.parts.values()]


class PiecesMap(OfTraining):
    """The rows of the most frequent tokens on a flat map (PCA), at each snapshot of a training."""

    @dataclass(frozen=True)
    class State:
        """The snapshot that is shown, by its step (None: the last), and the chosen point."""

        step: int | None = picked(
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

    @part(lambda _: FlatMap(stage="embeddings", groups=list(KINDS)))
    def flat(self, scene: Scene) -> dict:
        run = scene.run
        if run is None:
            return {"hidden": True}
        snapshot, (tokens, pieces, kinds) = run.at(scene.step), frequent_pieces(run.snapshots[0], run.learned)
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
        run = scene.run
        if run is None:
            return ["Train the first model: its map grows here."]
        first, snapshot = run.snapshots[0], run.at(scene.step)
        by_chance, counted = shares_of_controls(first, run.learned)
        return [
            f"Of a token's {N_NEAREST} nearest (in all {run.model.config.d_model} numbers) "
            f"{percent(share_at(run, snapshot))} are of its own kind after {snapshot.step} steps; "
            f"{percent(share_at(run, first))} before the first; {percent(by_chance)} with the kinds dealt out at "
            "random.",
            f"The control without a network: each token is described by how often every other is next to it in the "
            f"text. Then {percent(counted)} of the nearest are of its own kind.",
        ]


class HeadsGrowing(OfTraining):
    """How far the model's heads have each of six habits, at each snapshot of a training.

    chat: a finished model, whose best induction head is measured too, and compared when the training is over.
    """

    def __init__(self, learner: Learner, chat: Model, **state):
        self.chat = chat
        super().__init__(learner, **state)

    def arrange(self) -> list[ipywidgets.Widget]:
        return [self.parts["curves"], self.parts["message"], self.progress, self.parts["verdict"]]

    def needs(self, _state: object) -> str | None:
        finished = self.run and self.run.finished
        is_long_enough = finished and not np.isnan(best_heads(self.run, self.run.last)[INDUCTION])
        return "read_by_chat" if is_long_enough else None

    @job()
    def read_by_chat(self, scene: Scene) -> Iterator[tuple[float, float | None]]:
        """Measure the chat model's best induction head on passages of the same text, one a step."""
        measured, of_chat = [], passages(self.chat, scene.run.held_out, N_OF_CHAT)
        for i, passage in enumerate(of_chat):
            yield i / len(of_chat), None
            measured.append(habits(self.chat, [passage])[INDUCTION])
        yield 1.0, float(np.nanmean(measured, axis=0).max())

    @part(
        lambda _: LinePlot(
            names=list(HABITS),
            x_axis="step",
            y_axis="mean weight",
            unit="share",
            y_max=1.0,
            stage="attention",
            caption="For each habit, the head of the model that has it most",
        )
    )
    def curves(self, scene: Scene) -> dict:
        return over_snapshots(scene, lambda at: best_heads(scene.run, at))

    @sentences
    def message(self, scene: Scene) -> list[str]:
        run = scene.run
        if run is None:
            return ["Train the first model: its heads grow here."]
        before, now = best_heads(run, run.snapshots[0]), best_heads(run, run.last)
        twice = passages(run.model, run.held_out)
        first, again = surprise_when_repeated(run.model, twice)
        return [
            f"{len(twice)} passages of the held-out text, each read twice in a row. A weight is the mean over "
            "them.",
            *(
                f"{name} (attends to {what}): from {percent(before[i])} to {percent(now[i])}."
                for i, (name, what) in enumerate(HABITS.items())
            ),
            f"Surprise after {run.last.step} steps: {first:.2f} bits a token the first time, {again:.2f} the "
            "second.",
        ]

    @sentences
    def verdict(self, scene: Scene) -> list[str]:
        if not self.needs(scene.state):
            return []
        if (chat := scene.result("read_by_chat")) is None:
            return ["The chat model reads the same text …"]
        run = scene.run
        noise, now = (float(best_heads(run, at)[INDUCTION]) for at in (run.snapshots[0], run.last))
        grown = "One has grown" if has_grown(now, noise, chat) else "None has grown"
        return [
            f"An induction head? {grown}: the best head has {percent(now)} here, {percent(noise)} in noise, and "
            f"{percent(chat)} in the chat model."
        ]


def over_snapshots(scene: Scene, measure: Callable[[Progress], np.ndarray]) -> dict:
    """Return the traits of a plot with a line for each number that is measured of each snapshot of a training."""
    if scene.run is None:
        return {"hidden": True}
    steps = [f"{snapshot.step}" for snapshot in scene.run.snapshots]
    values = np.stack([measure(snapshot) for snapshot in scene.run.snapshots], axis=1)
    return {"labels": steps, "values": values, "selected": selected(scene.point, len(steps))}


class PartsOff(OfTraining):
    """What each part of the model brings, at each snapshot of a training.

    It is how much more the held-out text surprises, in bits a token, where the part adds always the same, its mean over
    other stretches.
    """

    @part(
        lambda _: LinePlot(
            names=list(PARTS),
            x_axis="step",
            y_axis="bits a token more",
            unit="bits",
            stage="ffn",
            caption="How much more the held-out text surprises, with one part's output replaced by its average",
        )
    )
    def curves(self, scene: Scene) -> dict:
        return over_snapshots(scene, lambda at: costs_of(at, scene.run.held_out)[2])

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if scene.run is None:
            return ["Train the first model: what its parts bring is measured here."]
        plain, nothing, usual = costs_of(scene.run.last, scene.run.held_out)
        return [
            f"After {scene.run.last.step} steps the whole model has {plain:.2f} bits a token at {N_WINDOWS // 2} "
            "stretches. How much more with a part's output replaced by its average over other stretches (or by "
            "nothing):",
            *(f"{part}: {more:.2f} bits ({none:.2f})." for part, more, none in zip(PARTS, usual, nothing)),
        ]
