"""Stage 3, position: how the model knows the order of the words.

RoPE (Su et al. 2021, "RoFormer") is what this model uses. Each query and key is read as pairs of numbers, and
pair i of the vector at position p is rotated, like a clock hand, by the angle

    angle(p, i) = p / base^(2i / d_head)            fast hands first, slow hands last

    (a, b)  ->  (a cos - b sin,  a sin + b cos)

A dot product of two rotated vectors depends only on the *difference* of their angles, so a score depends only on
how far apart two tokens are. The sinusoidal encoding (Vaswani et al. 2017) is here for comparison: it *adds* the
sines and cosines of the same angles to the embedding.
"""

import numpy as np
from jaxtyping import Complex, Float, Real

from llmviz.ops import tells_shapes


def rotation_angles(
    positions: Real[np.ndarray, " seq"], d_head: int, *, base: float
) -> Float[np.ndarray, "seq n_pairs"]:
    """Return the angle in radians of every pair's clock hand at every position (float64: angles grow to thousands).

    ValueError for an odd d_head.
    """
    if d_head % 2:
        raise ValueError(f"RoPE turns pairs of numbers, so d_head must be even; got {d_head}")
    frequencies = base ** (-np.arange(0, d_head, 2) / d_head)  # radians a position
    return np.asarray(positions, np.float64)[:, None] * frequencies


@tells_shapes
def rotate(
    x: Float[np.ndarray, "*heads seq d_head"], angles: Float[np.ndarray, "seq n_pairs"]
) -> Float[np.ndarray, "*heads seq d_head"]:
    """Rotate each pair of x by its angle (RoPE).

    Neighbours form a pair, (0,1), (2,3)…, as in the paper and in GGUF files of the architecture llama.
    """
    return rotate_by(x, rotations(angles, x.dtype))


def rotations(
    angles: Float[np.ndarray, "seq n_pairs"], dtype: np.dtype | type
) -> Complex[np.ndarray, "seq n_pairs"]:
    """Return cos + i sin of each angle, in the precision of dtype. They are the same for all heads and layers."""
    return np.asfortranarray(np.exp(1j * angles), np.result_type(dtype, np.complex64))


@tells_shapes
def rotate_by(
    x: Float[np.ndarray, "*heads seq d_head"], rotations: Complex[np.ndarray, "seq n_pairs"]
) -> Float[np.ndarray, "*heads seq d_head"]:
    """Rotate each pair of x, given the rotations of its angles.

    (a + ib)(cos + i sin) = (a cos - b sin) + i (a sin + b cos): rotating a pair is multiplying complex numbers.
    """
    pairs = np.empty_like(x[..., 0::2], rotations.dtype)
    pairs.real, pairs.imag = x[..., 0::2], x[..., 1::2]
    pairs *= rotations
    turned = np.empty_like(x)
    turned[..., 0::2], turned[..., 1::2] = pairs.real, pairs.imag
    return turned


def rotate_backward(
    d_turned: Float[np.ndarray, "*heads seq d_head"], angles: Float[np.ndarray, "seq n_pairs"]
) -> Float[np.ndarray, "*heads seq d_head"]:
    """Rotate back by the same angle: the transpose of a rotation is its inverse."""
    return rotate(d_turned, -angles)


def score_by_distance(
    q: Float[np.ndarray, " d_head"],
    k: Float[np.ndarray, " d_head"],
    distances: Real[np.ndarray, " n"],
    *,
    base: float,
) -> Float[np.ndarray, " n"]:
    """Return the score q·k/√d_head of a query that is `distance` tokens after the key; q and k before RoPE."""
    angles = rotation_angles(distances, len(q), base=base)
    turned = rotate(np.repeat(q[None], len(distances), axis=0), angles)
    return turned @ k / np.sqrt(len(q), dtype=q.dtype)


def sinusoidal_encoding(
    positions: Real[np.ndarray, " seq"], d_model: int, *, base: float = 10_000.0
) -> Float[np.ndarray, "seq d_model"]:
    """Return the pattern that the 2017 transformer adds to its embeddings: sine in even columns, cosine in odd ones."""
    angles = rotation_angles(positions, d_model, base=base)
    encoding = np.empty((len(angles), d_model), np.float32)
    encoding[:, 0::2] = np.sin(angles)
    encoding[:, 1::2] = np.cos(angles)
    return encoding


def pair_scores(
    q: Float[np.ndarray, " d_head"], k: Float[np.ndarray, " d_head"]
) -> Float[np.ndarray, " n_pairs"]:
    """Return what each pair of numbers (each clock hand) adds to the score q · k / √d_head."""
    return (q * k).reshape(-1, 2).sum(axis=1) / np.sqrt(len(q), dtype=q.dtype)
