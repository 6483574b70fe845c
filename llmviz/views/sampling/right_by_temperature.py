"""Questions with a known answer: how likely the right token is at each temperature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmviz.experiments import answer_probs
from llmviz.model import Model
from llmviz.views.kit.line_plot import LinePlot

TEMPERATURES = np.linspace(0, 2, 21)


def right_by_temperature(model: Model, kinds: Mapping[str, Mapping[str, str]]) -> LinePlot:
    """The mean share of the right token, a line for each kind of question.

    kinds: for each name the texts to go on from, and what goes on rightly (its first token counts).
    """
    shares = [
        [answer_probs(model, text, right, TEMPERATURES) for text, right in kind.items()]
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
