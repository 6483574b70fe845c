"""Put a text's tokens in another order, and measure what changes."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float

from llmviz import ops
from llmviz.edits import Edits
from llmviz.experiments.attention_behaviours import relative_change
from llmviz.experiments.probabilities import total_variation
from llmviz.model import Model, Trace

N_USED = 64  # tokens of a text, at most, for measures that take several runs
NOTHING = "there is nothing to swap in this text"
NOTICED = 1e-4  # relative change of an attention output; rounding stays below it


def beginning(trace: Trace) -> Trace:
    """Return the run over a text, or over its first `N_USED` tokens."""
    return trace.model.trace(trace.tokens[:N_USED], trace.edits) if len(trace.tokens) > N_USED else trace


def swap_tokens(tokens: Sequence[int], positions: tuple[int, int]) -> list[int]:
    """Return the same tokens with two of them swapped."""
    first, second = positions
    tokens = list(tokens)
    tokens[first], tokens[second] = tokens[second], tokens[first]
    return tokens


def differing_neighbours(tokens: Sequence[Hashable]) -> tuple[int, int] | None:
    """Return the positions of the first two neighbours that differ, both before the last token; None if none do."""
    return next(((i, i + 1) for i in range(len(tokens) - 2) if tokens[i] != tokens[i + 1]), None)


def shuffle_tokens(tokens: Sequence[int], seed: int) -> list[int]:
    """Return the same tokens in a random order, with the last one still last.

    If the random order leaves all of them in place, their order is reversed instead.
    """
    order = np.random.default_rng(seed).permutation(len(tokens) - 1)
    if (order == np.arange(len(order))).all():
        order = order[::-1]
    return [*(tokens[i] for i in order), tokens[-1]]


def moved_by_shuffling(model: Model, text: str, *, causal_mask: bool) -> float:
    """Shuffle up to 20 tokens, all but the last, without RoPE, and measure how much probability moves, in %.

    ValueError for a model without RoPE.
    """
    if not model.config.has_rope:
        raise ValueError("this model has no RoPE that could be switched off")
    tokens, edits = model.tokenizer.encode(text)[:20], Edits(rope=False, causal_mask=causal_mask)
    runs = (model.trace(order, edits) for order in (tokens, shuffle_tokens(tokens, 0)))
    return 100 * total_variation(*(ops.softmax(run.logits) for run in runs))


def swapped_runs(trace: Trace, positions: tuple[int, int], edits: Edits) -> tuple[Trace, Trace]:
    """Run a text, and the same text with two of its tokens swapped, both with these edits."""
    model, other = trace.model, swap_tokens(trace.tokens, positions)
    return model.trace(trace.tokens, edits), model.trace(other, edits)


def layers_that_notice(trace: Trace, positions: tuple[int, int]) -> int:
    """Count the layers in which, without RoPE, a swap of two tokens changes the attention output at the last token."""
    return int((relative_change(*swapped_runs(trace, positions, Edits(rope=False))) > NOTICED).sum())


def swapped_layers(trace: Trace, edits: Edits) -> Float[np.ndarray, " n_layers"]:
    """Swap the first two neighbours that differ, and measure what changes with these edits.

    That is each layer's attention output at the last token (`relative_change`); NaN where no two neighbours differ.
    """
    positions = differing_neighbours(trace.tokens)
    if positions is None:
        return np.full(len(trace.blocks), np.nan)
    return relative_change(*swapped_runs(trace, positions, edits))


def head_change(trace: Trace, other: Trace, layer: int) -> Float[np.ndarray, " n_heads"]:
    """Measure how much each head's output z at the last token differs between two runs: |a - b| / |a|."""
    a, b = (run.blocks[layer].attention_at(-1).z[:, 0] for run in (trace, other))
    return np.linalg.norm(a - b, axis=1) / np.linalg.norm(a, axis=1)


def shuffle_changes(trace: Trace, layer: int, n_shuffles: int) -> Float[np.ndarray, "n_shuffles n_heads"]:
    """Shuffle all tokens but the last, and measure what each shuffle changes in each head's output (`head_change`)."""
    orders = (shuffle_tokens(trace.tokens, seed) for seed in range(n_shuffles))
    return np.stack([head_change(trace, trace.model.trace(order, trace.edits), layer) for order in orders])


def swap_changes(
    trace: Trace, positions: tuple[int, int], edits: Edits, layer: int
) -> Float[np.ndarray, " seq"]:
    """Swap two tokens, and measure how much the attention output of a layer changes at each token: |a - b| / |a|.

    NaN where the second position is not before the last, or both have the same token.
    """
    if len(trace.tokens) < max(positions) + 2 or len({trace.tokens[at] for at in positions}) < 2:
        return np.full(max(len(trace.tokens), max(positions) + 2), np.nan)
    a, b = (run.blocks[layer].attention.out for run in swapped_runs(trace, positions, edits))
    return np.linalg.norm(a - b, axis=1) / np.linalg.norm(a, axis=1)


def shuffled_change(trace: Trace, edits: Edits | None = None) -> Float[np.ndarray, " n_heads"]:
    """Return how much a shuffle changes each output of the first layer's heads at the last token: |a - b| / |a|."""
    return shuffle_changes(trace.model.trace(trace.tokens[:N_USED], edits), 0, 1)[0]


def positions_to_swap(trace: Trace, first: str, second: str) -> tuple[int, int]:
    """Return where two words are in the beginning of a text, before its last token.

    If it lacks one of them, return two neighbours that differ, near the middle. ValueError if no two differ.
    """
    pieces = trace.pieces[:N_USED]
    before = pieces[:-1]
    if first in before and second in before:
        return before.index(first), before.index(second)
    pairs = [(i, i + 1) for i in range(len(before) - 1) if before[i] != before[i + 1]]
    if not pairs:
        raise ValueError(NOTHING)
    return pairs[len(pairs) // 2]


def which_vectors_change(trace: Trace, first: str, second: str) -> int:
    """Return 0 if all tokens keep their vectors when two words are swapped, 1 if only those two change, else 2.

    ValueError where no two tokens differ.
    """
    tokens, (a, b) = trace.tokens[:N_USED], positions_to_swap(trace, first, second)
    before, after = (trace.model.weights.W_E[order] for order in (tokens, swap_tokens(tokens, (a, b))))
    before[[a, b]] = before[[b, a]]  # Each token with itself, wherever it is now.
    changed = (before != after).any(axis=1)
    return int(changed.any()) + int(np.delete(changed, [a, b]).any())


def n_layers_that_notice(trace: Trace, first: str, second: str) -> int:
    """Count the layers in which, without RoPE, swapping two words changes the attention output at the last token.

    ValueError where no two tokens differ.
    """
    return layers_that_notice(beginning(trace), positions_to_swap(trace, first, second))
