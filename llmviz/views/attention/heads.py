"""A head's name, its sliders, and its weights as they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from llmviz import attention
from llmviz.model import Model, Trace
from llmviz.views.kit.state_fields import clip_position, index, picked
from llmviz.views.kit.view import Scene, View


def head_name(layer: int, head: int) -> str:
    """ "L13·H8"."""
    return f"L{layer}·H{head}"


def model_of(view: View | Scene) -> Model:
    """Return the model of a view's run, or the model that is its source."""
    return getattr(view.run, "model", view.run)


def layer_slider(default: int) -> Any:
    """Declare a layer."""
    return index(default, "Layer", lambda view: model_of(view).config.n_layers, stage="attention")


def head_slider(default: int) -> Any:
    """Declare the number of a head in its layer."""
    return index(default, "Head", lambda view: model_of(view).config.n_heads, stage="attention")


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


def chosen_head(scene: Scene) -> tuple[int, int]:
    """Return the layer and the head that the sliders of a view show."""
    config = model_of(scene).config
    return clip_position(scene.layer, config.n_layers), clip_position(scene.head, config.n_heads)


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
