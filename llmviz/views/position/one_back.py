"""Which heads look one token back, and whether their clocks do it."""

from __future__ import annotations

import ipywidgets
import numpy as np
from jaxtyping import Float

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.controls import Told
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.text_box import Prompt
from llmviz.views.position.heaps import beginning, cut


def shares_one_back(trace: Trace) -> Float[np.ndarray, "n_heads n_layers"]:
    """What each head gives to the token before, of the beginning of the text where that is long."""
    return experiments.previous_token_scores(beginning(trace)).T


class OneBack(Explorer):
    """A map of all heads by what they give to the token before, and the chosen head's arcs: as it is, and with RoPE
    left out of this one head."""

    def __init__(self, source: Prompt | Trace):
        self.map = HeatMap(
            [[0.0]],
            [0],
            row_axis="head",
            col_axis="layer",
            numbers="never",
            quantity="mean share for the token before",
            stage="position",
            caption="All heads: how much of its attention each gives to the token just before. Click one",
        )
        self.arcs = [Arcs([], np.zeros((0, 0)), threshold=0.1, stage="position") for _ in range(2)]
        self.told = Told()
        self.pictures = ipywidgets.VBox([self.map, *self.arcs])  # token under token
        super().__init__([self.pictures, self.told])
        self.follow(source, self._new_text)
        self.map.observe(self._show, "selected")

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        self.trace, self._cut = beginning(trace), cut(trace)
        alone = len(trace.tokens) < 2
        self.pictures.layout.display = "none" if alone else ""
        if alone:
            self.told.say("A single token has no token before it. Write one more.")
            return
        self.shares = shares_one_back(self.trace)
        n_heads, n_layers = self.shares.shape
        self.map.change(
            values=self.shares,
            row_labels=range(n_heads),
            col_labels=range(n_layers),
            selected=self.map.selected or [0, 0],  # the reader is to find the one that looks back
        )
        self._show()

    @one_at_a_time
    def _show(self, _change=None) -> None:
        if self.map.selected is None:
            return
        head, layer = self.map.selected
        name = f"L{layer}·H{head}"
        own = self.trace.blocks[layer].patterns(slice(head, head + 1))[0]
        unturned = experiments.pattern_without_rope(self.trace, layer, head)
        captions = [f"{name}: where each token looks", f"{name}, its hands not turned: all else as it was"]
        for picture, pattern, caption in zip(self.arcs, (own, unturned), captions):
            picture.change(pieces=self.trace.pieces, weights=pattern, caption=caption)
        self.told.say(
            f"{name} gives {percent(np.diagonal(own, -1).mean())} of its attention to the token before; its hands not "
            f"turned, {percent(np.diagonal(unturned, -1).mean())}. A head that looks at everything alike would give "
            f"{percent(experiments.even_previous_token_score(len(own)))}.",
            f"Of {self.shares.size} heads, {(self.shares > 0.5).sum()} give it more than half.",
            self._cut,
        )
