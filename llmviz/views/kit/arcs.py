"""A sentence in a line, with an arc from each token to those it attends to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.kit.token_strip import OfTokens


class Arcs(OfTokens):
    """Arcs over a text, from each token (the query) to those it attends to; `weights` [seq, kv_seq], NaN where masked.

    With a token `selected` (click, arrow keys or Python), only its arcs are drawn, and the other tokens are shaded by
    weight; None draws all. Arcs below `threshold` are left out, and the picture says how much attention that is.
    Up and down step through the arcs, strongest first; Enter or a click on an arc asks `provenance(from, to)`.
    """

    _static, _stage = "arcs", "attention"

    weights = Floats(ndim=(2,), limit=MAX_TOKENS)
    threshold = traitlets.Float(0.02).tag(sync=True)

    def __init__(self, pieces: Sequence[str], weights: Sequence | np.ndarray, **traits):
        super().__init__(pieces, weights=weights, **traits)

    def text(self) -> str:
        """Return a line for each token: what it attends to, strongest first, and how much is below the threshold."""
        rows = range(len(self.pieces)) if self.selected is None else [self.selected]
        return "\n".join(self._line(row) for row in rows)

    def headline(self) -> str:
        """Return what the selected token attends to; without one, how many tokens there are."""
        if self.selected is not None:
            return self._line(self.selected)
        return f"Arcs between {len(self.pieces)} tokens. Select a token to hear what it attends to"

    def _line(self, row: int) -> str:
        name = f"{row}  {visible(self.pieces[row])}"
        if self.weights is None:
            return name
        weights = np.nan_to_num(self.weights[row])
        order = [i for i in np.argsort(-weights, kind="stable") if weights[i] >= self.threshold]
        seen = ", ".join(f"{visible(self.pieces[i])} ({i}) {percent(weights[i])}" for i in order)
        rest = max(0.0, float(weights.sum() - weights[order].sum()))
        return f"{name} → {seen or 'nothing'}; {percent(rest)} below the threshold"
