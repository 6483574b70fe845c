"""Measure the embedding table: what rows share, which words are near, what sums of rows and flat maps of them give."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from llmviz import embeddings
from llmviz.experiments.words import common_words, pairs_of, whole_words, word_ids
from llmviz.model import Model
from llmviz.reuse import kept_with

N_NEAREST = 3  # how many neighbours of each word are compared, on a flat map and in the table
N_MAPS = 5  # of random words
N_RANDOM = 12  # words that are subtracted in place of the right one


@kept_with()
def rows(model: Model, centred: bool) -> Float[np.ndarray, "n_vocab d_model"]:
    """Return the table, unchanged or minus its average row: a second table in memory, made when it is first needed."""
    return model.weights.W_E - model.weights.W_E.mean(axis=0) if centred else model.weights.W_E


@kept_with()
def random_pairs(model: Model, centred: bool) -> Float[np.ndarray, " n_pairs"]:
    """Measure the cosines of random pairs of tokens, once for each table."""
    return embeddings.random_pair_cosines(rows(model, centred))


def cosine(model: Model, pair: str) -> float:
    """Measure the cosine of a pair of words such as "hot cold"."""
    return float(
        embeddings.cosine_similarity(*embeddings.embed(model.tokenizer.encode(f" {pair}"), model.weights.W_E))
    )


def rank(model: Model, pair: str) -> int:
    """Rank the second word of a pair such as "hot cold" among all tokens by its cosine with the first."""
    a, b = model.tokenizer.encode(f" {pair}")
    cosines = embeddings.cosine_to_all(model.weights.W_E[a], model.weights.W_E)
    return int((cosines > cosines[b]).sum())


def early_neighbours(model: Model, word: str, *, centred: bool, before: int = 1_000) -> int:
    """Count, of the twelve other words nearest to a word, those with an id below `before`.

    Such tokens were learned early, so they are frequent.
    """
    W_E, spelled = rows(model, centred), word_ids(model)
    (token,) = model.tokenizer.encode(f" {word}")
    spellings = np.flatnonzero(spelled == spelled[token]).tolist()
    return sum(near < before for near in embeddings.nearest(W_E[token], W_E, n=12, exclude=spellings).tokens)


def analogy_score(
    model: Model, pairs: Sequence[tuple[int, int]], *, centred: bool
) -> embeddings.AnalogyScore:
    """Count how often a − b + c and its controls come out right for pairs of words."""
    word_of = word_ids(model)
    common = np.array(common_words(model) or range(model.config.n_vocab))
    others = common[~np.isin(word_of[common], word_of[[token for pair in pairs for token in pair]])]
    random = np.random.default_rng(0).choice(others, min(N_RANDOM, len(others)), replace=False).tolist()
    return embeddings.score_analogies(pairs, rows(model, centred), word_of, random)


def count_analogies(
    model: Model, families: Mapping[str, Sequence[tuple[int, int]]]
) -> Iterator[tuple[float, dict[str, embeddings.AnalogyScore]]]:
    """Count one family of pairs after the other; yield the share that is done, and the scores so far."""
    scores: dict[str, embeddings.AnalogyScore] = {}
    for name, pairs in families.items():
        scores = scores | {name: analogy_score(model, pairs, centred=False)}
        yield len(scores) / len(families), scores


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
    """Return the n points nearest to point i on the map."""
    distance = np.linalg.norm(coordinates - coordinates[i], axis=1)
    distance[i] = np.inf
    return np.argsort(distance, kind="stable")[:n].tolist()


def neighbours(
    directions: Float[np.ndarray, "n d_model"], coordinates: Float[np.ndarray, "n 2"], i: int
) -> tuple[list[int], list[int]]:
    """Return the indices of the words nearest to word i: by all numbers, and on the map."""
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
def random_map_quality(model: Model, n: int) -> tuple[float, float]:
    """Measure what a map of n random words keeps of the variance and of the neighbours, the mean of five maps."""
    whole, rng = whole_words(model) or model.config.n_vocab, np.random.default_rng(0)
    draws = [rng.choice(whole, n, replace=False).tolist() for _ in range(N_MAPS)]
    variance, share = np.mean([map_quality(tokens, model.weights.W_E) for tokens in draws], axis=0)
    return float(variance), float(share)
