"""The reader's sentence, which pictures follow."""

from __future__ import annotations

import traitlets

from llmviz.model import Model, Trace
from llmviz.views.kit.text_box import TextBox


class Sentence(TextBox):
    """A box for one sentence. `trace` is the model's run over it; pictures made with the box follow it."""

    trace = traitlets.Instance(Trace)

    def __init__(self, model: Model, text: str):
        super().__init__(model, text, label="Your sentence (Enter runs the model)", live=False)
        self._model = model
        self.observe(self._run, "tokens")
        self._run()

    def _run(self, _change=None) -> None:
        if self.tokens or not self.trait_has_value("trace"):
            self.trace = self._model.trace(self.tokens or [0])  # an empty box leaves the last run standing


def place(position: int, seq: int) -> int:
    """A position that a text of `seq` tokens has, counted from the end where negative."""
    return min(max(position + seq if position < 0 else position, 0), seq - 1)
