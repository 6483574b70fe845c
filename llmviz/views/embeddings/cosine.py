"""The cosine of two tokens, compared with those of the first and all tokens or common words, or of random pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.experiments.table import random_pairs
from llmviz.experiments.words import common_words
from llmviz.views.embeddings.rows import CENTRED
from llmviz.views.embeddings.words import OfWords, word
from llmviz.views.kit.controls import toggles
from llmviz.views.kit.numbers import minus, percent
from llmviz.views.kit.picture import Picture, Text, lines
from llmviz.views.kit.state_fields import choice, tick
from llmviz.views.kit.view import NothingToShow, Scene, explains, part
from llmviz.views.provenance import Explanation

EDGES = np.linspace(-0.5, 1.0, 61)  # of the histogram's bars: fixed, so that histograms can be compared
TOKENS, COMMON, RANDOM = "Every token", "Common words", "Random pairs"


class CosineHistogram(Picture):
    """A histogram of the cosines of some pairs, in which the cosine `value` of one pair is marked.

    `counts` [n] are between the `edges` [n + 1], in steps of 0.025 from -0.5 to 1; cosines outside count at the ends.
    """

    _static, _stage = "cosine_histogram", "embeddings"

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
            minus(f"{self.among}: half are below {round(self.median, 2) + 0.0:.2f}")
            if rows
            else "nothing to compare",
        ]
        return "\n".join([*filter(None, head), lines(rows)])

    def headline(self) -> str:
        return "\n".join([self.caption, *self.text().split("\n")[:2]])


class CosineExplorer(OfWords):
    """The cosine of any two tokens, compared with the cosines of the first and others, or of random pairs."""

    arrangement = (("a", "b", "take_first"), "against", "centred", "refusal", "histogram")

    @dataclass(frozen=True)
    class State:
        a: str = word("king", "One word", others=("cat",))
        b: str = word("banana", "Another", others=("mouse", "table"))
        against: str = choice(TOKENS, "Compare with", (TOKENS, COMMON, RANDOM), make=toggles)
        centred: bool = tick(CENTRED)

    @part(CosineHistogram)
    def histogram(self, scene: Scene) -> dict:
        tokens, rows = scene.tokens, scene.rows
        (a, b), W_E = map(rows.name, tokens), rows.W_E
        if scene.against == RANDOM:
            cosines, among = random_pairs(scene.run, scene.centred), "5,000 random pairs of tokens"
        else:
            all_tokens = scene.against == TOKENS
            others = np.arange(len(W_E)) if all_tokens else np.array(common_words(scene.run), int)
            others = others[others != tokens[0]]
            if not len(others):
                raise NothingToShow("This model's vocabulary has no common words as single tokens.")
            cosines = embeddings.cosine_to_all(W_E[tokens[0]], W_E)[others]
            kind = "all other tokens" if all_tokens else f"{len(others):,} common words"
            among = f"the cosines of {a} with {kind}"
        value = float(embeddings.cosine_similarity(*embeddings.embed(tokens, W_E)))
        if np.isnan(value):
            raise NothingToShow("A row of zeros has no direction.")
        return {
            "counts": np.histogram(np.clip(cosines, EDGES[0], EDGES[-1]), EDGES)[0].tolist(),
            "median": float(np.median(cosines)),
            "value": value,
            "label": f"{a} and {b}",
            "among": among,
            "verdict": minus(
                f"Cosine {value:.2f}, higher than {percent((cosines < value).mean())} of {among}"
            ),
            "caption": f"The cosine of {a} and {b} among others{rows.note}",
        }

    @explains("histogram")
    def explain(self, scene: Scene) -> Explanation:
        (a, b), rows = scene.tokens, scene.rows
        return rows.cosine(rows.name(a), rows.W_E[a], f"W_E[{a}]", b)
