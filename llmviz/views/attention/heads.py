"""Numbers of all heads out of a trace, all by the functions that the model runs."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from llmviz import attention
from llmviz.model import Trace

# Cells along one side of a small map; longer texts show the largest weight of each block of cells.
MAP_SIZE = 32

# The measures of llmviz.attention that say what a head does, and what each of them means.
BEHAVIOURS = {
    "previous token": "mean weight on the token just before",
    "first token": "mean weight on the very first token, over all later ones",
    "duplicate": "mean weight on earlier copies of the query's own token, where there are any",
    "induction": "mean weight on the tokens that followed earlier copies of the query's token, where there are any",
}


def head_name(layer: int, head: int) -> str:
    """ "layer 13, head 8"."""
    return f"layer {layer}, head {head}"


def first_hidden(weights: np.ndarray) -> np.ndarray:
    """`without_first_token` for rows [*heads, kv_seq] in which masked keys are NaN already."""
    masked = np.isnan(weights)
    return np.where(masked, np.nan, attention.without_first_token(np.where(masked, 0, weights)))


@dataclass(frozen=True)
class Overview:
    """All heads of one run, small enough to draw."""

    maps: np.ndarray  # [n_layers, n_heads, size, size], NaN where masked
    step: int  # tokens along one side of a cell
    scores: np.ndarray  # [one a behaviour, n_layers, n_heads], NaN where it could not happen


@functools.lru_cache(maxsize=2)  # the same sentence, with its first token and without
def overview(trace: Trace, hide_first: bool = False) -> Overview:
    """Every head's pattern, as a small map, and its measured behaviours."""
    config, seq = trace.model.config, len(trace.tokens)
    step = -(-seq // MAP_SIZE)
    size = -(-seq // step)
    maps = np.empty((config.n_layers, config.n_heads, size, size), np.float32)
    scores = np.empty((len(BEHAVIOURS), config.n_layers, config.n_heads), np.float32)
    future = attention.future_mask(seq, seq) & trace.edits.causal_mask
    for layer, block in enumerate(trace.blocks):
        pattern = block.patterns()
        scores[:, layer] = behaviours(pattern, trace.tokens)
        drawn = attention.without_first_token(pattern) if hide_first else pattern
        maps[layer] = largest_in_blocks(np.where(future, np.float32(np.nan), drawn), step)
    return Overview(maps, step, scores)


def behaviours(pattern: np.ndarray, tokens: list[int]) -> np.ndarray:
    """The four measures of `BEHAVIOURS` for the heads of one layer: [4, n_heads]."""
    return np.stack(
        [
            attention.previous_token_score(pattern),
            attention.first_token_score(pattern),
            attention.duplicate_token_score(pattern, tokens),
            attention.induction_score(pattern, tokens),
        ]
    )


def largest_in_blocks(pattern: np.ndarray, step: int) -> np.ndarray:
    """The largest number of each step × step block of the last two axes; NaN only where all of it is NaN."""
    if step == 1:
        return pattern
    seq = pattern.shape[-1]
    size = -(-seq // step)
    room = ((0, 0), (0, size * step - seq), (0, size * step - seq))
    padded = np.pad(pattern, room, constant_values=np.nan).reshape(-1, size, step, size, step)
    return np.fmax.reduce(np.fmax.reduce(padded, axis=4), axis=2)


def head_pattern(trace: Trace, layer: int, head: int, *, hide_first: bool = False) -> np.ndarray:
    """One head's weights [seq, kv_seq], NaN where masked."""
    pattern = trace.blocks[layer].patterns(slice(head, head + 1))[0]
    if hide_first:
        pattern = attention.without_first_token(pattern)
    future = attention.future_mask(*pattern.shape) & trace.edits.causal_mask
    return np.where(future, np.float32(np.nan), pattern)
