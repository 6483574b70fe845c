"""One token's neurons on the curve of silu."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz.views.kit.picture import MOST_ON_PAGE, Floats, Picture, lines


class SiluCurve(Picture):
    """The curve of silu and on it one token's neurons: `values` [4, d_ff] are gate, up, silu(gate) and hidden.

    A click selects a neuron (`selected`), the arrow keys go to the next gate value.
    """

    _static = "silu_curve"
    _data = ("values",)

    values = Floats(ndim=(2,))
    curve = Floats(ndim=(2,))  # x and silu(x)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def page_values(self) -> dict:
        n = 0 if self.values is None else self.values.shape[-1]
        return {"selected": [None, *range(min(n, MOST_ON_PAGE))]}

    def text(self) -> str:
        if self.values is None:
            return "no neurons yet"
        head = ["neuron", "gate", "up", "silu(gate)", "hidden"]
        return lines(
            [head, *([str(i), *(f"{v:.3g}" for v in column)] for i, column in enumerate(self.values.T))]
        )

    def headline(self) -> str:
        if self.values is None:
            return "no neurons yet"
        gate, hidden = self.values[0], self.values[3]
        i = int(np.abs(hidden).argmax())
        return (
            f"{gate.size} neurons on the curve of silu; {(gate < 0).sum()} gates are below zero; "
            f"the strongest is neuron {i} with {hidden[i]:.3g}"
        )
