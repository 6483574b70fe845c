"""One word in two senses, layer by layer, compared with another word after the same beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from llmviz.claims.cases import SENSES
from llmviz.experiments.lens import SENSE_PAIRS, cosines_by_layer
from llmviz.views.kit import controls
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.state_fields import replace, text
from llmviz.views.kit.text_box import most_tokens, read
from llmviz.views.kit.view import Scene, View, on, part, shared

NAMES = (  # of the curves, if the sentences are those of a word in the list
    "same sense",
    "other sense",
    "other word",
    "other word and beginning",
)
OWN = "your own sentences"
AT_THE_END = " .!?…,;:\"')]”’»"  # left out, because the last token should be a word


def sentence(i: int, label: str) -> Any:
    """Declare the i-th sentence, at first about a bank, with its box."""

    def box(value: str) -> ipywidgets.Text:
        made = controls.text_box(clean(value), label, "min(560px, 98%)", live=False)
        made.style.description_width = "125px"
        return made

    return text(SENSES["bank"][i], box)


class SenseExplorer(View):
    """The last words of four sentences, which can be changed, compared layer by layer."""

    stage = "embeddings"
    arrangement = ("word", "first", "second", "third", "fourth", "curves")

    @dataclass(frozen=True)
    class State:
        first: str = sentence(0, "1: one sense")
        second: str = sentence(1, "2: same sense")
        third: str = sentence(2, "3: other sense")
        fourth: str = sentence(3, "4: other word")

    @shared
    def texts(self, scene: Scene) -> tuple[str, ...]:
        """Return the sentences up to their last words."""
        sentences = scene.first, scene.second, scene.third, scene.fourth
        return tuple(typed.rstrip(AT_THE_END) or typed for typed in sentences)

    @part(lambda _: controls.choice([OWN, *SENSES], OWN, "Word"))
    def word(self, scene: Scene) -> dict:
        return {"value": next((word for word, texts in SENSES.items() if texts == scene.texts), OWN)}

    @on("word", "value")
    def take(self, state: State, word: str) -> State:
        return replace(state, **dict(zip(self._fields, SENSES.get(word, ()))))

    @part(LinePlot, x_axis="number of layers passed", y_axis="cosine of the last tokens", y_max=1.0)
    def curves(self, scene: Scene) -> dict:
        readings = [read(typed, scene.run.tokenizer, limit=most_tokens(scene.run)) for typed in scene.texts]
        problem = next((reading.message for reading in readings if not reading.tokens), None)
        if problem is not None:
            return {"values": None, "x": None, "names": [], "caption": problem}
        traces = [scene.run.trace(reading.tokens) for reading in readings]
        values = cosines_by_layer(traces)
        last = " · ".join(dict.fromkeys(trace.pieces[-1].strip() or "␠" for trace in traces))
        alone = ", ".join(str(i + 1) for i, trace in enumerate(traces) if len(trace.tokens) == 1)
        pairs = [f"{a + 1} and {b + 1}" for a, b in SENSE_PAIRS]
        is_listed = scene.texts in SENSES.values()
        return {
            "values": values,
            "x": np.arange(values.shape[1]),
            "names": [f"{name} ({pair})" for name, pair in zip(NAMES, pairs)] if is_listed else pairs,
            "caption": f"Cosines of the vectors of each sentence's last token ({last}), layer by layer. "
            + "At 0, the vectors are rows of the table"
            + f". Only one token, so no sentence around it: {alone}" * bool(alone),
        }
