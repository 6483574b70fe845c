"""One training at a time: two of them on a page would take twice as long each, and some are compared by the clock."""

from __future__ import annotations

from typing import ClassVar
from weakref import ref

from llmviz.views.kit.view import View

TRAINED_WITHIN = 150  # seconds of computing for a training that a page without a kernel should find done


class OneTraining(View):
    """A view whose job is a training: it stops where another one of the page begins, or where its cell runs again."""

    _latest: ClassVar[ref[OneTraining] | None] = None

    def interrupt(self) -> None:
        """Stop what runs; what is known stays."""
        for key in [work.doing for work in self._work.values() if work.doing]:
            self._measurements.set(key, status="stopped")

    def leave(self) -> None:
        """Its cell runs again: the training stops, even where another picture still follows it."""
        self.interrupt()
        super().leave()

    def _keep_up(self) -> None:
        super()._keep_up()
        if self.busy:
            other, OneTraining._latest = OneTraining._latest and OneTraining._latest(), ref(self)
            if other not in (None, self) and other.comm is not None:
                other.interrupt()
