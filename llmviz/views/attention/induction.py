"""Nonsense repeated: who copies it?"""

from __future__ import annotations

import numpy as np

from llmviz import attention, experiments
from llmviz.model import Model, Trace
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.kit.background import Background, Steps
from llmviz.views.kit.controls import Told, row, slider
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time

N_DRAWS = 7  # of random heads: a draw may hit a head that every text needs, so the median counts


class Induction(Explorer):
    """Random tokens, then the same again: can the model copy, and which heads does it need for that?

    After `run`, `first` and `second` hold the mean probability of the right next token in each pass, `without` that of
    the second pass with the strongest induction heads off, `without_random` with as many others off, one a draw.
    """

    def __init__(self, model: Model, *, n: int = 40, off: int = 8, seed: int = 0):
        self.model, self._work = model, Background(self)
        self.n = slider(n, "Random tokens", 60, stage="attention")
        self.n.min = 5
        self.off = slider(off, "Heads off", 20, stage="attention")
        self.seed = slider(seed, "Another draw", 20, stage="attention")
        for control in (self.n, self.off, self.seed):
            control.continuous_update = False
            control.observe(self.run, "value")
        self.curves = LinePlot(
            unit="share",
            y_max=1.0,
            stage="attention",
            x_axis="position of the token",
            names=["the model as it is"],
            caption="Probability of the right next token",
        )
        self.told = Told()
        self.grid = empty_grid(model.config, measure="induction score")
        super().__init__([row(self.n, self.off, self.seed), self.curves, self.told, self.grid])
        self.run()

    @one_at_a_time
    def run(self, _change=None) -> None:
        """The model as it is, at once; then with heads off, beside everything else."""
        self._work.stop()
        n = self.n.value
        tokens = experiments.random_tokens(self.model, n, self.seed.value) * 2
        trace = self.model.trace(tokens)
        self.scores = experiments.induction_scores(trace)
        self.strongest = experiments.strongest_heads(self.scores, self.off.value)
        right = experiments.token_probs(trace)
        self.first, self.second = experiments.copying_by_pass(right)
        self.curves.change(
            x=np.arange(1, 2 * n),
            values=right[None],
            names=["the model as it is"],
            x_pieces=trace.pieces[1:],
            marks=[[n, "second pass"]],
        )
        self.told.say(
            f"Right next token, mean probability: first pass {percent(self.first)}, second pass "
            f"{percent(self.second)}."
        )
        self.grid.change(
            values=four_axes(self.scores),
            selected=list(self.strongest[0]) if self.strongest else [0, 0],
            chosen=[list(one) for one in self.strongest],
            caption=f"Induction score: {attention.BEHAVIOURS['induction']}. Dashed: the heads switched off",
        )
        if self.strongest:
            self._work.start(self._switch_off(trace, right))

    def _switch_off(self, trace: Trace, right: np.ndarray) -> Steps:
        """The second pass without the strongest heads, and without as many others."""
        k = len(self.strongest)
        seeds = range(N_DRAWS * self.seed.value, N_DRAWS * (self.seed.value + 1))
        yield 0.001
        curves = []
        for curve in experiments.without_heads(trace, self.strongest, seeds):
            curves.append(curve)
            yield 0.001
        *self.without_random, self.without = (experiments.copying_by_pass(curve)[1] for curve in curves)
        self.curves.change(
            values=np.stack([right, np.median(curves[:-1], axis=0), curves[-1]]),
            names=[
                "the model as it is",
                f"{k} random heads off (median of {N_DRAWS} draws)",
                f"the {k} strongest induction heads off",
            ],
        )
        self.told.say(
            *self.told.sentences,
            f"Second pass with the {k} strongest off: {percent(self.without)}; with as many random heads off, "
            f"{percent(np.median(self.without_random))} (the median of {N_DRAWS} draws, from "
            f"{percent(min(self.without_random))} to {percent(max(self.without_random))}).",
        )
