"""Switch parts off, one head at a time or one part at one token, and hide tokens from heads (attention knockout)."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from llmviz.edits import Edits, knock_out, scale
from llmviz.model import Model, Trace


def ablate_each_head(
    model: Model, tokens: Sequence[int], measure: Callable[[Trace], float], *, before: int | None = None
) -> Iterator[tuple[int, int, float]]:
    """Switch each attention head off in turn; yield its layer, its number, and `measure` of that run.

    before: only heads of the layers before this one. NaN if the numbers overflow. The last layer comes first, because a
    run reuses all layers before its edit.
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
    model.trace(tokens)  # The runs with edits reuse its layers.
    for layer in reversed(range(model.config.n_layers if before is None else before)):
        for head in range(model.config.n_heads):
            yield layer, head, _measured(model, tokens, edits((layer, head)), measure)


def ablate_each_block(
    model: Model, tokens: Sequence[int], measure: Callable[[Trace], float], layers: Iterable[int]
) -> Iterator[tuple[str, int, float]]:
    """Switch each FFN and each attention of some layers off in turn.

    Yields "ffn" or "attention", the layer, and `measure` of that run; NaN if the numbers overflow. Give the last layer
    first, because a run reuses all layers before its edit.
    """
    model.trace(tokens)  # The runs with edits reuse its layers.
    for layer in layers:
        for part, edits in (("ffn", Edits(ffn={layer: 0.0})), ("attention", Edits(attention={layer: 0.0}))):
            yield part, layer, _measured(model, tokens, edits, measure)


def _measured(model: Model, tokens: Sequence[int], edits: Edits, measure: Callable[[Trace], float]) -> float:
    try:
        return measure(model.trace(tokens, edits))
    except FloatingPointError:
        return float("nan")


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
