"""Switch parts off, one head at a time or one part at one token, and hide tokens from heads (attention knockout)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

import numpy as np
from jaxtyping import Bool, Float

from llmviz.edits import Edits, knock_out, scale
from llmviz.experiments.attention_behaviours import random_heads
from llmviz.experiments.probabilities import probability
from llmviz.model import Model, Trace

SET_SIZES, N_SETS = (10, 40, 160), 5  # of heads that are switched off together
HeadsOff = tuple[
    Float[np.ndarray, "n_heads n_layers"], Bool[np.ndarray, "n_heads n_layers"], dict[int, list[bool]]
]


def ablate_each_head(
    model: Model, tokens: Sequence[int], measure: Callable[[Trace], float], *, before: int | None = None
) -> Iterator[tuple[int, int, float]]:
    """Switch each attention head off in turn; yield its layer, its number, and `measure` of that run.

    before: only heads of the layers before this one. NaN if the numbers overflow. The last layer comes first.
    """
    return measure_each_head(model, tokens, lambda head: Edits(head={head: 0.0}), measure, before)


def measure_each_head(
    model: Model,
    tokens: Sequence[int],
    edits: Callable[[tuple[int, int]], Edits],
    measure: Callable[[Trace], float],
    before: int | None = None,
) -> Iterator[tuple[int, int, float]]:
    """Run the model once for each head, with the edits made for (layer, head); yield as `ablate_each_head` does."""
    heads = _last_layer_first(model.config.n_layers if before is None else before, model.config.n_heads)
    for (layer, head), run in zip(heads, model.trace_each(tokens, map(edits, heads))):
        yield layer, head, float("nan") if run is None else measure(run)


def _last_layer_first(n_layers: int, n_heads: int) -> list[tuple[int, int]]:
    """Return all heads in the order that is quickest: runs side by side share the layers before their edits."""
    return [*product(reversed(range(n_layers)), range(n_heads))]


def each_head_off(trace: Trace) -> Iterator[tuple[float, HeadsOff | None]]:
    """Switch off each head in turn, then several that changed nothing; yield the share that is done, and the results.

    These are, for each head [n_heads, n_layers], the probability of the likeliest token without it (NaN if the numbers
    overflow, or if it is not measured yet), and whether another token is likelier. The last results also answer this
    question for random sets of the heads that change nothing on their own: {size of the sets: yes or no for each}. The
    last set has all these heads.
    """
    first, shape = int(trace.logits.argmax()), (trace.model.config.n_layers, trace.model.config.n_heads)
    left, changes = np.full(shape[::-1], np.nan, np.float32), np.zeros(shape[::-1], bool)

    def other_is_likeliest(run: Trace | None) -> bool:
        return run is None or int(run.logits.argmax()) != first

    def without(sets: Iterable[Iterable[tuple[int, int]]]) -> Iterator[Trace | None]:
        return trace.model.trace_each(trace.tokens, (Edits(head=dict.fromkeys(heads, 0.0)) for heads in sets))

    heads = _last_layer_first(*shape)
    for done, ((layer, head), run) in enumerate(zip(heads, without([head] for head in heads)), start=1):
        changes[head, layer] = other_is_likeliest(run)
        if run is not None:
            left[head, layer] = probability(run, first)
        yield 0.95 * done / left.size, (left.copy(), changes.copy(), {}) if done % 9 == 0 else None
    needed = [(layer, head) for head, layer in np.argwhere(changes).tolist()]
    n_others, together = left.size - len(needed), dict[int, list[bool]]()
    planned = [(n, seed) for n in SET_SIZES if n < n_others for seed in range(N_SETS)] + [(n_others, 0)]
    runs = without(random_heads(shape, n, needed, seed) for n, seed in planned)
    for (n, _), run in zip(planned, runs):
        together.setdefault(n, []).append(other_is_likeliest(run))
        yield 0.99, None
    yield 1.0, (left, changes, together)


def ablate_each_block(
    model: Model, tokens: Sequence[int], measure: Callable[[Trace], float], layers: Iterable[int]
) -> Iterator[tuple[str, int, float]]:
    """Switch each FFN and each attention of some layers off in turn.

    Yields "ffn" or "attention", the layer, and `measure` of that run; NaN if the numbers overflow.
    """
    blocks = [(part, layer) for layer in layers for part in ("ffn", "attention")]
    off = (Edits(ffn={at: 0.0}) if part == "ffn" else Edits(attention={at: 0.0}) for part, at in blocks)
    for (part, layer), run in zip(blocks, model.trace_each(tokens, off)):
        yield part, layer, float("nan") if run is None else measure(run)


def ablate(part: str, layers: Iterable[int], position: int, head: int | None = None) -> Edits:
    """Return edits with which a part of these layers adds nothing at one token.

    part: "ffn_out", "attention_out", or "z" for one head. A run raises ValueError for a part that does not exist.
    """
    return Edits(at={(part, layer): scale(0, positions=position, head=head) for layer in layers})


def knockout_attention(heads: Iterable[tuple[int, int]], keys: Sequence[int], query: int = -1) -> Edits:
    """Return edits with which these heads (layer, head) cannot attend from one token to the tokens `keys`.

    Their weights there are zero, and the others are scaled up to sum to one (attention knockout; Geva et al. 2023). A
    head that can attend to nothing else passes nothing on. A run raises ValueError for a head that does not exist.
    """
    of_layer: dict[int, list[int]] = {}
    for layer, head in heads:
        of_layer.setdefault(layer, []).append(head)
    return Edits(
        at={("pattern", layer): knock_out(keys, positions=query, head=of_layer[layer]) for layer in of_layer}
    )
