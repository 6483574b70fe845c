"""How long a view lives: until something takes its place, or the cell that made it runs again.

ipywidgets keeps every widget that was ever made, with all it holds, until it is closed. So a view observes others
through `watch` and works through `in_background`; closing it ends both, and closes its parts. What a cell has made is
closed when that cell runs again. JupyterLab, Notebook 7 and VS Code name the cell that runs; where no front-end does (a
terminal, nbclient), nothing is closed.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Callable, Coroutine, Iterator, Sequence

import ipywidgets
import traitlets
from IPython import get_ipython

_made: weakref.WeakValueDictionary[int, Closable] = weakref.WeakValueDictionary()
_numbers = itertools.count()


def living() -> list[Closable]:
    """Return all views that are not closed, in the order in which they were made."""
    return [view for _, view in sorted(_made.items()) if view.comm is not None]


class Shared(ipywidgets.Widget):
    """A widget that many views refer to: it stays when one of them is closed."""


class Closable(traitlets.HasTraits):
    """The base of every view: it can follow others, work while other cells run, and clean up when it is closed.

    All that a view's followers and `llmviz page` ask of it is declared here.
    """

    def above(self) -> ipywidgets.Widget | None:
        """Return what is shown above each view that follows this one, such as a text box; None: nothing."""
        return None

    def dim_if_outdated(self, view: ipywidgets.DOMWidget) -> None:
        """Dim another view from now on while it does not show what is typed in this one; only a text box does so."""

    def page_values(self) -> dict:
        """Return the values that a page without a kernel may set now, by the names of the traits."""
        return {}

    def needs_kernel(self) -> Sequence[ipywidgets.Widget]:
        """Return the buttons and cards that only a kernel should answer; on a page they are disabled and say so."""
        return ()

    def before_a_page(self) -> None:
        """Do what must be done before a page without a kernel is made, such as a training."""

    _watched: tuple[tuple[traitlets.HasTraits, Callable, str | Sequence[str]], ...] = ()
    _followers = 0  # how many views watch this one
    _left = False  # its cell has run again, so it goes with its last follower

    def __init__(self, *arguments, **traits):
        self._tasks: set[asyncio.Task] = set()
        super().__init__(*arguments, **traits)
        self._cell = _running_cell()
        _made[next(_numbers)] = self

    @property
    def sources(self) -> list[Closable]:
        """Return the views that this one follows."""
        return [source for source, *_ in self._watched if isinstance(source, Closable)]

    def watch(self, source: traitlets.HasTraits, handler: Callable, names: str | Sequence[str]) -> None:
        """Observe something that is not a part of this view, until this view is closed."""
        source.observe(handler, names)
        self._watched = (*self._watched, (source, handler, names))
        if isinstance(source, Closable):
            source._followers += 1

    def follow(self, source, show: Callable) -> None:
        """Call `show` with a trace now, and with each later one where the source is a view that has a `trace`.

        A hidden view that nothing follows waits until it is shown, and then skips to the latest trace.
        """
        if not isinstance(source, traitlets.HasTraits):
            show(source)
            return
        shown = source.trace

        def catch_up(_change) -> None:
            nonlocal shown
            if source.trace is not shown and (self.layout.display != "none" or self._followers):
                shown = source.trace
                show(shown)

        show(shown)
        self.watch(source, catch_up, "trace")
        self.layout.observe(catch_up, "display")

    def in_background(self, work: Coroutine) -> asyncio.Task | None:
        """Run a coroutine while the page goes on; where there is no event loop, run it to its end now."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a plain script
            asyncio.run(_to_the_end(work))
            return None
        task = loop.create_task(work)
        self._tasks.add(task)  # an event loop itself does not keep its tasks alive
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.result())
        return task

    def close_with_followers(self) -> None:
        """Close this view when its last follower is closed, because no cell shows it by itself."""
        self._left = True

    def leave(self) -> None:
        """Close this view because its cell runs again; if others follow it, when the last of them is closed."""
        self._left = True
        if not self._followers:
            self.close()

    def close(self) -> None:
        """Stop what runs, close all parts, and let go of everything, because `Out` may keep the view itself alive."""
        if self.comm is None:
            return
        for task in self._tasks:
            task.cancel()
        sources = [source for source, _, _ in self._watched]
        for source, handler, names in self._watched:
            source.unobserve(handler, names)
            if isinstance(source, Closable):
                source._followers -= 1
        alive = [source for source in sources if isinstance(source, Closable) and source.comm is not None]
        theirs = [*sources, *(source.above() for source in alive)]
        parts = [part for part in _widgets_in(self) if not any(part is other for other in theirs)]
        super().close()
        for part in parts:
            close(part)
        _empty(self)
        for source in sources:
            if isinstance(source, Closable) and source._left and not source._followers:
                source.close()


async def _to_the_end(work: Coroutine) -> None:
    """Wait for a coroutine, and for all tasks that it starts."""
    await work
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


def close(widget: ipywidgets.Widget) -> None:
    """Close a widget with its parts, its layout and its style, which ipywidgets does not close (ipywidgets #2308)."""
    if isinstance(widget, Closable) or widget.comm is None:
        widget.close()
        return
    parts = list(_widgets_in(widget))
    widget.close()
    for part in parts:
        close(part)
    _empty(widget)


def replace_children(box: ipywidgets.Box, *children: ipywidgets.Widget) -> None:
    """Show these widgets in a box, and close those that it no longer shows."""
    before = box.children
    box.children = children
    for old in before:
        if not any(old is child for child in children):
            close(old)


def _widgets_in(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Yield the widgets among a widget's traits and attributes, and in lists and dicts there, except `Shared` ones."""
    for value in [*widget._trait_values.values(), *vars(widget).values()]:
        inner = value.values() if isinstance(value, dict) else value
        for member in inner if isinstance(inner, list | tuple | type({}.values())) else [inner]:
            if isinstance(member, ipywidgets.Widget) and not isinstance(member, Shared):
                yield member


def _empty(widget: ipywidgets.Widget) -> None:
    """Remove all observers, attributes and trait values, so that what they hold is freed now, and not when the garbage
    collector comes."""
    widget.unobserve_all()
    for name in [name for name in vars(widget) if not name.startswith(("_trait", "_cross_validation"))]:
        delattr(widget, name)
    widget._trait_values.clear()


# --- which cell runs -------------------------------------------------------------------------------------------------


def _running_cell() -> str | None:
    """Return the id of the notebook cell that is running; None outside a cell, or where no front-end names it."""
    kernel = getattr(get_ipython(), "kernel", None)
    return kernel.get_parent().get("metadata", {}).get("cellId") if kernel else None


def _leave(info) -> None:
    """Close what a cell made last time, before it runs again."""
    for view in living():
        # Closing one view may have closed another.
        if info.cell_id and view.comm is not None and view._cell == info.cell_id:
            view.leave()


if get_ipython() is not None:
    get_ipython().events.register("pre_run_cell", _leave)
