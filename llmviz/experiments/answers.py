"""Questions with a known answer: how likely the right token is at a temperature."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import sampling
from llmviz.model import Model

CAPITALS = {
    "The capital of France is": " Paris",
    "The capital of Germany is": " Berlin",
    "The capital of Italy is": " Rome",
    "The capital of Spain is": " Madrid",
    "The capital of Japan is": " Tokyo",
    "The capital of China is": " Beijing",
    "The capital of Russia is": " Moscow",
    "The capital of Egypt is": " Cairo",
    "The capital of Poland is": " Warsaw",
    "The capital of Greece is": " Athens",
}
SUMS = {f"{a} + {b} = ": str(a + b) for a in range(1, 9) for b in range(1, 10 - a)}  # one digit each
SPACED_SUMS = {f" {text}": right for text, right in SUMS.items()}


def answer_probs(
    model: Model, text: str, right: str, temperatures: Sequence[float] | Float[np.ndarray, " n"] = (1,)
) -> Float[np.ndarray, " n"]:
    """Return the probability of the right answer's first token after a text, at each temperature.

    At temperature 0 it is 1 where that token is the likeliest, and 0 elsewhere.
    """
    logits, (token, *_) = model.trace(text).logits, model.tokenizer.encode(right)
    return np.array([sampling.with_temperature(logits, t)[token] for t in temperatures])


def is_right(model: Model, text: str, right: str) -> bool:
    """Say whether the right answer's first token is the likeliest after a text."""
    return bool(answer_probs(model, text, right, (0,))[0])
