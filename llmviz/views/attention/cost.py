"""What a token costs as the text grows, with the KV cache and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.experiments.cost import Timing
from llmviz.views.kit.controls import wide
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.state_fields import fixed
from llmviz.views.kit.view import Scene, View, job, part, sentences

LENGTHS = (32, 64, 128, 256, 512, 1024)
AXIS = {"stage": "attention", "x_axis": "tokens in the text"}
SHARES = ["scores, softmax, mixing", "everything else"]


class Cost(View):
    """What a token costs as the text grows, with the KV cache and without, and which part grows with the square."""

    @dataclass(frozen=True)
    class State:
        """The lengths to measure, in tokens."""

        lengths: tuple[int, ...] = fixed(
            LENGTHS, lambda n: isinstance(n, tuple), "a tuple of numbers of tokens"
        )

    arrangement = (("measure", "progress"), ("times", "shares"), "message")

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["measure"]]  # The reader of a page uses another machine.

    @job("lengths", start="Measure on this machine")
    def measure(self, scene: Scene) -> Iterator[tuple[float, Timing]]:
        lengths = [n for n in scene.lengths if n + 4 <= scene.run.config.n_ctx]
        for timing in experiments.measure_cost(scene.run, lengths):
            yield sum(timing.lengths) / sum(lengths), timing

    @part(lambda _: wide(LinePlot(names=["with the cache", "without"], unit="ms", **AXIS)))
    def times(self, scene: Scene) -> dict:
        timing, caption = scene.known("measure"), "Time for one more token"
        return _lines(timing, 1000 * timing.with_cache, 1000 * timing.without_cache) | {"caption": caption}

    @part(lambda _: wide(LinePlot(names=SHARES, unit="share", y_max=1.0, **AXIS)))
    def shares(self, scene: Scene) -> dict:
        timing = scene.known("measure")
        caption = "Without the cache: share of the time that grows with the square of the length"
        return _lines(timing, timing.quadratic_share, 1 - timing.quadratic_share) | {"caption": caption}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        c, timing = scene.run.config, scene.result("measure")
        n_bytes = experiments.cached_bytes(scene.run)
        kb, mb = n_bytes / 1e3, n_bytes * c.n_ctx / 1e6
        memory = (
            f"The keys and values of a token, in {c.n_layers} layers × {amount(c.n_kv_heads, 'heads')} × {c.d_head} "
            f"numbers, take {kb:.0f} kB in float32. With a key/value head for each of the {c.n_heads} query heads it "
            f"would be {kb * c.group_size:.0f} kB. For a context of {c.n_ctx:,} tokens"
            f"{', if every layer keeps them all' * any(c.windows)}: {mb:,.0f} MB against {mb * c.group_size:,.0f} MB."
        )
        if timing is None:
            return [memory]
        n, on, off = timing.lengths[-1], 1000 * timing.with_cache[-1], 1000 * timing.without_cache[-1]
        lines = [
            f"At {n:,} tokens one more token takes {on:.0f} ms with the cache and {off:.0f} ms without: "
            f"{off / on:.0f} times as long."
        ]
        if len(timing.lengths) > 1:
            half = float(f"{timing.half_quadratic_at:.1g}")
            doubled = timing.without_cache[-1] / timing.without_cache[-2]
            lines += [
                f"From {timing.lengths[-2]:,} to {n:,} tokens the whole takes {doubled:.1f} times as long, and scores, "
                f"softmax and mixing are {timing.quadratic_share[-1]:.0%} of it.",
                f"Drawn on from here, they would take half of the time at about {half:,.0f} tokens.",
            ]
        return [*lines, memory]


def _lines(timing: Timing, *values: np.ndarray) -> dict:
    x = np.array(timing.lengths, np.float32)
    return {"x": x, "values": np.stack(values), "x_ticks": x[x >= x[-1] / 8].tolist()}
