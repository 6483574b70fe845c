"""Results of slow jobs. They are kept with the text box (or other source) that they are about, for all of its views."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakSet

from llmviz.reuse import kept_with

MAX_BYTES = 50_000_000  # of results for one source


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is known of a job: its result so far, the share that is done, and whether it runs."""

    result: Any = None
    share: float = 0.0
    seconds_left: float | None = None
    status: Literal["new", "running", "stopped", "done"] = "new"  # "stopped" is by the reader
    problem: str = ""  # why it has stopped by itself


NOTHING = Measurement()


class Measurements:
    """Measurements by what they depend on. Beyond `MAX_BYTES` the oldest are dropped, except those that a view shows.

    After each change, all `views` catch up.
    """

    def __init__(self) -> None:
        self.views: WeakSet = WeakSet()
        self._measurements: dict[Hashable, Measurement] = {}

    def of(self, key: Hashable) -> Measurement:
        """Return what is known so far."""
        return self._measurements.get(key, NOTHING)

    def set(self, key: Hashable, **changes: Any) -> None:
        """Change what is known of a job, and let the views show it."""
        before = self._measurements.pop(key, NOTHING)
        after = dataclasses.replace(before, **changes)
        if after.status != "new" or after.result is not None:
            self._measurements[key] = after
        self._forget_the_oldest(key)
        for view in [*self.views]:
            view.catch_up()

    def _forget_the_oldest(self, newest: Hashable) -> None:
        excess = sum(map(nbytes, self._measurements.values())) - MAX_BYTES
        if excess <= 0:
            return
        shown = {newest, *(key for view in self.views for key in view.keys_shown())}
        for key in [key for key in self._measurements if key not in shown]:
            excess -= nbytes(self._measurements.pop(key))
            if excess <= 0:
                break


@kept_with()
def measurements_of(source: Any) -> Measurements:
    """Return the measurements of a source, which live as long as it does."""
    return Measurements()


def nbytes(value: Any) -> int:
    """Return the `nbytes` of a result, or their sum over its parts if it is a tuple, list, dict or dataclass."""
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
