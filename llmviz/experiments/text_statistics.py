"""Measure how much a text surprises a model, with baselines that only count, and how far texts repeat themselves."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.lib.stride_tricks import sliding_window_view

from llmviz.experiments.probabilities import surprise_in_parts, token_surprise
from llmviz.model import Model

REPEATED = 25  # characters in a row that the training text has word for word
READ_AGAIN = 12_000  # characters of the held-out text
COUNTED = {"counting pairs": 2, "counting runs of five": 5}  # the tokens in the runs that a baseline counts
DISCOUNT = 0.75  # taken from each count, for tokens that never came next


def surprise_of(model: Model, tokens: Sequence[int]) -> tuple[Float[np.ndarray, " n"], float]:
    """Return the surprise of each token but the first in bits, and the sum in bits a byte, to compare vocabularies."""
    bits = token_surprise(model.trace(tokens))
    n_bytes = len(model.tokenizer.decode(tokens[1:]).encode())
    return bits, float(bits.sum()) / max(1, n_bytes)


def longest_copy(written: str, text: str) -> str:
    """Return the longest stretch of `written` that `text` has word for word."""
    best = ""
    for i in range(len(written)):
        while i + len(best) < len(written) and written[i : i + len(best) + 1] in text:
            best = written[i : i + len(best) + 1]
    return best


def pairs_in(tokens: Int[np.ndarray, " n"], n_vocab: int) -> Float[np.ndarray, "n_vocab n_vocab"]:
    """Count how often each token is followed by each other token."""
    pairs = np.zeros((n_vocab, n_vocab))
    np.add.at(pairs, (tokens[:-1], tokens[1:]), 1)
    return pairs


def counting(model: Model, learned: str, held_out: str, n: int) -> Float[np.ndarray, " n"]:
    """Measure a baseline: the surprise of a model that only counts runs of up to n tokens, in bits.

    It is for each token of the held-out text but the first. Pairs (n = 2) say which token follows which. Where a run is
    rare, shorter ones count more: interpolated Kneser-Ney (Chen & Goodman 1999, section 2.7), with one discount.
    Both texts have n tokens at least.
    """
    a, b = (np.array(model.tokenizer.encode(text)) for text in (learned, held_out))
    n_vocab = model.config.n_vocab
    probs = np.full(len(b), 1 / n_vocab)
    for length in range(1, n + 1):
        runs = runs_of(a, n_vocab, length)
        if length < n:  # these count as often as another token comes before them
            runs = np.unique(runs_of(a, n_vocab, length + 1)) % n_vocab**length
        known, counts = np.unique(runs, return_counts=True)
        contexts, of_context = np.unique(known // n_vocab, return_inverse=True)
        totals, n_kinds = (np.bincount(of_context, weights) for weights in (counts, None))
        wanted = runs_of(b, n_vocab, length)
        counted = looked_up(wanted, known, counts)
        total, kinds = (looked_up(wanted // n_vocab, contexts, values) for values in (totals, n_kinds))
        shorter = probs[length - 1 :]  # the first tokens have fewer before them
        longer = (np.maximum(counted - DISCOUNT, 0) + DISCOUNT * kinds * shorter) / np.maximum(total, 1)
        probs[length - 1 :] = np.where(total > 0, longer, shorter)
    return -np.log2(probs[1:])


def runs_of(tokens: Int[np.ndarray, " n"], n_vocab: int, length: int) -> Int[np.ndarray, " runs"]:
    """Return each run of so many tokens as one number, whose digits to the base n_vocab are the tokens."""
    return sliding_window_view(tokens, length) @ n_vocab ** np.arange(length)[::-1]


def looked_up(sought: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the value of each key that is sought, 0 where there is none. keys: in order."""
    at = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    return np.where(keys[at] == sought, values[at], 0)


def copied_characters(text: str, learned: str, n: int = REPEATED) -> Bool[np.ndarray, " n_characters"]:
    """Mark the characters of a text in stretches of n or more that `learned` has word for word."""
    stretches = [text[i : i + n] for i in range(len(text) - n + 1)]
    wanted = set(stretches)
    known = {stretch for i in range(len(learned) - n + 1) if (stretch := learned[i : i + n]) in wanted}
    marked = np.zeros(len(text), bool)
    for i, stretch in enumerate(stretches):
        if stretch in known:
            marked[i : i + n] = True
    return marked


def split_by_repeats(model: Model, learned: str, held_out: str) -> tuple[float, Float[np.ndarray, "3 2"]]:
    """Measure the held-out text where it repeats the text learned from, and elsewhere.

    Return the share of its tokens that are `copied_characters`; and the surprise there and elsewhere (columns), of the
    model and of `counting` pairs and runs of five (rows), in bits a token: NaN where there is none.
    """
    text, length = held_out[:READ_AGAIN], model.config.n_ctx
    tokens = model.tokenizer.encode(text)
    # in bytes, since a token may be a part of a character
    marked = np.repeat(copied_characters(text, learned), [len(character.encode()) for character in text])
    ends = np.cumsum(model.tokenizer.sizes(tokens))
    inside = np.logical_and.reduceat(marked, [0, *ends[:-1]])
    at = np.arange(1, len(tokens))
    predicted = at[at % length > 0]  # nothing precedes the first token of what the model reads at once
    bits = surprise_in_parts(model, tokens)
    counted = [counting(model, learned, text, n)[predicted - 1] for n in COUNTED.values()]
    places = inside[predicted], ~inside[predicted]
    means = [
        [values[place].mean() if place.any() else np.nan for place in places] for values in (bits, *counted)
    ]
    return float(places[0].mean()), np.array(means)
