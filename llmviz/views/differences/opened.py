"""A small model opened while it learns: where its pieces lie, and what its heads do."""

from __future__ import annotations

from collections import Counter

import ipywidgets
import numpy as np

from llmviz import attention, embeddings, experiments
from llmviz.model import Model
from llmviz.views.differences.learner import Learner
from llmviz.views.embeddings.flat_map import FlatMap
from llmviz.views.kit.controls import Told
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time, percent

N_PIECES = 120  # the most frequent ones
N_NEAREST = 3
KINDS = ("begins a word", "goes on in a word", "with a capital", "digits", "signs and spaces")
N_PASSAGES, N_PASSAGE = 10, 24  # of the held-out text, each read twice; in tokens
HABITS = {
    "previous token": "the token just before",
    "first token": "the very first token",
    "duplicate": "an earlier copy of itself",
    "induction": "what came after an earlier copy",
}


def kind_of(piece: str) -> int:
    """Which of KINDS a piece is, by its letters."""
    core = piece.strip()
    if not core.isalnum():
        return 4
    if core.isdigit():
        return 3
    if core[0].isupper():
        return 2
    return 0 if piece[0] == " " else 1


def frequent(model: Model, text: str, n: int = N_PIECES) -> list[int]:
    """The most frequent tokens of a text, without single bytes that are no letters."""
    counts = Counter(model.tokenizer.encode(text[:200_000]))
    pieces = dict(zip(counts, model.tokenizer.pieces(list(counts))))
    return [token for token, _ in counts.most_common() if not pieces[token].startswith("<0x")][:n]


def share_of_kind(rows: np.ndarray, kinds: np.ndarray) -> float:
    """How many of each piece's nearest pieces, by cosine, are of its own kind; a share."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :N_NEAREST]
    return float((kinds[nearest] == kinds[:, None]).mean())


def passages(model: Model, text: str) -> list[list[int]]:
    """Passages of a text, each of them twice in a row."""
    tokens = model.tokenizer.encode(text[:20_000])
    starts = np.linspace(0, max(0, len(tokens) - N_PASSAGE), N_PASSAGES).astype(int)
    return [tokens[start : start + N_PASSAGE] * 2 for start in starts]


def habits(model: Model, twice: list[list[int]]) -> np.ndarray:
    """[4 habits, n_layers, n_heads]: the mean weight that each head puts on what each of HABITS names."""
    found = []
    for tokens in twice:
        blocks = model.trace(tokens).blocks
        found.append(np.stack([attention.behaviours(block.patterns(), tokens) for block in blocks], axis=1))
    return np.nanmean(found, axis=0)


def twice_told(model: Model, twice: list[list[int]]) -> tuple[float, float]:
    """The surprise of the passages when they come for the first time and when they come again, in bits a token."""
    bits = np.array([experiments.surprisal(model.trace(tokens)) for tokens in twice])
    n = len(twice[0]) // 2  # the first token of the second time is no repetition yet
    return float(bits[:, : n - 1].mean()), float(bits[:, n:].mean())


class PiecesMap(Explorer):
    """The rows of the most frequent pieces on a flat map (PCA), at each step that the learner has kept."""

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
            blind = np.random.default_rng(0)
            self.blindly = np.mean(
                [share_of_kind(self._rows(model), blind.permutation(self.kinds)) for _ in range(20)]
            )
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
            caption=f"The {len(self.pieces)} most frequent pieces after {step} steps, on a flat map",
        )
        shares = [
            share_of_kind(self._rows(one.model), self.kinds) for one in (kept[0], kept[self.step.value])
        ]
        self.told.say(
            f"Of a piece's {N_NEAREST} nearest (in all {rows.shape[1]} numbers) {percent(shares[1])} are of its own "
            f"kind after {step} steps; {percent(shares[0])} before the first; {percent(self.blindly)} with the kinds "
            "dealt out blindly."
        )


class HeadsGrowing(Explorer):
    """How far the model's heads have each of four habits, at each step that the learner has kept.

    `habits` is [n_kept, 4, n_layers, n_heads]; None before there is a model.
    """

    def __init__(self, learner: Learner):
        self.learner = learner
        self.curves = LinePlot(
            names=list(HABITS),
            x_axis="step",
            y_axis="mean weight",
            unit="share",
            y_max=1.0,
            stage="attention",
            caption="For each habit, the head of the model that has it most",
        )
        self.told = Told()
        super().__init__([self.curves, self.told])
        self.habits: np.ndarray | None = None
        self._known: dict[int, np.ndarray] = {}  # of a model, by its id; the learner keeps the models alive
        self.watch(learner, self._read, "kept")
        self._read()

    def grown(self) -> int:
        """Which of HABITS grew most, in the head that has it most. ValueError before there is a model."""
        if self.habits is None:
            raise ValueError("no model is trained yet")
        best = self.habits.max(axis=(2, 3))
        return int((best[-1] - best[0]).argmax())

    @one_at_a_time
    def _read(self, _change=None) -> None:
        kept = self.learner.kept
        self.curves.layout.display = "" if kept else "none"
        if not kept:
            self.told.say("Train the first model: its heads grow here.")
            return
        model, source = kept[-1].model, self.learner.source.text
        twice = passages(model, source[len(self.learner.learned) :])
        known = self._known
        self._known = {id(one): known.get(id(one)) for one in kept}
        for one in kept:
            if self._known[id(one)] is None:
                self._known[id(one)] = habits(one.model, twice)
        self.habits = np.stack([self._known[id(one)] for one in kept])
        best = self.habits.max(axis=(2, 3))
        self.curves.change(labels=[f"{one.step}" for one in kept], values=best.T)
        first, again = twice_told(model, twice)
        self.told.say(
            f"{len(twice)} passages of the held-out text, each read twice in a row. A weight is the mean over them.",
            *(
                f"{name} (looks at {what}): from {percent(best[0, i])} to {percent(best[-1, i])}."
                for i, (name, what) in enumerate(HABITS.items())
            ),
            f"Surprise after {kept[-1].step} steps: {first:.2f} bits a token the first time, {again:.2f} the second.",
        )
