"""How much goes to the first token."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.attention.heads import first_hidden, head_name, overview
from llmviz.views.kit.controls import Told
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time, percent
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt, clip_position, trace_of
from llmviz.views.kit.token_strip import TokenStrip


class Sink(Explorer):
    """How much goes to the first token: by head, by layer, and what a mean over all heads makes of it."""

    def __init__(self, source: Prompt | Trace, *, layer: int = 13, head: int = 8, query: int = -1):
        config = trace_of(source).model.config
        self.strip = TokenStrip([], stage="attention", caption="From which token?")
        self.grid = empty_grid(
            config,
            measure="share of the first token",
            selected=[min(layer, config.n_layers - 1), min(head, config.n_heads - 1)],
        )
        self.curves = LinePlot(
            x=np.arange(config.n_layers),
            values=np.zeros((2, config.n_layers)),
            names=["on the first token", "on the token just before"],
            x_axis="layer",
            unit="share",
            y_max=1.0,
            stage="attention",
            caption="Mean weight over the heads of each layer and all tokens after the first",
        )
        self.rows = HeatMap([[1.0]], ["…"], kind="weight", row_axis="whose weights", caption="")
        self.told = Told()
        self._wanted = query
        super().__init__([self.strip, self.grid, self.told, self.curves, self.rows])
        self.follow(source, self.show)
        self.strip.observe(self._pick, "selected")
        self.grid.observe(self._draw_rows, "selected")

    def show(self, trace: Trace) -> None:
        self.trace = trace
        self._query = clip_position(self._wanted, len(trace.tokens))
        scores = overview(trace).scores
        with self.quietly():
            self.strip.change(pieces=trace.pieces, ids=trace.tokens, selected=self._query)
        means = np.stack([scores[1].mean(axis=1), scores[0].mean(axis=1)])
        self.curves.change(values=means)
        self._draw()

    @by_the_reader
    def _pick(self, change) -> None:
        if change["new"] is not None:
            self._query = self._wanted = change["new"]
            self._draw()

    def _draw(self) -> None:
        trace = self.trace
        self._weights = experiments.weights_from(trace, self._query)
        first = self._weights[..., 0]
        piece = isolated(trace.pieces[self._query])
        self.grid.change(
            values=four_axes(first),
            caption=f"From {piece}: the share that each head gives to the first token",
        )
        heavy = int((first > 0.5).sum())
        self.told.say(
            f"From {piece}, {heavy} of {first.size} heads ({percent(heavy / first.size)}) give more than half to the "
            f"first token, {isolated(trace.pieces[0])}; the mean over all heads is {percent(first.mean())}."
            if self._query
            else f"{piece} is the first token: it can look at itself only, so every head gives it everything."
        )
        self._draw_rows()

    @one_at_a_time
    def _draw_rows(self, _change=None) -> None:
        layer, head = self.grid.selected
        mean, one = self._weights.mean(axis=(0, 1)), self._weights[layer, head]
        hidden = first_hidden(np.stack([mean, one]))
        name = head_name(layer, head)
        self.rows.change(
            values=np.stack([mean, hidden[0], one, hidden[1]]),
            row_labels=["mean of all heads", "… first hidden", name, "… first hidden"],
            col_labels=self.trace.pieces,
            caption=f"From {isolated(self.trace.pieces[self._query])}: the mean of all heads beside {name}, as they "
            "are and with the first token hidden and the rest renormalised",
        )
