"""A head's name, and its weights as they are drawn."""

from __future__ import annotations

import numpy as np

from llmviz import attention
from llmviz.model import Trace


def head_name(layer: int, head: int) -> str:
    """ "L13·H8"."""
    return f"L{layer}·H{head}"


def first_hidden(weights: np.ndarray) -> np.ndarray:
    """`without_first_token` for rows [*heads, kv_seq] in which masked keys are NaN already."""
    masked = np.isnan(weights)
    return np.where(masked, np.nan, attention.without_first_token(np.where(masked, 0, weights)))


def head_pattern(trace: Trace, layer: int, head: int, *, hide_first: bool = False) -> np.ndarray:
    """One head's weights [seq, kv_seq], NaN where masked."""
    pattern = trace.blocks[layer].patterns(slice(head, head + 1))[0]
    if hide_first:
        pattern = attention.without_first_token(pattern)
    future = attention.future_mask(*pattern.shape) & trace.edits.causal_mask
    return np.where(future, np.float32(np.nan), pattern)
