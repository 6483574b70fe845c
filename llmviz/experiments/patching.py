"""Put what a part does in one run, or in the mean of many, into another run (activation and path patching)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from llmviz import ops
from llmviz.edits import Edits, index_of, put
from llmviz.experiments.ablation import measure_each_head
from llmviz.experiments.attribution import head_contribution, logit_direction
from llmviz.model import Model, Trace


@dataclass(frozen=True, eq=False)
class Pair:
    """The run over a text, and that over its twin: the same tokens but for the one at `subject`."""

    trace: Trace
    other: Trace
    subject: int

    @property
    def answers(self) -> list[int]:
        """The likeliest next token of each."""
        return [int(run.logits.argmax()) for run in (self.trace, self.other)]

    def shares(self, edits: Edits | None = None) -> Float[np.ndarray, "2"]:
        """The probability of both answers in the text's run with these edits; NaN where its numbers overflow."""
        model, tokens = self.trace.model, self.trace.tokens
        model.trace(tokens)  # kept for reuse: the layers before the edits are taken from it
        try:
            return ops.softmax(model.trace(tokens, edits).logits)[self.answers]
        except FloatingPointError:
            return np.full(2, np.nan, np.float32)


def pair_of(model: Model, text: str | Sequence[int], other: int, subject: int = -2) -> Pair:
    """A text and its twin with the token `other` in the place of the one at `subject`."""
    trace = model.trace(text)
    subject = index_of("position", subject, len(trace.tokens))
    return Pair(trace, model.trace([*trace.tokens[:subject], other, *trace.tokens[subject + 1 :]]), subject)


def patch_component(
    pair: Pair, array: str, layers: Iterable[int], position: int, head: int | None = None
) -> Edits:
    """The same, but the part does at that token what it does there in the twin's run (activation patching).

    ValueError for a layer, head or position that is not there.
    """
    twin = pair.other
    position = index_of("position", position, len(twin.tokens))
    if head is not None:
        index_of("head", head, twin.model.config.n_heads, negative=False)

    def does(layer: int) -> np.ndarray:
        block = twin.blocks[index_of("layer", layer, len(twin.blocks), negative=False)]
        if array == "ffn_out":
            return block.ffn_at(slice(position, position + 1)).out[0]
        run = block.attention_at(position)
        return run.out[0] if head is None else run.z[head, 0]

    return Edits(at={(array, layer): put(does(layer), positions=position, head=head) for layer in layers})


def patch_residual(pair: Pair, layer: int, positions: Iterable[int]) -> Edits:
    """Edits by which the stream at these tokens, before a layer, is that of the twin's run (Meng et al. 2022).

    ValueError for a layer or position that is not there.
    """
    index_of("layer", layer, len(pair.other.blocks), negative=False)
    stream = pair.other.blocks[layer].resid_pre
    positions = [index_of("position", at, len(stream)) for at in positions]
    return Edits(resid={(layer, at): stream[at] for at in positions})


def fact_mover_head(pair: Pair) -> tuple[int, int]:
    """The head (layer, head) that adds most, directly, to the answer's logit out of what it reads at the subject.

    Of all layers but the first and the last: with something before it to read, and an FFN of a later layer after it.
    """
    trace, config = pair.trace, pair.trace.model.config
    direction = logit_direction(trace, pair.answers[0], against="mean")
    adds = {
        (layer, head): head_contribution(trace, layer, head, source=pair.subject) @ direction
        for layer in range(1, config.n_layers - 1)
        for head in range(config.n_heads)
    }
    return max(adds, key=adds.get)


def head_outputs(trace: Trace, position: int = -1) -> Float[np.ndarray, "n_layers n_heads d_head"]:
    """z of every head at one token: the mixed values that it hands over there."""
    position = index_of("position", position, len(trace.tokens))
    return np.stack([block.attention_at(position).z[:, 0] for block in trace.blocks])


