"""A head's name, how a view holds one, and its weights as they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmviz import attention
from llmviz.model import Model, Trace
from llmviz.views.kit.state_fields import picked
from llmviz.views.kit.view import View


def head_name(layer: int, head: int) -> str:
    """ "L13·H8"."""
    return f"L{layer}·H{head}"


def model_of(view: View) -> Model:
    """Return the model of a view's run, or the model that is its source."""
    return getattr(view.run, "model", view.run)


def picked_head(**others: Any) -> Any:
    """Declare a head, its layer first, that pictures set, or None; others: see `picked`."""
    return picked(
        None,
        lambda head, view: head is None or are_heads((head,), view),
        "a layer and a head, or None",
        **others,
    )


def are_heads(value: Any, view: View) -> bool:
    """Return whether this is a tuple of different heads of a view's model, each with its layer first."""
    config = model_of(view).config
    heads = [*np.ndindex(config.n_layers, config.n_heads)]
    return isinstance(value, tuple) and sum(head in value for head in heads) == len(value)


def head_pattern(trace: Trace, layer: int, head: int, *, hide_first: bool = False) -> np.ndarray:
    """One head's weights [seq, kv_seq], NaN where masked."""
    pattern = trace.blocks[layer].patterns(slice(head, head + 1))[0]
    if hide_first:
        pattern = attention.without_first_token(pattern)
    future = attention.future_mask(*pattern.shape) & trace.edits.causal_mask
    return np.where(future, np.float32(np.nan), pattern)
