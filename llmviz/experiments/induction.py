"""Measure how well a row of tokens that comes twice is copied, and which heads do it."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from llmviz import attention
from llmviz.edits import Edits
from llmviz.experiments.attention_behaviours import random_heads, strongest_heads
from llmviz.experiments.probabilities import token_probs
from llmviz.model import Model, Trace


def induction_scores(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """Return `attention.induction_score` of all heads; NaN where no token of the text comes twice."""
    return np.stack([attention.induction_score(block.patterns(), trace.tokens) for block in trace.blocks])


def induction_score_of(trace: Trace, head: tuple[int, int]) -> float:
    """Return the induction score of one head (layer, head); NaN where no token of the text comes twice."""
    layer, number = head
    pattern = trace.blocks[layer].patterns(slice(number, number + 1))
    return float(attention.induction_score(pattern, trace.tokens)[0])


def copying_by_pass(right: Float[np.ndarray, " n_right"]) -> tuple[float, float]:
    """Average `token_probs` of a row of n tokens that comes twice over the first pass, and over the second.

    The first token of each pass is not counted: nothing says that the row begins again.
    """
    n = (len(right) + 1) // 2
    return float(right[: n - 1].mean()), float(right[n:].mean())


def without_heads(
    trace: Trace, heads: Sequence[tuple[int, int]], seeds: Sequence[int]
) -> Iterator[Float[np.ndarray, " n_right"]]:
    """Yield `token_probs` with as many random heads switched off, a draw a seed, and at last with these heads off."""
    config = trace.model.config
    shape = config.n_layers, config.n_heads
    for off in (*(random_heads(shape, len(heads), heads, seed) for seed in seeds), heads):
        yield token_probs(trace.model.trace(trace.tokens, Edits(head=dict.fromkeys(off, 0))))


def random_tokens(model: Model, n: int, seed: int) -> list[int]:
    """Draw n different tokens, none of the very rare and none of the special ones."""
    n_vocab = model.config.n_vocab
    pool = np.arange(min(1_000, n_vocab // 10), min(20_000, n_vocab))
    return np.random.default_rng(seed).choice(pool, n, replace=False).tolist()


def repeat_after(model: Model, n: int, distance: int, seed: int, *, other: bool = False) -> list[int]:
    """Return random tokens of which the first n come again, each `distance` tokens on; or n others in their place."""
    tokens = random_tokens(model, distance + n, seed)
    return [*tokens[:distance], *(tokens[distance:] if other else tokens[:n])]


def copying_left(model: Model, seed: int) -> float:
    """Measure the copying that is left without the eight strongest induction heads, over eight others, in %."""
    trace = model.trace(random_tokens(model, 20, seed) * 2)
    strongest = strongest_heads(induction_scores(trace), 8)
    others_off, off = map(copying_by_pass, without_heads(trace, strongest, [seed]))
    return 100 * off[1] / others_off[1]
