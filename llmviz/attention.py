"""Stage 4, attention: each token attends to itself and the tokens before it, and takes something from them.

    q = x W_Q,  k = x W_K,  v = x W_V           what I look for, what I offer, what I pass on
    scores  = q · k / √d_head                   how well each query fits each key; the future is masked (-inf)
    pattern = softmax(scores)                   attention weights: each row sums to one
    z       = pattern v                         the weighted sum of the values
    out     = Σ over heads  z W_O               which the model then *adds* to the residual stream

(Vaswani et al. 2017.) Every head reads a learned projection of the whole vector. In grouped-query attention
(Ainslie et al. 2023) n_heads / n_kv_heads query heads share one key and value head: query head h uses
key/value head h // group.

Axes: `seq` is the query's position ("from"), `kv_seq` the key's ("to"). The queries are the last `seq` tokens of
the `kv_seq`: fewer than all when earlier keys and values come from a cache.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from llmviz.ops import (
    linear,
    linear_backward,
    soft_cap,
    soft_cap_backward,
    softmax,
    tells_shapes,
    unchanged,
)


@dataclass(frozen=True, eq=False)
class AttentionTrace:
    """Every array of one attention layer, in the order in which they are computed."""

    q: Float[np.ndarray, "n_heads seq d_head"]
    k: Float[np.ndarray, "n_kv_heads kv_seq d_head"]
    v: Float[np.ndarray, "n_kv_heads kv_seq d_head"]
    scores: Float[np.ndarray, "n_heads seq kv_seq"]  # before softmax; -inf where masked
    pattern: Float[np.ndarray, "n_heads seq kv_seq"]  # after softmax
    z: Float[np.ndarray, "n_heads seq d_head"]
    out: Float[np.ndarray, "seq d_model"]  # summed over heads, before it is added to the stream


@dataclass(frozen=True)
class Rules:
    """What a layer's scores do in another way, in some families."""

    divisor: float | None = None  # of the scores, instead of √d_head
    cap: float | None = None  # no score becomes larger than this (`ops.soft_cap`)
    # With the causal mask, a query attends to so many tokens, its own among them.
    window: int | None = None


PLAIN = Rules()


@tells_shapes
def project(
    x: Float[np.ndarray, "seq d_model"],
    W: Float[np.ndarray, "heads d_model d_head"],
    bias: Float[np.ndarray, "heads d_head"] | None = None,
) -> Float[np.ndarray, "heads seq d_head"]:
    """Return x @ W[h] for every head h, as one product of the heads side by side; in some families, plus a bias."""
    heads, d_model, d_head = W.shape
    side_by_side = W.transpose(1, 0, 2).reshape(d_model, heads * d_head)
    projected = linear(x, side_by_side).reshape(len(x), heads, d_head).transpose(1, 0, 2)
    return projected if bias is None else projected + bias[:, None]


def project_backward(
    d_heads: Float[np.ndarray, "heads seq d_head"], W: Float[np.ndarray, "heads d_model d_head"]
) -> Float[np.ndarray, "seq d_model"]:
    """Return d_x = Σ over heads of d_heads[h] @ W[h]ᵀ."""
    heads, d_model, d_head = W.shape
    return linear_backward(beside(d_heads), W.transpose(1, 0, 2).reshape(d_model, heads * d_head))


def project_gradient(
    d_heads: Float[np.ndarray, "heads seq d_head"], x: Float[np.ndarray, "seq d_model"]
) -> Float[np.ndarray, "heads d_model d_head"]:
    """Return d_W[h] = xᵀ d_heads[h], laid out in memory as W_Q, W_K and W_V are."""
    heads, _, d_head = d_heads.shape
    return (beside(d_heads).T @ x).reshape(heads, d_head, -1).transpose(0, 2, 1)


