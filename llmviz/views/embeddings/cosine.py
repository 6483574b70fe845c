"""The cosine of two tokens among those of random pairs."""

from __future__ import annotations

import ipywidgets
import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.model import Model
from llmviz.views import provenance
from llmviz.views.embeddings.random_pairs import N_FREQUENT, baseline
from llmviz.views.embeddings.word_box import WordBox, first_problem
from llmviz.views.kit.controls import row
from llmviz.views.kit.picture import Explorer, Picture, Text, lines, one_at_a_time, percent
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.provenance import Explanation

EDGES = np.linspace(-0.5, 1.0, 61)  # of the histogram: fixed, so that two baselines can be compared


class CosineHistogram(Picture):
    """How often random pairs have which cosine (`cosines` [n_pairs]), with one pair's cosine `value` marked.

    The cosines are counted in steps of 0.025 from -0.5 to 1; those outside count at the ends.
    """

    _static = "cosine_histogram"
    _data = ("counts", "value", "label", "caption")

    edges = traitlets.List(traitlets.Float(), EDGES.tolist()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    mean = traitlets.Float(0.0).tag(sync=True)
    spread = traitlets.Float(0.0).tag(sync=True)  # standard deviation
    value = traitlets.Float(None, allow_none=True).tag(sync=True)
    label = Text()  # what `value` belongs to
    among = Text()  # which pairs the histogram counts
    verdict = Text()

    def __init__(self, cosines, value: float | None = None, *, label: str = "", among: str = "", **traits):
        super().__init__(**{"stage": "embeddings", **traits})
        self.show(cosines, value, label=label, among=among)

    def show(
        self, cosines, value: float | None = None, *, label: str = "", among: str = "", **traits
    ) -> None:
        """Show another pair or other random pairs in place."""
        cosines = np.asarray(cosines, dtype=float)
        counts, _ = np.histogram(np.clip(cosines, EDGES[0], EDGES[-1]), EDGES)
        verdict = ""
        if value is not None:
            below = float((cosines < value).mean())
            verdict = f"cosine {value:.2f}: higher than {percent(below)} of the random pairs"
        self.change(
            counts=counts.tolist(),
            mean=float(cosines.mean()),
            spread=float(cosines.std()),
            value=value,
            label=label,
            among=among,
            verdict=verdict.replace("-", "−"),
            asked=None,
            **traits,
        )

    def text(self) -> str:
        shares = np.array(self.counts) / max(1, sum(self.counts))
        rows = [
            (f"{low:.3f} to {high:.3f}", percent(share))
            for low, high, share in zip(self.edges, self.edges[1:], shares)
            if share
        ]
        head = [
            f"{self.label}: {self.verdict}" if self.value is not None else "",
            f"random pairs, {self.among}: mean {self.mean:.2f}, standard deviation {self.spread:.2f}",
        ]
        return "\n".join([*filter(None, head), lines(rows)])

    def headline(self) -> str:
        """The caption, the pair's cosine and the baseline."""
        return "\n".join([self.caption, *self.text().split("\n")[:2]])


class CosineExplorer(Explorer):
    """The cosine of any two tokens, held against random pairs of all tokens or of frequent ones."""

    def __init__(self, model: Model, a: str, b: str):
        self.model = model
        self.a = WordBox(model.tokenizer, a, label="One word")
        self.b = WordBox(model.tokenizer, b, label="Another")
        self.among = ipywidgets.ToggleButtons(
            options=[("all tokens", False), (f"the {N_FREQUENT:,} most frequent", True)],
            description="Random pairs of",
            style={"description_width": "initial", "button_width": "auto"},
        )
        self.histogram = CosineHistogram(baseline(model, False), provenance=self._explain)
        self.rows = VectorPicture(
            np.zeros((2, model.config.d_model)),
            provenance=lambda row, i: provenance.embedding(model, (self.a, self.b)[row].token, i),
        )
        super().__init__([row(self.a, self.b), self.among, self.histogram, self.rows])
        for box in (self.a, self.b):
            box.observe(self._draw, "word")
        self.among.observe(self._draw, "value")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        a, b = self.a.token, self.b.token
        value, label, caption = None, "", first_problem(self.a, self.b)
        self.rows.layout.display = "none" if caption else ""
        if not caption:
            vectors = embeddings.embed([a, b], self.model.weights.W_E)
            cosine = float(embeddings.cosine_similarity(*vectors))
            names = self.model.tokenizer.pieces([a, b])
            label = " and ".join(isolated(name) for name in names)
            value = None if np.isnan(cosine) else cosine
            caption = f"How alike are {label}? Their cosine among those of random pairs of tokens."
            self.rows.change(values=vectors, labels=names)
        among = (
            "two tokens drawn from all" if not self.among.value else "two tokens drawn from the frequent ones"
        )
        self.histogram.show(
            baseline(self.model, self.among.value), value, label=label, among=among, caption=caption
        )

    def _explain(self) -> Explanation:
        return provenance.cosine(self.model, self.a.token, self.b.token)
