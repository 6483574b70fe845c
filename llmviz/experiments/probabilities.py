"""Measure how likely each token was, and how far two guesses are apart."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import ops, sampling
from llmviz.edits import index_of
from llmviz.experiments.lens import AT_ONCE
from llmviz.model import Model, Trace


def probability(trace: Trace, token: int) -> float:
    """The probability of a token as the next one. ValueError if there is no such token."""
    index_of("token", token, len(trace.logits), negative=False)
    return float(ops.softmax(trace.logits)[token])


def option_probs(model: Model, text: str, options: Sequence[str]) -> Float[np.ndarray, " n_options"]:
    """The probability of each option as the next token after a text, shared out among the options alone.

    ValueError for an option that is not one token.
    """
    tokens = [model.tokenizer.encode(option) for option in options]
    for option, found in zip(options, tokens):
        if len(found) != 1:
            raise ValueError(f"an option must be one token; {option!r} is {len(found)}")
    return ops.softmax(model.trace(text).logits[[token for (token,) in tokens]])


def token_logprobs(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """ln of the probability that each token of the text but the first had, given those before it; or of the last few.

    In float64, and finite however unlikely a token was. ValueError if `last` is negative.
    """
    if last is not None and last < 0:
        raise ValueError(f"last must be 0 or more, got {last}")
    n = len(trace.tokens) - 1 if last is None else min(last, len(trace.tokens) - 1)
    x, found = trace.blocks[-1].resid_post[-n - 1 : -1], np.empty(n)
    for start in range(0, n, AT_ONCE):  # all logits of a long text at once would fill the memory
        logits = trace.model.unembed(x[start : start + AT_ONCE], trace.edits)
        tokens = trace.tokens[len(trace.tokens) - n + start :][: len(logits)]
        found[start : start + AT_ONCE] = sampling.log_probs(logits, tokens)
    return found


def surprise(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """How surprising each token was after those before it, in bits: −log2 of its probability."""
    return -token_logprobs(trace, last=last) / np.log(2)


def surprisal_after(model: Model, before: str, text: str) -> float:
    """Measure the mean surprise of a text after another, in bits a token.

    How many tokens are the text's is counted on its own, so it should begin as a new token would, with a space.
    """
    return float(surprise(model.trace(before + text), last=len(model.tokenizer.encode(text))).mean())


def token_probs(trace: Trace, *, last: int | None = None) -> Float[np.ndarray, " n"]:
    """The probability that each token of the text but the first had, given those before it; or of the last few."""
    return np.exp(token_logprobs(trace, last=last))


def total_variation(before: Float[np.ndarray, " n_vocab"], after: Float[np.ndarray, " n_vocab"]) -> float:
    """The share of the probability that went to other tokens, 0 to 1 (total variation)."""
    return float(np.abs(before - after).sum() / 2)
