"""What a small model's learning is held against: counting pairs, and how far texts repeat themselves."""

from __future__ import annotations

import numpy as np

from llmviz import experiments
from llmviz.model import Model

REPEATED = 25  # letters in a row that stand in the training text just so
READ_AGAIN = 12_000  # letters of the held-out text


def longest_copy(written: str, text: str) -> str:
    """The longest stretch of `written` that stands in `text` just so."""
    best = ""
    for i in range(len(written)):
        while i + len(best) < len(written) and written[i : i + len(best) + 1] in text:
            best = written[i : i + len(best) + 1]
    return best


def pairs_in(tokens: np.ndarray, n_vocab: int) -> np.ndarray:
    """[n_vocab, n_vocab]: how often each token is followed by each."""
    pairs = np.zeros((n_vocab, n_vocab))
    np.add.at(pairs, (tokens[:-1], tokens[1:]), 1)
    return pairs


def counting_pairs(model: Model, learned: str, held_out: str) -> np.ndarray:
    """The baseline: how much each token but the first of the held-out text surprises whoever has only counted which
    piece follows which, in bits. Rare pairs lean on how frequent the piece is by itself (MacKay & Peto 1995)."""
    a, b = (np.array(model.tokenizer.encode(text)) for text in (learned, held_out))
    pairs = pairs_in(a, model.config.n_vocab)
    single = (np.bincount(a, minlength=len(pairs)) + 1) / (len(a) + len(pairs))
    counted, before = pairs[b[:-1], b[1:]], pairs.sum(axis=1)[b[:-1]]
    return -np.log2((counted + 10 * single[b[1:]]) / (before + 10))


def repeated(text: str, learned: str, n: int = REPEATED) -> np.ndarray:
    """Which letters of a text lie in stretches of n letters or more that `learned` has word for word."""
    stretches = [text[i : i + n] for i in range(len(text) - n + 1)]
    wanted = set(stretches)
    known = {one for i in range(len(learned) - n + 1) if (one := learned[i : i + n]) in wanted}
    marked = np.zeros(len(text), bool)
    for i, stretch in enumerate(stretches):
        if stretch in known:
            marked[i : i + n] = True
    return marked


def split_by_repeats(model: Model, learned: str, held_out: str) -> tuple[float, np.ndarray]:
    """The share of the held-out text's tokens that lie in `repeated` stretches; and [2 readers, 2] the surprise there
    and elsewhere, of the model and of `counting_pairs`, in bits a token (NaN where there is none)."""
    text, length = held_out[:READ_AGAIN], model.config.n_ctx
    tokens = model.tokenizer.encode(text)
    # in bytes, since a token may be a part of a letter
    marked = np.repeat(repeated(text, learned), [len(letter.encode()) for letter in text])
    n_bytes = {token: len(piece) for piece, token in model.tokenizer.ranks.items()}
    ends = np.cumsum([n_bytes[token] for token in tokens])
    inside = np.logical_and.reduceat(marked, [0, *ends[:-1]])
    at = np.arange(1, len(tokens))
    guessed = at[at % length > 0]  # the first token of what the model reads at once has no guess before it
    starts = range(0, len(tokens) - 1, length)
    bits = np.concatenate([experiments.surprise(model.trace(tokens[i : i + length])) for i in starts])
    counted = counting_pairs(model, learned, text)[guessed - 1]
    places = inside[guessed], ~inside[guessed]
    found = [[one[place].mean() if place.any() else np.nan for place in places] for one in (bits, counted)]
    return float(places[0].mean()), np.array(found)
