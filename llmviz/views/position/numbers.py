"""What the pictures show, from the model's own arrays."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from llmviz import position
from llmviz.model import Trace

DISTANCES = np.arange(2_001)
OTHER_BASE = 10_000.0  # the base of the paper, beside that of the model


def before_rope(
    trace: Trace, layer: int, head: int
) -> tuple[Float[np.ndarray, "seq d_head"], Float[np.ndarray, "seq d_head"]]:
    """The queries and the keys of one head before RoPE: the model's own, with every hand turned back."""
    config, block, edits = trace.model.config, trace.blocks[layer], trace.edits
    q, k = block.q[head], block.k[config.kv_head_of(head)]
    if not edits.rope:
        return q, k
    places = np.arange(len(trace.tokens)) * edits.position_scale + edits.position_shift
    back = -position.rotation_angles(places, config.d_head, base=config.rope_base)
    return position.rotate(q, back), position.rotate(k, back)


def digits(value: float | np.floating) -> str:
    """Three digits and a true minus, such as "−0.181"; a dash for NaN."""
    return "–" if np.isnan(value) else f"{value:.3g}".replace("-", "−")
