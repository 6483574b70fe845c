"""A head's name, how a view holds one, and its weights as they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmviz import attention
from llmviz.model import Trace
from llmviz.views.kit.state_fields import picked


def head_name(layer: int, head: int) -> str:
    """ "L13·H8"."""
    return f"L{layer}·H{head}"


def picked_head(**others: Any) -> Any:
    """Declare a head of the model that a view is of, its layer first, that pictures set, or None; see `picked`."""
    return picked(
        None,
        lambda head, view: (
            head is None or head in np.ndindex(view.run.config.n_layers, view.run.config.n_heads)
        ),
        "a layer and a head, or None",
        **others,
    )


def head_pattern(trace: Trace, layer: int, head: int, *, hide_first: bool = False) -> np.ndarray:
    """One head's weights [seq, kv_seq], NaN where masked."""
    pattern = trace.blocks[layer].patterns(slice(head, head + 1))[0]
    if hide_first:
        pattern = attention.without_first_token(pattern)
    future = attention.future_mask(*pattern.shape) & trace.edits.causal_mask
    return np.where(future, np.float32(np.nan), pattern)
