"""Hold a kernel for each open page, some pages ready for the next visitors, and a limit.

A page is *ready* when its notebook has run in its own kernel and no visitor has it yet, so the next visitor gets it at
once. While nobody is waiting, the pool prepares more, of the page that most of the last visitors asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field

from llmviz import machine
from llmviz.where import VARIABLE

MB_OF_A_KERNEL = 300  # after a notebook has run, 100 to 130 are its own; training and long texts take more
MOST_MB_OF_A_KERNEL = 1000  # the heaviest page takes a third of this; above it, somebody does it on purpose
LEAST_MB = 700  # of free memory before another kernel starts, because other programs may have taken some
MB_OF_THE_REST = 2000  # the system, a browser, this server, and the model's file that all kernels share
MOST = 60  # pages at once, even if there is memory for more
READY = 12  # at most so many pages are kept ready
AT_A_TIME = 2  # notebooks that run at the same time
ALONE = 90.0  # seconds without a connection until a kernel ends: phones sleep, and networks fail for a moment
IDLE = 40 * 60.0  # seconds without any action of the visitor until a kernel ends
LOOK_EVERY = 2.0  # seconds
LOWER = 5  # how far a kernel's priority is below that of the server, which everybody needs

# One thread each: the threads of thirty kernels would slow each other down.
ENVIRONMENT = {
    "LLMVIZ_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    VARIABLE: "class",  # no text box opens a file
    # Ipywidgets tells all pages of a kernel what one of them has set. In a class, a kernel has one page.
    "JUPYTER_WIDGETS_ECHO": "0",
}

log = logging.getLogger(__name__)


# Why a kernel was ended, as its page says it.
ANOTHER_PAGE = "You opened another page, so the model of this one was ended."
NOTHING_DONE = "Nothing was done here for a long time, so the model of this page was ended."
TOO_LARGE = "The model of this page took more memory than a page may, so it was ended."


class PoolFull(Exception):
    """No further page can be open now."""


@dataclass(eq=False)
class Session:
    """One page and its kernel."""

    notebook: str
    visitor: str = ""  # who has it
    kernel: str = ""  # its id; empty until it has started
    parts: list[str] = field(default_factory=list)  # of the HTML, if the page was made ready
    running: bool = True  # its cells
    its_turn: bool = False
    connections: int = 0
    comms: int = 0  # opened by the page
    began: float = 0.0  # when the visitor came
    seen: float = field(default_factory=time.monotonic)  # when there was a connection
    touched: float = field(default_factory=time.monotonic)  # when the visitor's page last sent something


def pages_for(available: int) -> int:
    """Return how many pages may be open at once with this many bytes of free memory."""
    return max(1, min(MOST, (available // 1_000_000 - MB_OF_THE_REST) // MB_OF_A_KERNEL))


def is_memory_left() -> bool:
    """Return whether there is memory for one more kernel. A machine that swaps is slow for everybody."""
    return machine.free_memory() > LEAST_MB * 1_000_000


class SessionPool:
    """The open pages, the pages that are ready, and their kernels.

    kernels: Jupyter's manager of kernels. make: takes a session, yields the parts of its page, and calls `start` for
    its kernel. front: the page that is kept ready at first. each: how many pages one visitor may have open.
    """

    def __init__(
        self, kernels, make: Callable[[Session], AsyncIterator[str]], limit: int, front: str, each: int = 1
    ):
        self.kernels, self.limit, self.each, self._make = kernels, limit, each, make
        self.taken: set[Session] = set()
        self.ready: list[Session] = []
        self._making: set[Session] = set()  # being made ready
        self._asked = deque([front] * 5, maxlen=5)
        self._ended: deque[tuple[str, str]] = deque(maxlen=1000)  # kernels, and why
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._tasks: set[asyncio.Task] = set()

    def take(self, notebook: str, visitor: str = "") -> Session:
        """Return a session for a visitor, if possible one that is ready. Raises PoolFull.

        If the visitor already has `each` sessions, the oldest ends. A visitor without a name may have any number.
        """
        own = sorted((s for s in self.taken if visitor and s.visitor == visitor), key=lambda s: s.began)
        for old in own[: max(0, len(own) - self.each + 1)]:
            self.leave(old, ANOTHER_PAGE)
        session = next((ready for ready in self.ready if ready.notebook == notebook), None)
        if len(self.taken) >= self.limit or not (self.ready or is_memory_left()):
            raise PoolFull
        self._asked.append(notebook)
        if session:
            self.ready.remove(session)
        else:
            session = Session(notebook)
            if self.ready and self._is_full():
                self._later(self._end(self.ready.pop(0)))
        session.visitor = visitor
        session.began = session.seen = session.touched = time.monotonic()
        self.taken.add(session)
        return session

    @property
    def expected(self) -> str:
        """Return the notebook to make ready: the one that most of the last visitors asked for."""
        return Counter(self._asked).most_common(1)[0][0]

    def expect(self, notebook: str) -> None:
        """Keep this one ready first, because many will soon ask for it."""
        self._asked.extend([notebook] * 5)

    async def page(self, session: Session) -> AsyncGenerator[str, None]:
        """Yield the parts of a session's page as soon as each is made."""
        for part in session.parts:
            yield part
        session.parts = []
        if session.running:
            async for part in self._run(session):
                yield part
        session.seen = time.monotonic()

    async def start(self, session: Session) -> str:
        """Start the kernel of a session when it is its turn, and return its id."""
        await self._turns.acquire()
        session.its_turn = True
        session.kernel = await self.kernels.start_kernel(
            kernel_name="python3",
            env=os.environ | ENVIRONMENT,
            extra_arguments=[
                "--HistoryManager.enabled=False"
            ],  # all kernels would share one history file, which nobody needs
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):
                os.setpriority(
                    os.PRIO_PROCESS, self.kernels.get_kernel(session.kernel).provisioner.pid, LOWER
                )
        return session.kernel

    def leave(self, session: Session, why: str = "") -> None:
        """End the kernel and free the session. why: a sentence for a visitor who is still there."""
        if session in self.taken:
            self.taken.remove(session)
            if why:
                self._ended.append((session.kernel, why))
            self._later(self._end(session))

    def session_of(self, kernel: str) -> Session | None:
        return next((session for session in self.taken if session.kernel == kernel), None) if kernel else None

    def why_ended(self, kernel: str) -> str:
        """Return why a kernel was ended while its page was open; "" if it was not."""
        return dict(self._ended).get(kernel, "")

    def before(self, session: Session) -> int:
        """Return how many visitors' pages are ahead."""
        return sum(other.running and other.seen < session.seen for other in self.taken)

    async def alive(self, session: Session) -> bool:
        return session.kernel in self.kernels and await self.kernels.get_kernel(session.kernel).is_alive()

    def own_memory(self, session: Session) -> int:
        """Return the bytes of memory that only this session's kernel uses; 0 if that is unknown."""
        try:
            return machine.own_memory(self.kernels.get_kernel(session.kernel).provisioner.pid)
        except Exception:  # it has just ended
            return 0

    def open(self) -> None:
        """Start ending unused sessions, forgetting dead ones, and making pages ready."""
        self._later(self._watch())

    async def close(self) -> None:
        """End everything."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        kernels = self.kernels.list_kernel_ids()
        ends = (self.kernels.shutdown_kernel(kernel, now=True) for kernel in kernels)
        await asyncio.gather(*ends, return_exceptions=True)  # those still starting end with this process

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:  # one faulty kernel must not stop the pool
                log.exception("while looking after the kernels")
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        now = time.monotonic()
        for session in [*self.ready, *self.taken]:
            if session.running:
                continue
            if session.connections:
                session.seen = now
            why = ""
            if not await self.alive(session):
                log.warning("a kernel has died")
            elif self.own_memory(session) > MOST_MB_OF_A_KERNEL * 1_000_000:
                why = TOO_LARGE
            elif session in self.ready or (now - session.seen < ALONE and now - session.touched < IDLE):
                continue
            elif now - session.touched >= IDLE:
                why = NOTHING_DONE
            if session in self.ready:
                self.ready.remove(session)
                self._later(self._end(session))
            else:
                self.leave(session, why)
        if len(self._making) < AT_A_TIME and not any(session.running for session in self.taken):
            self._later(self._make_ready())

    async def _make_ready(self) -> None:
        """Make pages ready until there are enough or a visitor waits."""
        while not any(session.running for session in self.taken):
            notebook = self.expected
            others = [session for session in self.ready if session.notebook != notebook]
            if len(self.ready) - len(others) + len(self._making) >= min(READY, self.limit - len(self.taken)):
                return
            if others and (len(self.ready) + len(self._making) >= READY or self._is_full()):
                self.ready.remove(others[0])
                await self._end(others[0])
            elif self._is_full():
                return
            session = Session(notebook)
            self._making.add(session)
            try:
                session.parts = [part async for part in self._run(session)]
                if await self.alive(session):
                    self.ready.append(session)
            except Exception:
                log.exception("a page could not be made ready")
                await self._end(session)
                return
            finally:
                self._making.remove(session)

    def _is_full(self) -> bool:
        """Return whether there is no room for another kernel."""
        used = len(self.taken) + len(self.ready) + len(self._making)
        return used >= self.limit or not is_memory_left()

    async def _run(self, session: Session) -> AsyncIterator[str]:
        try:
            async for part in self._make(session):
                yield part
        finally:
            session.running = False
            if session.its_turn:
                session.its_turn = False
                self._turns.release()

    async def _end(self, session: Session) -> None:
        if session.kernel in self.kernels:
            with contextlib.suppress(Exception):  # it may be ending by itself
                await self.kernels.shutdown_kernel(session.kernel, now=True)

    def _later(self, doing) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)  # a task without a reference would be garbage-collected
        task.add_done_callback(self._tasks.discard)
