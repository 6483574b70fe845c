"""Questions with a known answer: how likely the right token is at each temperature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmviz import sampling
from llmviz.model import Model
from llmviz.views.kit.line_plot import LinePlot

TEMPERATURES = np.linspace(0, 2, 21)
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


def right_by_temperature(model: Model, kinds: Mapping[str, Mapping[str, str]]) -> LinePlot:
    """The mean share of the right token, a line for each kind of question.

    kinds: for each name the texts to go on from, and what goes on rightly (its first token counts).
    """
    shares = [
        [
            [sampling.with_temperature(logits, t)[model.tokenizer.encode(right)[0]] for t in TEMPERATURES]
            for logits, right in ((model.trace(text).logits, right) for text, right in kind.items())
        ]
        for kind in kinds.values()
    ]
    return LinePlot(
        x=TEMPERATURES,
        values=np.array([np.mean(kind, axis=0) for kind in shares]),
        names=[*kinds],
        x_axis="temperature",
        y_axis="share of the right token, on average",
        y_max=1.0,
        unit="share",
        stage="sampling",
        caption="What a temperature does to the right answer",
    )
