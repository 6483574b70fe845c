"""Stage 2, embeddings: a token's id becomes a vector, and at the end a vector becomes a score for each token.

    embed(tokens)  = W_E[tokens]                 row number `token` of the table
    unembed(x)     = x · W_U                     one dot product with every column of W_U: the logits

    cosine(a, b)   = a · b / (|a| |b|)           1: same direction, 0: unrelated directions, -1: opposite

The meaning in the rows comes from training, which moved the rows of tokens with similar uses in similar
directions (for arithmetic on them, see Mikolov et al. 2013). In this model W_U is W_E transposed ("tied"), so both
ends use one table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

from llmviz.ops import soft_cap, tells_shapes, top


@tells_shapes
def embed(
    tokens: Sequence[int] | Int[np.ndarray, " seq"],
    W_E: Float[np.ndarray, "n_vocab d_model"],
    *,
    scale: float = 1.0,
) -> Float[np.ndarray, "seq d_model"]:
    """Look up the tokens' rows of the table. A token has the same row at every position.

    scale: what the rows are multiplied by. Where one table serves both ends, they may be too short for the stream.
    """
    rows = W_E[np.asarray(tokens, dtype=np.int64)]
    return rows if scale == 1 else rows * rows.dtype.type(scale)


def embed_gradient(
    d_rows: Float[np.ndarray, "seq d_model"], tokens: Sequence[int] | Int[np.ndarray, " seq"], n_vocab: int
) -> Float[np.ndarray, "n_vocab d_model"]:
    """Return d_W_E: for each token, the sum of d_rows over its positions; zero for a token that is not in the text."""
    tokens = np.asarray(tokens, np.int64)
    order = np.argsort(tokens, kind="stable")
    used, starts = np.unique(tokens[order], return_index=True)
    d_W_E = np.zeros((n_vocab, d_rows.shape[1]), d_rows.dtype)
    d_W_E[used] = np.add.reduceat(d_rows[order], starts)
    return d_W_E


@tells_shapes
def unembed(
    x: Float[np.ndarray, "seq d_model"],
    W_U: Float[np.ndarray, "d_model n_vocab"],
    *,
    cap: float | None = None,
) -> Float[np.ndarray, "seq n_vocab"]:
    """Return the logits: how well each (normed) vector fits each token of the vocabulary.

    cap: in some families, no logit becomes larger than this (`ops.soft_cap`).
    """
    logits = x @ W_U
    return logits if cap is None else soft_cap(logits, cap)


def unembed_backward(
    d_logits: Float[np.ndarray, "seq n_vocab"], W_U: Float[np.ndarray, "d_model n_vocab"]
) -> Float[np.ndarray, "seq d_model"]:
    """Return d_x = d_logits W_Uᵀ: towards the columns of the tokens that should score more, away from the others."""
    return d_logits @ W_U.T


def cosine_similarity(
    a: Float[np.ndarray, "*rows d_model"], b: Float[np.ndarray, "*rows d_model"]
) -> Float[np.ndarray, "*rows"] | np.floating:
    """Return the cosine of the angle between a and b, row by row. A vector of length zero has no direction: NaN."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(axis=-1) / lengths


def cosine_to_all(
    vector: Float[np.ndarray, " d_model"], W_E: Float[np.ndarray, "n_vocab d_model"]
) -> Float[np.ndarray, " n_vocab"]:
    """Return the cosine of one vector with every row of the table; 0 for rows or a vector of length zero."""
    lengths = np.sqrt(np.einsum("vd,vd->v", W_E, W_E)) * np.linalg.norm(vector)
    return np.divide(W_E @ vector, lengths, out=np.zeros(len(W_E), W_E.dtype), where=lengths > 0)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest tokens, in order of their cosine."""

    tokens: list[int]
    cosines: Float[np.ndarray, " n"]


def nearest(
    vector: Float[np.ndarray, " d_model"],
    W_E: Float[np.ndarray, "n_vocab d_model"],
    *,
    n: int = 10,
    exclude: Sequence[int] = (),
) -> Neighbours:
    """Return the n tokens whose rows have the largest cosine with the vector, without the tokens in `exclude`.

    ValueError unless n is from 1 to the number of tokens that are left.
    """
    return largest(cosine_to_all(vector, W_E), n=n, exclude=exclude)


def largest(
    cosines: Float[np.ndarray, " n_vocab"], *, n: int = 10, exclude: Sequence[int] = ()
) -> Neighbours:
    """Return the n tokens with the largest cosines, leaving out those in `exclude`; ValueError as for `nearest`."""
    if not 1 <= n <= len(cosines) - len(set(exclude)):
        raise ValueError(f"n must be from 1 to {len(cosines) - len(set(exclude))}, got {n}")
    cosines = cosines.copy()
    cosines[list(exclude)] = -np.inf
    tokens = top(cosines, n)
    return Neighbours(tokens.tolist(), cosines[tokens])


def analogy(
    a: int, b: int, c: int, W_E: Float[np.ndarray, "n_vocab d_model"]
) -> Float[np.ndarray, " d_model"]:
    """Return the vector of "a is to b as … is to c": W_E[a] - W_E[b] + W_E[c], so king, man, woman asks for queen."""
    return W_E[a] - W_E[b] + W_E[c]


@dataclass(frozen=True)
class AnalogyScore:
    """For how many questions the wanted word is nearest. Other spellings of a word count as that word.

    The words of the question are left out, except in `untouched`.
    """

    asked: int
    right: int  # nearest to a - b + c
    untouched: int  # nearest to a - b + c, with nothing left out
    wrong: float  # nearest to a - d + c, where d is another pair's b, averaged over those: a control
    random: float  # the same, where d is one of some random words: a control
    added: int  # nearest to a + c: a control, nothing subtracted
    c_alone: int  # nearest to c: the last control


def score_analogies(
    pairs: Sequence[tuple[int, int]],
    W_E: Float[np.ndarray, "n_vocab d_model"],
    word_of: Int[np.ndarray, " n_vocab"],
    random: Sequence[int],
) -> AnalogyScore:
    """Let each pair (a, b) ask for the first word of each other pair (wanted, c): a - b + c.

    word_of: which word each token spells, so that " Rome", "Rome" and " ROME" are one; random: tokens of words that
    are in no pair.
    """
    n = len(pairs)
    if n < 2:
        return AnalogyScore(0, 0, 0, 0.0, 0.0, 0, 0)
    # A dot product with a sum is the sum of the dot products, so those of the words themselves give all.
    lengths = np.maximum(np.sqrt(np.einsum("vd,vd->v", W_E, W_E)), 1e-12)
    sides = (*zip(*pairs), random)
    firsts, seconds, others = (
        W_E[[*side]] @ W_E.T / lengths for side in sides
    )  # in the order of the cosines
    counts = np.zeros(6)
    for i, j in permutations(range(n), 2):
        (a, b), (wanted, c) = pairs[i], pairs[j]
        added, alone = firsts[i] + seconds[j], seconds[j].copy()
        untouched = (added - seconds[i]).argmax()
        left_out = np.isin(word_of, word_of[[a, b, c]])
        added[left_out] = alone[left_out] = -np.inf
        subtracted = [(added - row).argmax() for row in (*seconds, *others)]
        hits = word_of[[untouched, added.argmax(), alone.argmax(), *subtracted]] == word_of[wanted]
        wrong = np.delete(hits[3 : 3 + n], [i, j]).mean() if n > 2 else 0.0
        counts += hits[3 + i], hits[0], wrong, hits[3 + n :].mean(), *hits[1:3]
    right, untouched, wrong, at_random, added, alone = counts.tolist()
    return AnalogyScore(
        n * (n - 1), round(right), round(untouched), wrong, at_random, round(added), round(alone)
    )


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane through zero and two vectors, and their coordinates in it. The first vector is along the first axis."""

    axes: Float[np.ndarray, "2 d_model"]  # of length 1, at right angles
    places: Float[np.ndarray, "2 2"]  # lengths, angle and dot product are those of the vectors


