"""Take RoPE back out of one head: its queries and keys, and where it would look."""

import numpy as np
from jaxtyping import Float

from llmviz.edits import Edits
from llmviz.model import Trace
from llmviz.position import rotate, rotation_angles


def before_rope(
    trace: Trace, layer: int, head: int
) -> tuple[Float[np.ndarray, "seq d_head"], Float[np.ndarray, "seq d_head"]]:
    """The queries and the keys of one head before RoPE: the model's own, with every hand turned back."""
    config, block, edits = trace.model.config, trace.blocks[layer], trace.edits
    q, k = block.q[head], block.k[config.kv_head_of(head)]
    if not edits.rope:
        return q, k
    places = np.arange(len(trace.tokens)) * edits.position_scale + edits.position_shift
    back = -rotation_angles(places, config.d_head, base=config.rope_base)
    return rotate(q, back), rotate(k, back)


def unturned_pattern(trace: Trace, layer: int, head: int) -> Float[np.ndarray, "seq seq"]:
    """Where one head of an unedited run would look, if RoPE turned nothing in its layer; NaN where masked.

    All it reads is left as it was: unlike `Edits(rope=False)`, which changes every layer before it too.
    """
    config, places = trace.model.config, np.arange(len(trace.tokens))
    back = -rotation_angles(places, config.d_head, base=config.rope_base)
    edits = Edits(at={(name, layer): lambda x: rotate(x, back) for name in ("q", "k")})
    pattern = trace.model.trace(trace.tokens, edits).blocks[layer].patterns(slice(head, head + 1))[0]
    return np.where(np.tri(len(places), dtype=bool), pattern, np.nan)
