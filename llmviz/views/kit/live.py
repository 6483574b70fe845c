"""A text box with any picture of its run below it, in one line of code."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from llmviz.model import Model, Trace, load
from llmviz.views.kit.lifetime import close, replace_children
from llmviz.views.kit.picture import Explorer, Picture, one_at_a_time
from llmviz.views.kit.text_box import Prompt

# Traits that a widget keeps when it takes over what another one shows.
OWN = {"layout", "comm", "tabbable", "tooltip", "asked", "explanation", "summary"}


def live(
    text: str | Prompt, picture: Callable[[Trace], ipywidgets.Widget], *, model: Model | None = None
) -> Live:
    """Return a text box, and below it the widget that `picture` returns for the trace of its text.

    text: what the box holds at first, or a page's own `Prompt`, whose model is then used.
    """
    return Live(text if isinstance(text, Prompt) else Prompt(model or load(), text), picture)


class Live(Explorer):
    """A text box and the picture that a function makes of its trace. Make one with `live`."""

    def __init__(self, prompt: Prompt, picture: Callable[[Trace], ipywidgets.Widget]):
        self.prompt, self._make = prompt, picture
        self._place = ipywidgets.VBox()
        super().__init__([self._place])
        self.follow(prompt, self.show)

    @one_at_a_time
    def show(self, trace: Trace) -> None:
        """Show the picture of another trace: one of the same kind changes in place, any other is replaced."""
        new, shown = self._make(trace), next(iter(self._place.children), None)
        if isinstance(new, Picture) and getattr(shown, "_anywidget_id", None) == new._anywidget_id:
            shown.change(
                **{name: getattr(new, name) for name in new.keys if name[0] != "_" and name not in OWN}
            )
            shown.provenance = new.provenance
            close(new)
        else:
            replace_children(self._place, new)
