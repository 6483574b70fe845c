"""Measure what the heads of a run attend to, from one query or in all patterns at a glance."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from llmviz import attention
from llmviz.edits import index_of
from llmviz.model import Model, Trace
from llmviz.reuse import kept_with

HABITS = ("itself", "previous token", "two back", "first token", "duplicate", "induction")
INDUCTION = HABITS.index("induction")
NOUNS = "cat", "dog", "man", "car", "book", "house"


def attention_from(trace: Trace, query: int) -> Float[np.ndarray, "n_layers n_heads seq"]:
    """Return the attention weight of one query on each token, in every head; NaN where masked."""
    n = len(trace.tokens)
    query = index_of("position", query, n)
    weights = np.stack([block.patterns(queries=slice(query, query + 1))[:, 0] for block in trace.blocks])
    if trace.edits.causal_mask:
        weights[:, :, query + 1 :] = np.nan
    return weights


def weights_of_last(trace: Trace, layer: int, head: int) -> Float[np.ndarray, " kv_seq"]:
    """Return the attention of the last token in one head."""
    return trace.blocks[layer].attention_at(-1).pattern[head, 0]


def sharpest_head(trace: Trace) -> tuple[int, int]:
    """Return (layer, head) of the last token's largest weight on a token other than itself and the first."""
    weights = attention_from(trace, -1)[:, :, 1:-1]
    layer, head, *_ = np.unravel_index(weights.argmax(), weights.shape) if weights.size else (0, 0)
    return int(layer), int(head)


def lead_of_the_noun(model: Model, noun: str, heads: tuple[slice, ...] = ()) -> float:
    """Measure the mean attention weight of some heads on a noun, less the largest on a word between, in points."""
    trace = model.trace(f"The {noun} that I saw yesterday was")
    weights = attention_from(trace, -1)[heads]
    at = next((i for i, piece in enumerate(trace.pieces) if piece.strip() == noun), None)
    if at is None or not weights.size:  # a noun of several tokens, or a model without these heads
        return math.nan
    mean = 100 * weights.mean(axis=(0, 1))
    return float(mean[at] - mean[at + 1 : -1].max())


@kept_with()
def noun_head(model: Model) -> tuple[int, int]:
    """Find the head (layer, head) that attends most clearly to a sentence's noun from its verb."""
    leads = []
    for noun in NOUNS:
        trace = model.trace(f"The {noun} that I saw yesterday was")
        at = next((i for i, piece in enumerate(trace.pieces) if noun in piece), 1)
        weights = attention_from(trace, -1)
        leads.append(weights[:, :, at] - weights[:, :, at + 1 : -1].max(axis=2))
    return strongest_heads(np.mean(leads, axis=0), 1)[0]


def strongest_heads(values: Float[np.ndarray, "n_layers n_heads"], n: int) -> list[tuple[int, int]]:
    """Return (layer, head) of the n largest, largest first; NaN never counts."""
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), axis=None, kind="stable")[:n]
    return [divmod(int(i), values.shape[1]) for i in order if not np.isnan(values.flat[i])]


def random_heads(
    shape: tuple[int, int], n: int, besides: Iterable[tuple[int, int]], seed: int
) -> list[tuple[int, int]]:
    """Draw n heads (layer, head) of a model of `shape` [n_layers, n_heads] from all but those in `besides`."""
    taken = set(besides)
    others = [head for head in np.ndindex(*shape) if head not in taken]
    picked = np.random.default_rng(seed).choice(len(others), min(n, len(others)), replace=False)
    return [others[i] for i in picked]


def relative_change(trace: Trace, other: Trace) -> Float[np.ndarray, " n_layers"]:
    """Return how much the attention output at the last token differs, in each layer: |a - b| / |a|."""
    ends = [(a.attention.out[-1], b.attention.out[-1]) for a, b in zip(trace.blocks, other.blocks)]
    return np.array([np.linalg.norm(a - b) / np.linalg.norm(a) for a, b in ends])


