"""Measure which tokens are attention sinks, and which heads are active."""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from llmviz.edits import Edits, knock_out, scale
from llmviz.experiments.probabilities import extra_surprise
from llmviz.model import Model, Trace


def first_token_weights(trace: Trace) -> Float[np.ndarray, "n_layers n_heads seq"]:
    """Return the attention weight on the first token, in every head and from each token."""
    return np.stack([block.patterns()[..., 0] for block in trace.blocks])


def heads_on_first(to_first: Float[np.ndarray, "n_layers n_heads seq"]) -> Int[np.ndarray, " seq"]:
    """Count the heads that give the first token more than half of their attention, from each token.

    to_first: what `first_token_weights` returns.
    """
    return (to_first > 0.5).sum(axis=(0, 1))


def value_norms(trace: Trace) -> Float[np.ndarray, " seq"]:
    """Return how long each token's value is, the mean over all layers and heads: sinks have short ones."""
    return np.mean([np.linalg.norm(block.v, axis=-1) for block in trace.blocks], axis=(0, 1))


def short_values(lengths: Float[np.ndarray, "*kv_heads seq"]) -> Bool[np.ndarray, "*kv_heads seq"]:
    """Say which values are less than half as long as the median one of their head."""
    return lengths < np.median(lengths, axis=-1, keepdims=True) / 2


def weight_off_sinks(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """Return how active each head is: its mean weight on tokens that are not sinks, over all tokens but the first.

    A sink is the first token, and any whose value in that head is less than half as long as the median one.
    """
    weights = []
    for block in trace.blocks:
        sink = short_values(np.linalg.norm(block.v, axis=-1))  # [n_kv_heads, seq]
        sink[:, 0] = True
        rests = np.repeat(sink, trace.model.config.group_size, axis=0)[:, None]
        weights.append(np.where(rests, 0, block.patterns())[:, 1:].sum(axis=-1).mean(axis=-1))
    return np.array(weights, np.float32)


def value_before_others(model: Model, word: str) -> float:
    """Measure the value of “Paris”, in % of the shortest of a word's six after it."""
    encode = model.tokenizer.encode
    lengths = value_norms(model.trace([*encode("Paris"), *encode(word) * 6]))
    return 100 * lengths[0] / lengths[1:].min()


def value_if_alone(model: Model, text: str, *, at: int) -> float:
    """Measure how long a token's value is if the token may attend only to itself, in % of the text's median.

    The first token never attends to another, and has no part in its median. NaN for a text that ends just after `at`.
    """
    run, only_itself = model.trace(text), knock_out(range(at), positions=at)
    if len(run.tokens) < at + 3:
        return math.nan
    edits = Edits(at={("pattern", layer): only_itself for layer in range(model.config.n_layers)})
    lengths, alone = (value_norms(trace) for trace in (run, model.trace(run.tokens, edits)))
    return float(100 * alone[at] / np.median(lengths if at else lengths[1:]))


def bits_without_value(model: Model, text: str, *, at: int) -> float:
    """Measure by how many bits the surprise at other tokens rises, on average, if one token's values are all zero.

    NaN for a text of less than nine tokens.
    """
    off = Edits(at={("v", layer): scale(0, positions=at) for layer in range(model.config.n_layers)})
    extra = extra_surprise(model.trace(text), off)
    return float(np.delete(extra, max(0, at - 1)).mean()) if len(extra) >= 8 else math.nan
