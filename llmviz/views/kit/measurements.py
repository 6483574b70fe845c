"""Results of slow jobs, kept with the text box (or other source) on which they were measured, for all of its views."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable
from typing import Any
from weakref import WeakSet

from llmviz.reuse import kept_with

MAX_BYTES = 50_000_000  # of one source


class Measurements:
    """Results by what they depend on. The oldest go beyond `MAX_BYTES`, but none that a view shows."""

    def __init__(self) -> None:
        self.views: WeakSet = WeakSet()
        self._results: dict[Hashable, Any] = {}
        self._done: set[Hashable] = set()

    def keep(self, key: Hashable, result: Any) -> None:
        """Keep what a job has measured so far."""
        self._results.pop(key, None)
        self._results[key] = result
        shown = {key, *(shown for view in self.views for shown in view.keys_shown())}
        excess = sum(map(nbytes, self._results.values())) - MAX_BYTES
        for old in [old for old in self._results if old not in shown]:
            if excess <= 0:
                break
            excess -= nbytes(self._results.pop(old))
            self._done.discard(old)

    def finish(self, key: Hashable) -> None:
        """Note that a job has come to its end."""
        self._done.add(key)

    def result(self, key: Hashable) -> Any:
        """Return what is known so far; None where nothing is."""
        return self._results.get(key)

    def is_done(self, key: Hashable) -> bool:
        """Say whether a job has come to its end."""
        return key in self._done


@kept_with()
def measurements_of(source: Any) -> Measurements:
    """Return the measurements of a source, which live as long as it does."""
    return Measurements()


def nbytes(value: Any) -> int:
    """Return the `nbytes` of a result; where it says none, of all that do in its items or fields, however deep."""
    if hasattr(value, "nbytes"):
        return value.nbytes
    parts: Iterable[Any] = ()
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    elif dataclasses.is_dataclass(value):
        parts = vars(value).values()
    return sum(map(nbytes, parts))
