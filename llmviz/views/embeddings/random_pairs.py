"""The baseline: cosines of tokens that have nothing to do with each other."""

from __future__ import annotations

import functools

import numpy as np

from llmviz import embeddings
from llmviz.model import Model

# Ids are in the order in which BPE learned the tokens, so the first ones are the frequent ones.
N_FREQUENT = 5_000
N_PAIRS = 5_000


@functools.lru_cache(maxsize=4)
def baseline(model: Model, frequent: bool) -> np.ndarray:
    """Cosines of random pairs, of all tokens or of the frequent ones; measured once a model."""
    among = frequent_tokens(model) if frequent else None
    return embeddings.random_pair_cosines(model.weights.W_E, n_pairs=N_PAIRS, among=among)


def usual(model: Model) -> list[float]:
    """Mean and standard deviation of the cosines of random pairs of all tokens."""
    cosines = baseline(model, False)
    return [float(cosines.mean()), float(cosines.std())]


def frequent_tokens(model: Model) -> np.ndarray:
    """The ids of the first `N_FREQUENT` tokens that BPE learned, without control tokens."""
    ids = np.arange(min(N_FREQUENT, model.config.n_vocab))
    return np.setdiff1d(ids, list(model.tokenizer.special_tokens.values()))
