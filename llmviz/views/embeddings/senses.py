"""One word in two senses, layer by layer, beside another word in the same sentence."""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz.claims.cases import SENSES
from llmviz.experiments.lens import SENSE_PAIRS, cosines_by_layer
from llmviz.model import Model
from llmviz.views.kit.controls import choice
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader
from llmviz.views.kit.text_box import read

NAMES = (  # of the curves, as long as the sentences are those above
    "same word, same sense",
    "same word, other sense",
    "other word, same sentence",
    "other word, other sentence",
)
OWN = ""  # the menu's entry while the sentences are the reader's own
AT_THE_END = " .!?…,;:\"')]”’»"  # no word: it would be the last token


class SenseExplorer(Explorer):
    """The last words of four sentences, compared layer by layer; the sentences can be changed."""

    def __init__(self, model: Model, word: str = "bank"):
        self.model = model
        listed = [("your own sentences", OWN), *((one, one) for one in SENSES)]
        self.word = choice(listed, word, "A word")
        labels = ("1: one sense", "2: the same", "3: another", "4: other word")
        self.boxes = [
            ipywidgets.Text(
                text,
                description=label,
                continuous_update=False,
                layout={"width": "min(560px, 98%)"},
                style={"description_width": "110px"},
            )
            for label, text in zip(labels, SENSES[word])
        ]
        self.curves = LinePlot(
            x_axis="layers done", y_axis="cosine of the last tokens", y_min=0.0, y_max=1.0, stage="embeddings"
        )
        super().__init__([self.word, *self.boxes, self.curves])
        self.word.observe(self._take, "value")
        for box in self.boxes:
            box.observe(self._draw, "value")
        self._draw()

    @by_the_reader
    def _take(self, change) -> None:
        if change["new"] == OWN:
            return
        with self.quietly():  # four boxes change, one picture
            for box, text in zip(self.boxes, SENSES[change["new"]]):
                box.value = text
        self._draw()

    @by_the_reader
    def _draw(self, _change=None) -> None:
        texts = [box.value.rstrip(AT_THE_END) or box.value for box in self.boxes]
        with self.quietly():  # the menu names what stands in the boxes
            self.word.value = next((word for word, listed in SENSES.items() if [*listed] == texts), OWN)
        readings = [read(text, self.model.tokenizer) for text in texts]
        if not all(reading.tokens for reading in readings):
            empty = next(reading.told for reading in readings if not reading.tokens)
            return self.curves.change(values=None, x=None, names=[], selected=None, caption=empty)
        traces = [self.model.trace(reading.tokens) for reading in readings]
        values = cosines_by_layer(traces)
        last = " · ".join(dict.fromkeys(trace.pieces[-1].strip() or "␠" for trace in traces))
        alone = ", ".join(str(i + 1) for i, trace in enumerate(traces) if len(trace.tokens) == 1)
        self.curves.change(
            values=values,
            x=np.arange(values.shape[1]),
            names=[f"{a + 1} and {b + 1}" for a, b in SENSE_PAIRS] if self.word.value == OWN else list(NAMES),
            selected=None,
            caption=f"How alike are the vectors of the last tokens ({last})? 0 layers: the rows of the table."
            + f" One token alone, so no sentence to compare: {alone}." * bool(alone),
        )
