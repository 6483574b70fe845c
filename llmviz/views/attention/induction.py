"""Nonsense repeated: who copies it?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from llmviz import Edits, attention, experiments
from llmviz.model import Model
from llmviz.views.attention.head_grid import HeadGrid, four_axes
from llmviz.views.attention.heads import BEHAVIOURS, patterns, random_heads, strongest
from llmviz.views.kit.controls import Told, row, slider
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, one_at_a_time, percent

N_DRAWS = 3  # of random heads: one draw alone may hit a head that every text needs


def random_tokens(model: Model, n: int, seed: int) -> list[int]:
    """n different tokens, none of the very rare and none of the special ones."""
    n_vocab = model.config.n_vocab
    pool = np.arange(min(1_000, n_vocab // 10), min(20_000, n_vocab))
    return np.random.default_rng(seed).choice(pool, n, replace=False).tolist()


class Induction(Explorer):
    """Random tokens, then the same again: can the model copy, and which heads does it need for that?

    After `run`, `first` and `second` hold the mean probability of the right next token in each pass, `without` that of
    the second pass with the strongest induction heads off, `without_random` with as many others off, one a draw.
    """

    def __init__(self, model: Model, *, n: int = 40, off: int = 8, seed: int = 0):
        config = model.config
        self.model = model
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
        self.grid = HeadGrid(
            np.zeros((config.n_layers, config.n_heads)),
            group=config.group_size,
            measure="induction score",
            selected=[0, 0],
        )
        super().__init__([row(self.n, self.off, self.seed), self.curves, self.told, self.grid])
        self.run()

    @one_at_a_time
    def run(self, _change=None) -> None:
        n = self.n.value
        once = random_tokens(self.model, n, self.seed.value)
        tokens = once * 2
        trace = self.model.trace(tokens)
        self.scores = np.stack([attention.induction_score(patterns(block), tokens) for block in trace.blocks])
        self.strongest = strongest(self.scores, self.off.value)
        curves, names = [experiments.token_probs(trace)], ["the model as it is"]
        second = slice(n, None)  # after the first token of the second pass, which nobody can know
        self.first, self.second = (float(curves[0][part].mean()) for part in (slice(0, n - 1), second))
        told = ""
        if self.strongest:
            k = len(self.strongest)
            draws = [
                random_heads(self.scores.shape, k, self.strongest, N_DRAWS * self.seed.value + i)
                for i in range(N_DRAWS)
            ]
            at_random = np.stack([self._with_off(tokens, heads) for heads in draws])
            curves += [at_random.mean(axis=0), self._with_off(tokens, self.strongest)]
            names += [
                f"{k} random heads off (mean of {N_DRAWS} draws)",
                f"the {k} strongest induction heads off",
            ]
            self.without = float(curves[2][second].mean())
            self.without_random = [float(one[second].mean()) for one in at_random]
            told = (
                f"Second pass with the {k} strongest off: {percent(self.without)}; with as many random heads off, in "
                f"{N_DRAWS} draws: {', '.join(map(percent, self.without_random))}."
            )
        self.curves.change(
            x=np.arange(1, 2 * n),
            values=np.stack(curves),
            names=names,
            x_pieces=trace.pieces[1:],
            marks=[[n, "second pass"]],
        )
        self.told.say(
            f"Right next token, mean probability: first pass {percent(self.first)}, second pass "
            f"{percent(self.second)}.",
            told,
        )
        self.grid.change(
            values=four_axes(self.scores),
            selected=list(self.strongest[0]) if self.strongest else [0, 0],
            chosen=[list(one) for one in self.strongest],
            caption=f"Induction score: {BEHAVIOURS['induction']}. Dashed: the heads switched off",
        )

    def _with_off(self, tokens: list[int], heads: Iterable[tuple[int, int]]) -> np.ndarray:
        return experiments.token_probs(self.model.trace(tokens, Edits(head=dict.fromkeys(heads, 0))))
