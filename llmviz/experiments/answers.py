"""Questions with a known answer: how likely the right token is at a temperature."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from llmviz import ops, sampling
from llmviz.experiments.writing import asked
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.texts.write import logits_after_each

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


def answer_probs(
    model: Model, text: str, right: str, temperatures: Sequence[float] | Float[np.ndarray, " n"] = (1,)
) -> Float[np.ndarray, " n"]:
    """Return the probability of the right answer's first token after a text, at each temperature.

    At temperature 0 it is 1 if that token is the likeliest, otherwise 0.
    """
    logits, (token, *_) = model.trace(text).logits, model.tokenizer.encode(right)
    return np.array([sampling.with_temperature(logits, t)[token] for t in temperatures])


def logits_after_sums(model: Model, before: str = "") -> Float[np.ndarray, "n_sums n_vocab"]:
    """Return the logits after each of `SUMS`, with this text in front."""
    return logits_after_each(model, [model.tokenizer.encode_prompt(before + text) for text in SUMS])


@kept_with()
def after_sums(
    model: Model, before: str = ""
) -> tuple[Int[np.ndarray, "first second"], Float[np.ndarray, "first second"]]:
    """Return the likeliest token after each of `SUMS`, and the right one's probability: −1 and NaN where there is none.

    The axes are the two numbers, from 1 to 8. before: in front of each sum.
    """
    likeliest, right = np.full((8, 8), -1), np.full((8, 8), np.nan)
    for (text, digit), logits in zip(SUMS.items(), logits_after_sums(model, before)):
        at = int(text[0]) - 1, int(text[4]) - 1
        likeliest[at] = logits.argmax()
        right[at] = ops.softmax(logits)[right_digit(model, digit)]
    return likeliest, right


def right_digit(model: Model, digit: str) -> int:
    """Return the token of a digit."""
    return model.tokenizer.encode(digit)[-1]


def n_right_sums(model: Model, before: str = "") -> int:
    """Count the sums after which the right digit is the likeliest token."""
    digits = [right_digit(model, digit) for digit in SUMS.values()]
    likeliest, _ = after_sums(model, before)
    return int(np.sum(likeliest[likeliest >= 0] == digits))  # both in the order of the sums


def columns_alike(model: Model) -> tuple[int, int]:
    """Count the second numbers with two sums or more after all of which the same token is the likeliest, and all."""
    columns = [column[column >= 0] for column in after_sums(model)[0].T]
    columns = [column for column in columns if len(column) > 1]
    return sum(len({*column.tolist()}) == 1 for column in columns), len(columns)


def is_right(model: Model, text: str, right: str) -> bool:
    """Say whether the right answer's first token is the likeliest after a text."""
    return bool(answer_probs(model, text, right, (0,))[0])


def right_when(model: Model, answer: tuple[str, str], *, sure: bool) -> float:
    """Begin the answer in a chat, and say whether the likeliest token is right. NaN unless it has more than 50%, if
    `sure`, or else at most 50%."""
    begun, right = answer
    question = f"What is {begun.removesuffix('is').strip(' =').replace('The', 'the')}?"
    logits = model.trace([*asked(model, question), *model.tokenizer.encode(begun)]).logits
    goes_on_right = int(logits.argmax()) == model.tokenizer.encode(right)[0]
    return goes_on_right if (ops.softmax(logits).max() > 0.5) == sure else math.nan


def gained_when_cold(model: Model, question: tuple[str, str]) -> float:
    """Divide the right token's probability at temperature 0.2 by that at 1; NaN where it is the likeliest."""
    first, cold, plain = answer_probs(model, *question, (0, 0.2, 1))
    return math.nan if first else cold / plain


def second_number_decides(model: Model, sum_: str, *, before: str = "") -> bool:
    """Compare the likeliest token with 2 where 1 is added, else with that of the sum whose first number is 1."""
    if sum_.endswith("+ 1 = "):
        return is_right(model, before + sum_, "2")
    likeliest = [model.trace(before + text).logits.argmax() for text in (sum_, f"1{sum_[1:]}")]
    return bool(likeliest[0] == likeliest[1])