def beside(heads: Float[np.ndarray, "heads seq d_head"]) -> Float[np.ndarray, "seq heads*d_head"]:
    """Put the heads' vectors of each token in one row."""
    n_heads, seq, d_head = heads.shape
    return heads.transpose(1, 0, 2).reshape(seq, n_heads * d_head)


@tells_shapes
def attend(
    q: Float[np.ndarray, "n_heads seq d_head"],
    k: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    v: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    W_O: Float[np.ndarray, "n_heads d_head d_model"],
    *,
    causal: bool = True,
    scale: bool = True,
    rules: Rules = PLAIN,
    bias: Float[np.ndarray, " d_model"] | None = None,
    after: Callable[[np.ndarray], np.ndarray] | None = None,
    edit: Callable[[str, np.ndarray], np.ndarray] = unchanged,
) -> AttentionTrace:
    """Compute what the layer adds to the stream, from queries, keys and values.

    causal: mask the future. scale: divide the scores by √d_head. rules, bias, after(out): what some families do in
    another way, add to the output, or do with it before it is added to the stream, such as a norm. edit(name, array):
    returns what replaces the scores (before the mask), the pattern, z and attention_out.
    """
    if k.shape != v.shape:
        raise ValueError(f"each key needs a value; got keys {k.shape} and values {v.shape}")
    if len(q) % len(k):
        raise ValueError(f"{len(q)} query heads cannot share {len(k)} key heads evenly")
    scores, pattern, z = weigh(q, k, v, causal=causal, scale=scale, rules=rules, edit=edit)
    out = output(z, W_O, bias)
    out = edit("attention_out", out if after is None else after(out))
    return AttentionTrace(q, k, v, scores, pattern, z, out)


def weigh(
    q: Float[np.ndarray, "n_heads seq d_head"],
    k: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    v: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    *,
    causal: bool = True,
    scale: bool = True,
    rules: Rules = PLAIN,
    edit: Callable[[str, np.ndarray], np.ndarray] = unchanged,
) -> tuple[
    Float[np.ndarray, "n_heads seq kv_seq"],
    Float[np.ndarray, "n_heads seq kv_seq"],
    Float[np.ndarray, "n_heads seq d_head"],
]:
    """Return scores, pattern and z as in `attend`, without the sum over the heads."""
    scores = edit("scores", attention_scores(q, k, scale=scale, rules=rules))
    if causal:
        _, seq, kv_seq = scores.shape
        places = np.arange(kv_seq - seq, kv_seq)  # the queries are the last tokens
        np.copyto(scores, -np.inf, where=hidden_keys(places, kv_seq, rules.window))
    pattern = edit("pattern", softmax(scores))
    return scores, pattern, edit("z", mix(pattern, v))