def patch_heads(
    z: Float[np.ndarray, "n_layers n_heads d_head"], heads: Iterable[tuple[int, int]], position: int = -1
) -> Edits:
    """Edits under which these heads (layer, head) hand over, at one token, what stands in `z` (activation patching).

    z: `head_outputs` of another run, the mean of many, or zeros. ValueError for a layer or head that is not in it.
    """
    at = {}
    for layer, head in heads:
        for kind, index, n in zip(("layer", "head"), (layer, head), z.shape):
            index_of(kind, index, n, negative=False)
        at.setdefault(("z", layer), []).append(put(z[layer, head], positions=position, head=head))
    return Edits(at=at)


def patch_each_head(
    model: Model,
    tokens: Sequence[int],
    z: Float[np.ndarray, "n_layers n_heads d_head"],
    measure: Callable[[Trace], float],
) -> Iterator[tuple[int, int, float]]:
    """Each head alone `patch_heads` at the last token: yields its layer, its number, and what `measure` says of that run.

    The last layer first, since a run takes over all layers before its edit.
    """
    return measure_each_head(model, tokens, lambda one: patch_heads(z, [one]), measure)


def patch_path(trace: Trace, writer: tuple[int, int], reader: tuple[int, int], into: str = "k") -> Edits:
    """Edits that keep what one head writes from one other head that reads it (path patching; Wang et al. 2022).

    writer, reader: (layer, head), the writer in an earlier layer. into: "q", "k" or "v" of the reader, whose layer
    reads the stream without the writer's part for that alone, at all tokens. All else stays: what the writer gives to
    any other head, to FFNs and to the layers between. Query heads that share a key/value head share its k and v, so the
    cut is made where heads are apart: in the reader's scores (q, k) or z (v). Only for the text of `trace`, and one cut
    a reader; cuts of several readers go one after the other, each on the trace with the cuts before.
    """
    (earlier, from_head), (layer, head) = writer, reader
    if into not in ("q", "k", "v"):
        raise ValueError(f'into must be "q", "k" or "v", got {into!r}')
    if not 0 <= earlier < layer < len(trace.blocks):
        raise ValueError(f"layer {layer} reads nothing that a head of layer {earlier} has written")
    for one in (from_head, head):
        index_of("head", one, trace.model.config.n_heads, negative=False)
    block, factor = trace.blocks[layer], trace.edits.attention.get(earlier, 1)
    z = trace.blocks[earlier].attention.z[from_head]
    written = factor * (z @ trace.model.weights.layers[earlier].W_O[from_head])
    without = _also(trace.edits, "resid_pre", layer, lambda x: x - written)
    for name in {"q", "k", "v"} - {into}:
        kept = getattr(block, name)
        without = _also(without, name, layer, lambda _, kept=kept: kept)
    name = "z" if into == "v" else "scores"
    cut = getattr(trace.model.trace(trace.tokens, without).blocks[layer].attention, name)[head]

    def in_its_place(array: np.ndarray) -> np.ndarray:
        if array[head].shape != cut.shape:
            raise ValueError(
                f"this path was cut in a text of {len(cut)} tokens and cannot be used for one of {array.shape[1]}: "
                "cut it again in a trace of the new text"
            )
        array[head] = cut
        return array

    return _also(trace.edits, name, layer, in_its_place)


def cut_paths(
    trace: Trace, writer: tuple[int, int], readers: Iterable[tuple[int, int]], into: str = "k"
) -> Edits:
    """Cut the path from one head into each of several, as `patch_path` does, one after the other."""
    edits = trace.edits
    for reader in readers:
        edits = patch_path(trace.model.trace(trace.tokens, edits), writer, reader, into)
    return edits


def _also(edits: Edits, name: str, layer: int, function: Callable[[np.ndarray], np.ndarray]) -> Edits:
    there = edits.at.get((name, layer), ())
    there = there if isinstance(there, Sequence) else (there,)
    return replace(edits, at={**edits.at, (name, layer): (*there, function)})
