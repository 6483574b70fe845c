"""Undo RoPE in one head, or for some pairs of numbers, and measure scores at other positions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float

from llmviz.edits import Edits, index_of
from llmviz.experiments.attention_behaviours import previous_token_scores, strongest_heads
from llmviz.experiments.induction import repeat_after
from llmviz.experiments.order import N_USED, beginning
from llmviz.experiments.probabilities import extra_surprise, mean_surprise
from llmviz.model import BlockTrace, Config, Model, Trace, angles_at, rules_of, turned
from llmviz.position import as_pairs, pair_scores, rotate

N_ORDERS = 5  # in which positions are shuffled


def said_without_rope(config: Config) -> str:
    """Say what a model does instead of RoPE; nothing of one with RoPE."""
    if config.has_rope:
        return ""
    return "This model has no RoPE: it adds a learned vector for each position to the token’s embedding."


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
    both = np.stack([q[tokens[0]], k[tokens[1]]])
    return turned(trace.model.config, layer, both, np.array(positions))


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
    config: Config,
    q: Float[np.ndarray, "n_layers *heads d_head"],
    k: Float[np.ndarray, "n_layers *heads d_head"],
    positions: tuple[float, float],
) -> Float[np.ndarray, "n_layers *heads"]:
    """Return the scores if queries and keys of all layers, given before RoPE, were at these two positions."""
    places, scores = np.array(positions), []
    for layer, both in enumerate(np.stack([q, k], axis=-2)):
        at_places = turned(config, layer, both, places)
        divisor = rules_of(config, layer).divisor or np.sqrt(config.d_head)
        scores.append(at_places.prod(axis=-2).sum(axis=-1) / q.dtype.type(divisor))
    return np.stack(scores)


def score_changes(trace: Trace, shifts: tuple[float, float]) -> Float[np.ndarray, "n_layers n_heads"]:
    """Measure how much the score of the last token's query with the key before it changes if both are shifted.

    shifts: of the query and of the key, in positions.
    """
    q, k = all_before_rope(trace)
    n, config = len(trace.tokens), trace.model.config
    before, after = (
        score_at(config, q[..., -1, :], k[..., -2, :], (n - 1 + by[0], n - 2 + by[1]))
        for by in ((0, 0), shifts)
    )
    return after - before


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
    return np.stack([score_at(trace.model.config, q, k, (distance, 0)) for distance in distances])


def turned_on(
    model: Model, further: Sequence[int] | np.ndarray, pairs: slice, layers: Iterable[int] | None = None
) -> Edits:
    """Return edits by which some pairs of every query and key are turned on by so many positions, one for each token.

    layers: only in these.
    """
    config = model.config
    functions: dict[tuple[str, int], Callable[[np.ndarray], np.ndarray]] = {}
    for layer in range(config.n_layers) if layers is None else layers:
        if not config.rope_base_of(layer):
            continue
        angles = angles_at(config, np.asarray(further), layer)
        others = np.ones(angles.shape[1], bool)
        others[pairs] = False
        angles[:, others] = 0
        turn = partial(rotate, angles=angles, split_halves=config.split_halves)
        functions |= {("q", layer): turn, ("k", layer): turn}
    return Edits(at=functions)


def unturned_pairs(model: Model, seq: int, pairs: slice, layers: Iterable[int] | None = None) -> Edits:
    """Return edits with which RoPE does not turn some pairs of every query and key, in a text of `seq` tokens.

    pairs: of d_head / 2, the fastest first. layers: only in these.
    """
    return turned_on(model, -np.arange(seq), pairs, layers)


def shuffled_positions(model: Model, seq: int, seed: int) -> Edits:
    """Return edits by which RoPE turns the tokens of a text by each other's positions, in a random order.

    The tokens and the causal mask stay in order.
    """
    further = np.random.default_rng(seed).permutation(seq) - np.arange(seq)
    return turned_on(model, further, slice(None))


def without_rope(trace: Trace) -> Trace:
    """Run the same tokens with RoPE switched off in every layer."""
    return trace.model.trace(trace.tokens, Edits(rope=False))


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
    back = -(np.arange(len(trace.tokens)) * edits.position_scale + edits.position_shift)
    q, k = (turned(block.config, layer, x, back) for x in (block.q, block.k))
    return replace(block, q=q, k=k)


# --- for the pictures of a text ---


def previous_token_weights(trace: Trace) -> Float[np.ndarray, "n_layers n_heads"]:
    """Return each head's mean attention weight for the token before; of a long text, only the beginning counts."""
    return previous_token_scores(beginning(trace))


def strongest_head(trace: Trace) -> tuple[int, int]:
    """Return (layer, head) of the head that attends most to the token before; for a single token, (0, 0)."""
    strongest = strongest_heads(previous_token_weights(trace), 1)
    return strongest[0] if strongest else (0, 0)


def head_with_clocks(trace: Trace) -> tuple[int, int]:
    """Return the same of the layers whose hands turn as `periods` says; in some models, not all do."""
    config, weights = trace.model.config, previous_token_weights(trace).copy()
    weights[[layer for layer in range(config.n_layers) if layer not in with_main_base(config)]] = np.nan
    strongest = strongest_heads(weights, 1)
    return strongest[0] if strongest else (with_main_base(config)[0], 0)


def with_main_base(config: Config) -> list[int]:
    """Return the layers whose hands turn as the model's base says; all layers of a model without RoPE."""
    layers = range(config.n_layers)
    return [i for i in layers if config.rope_base_of(i) == config.rope_base] or [*layers]


def in_which_layers(config: Config) -> str:
    """Return in brackets the layers whose hands turn as `periods` says; nothing if all do."""
    layers = with_main_base(config)
    named = f"layer{'s' * (len(layers) > 1)} {', '.join(map(str, layers))}"
    return f" (in {named})" if len(layers) < config.n_layers else ""


def periods(config: Config) -> Float[np.ndarray, " n_pairs"]:
    """Return how many tokens a full turn of each clock hand takes."""
    return 2 * np.pi / angles_at(replace(config, rope_bases=()), np.array([1.0]), 0)[0]


def score_of_pairs(
    trace: Trace, layer: int, q: Float[np.ndarray, " d_head"], k: Float[np.ndarray, " d_head"]
) -> Float[np.ndarray, " n_pairs"]:
    """Return what each pair of numbers adds to a score in a layer, before any cap."""
    config = trace.model.config
    scores = pair_scores(q, k, split_halves=config.split_halves)
    divisor = rules_of(config, layer).divisor
    return scores if divisor is None else scores * q.dtype.type(np.sqrt(config.d_head) / divisor)


def hands(trace: Trace, x: Float[np.ndarray, "*heads d_head"]) -> Float[np.ndarray, "*heads n_pairs 2"]:
    """Return the clock hands of a query or key."""
    return as_pairs(x, split_halves=trace.model.config.split_halves)


def change_if_both_move(trace: Trace, by: int) -> float:
    """Return how much the score of the `last_two` tokens changes when both move on by a number of positions.

    That is the last token's query and the key before it, in `head_with_clocks`.
    """
    at, tokens = head_with_clocks(trace), last_two(trace)
    scores = [
        score_of_pairs(trace, at[0], *turned_to(trace, *at, tokens, (tokens[0] + shift, tokens[1] + shift)))
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
