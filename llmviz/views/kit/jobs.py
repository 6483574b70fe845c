"""What a view runs in the background, and when: its jobs, and the events that happen by themselves."""

from __future__ import annotations

import contextlib
import time
from asyncio import sleep
from collections.abc import Callable, Generator, Hashable, Iterator
from typing import Any, ClassVar
from weakref import ref

from llmviz.model import Trace
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.measurements import Measurement, Measurements, measurements_of
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import as_sentence

Steps = Generator[float, None, None]


class Background:
    """Runs one piece of work at a time for one view; `doing` is its key, None where nothing runs.

    The work is a generator that does a step and yields the seconds to wait before the next, so that the page can
    answer. No step runs during a control's handler, and none after `stop()`, which runs the generator's `finally`.
    """

    doing: Hashable = None
    _steps: Steps | None = None

    def __init__(self, view: Closable):
        self._view = view

    @one_at_a_time
    def start(self, steps: Steps) -> None:
        """Begin; where there is no event loop (a plain script), do all steps at once."""
        self._steps = steps
        self._view.in_background(self._run(steps))

    @one_at_a_time
    def stop(self) -> None:
        """End what runs."""
        steps, self._steps, self.doing = self._steps, None, None
        if steps is not None and not steps.gi_running:  # A generator cannot close itself.
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


class Working(Explorer):
    """The base of `View` that runs its jobs and the events that happen by themselves.

    Results are kept with the source on which they were measured, under the `key` of a job and a state.
    """

    jobs: ClassVar[dict[str, Callable]] = {}

    def _get_ready(self, source: Any) -> None:
        self._measurements = Measurements() if source is None else measurements_of(source)
        self._work = {name: Background(self) for name in (*self.jobs, "")}  # "": the events

    # --- what a view says of its work ---

    def needs(self, state: Any) -> str | tuple[str, ...] | None:
        """Return the name of the job, or names of the jobs, that a state needs; they run until they are done.

        Unless a view overrides this, they are all jobs that no button starts.
        """
        return tuple(name for name, job in self.jobs.items() if not job.start)

    def by_itself(self, state: Any) -> Callable | None:
        """Return the event that happens by itself in a state, a moment later, or None."""
        return None

    def pause(self, state: Any) -> float:
        """Return how many seconds a state is shown before the event `by_itself`."""
        return 0.01  # enough for the page to draw, and for the stop button to be heard

    def inputs(self) -> Hashable:
        """Return what results depend on apart from the state: the model and the text, or else the source's `trace`."""
        if isinstance(self.run, Trace):
            return ref(self.run.model), tuple(self.run.tokens)
        return self.run and ref(self.run)

    # --- what is known ---

    def needed(self, state: Any) -> tuple[str, ...]:
        """Return the jobs that `needs` names, as a tuple."""
        needed = self.needs(state)
        return needed if isinstance(needed, tuple) else (needed,) if needed else ()

    def key(self, name: str, state: Any) -> Hashable:
        """Return what a job's result depends on."""
        reads = self.jobs[name].reads
        return type(self), name, self.inputs(), tuple(getattr(state, read) for read in reads)

    def _measured(self, name: str, state: Any) -> Measurement:
        return self._measurements.of(self.key(name, state))

    @property
    def busy(self) -> bool:
        """Say whether something runs in this view."""
        return any(work.doing for work in self._work.values())

    # --- begin and end ---

    @one_at_a_time
    def _start_or_stop(self, name: str) -> None:
        key, shown = self.key(name, self.state), self._drawn[name][1]
        comes_too_late = shown.get("disabled") or shown.get("hidden")
        if self._measurements.of(key).status == "running":
            self._measurements.set(key, status="stopped")
        elif not comes_too_late:
            self._begin(name, key)

    def _keep_up(self) -> None:
        """Run what the state needs and what the reader has begun, and nothing else."""
        for name, work in self._work.items():
            wanted = self._wanted(name)
            if work.doing not in (None, wanted):
                self._end(name)
            if wanted and not work.doing:
                self._begin(name, wanted)

    def _wanted(self, name: str) -> Hashable:
        """Return the key of this job if it should run now, else None; for the name "", the event `by_itself`."""
        if not name:
            return self.by_itself(self.state)
        key = self.key(name, self.state)
        status, needed = self._measurements.of(key).status, name in self.needed(self.state)
        begun = needed or self.jobs[name].start
        goes_on = status == "running" and begun and self._work[name].doing == key  # not in another view
        return key if goes_on or (status == "new" and needed) else None

    def _begin(self, name: str, wanted: Any) -> None:
        self._end(name)
        work = self._work[name]
        work.doing = wanted  # before any view hears of it
        if name:
            self._measurements.set(wanted, status="running", share=0.0, seconds_left=None, problem="")
        work.start(self._measure(name, wanted, self.state) if name else self._go_on(wanted))

    def _end(self, name: str) -> None:
        key = self._work[name].doing
        self._work[name].stop()
        if name and key and self._measurements.of(key).status == "running":
            self._measurements.set(key, status="new")

    def close(self) -> None:
        """Stop what runs, and close as each view does."""
        if self.comm is not None:
            self._measurements.views.discard(self)
            for name in self._work:
                self._end(name)
        super().close()

    # --- the work itself ---

    def _go_on(self, event: Callable) -> Iterator[float]:
        """Repeat an event as long as it changes the state."""
        before = None
        while self.state != before:
            yield self.pause(self.state)
            before = self.state
            self._happen(event)

    def _measure(self, name: str, key: Hashable, state: Any) -> Iterator[float]:
        scene = self.scene(state)
        try:
            yield 0.05  # While a slider moves, only its last value is worth the work.
            began = time.monotonic()
            with contextlib.closing(self.jobs[name](self, scene)) as steps:
                for share, result in steps:
                    if result is not None or share - self._measurements.of(key).share > 0.01:
                        left = (time.monotonic() - began) * (1 / share - 1) if share else None
                        new = {} if result is None else {"result": result}
                        self._measurements.set(key, share=share, seconds_left=left, **new)
                    yield 0.002
        except Exception as error:  # The job is not tried again by itself: it would fail at once.
            problem = as_sentence(error) if isinstance(error, FloatingPointError | ValueError) else ""
            self._measurements.set(key, status="stopped", problem=problem)
            if not isinstance(error, FloatingPointError):
                raise
        else:
            self._measurements.set(key, status="done")

    def do_job(self, name: str, state: Any, seconds: float) -> bool:
        """Do a job of a state now, for at most so many seconds of computing; say whether it is done."""
        key, end = self.key(name, state), time.process_time() + seconds
        if seconds > 0 and self._measurements.of(key).status != "done":
            with contextlib.closing(self._measure(name, key, state)) as steps:
                for _ in steps:
                    if time.process_time() > end:
                        self._measurements.set(key, status="new", result=None)
                        break
        return self._measurements.of(key).status == "done"
