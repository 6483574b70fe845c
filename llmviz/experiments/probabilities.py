"""Measure how likely each token was, and how far apart two predictions are."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import ops, sampling
from llmviz.edits import Edits, index_of
from llmviz.experiments.lens import AT_ONCE
from llmviz.model import Model, Trace

# What can happen to the likeliest token.
OUTCOMES = (
    "It stays the likeliest and keeps at least half of its probability",
    "It stays the likeliest but loses more than half of its probability",
    "Another token becomes the likeliest",
    "The numbers grow too large to compute with, so there is no next token",
)


def probability(trace: Trace, token: int) -> float:
    """Return the probability of a token as the next one. ValueError if there is no such token."""
    index_of("token", token, len(trace.logits), negative=False)
    return float(ops.softmax(trace.logits)[token])


def option_probs(model: Model, text: str, options: Sequence[str]) -> Float[np.ndarray, " n_options"]:
    """Return the probability of each option as the next token after a text, as a fraction of all options' probability.

    ValueError for an option that is not one token.
    """
    tokens = [model.tokenizer.encode(option) for option in options]
    for option, ids in zip(options, tokens):
        if len(ids) != 1:
            raise ValueError(f"an option must be one token; {option!r} is {len(ids)}")
    return ops.softmax(model.trace(text).logits[[token for (token,) in tokens]])


def log_odds(trace: Trace, token: int, against: int) -> float:
    """Return log2 of how many times as likely one token is as another to come next: 1 bit is twice as likely."""
    for checked in (token, against):
        index_of("token", checked, len(trace.logits), negative=False)
    return float(trace.logits[token] - trace.logits[against]) * sampling.BITS_PER_NAT


def token_logprobs(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """Return ln of the probability of each token after the first, given those before it; or of the last few.

    In float64, and finite for any token. ValueError if `last` is negative.
    """
    if last is not None and last < 0:
        raise ValueError(f"last must be 0 or more, got {last}")
    n = len(trace.tokens) - 1 if last is None else min(last, len(trace.tokens) - 1)
    x, logprobs = trace.blocks[-1].resid_post[-n - 1 : -1], np.empty(n)
    for start in range(0, n, AT_ONCE):  # all logits of a long text at once would fill the memory
        logits = trace.model.unembed(x[start : start + AT_ONCE], trace.edits)
        tokens = trace.tokens[len(trace.tokens) - n + start :][: len(logits)]
        logprobs[start : start + AT_ONCE] = sampling.log_probs(logits, tokens)
    return logprobs


def token_surprise(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """Return the surprise of each token after the first, in bits: −log2 of its probability given those before it."""
    return -token_logprobs(trace, last=last) * sampling.BITS_PER_NAT


def extra_surprise(trace: Trace, edits: Edits) -> Float[np.ndarray, " n"]:
    """Return how much more surprising each token of a text but the first is with these edits, in bits."""
    return token_surprise(trace.model.trace(trace.tokens, edits)) - token_surprise(trace)


def mean_surprise(trace: Trace, *, last: int | None = None) -> float:
    """Return the mean surprise at all tokens but the first, or at the last few, in bits per token."""
    return float(token_surprise(trace, last=last).mean())


def surprise_in_window(model: Model, tokens: Sequence[int], n_before: int) -> Float[np.ndarray, " n"]:
    """Measure the surprise of each token but the first, in bits, given only the `n_before` tokens before it."""
    windows = (tokens[max(0, end - n_before - 1) : end] for end in range(2, len(tokens) + 1))
    return np.array([token_surprise(model.trace(window), last=1)[0] for window in windows])


def surprise_in_parts(model: Model, tokens: Sequence[int]) -> Float[np.ndarray, " n"]:
    """Measure the surprise of a text's tokens, in bits, read in parts of as many tokens as the model reads at once.

    Nothing precedes the first token of a part, so it is left out.
    """
    length = model.config.n_ctx
    parts = (tokens[i : i + length] for i in range(0, len(tokens) - 1, length))
    return np.concatenate([token_surprise(model.trace(part)) for part in parts])


def token_probs(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """Return the probability of each token after the first, given those before it; or of the last few."""
    return np.exp(token_logprobs(trace, last=last))


def total_variation(before: Float[np.ndarray, " n_vocab"], after: Float[np.ndarray, " n_vocab"]) -> float:
    """Return how much of the probability went to other tokens, 0 to 1 (total variation distance)."""
    return float(np.abs(before - after).sum() / 2)


def probability_moved(model: Model, text: str | Sequence[int], edits: Edits) -> float:
    """Measure what share of the next token's probability edits move to other tokens, 0 to 1 (`total_variation`)."""
    before, after = (ops.softmax(model.trace(text, edit).logits) for edit in (None, edits))
    return total_variation(before, after)


def moved_by_order(model: Model, text: str, *, step: tuple, other: tuple) -> float:
    """Measure how much probability moves if two steps of `sampling.chain` change places, in %."""
    logits, orders = model.trace(text).logits, ((step, other), (other, step))
    return 100 * total_variation(*(sampling.chain(logits, order)[-1].probs for order in orders))


def likeliest_after(trace: Trace, edits: Edits) -> tuple[int, float] | None:
    """Run a text again with edits. Return its likeliest token, and the new probability of the likeliest token before.

    None if the numbers overflow, so that there is no next token.
    """
    try:
        probs = ops.softmax(trace.model.trace(trace.tokens, edits).logits)
    except FloatingPointError:
        return None
    return int(probs.argmax()), float(probs[trace.logits.argmax()])


def outcome(trace: Trace, edits: Edits) -> int:
    """Say what happens to the likeliest token with these edits, as an index of `OUTCOMES`."""
    after = likeliest_after(trace, edits)
    if after is None:
        return 3
    first, p = after
    if first != int(trace.logits.argmax()):
        return 2
    return 0 if p >= ops.softmax(trace.logits).max() / 2 else 1


def likeliest_changes(model: Model, text: str | Sequence[int], edits: Edits) -> bool:
    """Say whether, with these edits, another token is the likeliest to come next, or none as the numbers overflow."""
    trace = model.trace(text)
    after = likeliest_after(trace, edits)
    return after is None or after[0] != int(trace.logits.argmax())
