"""Count the numbers of a model."""

import math

from llmviz.model import Model
from llmviz.weights import Config, stored, tensor_shapes

PARTS = {"ffn_": "FFN", "attn_": "attention", "token_embd": "embedding table", "output": "output table"}


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
        part = _part_of(name)
        counts[part] = counts.get(part, 0) + math.prod(shape)
    return counts


def n_parameters(sizes: Model | Config, *, tied: bool = True) -> int:
    """Count all learned numbers; see `parameters`."""
    return sum(parameters(sizes, tied=tied).values())


def _part_of(name: str) -> str:
    """Return the part that an array belongs to, by its name in a GGUF file."""
    if "norm" in name:
        return "norms"
    own = name.removeprefix("blk.").lstrip("0123456789.")
    return next(part for start, part in PARTS.items() if own.startswith(start))
