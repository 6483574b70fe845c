"""Take one attention score apart: what each part of the query's and of the key's stream adds to it.

The stream before a layer is a sum: the embedding, and what each earlier attention block and FFN has added. With the
norms' scales as they were in this run, query and key are sums as well, and their dot product is a sum over pairs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from llmviz import ops
from llmviz.edits import Edits, index_of, put
from llmviz.experiments.attention_behaviours import weights_of_last
from llmviz.model import Trace
from llmviz.position import rotate, rotation_angles
from llmviz.reuse import kept_with


@dataclass(frozen=True, eq=False)
class ScoreParts:
    """The scores of one query with every key that it sees, as sums over pairs of parts."""

    names: list[str]  # of the parts of a stream: "embedding", "attention 0", "FFN 0", …
    values: Float[np.ndarray, "n_parts kv_seq n_parts"]  # part of the query, key, part of the key

    def beyond(self, key: int) -> Float[np.ndarray, "n_parts n_parts"]:
        """Return what the pairs add to a key's score beyond what they add to the other keys' on average.

        Softmax depends on nothing else. The result is zeros if there is no other key.
        """
        others = np.delete(self.values, key, axis=1)
        return self.values[:, key] - (others if others.size else self.values).mean(axis=1)


def stream_parts(trace: Trace, layer: int) -> tuple[list[str], Float[np.ndarray, "n_parts seq d_model"]]:
    """Return the names and the vectors of all parts that add up to the stream before a layer.

    ValueError for a run with edits, or a layer that is not there.
    """
    if trace.edits != Edits():
        raise ValueError("the scores of a run with edits are not taken apart")
    blocks = trace.blocks[: index_of("layer", layer, len(trace.blocks), negative=False)]
    names, parts = ["embedding"], [trace.blocks[0].resid_pre]
    for i, block in enumerate(blocks):
        names += [f"attention {i}", f"FFN {i}"]
        parts += [block.resid_mid - block.resid_pre, block.resid_post - block.resid_mid]
    return names, np.stack(parts)


def score_parts(trace: Trace, layer: int, head: int, query: int = -1) -> ScoreParts:
    """Take the scores of one query in one head apart. ValueError as for `stream_parts`, and for other places."""
    config, w = trace.model.config, trace.model.weights.layers[layer]
    index_of("head", head, config.n_heads, negative=False)
    query = index_of("query", query, len(trace.tokens))
    names, parts = stream_parts(trace, layer)
    x = trace.blocks[layer].resid_pre[: query + 1]
    held = ops.rms_scale(x, w.attention_norm, eps=config.norm_eps)
    read = parts[:, : query + 1] * held
    angles = rotation_angles(np.arange(query + 1), config.d_head, base=config.rope_base)
    q = rotate(read[:, -1:] @ w.W_Q[head], angles[-1:])[:, 0]
    k = rotate(read @ w.W_K[config.kv_head_of(head)], angles)
    return ScoreParts(names, np.einsum("ad,bjd->ajb", q, k, optimize=True) / np.sqrt(config.d_head))


def weights_at_mean(
    trace: Trace, layer: int, head: int, key: int, query: int = -1
) -> Float[np.ndarray, " n_parts"]:
    """Return the attention weight on a key with one part of its stream at the other keys' mean.

    One number for each part; the norm is computed again. Only this head's key changes: not its query, nor its values.
    """
    config, w = trace.model.config, trace.model.weights.layers[layer]
    query = index_of("query", query, len(trace.tokens))
    _, parts = stream_parts(trace, layer)
    others = np.delete(parts[:, : query + 1], key, axis=1)
    mean = others.mean(axis=1) if others.size else parts[:, key]
    x = trace.blocks[layer].resid_pre[key] - parts[:, key] + mean
    angles = rotation_angles(np.array([key]), config.d_head, base=config.rope_base)
    x = ops.rms_norm(x, w.attention_norm, eps=config.norm_eps)[:, None]
    k = rotate(x @ w.W_K[config.kv_head_of(head)], angles)[:, 0]
    block = trace.blocks[layer]
    scores = np.tile(block.attention_at(query).scores[head, 0, : query + 1], (len(x), 1))
    scores[:, key] = k @ block.q[head, query] / np.sqrt(config.d_head)
    return ops.softmax(scores)[:, key]


def largest_key(weights: Float[np.ndarray, " kv_seq"]) -> int:
    """Return the key with the largest weight, the first token left out where there is another."""
    return int(weights[1:].argmax()) + 1 if len(weights) > 1 else 0


def other_key(weights: Float[np.ndarray, " kv_seq"], key: int) -> int:
    """Return a key to compare with: the one with the median weight, the first token left out where it can be."""
    others = [i for i in range(len(weights)) if i != key]
    others = others[others[0] == 0 and len(others) > 1 :]
    return sorted(others, key=lambda i: weights[i])[len(others) // 2]


@kept_with()  # A card asks for it twice, for its answer and for its explanation.
def largest_part(trace: Trace, layer: int, head: int) -> tuple[int, str]:
    """Return the key with the largest weight for the last token, and the part of its stream that adds most to it."""
    key = largest_key(weights_of_last(trace, layer, head))
    parts = score_parts(trace, layer, head)
    return key, parts.names[parts.beyond(key).sum(axis=0).argmax()]


def at_mean(trace: Trace, part: str, key: int, query: int = -1) -> Edits:
    """Return edits under which a part ("attention 16") gives one key its mean over the other keys of a query.

    All that comes after it is computed again, so later parts can make up for it: `weights_at_mean` keeps them fixed.
    """
    kind, _, number = part.partition(" ")
    layer = int(number or 0)
    names, parts = stream_parts(trace, layer + 1)
    added = parts[names.index(part)]
    others = np.delete(added[: index_of("query", query, len(added)) + 1], key, axis=0)
    if not len(others):
        return Edits()
    name = {"embedding": "resid_pre", "attention": "attention_out", "FFN": "ffn_out"}[kind]
    return Edits(at={(name, layer): put(others.mean(axis=0), positions=key)})
