"""Widgets that our own JavaScript draws, and what it needs on a page: the bundle, once, and a way for changes."""

from __future__ import annotations

import uuid
from pathlib import Path

import anywidget
import ipywidgets
import traitlets

from llmviz.views.kit import theme
from llmviz.views.kit.lifetime import Shared
from llmviz.where import where

STATIC = Path(__file__).parents[1] / "static"


class Bundle(Shared):
    """All JavaScript and all style sheets of our widgets. The page gets them once, and every widget refers to them."""

    source = traitlets.Unicode().tag(sync=True)
    style = traitlets.Unicode().tag(sync=True)


_bundles: list[Bundle] = []


def bundle() -> Bundle:
    """Return the bundle of this kernel's page."""
    if not _bundles or _bundles[-1].comm is None:  # `Widget.close_all()` closes it, too.
        paths = sorted(STATIC.rglob("*.css"), key=lambda path: (path.stem != "kit", path))
        sheets = "".join(path.read_text("utf-8") for path in paths)
        _bundles.append(Bundle(source=(STATIC / "bundle.js").read_text("utf-8"), style=theme.css() + sheets))
    return _bundles[-1]


class Changes(ipywidgets.Widget):
    """Brings to the page what changes in a widget, whose id is `of`."""

    of = traitlets.Unicode().tag(sync=True)


class Drawn(anywidget.AnyWidget):
    """A widget that a script in `static` draws.

    What changes in it later goes through `_changes`, a widget that needs no script: if a widget's own script takes two
    seconds to begin, as on a slow phone, anywidget never lets anything through to that widget.
    """

    _esm = (STATIC / "loader.js").read_text("utf-8")  # small: each widget sends it
    _static: str  # the name of its script
    _draws = traitlets.Unicode().tag(sync=True)
    _bundle = traitlets.Instance(Bundle).tag(sync=True, **ipywidgets.widget_serialization)
    _changes = traitlets.Instance(Changes, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, **traits):
        own_id = uuid.uuid4().hex
        changes = None if where() == "page" else Changes(of=own_id)  # On a page, no kernel sends anything.
        super().__init__(model_id=own_id, _draws=self._static, _bundle=bundle(), _changes=changes, **traits)

    def _send(self, msg: dict, buffers: list | None = None) -> None:
        # A new layout is a widget, and an echo belongs to a message of this widget: both are for its own model to read.
        if msg["method"] == "update" and "layout" not in msg["state"] and self.comm and self._changes:
            self._changes._send(msg, buffers)
        else:
            super()._send(msg, buffers)