@tells_shapes
def attention_scores(
    q: Float[np.ndarray, "n_heads seq d_head"],
    k: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    *,
    scale: bool = True,
    rules: Rules = PLAIN,
) -> Float[np.ndarray, "n_heads seq kv_seq"]:
    """Return q · k / √d_head for every head, query and key, the future included."""
    n_heads, seq, d_head = q.shape
    n_kv_heads, kv_seq, _ = k.shape
    # The query heads that share a key head are stacked, so that one product serves the group.
    grouped = q.reshape(n_kv_heads, n_heads // n_kv_heads * seq, d_head)
    if scale:
        grouped = grouped / q.dtype.type(rules.divisor or math.sqrt(d_head))
    scores = (grouped @ k.transpose(0, 2, 1)).reshape(n_heads, seq, kv_seq)
    return scores if rules.cap is None else soft_cap(scores, rules.cap)


def attention_scores_backward(
    d_scores: Float[np.ndarray, "n_heads seq kv_seq"],
    q: Float[np.ndarray, "n_heads seq d_head"],
    k: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
    *,
    rules: Rules = PLAIN,
) -> tuple[Float[np.ndarray, "n_heads seq d_head"], Float[np.ndarray, "n_kv_heads kv_seq d_head"]]:
    """Return d_q = d_scores k / √d_head, d_k = d_scoresᵀ q / √d_head, summed over a key head's query heads.

    d_scores is 0 where the future was masked: the pattern there is 0 whatever the score.
    """
    n_kv_heads, kv_seq, d_head = k.shape
    if rules.cap is not None:
        d_scores = soft_cap_backward(d_scores, attention_scores(q, k, rules=rules), rules.cap)
    grouped = (d_scores / q.dtype.type(rules.divisor or math.sqrt(d_head))).reshape(n_kv_heads, -1, kv_seq)
    d_k = grouped.transpose(0, 2, 1) @ q.reshape(n_kv_heads, -1, d_head)
    return (grouped @ k).reshape(q.shape), d_k


def hidden_keys(
    places: Int[np.ndarray, " rows"], kv_seq: int, window: int | None = None
) -> Bool[np.ndarray, "rows kv_seq"]:
    """Return True where a key is later than a query at one of these positions, or too far back for its window."""
    distances = places[:, None] - np.arange(kv_seq)
    return distances < 0 if window is None else (distances < 0) | (distances >= window)


@tells_shapes
def mix(
    pattern: Float[np.ndarray, "n_heads seq kv_seq"], v: Float[np.ndarray, "n_kv_heads kv_seq d_head"]
) -> Float[np.ndarray, "n_heads seq d_head"]:
    """Return the sum of the values, weighted by each row of the pattern."""
    n_heads, seq, kv_seq = pattern.shape
    n_kv_heads, _, d_head = v.shape
    grouped = pattern.reshape(n_kv_heads, n_heads // n_kv_heads * seq, kv_seq)
    return (grouped @ v).reshape(n_heads, seq, d_head)


def mix_backward(
    d_z: Float[np.ndarray, "n_heads seq d_head"],
    pattern: Float[np.ndarray, "n_heads seq kv_seq"],
    v: Float[np.ndarray, "n_kv_heads kv_seq d_head"],
) -> tuple[Float[np.ndarray, "n_heads seq kv_seq"], Float[np.ndarray, "n_kv_heads kv_seq d_head"]]:
    """Return d_pattern = d_z · v,  d_v = patternᵀ d_z, summed over the query heads that share a value head."""
    n_kv_heads, kv_seq, d_head = v.shape
    grouped = d_z.reshape(n_kv_heads, -1, d_head)
    d_v = pattern.reshape(n_kv_heads, -1, kv_seq).transpose(0, 2, 1) @ grouped
    return (grouped @ v.transpose(0, 2, 1)).reshape(pattern.shape), d_v


@tells_shapes
def output(
    z: Float[np.ndarray, "n_heads seq d_head"],
    W_O: Float[np.ndarray, "n_heads d_head d_model"],
    bias: Float[np.ndarray, " d_model"] | None = None,
) -> Float[np.ndarray, "seq d_model"]:
    """Return Σ over heads of z[h] @ W_O[h], as one product of the heads side by side; in some families, plus a bias."""
    return linear(beside(z), W_O.reshape(-1, W_O.shape[-1]), bias)


def output_backward(
    d_out: Float[np.ndarray, "seq d_model"], W_O: Float[np.ndarray, "n_heads d_head d_model"]
) -> Float[np.ndarray, "n_heads seq d_head"]:
    """Return d_z[h] = d_out W_O[h]ᵀ."""
    n_heads, d_head, d_model = W_O.shape
    d_z = linear_backward(d_out, W_O.reshape(n_heads * d_head, d_model))
    return d_z.reshape(len(d_out), n_heads, d_head).transpose(1, 0, 2)


def output_gradient(
    d_out: Float[np.ndarray, "seq d_model"], z: Float[np.ndarray, "n_heads seq d_head"]
) -> Float[np.ndarray, "n_heads d_head d_model"]:
    """Return d_W_O[h] = z[h]ᵀ d_out, laid out in memory as W_O is."""
    n_heads, _, d_head = z.shape
    return (d_out.T @ beside(z)).T.reshape(n_heads, d_head, -1)


def without_first_token(
    pattern: Float[np.ndarray, "*heads seq kv_seq"],
) -> Float[np.ndarray, "*heads seq kv_seq"]:
    """Hide the pattern's first key: NaN there, and each row's other weights scaled up to sum to one again.

    This shows what a head does besides attending to the first token (the attention sink; Xiao et al. 2023). A row in
    which nothing else has any weight is NaN.
    """
    rest = pattern.copy()
    rest[..., 0] = np.nan
    total = pattern[..., 1:].sum(axis=-1, keepdims=True)
    return np.divide(rest, total, out=np.full_like(rest, np.nan), where=total > 0)


# What a head does, measured on its pattern. Each measure gives a number per head, from 0 (never) to 1 (always): the
# mean weight on the key in question, over the queries where it could happen; NaN if it never could.

BEHAVIOURS = {
    "previous token": "how much attention a head gives to the token just before (mean)",
    "first token": "how much attention later tokens give to the very first one (mean)",
    "duplicate": "how much attention a head gives to earlier copies of the current token (mean)",
    "induction": "how much attention a head gives to tokens that followed an earlier copy of the current one (mean)",
}


def behaviours(
    pattern: Float[np.ndarray, "n_heads seq seq"], tokens: list[int]
) -> Float[np.ndarray, "4 n_heads"]:
    """Compute the four measures of `BEHAVIOURS`, one in each row."""
    return np.stack(
        [
            previous_token_score(pattern),
            first_token_score(pattern),
            duplicate_token_score(pattern, tokens),
            induction_score(pattern, tokens),
        ]
    )


def previous_token_score(pattern: Float[np.ndarray, "n_heads seq seq"]) -> Float[np.ndarray, " n_heads"]:
    """Return the mean weight on the token just before."""
    return _mean_weight(pattern, np.eye(pattern.shape[1], k=-1, dtype=bool))


def first_token_score(pattern: Float[np.ndarray, "n_heads seq seq"]) -> Float[np.ndarray, " n_heads"]:
    """Return the mean weight on the very first token, over all later ones (the attention sink; Xiao et al. 2023)."""
    to_first = np.zeros(pattern.shape[1:], bool)
    to_first[1:, 0] = True
    return _mean_weight(pattern, to_first)


def duplicate_token_score(
    pattern: Float[np.ndarray, "n_heads seq seq"], tokens: list[int]
) -> Float[np.ndarray, " n_heads"]:
    """Return the mean weight on earlier copies of the query's own token (Wang et al. 2022)."""
    return _mean_weight(pattern, _earlier_copies(tokens))


def induction_score(
    pattern: Float[np.ndarray, "n_heads seq seq"], tokens: list[int]
) -> Float[np.ndarray, " n_heads"]:
    """Return the mean weight on the tokens that *followed* earlier copies of the query's token (Olsson et al. 2022)."""
    copies = _earlier_copies(tokens)
    followers = np.zeros_like(copies)
    followers[:, 1:] = copies[:, :-1]
    return _mean_weight(pattern, followers)


def _earlier_copies(tokens: list[int]) -> Bool[np.ndarray, "seq seq"]:
    ids = np.asarray(tokens)
    return (ids[:, None] == ids) & np.tri(len(ids), k=-1, dtype=bool)


def _mean_weight(
    pattern: Float[np.ndarray, "n_heads seq seq"], keys: Bool[np.ndarray, "seq seq"]
) -> Float[np.ndarray, " n_heads"]:
    """Return the weight on the marked keys, summed in each row, averaged over the rows that have a marked key."""
    rows = keys.any(axis=1)
    if not rows.any():
        return np.full(len(pattern), np.nan, pattern.dtype)
    return np.where(keys, pattern, 0)[:, rows].sum(axis=-1).mean(axis=-1)
