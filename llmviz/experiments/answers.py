"""Questions with a known answer: how likely the right token is at a temperature."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from llmviz import sampling
from llmviz.model import Model

CAPITAL_OF = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Russia": "Moscow",
    "Egypt": "Cairo",
    "Poland": "Warsaw",
    "Greece": "Athens",
    "Portugal": "Lisbon",
    "England": "London",
    "Sweden": "Stockholm",
    "Hungary": "Budapest",
    "Kenya": "Nairobi",
    "Ireland": "Dublin",
}
CAPITALS = {f"The capital of {country} is": f" {city}" for country, city in [*CAPITAL_OF.items()][:10]}
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
