"""Undo RoPE in one head, or for some pairs of numbers, and measure scores at other positions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from llmviz.edits import Edits, index_of
from llmviz.experiments.attention_behaviours import previous_token_scores, strongest_heads
from llmviz.experiments.induction import repeat_after
from llmviz.experiments.order import N_USED, beginning
from llmviz.experiments.probabilities import extra_surprise, mean_surprise
from llmviz.model import BlockTrace, Config, Model, Trace
from llmviz.position import pair_scores, rotate, rotation_angles

N_ORDERS = 5  # in which positions are shuffled


def before_rope(
    trace: Trace, layer: int, head: int
) -> tuple[Float[np.ndarray, "seq d_head"], Float[np.ndarray, "seq d_head"]]:
    """Return the queries and the keys of one head before RoPE, by rotating the model's own back.

    ValueError for a layer or head that is not there.
    """
    block = _rotated_back(trace, layer, head)
    return block.q[head], block.k[block.config.kv_head_of(head)]


def turned_to(
    trace: Trace, layer: int, head: int, tokens: tuple[int, int], positions: tuple[int, int]
) -> Float[np.ndarray, "2 d_head"]:
    """Return the query of one token and the key of another in a head, each rotated by RoPE for a position."""
    q, k = before_rope(trace, layer, head)
    angles = rotation_angles(np.array(positions), q.shape[1], base=trace.model.config.rope_base)
    return rotate(np.stack([q[tokens[0]], k[tokens[1]]]), angles)


def all_before_rope(
    trace: Trace,
) -> tuple[
    Float[np.ndarray, "n_layers n_heads seq d_head"], Float[np.ndarray, "n_layers n_heads seq d_head"]
]:
    """Return the queries and the keys of all heads before RoPE; heads that share a key have it each."""
    blocks = [_rotated_back(trace, layer, 0) for layer in range(len(trace.blocks))]
    shared = trace.model.config.kv_head_of(np.arange(trace.model.config.n_heads))
    return np.stack([block.q for block in blocks]), np.stack([block.k[shared] for block in blocks])


def score_at(
    q: Float[np.ndarray, "*heads d_head"],
    k: Float[np.ndarray, "*heads d_head"],
    positions: tuple[float, float],
    *,
    base: float,
) -> Float[np.ndarray, "*heads"] | np.floating:
    """Return the score if the query and the key, given before RoPE, were at these two positions."""
    angles = rotation_angles(np.array(positions), q.shape[-1], base=base)
    q, k = (rotate(x[..., None, :], turns[None])[..., 0, :] for x, turns in zip((q, k), angles))
    return np.einsum("...d,...d->...", q, k) / np.sqrt(q.shape[-1], dtype=q.dtype)


def score_changes(trace: Trace, shifts: tuple[float, float]) -> Float[np.ndarray, "n_layers n_heads"]:
    """Measure how much the score of the last token's query with the key before it changes if both are shifted.

    shifts: of the query and of the key, in positions.
    """
    q, k = all_before_rope(trace)
    n, base = len(trace.tokens), trace.model.config.rope_base
    before, after = (
        score_at(q[..., -1, :], k[..., -2, :], (n - 1 + by[0], n - 2 + by[1]), base=base)
        for by in ((0, 0), shifts)
    )
    return np.asarray(after - before)


def last_scores(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """Return the score of the last token's query with the key before it, in every head."""
    return np.stack([block.attention_at(-1).scores[:, 0, -2] for block in trace.blocks])


def mean_scores_by_distance(
    trace: Trace, distances: Sequence[float], *, keys: slice = slice(1, None), layers_on: int = 0
) -> Float[np.ndarray, "n_distances n_layers n_heads"]:
    """Return the score of each head's mean query with its mean key at each distance.

    The mean query is over all tokens but the first. keys: the tokens of the mean key. layers_on: how many layers later
    the head is whose key is taken, as a control.
    """
    q, k = all_before_rope(trace)
    q, k = q[:, :, 1:].mean(axis=2), np.roll(k[:, :, keys].mean(axis=2), -layers_on, axis=0)
    base = trace.model.config.rope_base
    return np.stack([score_at(q, k, (distance, 0), base=base) for distance in distances])


def turned_by(model: Model, angles: Float[np.ndarray, "seq n_pairs"], layers: Iterable[int]) -> Edits:
    """Return edits by which every query and key of these layers is turned on by these angles, in radians."""
    return Edits(at={(name, layer): lambda x: rotate(x, angles) for name in ("q", "k") for layer in layers})


