"""A text box with pictures of what the model says after the text."""

from __future__ import annotations

import ipywidgets

from llmviz.model import Model, Trace
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.text_box import TextBox


class OnText(Explorer):
    """A text box with pictures under it; `trace` is the run over the text, None where there is nothing to run."""

    def __init__(self, model: Model, text: str, parts: list, *, live: bool = True):
        self._model = model
        self._parts = ipywidgets.VBox(parts)
        self.trace: Trace | None = None
        self.box = TextBox(model, text, live=live)
        super().__init__([self.box, self._parts])
        self.box.observe(self._read, "tokens")
        self._read()

    @one_at_a_time
    def _read(self, _change=None) -> None:
        tokens = self.box.tokens
        self._parts.layout.visibility = "visible" if tokens else "hidden"
        self.trace = self._model.trace(tokens) if tokens else None
        if self.trace is not None:
            self.draw()

    def draw(self, _change=None) -> None:
        raise NotImplementedError

    def _piece(self, token: int) -> str:
        return self._model.tokenizer.pieces([token])[0]
