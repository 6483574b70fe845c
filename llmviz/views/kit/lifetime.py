"""How long a view lives: until something takes its place, or the cell that made it runs again.

ipywidgets keeps every widget that was ever made, shown or not, with all it holds. So a view says what it observes
(`watch`) and what it works at (`beside`), and lets go of both, and of all its parts, when it is closed; and what a
cell has made is closed when that cell runs again. JupyterLab, Notebook 7 and VS Code tell the kernel which cell runs;
where no front-end names the cell (a terminal, nbclient), nothing is closed.
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
    """What many views refer to: it stays when one of them is closed."""


class Closable(traitlets.HasTraits):
    """What every view can do: follow something else, work while other cells run, and clean up when it is closed.

    What a view says of itself, to whatever follows it and to `llmviz page`, is declared here and nowhere else.
    """

    def above(self) -> ipywidgets.Widget | None:
        """Return what is shown above each view that follows this one, such as a text box; None: nothing."""
        return None

    def dims(self, view: ipywidgets.DOMWidget) -> None:
        """Let another view be pale while it does not show what is typed here. Without a box nothing is typed."""

    def page_values(self) -> dict:
        """Return what a page without a kernel may send of a picture now: the values of each trait that it may set."""
        return {}

    def needs_kernel(self) -> Sequence[ipywidgets.Widget]:
        """Return the buttons and cards that only a kernel should answer; on a page they are disabled and say so."""
        return ()

    def before_a_page(self) -> None:
        """Begin what a page without a kernel should find done, such as a training."""

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

        A hidden view that nothing follows waits until it is on the page, and then shows the last one only.
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

    def beside(self, work: Coroutine) -> asyncio.Task | None:
        """Do some work in steps, so that buttons are heard meanwhile; at once where there is no event loop."""
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

    def goes_with_its_followers(self) -> None:
        """No cell shows it by itself: it is closed with the last view that watches it."""
        self._left = True

    def leave(self) -> None:
        """The cell that made this view runs again: close it, at the latest when nothing on the page follows it."""
        self._left = True
        if not self._followers:
            self.close()

    def close(self) -> None:
        """Stop what runs, observe nothing, close all parts, and hold nothing any more: `Out` keeps the view itself."""
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
    """Do it, and all the work that it begins."""
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
    """Show these in a box, and close what was there and is shown no more."""
    before = box.children
    box.children = children
    for old in before:
        if not any(old is child for child in children):
            close(old)


def _widgets_in(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """The widgets among a widget's traits and attributes, in its lists and dicts as well, but those that all share."""
    for value in [*widget._trait_values.values(), *vars(widget).values()]:
        inner = value.values() if isinstance(value, dict) else value
        for member in inner if isinstance(inner, list | tuple | type({}.values())) else [inner]:
            if isinstance(member, ipywidgets.Widget) and not isinstance(member, Shared):
                yield member


def _empty(widget: ipywidgets.Widget) -> None:
    """Leave a shell: no observers, no attributes, every trait at its default. It frees what it held at once, without
    the garbage collector, which would come much later."""
    widget.unobserve_all()
    for name in [name for name in vars(widget) if not name.startswith(("_trait", "_cross_validation"))]:
        delattr(widget, name)
    widget._trait_values.clear()


# --- which cell runs -------------------------------------------------------------------------------------------------


def _running_cell() -> str | None:
    """The id of the notebook cell that is running now; None outside a cell, or where no front-end names it."""
    kernel = getattr(get_ipython(), "kernel", None)
    return kernel.get_parent().get("metadata", {}).get("cellId") if kernel else None


def _leave(info) -> None:
    """Before a cell runs: whatever it made last time goes."""
    for view in living():
        # One that is closed by now has gone with another one.
        if info.cell_id and view.comm is not None and view._cell == info.cell_id:
            view.leave()


if get_ipython() is not None:
    get_ipython().events.register("pre_run_cell", _leave)