def unturned_pairs(model: Model, seq: int, pairs: slice, layers: Iterable[int] | None = None) -> Edits:
    """Return edits with which RoPE does not turn some pairs of every query and key, in a text of `seq` tokens.

    pairs: of d_head / 2, the fastest first. layers: only in these.
    """
    config = model.config
    back = np.zeros((seq, config.d_head // 2))
    back[:, pairs] = -rotation_angles(np.arange(seq), config.d_head, base=config.rope_base)[:, pairs]
    return turned_by(model, back, range(config.n_layers) if layers is None else layers)


def shuffled_positions(model: Model, seq: int, seed: int) -> Edits:
    """Return edits by which RoPE turns the tokens of a text by each other's positions, in a random order.

    The tokens and the causal mask stay in order.
    """
    config, places = model.config, np.arange(seq)
    further = np.random.default_rng(seed).permutation(seq) - places
    angles = rotation_angles(further, config.d_head, base=config.rope_base)
    return turned_by(model, angles, range(config.n_layers))


def unturned_cost(model: Model, tokens: Sequence[int], pairs: slice) -> Float[np.ndarray, " n"]:
    """Measure how much more surprising each token but the first is, in bits, if no head turns these pairs."""
    edits = unturned_pairs(model, len(tokens), pairs)
    return extra_surprise(model.trace(tokens), edits)


def repeat_cost(model: Model, pairs: slice, distance: int, seed: int, *, other: bool = False) -> float:
    """Measure `unturned_cost` at ten random tokens that come again after `distance` tokens, or at others instead."""
    tokens = repeat_after(model, 10, distance, seed, other=other)
    return float(unturned_cost(model, tokens, pairs)[-10:].mean())


def pattern_without_rope(trace: Trace, layer: int, head: int) -> Float[np.ndarray, "seq seq"]:
    """Return the attention pattern of one head without RoPE in its layer; NaN where masked.

    Its input is unchanged, unlike with `Edits(rope=False)`, which changes every layer before it too.
    ValueError for a layer or head that is not there.
    """
    pattern = _rotated_back(trace, layer, head).patterns(slice(head, head + 1))[0]
    if not trace.edits.causal_mask:
        return pattern
    return np.where(np.tri(len(pattern), dtype=bool), pattern, np.nan)


def _rotated_back(trace: Trace, layer: int, head: int) -> BlockTrace:
    index_of("layer", layer, len(trace.blocks), negative=False)
    index_of("head", head, trace.model.config.n_heads, negative=False)
    block, edits = trace.blocks[layer], trace.edits
    if not edits.rope:
        return block
    places = np.arange(len(trace.tokens)) * edits.position_scale + edits.position_shift
    back = -rotation_angles(places, block.config.d_head, base=block.config.rope_base)
    return replace(block, q=rotate(block.q, back), k=rotate(block.k, back))


# --- for the pictures of a text ---


def previous_token_weights(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """Return each head's mean attention weight for the token before; of a long text, only the beginning counts."""
    return previous_token_scores(beginning(trace))


def strongest_head(trace: Trace) -> tuple[int, int]:
    """Return (layer, head) of the head that attends most to the token before; for a single token, (0, 0)."""
    strongest = strongest_heads(previous_token_weights(trace), 1)
    return strongest[0] if strongest else (0, 0)


def periods(config: Config) -> Float[np.ndarray, " n_pairs"]:
    """Return how many tokens a full turn of each clock hand takes."""
    return 2 * np.pi / rotation_angles(np.array([1.0]), config.d_head, base=config.rope_base)[0]


def change_if_both_move(trace: Trace, by: int) -> float:
    """Return how much the score of the `last_two` tokens changes when both move on by a number of positions.

    That is the last token's query and the key before it, in the `strongest_head`.
    """
    at, tokens = strongest_head(trace), last_two(trace)
    scores = [
        pair_scores(*turned_to(trace, *at, tokens, (tokens[0] + shift, tokens[1] + shift)))
        for shift in (0, by)
    ]
    return float(scores[1].sum() - scores[0].sum())


def last_two(trace: Trace) -> tuple[int, int]:
    """Return the positions of the last token and of the one before; twice the same of a single token."""
    n = len(trace.tokens)
    return n - 1, max(n - 2, 0)


def surprise_with_each(
    trace: Trace, settings: Mapping[str, Edits]
) -> Iterator[tuple[float, dict[str, float] | None]]:
    """Measure the mean surprise at the beginning of a text unchanged, with each setting, and with shuffled positions.

    Yields the share that is done; in the end the surprise by name, NaN where the numbers overflow. The last is the mean
    of `N_ORDERS` random orders.
    """
    tokens = trace.tokens[:N_USED]
    shuffled = [shuffled_positions(trace.model, len(tokens), seed) for seed in range(N_ORDERS)]
    all_edits, bits = [Edits(), *settings.values(), *shuffled], []
    for edits in all_edits:
        try:
            bits.append(mean_surprise(trace.model.trace(tokens, edits)))
        except FloatingPointError:
            bits.append(np.nan)
        yield len(bits) / len(all_edits), None
    own, *changed = bits[:-N_ORDERS]
    mean = float(np.mean(bits[-N_ORDERS:]))
    yield 1.0, {"unchanged": own, **dict(zip(settings, changed)), "shuffled": mean}
