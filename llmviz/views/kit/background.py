"""Work that takes longer than a moment: done step by step beside everything else, watched, and stopped by a button."""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import Generator

import ipywidgets

from llmviz.views.kit.controls import Told, button
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import Explorer, one_at_a_time

Steps = Generator[float, None, None]


class Background:
    """One piece of work at a time, for one view; starting another one ends the one before.

    The work is a generator that does a step and yields the seconds to wait before the next: meanwhile the page
    answers. No step runs while a control's handler runs, and none after `stop()`, which runs the generator's `finally`.
    """

    def __init__(self, view: Closable):
        self._view = view
        self._steps: Steps | None = None
        view.before_closing(self.stop)

    @property
    def busy(self) -> bool:
        return self._steps is not None

    @one_at_a_time
    def start(self, steps: Steps) -> None:
        """Begin; where there is no event loop (a plain script), do it all."""
        self.stop()
        self._steps = steps
        self._view.beside(self._run(steps))

    @one_at_a_time
    def stop(self) -> bool:
        """End what runs; False where nothing did."""
        steps, self._steps = self._steps, None
        if steps is not None and not steps.gi_running:  # else its own step has come to this
            steps.close()
        return steps is not None

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
                self._steps = None
        return pause


class Experiment(Explorer):
    """An experiment of many runs: a button starts it, a bar shows how far it is, and a second press stops it."""

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
        self._work = Background(self)
        super().__init__()

    def __repr__(self) -> str:
        return super().__repr__() or "nothing has been run yet"

    @one_at_a_time
    def start(self, work: Steps, pressed: ipywidgets.Button) -> None:
        """Run `work`, which yields the share that is done, or stop what is running."""
        if not self._work.stop():
            self._work.start(self._with_bar(work, pressed))

    def stop(self) -> bool:
        """Stop what is running; False where nothing is."""
        return self._work.stop()

    def _with_bar(self, work: Steps, pressed: ipywidgets.Button) -> Steps:
        name = pressed.description
        pressed.description = "stop"
        others = [one for one in self.buttons if one is not pressed]
        for one in others:
            one.disabled = True
        self.progress.value, self.progress.description = 0, ""
        self.progress.layout.visibility = "visible"
        started = time.perf_counter()
        try:
            for share in work:
                if share - self.progress.value > 0.01:
                    left = (time.perf_counter() - started) * (1 / share - 1)
                    self.progress.value, self.progress.description = share, f"{left:.0f} s left"
                yield 0.001
        finally:
            pressed.description = name
            for one in others:
                one.disabled = False
            self.progress.layout.visibility = "hidden"
            work.close()
