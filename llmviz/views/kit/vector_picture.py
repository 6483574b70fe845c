"""Vectors as stripes of colour, one for each of their numbers, on a scale with zero in the middle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz.views.kit.picture import Floats, Labels, OfRows, Scaled, Text, lines
from llmviz.views.kit.pieces import visible_label


class VectorPicture(Scaled, OfRows):
    """Vectors, `values` [n] or [k, n], as k lines of n stripes: orange below zero, blue above.

    The scale runs from -`limit` to `limit`: unless given, the 99th percentile of the absolute values, rounded, so that
    a few large numbers do not wash out the rest. Numbers beyond it get a notch. `labels` names the k vectors.
    A click, the arrow keys or Python select an index (`selected`), framed in all vectors; `index_name` says what an
    index counts ("dimension", "neuron"). Enter or a click asks `provenance(index)`; with values [k, n], `(row, index)`.
    """

    _static, _stage, _rows = "vector_picture", "embeddings", ("values",)

    values = Floats(ndim=(1, 2))
    labels = Labels()
    index_name = Text("dimension")

    def __init__(self, values: Sequence | np.ndarray, **traits):
        super().__init__(values=values, **traits)

    def fitted(self) -> float:
        return usual_limit(self.values)

    def text(self) -> str:
        """Return every number, ten to a line, after the index of the line's first."""
        out = []
        for name, vector in self._named():
            starts = range(0, len(vector), 10)
            out.append(
                f"{name}, {self.index_name}s 0 to {len(vector) - 1}" if name else f"{self.index_name}s"
            )
            out.append(lines([[f"{i}:", *(f"{v:.4g}" for v in vector[i : i + 10])] for i in starts]))
        return "\n".join(out)

    def headline(self) -> str:
        """Return how many numbers each vector has, and the one furthest from zero."""
        facts = []
        for name, vector in self._named()[:8]:
            fact = f"{len(vector)} blank"
            if not np.isnan(vector).all():
                i = int(np.nanargmax(np.abs(vector)))
                fact = f"{len(vector)} numbers, furthest from zero {vector[i]:.3g} at {self.index_name} {i}"
            facts.append(f"{name}: {fact}" if name else fact)
        return "; ".join(facts)

    def _named(self) -> list[tuple[str, np.ndarray]]:
        vectors = np.atleast_2d(self.values)
        return [*zip([*map(visible_label, self.labels)] or [""] * len(vectors), vectors)]

    @traitlets.validate("values")
    def _blank_where_not_finite(self, proposal):
        values = proposal["value"]
        return values if values is None else np.where(np.isfinite(values), values, np.float32(np.nan))

    @traitlets.validate("labels")
    def _one_a_vector(self, proposal):
        labels = proposal["value"]
        k = 0 if self.values is None else len(np.atleast_2d(self.values))
        if labels and k and len(labels) != k:
            raise traitlets.TraitError(f"{len(labels)} labels for {k} vectors")
        return labels

    @property
    def n_rows(self) -> int:
        """Return how many numbers a vector has."""
        return 0 if self.values is None else self.values.shape[-1]

    @traitlets.observe("values")
    def _drop_what_does_not_fit(self, _change):
        if self.values is not None and self.labels and len(self.labels) != len(np.atleast_2d(self.values)):
            self.labels = []


def usual_limit(values: np.ndarray) -> float:
    """Return the 99th percentile of the absolute values, rounded to two digits; 1 where there is nothing to measure."""
    finite = np.abs(values[np.isfinite(values)])
    limit = float(np.percentile(finite, 99)) if finite.size else 0.0
    return float(f"{limit:.2g}") or float(finite.max(initial=0)) or 1.0
