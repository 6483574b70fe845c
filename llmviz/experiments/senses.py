"""Compare the last words of sentences, layer by layer: one word in two senses, and another word in its place."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import embeddings
from llmviz.experiments.lens import depths
from llmviz.model import Trace

# Of four texts, that end with a word in one sense twice, in another sense, and with another word.
PAIRS = ((0, 1), (0, 2), (2, 3), (0, 3))


def cosines_by_layer(traces: Sequence[Trace]) -> Float[np.ndarray, "4 depth"]:
    """Measure the cosines of the last tokens of four texts, by layers done.

    First and second text, first and third, third and last, first and last.
    """
    vectors = [depths(trace)[:, -1] for trace in traces]
    return np.stack([embeddings.cosine_similarity(vectors[a], vectors[b]) for a, b in PAIRS])
