"""Stage 3, position: how the model knows the order of the words.

RoPE (Su et al. 2021, "RoFormer") is what this model uses. Each query and key is read as pairs of numbers, and
pair i of the vector at position p is rotated, like a clock hand, by the angle

    angle(p, i) = p / base^(2i / d_head)            fast hands first, slow hands last

    (a, b)  ->  (a cos - b sin,  a sin + b cos)

Which two numbers form a pair is a matter of the family: neighbours, (0,1), (2,3)…, as in the paper and in GGUF files of
the architecture llama, or a number of the first half with one of the second (`split_halves`: Qwen, Gemma).

A dot product of two rotated vectors depends only on the *difference* of their angles, so a score depends only on
how far apart two tokens are. The sinusoidal encoding (Vaswani et al. 2017) is here for comparison: it *adds* the
sines and cosines of the same angles to the embedding.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex, Float, Int, Real

from llmviz.ops import tells_shapes


def rotation_angles(
    positions: Real[np.ndarray, " seq"], d_head: int, *, base: float, factors: Sequence[float] = ()
) -> Float[np.ndarray, "seq n_pairs"]:
    """Return the angle in radians of every pair's clock hand at every position (float64: angles grow to thousands).

    factors: how much slower each hand turns than the formula says, as in models made for longer texts (Llama 3).
    ValueError for an odd d_head.
    """
    if d_head % 2:
        raise ValueError(f"RoPE turns pairs of numbers, so d_head must be even; got {d_head}")
    frequencies = base ** (-np.arange(0, d_head, 2) / d_head)  # radians a position
    if factors:
        frequencies /= np.asarray(factors)
    return np.asarray(positions, np.float64)[:, None] * frequencies


@tells_shapes
def rotate(
    x: Float[np.ndarray, "*heads seq d_head"],
    angles: Float[np.ndarray, "seq n_pairs"],
    *,
    split_halves: bool = False,
) -> Float[np.ndarray, "*heads seq d_head"]:
    """Rotate each pair of x by its angle (RoPE). Neighbours form a pair, or numbers of the two halves.

    Its backward pass is the rotation by the opposite angles: the transpose of a rotation is its inverse.
    """
    return rotate_by(x, rotations(angles, x.dtype), split_halves=split_halves)


def rotations(
    angles: Float[np.ndarray, "seq n_pairs"], dtype: np.dtype | type
) -> Complex[np.ndarray, "seq n_pairs"]:
    """Return cos + i sin of each angle, in the precision of dtype. They are the same for all heads and layers."""
    return np.asfortranarray(np.exp(1j * angles), np.result_type(dtype, np.complex64))


@tells_shapes
def rotate_by(
    x: Float[np.ndarray, "*heads seq d_head"],
    rotations: Complex[np.ndarray, "seq n_pairs"],
    *,
    split_halves: bool = False,
) -> Float[np.ndarray, "*heads seq d_head"]:
    """Rotate each pair of x, given the rotations of its angles.

    (a + ib)(cos + i sin) = (a cos - b sin) + i (a sin + b cos): rotating a pair is multiplying complex numbers.
    """
    half = x.shape[-1] // 2
    firsts, seconds = (
        (np.s_[..., :half], np.s_[..., half:]) if split_halves else (np.s_[..., 0::2], np.s_[..., 1::2])
    )
    pairs = np.empty_like(x[firsts], rotations.dtype)
    pairs.real, pairs.imag = x[firsts], x[seconds]
    pairs *= rotations
    turned = np.empty_like(x)
    turned[firsts], turned[seconds] = pairs.real, pairs.imag
    return turned


def sinusoidal_encoding(
    positions: Real[np.ndarray, " seq"], d_model: int, *, base: float = 10_000.0
) -> Float[np.ndarray, "seq d_model"]:
    """Return the pattern that the 2017 transformer adds to its embeddings: sine in even columns, cosine in odd ones."""
    angles = rotation_angles(positions, d_model, base=base)
    encoding = np.empty((len(angles), d_model), np.float32)
    encoding[:, 0::2] = np.sin(angles)
    encoding[:, 1::2] = np.cos(angles)
    return encoding


def learned_encoding(
    places: Int[np.ndarray, " seq"], W_pos: Float[np.ndarray, "n_ctx d_model"]
) -> Float[np.ndarray, "seq d_model"]:
    """Return the learned vectors that GPT-2 adds to its embeddings. The table ends where the training texts did."""
    return W_pos[places]


def as_pairs(
    x: Float[np.ndarray, "*heads d_head"], *, split_halves: bool = False
) -> Float[np.ndarray, "*heads n_pairs 2"]:
    """Return the pairs of numbers that RoPE turns, the clock hands."""
    if split_halves:
        return np.stack(np.split(x, 2, axis=-1), axis=-1)
    return x.reshape(*x.shape[:-1], -1, 2)


def pair_scores(
    q: Float[np.ndarray, " d_head"], k: Float[np.ndarray, " d_head"], *, split_halves: bool = False
) -> Float[np.ndarray, " n_pairs"]:
    """Return what each pair of numbers (each clock hand) adds to the score q · k / √d_head."""
    products = as_pairs(q * k, split_halves=split_halves)
    return products.sum(axis=1) / np.sqrt(len(q), dtype=q.dtype)
