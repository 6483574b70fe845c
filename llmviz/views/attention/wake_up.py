"""A search for a text that wakes a head."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Model
from llmviz.views.attention.heads import head_name, head_pattern
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import row, slider
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import isolated, visible

# Short texts of many kinds, in which to look for one that a head reacts to.
SENTENCES = (
    "The cat that I saw yesterday was sleeping",
    "The keys to the old cabinet are on the table",
    "When Mary and John went to the store, John gave a drink to Mary",
    "one two three one two three one two three",
    "blue, red, green, yellow, blue, red, green",
    "She said: “I don't know what you mean.”",
    "def add(a, b):\n    return a + b",
    "(first (second (third)) and back)",
    "12 + 30 = 42, 15 + 20 = 35",
    "On Monday, 3 March 1998, it rained. On Tuesday it did not.",
    "The capital of France is Paris. The capital of Italy is Rome.",
    "I came, I saw, I conquered.",
    "Not bad, not good, not anything at all.",
    "The more you learn, the more you know, the more you forget.",
    "Dr. Smith met Mr. Jones and Mrs. Brown in New York.",
    "https://www.example.org/a/b/c.html",
    "<p>Hello <b>world</b></p>",
    "A rose is a rose is a rose.",
    "Der Hund und die Katze schlafen, und der Vogel singt.",
    "Le chat noir et le chien blanc dorment.",
    "Why? Because! Really? Yes, really.",
    "- milk\n- bread\n- butter\n- milk",
    "He put the big red ball into the small blue box.",
    "xq zv kk wq xq zv kk wq",
)


class WakeUp(Experiment):
    """Search a small set of texts for one that wakes a head. How awake it is, `experiments.weight_off_sinks` says.

    `awake` is [n_texts, n_layers, n_heads]; None before the search.
    """

    def __init__(self, model: Model, *, layer: int = 15, head: int = 3, sentences: Sequence[str] = SENTENCES):
        super().__init__(f"Search {len(sentences)} texts")
        config = model.config
        self.model, self.sentences, self.awake = model, list(sentences), None
        self.layer = slider(layer, "Layer", config.n_layers - 1, stage="attention")
        self.head = slider(head, "Head", config.n_heads - 1, stage="attention")
        self.found = ipywidgets.Select(
            options=[], rows=8, layout={"width": "min(760px, 98%)", "display": "none"}
        )
        self.found.description = "Most awake first"
        self.found.style.description_width = "initial"
        self.arcs = Arcs(["…"], [[np.nan]], caption="Press the button, then choose a text")
        self.children = (
            row(self.layer, self.head, *self.buttons, self.progress),
            self.told,
            self.found,
            self.arcs,
        )
        self.buttons[0].on_click(self.run)
        for control in (self.layer, self.head):
            control.observe(self._order, "value")
        self.found.observe(self._draw, "value")

    def run(self, _button=None) -> None:
        """Measure every head on every text; once, whatever head is asked about afterwards."""
        self.start(self._search(), self.buttons[0])

    def _search(self) -> Steps:
        measured = []
        for text in self.sentences:
            measured.append(experiments.weight_off_sinks(self.model.trace(text)))
            yield len(measured) / len(self.sentences)
        self.awake = np.array(measured, np.float32)
        self.found.layout.display = ""
        self._order()

    @one_at_a_time
    def _order(self, _change=None) -> None:
        if self.awake is None:
            return
        awake = np.nan_to_num(self.awake[:, self.layer.value, self.head.value])
        order = np.argsort(-awake, kind="stable")
        options = [(f"{100 * awake[i]:.0f}%   {visible(self.sentences[i])}", int(i)) for i in order]
        self.found.options = [(name.replace("·", " "), i) for name, i in options]
        self.found.value = int(order[0])
        low, high = awake.min(), awake.max()
        manner = (
            "it rests everywhere here"
            if high < 0.2
            else "it is awake everywhere"
            if low > 0.6
            else "what you give it makes the difference"
        )
        name = head_name(self.layer.value, self.head.value)
        self.told.say(
            f"{name} gives between {percent(low)} and {percent(high)} of its attention to tokens that are no sinks: "
            f"{manner}.",
            "A sink is the first token, and each whose value in this head is less than half as long as the median one.",
        )
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        if self.awake is None or self.found.value is None:
            return
        trace = self.model.trace(self.sentences[self.found.value])
        weights = head_pattern(trace, self.layer.value, self.head.value)
        outside = np.nan_to_num(weights[:, 1:]).max(axis=1)
        best = int(outside.argmax())
        name = head_name(self.layer.value, self.head.value)
        self.arcs.change(
            pieces=trace.pieces,
            weights=weights,
            ids=trace.tokens,
            selected=best,
            caption=f"{name}: its strongest look away from the first token is from "
            f"{isolated(trace.pieces[best])}",
        )
