"""Count the numbers of a model."""

import math

from llmviz.model import Model
from llmviz.weights import Config, stored, tensor_shapes

# By what the name of an array in a GGUF file has in it, the first of these.
PARTS = {"norm": "norms", "ffn": "FFN", "attn": "attention", "emb": "embedding table", "out": "output table"}


def parameters(sizes: Model | Config, *, tied: bool = True) -> dict[str, int]:
    """Count the learned numbers of each part: of a Model array by array, of a Config by the shapes that it asks for.

    A tied output table counts once: a Model says itself whether it is, a Config's is unless `tied` is False.
    """
    shapes = (
        tensor_shapes(sizes, tied=tied)
        if isinstance(sizes, Config)
        else {name: array.shape for name, array in stored(sizes.weights).items()}
    )
    counts = dict.fromkeys(("FFN", "attention", "embedding table", "norms"), 0)
    for name, shape in shapes.items():
        part = next(part for key, part in PARTS.items() if key in name)
        counts[part] = counts.get(part, 0) + math.prod(shape)
    return counts


def n_parameters(sizes: Model | Config, *, tied: bool = True) -> int:
    """Count all learned numbers; see `parameters`."""
    return sum(parameters(sizes, tied=tied).values())
