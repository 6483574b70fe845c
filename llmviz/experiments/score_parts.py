"""Take one attention score apart: what each part of the query's and of the key's stream adds to it.

The stream before a layer is a sum: the embedding, and what each earlier attention block and FFN has added. With the
norms' scales as they were in this run, query and key are sums as well, and their dot product is a sum over pairs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from llmviz import attention, ops
from llmviz.edits import Edits, index_of, put
from llmviz.experiments.attention_behaviours import weights_of_last
from llmviz.model import Trace, norm, queries_keys_values, rotations_at, rules_of, turned
from llmviz.reuse import kept_with


@dataclass(frozen=True, eq=False)
class ScoreParts:
    """The scores of one query with every key that it sees, as sums over pairs of parts."""

    # of the parts of a stream: "embedding", "attention 0", "FFN 0", …; and "biases", if the model has some
    names: list[str]
    values: Float[np.ndarray, "n_parts kv_seq n_parts"]  # part of the query, key, part of the key
    first: int = 0  # the first key that the query sees

    def beyond(self, key: int) -> Float[np.ndarray, "n_parts n_parts"]:
        """Return what the pairs add to a key's score beyond what they add to the other keys' on average.

        Softmax depends on nothing else. The result is zeros if there is no other key.
        """
        others = [i for i in range(self.first, self.values.shape[1]) if i != key]
        return self.values[:, key] - self.values[:, others or [key]].mean(axis=1)

    def largest(self, key: int) -> int:
        """Return which part of a key's stream adds most to its score."""
        return int(self.beyond(key).sum(axis=0)[: len(self.names) - ("biases" in self.names)].argmax())


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
    """Take the scores of one query in one head apart, before any cap.

    ValueError as for `stream_parts`, and for other places.
    """
    config = trace.model.config
    index_of("head", head, config.n_heads, negative=False)
    query = index_of("query", query, len(trace.tokens))
    names, parts = stream_parts(trace, layer)
    parts, places, rules = parts[:, : query + 1], np.arange(query + 1), rules_of(config, layer)
    q = _projected(trace, layer, "Q", head, parts[:, -1:], places[-1:])[:, 0]
    k = _projected(trace, layer, "K", int(config.kv_head_of(head)), parts, places)
    values = np.einsum("ad,bjd->ajb", q, k, optimize=True) / (rules.divisor or np.sqrt(config.d_head))
    first = max(0, query + 1 - (rules.window or query + 1))
    return ScoreParts(names + ["biases"] * (len(q) - len(names)), values, first)


def _projected(
    trace: Trace,
    layer: int,
    letter: str,
    head: int,
    parts: Float[np.ndarray, "n_parts seq d_model"],
    places: Int[np.ndarray, " seq"],
) -> Float[np.ndarray, "n_parts_or_more seq d_head"]:
    """Return what each part of the stream adds to a head's queries ("Q") or keys ("K"), with the norms' scales fixed.

    If the model has biases, a further row has what they add.
    """
    config, w = trace.model.config, trace.model.weights.layers[layer]
    W, b = getattr(w, f"W_{letter}")[head], getattr(w, f"b_{letter}")
    x = trace.blocks[layer].resid_pre[places]
    if w.attention_norm_bias is not None:  # A LayerNorm leaves out each vector's mean.
        x, parts = (each - each.mean(axis=-1, keepdims=True) for each in (x, parts))
    projected = parts * ops.rms_scale(x, w.attention_norm, eps=config.norm_eps) @ W
    if b is not None or w.attention_norm_bias is not None:
        of_norm = 0 if w.attention_norm_bias is None else w.attention_norm_bias @ W
        constant = np.zeros_like(projected[:1]) + of_norm + (0 if b is None else b[head])
        projected = np.concatenate([projected, constant])
    own_norm = getattr(w, f"{letter.lower()}_norm")
    if own_norm is not None:
        projected = projected * ops.rms_scale(projected.sum(axis=0), own_norm, eps=config.norm_eps)
    return turned(config, layer, projected, places)


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
    x = norm(x, w.attention_norm, config, trace.edits, w.attention_norm_bias)
    rotations = rotations_at(config, np.full(len(x), key), x.dtype)[layer]
    k = queries_keys_values(w, config, x, rotations, trace.edits)[1][[int(config.kv_head_of(head))]]
    block = trace.blocks[layer]
    scores = np.tile(block.attention_at(query).scores[head, 0, : query + 1], (len(x), 1))
    if np.isfinite(scores[0, key]):  # within the query's window
        q = block.q[None, head, [query]]
        scores[:, key] = attention.attention_scores(q, k, rules=rules_of(config, layer))[0, 0]
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
    return key, parts.names[parts.largest(key)]


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
