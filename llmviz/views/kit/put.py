"""Between states and widgets: values from the page as a state has them, and traits put into a widget."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np

from llmviz.views.kit.controls import Sentences


def frozen(value: Any) -> Any:
    """Return a value from the page with tuples for its lists, as states have them."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def put(widget: ipywidgets.Widget, traits: dict[str, Any]) -> None:
    """Set the traits of a widget that differ, in one message; "hidden" hides it. A closed widget stays unchanged."""
    if widget.comm is None:
        return
    display = "none" if traits.get("hidden") else ""
    if (widget.layout.display or "") != display:
        widget.layout.display = display
    traits = {name: value for name, value in traits.items() if name != "hidden"}
    if display and isinstance(widget, Sentences):
        traits = {"sentences": []}  # What is hidden keeps no old answer.
    if hasattr(widget, "change"):
        changed = {name: value for name, value in traits.items() if not _same(value, getattr(widget, name))}
        if changed:
            widget.change(**changed)
        return
    if isinstance(widget, ipywidgets.SelectionSlider):
        widget.options = traits["options"]  # On a page, a slider needs a message of its own for them.
    with widget.hold_sync():
        for name, value in traits.items():
            setattr(widget, name, value)  # which sends nothing where it holds that value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if a is None or b is None:
            return False
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
    return type(a) is type(b) and a == b
