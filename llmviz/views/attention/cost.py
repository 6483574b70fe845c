"""What a token costs as the text grows, with the KV cache and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmviz import attention, ops
from llmviz.model import Model
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import row, wide
from llmviz.views.kit.line_plot import LinePlot


@dataclass(frozen=True)
class Timing:
    """Seconds, measured on this machine, for texts of several lengths."""

    lengths: tuple[int, ...]
    with_cache: np.ndarray  # one more token, keys and values of the others kept
    without_cache: np.ndarray  # one more token, the whole text run again
    quadratic: np.ndarray  # of that: scores, softmax and mixing, in all layers


class Cost(Experiment):
    """What a token costs as the text grows: with the KV cache and without, and which part grows with the square.

    A button starts the measurement; `timing` is None before it.
    """

    LENGTHS = (32, 64, 128, 256, 512, 1024)

    def __init__(self, model: Model, *, lengths: Sequence[int] = LENGTHS):
        super().__init__("Measure on this machine")
        self.buttons[0].needs_kernel = True  # a page's reader sits at another machine
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

    def _memory(self) -> list[str]:
        c = self.model.config
        block = self.model.trace([0]).blocks[0]  # one token
        kept = c.n_layers * (block.k.nbytes + block.v.nbytes)
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
        rng = np.random.default_rng(0)
        longest = max(self.lengths)
        ids = rng.integers(min(1_000, self.model.config.n_vocab // 10), self.model.config.n_vocab, longest)
        rows = []
        for n in self.lengths:
            rows.append(self._cost_at(ids[:n].tolist()))
            yield sum(self.lengths[: len(rows)]) / sum(self.lengths)
        self.timing = Timing(self.lengths, *np.array(rows).T)
        self._show(self.timing)

    def _cost_at(self, ids: list[int]) -> tuple[float, float, float]:
        """Seconds for one more token with the cache, without it, and of the latter for scores, softmax and mixing."""
        model = self.model
        without = min(seconds(lambda: self._from_nothing(ids)) for _ in range(3))
        block = model.trace(ids).blocks[0]
        q, k, v = block.q, block.k, block.v
        quadratic = len(model.weights.layers) * min(seconds(lambda: _look_and_mix(q, k, v)) for _ in range(3))
        steps = model.generate(ids, max_new_tokens=4)
        next(steps)  # its logits are those of the trace
        return min(seconds(lambda: next(steps, None)) for _ in range(3)), without, quadratic

    def _from_nothing(self, ids: list[int]) -> None:
        """Nothing is kept: all tokens run again for the next one."""
        self.model.forget()
        self.model.trace(ids)

    def _show(self, timing: Timing) -> None:
        x = np.array(timing.lengths, np.float32)
        ticks = [float(n) for n in timing.lengths if n >= max(timing.lengths) / 8]
        share = np.clip(timing.quadratic / timing.without_cache, 0, 1)
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
            doubled = timing.without_cache[-1] / timing.without_cache[-2]
            linear = (timing.without_cache[-1] - timing.quadratic[-1]) / n
            even = linear / (timing.quadratic[-1] / n**2)
            told += [
                f"From {timing.lengths[-2]:,} to {n:,} tokens the whole takes {doubled:.1f} times as long, and scores, "
                f"softmax and mixing are {share[-1]:.0%} of it.",
                f"Drawn on from here, they would take half of the time at about {float(f'{even:.1g}'):,.0f} tokens.",
            ]
        self.told.say(*told, *self._memory())


def _look_and_mix(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The part of attention whose work grows with the square of the length."""
    scores = attention.attention_scores(q, k)
    np.copyto(scores, -np.inf, where=attention.future_mask(q.shape[1], k.shape[1]))
    return attention.mix(ops.softmax(scores), v)


def seconds(run: Callable) -> float:
    """How long it took to run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
