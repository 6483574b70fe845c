"""One training at a time on a page, because two at once would each take twice as long."""

from __future__ import annotations

from typing import ClassVar
from weakref import ref

from llmviz.views.kit.view import View

TRAINED_WITHIN = 150  # seconds of computing for a training that a page without a kernel should find done


BY_ANOTHER = "Another training has started, so this one has stopped. Press Continue afterwards."


class OneTraining(View):
    """A view whose job is a training: it stops when another training begins, or when its cell runs again."""

    _latest: ClassVar[ref[OneTraining] | None] = None

    def interrupt(self) -> None:
        """Stop what runs, because another training begins; the result so far stays."""
        for key in [work.doing for work in self._work.values() if work.doing]:
            self._measurements.set(key, status="stopped", problem=BY_ANOTHER)

    def leave(self) -> None:
        """Close this view because its cell runs again; the training stops even if other views still follow it."""
        self.interrupt()
        super().leave()

    def _keep_up(self) -> None:
        super()._keep_up()
        if self.busy:
            other, OneTraining._latest = OneTraining._latest and OneTraining._latest(), ref(self)
            if other not in (None, self) and other.comm is not None:
                other.interrupt()
