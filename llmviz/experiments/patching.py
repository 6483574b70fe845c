"""Put a part's output in one run, or its mean over many, into another run (activation and path patching)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float

from llmviz import ops
from llmviz.edits import Change, Edits, index_of, put
from llmviz.experiments.attribution import head_contribution, logit_direction, scale_after_attention
from llmviz.model import Model, Trace


@dataclass(frozen=True, eq=False)
class Pair:
    """The run over a text, and that over its twin: as many tokens, of which the one at `subject` differs.

    ValueError for two texts of different lengths.
    """

    trace: Trace
    twin: Trace
    subject: int

    def __post_init__(self):
        lengths = len(self.trace.tokens), len(self.twin.tokens)
        if lengths[0] != lengths[1]:
            raise ValueError(
                f"a text and its twin need equally many tokens, but these have {lengths[0]} and {lengths[1]}"
            )

    @property
    def answers(self) -> list[int]:
        """The likeliest next token of each."""
        return [int(run.logits.argmax()) for run in (self.trace, self.twin)]

    def usual_probs(self) -> Float[np.ndarray, "2"]:
        """Return the probability of both answers, each in its own run."""
        both = zip((self.trace, self.twin), self.answers)
        return np.array([ops.softmax(run.logits)[answer] for run, answer in both])

    def answer_probs(self, edits: Edits | None = None) -> Float[np.ndarray, "2"]:
        """Return the probability of both answers in the text's run with these edits; NaN where its numbers overflow."""
        if edits is None:
            return ops.softmax(self.trace.model.trace(self.trace.tokens).logits)[self.answers]
        return next(self.answer_probs_each([edits]))

    def answer_probs_each(self, each: Iterable[Edits]) -> Iterator[Float[np.ndarray, "2"]]:
        """Yield the same for each of several edits, which is quicker."""
        for run in self.trace.model.trace_each(self.trace.tokens, each):
            missing = np.full(2, np.nan, np.float32)
            yield missing if run is None else ops.softmax(run.logits)[self.answers]


def pair_of(model: Model, text: str | Sequence[int], token: int, subject: int = -2) -> Pair:
    """Run a text, and its twin with `token` in place of the one at `subject`."""
    trace = model.trace(text)
    subject = index_of("position", subject, len(trace.tokens))
    return Pair(trace, model.trace([*trace.tokens[:subject], token, *trace.tokens[subject + 1 :]]), subject)


def patch_component(
    pair: Pair, part: str, layers: Iterable[int], position: int, head: int | None = None
) -> Edits:
    """Return edits that replace a part's output at one token with that in the twin's run (activation patching).

    part: "ffn_out", "attention_out", or "z" for one head, in each of the layers. ValueError for a
    layer, head or position that does not exist.
    """
    twin = pair.twin
    position = index_of("position", position, len(twin.tokens))
    if head is not None:
        index_of("head", head, twin.model.config.n_heads, negative=False)

    def given(layer: int) -> np.ndarray:
        block = twin.blocks[index_of("layer", layer, len(twin.blocks), negative=False)]
        if part == "ffn_out":
            return block.ffn_at(slice(position, position + 1)).out[0]
        run = block.attention_at(position)
        return run.out[0] if head is None else run.z[head, 0]

    return Edits(at={(part, layer): put(given(layer), positions=position, head=head) for layer in layers})


def patch_residual(pair: Pair, layer: int, position: int | Iterable[int]) -> Edits:
    """Return edits that replace the residual stream before a layer with the twin's, at one token or at several.

    (Meng et al. 2022.) ValueError for a layer or position that does not exist.
    """
    index_of("layer", layer, len(pair.twin.blocks), negative=False)
    stream = pair.twin.blocks[layer].resid_pre
    positions = [position] if isinstance(position, int | np.integer) else position
    positions = [index_of("position", at, len(stream)) for at in positions]
    return Edits(resid={(layer, at): stream[at] for at in positions})


def fact_mover_head(pair: Pair) -> tuple[int, int]:
    """Find the head (layer, head) that adds most, directly, to the answer's logit from what it reads at the subject.

    The first layer, which has nothing before it to read, and the last, which has no layer after it, are left out if
    there are others.
    """
    trace, config = pair.trace, pair.trace.model.config
    layers = range(1, config.n_layers - 1) or range(config.n_layers)
    direction = logit_direction(trace, pair.answers[0], against="mean")
    adds = {
        (layer, head): head_contribution(trace, layer, head, source=pair.subject) @ direction
        for layer in layers
        for head in range(config.n_heads)
    }
    return max(adds, key=lambda head: adds[head])