def previous_token_scores(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """Measure how much attention every head gives to the token before (`attention.previous_token_score`)."""
    return np.stack([attention.previous_token_score(block.patterns()) for block in trace.blocks])


def even_previous_token_score(seq: int) -> float:
    """Return the weight on the token before in a head that attends evenly, in a text of `seq` tokens."""
    return float(np.mean(1 / np.arange(2, seq + 1)))


def head_behaviours(trace: Trace) -> Float[np.ndarray, "4 n_layers n_heads"]:
    """Return `attention.behaviours` of all heads of a run; NaN where a text cannot show one."""
    return np.stack(
        [attention.behaviours(block.patterns(), trace.tokens) for block in trace.blocks], axis=1
    ).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Overview:
    """All heads of one run, small enough to draw."""

    maps: Float[np.ndarray, "n_layers n_heads size size"]  # NaN where masked
    step: int  # tokens along one side of a cell
    scores: Float[np.ndarray, "4 n_layers n_heads"]  # `attention.behaviours`


# It is kept with the last block, which is this run's only, because each call of `model.trace` returns a new `Trace`.
@kept_with(lambda trace: trace.blocks[-1])
def overview(trace: Trace, map_size: int, hide_first: bool) -> Overview:
    """Measure every head's pattern, as a small map, and its behaviours, once for a run.

    map_size: the most cells along one side of a map. In longer texts a cell is the largest weight of a block of cells.
    """
    config, seq = trace.model.config, len(trace.tokens)
    step = -(-seq // map_size)
    size = -(-seq // step)
    maps = np.empty((config.n_layers, config.n_heads, size, size), np.float32)
    scores = np.empty((len(attention.BEHAVIOURS), config.n_layers, config.n_heads), np.float32)
    future = attention.hidden_keys(np.arange(seq), seq) & trace.edits.causal_mask
    for layer, block in enumerate(trace.blocks):
        pattern = block.patterns()
        scores[:, layer] = attention.behaviours(pattern, trace.tokens)
        drawn = attention.without_first_token(pattern) if hide_first else pattern
        maps[layer] = largest_in_blocks(np.where(future, np.float32(np.nan), drawn), step)
    return Overview(maps, step, scores)


def head_pattern(
    trace: Trace, layer: int, head: int, *, hide_first: bool = False
) -> Float[np.ndarray, "seq kv_seq"]:
    """Return one head's weights, NaN where masked; hide_first: as for `overview`."""
    pattern = trace.blocks[layer].patterns(slice(head, head + 1))[0]
    if hide_first:
        pattern = attention.without_first_token(pattern)
    future = attention.hidden_keys(np.arange(len(pattern)), len(pattern)) & trace.edits.causal_mask
    return np.where(future, np.float32(np.nan), pattern)


def switched(trace: Trace, layer: int, *, score_scale: bool, causal_mask: bool) -> Trace:
    """Return a run with one layer's attention computed without the scale or the mask, and all else unchanged."""
    edits = replace(trace.edits, score_scale=score_scale, causal_mask=causal_mask)
    blocks = (*trace.blocks[:layer], replace(trace.blocks[layer], edits=edits), *trace.blocks[layer + 1 :])
    return replace(trace, edits=edits, blocks=blocks)


class QueryRow(NamedTuple):
    """What one query does in one head, a number for each key. A key later or too far back is masked."""

    raw: Float[np.ndarray, " kv_seq"]  # q · k, neither divided nor masked
    scores: Float[np.ndarray, " kv_seq"]  # −∞ where masked
    weights: Float[np.ndarray, " kv_seq"]  # NaN where masked


def query_row(trace: Trace, layer: int, head: int, query: int) -> QueryRow:
    """Return what one query does in one head."""
    block, kv_head = trace.blocks[layer], trace.model.config.kv_head_of(head)
    raw = attention.attention_scores(block.q[head, query][None, None], block.k[kv_head][None], scale=False)[
        0, 0
    ]
    attended = block.attention_at(query)
    unseen = (0, len(trace.tokens) - attended.scores.shape[2])
    scores = np.pad(attended.scores[head, 0], unseen, constant_values=-np.inf)
    weights = np.pad(attended.pattern[head, 0], unseen, constant_values=np.nan)
    return QueryRow(raw, scores, np.where(np.isneginf(scores), np.float32(np.nan), weights))


def largest_in_blocks(pattern: np.ndarray, step: int) -> np.ndarray:
    """Return the largest number of each step × step block of the last two axes; NaN only if the whole block is NaN."""
    if step == 1:
        return pattern
    seq = pattern.shape[-1]
    size = -(-seq // step)
    room = ((0, 0), (0, size * step - seq), (0, size * step - seq))
    padded = np.pad(pattern, room, constant_values=np.nan).reshape(-1, size, step, size, step)
    return np.fmax.reduce(np.fmax.reduce(padded, axis=4), axis=2)


def habits(model: Model, texts: Sequence[Sequence[int]]) -> Float[np.ndarray, "habits n_layers n_heads"]:
    """Measure the mean attention weight of each head on the tokens that each of HABITS names, over several texts."""

    def of(pattern: np.ndarray, tokens: list[int]) -> np.ndarray:
        itself, two_back = (np.diagonal(pattern, -n, 1, 2).mean(axis=1) for n in (0, 2))
        previous, *others = attention.behaviours(pattern, tokens)
        return np.stack([itself, previous, two_back, *others])

    by_text = []
    for tokens in texts:
        blocks = model.trace(tokens).blocks
        by_text.append(np.stack([of(block.patterns(), list(tokens)) for block in blocks], axis=1))
    return np.nanmean(by_text, axis=0)


def strongest_habits(model: Model, texts: Sequence[Sequence[int]]) -> Float[np.ndarray, " habits"]:
    """Return the largest value of each of `habits` in any head."""
    return habits(model, texts).max(axis=(1, 2))
