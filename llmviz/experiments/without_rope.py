"""Take RoPE back out of one head: its queries and keys, and where it would look."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from llmviz.edits import index_of
from llmviz.model import BlockTrace, Trace
from llmviz.position import rotate, rotation_angles


def before_rope(
    trace: Trace, layer: int, head: int
) -> tuple[Float[np.ndarray, "seq d_head"], Float[np.ndarray, "seq d_head"]]:
    """The queries and the keys of one head before RoPE: the model's own, with every hand turned back.

    ValueError for a layer or head that is not there.
    """
    block = _turned_back(trace, layer, head)
    return block.q[head], block.k[block.config.kv_head_of(head)]


def pattern_without_rope(trace: Trace, layer: int, head: int) -> Float[np.ndarray, "seq seq"]:
    """Where one head of a run would look, if RoPE turned nothing in its layer; NaN where masked.

    All it reads is left as it was: unlike `Edits(rope=False)`, which changes every layer before it too.
    ValueError for a layer or head that is not there.
    """
    pattern = _turned_back(trace, layer, head).patterns(slice(head, head + 1))[0]
    if not trace.edits.causal_mask:
        return pattern
    return np.where(np.tri(len(pattern), dtype=bool), pattern, np.nan)


def _turned_back(trace: Trace, layer: int, head: int) -> BlockTrace:
    index_of("layer", layer, len(trace.blocks), negative=False)
    index_of("head", head, trace.model.config.n_heads, negative=False)
    block, edits = trace.blocks[layer], trace.edits
    if not edits.rope:
        return block
    places = np.arange(len(trace.tokens)) * edits.position_scale + edits.position_shift
    back = -rotation_angles(places, block.config.d_head, base=block.config.rope_base)
    return replace(block, q=rotate(block.q, back), k=rotate(block.k, back))