def head_outputs(trace: Trace) -> Float[np.ndarray, "n_layers n_heads d_head"]:
    """Return z of every head at the last token: the weighted sum of values that it passes on there."""
    return np.stack([block.attention_at(-1).z[:, 0] for block in trace.blocks])


def patch_heads(
    z: Float[np.ndarray, "n_layers n_heads d_head"], heads: Iterable[tuple[int, int]], position: int = -1
) -> Edits:
    """Return edits with which these heads (layer, head) pass on what is in `z`, at one token (activation patching).

    z: `head_outputs` of another run, the mean of many, or zeros. ValueError for a layer or head that is not in it.
    """
    at: dict[tuple[str, int], list[Change]] = {}
    for layer, head in heads:
        for kind, index, n in zip(("layer", "head"), (layer, head), z.shape):
            index_of(kind, index, n, negative=False)
        at.setdefault(("z", layer), []).append(put(z[layer, head], positions=position, head=head))
    return Edits(at=at)


def hold(trace: Trace, part: str, layers: Iterable[int]) -> Edits:
    """Return edits that hold a part's output at all tokens to what it is in this run of the same text.

    part: "ffn_out" or "attention_out", in each of the layers.
    """
    blocks = {layer: trace.blocks[layer] for layer in layers}
    outputs = {
        layer: block.resid_post - block.resid_mid if part == "ffn_out" else block.resid_mid - block.resid_pre
        for layer, block in blocks.items()
    }
    return Edits(at={(part, layer): partial(np.full_like, fill_value=out) for layer, out in outputs.items()})


def patch_path(trace: Trace, writer: tuple[int, int], reader: tuple[int, int], into: str = "k") -> Edits:
    """Return edits that cut the path from one head to one other head that reads it (path patching; Wang et al. 2022).

    writer, reader: (layer, head), the writer in an earlier layer. into: "q", "k" or "v" of the reader, which is then
    computed from the stream without the writer's part, at all tokens. The writer still reaches every other head, the
    FFNs and the layers between. Query heads that share a key/value head share its k and v, so the cut is made where
    heads are separate: in the reader's scores (for q and k) or its z (for v). The edits are valid for the text of
    `trace` only, with one cut for each reader. To cut paths to several readers, cut them one after the other, each in
    a trace that has the cuts before.
    """
    (earlier, from_head), (layer, head) = writer, reader
    if into not in ("q", "k", "v"):
        raise ValueError(f'into must be "q", "k" or "v", got {into!r}')
    if not 0 <= earlier < layer < len(trace.blocks):
        raise ValueError(f"layer {layer} reads nothing that a head of layer {earlier} has written")
    for number in (from_head, head):
        index_of("head", number, trace.model.config.n_heads, negative=False)
    block, factor = trace.blocks[layer], trace.edits.attention.get(earlier, 1)
    z = trace.blocks[earlier].attention.z
    written = z[from_head] @ trace.model.weights.layers[earlier].W_O[from_head]
    written = written * factor * scale_after_attention(trace, earlier, z)
    without = _and_then(trace.edits, "resid_pre", layer, lambda x: x - written)
    for name in {"q", "k", "v"} - {into}:
        without = _and_then(without, name, layer, partial(np.full_like, fill_value=getattr(block, name)))
    name = "z" if into == "v" else "scores"
    cut = getattr(trace.model.trace(trace.tokens, without).blocks[layer].attention, name)[head]

    def replace_head(array: np.ndarray) -> np.ndarray:
        if array[head].shape != cut.shape:
            raise ValueError(
                f"this path was cut in a text of {len(cut)} tokens and cannot be used for one of {array.shape[1]}: "
                "cut it again in a trace of the new text"
            )
        array[head] = cut
        return array

    return _and_then(trace.edits, name, layer, replace_head)


def cut_paths(
    trace: Trace, writer: tuple[int, int], readers: Iterable[tuple[int, int]], into: str = "k"
) -> Edits:
    """Cut the path from one head into each of several, as `patch_path` does, one after the other."""
    edits = trace.edits
    for reader in readers:
        edits = patch_path(trace.model.trace(trace.tokens, edits), writer, reader, into)
    return edits


def _and_then(edits: Edits, name: str, layer: int, function: Callable[[np.ndarray], np.ndarray]) -> Edits:
    there = edits.at.get((name, layer), ())
    there = there if isinstance(there, Sequence) else (there,)
    return replace(edits, at={**edits.at, (name, layer): (*there, function)})
