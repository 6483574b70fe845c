"""What the methods of a view read: a state, the run, results, and what the view's parts share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmviz.views.kit.state_fields import Noted

if TYPE_CHECKING:
    from llmviz.views.kit.view import View


class NothingToShow(Exception):
    """Raised where there is nothing to draw: pictures are hidden, and sentences show its message instead."""


class NotMeasured(NothingToShow):
    """Raised where a result is missing: while its job runs, the part keeps what it shows; otherwise it is hidden."""


class Scene:
    """What a part may read: the `run`, the fields of the state, results, and what the view's parts share.

    It notes which results are read, and its state which fields. `shown` are the traits of the part drawn from it.
    """

    shown: dict[str, Any]

    def __init__(self, view: View, state: Any, run: Any):
        self._view, self.state, self.run = view, Noted(state), run
        # The keys are the job's name and the field of its `Measurement`.
        self.measured_read: dict[tuple[str, str], Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self._view._shared:
            scene, value = self._view._compute(name, self)
            self.measured_read |= scene.measured_read
            if isinstance(value, NothingToShow):
                raise value
            return value
        return self._view._fields[name].means(getattr(self.state, name), self._view)

    def result(self, name: str) -> Any:
        """Return what a job has measured so far; None before its first result."""
        return self.measured(name, "result")

    def known(self, name: str) -> Any:
        """Return what a job has measured so far; `NotMeasured` before its first result."""
        if (result := self.result(name)) is None:
            raise NotMeasured(f"{name} has no result yet")
        return result

    def status(self, name: str) -> str:
        """Return whether a job is "new", "running", "stopped" or "done"."""
        return self.measured(name, "status")

    def measured(self, name: str, what: str) -> Any:
        """Return a field of a job's `Measurement`, such as "share" or "problem"."""
        if (name, what) not in self.measured_read:
            self.measured_read[name, what] = getattr(self._view._measured(name, self.state), what)
        return self.measured_read[name, what]
