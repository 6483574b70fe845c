"""Numbers of all heads out of a trace, all by the functions that the model runs."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from llmviz import attention, ops
from llmviz.model import BlockTrace, Trace

# Cells along one side of a small map; longer texts show the largest weight of each block of cells.
MAP_SIZE = 32

# The measures of llmviz.attention that say what a head does, and what each of them means.
BEHAVIOURS = {
    "previous token": "mean weight on the token just before",
    "first token": "mean weight on the very first token, over all later ones",
    "duplicate": "mean weight on earlier copies of the query's own token, where there are any",
    "induction": "mean weight on the tokens that followed earlier copies of the query's token, where there are any",
}


def head_name(layer: int, head: int) -> str:
    """ "layer 13, head 8"."""
    return f"layer {layer}, head {head}"


def weights_from(trace: Trace, query: int) -> np.ndarray:
    """What every head gives to each token from one query: [n_layers, n_heads, seq], NaN where masked."""
    config, seq = trace.model.config, len(trace.tokens)
    seen = query + 1 if trace.edits.causal_mask else seq
    weights = np.full((config.n_layers, config.n_heads, seq), np.nan, np.float32)
    for layer, block in enumerate(trace.blocks):
        if _changed(block):
            pattern = block.attention_at(query).pattern
        else:
            q, k = block.q[:, query : query + 1], block.k[:, :seen]
            pattern = ops.softmax(attention.attention_scores(q, k, scale=trace.edits.score_scale))
        weights[layer, :, : pattern.shape[2]] = pattern[:, 0]
    return weights


def _changed(block: BlockTrace) -> bool:
    """Whether a function of the reader's stands at what leads from q and k to the pattern."""
    return any(name in ("scores", "pattern") and layer == block.layer for name, layer in block.edits.at)


def first_hidden(weights: np.ndarray) -> np.ndarray:
    """`without_first_token` for rows [*heads, kv_seq] in which masked keys are NaN already."""
    masked = np.isnan(weights)
    return np.where(masked, np.nan, attention.without_first_token(np.where(masked, 0, weights)))


@dataclass(frozen=True)
class Overview:
    """All heads of one run, small enough to draw."""

    maps: np.ndarray  # [n_layers, n_heads, size, size], NaN where masked
    step: int  # tokens along one side of a cell
    scores: np.ndarray  # [one a behaviour, n_layers, n_heads], NaN where it could not happen


@functools.lru_cache(maxsize=2)  # the same sentence, with its first token and without
def overview(trace: Trace, hide_first: bool = False) -> Overview:
    """Every head's pattern, as a small map, and its measured behaviours."""
    config, seq = trace.model.config, len(trace.tokens)
    step = -(-seq // MAP_SIZE)
    size = -(-seq // step)
    maps = np.empty((config.n_layers, config.n_heads, size, size), np.float32)
    scores = np.empty((len(BEHAVIOURS), config.n_layers, config.n_heads), np.float32)
    future = attention.future_mask(seq, seq) & trace.edits.causal_mask
    for layer, block in enumerate(trace.blocks):
        pattern = patterns(block)
        scores[:, layer] = behaviours(pattern, trace.tokens)
        drawn = attention.without_first_token(pattern) if hide_first else pattern
        maps[layer] = largest_in_blocks(np.where(future, np.float32(np.nan), drawn), step)
    return Overview(maps, step, scores)


def behaviours(pattern: np.ndarray, tokens: list[int]) -> np.ndarray:
    """The four measures of `BEHAVIOURS` for the heads of one layer: [4, n_heads]."""
    return np.stack(
        [
            attention.previous_token_score(pattern),
            attention.first_token_score(pattern),
            attention.duplicate_token_score(pattern, tokens),
            attention.induction_score(pattern, tokens),
        ]
    )


def largest_in_blocks(pattern: np.ndarray, step: int) -> np.ndarray:
    """The largest number of each step × step block of the last two axes; NaN only where all of it is NaN."""
    if step == 1:
        return pattern
    seq = pattern.shape[-1]
    size = -(-seq // step)
    room = ((0, 0), (0, size * step - seq), (0, size * step - seq))
    padded = np.pad(pattern, room, constant_values=np.nan).reshape(-1, size, step, size, step)
    return np.fmax.reduce(np.fmax.reduce(padded, axis=4), axis=2)


def patterns(block: BlockTrace, heads: slice = slice(None)) -> np.ndarray:
    """`block.attention.pattern` of some heads, without mixing the values: [heads, seq, kv_seq]."""
    if _changed(block):
        return block.attention.pattern[heads]
    q = block.q[heads]
    k = (
        block.k
        if len(q) == len(block.q)
        else block.k[block.config.kv_head_of(np.arange(len(block.q))[heads])]
    )
    scores = attention.attention_scores(q, k, scale=block.edits.score_scale)
    if block.edits.causal_mask:
        np.copyto(scores, -np.inf, where=attention.future_mask(*scores.shape[1:]))
    return ops.softmax(scores)


def head_pattern(trace: Trace, layer: int, head: int, *, hide_first: bool = False) -> np.ndarray:
    """One head's weights [seq, kv_seq], NaN where masked."""
    pattern = patterns(trace.blocks[layer], slice(head, head + 1))[0]
    if hide_first:
        pattern = attention.without_first_token(pattern)
    future = attention.future_mask(*pattern.shape) & trace.edits.causal_mask
    return np.where(future, np.float32(np.nan), pattern)


def strongest(values: np.ndarray, n: int) -> list[tuple[int, int]]:
    """(layer, head) of the n largest of [n_layers, n_heads], largest first; NaN never counts."""
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), axis=None, kind="stable")[:n]
    return [divmod(int(i), values.shape[1]) for i in order if not np.isnan(values.flat[i])]


def random_heads(
    shape: tuple[int, int], n: int, besides: Iterable[tuple[int, int]], seed: int
) -> list[tuple[int, int]]:
    """n heads (layer, head) drawn from all the others."""
    taken = set(besides)
    others = [one for one in np.ndindex(*shape) if one not in taken]
    picked = np.random.default_rng(seed).choice(len(others), min(n, len(others)), replace=False)
    return [others[i] for i in picked]
