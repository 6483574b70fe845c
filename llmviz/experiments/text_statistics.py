"""Measure how much a text surprises a model, with a baseline that counts pairs, and how far texts repeat themselves."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from llmviz.experiments.probabilities import token_surprise
from llmviz.model import Model

REPEATED = 25  # characters in a row that the training text has word for word
READ_AGAIN = 12_000  # characters of the held-out text


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


def counting_pairs(model: Model, learned: str, held_out: str) -> Float[np.ndarray, " n"]:
    """Measure the baseline: the surprise of a model that only counts which token follows which, in bits.

    It is for each token of the held-out text but the first. For rare pairs, the frequency of the token itself counts
    more (MacKay & Peto 1995).
    """
    a, b = (np.array(model.tokenizer.encode(text)) for text in (learned, held_out))
    pairs = pairs_in(a, model.config.n_vocab)
    single = (np.bincount(a, minlength=len(pairs)) + 1) / (len(a) + len(pairs))
    counted, before = pairs[b[:-1], b[1:]], pairs.sum(axis=1)[b[:-1]]
    return -np.log2((counted + 10 * single[b[1:]]) / (before + 10))


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


def split_by_repeats(model: Model, learned: str, held_out: str) -> tuple[float, Float[np.ndarray, "2 2"]]:
    """Measure the held-out text where it repeats the text learned from, and elsewhere.

    Return the share of its tokens that are `copied_characters`; and the surprise there and elsewhere (columns), of the
    model and of `counting_pairs` (rows), in bits a token: NaN where there is none.
    """
    text, length = held_out[:READ_AGAIN], model.config.n_ctx
    tokens = model.tokenizer.encode(text)
    # in bytes, since a token may be a part of a character
    marked = np.repeat(copied_characters(text, learned), [len(character.encode()) for character in text])
    n_bytes = {token: len(piece) for piece, token in model.tokenizer.ranks.items()}
    ends = np.cumsum([n_bytes[token] for token in tokens])
    inside = np.logical_and.reduceat(marked, [0, *ends[:-1]])
    at = np.arange(1, len(tokens))
    predicted = at[at % length > 0]  # nothing precedes the first token of what the model reads at once
    starts = range(0, len(tokens) - 1, length)
    bits = np.concatenate([token_surprise(model.trace(tokens[i : i + length])) for i in starts])
    counted = counting_pairs(model, learned, text)[predicted - 1]
    places = inside[predicted], ~inside[predicted]
    means = [
        [values[place].mean() if place.any() else np.nan for place in places] for values in (bits, counted)
    ]
    return float(places[0].mean()), np.array(means)
