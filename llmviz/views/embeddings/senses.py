"""One word in two senses, layer by layer, beside another word in the same sentence."""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz import embeddings
from llmviz.model import Model, Trace
from llmviz.views.kit.controls import choice
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, by_the_reader
from llmviz.views.kit.text_box import read

# Of each word: two sentences with one sense, one with the other, and that one with another word.
SENSES = {
    "bank": (
        "She sat down on the river bank",
        "They fished from the muddy bank",
        "She put her money in the bank",
        "She put her money in the car",
    ),
    "bat": (
        "In the cave hung a sleeping bat",
        "At dusk we saw a flying bat",
        "He hit the ball with his bat",
        "He hit the ball with his hand",
    ),
    "spring": (
        "Flowers bloom in the early spring",
        "After winter comes the warm spring",
        "The clock had a broken spring",
        "The clock had a broken door",
    ),
    "match": (
        "He lit the candle with a match",
        "The fire began with a single match",
        "Our team won the football match",
        "Our team won the football prize",
    ),
    "ring": (
        "He gave her a golden ring",
        "She wore a beautiful diamond ring",
        "The boxer stepped into the ring",
        "The boxer stepped into the car",
    ),
    "bark": (
        "The tree had very rough bark",
        "The beetles lived under the bark",
        "At night we heard a loud bark",
        "At night we heard a loud song",
    ),
    "light": (
        "He switched on the bright light",
        "The room was filled with light",
        "The bag of feathers was light",
        "The bag of feathers was cold",
    ),
    "right": (
        "At the corner she turned right",
        "The door is on the right",
        "Your answer was completely right",
        "Your answer was completely new",
    ),
    "date": (
        "They went out on a date",
        "He asked her for a date",
        "Please write down today's date",
        "Please write down today's name",
    ),
    "letter": (
        "He mailed her a long letter",
        "She opened the envelope and read the letter",
        "The alphabet begins with this letter",
        "The alphabet begins with this song",
    ),
    "nail": (
        "He hit it with a hammer and a nail",
        "The picture hung from a rusty nail",
        "She painted her little finger nail",
        "She painted her little finger red",
    ),
    "fan": (
        "The room was cooled by a fan",
        "On the ceiling turned a slow fan",
        "He was the team's biggest fan",
        "He was the team's biggest star",
    ),
    "wave": (
        "The surfer caught a huge wave",
        "The ship was hit by a wave",
        "She greeted us with a wave",
        "She greeted us with a song",
    ),
    "watch": (
        "He looked at his gold watch",
        "She wore an expensive wrist watch",
        "There is a film we could watch",
        "There is a film we could buy",
    ),
}
NAMES = (  # of the curves, as long as the sentences are those above
    "same word, same sense",
    "same word, other sense",
    "other word, same sentence",
    "other word, other sentence",
)
PAIRS = ((0, 1), (0, 2), (2, 3), (0, 3))
OWN = ""  # the menu's entry while the sentences are the reader's own
AT_THE_END = " .!?…,;:\"')]”’»"  # no word: it would be the last token


def last_vectors(trace: Trace) -> np.ndarray:
    """The last token's vector as the first layer reads it, and after each layer: [n_layers + 1, d_model]."""
    return np.stack([trace.blocks[0].resid_pre[-1], *(block.resid_post[-1] for block in trace.blocks)])


def alike_by_layer(traces: list[Trace]) -> np.ndarray:
    """Cosines [4, n_layers + 1] of the last tokens of four texts, by layers done.

    First and second text, first and third, third and last, first and last.
    """
    vectors = [*map(last_vectors, traces)]
    return np.stack([embeddings.cosine_similarity(vectors[a], vectors[b]) for a, b in PAIRS])


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
        values = alike_by_layer(traces)
        last = " · ".join(dict.fromkeys(trace.pieces[-1].strip() or "␠" for trace in traces))
        alone = ", ".join(str(i + 1) for i, trace in enumerate(traces) if len(trace.tokens) == 1)
        self.curves.change(
            values=values,
            x=np.arange(values.shape[1]),
            names=[f"{a + 1} and {b + 1}" for a, b in PAIRS] if self.word.value == OWN else list(NAMES),
            selected=None,
            caption=f"How alike are the vectors of the last tokens ({last})? 0 layers: the rows of the table."
            + f" One token alone, so no sentence to compare: {alone}." * bool(alone),
        )
