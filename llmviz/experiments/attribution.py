"""Measure how much each block, head, neuron and token of the text adds to an answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from llmviz import ops, training
from llmviz.edits import index_of
from llmviz.model import Model, Trace


@dataclass(frozen=True, eq=False)
class LogitParts:
    """What each block's own words add to one token's logit. The parts sum to it."""

    embedding: float
    attention: Float[np.ndarray, " n_layers"]
    ffn: Float[np.ndarray, " n_layers"]
    total: float  # the sum of them all


def direction_of(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> np.ndarray:
    """The direction [d_model] in the stream that counts for a token's logit after `position`.

    logit = x · direction, for the last stream x. It holds the final norm's weight and the number by which that
    norm divides *in this run*: a fact about the whole stream, taken as given. `against`: the lead over that token, or
    over the mean of all logits.
    """
    W_U = trace.model.weights.W_U
    column = W_U[:, token].astype(np.float64)
    if against is not None:
        column = column - (W_U.mean(axis=1) if against == "mean" else W_U[:, against])
    return column * _held_norm(trace, position)


def _held_norm(trace: Trace, position: int) -> Float[np.ndarray, " d_model"] | float:
    """By what the final norm multiplies the stream after `position` in this run."""
    model, position = trace.model, index_of("position", position, len(trace.tokens))
    if not trace.edits.norm:
        return 1.0
    x = trace.blocks[-1].resid_post[position].astype(np.float64)
    return model.weights.final_norm / np.sqrt(np.square(x).mean() + model.config.norm_eps)


def direct_attribution(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> LogitParts:
    """How much the embedding and each attention and FFN block add, directly, to a token's logit after `position`.

    "Directly": what a block changes in later blocks counts as theirs. With `against`, the lead over that token, or over
    the mean of all logits: what all logits share moves no probability, and drops out. ValueError where blocks replace
    the stream or something in it was set or added by hand, since the stream is no sum of theirs then.
    """
    by_hand = trace.edits.resid or any(name.startswith("resid") for name, _ in trace.edits.at)
    if not trace.edits.residual or by_hand:
        raise ValueError("with these edits the stream is no sum of what the blocks add")
    direction = direction_of(trace, token, against=against, position=position)
    pre, mid, post = (
        np.stack([getattr(block, name)[position] for block in trace.blocks]).astype(np.float64)
        for name in ("resid_pre", "resid_mid", "resid_post")
    )
    attention, ffn = (mid - pre) @ direction, (post - mid) @ direction
    embedding = float(pre[0] @ direction)
    return LogitParts(embedding, attention, ffn, embedding + float(attention.sum() + ffn.sum()))


def neuron_attribution(
    trace: Trace, layer: int, token: int, *, against: int | None = None, position: int = -1
) -> Float[np.ndarray, " d_ff"]:
    """The same for the neurons of one layer: hidden_i * (W_down[i] · direction). They sum to the FFN's part.

    ValueError where `Edits.at` changes that sum itself, `ffn_out`.
    """
    if ("ffn_out", layer) in trace.edits.at:
        raise ValueError(f"with these edits the FFN of layer {layer} is no sum of what its neurons add")
    direction = direction_of(trace, token, against=against, position=position)
    scale = trace.edits.ffn.get(layer, 1)
    position = index_of("position", position, len(trace.tokens))
    hidden = trace.blocks[layer].ffn_at(slice(position, position + 1)).hidden[0]
    return scale * hidden * (trace.model.weights.layers[layer].W_down @ direction)


def head_writes(
    trace: Trace, layer: int, head: int, *, position: int = -1, source: int | None = None
) -> Float[np.ndarray, " d_model"]:
    """What one head adds to the stream at `position`; with `source`, the part of it that comes from that token.

    The parts from all tokens, weight * v @ W_O, sum to the whole. ValueError where `Edits.at` changes that sum itself,
    and for a layer, head or token that is not there.
    """
    index_of("layer", layer, len(trace.blocks), negative=False)
    index_of("head", head, trace.model.config.n_heads, negative=False)
    if ("attention_out", layer) in trace.edits.at or (source is not None and ("z", layer) in trace.edits.at):
        raise ValueError(f"with these edits the attention of layer {layer} is no sum of what its heads write")
    position = index_of("position", position, len(trace.tokens))
    run = trace.blocks[layer].attention_at(position)
    z = run.z[head, 0]
    if source is not None:
        source = index_of("source", source, len(trace.tokens))
        weight = run.pattern[head, 0, source] if source < run.pattern.shape[-1] else 0  # else masked
        handed_over = trace.blocks[layer].v[trace.model.config.kv_head_of(head), source]
        z = trace.edits.head.get((layer, head), 1) * weight * handed_over
    return trace.edits.attention.get(layer, 1) * (z @ trace.model.weights.layers[layer].W_O[head])


def head_attribution(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> Float[np.ndarray, "n_layers n_heads"]:
    """How much each head adds, directly, to a token's logit: those of a layer sum to its attention's part."""
    direction = direction_of(trace, token, against=against, position=position)
    layers, heads = range(len(trace.blocks)), range(trace.model.config.n_heads)
    return np.array(
        [
            [head_writes(trace, layer, head, position=position) @ direction for head in heads]
            for layer in layers
        ]
    )


def head_says(
    trace: Trace, layer: int, head: int, source: int, *, position: int = -1
) -> Float[np.ndarray, " n_vocab"]:
    """What a head would add, directly, to every logit after `position` if it gave all its weight to `source`.

    Its value there through W_O and the output table. The final norm is taken as in `direct_attribution`: its weight,
    and the number by which it divides in this run at `position`, held as it was. Times the weight that the head gives
    to `source` it is what the head does add from there.
    """
    model = trace.model
    index_of("layer", layer, len(trace.blocks), negative=False)
    source = index_of("source", source, len(trace.tokens))
    value = trace.blocks[layer].v[
        model.config.kv_head_of(index_of("head", head, model.config.n_heads, negative=False))
    ]
    written = value[source] @ model.weights.layers[layer].W_O[head]
    return (written * _held_norm(trace, position)).astype(np.float32) @ model.weights.W_U


def saliency(
    model: Model, text: str | Sequence[int] | Int[np.ndarray, " seq"], token: int | None = None
) -> Float[np.ndarray, " seq"]:
    """Which tokens mattered for an answer: gradient × input (Shrikumar et al. 2016), in nats.

    How fast ln of the probability of `token` (the likeliest, if not given) as the next one would change if a token's
    embedding grew: above 0, the token speaks for the answer, below, against it. A slope at the text as it is: it says
    little of what becomes of the answer without the token; that is `left_out`.
    """
    trace = model.trace(text)
    d_logits = -ops.softmax(trace.logits)
    d_logits[_answer(trace, token)] += 1
    gradients = training.input_gradients(model, trace.tokens, d_logits)
    return (gradients * trace.blocks[0].resid_pre).sum(axis=-1)


def left_out(
    model: Model, text: str | Sequence[int] | Int[np.ndarray, " seq"], token: int | None = None
) -> Iterator[tuple[int, float]]:
    """Each token left out in turn: yields its position, and how much ln of the answer's probability was higher with it.

    token: the answer; the likeliest after the whole text, if not given. In nats: above 0, the token speaks for the
    answer. All tokens after it move up by one place. The last first, since a run takes over all before the token.
    ValueError for a text of one token.
    """
    trace = model.trace(text)
    if len(trace.tokens) < 2:
        raise ValueError("a text of one token has none that could be left out")
    return _left_out(trace, _answer(trace, token))


def _left_out(trace: Trace, token: int) -> Iterator[tuple[int, float]]:
    whole, tokens = _log_probability(trace.logits, token), trace.tokens
    for at in reversed(range(len(tokens))):
        without = trace.model.trace([*tokens[:at], *tokens[at + 1 :]])
        yield at, whole - _log_probability(without.logits, token)


def _answer(trace: Trace, token: int | None) -> int:
    return (
        int(trace.logits.argmax())
        if token is None
        else index_of("token", token, len(trace.logits), negative=False)
    )


def _log_probability(logits: Float[np.ndarray, " n_vocab"], token: int) -> float:
    shifted = logits.astype(np.float64) - logits.max()
    return float(shifted[token] - np.log(np.exp(shifted).sum()))
