"""What a token costs as the text grows, with the KV cache and without."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.experiments.cost import Timing
from llmviz.model import Model
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import row, wide
from llmviz.views.kit.line_plot import LinePlot


class Cost(Experiment):
    """What a token costs as the text grows: with the KV cache and without, and which part grows with the square.

    A button starts the measurement; `timing` is None before it.
    """

    LENGTHS = (32, 64, 128, 256, 512, 1024)

    def __init__(self, model: Model, *, lengths: Sequence[int] = LENGTHS):
        super().__init__("Measure on this machine")
        self.model, self.timing = model, None
        self.lengths = tuple(n for n in lengths if n + 4 <= model.config.n_ctx)
        axis = {"stage": "attention", "x_axis": "tokens in the text", "waiting": "press the button"}
        self.times = wide(
            LinePlot(
                unit="ms",
                names=["with the cache", "without"],
                caption="Time for one more token",
                **axis,
            )
        )
        self.shares = wide(
            LinePlot(
                unit="share",
                y_max=1.0,
                names=["scores, softmax, mixing", "everything else"],
                caption="Without the cache: share of the time that grows with the square of the length",
                **axis,
            )
        )
        self.children = (row(*self.buttons, self.progress), row(self.times, self.shares), self.told)
        self.buttons[0].on_click(self.run)
        self.told.say(*self._memory())

    def needs_kernel(self) -> list[ipywidgets.Button]:
        return self.buttons  # a page's reader sits at another machine

    def _memory(self) -> list[str]:
        c = self.model.config
        kept = experiments.cached_bytes(self.model)
        kb, mb = kept / 1e3, kept * c.n_ctx / 1e6
        times = c.group_size
        return [
            f"Memory a token: keys and values of {c.n_layers} layers × {c.n_kv_heads} heads × {c.d_head} numbers are "
            f"{kb:.0f} kB in float32. With a key/value head for each of the {c.n_heads} query heads it would be "
            f"{kb * times:.0f} kB. For a context of {c.n_ctx:,} tokens: {mb:.0f} MB against {mb * times:.0f} MB."
        ]

    def run(self, _button=None) -> None:
        self.start(self._measure(), self.buttons[0])

    def _measure(self) -> Steps:
        for timing in experiments.measure_cost(self.model, self.lengths):
            yield sum(timing.lengths) / sum(self.lengths)
        self.timing = timing
        self._show(timing)

    def _show(self, timing: Timing) -> None:
        x = np.array(timing.lengths, np.float32)
        ticks = [float(n) for n in timing.lengths if n >= max(timing.lengths) / 8]
        share = timing.quadratic_share
        self.times.change(
            x=x, values=1000 * np.stack([timing.with_cache, timing.without_cache]), x_ticks=ticks
        )
        self.shares.change(x=x, values=np.stack([share, 1 - share]), x_ticks=ticks)
        n = timing.lengths[-1]
        on, off = 1000 * timing.with_cache[-1], 1000 * timing.without_cache[-1]
        told = [
            f"At {n:,} tokens one more token takes {on:.0f} ms with the cache and {off:.0f} ms without: "
            f"{off / on:.0f} times as long."
        ]
        if len(timing.lengths) > 1:
            half = float(f"{timing.half_quadratic_at:.1g}")
            doubled = timing.without_cache[-1] / timing.without_cache[-2]
            told += [
                f"From {timing.lengths[-2]:,} to {n:,} tokens the whole takes {doubled:.1f} times as long, and scores, "
                f"softmax and mixing are {share[-1]:.0%} of it.",
                f"Drawn on from here, they would take half of the time at about {half:,.0f} tokens.",
            ]
        self.told.say(*told, *self._memory())
