"""Compare the last words of sentences, layer by layer: one word in two senses, and another word in its place."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import embeddings
from llmviz.model import Trace

# Of four texts, that end with a word in one sense twice, in another sense, and with another word.
PAIRS = ((0, 1), (0, 2), (2, 3), (0, 3))


def last_vectors(trace: Trace) -> Float[np.ndarray, "depth d_model"]:
    """Return the last token's vector as the first layer reads it, and after each layer."""
    return np.stack([trace.blocks[0].resid_pre[-1], *(block.resid_post[-1] for block in trace.blocks)])


def alike_by_layer(traces: Sequence[Trace]) -> Float[np.ndarray, "4 depth"]:
    """Measure the cosines of the last tokens of four texts, by layers done.

    First and second text, first and third, third and last, first and last.
    """
    vectors = [*map(last_vectors, traces)]
    return np.stack([embeddings.cosine_similarity(vectors[a], vectors[b]) for a, b in PAIRS])