def plane(a: Float[np.ndarray, " d_model"], b: Float[np.ndarray, " d_model"]) -> Plane:
    """Return the plane of a and b (Gram-Schmidt). If they are parallel, or one is zero, return any that holds them."""
    axes = np.zeros((2, len(a)), a.dtype)
    for i, vector in enumerate((a, b)):
        rest = vector.astype(np.float64) - axes.T @ (axes @ vector)
        length = np.linalg.norm(rest)
        axes[i] = rest / length if length > 1e-6 * np.linalg.norm(vector) else 0
    return Plane(axes, np.stack([a, b]) @ axes.T)


@dataclass(frozen=True, eq=False)
class Projection:
    """Vectors seen along the directions in which they differ most."""

    coordinates: Float[np.ndarray, "n_vectors n_components"]
    explained: Float[np.ndarray, " n_components"]  # share of the variance that each direction keeps, 0 to 1
    directions: Float[np.ndarray, "n_components d_model"]
    mean: Float[np.ndarray, " d_model"]


def pca(vectors: Float[np.ndarray, "n_vectors d_model"], *, n_components: int = 2) -> Projection:
    """Find the principal components (Pearson 1901): centre, then the leading right singular vectors.

    If there are fewer vectors than components, the missing directions are zeros and explain nothing. The sign of a
    direction is arbitrary; we make its largest entry positive. ValueError without vectors or components.
    """
    if n_components < 1:
        raise ValueError(f"n_components must be at least 1, got {n_components}")
    if not len(vectors):
        raise ValueError("there are no vectors to project")
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    directions[singular <= 1e-6 * singular[0]] = 0  # no spread, no direction
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    variance = singular**2
    total = variance.sum()
    explained = variance / total if total > 0 else np.zeros_like(variance)
    directions = np.pad(directions, ((0, n_components), (0, 0)))[:n_components]
    explained = np.pad(explained, (0, n_components))[:n_components]
    return Projection(centred @ directions.T, explained, directions, mean)


def aligned(projection: Projection, before: Float[np.ndarray, "n d_model"]) -> Projection:
    """Turn the map so that its directions match those of an earlier one (`before`) as far as possible.

    Only signs and the order of the directions change, so that a map does not flip for no reason.
    """
    alike, rows = before.astype(np.float64) @ projection.directions.T, np.arange(len(before))
    orders = map(list, permutations(range(len(projection.directions))))
    order = max(orders, key=lambda order: np.abs(alike[rows, order]).sum())
    signs = np.where(alike[rows, order] < 0, -1, 1).astype(projection.directions.dtype)
    return Projection(
        projection.coordinates[:, order] * signs,
        projection.explained[order],
        projection.directions[order] * signs[:, None],
        projection.mean,
    )


def random_pair_cosines(
    W_E: Float[np.ndarray, "n_vocab d_model"], *, n_pairs: int = 5_000, seed: int = 0
) -> Float[np.ndarray, " n_pairs"]:
    """Return the cosines of random pairs of two different tokens: the baseline for any one cosine."""
    rng, n_vocab = np.random.default_rng(seed), len(W_E)
    first = rng.integers(n_vocab, size=n_pairs)
    second = (first + rng.integers(1, n_vocab, size=n_pairs)) % n_vocab
    return np.asarray(cosine_similarity(W_E[first], W_E[second]))
