"""One vector or several as stripes of colour: every number of them, on a scale with zero in the middle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz.views.kit.picture import Floats, Labels, Scaled, Text, lines
from llmviz.views.kit.pieces import visible_label


class VectorPicture(Scaled):
    """Vectors, `values` [n] or [k, n], as k lines of n stripes: orange below zero, blue above.

    The scale runs from -`limit` to `limit`; unless given, the 99th percentile of the absolute values, rounded, so that
    a few large numbers do not wash out the rest: what lies beyond gets a notch. `labels` names the k vectors.
    A click, the arrow keys or Python select an index (`selected`), framed in all vectors; `index_name` says what an
    index counts ("dimension", "neuron"). Enter or a click asks `provenance(index)`; with values [k, n], `(row, index)`.
    """

    _static = "vector_picture"
    _data = ("values", "labels", "index_name")

    values = Floats(ndim=(1, 2))
    labels = Labels()
    index_name = Text("dimension")
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, values: Sequence | np.ndarray, **traits):
        super().__init__(values=values, **{"stage": "embeddings", **traits})

    def fitted(self) -> float:
        """As `usual_limit` has it."""
        return usual_limit(self.values)

    def text(self) -> str:
        """Every number, ten a line, each line led by the index of its first."""
        if self.values is None or not self.values.size:
            return "no numbers yet"
        out = []
        for row, vector in enumerate(np.atleast_2d(self.values)):
            name = visible_label(self.labels[row]) if self.labels else self.index_name
            starts = range(0, len(vector), 10)
            out.append(f"{name}, {self.index_name}s 0 to {len(vector) - 1}" if self.labels else f"{name}s")
            out.append(lines([[f"{i}:", *(f"{v:.4g}" for v in vector[i : i + 10])] for i in starts]))
        return "\n".join(out)

    def headline(self) -> str:
        """How many numbers, and the one furthest from zero, for each vector."""
        if self.values is None or not self.values.size:
            return "no numbers yet"
        told = []
        for row, vector in enumerate(np.atleast_2d(self.values)[:8]):
            name = f"{visible_label(self.labels[row])}: " if self.labels else ""
            if np.isnan(vector).all():
                told.append(f"{name}{len(vector)} blank")
                continue
            i = int(np.nanargmax(np.abs(vector)))
            told.append(
                f"{name}{len(vector)} numbers, furthest from zero {vector[i]:.3g} at {self.index_name} {i}"
            )
        return "; ".join(told)

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

    @traitlets.validate("selected")
    def _an_index(self, proposal):
        value = proposal["value"]
        if value is not None and not 0 <= value < self._n:
            raise traitlets.TraitError(f"selected is an index from 0 to {self._n - 1}, not {value}")
        return value

    @property
    def _n(self) -> int:
        """How many numbers a vector has."""
        return 0 if self.values is None else self.values.shape[-1]

    @traitlets.observe("values")
    def _drop_what_does_not_fit(self, _change):
        if self.selected is not None and self.selected >= self._n:
            self.selected = None
        if self.values is not None and self.labels and len(self.labels) != len(np.atleast_2d(self.values)):
            self.labels = []


def usual_limit(values: np.ndarray) -> float:
    """The 99th percentile of the absolute values, rounded to two digits; 1 where there is nothing to measure."""
    finite = np.abs(values[np.isfinite(values)])
    limit = float(np.percentile(finite, 99)) if finite.size else 0.0
    return float(f"{limit:.2g}") or float(finite.max(initial=0)) or 1.0
