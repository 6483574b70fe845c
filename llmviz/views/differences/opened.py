"""A small model opened while it learns: where its tokens lie, and what its heads do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from weakref import ref

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


@dataclass(frozen=True)
class FrequentPieces:
    """The most frequent tokens of a text, with their kinds.

    by_chance, counted: the share of a token's nearest that are of its own kind, with the kinds dealt out at random, and
    with rows of counted neighbours in place of a network's.
    """

    tokens: list[int]
    pieces: list[str]
    kinds: np.ndarray
    by_chance: float
    counted: float


@kept_with()
def frequent_pieces(first: Progress, text: str) -> FrequentPieces:
    """Return the most frequent pieces of a text, as the model of a first snapshot cuts it."""
    tokens = frequent(first.model, text)
    pieces = first.model.tokenizer.pieces(tokens)
    kinds = np.array([kind_of(piece) for piece in pieces], int)
    by_chance = share_by_chance(rows_of(first, tokens), kinds)
    counted = share_of_kind(by_neighbours(first.model, text, tokens), kinds)
    return FrequentPieces(tokens, pieces, kinds, by_chance, counted)


def rows_of(snapshot: Progress, tokens: list[int]) -> np.ndarray:
    """Return the rows [n, d_model] of these tokens in a snapshot's embedding table."""
    return embeddings.embed(tokens, snapshot.model.weights.W_E)


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
    known = frequent_pieces(run.snapshots[0], run.learned)
    return 100 * share_of_kind(rows_of(run.last, known.tokens), known.kinds)


def grown_most(run: TrainingRun) -> tuple[int, ...]:
    """Return which of HABITS grew most, in the head that has it most, or nearly."""
    first, last = (habits_of(run.snapshots[i], run.held_out).max(axis=(1, 2)) for i in (0, -1))
    return within(last - first, TIED_WEIGHTS)


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

    def inputs(self) -> object:
        return self.run and ref(self.run)

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
                "options": view.steps or ["–"],
                "value": view.last_step if step is None else step,
            },
            control=lambda _, view: ipywidgets.SelectionSlider(
                options=["–"],
                description="Step",
                style={"description_width": "initial"},
                layout={"width": "min(500px, 98%)"},
            ),
            on_page=lambda view: view.steps,
        )
        point: int | None = selection("flat")

    @property
    def steps(self) -> list[int]:
        """The steps of the snapshots."""
        return [snapshot.step for snapshot in self.run.snapshots] if self.run else []

    @property
    def last_step(self) -> int | str:
        """The step of the last snapshot."""
        return self.steps[-1] if self.run else "–"

    @looks("step")
    def before_training(self, scene: Scene) -> dict:
        return {"hidden": scene.run is None}

    @part(lambda _: FlatMap(stage="embeddings", groups=list(KINDS)))
    def flat(self, scene: Scene) -> dict:
        if scene.run is None:
            return {"hidden": True}
        snapshot, known = (
            snapshot_at(scene),
            frequent_pieces(scene.run.snapshots[0], scene.run.learned),
        )
        last = embeddings.pca(rows_of(scene.run.last, known.tokens))
        plane = embeddings.aligned(embeddings.pca(rows_of(snapshot, known.tokens)), last.directions)
        return {
            "selected": selected(scene.point, len(known.pieces)),
            "pieces": known.pieces,
            "places": plane.coordinates,
            "group_of": known.kinds.tolist(),
            "axes": [f"direction: {percent(share)} of the variance" for share in plane.explained],
            "caption": f"The {len(known.pieces)} most frequent tokens after {snapshot.step} steps, on a flat map",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if scene.run is None:
            return ["Train the first model: its map grows here."]
        snapshot, first = snapshot_at(scene), scene.run.snapshots[0]
        known = frequent_pieces(first, scene.run.learned)
        before, now = (share_of_kind(rows_of(at, known.tokens), known.kinds) for at in (first, snapshot))
        d_model = snapshot.model.config.d_model
        return [
            f"Of a token's {N_NEAREST} nearest (in all {d_model} numbers) {percent(now)} are of its own kind after "
            f"{snapshot.step} steps; {percent(before)} before the first; {percent(known.by_chance)} with the kinds "
            "dealt out at random.",
            f"The control without a network: each token is described by how often every other is next to it in the "
            f"text. Then {percent(known.counted)} of the nearest are of its own kind.",
        ]


def snapshot_at(scene: Scene) -> Progress:
    """Return the snapshot of the chosen step."""
    step = scene.step
    return next((snapshot for snapshot in scene.run.snapshots if snapshot.step == step), scene.run.last)


class HeadsGrowing(OfTraining):
    """How far the model's heads have each of six habits, at each snapshot of a training.

    chat: a finished model, whose best induction head is measured too, and compared when the training is over.
    """

    def __init__(self, learner: Learner, chat: Model, **state):
        self.chat = chat
        super().__init__(learner, **state)

    def needs(self, _state: object) -> str | None:
        return "read_by_chat" if self.run and self.run.finished and not self._is_too_short() else None

    def _is_too_short(self) -> bool:
        """Return whether no passage of the held-out text can be read twice."""
        return bool(np.isnan(habits_of(self.run.last, self.run.held_out)[INDUCTION]).all())

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
        return over_snapshots(scene, lambda at: best_heads(at, scene.run))

    @sentences
    def message(self, scene: Scene) -> list[str]:
        run = scene.run
        if run is None:
            return ["Train the first model: its heads grow here."]
        before, now = (best_heads(snapshot, run) for snapshot in (run.snapshots[0], run.last))
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
        noise, now = (
            float(best_heads(snapshot, scene.run)[INDUCTION])
            for snapshot in (scene.run.snapshots[0], scene.run.last)
        )
        grown = "One has grown" if has_grown(now, noise, chat) else "None has grown"
        return [
            f"An induction head? {grown}: the best head has {percent(now)} here, {percent(noise)} in noise, and "
            f"{percent(chat)} in the chat model."
        ]


def best_heads(snapshot: Progress, run: TrainingRun) -> np.ndarray:
    """Return [6], for each of HABITS how far the head has it that has it most."""
    return habits_of(snapshot, run.held_out).max(axis=(1, 2))


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
