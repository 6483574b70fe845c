"""Every attention head off alone: for how many does the likeliest next token change, on this text?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmviz import experiments, ops
from llmviz.model import Model, Trace
from llmviz.views.kit.background import Experiment
from llmviz.views.kit.controls import row
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.picture import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt, as_prompt


class HeadsOff(Experiment):
    """A run of the model for each head, with that head off: the probability that is left to the first guess.

    `changed` counts the heads without which another token comes first; None before the experiment is through.
    """

    changed: int | None = None

    def __init__(self, model: Model, text: str | Prompt):
        self._model = model
        config = model.config
        super().__init__(f"Switch off each of the {config.n_layers * config.n_heads} heads alone")
        self._prompt = as_prompt(model, text)
        self.map = HeatMap(
            np.full((config.n_heads, config.n_layers), np.nan),
            [f"head {head}" for head in range(config.n_heads)],
            [str(layer) for layer in range(config.n_layers)],
            kind="prob",
            row_axis="",
            col_axis="layer of the head that is off",
            stage="attention",
        )
        self.buttons[0].on_click(lambda button: self.start(self._work_through(), button))
        self.children = (row(*self.buttons, self.progress), self.told, self.map)
        self.follow(self._prompt, self.show)

    def show(self, trace: Trace) -> None:
        """Another text: nothing is known of it yet."""
        self.stop()
        self._trace, self.changed = trace, None
        self.map.layout.display = "none"
        self.told.say("Nothing has been run on this text yet.")

    def _work_through(self) -> Iterator[float]:
        trace = self._trace
        first, whole = int(trace.logits.argmax()), float(ops.softmax(trace.logits).max())
        (piece,) = self._model.tokenizer.pieces([first])
        left = np.full(self.map.values.shape, np.nan, np.float32)
        others = []

        def measure(run: Trace) -> float:
            others.append(int(run.logits.argmax()) != first)
            return experiments.probability(run, first)

        self.map.layout.display = ""
        for layer, head, p in experiments.each_head_off(self._model, trace.tokens, measure):
            left[head, layer] = p
            done = np.isfinite(left).sum()
            if done % 9 == 0 or done == left.size:
                self.map.change(
                    values=left,
                    limit=min(1.0, 1.5 * whole),
                    caption=f"Probability of {quote(piece)} with one head off (whole model: {percent(whole)})",
                )
            yield done / left.size
        self.changed = sum(others)
        low, high = float(left.min()), float(left.max())
        self.told.say(
            f"Without {self.changed} of the {left.size} heads, each off alone, another token than {quote(piece)} comes "
            f"first. Its probability, {percent(whole)} in the whole model, lies between {percent(low)} and "
            f"{percent(high)}."
        )
