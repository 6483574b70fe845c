"""The reader's sentence, and how pictures follow it."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from llmviz.model import Model, Trace
from llmviz.views.text_box import TextBox


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


def follow(source: Sentence | Trace, show: Callable[[Trace], None]) -> None:
    """Show a trace now, and every later one of a sentence."""
    if isinstance(source, Trace):
        show(source)
        return
    show(source.trace)
    source.observe(lambda change: show(change["new"]), "trace")


def place(position: int, seq: int) -> int:
    """A position that a text of `seq` tokens has, counted from the end where negative."""
    return min(max(position + seq if position < 0 else position, 0), seq - 1)
