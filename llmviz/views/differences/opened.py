"""A small model opened while it learns: where its tokens lie, and what its heads do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

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
from llmviz.training import Progress
from llmviz.views.differences.learner import Learner
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.kit.background import Background, Steps
from llmviz.views.kit.controls import Told
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.predict import within

T = TypeVar("T")
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
# In the order of `ablate_each_part`.
PARTS = ("attention of layer 0", "FFN of layer 0", "attention of layer 1", "FFN of layer 1")


def has_grown(score: float, noise: float, chat: float) -> bool:
    """Whether a habit is nearer to the chat model's best head than to noise."""
    return score > (noise + chat) / 2


def of_each(kept: Sequence[Progress], known: dict[int, T], measure: Callable[[Model], T]) -> dict[int, T]:
    """What is measured of each snapshot's model, by the snapshot's id; only those that are not known yet are measured.

    The learner keeps them alive, so that no id comes twice.
    """
    return {id(one): known[id(one)] if id(one) in known else measure(one.model) for one in kept}


class PiecesMap(Explorer):
    """The rows of the most frequent tokens on a flat map (PCA), at each step that the learner has kept."""

    def __init__(self, learner: Learner):
        self.learner = learner
        self.step = ipywidgets.SelectionSlider(
            options=[("–", 0)],
            description="Step",
            style={"description_width": "initial"},
            layout={"width": "min(500px, 98%)"},
        )
        self.flat = FlatMap(stage="embeddings", groups=list(KINDS))
        self.told = Told()
        super().__init__([self.step, self.flat, self.told])
        self.watch(learner, self._read, "kept")
        self.step.observe(self._draw, "value")
        self._read()

    def share(self) -> float:
        """How many of a piece's nearest are of its own kind, in the last model, in %."""
        return 100 * share_of_kind(self._rows(self.learner.model), self.kinds)

    @one_at_a_time
    def _read(self, _change=None) -> None:
        kept = self.learner.kept
        self.step.layout.display = self.flat.layout.display = "" if kept else "none"
        if not kept:
            self.told.say("Train the first model: its map grows here.")
            return
        model, text = kept[-1].model, self.learner.learned
        if kept[0] is not getattr(self, "_first", None):  # another training
            self._first, self.tokens = kept[0], frequent(model, text)
            self.pieces = model.tokenizer.pieces(self.tokens)
            self.kinds = np.array([kind_of(piece) for piece in self.pieces], int)
            self.blindly = share_by_chance(self._rows(model), self.kinds)
            self.counted = share_of_kind(by_neighbours(model, text, self.tokens), self.kinds)
        with self.quietly():
            self.step.options = [(f"{one.step}", i) for i, one in enumerate(kept)]
            self.step.value = len(kept) - 1
        self._show()

    @by_the_reader
    def _draw(self, _change=None) -> None:
        self._show()

    def _rows(self, model: Model) -> np.ndarray:
        return embeddings.embed(self.tokens, model.weights.W_E)

    def _show(self) -> None:
        kept = self.learner.kept
        last = embeddings.pca(self._rows(kept[-1].model))
        rows = self._rows(kept[self.step.value].model)
        seen = embeddings.aligned(embeddings.pca(rows), last.directions)
        step = kept[self.step.value].step
        self.flat.change(
            selected=None,
            pieces=self.pieces,
            places=seen.coordinates,
            group_of=self.kinds.tolist(),
            axes=[f"direction: {percent(share)} of the variance" for share in seen.explained],
            caption=f"The {len(self.pieces)} most frequent tokens after {step} steps, on a flat map",
        )
        shares = [
            share_of_kind(self._rows(one.model), self.kinds) for one in (kept[0], kept[self.step.value])
        ]
        self.told.say(
            f"Of a token's {N_NEAREST} nearest (in all {rows.shape[1]} numbers) {percent(shares[1])} are of its own "
            f"kind after {step} steps; {percent(shares[0])} before the first; {percent(self.blindly)} with the kinds "
            "dealt out at random.",
            f"The control without a network: each token is described by how often every other is next to it in the "
            f"text. Then {percent(self.counted)} of the nearest are of its own kind.",
        )


