"""Measure what one more token costs in time, with the KV cache and without, and in memory."""

import timeit
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from llmviz import attention
from llmviz.model import Model, rules_of

REPEATS = 3  # the fastest of them counts, because other programs can only make it slower


@dataclass(frozen=True, eq=False)
class Timing:
    """Seconds, measured on this machine, for texts of several lengths."""

    lengths: tuple[int, ...]
    with_cache: Float[np.ndarray, " n_lengths"]  # one more token, keys and values of the others kept
    without_cache: Float[np.ndarray, " n_lengths"]  # one more token, the whole text run again
    quadratic: Float[np.ndarray, " n_lengths"]  # of that: scores, softmax and mixing, in all layers

    @property
    def quadratic_share(self) -> Float[np.ndarray, " n_lengths"]:
        """The part of the time without the cache that grows with the square of the length, 0 to 1."""
        return np.clip(self.quadratic / self.without_cache, 0, 1)

    @property
    def half_quadratic_at(self) -> float:
        """Estimate, from the longest text, at how many tokens that part would be half of the time."""
        n = self.lengths[-1]
        linear = (self.without_cache[-1] - self.quadratic[-1]) / n
        return float(linear / (self.quadratic[-1] / n**2))


def measure_cost(model: Model, lengths: Sequence[int]) -> Iterator[Timing]:
    """Time texts of random tokens, one length after the other; yield the `Timing` of the lengths so far."""
    rng = np.random.default_rng(0)
    n_vocab = model.config.n_vocab
    ids = rng.integers(min(1_000, n_vocab // 10), n_vocab, max(lengths)).tolist()
    rows = []
    for n in lengths:
        rows.append(_cost_of(model, ids[:n]))
        yield Timing(tuple(lengths[: len(rows)]), *np.array(rows).T)


def cached_bytes(model: Model) -> int:
    """Return how many bytes of keys and values the KV cache keeps for each token, in all layers."""
    block = model.trace([0]).blocks[0]  # one token
    return model.config.n_layers * (block.k.nbytes + block.v.nbytes)


def _cost_of(model: Model, ids: list[int]) -> tuple[float, float, float]:
    """Return the seconds for one more token with the cache and without it, and the quadratic part of the latter."""

    def from_nothing() -> None:
        model.forget()  # otherwise nearly all of it would be reused from the run before
        model.trace(ids)

    without = _fastest(from_nothing)
    block = model.trace(ids).blocks[0]
    q, k, v = block.q, block.k, block.v
    kinds = Counter(rules_of(model.config, layer) for layer in range(model.config.n_layers))
    quadratic = sum(
        n * _fastest(partial(attention.weigh, q, k, v, rules=rules)) for rules, n in kinds.items()
    )
    steps = model.generate(ids, max_new_tokens=1 + REPEATS)
    next(steps)  # its logits are those of the trace
    return _fastest(lambda: next(steps, None)), without, quadratic


def _fastest(run: Callable) -> float:
    return min(timeit.repeat(run, number=1, repeat=REPEATS))
