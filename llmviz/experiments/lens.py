"""Read a prediction from the residual stream at each depth (the logit lens), and measure the stream there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from llmviz import embeddings, ops
from llmviz.edits import index_of
from llmviz.experiments.attribution import rank_correlation
from llmviz.model import Model, Trace

AT_ONCE = 64  # rows of the lens in one product with the output table, which is read once for all of them
# Pairs of four texts, which end with a word in one sense (the first two), in another sense, and with another word.
SENSE_PAIRS = ((0, 1), (0, 2), (2, 3), (0, 3))


@dataclass(frozen=True, eq=False)
class Lens:
    """The prediction at each depth. Row 0 is the embedding, row l + 1 the residual stream after layer l."""

    predictions: Int[np.ndarray, "depth seq"]  # the likeliest token
    probs: Float[np.ndarray, "depth seq"]  # its probability
    last: Float[np.ndarray, "depth n_vocab"]  # all logits after the last position

    def ranks(self, tokens: Sequence[int]) -> Int[np.ndarray, "n_tokens depth"]:
        """Return the ranks of tokens after the last position; 1 is the likeliest. ValueError for an unknown token."""
        for token in tokens:
            index_of("token", token, self.last.shape[1], negative=False)
        ranks = [(self.last > self.last[:, [token]]).sum(axis=1) + 1 for token in tokens]
        return np.array(ranks, np.int64).reshape(len(tokens), len(self.last))


def depths(trace: Trace) -> Float[np.ndarray, "depth seq d_model"]:
    """Return the residual stream at the input and after each layer."""
    return np.stack([trace.blocks[0].resid_pre, *(block.resid_post for block in trace.blocks)])


def logit_lens(trace: Trace, *, last: int | None = None) -> Lens:
    """Read a prediction from the stream at each depth (logit lens, nostalgebraist 2020), for the `last` positions.

    ValueError if `last` is less than 1.
    """
    if last is not None and last < 1:
        raise ValueError(f"last must be 1 or more, got {last}")
    first = 0 if last is None else max(0, len(trace.tokens) - last)
    x = depths(trace)[:, first:]
    n_depths, seq, d_model = x.shape
    predictions, probs, ends = [], [], []
    for rows in np.array_split(x, -(-n_depths * seq // AT_ONCE)):
        logits = trace.model.unembed(rows.reshape(-1, d_model), trace.edits)
        predictions.append(logits.argmax(axis=-1))
        ends.append(logits[seq - 1 :: seq].copy())
        probs.append(ops.softmax(logits).max(axis=-1))
    shape = (n_depths, seq)
    return Lens(
        np.concatenate(predictions).reshape(shape), np.concatenate(probs).reshape(shape), np.concatenate(ends)
    )


def layers_to_go(trace: Trace) -> int:
    """Count the layers that come after the lens has first shown the final prediction for good."""
    backwards = logit_lens(trace, last=1).predictions[::-1, -1]
    return int(np.cumprod(backwards == backwards[0]).sum()) - 1


def rises(model: Model, texts: tuple[str, str], *, other: bool) -> float:
    """Measure how steadily the prediction of the first text, or of the other, rises in the first text's lens.

    This is the rank correlation of its rank with the depth: 1 if each layer raises it.
    """
    trace, another = map(model.trace, texts)
    (ranks,) = logit_lens(trace, last=1).ranks([int((another if other else trace).logits.argmax())])
    return rank_correlation(np.arange(float(len(ranks))), -1.0 * ranks)


def cosines_by_layer(traces: Sequence[Trace]) -> Float[np.ndarray, "4 depth"]:
    """Measure the cosines of the last tokens of four texts after each layer: [pairs, depth].

    The pairs (`SENSE_PAIRS`): first and second text, first and third, third and last, first and last.
    """
    vectors = [depths(trace)[:, -1] for trace in traces]
    return np.stack([embeddings.cosine_similarity(vectors[a], vectors[b]) for a, b in SENSE_PAIRS])
