"""Look into a box of widgets."""

from collections.abc import Iterator


def inside(widget, kind: type = object) -> Iterator:
    """The widget and all that lie in it, however deep, as far as they are of a kind."""
    if isinstance(widget, kind):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child, kind)
