"""A person's own picture on a text box, in one line."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from llmviz.model import Model, Trace, load
from llmviz.views.kit.lifetime import close, replace_children
from llmviz.views.kit.picture import Explorer, Picture, one_at_a_time
from llmviz.views.kit.text_box import Prompt

# What stays a widget's own when it comes to show what another one shows.
OWN = {"layout", "comm", "tabbable", "tooltip", "asked", "explanation", "summary"}


def live(
    text: str | Prompt, picture: Callable[[Trace], ipywidgets.Widget], *, model: Model | None = None
) -> Live:
    """Return a text box, and under it what `picture` makes of each run of the model over its text.

    text: what the box holds at first, or a page's own `Prompt`. picture: from a trace to a widget.
    """
    return Live(text if isinstance(text, Prompt) else Prompt(model or load(), text), picture)


class Live(Explorer):
    """A box and the picture that a function makes of its trace. Make one with `live`."""

    def __init__(self, prompt: Prompt, picture: Callable[[Trace], ipywidgets.Widget]):
        self.prompt, self._make = prompt, picture
        self._place = ipywidgets.VBox()
        super().__init__([self._place])
        self.follow(prompt, self.show)

    @one_at_a_time
    def show(self, trace: Trace) -> None:
        """Change the picture in place where another text makes one of its kind; any other takes its place."""
        new, shown = self._make(trace), next(iter(self._place.children), None)
        if isinstance(new, Picture) and getattr(shown, "_anywidget_id", None) == new._anywidget_id:
            shown.change(
                **{name: getattr(new, name) for name in new.keys if name[0] != "_" and name not in OWN}
            )
            shown.provenance = new.provenance
            close(new)
        else:
            replace_children(self._place, new)
