"""How many heads rest on the first token, as the text gets longer."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.kit.background import Background, Steps
from llmviz.views.kit.controls import Told, row, slider, wide
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import STATIC, Explorer, by_the_reader
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt, most_tokens, trace_of

LAST = 50  # tokens; at a single one the number can be an odd one
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")


class Sink(Explorer):
    """How many heads give the first token more than half of their attention, from each token of a long text.

    The text is the reader's, and then a story goes on until there are 512 tokens: `trace` is the run over both. No
    token sees what follows it, so the reader's own tokens do what they do without the story.
    """

    trace = traitlets.Instance(Trace)

    def __init__(self, source: Prompt | Trace):
        self.model = trace_of(source).model
        self.n = most_tokens(self.model)
        axis = {"stage": "attention", "x_axis": "token number", "log_x": True}
        self.from_token = slider(1, "From token number", self.n, stage="attention", first=1)
        self.counts = LinePlot(
            unit="rank",  # whole numbers
            names=["heads"],
            y_max=float(self.model.config.n_layers * self.model.config.n_heads),
            caption="Heads that give the first token more than half of their attention",
            **axis,
        )
        self.lengths = LinePlot(
            names=["length"],
            caption="How long each token's value is (mean over all layers and heads)",
            **axis,
        )
        self.grid = empty_grid(self.model.config, measure="share of the first token")
        self.told = Told()
        self._work = Background(self)
        super().__init__([self.from_token, row(wide(self.counts), wide(self.lengths)), self.told, self.grid])
        self.follow(source, self.show)
        self.from_token.observe(self._draw, "value")
        for plot in (self.counts, self.lengths):
            plot.observe(self._pick, "selected")

    def show(self, own: Trace) -> None:
        """Another text; the long run waits until everything else shows it."""
        if self.trait_has_value("trace"):
            self._work.start(self._run(own))
        else:
            for _ in self._run(own):
                pass

    def _run(self, own: Trace) -> Steps:
        yield 0.01
        story = self.model.tokenizer.encode(" " + STORY)
        trace = self.model.trace([*own.tokens, *story][: self.n])
        self._first, self._lengths = experiments.first_token_weights(trace), experiments.value_norms(trace)
        self._own = len(own.tokens)
        marks = [[self._own, "end of your text"]] if self._own < len(trace.tokens) else []
        along = {"x": np.arange(1, len(trace.tokens) + 1), "marks": marks}
        self.trace = trace
        with self.quietly():
            self.counts.change(values=experiments.heads_on_first(self._first)[None], **along)
            self.lengths.change(values=self._lengths[None], **along)
            self.from_token.max = len(trace.tokens)
            self.from_token.value = self._own
        self._draw()

    @by_the_reader
    def _pick(self, change) -> None:
        if change["new"] is not None:
            self.from_token.value = change["new"] + 1

    @by_the_reader
    def _draw(self, _change=None) -> None:
        at = min(self.from_token.value, len(self.trace.tokens)) - 1
        here, first = isolated(self.trace.pieces[at]), self._first[..., at]
        with self.quietly():
            for plot in (self.counts, self.lengths):
                plot.selected = at
        self.grid.change(
            values=four_axes(first),
            caption=f"From token {at + 1}, {here}: each head's share for the first token",
        )
        counts = self.counts.values[0]
        short = np.flatnonzero(experiments.short_values(self._lengths)[: at + 1])
        named = ", ".join(f"{isolated(self.trace.pieces[i])} ({i + 1})" for i in short[:8])
        more = f" and {len(short) - 8} more" if len(short) > 8 else ""
        self.told.say(
            f"From token {at + 1}, {here}, {counts[at]:.0f} of {first.size} heads give more than half to the first "
            f"token; the mean over all heads is {percent(first.mean())}. From the last {min(LAST, len(counts))} "
            f"tokens it is {counts[-LAST:].mean():.0f} heads on average.",
            f"Up to here these values are less than half as long as the median one: {named}{more}."
            if named
            else "",
        )
