"""Look into a box of widgets, and at every kind of picture."""

import importlib
import pkgutil
from collections.abc import Iterator

from llmviz import views
from llmviz.views.kit.picture import Picture

# What a hostile or broken page could send.
HOSTILE = [
    None,
    99,
    -1,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    "<script>",
    [],
    [99],
    [99, 99],
    [-1, -1],
    [[0, 99]],
    [[0, 0], [0, 0]],
    [0] * 100_000,
    [[0, 0]] * 100_000,
    [[float("nan"), 0]],
    {"shape": [2], "data": "x"},
    True,
]


def inside(widget, kind: type = object) -> Iterator:
    """The widget and all that lie in it, however deep, as far as they are of a kind."""
    if isinstance(widget, kind):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child, kind)


def every_picture() -> list[type[Picture]]:
    """All kinds of picture that a page can hold."""
    for module in pkgutil.iter_modules(views.__path__, "llmviz.views."):
        importlib.import_module(module.name)
    kinds, known = [Picture], []
    for kind in kinds:
        kinds += kind.__subclasses__()
        known += [kind] if "_static" in vars(kind) and kind.__module__.startswith("llmviz.") else []
    return known
