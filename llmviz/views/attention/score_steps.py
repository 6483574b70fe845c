"""One query's row of attention, from products to weights."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.views.kit import theme
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, OfRows, Pieces, lines
from llmviz.views.kit.pieces import visible


class ScoreSteps(OfRows):
    """One query's row, step by step: q·k, divided by √d_head, e to its power, weight. One line a key.

    raw, scores, exps, weights: [kv_seq] each; weights are NaN where masked. `scaled`: was raw divided by √`d_head`?
    A click or the arrow keys select a key (`selected`); Enter or a click asks `provenance(key, step)`, step 0 to 3.
    """

    _static, _rows = "score_steps", ("pieces",)
    _data = ("pieces", "raw", "scores", "exps", "weights")

    pieces = Pieces()
    raw = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    scores = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    exps = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    weights = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    scaled = traitlets.Bool(True).tag(sync=True)
    d_head = traitlets.Int(0).tag(sync=True)

    def text(self) -> str:
        rows = [["to (key)", "q · k", "score", "e^(score − largest)", "weight"]]
        for i, piece in enumerate(self.pieces):
            if np.isnan(self.weights[i]):
                rows.append([visible(piece), f"{self.raw[i]:.2f}", "masked", "0", "–"])
            else:
                shown = [f"{self.raw[i]:.2f}", f"{self.scores[i]:.2f}", f"{self.exps[i]:.3g}"]
                rows.append([visible(piece), *shown, percent(self.weights[i])])
        return lines(rows)

    def headline(self) -> str:
        if not self.pieces or np.isnan(self.weights).all():
            return "no scores yet"
        best = int(np.nanargmax(self.weights))
        masked = int(np.isnan(self.weights).sum())
        weight, piece = percent(self.weights[best]), visible(self.pieces[best])
        summary = f"{len(self.pieces)} keys; the largest weight, {weight}, to {piece}"
        return summary + (f"; {masked} later tokens masked" if masked else "")
