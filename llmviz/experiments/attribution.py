"""Measure how much each block, head and token of the text adds to an answer."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from llmviz import ops, sampling, training
from llmviz.edits import index_of
from llmviz.experiments.attention_behaviours import attention_from
from llmviz.model import Model, Trace


@dataclass(frozen=True, eq=False)
class LogitParts:
    """What each part of the model adds, directly, to one token's logit. The parts sum to it."""

    embedding: float
    attention: Float[np.ndarray, " n_layers"]
    ffn: Float[np.ndarray, " n_layers"]
    bias: float  # of the final norm; 0 where it has none
    total: float  # the sum of them all


def logit_direction(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> np.ndarray:
    """Return the direction [d_model] in the residual stream that a token's logit after `position` measures.

    logit = x · direction, for the last residual stream x. The direction includes the final norm's weight and its
    divisor *in this run*, which is kept fixed. A bias of that norm comes on top, and a cap after it. against: the lead
    over that token, or over the mean of all logits ("mean"). ValueError for a token or position that does not exist.
    """
    return _centred(trace, _output_direction(trace, token, against) * _held_norm(trace, position))


def _output_direction(
    trace: Trace, token: int, against: int | Literal["mean"] | None
) -> Float[np.ndarray, " d_model"]:
    """Return the direction in the normed stream that a token's logit measures, or its lead."""
    W_U = trace.model.weights.W_U

    def column(token: int) -> Float[np.ndarray, " d_model"]:
        return W_U[:, index_of("token", token, W_U.shape[1], negative=False)]

    direction = column(token).astype(np.float64)
    if against is not None:
        direction = direction - (W_U.mean(axis=1) if against == "mean" else column(against))
    return direction


def _held_norm(trace: Trace, position: int) -> Float[np.ndarray, " d_model"] | float:
    """Return what the final norm multiplies the (centred) residual stream by, after `position` in this run."""
    model, position = trace.model, index_of("position", position, len(trace.tokens))
    if not trace.edits.norm:
        return 1.0
    x = _centred(trace, trace.blocks[-1].resid_post[position].astype(np.float64))
    return ops.rms_scale(x, model.weights.final_norm, eps=model.config.norm_eps)


def _centred(trace: Trace, x: Float[np.ndarray, " d_model"]) -> Float[np.ndarray, " d_model"]:
    """Return x without its mean where the final norm is a LayerNorm, and x itself where it is an RMSNorm."""
    is_layer_norm = trace.edits.norm and trace.model.weights.final_norm_bias is not None
    return x - x.mean() if is_layer_norm else x


def direct_logit_attribution(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> LogitParts:
    """Measure how much the embedding and each attention and FFN add, directly, to a token's logit after `position`.

    "Directly": what a part changes in later parts counts as theirs. against: the lead over that token, or over the mean
    of all logits ("mean"), because what all logits share changes no probability. ValueError if blocks replace the
    stream or edits set or add to it, because the stream is then not the sum of the parts.
    """
    by_hand = trace.edits.resid or any(name.startswith("resid") for name, _ in trace.edits.at)
    if not trace.edits.residual or by_hand:
        raise ValueError("with these edits the stream is not the sum of what the blocks add")
    direction = logit_direction(trace, token, against=against, position=position)
    pre, mid, post = (
        np.stack([getattr(block, name)[position] for block in trace.blocks]).astype(np.float64)
        for name in ("resid_pre", "resid_mid", "resid_post")
    )
    of_attention, ffn = (mid - pre) @ direction, (post - mid) @ direction
    embedding, bias = float(pre[0] @ direction), trace.model.weights.final_norm_bias
    of_bias = 0.0
    if bias is not None and trace.edits.norm:
        of_bias = float(bias @ _output_direction(trace, token, against))
    total = embedding + float(of_attention.sum() + ffn.sum()) + of_bias
    return LogitParts(embedding, of_attention, ffn, of_bias, total)


def uncapped_logits(trace: Trace) -> Float[np.ndarray, " n_vocab"]:
    """Return the logits after a text as they were before the cap, in a model that has one (Gemma 2)."""
    cap = trace.model.config.logit_cap
    return trace.logits if cap is None else cap * np.arctanh(trace.logits / cap)


def lead(trace: Trace) -> float:
    """Measure how far the highest logit after a text, before any cap, is above the mean of all."""
    logits = uncapped_logits(trace)
    return float(logits.max()) - float(logits.mean(dtype=np.float64))


def ffns_directly(trace: Trace) -> float:
    """Return what all FFNs together add directly to the lead."""
    parts = direct_logit_attribution(trace, int(trace.logits.argmax()), against="mean")
    return float(parts.ffn.sum())


def ffns_share(trace: Trace) -> float:
    """Return how much of the lead all FFNs together add directly, in %."""
    return 100 * ffns_directly(trace) / lead(trace)


def logit_terms(trace: Trace) -> list[tuple[tuple[str, ...], float]]:
    """Return the terms that add up to the highest logit after a text: the names of the parts each is in, and its value.

    What a part adds to all tokens on average is a term of its own. A cap comes after the sum. ValueError as for
    `direct_logit_attribution`.
    """
    answer = int(trace.logits.argmax())
    whole = direct_logit_attribution(trace, answer, against="mean")
    heads = head_attribution(trace, answer, against="mean")
    weights = trace.model.weights
    of_attention = []
    for i, values in enumerate(heads):
        in_block = ("attention", f"attention {i}")
        of_attention += [((*in_block, f"layer {i}, head {j}"), float(v)) for j, v in enumerate(values)]
        if weights.layers[i].b_O is not None:
            of_attention.append(((*in_block, f"layer {i}, bias"), float(whole.attention[i] - values.sum())))
    return [
        (("average of all tokens",), float(uncapped_logits(trace).mean(dtype=np.float64))),
        (("embedding",), whole.embedding),
        *of_attention,
        *((("FFNs", f"FFN {layer}"), float(v)) for layer, v in enumerate(whole.ffn)),
        *([] if weights.final_norm_bias is None else [(("bias of the last norm",), whole.bias)]),
    ]


def head_contribution(
    trace: Trace, layer: int, head: int, *, position: int = -1, source: int | None = None
) -> Float[np.ndarray, " d_model"]:
    """Return what one head adds to the residual stream at `position`; with `source`, only what comes from that token.

    The parts from all tokens, weight * v @ W_O, sum to the whole. If a norm follows, as in Gemma, it scales each of
    them as in this run. ValueError where `Edits.at` changes that sum itself, and for a layer, head or token that is
    not there.
    """
    W_O = _output_of(trace, layer, head, "attention_out")
    position = index_of("position", position, len(trace.tokens))
    run = trace.blocks[layer].attention_at(position)
    if source is not None:
        source = index_of("source", source, len(trace.tokens))
        weight = run.pattern[head, 0, source] if source < run.pattern.shape[-1] else 0  # else masked
        return weight * _at_full_weight(trace, layer, head, source, position)
    written = run.z[head] @ W_O * scale_after_attention(trace, layer, run.z)
    return trace.edits.attention.get(layer, 1) * written[0]


def _at_full_weight(
    trace: Trace, layer: int, head: int, source: int, position: int
) -> Float[np.ndarray, " d_model"]:
    """Return what one head would add to the stream at `position` if all its attention went to `source`."""
    W_O = _output_of(trace, layer, head, "attention_out", "z")
    value = trace.blocks[layer].v[trace.model.config.kv_head_of(head), source]
    written = trace.edits.head.get((layer, head), 1) * trace.edits.attention.get(layer, 1) * (value @ W_O)
    if trace.model.weights.layers[layer].attention_post_norm is None:
        return written
    return (written * scale_after_attention(trace, layer, trace.blocks[layer].attention_at(position).z))[0]


def scale_after_attention(
    trace: Trace, layer: int, z: Float[np.ndarray, "n_heads seq d_head"]
) -> Float[np.ndarray, "seq d_model"] | float:
    """Return what the norm after attention multiplies the heads' sum by in this run; 1 in families without it.

    z: that of all heads, at some tokens.
    """
    w, config = trace.model.weights.layers[layer], trace.model.config
    if w.attention_post_norm is None or not trace.edits.norm:
        return 1.0
    out = np.einsum("hsd,hdm->sm", z, w.W_O, optimize=True) + (0 if w.b_O is None else w.b_O)
    return ops.rms_scale(out, w.attention_post_norm, eps=config.norm_eps)


def _output_of(trace: Trace, layer: int, head: int, *sums: str) -> Float[np.ndarray, "d_head d_model"]:
    """Return W_O of one head. ValueError where there is no such head, or `Edits.at` changes one of these sums."""
    index_of("layer", layer, len(trace.blocks), negative=False)
    index_of("head", head, trace.model.config.n_heads, negative=False)
    if any((name, layer) in trace.edits.at for name in sums):
        raise ValueError(
            f"with these edits the attention of layer {layer} is not the sum of what its heads write"
        )
    return trace.model.weights.layers[layer].W_O[head]


def head_attribution(
    trace: Trace, token: int, *, against: int | Literal["mean"] | None = None, position: int = -1
) -> Float[np.ndarray, "n_layers n_heads"]:
    """Measure how much each head adds, directly, to a token's logit.

    A layer's heads sum to its attention's part, without the bias that some families add.
    """
    direction = logit_direction(trace, token, against=against, position=position)
    layers, heads = range(len(trace.blocks)), range(trace.model.config.n_heads)
    return np.array(
        [
            [head_contribution(trace, layer, head, position=position) @ direction for head in heads]
            for layer in layers
        ]
    )


def ov_logits(
    trace: Trace, layer: int, head: int, source: int, *, position: int = -1
) -> Float[np.ndarray, " n_vocab"]:
    """Return what a head would add, directly, to every logit after `position` if all its attention went to `source`.

    This is the head's value at `source`, multiplied by W_O and the output table (its OV circuit; Elhage et al. 2021).
    The final norm's divisor is that of this run at `position`, as in `direct_logit_attribution`. Multiplied by the
    head's attention weight on `source`, it is what the head really adds from there. ValueError as for
    `head_contribution`.
    """
    source = index_of("source", source, len(trace.tokens))
    written = _centred(trace, _at_full_weight(trace, layer, head, source, position))
    written = written * _held_norm(trace, position)
    return written.astype(np.float32) @ trace.model.weights.W_U


def saliency(trace: Trace) -> Float[np.ndarray, " seq"]:
    """Measure which tokens mattered for the likeliest next token: gradient × input (Shrikumar et al. 2016), in nats.

    The result is how fast ln of its probability would change if a token's embedding grew. Above 0, the token
    supports the answer; below 0, it opposes it. This is a slope at the unchanged text, so it says little
    about the answer without the token. `leave_one_out` measures that.
    """
    d_logits = -ops.softmax(trace.logits)
    d_logits[trace.logits.argmax()] += 1
    gradients = training.input_gradients(trace.model, trace.tokens, d_logits)
    return (gradients * trace.blocks[0].resid_pre).sum(axis=-1)


def leave_one_out(trace: Trace) -> Iterator[tuple[int, float]]:
    """Leave out each token in turn; yield its position, and how much higher ln of the answer's probability is with it.

    The answer is the likeliest token after the whole text. In nats: above 0, the token supports it. All tokens after
    the one left out move up by one position. The last comes first, because a run reuses everything before the token.
    ValueError for a text of one token.
    """
    tokens, answer = trace.tokens, [int(trace.logits.argmax())]
    if len(tokens) < 2:
        raise ValueError("a text of one token has no token that could be left out")
    for at in reversed(range(len(tokens))):
        runs = trace, trace.model.trace([*tokens[:at], *tokens[at + 1 :]])
        whole, without = (sampling.log_probs(run.logits[None], answer)[0] for run in runs)
        yield at, float(whole - without)


def what_mattered(trace: Trace) -> Iterator[Float[np.ndarray, "3 seq"]]:
    """Measure in three ways on which tokens the likeliest next token depends; yield after each run, NaN if not known.

    Rows: the last token's attention, the mean of all heads; what leaving the token out costs the answer, in bits; and
    gradient × input, in bits. ValueError for a text of one token.
    """
    measures = np.full((3, len(trace.tokens)), np.nan, np.float32)
    measures[0] = attention_from(trace, -1).mean(axis=(0, 1))
    yield measures
    with contextlib.suppress(ValueError):  # where llmviz cannot compute a model's gradients
        measures[2] = saliency(trace) * sampling.BITS_PER_NAT
    for at, lost in leave_one_out(trace):
        measures[1, at] = lost * sampling.BITS_PER_NAT
        yield measures


def n_costlier(model: Model, text: str) -> tuple[float, float]:
    """Count the tokens that matter more, left out, than the token with most attention, and more than the nearest token.

    The first token and the last are not among them.
    """
    *_, measures = what_mattered(model.trace(text))
    weights, costs, _ = measures[:, 1:-1]
    return float((costs > costs[weights.argmax()]).sum()), float((costs > costs[-1]).sum())


def rank_correlation(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """Return Spearman's coefficient: 1 for the same order of the tokens, about 0 for orders by chance."""
    return float(np.corrcoef([np.argsort(np.argsort(values)) for values in (a, b)])[0, 1])


def mean_correlation_by_chance(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], draws: int = 1_000, seed: int = 0
) -> Float[np.ndarray, " draws"]:
    """Shuffle the first of each pair in every draw: return the draws' mean `rank_correlation` over the pairs."""
    rng = np.random.default_rng(seed)
    correlations = [[rank_correlation(rng.permutation(a), b) for _ in range(draws)] for a, b in pairs]
    return np.mean(correlations, axis=0)
