"""Stage 6, sampling: from 49,152 logits to one next token.

    probs = softmax(logits / temperature)       below 1 more uneven, above 1 more even, 0: always the likeliest

Then filters cut the tail, and the kept probabilities are scaled up to sum to one again:

    top_k    keep the k likeliest tokens                                        (Fan et al. 2018)
    top_p    keep the fewest likeliest tokens that together reach p             (Holtzman et al. 2019, "nucleus")
    min_p    keep the tokens at least min_p times as likely as the likeliest    (Nguyen et al. 2024)

A random number then picks a token according to its probability. Everything here works on the whole vocabulary; only
pictures show fewer tokens.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import DTypeLike

from llmviz.ops import softmax

BITS_PER_NAT = 1 / math.log(2)


@dataclass(frozen=True)
class Filtered:
    """The probabilities after a filter, and how much it cut."""

    probs: Float[np.ndarray, " n_vocab"]  # sums to one; exactly 0 where cut
    cut: float  # the probability mass that was cut, 0 to 1


def with_temperature(
    logits: Float[np.ndarray, " n_vocab"], temperature: float
) -> Float[np.ndarray, " n_vocab"]:
    """Return softmax(logits / temperature); at 0, the largest logit (the first of several that tie) gets all.

    A logit of -inf gets nothing. ValueError for a temperature that is negative, infinite or NaN, and for logits whose
    largest is not finite.
    """
    _require(
        temperature >= 0 and math.isfinite(temperature), "temperature", temperature, "0 or more, and finite"
    )
    logits = 1.0 * logits  # the logits may be whole numbers
    _require(math.isfinite(logits.max()), "the largest logit", logits.max(), "a finite number")
    if temperature == 0:
        greedy = np.zeros_like(logits)
        greedy[logits.argmax()] = 1
        return greedy
    # Centred and in float64, so that temperatures of 1e-6 and 1e6 work; at 1e-308, all others are -inf.
    with np.errstate(over="ignore"):
        scores = (logits - logits.max()).astype(np.float64) / temperature
    return softmax(scores).astype(logits.dtype)


def top_k(probs: Float[np.ndarray, " n_vocab"], k: int) -> Filtered:
    """Keep the k likeliest tokens, and those that tie with the last of them."""
    _require(k >= 1 and float(k).is_integer(), "top_k", k, "a whole number, 1 or more")
    k = min(int(k), len(probs))
    return _keep(probs, probs >= np.partition(probs, -k)[-k])


def top_p(probs: Float[np.ndarray, " n_vocab"], p: float) -> Filtered:
    """Keep the likeliest tokens until they reach the probability p together; at least one."""
    _require(0 < p <= 1, "top_p", p, "above 0 and at most 1")
    if p == 1:
        return Filtered(probs, 0.0)
    likeliest_first = np.argsort(-probs, kind="stable")
    held_before = np.cumsum(probs[likeliest_first], dtype=np.float64) - probs[likeliest_first]
    mask = np.zeros(len(probs), bool)
    mask[likeliest_first[held_before < p]] = True
    return _keep(probs, mask)


def min_p(probs: Float[np.ndarray, " n_vocab"], p: float) -> Filtered:
    """Keep the tokens whose probability is at least p times the largest."""
    _require(0 <= p <= 1, "min_p", p, "from 0 to 1")
    return _keep(probs, probs >= np.asarray(p, probs.dtype) * probs.max())


FILTERS: Mapping[str, Callable[[np.ndarray, Any], Filtered]] = {
    "top_k": top_k,
    "top_p": top_p,
    "min_p": min_p,
}
STEPS = ("temperature", *FILTERS)  # in the order in which `Sampler` applies them


def chain(logits: Float[np.ndarray, " n_vocab"], steps: Sequence[tuple[str, float]]) -> list[Filtered]:
    """Return the result of each step. steps: pairs of a name from `STEPS` and its setting, in any order.

    The first starts from softmax(logits). A temperature after a filter works on what the filter kept.
    ValueError for a name that is not in `STEPS`, or a setting that is out of range.
    """
    probs = softmax(logits)
    left: list[Filtered] = []
    for name, setting in steps:
        if name == "temperature":
            with np.errstate(divide="ignore"):  # log 0 = -inf, so a token that was cut stays cut
                scores = logits if not left else np.log(probs)
            step = Filtered(with_temperature(scores, setting), 0.0)
        elif name in FILTERS:
            step = FILTERS[name](probs, setting)
        else:
            raise ValueError(f"there is no step {name!r}; the steps are {', '.join(STEPS)}")
        left.append(step)
        probs = step.probs
    return left


def entropy(probs: Float[np.ndarray, " n_vocab"]) -> float:
    """Return the entropy in bits (Shannon 1948): 0 for one certain token, log2(n) for n equally likely ones."""
    nonzero = probs[probs > 0].astype(np.float64)
    return float(max(0.0, -(nonzero * np.log2(nonzero)).sum()))


def mass_outside(probs: Float[np.ndarray, " n_vocab"], k: int) -> float:
    """Return the probability of all tokens except the k likeliest, 0 to 1."""
    return float(max(0.0, 1 - np.sort(probs.astype(np.float64))[::-1][:k].sum()))


def log_probs(
    logits: Float[np.ndarray, "n n_vocab"], tokens: Sequence[int] | Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Return ln of the probability of one token in each row, in float64, which is finite for any token."""
    return _log_probs(logits, tokens, np.float64)[0]


