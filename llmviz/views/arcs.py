"""A sentence in a line, with an arc from each token to those it looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import traitlets

from llmviz.views.picture import Floats, Picture, Pieces, percent, script, style
from llmviz.views.pieces import visible
from llmviz.views.theme import MAX_TOKENS


class Arcs(Picture):
    """Arcs over a text: from a token (the query) to those its `weights` [seq, kv_seq] fall on.

    With a token `selected` (click, arrow keys or Python) only its arcs are drawn, and the other tokens are shaded by
    weight; None draws all. Arcs under `threshold` are left out, and the picture says what share that is. NaN: masked.
    Up and down step through the arcs, strongest first; Enter or a click on an arc asks `provenance(from, to)`.

    Weights that have not one row and one column a piece, or lie outside 0 to 1, are a `traitlets.TraitError`.
    """

    _esm = script("arcs")
    _css = style("arcs")
    _data = ("pieces", "weights", "selected", "threshold")

    pieces = Pieces()
    weights = Floats(ndim=(2,), limit=MAX_TOKENS)
    ids = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)
    threshold = traitlets.Float(0.02).tag(sync=True)

    def __init__(
        self,
        pieces: Sequence[str],
        weights: Sequence | np.ndarray,
        *,
        ids: Sequence | np.ndarray | None = None,
        selected: int | None = None,
        threshold: float = 0.02,
        caption: str = "",
        stage: str = "attention",
        provenance: Callable | None = None,
        **layout,
    ):
        super().__init__(
            pieces=pieces,
            weights=weights,
            ids=None if ids is None else [int(i) for i in ids],
            selected=selected,
            threshold=threshold,
            caption=caption,
            stage=stage,
            provenance=provenance,
            **layout,
        )

    def text(self) -> str:
        """One line a token: what it looks at, strongest first, down to the threshold, and the share left out."""
        if not self.pieces:
            return "no tokens yet"
        rows = range(len(self.pieces)) if self.selected is None else [self.selected]
        return "\n".join(self._line(row) for row in rows)

    def headline(self) -> str:
        """Where the selected token looks; without one, how many tokens there are."""
        if not self.pieces:
            return "no tokens yet"
        if self.selected is not None:
            return self._line(self.selected)
        return f"Arcs between {len(self.pieces)} tokens; select one to hear where it looks"

    def _line(self, row: int) -> str:
        name = f"{row}  {visible(self.pieces[row])}"
        if self.weights is None:
            return name
        weights = np.nan_to_num(self.weights[row])
        order = [i for i in np.argsort(-weights, kind="stable") if weights[i] >= self.threshold]
        seen = ", ".join(f"{visible(self.pieces[i])} ({i}) {percent(weights[i])}" for i in order)
        rest = max(0.0, float(weights.sum() - weights[order].sum()))
        return f"{name} → {seen or 'nothing'}; {percent(rest)} under the threshold"

    @traitlets.validate("ids", "weights")
    def _one_a_piece(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        n = len(self.pieces)
        if value is None:
            return None
        if name == "ids" and len(value) != n:
            raise traitlets.TraitError(f"{len(value)} ids for {n} pieces")
        if name == "weights" and value.shape != (n, n):
            raise traitlets.TraitError(f"weights of shape {value.shape} for {n} pieces; it takes ({n}, {n})")
        if name == "weights" and (np.nanmin(value, initial=0) < 0 or np.nanmax(value, initial=0) > 1.001):
            raise traitlets.TraitError("weights are shares between 0 and 1 (NaN: masked)")
        return value

    @traitlets.validate("selected")
    def _a_position(self, proposal):
        value = proposal["value"]
        if value is not None and not 0 <= value < len(self.pieces):
            raise traitlets.TraitError(
                f"selected is a position from 0 to {len(self.pieces) - 1}, not {value}"
            )
        return value

    @traitlets.observe("pieces")
    def _drop_what_does_not_fit(self, _change):
        n = len(self.pieces)
        if self.selected is not None and self.selected >= n:
            self.selected = None
        for name in ("ids", "weights"):
            value = getattr(self, name)
            if value is not None and len(value) != n:
                setattr(self, name, None)
