"""Experiments of many runs, started by a button and stopped by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import ipywidgets

from llmviz.views.kit.controls import Told, button
from llmviz.views.kit.picture import Explorer, one_at_a_time


class Slow(Explorer):
    """An experiment of many runs: a button starts it, a bar shows how far it is, and a second press stops it.

    `work()` does one run after another and yields the share that is done.
    """

    def __init__(self, *names: str):
        self.buttons = [button(name, look="primary") for name in names]
        self.progress = ipywidgets.FloatProgress(
            0,
            min=0,
            max=1,
            style={"description_width": "90px"},
            layout={"width": "min(400px, 70%)", "visibility": "hidden"},
        )
        self.told = Told()
        self._task: asyncio.Task | None = None
        super().__init__()

    def __repr__(self) -> str:
        return super().__repr__() or "nothing has been run yet"

    @one_at_a_time
    def start(self, work: Iterator[float], pressed: ipywidgets.Button) -> None:
        """Run `work` beside the kernel's other cells; where there is no event loop, at once."""
        if self.stop():
            return
        self._task = self.beside(self._steps(work, pressed))

    def stop(self) -> bool:
        """Stop what is running; False where nothing is."""
        running = self._task is not None and not self._task.done()
        return running and self._task.cancel()

    async def _steps(self, work: Iterator[float], pressed: ipywidgets.Button) -> None:
        name = pressed.description
        pressed.description = "stop"
        others = [one for one in self.buttons if one is not pressed]
        for one in others:
            one.disabled = True
        self.progress.layout.visibility = "visible"
        started = time.perf_counter()
        try:
            while (share := self._step(work)) is not None:
                if share - self.progress.value > 0.01 or share < self.progress.value:
                    left = (time.perf_counter() - started) * (1 / share - 1)
                    self.progress.value, self.progress.description = share, f"{left:.0f} s left"
                await asyncio.sleep(0.001)  # the page may answer in between
        finally:
            pressed.description = name
            for one in others:
                one.disabled = False
            self.progress.layout.visibility = "hidden"

    @one_at_a_time
    def _step(self, work: Iterator[float]) -> float | None:
        return next(work, None)
