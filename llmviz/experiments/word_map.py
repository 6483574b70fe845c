"""Measure what a flat map of words keeps of their neighbours."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import embeddings
from llmviz.experiments.table import rows
from llmviz.experiments.words import whole_words
from llmviz.model import Model
from llmviz.reuse import kept_with

N_NEAREST = 3  # how many neighbours of each word are compared
N_MAPS = 5  # of random words


def directions_of(
    tokens: Sequence[int], W_E: Float[np.ndarray, "n_vocab d_model"]
) -> Float[np.ndarray, "n d_model"]:
    """Return the tokens' rows, each scaled to length 1."""
    own = embeddings.embed(tokens, W_E)
    return own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)


def nearest_on_map(coordinates: Float[np.ndarray, "n 2"], i: int, n: int) -> list[int]:
    """Return the n points nearest to point i, by the distance that the eye sees."""
    distance = np.linalg.norm(coordinates - coordinates[i], axis=1)
    distance[i] = np.inf
    return np.argsort(distance, kind="stable")[:n].tolist()


def neighbours(
    directions: Float[np.ndarray, "n d_model"], coordinates: Float[np.ndarray, "n 2"], i: int
) -> tuple[list[int], list[int]]:
    """Return the words nearest to word i, as places in the list: by all numbers, and on the map."""
    n = min(N_NEAREST, len(directions) - 1)
    nearest = embeddings.nearest(directions[i], directions, n=n, exclude=[i])
    return nearest.tokens, nearest_on_map(coordinates, i, n)


def share_kept(directions: Float[np.ndarray, "n d_model"], coordinates: Float[np.ndarray, "n 2"]) -> float:
    """Measure the share of the words' nearest neighbours that are still the nearest on the map."""
    pairs = [neighbours(directions, coordinates, i) for i in range(len(directions))]
    return float(np.mean([len(set(true) & set(seen)) / len(seen) for true, seen in pairs]))


def map_quality(tokens: Sequence[int], W_E: Float[np.ndarray, "n_vocab d_model"]) -> tuple[float, float]:
    """Measure what a map of some words keeps of the variance and of the neighbours, both 0 to 1."""
    directions = directions_of(tokens, W_E)
    projection = embeddings.pca(directions)
    return float(projection.explained.sum()), share_kept(directions, projection.coordinates)


@kept_with()
def random_map_quality(model: Model, n: int, centred: bool) -> tuple[float, float]:
    """Measure what a map of n random words keeps of the variance and of the neighbours, the mean of five maps."""
    whole, rng = whole_words(model) or model.config.n_vocab, np.random.default_rng(0)
    draws = [rng.choice(whole, n, replace=False).tolist() for _ in range(N_MAPS)]
    variance, share = np.mean([map_quality(tokens, rows(model, centred)) for tokens in draws], axis=0)
    return float(variance), float(share)