def surprise_and_gradient(
    logits: Float[np.ndarray, "n n_vocab"], tokens: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n_vocab"]]:
    """Return the surprise at one token in each row, in nats, and how it changes with the row's logits.

    d_logits = probs - (1 for that token, 0 for the others). Both are as precise as the logits.
    """
    log_probs, exponentials, total = _log_probs(logits, tokens, logits.dtype)
    d_logits = np.divide(exponentials, total[:, None], out=exponentials)
    d_logits[np.arange(len(tokens)), tokens] -= 1
    return -log_probs, d_logits


def _log_probs(
    logits: Float[np.ndarray, "n n_vocab"], tokens: Sequence[int] | Int[np.ndarray, " n"], dtype: DTypeLike
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n_vocab"], Float[np.ndarray, " n"]]:
    """Return ln p of one token in each row, and exp(logit - the row's largest) and its sum, which give all p."""
    shifted = logits - logits.max(axis=-1, keepdims=True).astype(dtype)
    at_tokens = shifted[np.arange(len(tokens)), tokens]
    exponentials = np.exp(shifted, out=shifted)
    total = exponentials.sum(axis=-1)
    return at_tokens - np.log(total), exponentials, total


def surprise(
    logits: Float[np.ndarray, "seq n_vocab"], tokens: Sequence[int]
) -> Float[np.ndarray, " n_guesses"]:
    """Return how unlikely each token but the first was to the model, in bits: -log2 of its probability.

    logits: the model's after each token; the last row is not used. The mean is the model's loss on the text in bits per
    token, and 2 to that power is its perplexity.
    """
    return -log_probs(logits[:-1], tokens[1:]) * BITS_PER_NAT


def repeated(tokens: Sequence[int], *, run: int = 4) -> Bool[np.ndarray, " seq"]:
    """Return which tokens belong to a run of `run` tokens that occurred earlier in the text."""
    seen, marks = set(), np.zeros(len(tokens), bool)
    for start in range(len(tokens) - run + 1):
        here = tuple(tokens[start : start + run])
        marks[start : start + run] |= here in seen
        seen.add(here)
    return marks


def draw(probs: Float[np.ndarray, " n_vocab"], rng: np.random.Generator) -> int:
    """Pick a token with the given probabilities, but never one whose probability is 0."""
    return int(draws(probs, rng, 1)[0])


def draws(probs: Float[np.ndarray, " n_vocab"], rng: np.random.Generator, n: int) -> Int[np.ndarray, " n"]:
    """Pick n tokens: throw n darts at a line on which each token is as long as its probability.

    ValueError if no token has any probability.
    """
    cumulative = np.cumsum(probs, dtype=np.float64)
    _require(bool(cumulative[-1] > 0), "the sum of the probabilities", cumulative[-1], "above 0")
    tokens = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    return np.minimum(tokens, np.flatnonzero(probs)[-1])  # where rounding leads past the last possible token


def generator(seed: int, n: int) -> np.random.Generator:
    """Return the generator with which `Model.generate` draws token n (from 0): a seed's after n draws."""
    rng = np.random.default_rng(seed)
    rng.random(n)
    return rng


@dataclass(frozen=True)
class Sampler:
    """Temperature, then top-k, top-p and min-p; None leaves a filter out. ValueError if one is out of range."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self):
        for name in STEPS:
            setting = getattr(self, name)
            if not isinstance(setting, Real) and (setting is not None or name == "temperature"):
                raise ValueError(f"{name} must be a number; got {setting!r}")
        self.probs(np.zeros(2, np.float32))  # each step checks its own number

    def probs(self, logits: Float[np.ndarray, " n_vocab"]) -> Float[np.ndarray, " n_vocab"]:
        """Return the probability with which each token is picked. They sum to one."""
        probs = with_temperature(logits, self.temperature)
        for name, keep in FILTERS.items():
            if (setting := getattr(self, name)) is not None:
                probs = keep(probs, setting).probs
        return probs


def _keep(probs: Float[np.ndarray, " n_vocab"], mask: Bool[np.ndarray, " n_vocab"]) -> Filtered:
    remaining = np.where(mask, probs, 0).astype(probs.dtype)
    mass = float(remaining.sum(dtype=np.float64))
    total = float(probs.sum(dtype=np.float64))
    return Filtered(remaining / probs.dtype.type(mass), max(0.0, 1 - mass / total))


def _require(holds: bool, name: str, given: object, wanted: str) -> None:
    if not holds:  # NaN makes every comparison false, so it also ends here
        raise ValueError(f"{name} must be {wanted}; got {given}")