class HeadsGrowing(Explorer):
    """How far the model's heads have each of six habits, at each step that the learner has kept.

    `habits` is [n_kept, 6, n_layers, n_heads]; None before there is a model. chat: a finished model, whose best
    induction head is measured alike and told beside them when the training is over.
    """

    def __init__(self, learner: Learner, chat: Model):
        self.learner, self.chat = learner, chat
        self.curves = LinePlot(
            names=list(HABITS),
            x_axis="step",
            y_axis="mean weight",
            unit="share",
            y_max=1.0,
            stage="attention",
            caption="For each habit, the head of the model that has it most",
        )
        self.told, self.verdict = Told(), Told()
        super().__init__([self.curves, self.told, self.verdict])
        self.habits: np.ndarray | None = None
        self._known: dict[int, np.ndarray] = {}
        self._work = Background(self)
        self.watch(learner, self._read, "kept")
        self.watch(learner, self._judge, "finished")
        self._read()
        self._judge()

    def grown(self) -> tuple[int, ...]:
        """Which of HABITS grew most, in the head that has it most, or nearly. ValueError before there is a model."""
        if self.habits is None:
            raise ValueError("no model is trained yet")
        best = self.habits.max(axis=(2, 3))
        return within(best[-1] - best[0], TIED_WEIGHTS)

    @one_at_a_time
    def _read(self, _change=None) -> None:
        kept = self.learner.kept
        self.curves.layout.display = "" if kept else "none"
        if not kept:
            self.told.say("Train the first model: its heads grow here.")
            return
        model = kept[-1].model
        twice = passages(model, self.learner.held_out)
        self._known = of_each(kept, self._known, lambda one: habits(one, twice))
        self.habits = np.stack([*self._known.values()])
        best = self.habits.max(axis=(2, 3))
        self.curves.change(labels=[f"{one.step}" for one in kept], values=best.T)
        first, again = surprise_when_repeated(model, twice)
        self.told.say(
            f"{len(twice)} passages of the held-out text, each read twice in a row. A weight is the mean over them.",
            *(
                f"{name} (attends to {what}): from {percent(best[0, i])} to {percent(best[-1, i])}."
                for i, (name, what) in enumerate(HABITS.items())
            ),
            f"Surprise after {kept[-1].step} steps: {first:.2f} bits a token the first time, {again:.2f} the second.",
        )

    @one_at_a_time
    def _judge(self, _change=None) -> None:
        self._work.stop()  # it would tell of the model before
        self.verdict.say()
        if self.learner.finished and not np.isnan(self.habits[-1, INDUCTION]).all():
            self._work.start(self._of_chat())

    def _of_chat(self) -> Steps:
        """The chat model reads passages of the same text, one a step."""
        self.verdict.say("The chat model reads the same text …")
        found = []
        for one in passages(self.chat, self.learner.held_out, N_OF_CHAT):
            yield 0.05
            found.append(habits(self.chat, [one])[INDUCTION])
        chat = float(np.nanmean(found, axis=0).max())
        noise, now = self.habits[[0, -1], INDUCTION].max(axis=(1, 2)).tolist()
        yes = "One has grown" if has_grown(now, noise, chat) else "None has grown"
        self.verdict.say(
            f"An induction head? {yes}: the best head has {percent(now)} here, {percent(noise)} in noise, and "
            f"{percent(chat)} in the chat model."
        )


class PartsOff(Explorer):
    """What each part of the model brings, at each step that the learner has kept: how much more the held-out text
    surprises where the part adds always the same, its mean over other stretches.

    `costs` is [n_kept, 4] in bits a token, in the order of PARTS.
    """

    def __init__(self, learner: Learner):
        self.learner = learner
        self.curves = LinePlot(
            names=list(PARTS),
            x_axis="step",
            y_axis="bits a token more",
            unit="bits",
            stage="ffn",
            caption="How much more the held-out text surprises, with one part's output replaced by its average",
        )
        self.told = Told()
        super().__init__([self.curves, self.told])
        self._known: dict[int, tuple] = {}
        self.watch(learner, self._read, "kept")
        self._read()

    def most(self) -> tuple[int, ...]:
        """Which of PARTS the last model can least do without, or nearly."""
        return within(self.costs[-1], TIED_COSTS)

    @one_at_a_time
    def _read(self, _change=None) -> None:
        kept = self.learner.kept
        self.curves.layout.display = "" if kept else "none"
        if not kept:
            self.told.say("Train the first model: what its parts bring is measured here.")
            return
        texts = windows(kept[-1].model, self.learner.held_out)
        self._known = of_each(kept, self._known, lambda one: ablate_each_part(one, texts))
        found = [*self._known.values()]
        self.costs = np.array([usual for _, _, usual in found])
        self.curves.change(labels=[f"{one.step}" for one in kept], values=self.costs.T)
        plain, nothing, usual = found[-1]
        self.told.say(
            f"After {kept[-1].step} steps the whole model has {plain:.2f} bits a token at {N_WINDOWS // 2} stretches. "
            "How much more with a part's output replaced by its average over other stretches (or by nothing):",
            *(f"{part}: {more:.2f} bits ({none:.2f})." for part, more, none in zip(PARTS, usual, nothing)),
        )
