"""Measure the embedding table: what rows share, which words are near, what sums of rows and flat maps of them give."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import embeddings
from llmviz.experiments.words import pairs_of, whole_words, word_ids
from llmviz.model import Model
from llmviz.reuse import kept_with

N_NEAREST = 3  # how many neighbours of each word are compared, on a flat map and in the table
N_MAPS = 5  # of random words


@kept_with()
def rows(model: Model, centred: bool) -> Float[np.ndarray, "n_vocab d_model"]:
    """Return the table, unchanged or minus its average row: a second table in memory, once somebody asks for it."""
    return model.weights.W_E - model.weights.W_E.mean(axis=0) if centred else model.weights.W_E


@kept_with()
def random_pairs(model: Model, centred: bool) -> Float[np.ndarray, " n_pairs"]:
    """Measure the cosines of random pairs of all tokens; once a table."""
    return embeddings.random_pair_cosines(rows(model, centred))


@kept_with()
def along_average(model: Model) -> Float[np.ndarray, " n_vocab"]:
    """Measure every row's cosine with the average row."""
    return embeddings.cosine_to_all(model.weights.W_E.mean(axis=0), model.weights.W_E)


def order_correlation(model: Model) -> float:
    """Measure how far the order of the ids is that of the cosines with the average row (rank correlation, −1 to 1)."""
    ranks = along_average(model).argsort().argsort()
    return float(np.corrcoef(np.arange(len(ranks)), ranks)[0, 1])


def pairings(
    W_E: Float[np.ndarray, "n_vocab d_model"], pairs: Sequence[tuple[int, int]]
) -> Float[np.ndarray, "3 n n"]:
    """Measure how near the first word of pair i and the second word of pair j are, in three ways.

    By the cosine; by the share of all other tokens that are farther from the first word; and from the second.
    """
    sides = np.array(pairs).T
    cosines = [np.stack([embeddings.cosine_to_all(W_E[token], W_E) for token in side]) for side in sides]
    alike = [all_tokens[:, side] for all_tokens, side in zip(cosines, sides[::-1])]
    shares = [
        np.stack([(row < own[:, None]).sum(axis=1) / (len(W_E) - 1) for row, own in zip(all_tokens, values)])
        for all_tokens, values in zip(cosines, alike)
    ]
    return np.stack([alike[0], shares[0], shares[1].T])


def n_distinguished(nearness: Float[np.ndarray, "n n"]) -> int:
    """Count the pairs that are nearer than 95% of the wrong pairings, in one way of `pairings`."""
    wrong = nearness[~np.eye(len(nearness), dtype=bool)]
    return int((nearness.diagonal() > np.percentile(wrong, 95)).sum())


def near_from_one_end(nearness: Float[np.ndarray, "3 n n"]) -> int:
    """Count, by `pairings`, the pairs that are nearer than 99% of all tokens from one end, and not even than 90% from
    the other."""
    ends = nearness[1:].diagonal(axis1=1, axis2=2)
    return int(((ends.max(axis=0) > 0.99) & (ends.min(axis=0) < 0.9)).sum())


def rank(model: Model, pair: str) -> int:
    """Rank the second word of a pair such as "hot cold" among all tokens by its cosine with the first."""
    a, b = model.tokens_of(f" {pair}")
    cosines = embeddings.cosine_to_all(model.weights.W_E[a], model.weights.W_E)
    return int((cosines > cosines[b]).sum())


def have_early_neighbours(
    model: Model, ids: tuple[int, int], *, centred: bool, before: int = 1_000, n_words: int = 100
) -> int:
    """Count, of random words with ids in a range, those whose twelve nearest other words have an id below `before`.

    Such tokens were learned early, so they are frequent.
    """
    W_E, spelled, count = rows(model, centred), word_ids(model), 0
    pool = [token for token in whole_words(model) if token in range(*ids)]
    for token in np.random.default_rng(0).choice(pool, n_words, replace=False):
        spellings = np.flatnonzero(spelled == spelled[token]).tolist()
        count += min(embeddings.nearest(W_E[token], W_E, n=12, exclude=spellings).tokens) < before
    return count


def nearest_on_the_walk(model: Model, a: int, b: int, *, steps: int = 41) -> list[int]:
    """Return the tokens that are ever nearest on a straight line between two rows, but for spellings of the two."""
    W_E, spelled = model.weights.W_E, word_ids(model)
    walk = embeddings.walk(W_E[a], W_E[b], W_E)
    met = dict.fromkeys(int(walk.cosines(part).argmax()) for part in np.linspace(0, 1, steps))
    return [token for token in met if spelled[token] not in spelled[[a, b]]]


def analogy_score(
    model: Model, pairs: Sequence[tuple[int, int]], *, centred: bool
) -> embeddings.AnalogyScore:
    """Count how often a − b + c comes out right for pairs of words, beside its controls."""
    return embeddings.score_analogies(pairs, rows(model, centred), word_ids(model))


def won_by_subtracting(model: Model, listed: str, *, centred: bool) -> float:
    """Measure for how many more questions a − b + c is right than the better one of a + c and c alone, in %."""
    score = analogy_score(model, pairs_of(listed, model.tokenizer), centred=centred)
    return 100 * (score.right - max(score.added, score.c_alone)) / score.asked


def sum_is_best(model: Model, listed: str) -> bool:
    """Say whether a − b + c is right for more than half of the questions, and more often than its controls."""
    score = analogy_score(model, pairs_of(listed, model.tokenizer), centred=False)
    return score.right > max(score.asked / 2, score.added, score.c_alone)


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
