"""Work that takes longer than a moment: it goes on step by step while a page is used, and a button stops it."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Generator, Hashable

from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import one_at_a_time

Steps = Generator[float, None, None]


class Background:
    """One piece of work at a time, for one view: what it is `doing`, None where nothing runs.

    The work is a generator that does a step and yields the seconds to wait before the next: meanwhile the page
    answers. No step runs while a control's handler runs, and none after `stop()`, which runs the generator's `finally`.
    """

    doing: Hashable = None
    _steps: Steps | None = None

    def __init__(self, view: Closable):
        self._view = view

    @one_at_a_time
    def start(self, steps: Steps) -> None:
        """Begin; where there is no event loop (a plain script), do it all."""
        self._steps = steps
        self._view.beside(self._run(steps))

    @one_at_a_time
    def stop(self) -> None:
        """End what runs."""
        steps, self._steps, self.doing = self._steps, None, None
        if steps is not None and not steps.gi_running:  # else its own step has come to this
            steps.close()

    async def _run(self, steps: Steps) -> None:
        while (pause := self._step(steps)) is not None:
            await sleep(pause)

    @one_at_a_time
    def _step(self, steps: Steps) -> float | None:
        if steps is not self._steps:
            steps.close()
            return None
        pause = None
        try:
            pause = next(steps, None)
        finally:  # after an error, too
            if pause is None and steps is self._steps:
                self.stop()
        return pause
