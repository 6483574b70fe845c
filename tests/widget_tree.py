"""Look into views and boxes of widgets, and at every kind of picture."""

import asyncio
import functools
import importlib
import pkgutil
import time
from collections.abc import Callable, Iterator

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


def scene(view):
    """What the parts of a view are drawn from."""
    return view.scene(view.state)


def said(view, part: str = "message") -> str:
    """What a part says, with plain minus signs and without the marks that hold quoted pieces together."""
    return repr(view.parts[part]).translate({ord("−"): "-", 0x2068: None, 0x2069: None})


def is_shown(view, part: str) -> bool:
    return view.parts[part].layout.display != "none"


def in_event_loop(test: Callable) -> Callable:
    """Run an asynchronous test as others are run: what its views begin goes on whenever it waits."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Let what runs in the background go on until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0)


def every_picture() -> list[type[Picture]]:
    """All kinds of picture that a page can hold."""
    for module in pkgutil.iter_modules(views.__path__, "llmviz.views."):
        importlib.import_module(module.name)
    kinds, known = [Picture], []
    for kind in kinds:
        kinds += kind.__subclasses__()
        known += [kind] if "_static" in vars(kind) and kind.__module__.startswith("llmviz.") else []
    return known
