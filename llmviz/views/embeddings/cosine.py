"""The cosine of two tokens among others: of one of them with all tokens, or of random pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.experiments.table import random_pairs
from llmviz.views.embeddings.words import OfWords, word
from llmviz.views.kit.controls import toggles
from llmviz.views.kit.numbers import minus, percent
from llmviz.views.kit.picture import Picture, Text, lines
from llmviz.views.kit.state_fields import choice
from llmviz.views.kit.view import NothingToShow, Scene, explains, part
from llmviz.views.provenance import Explanation

EDGES = np.linspace(-0.5, 1.0, 61)  # of the histogram: fixed, so that two baselines can be compared
FIRST, SECOND, RANDOM = "the first word and any token", "the second word and any token", "random pairs"


class CosineHistogram(Picture):
    """How many of some pairs have which cosine, with one pair's cosine `value` marked; `counted` gives its traits.

    The cosines are counted in steps of 0.025 from -0.5 to 1; those outside count at the ends.
    """

    _static, _stage = "cosine_histogram", "embeddings"
    _data = ("counts", "value", "label", "caption")

    edges = traitlets.List(traitlets.Float(), EDGES.tolist()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    median = traitlets.Float(0.0).tag(sync=True)
    value = traitlets.Float(None, allow_none=True).tag(sync=True)
    label = Text()  # what `value` belongs to
    among = Text()  # which pairs are counted
    verdict = Text()

    def text(self) -> str:
        total = max(1, sum(self.counts))
        rows = [
            (f"{low:.3f} to {high:.3f}", percent(count / total))
            for low, high, count in zip(self.edges, self.edges[1:], self.counts)
            if count
        ]
        head = [
            f"{self.label}: {self.verdict}" if self.value is not None else "",
            minus(f"{self.among}: half of them below {self.median:.2f}") if rows else "nothing to compare",
        ]
        return "\n".join([*filter(None, head), lines(rows)])

    def headline(self) -> str:
        return "\n".join([self.caption, *self.text().split("\n")[:2]])


def counted(
    cosines: np.ndarray | Sequence[float], value: float | None = None, *, label: str = "", among: str = ""
) -> dict[str, Any]:
    """Return the traits of a histogram of `cosines` [n_pairs], among which one pair's `value` is marked."""
    cosines = np.asarray(cosines, dtype=float)
    verdict = ""
    if value is not None:
        below = percent((cosines < value).mean())
        verdict = minus(f"cosine {value:.2f}: higher than {below} of these: {among}")
    return {
        "counts": np.histogram(np.clip(cosines, EDGES[0], EDGES[-1]), EDGES)[0].tolist(),
        "median": float(np.median(cosines)) if cosines.size else 0.0,
        "value": value,
        "label": label,
        "among": among,
        "verdict": verdict,
    }


class CosineExplorer(OfWords):
    """The cosine of any two tokens, held against what one of them has with all others, or against random pairs."""

    arrangement = (("a", "b", "take_first"), "against", "histogram")

    @dataclass(frozen=True)
    class State:
        a: str = word("king", "One word")
        b: str = word("banana", "Another")
        against: str = choice(FIRST, "Compare with", (FIRST, SECOND, RANDOM), make=toggles)

    @part(CosineHistogram)
    def histogram(self, scene: Scene) -> dict:
        try:
            tokens, W_E = scene.tokens, scene.run.W_E
        except NothingToShow as problem:
            return counted([]) | {"caption": str(problem)}
        a, b = map(scene.run.name, tokens)
        if scene.against == RANDOM:
            cosines, among = random_pairs(scene.run.model, scene.run.centred), "random pairs of tokens"
        else:
            mine = tokens[scene.against == SECOND]
            cosines = np.delete(embeddings.cosine_to_all(W_E[mine], W_E), mine)
            among = f"{scene.run.name(mine)} with each other token"
        value = float(embeddings.cosine_similarity(*embeddings.embed(tokens, W_E)))
        return {
            **counted(cosines, None if np.isnan(value) else value, label=f"{a} and {b}", among=among),
            "caption": f"How alike are {a} and {b}{scene.run.note}? Their cosine among others.",
        }

    @explains("histogram")
    def explain(self, scene: Scene) -> Explanation:
        if scene.shown["value"] is None:
            raise ValueError("there is no cosine")
        a, b = scene.tokens
        return scene.run.cosine(scene.run.name(a), scene.run.W_E[a], f"W_E[{a}]", b)
