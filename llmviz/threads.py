"""Give NumPy's BLAS as many threads as there are free cores.

BLAS spreads a product over all cores that it sees. That is right for a single kernel. If several work at the same time,
their threads compete for the cores, and each takes many times as long. So before the model multiplies,

    share_cores()

splits the cores that this process may use among the processes that are working now. Each of them writes the time into
its place in a small file that all processes on this machine share, and counts the recent times of the others. This
needs no lock and no cleaning up, because the time of a killed process gets old. Without the file, a process assumes
that it is the only one. If BLAS takes no number (Accelerate on a Mac), nothing changes. If other programs keep the
machine busy, a process takes one thread.
"""

import contextlib
import math
import os
import stat
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from llmviz import machine

PLACES = 1024  # two processes whose ids differ by a multiple of this share a place, and may miss each other
PLACE = np.dtype([("process", "<i8"), ("seen", "<f8")])  # seen: seconds since 1970
LOOK_EVERY = 0.05  # seconds between two looks; a call in between costs almost nothing
FRESH = 1.0  # seconds: longer than the pauses while a slider is dragged or a page runs all its cells


class Sharing:
    """Counts the processes at work through the file at `path`, and sets the threads of this one's BLAS."""

    def __init__(self, path: Path):
        self.path = path
        self._cores = machine.cores()
        self._lock = threading.Lock()  # JupyterLab may run two callbacks in two threads
        self._looked = -math.inf
        self._bounds: list[int] = []  # what each BLAS takes by default, or what the reader set
        self._set: list[int] = []  # and the number that was set here
        self._holding = 0  # how many are in `one_thread`
        self._before: list[int] = []  # the numbers of threads before `one_thread`

    def __call__(self) -> None:
        """Tell BLAS how many threads are free now. This looks at most 20 times a second.

        BLAS keeps the number afterwards, because pictures and the reader's own cells multiply as well.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = now
            if self._holding:
                self.others()  # report it nevertheless
            elif self._libraries:
                self._share()
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def one_thread(self) -> Iterator[None]:
        """Let BLAS take one thread in here: with another number, the last bits of sums differ."""
        with self._lock:
            if not self._holding:
                self._before = [blas.get_num_threads() for blas in self._libraries]
                for blas in self._libraries:
                    _set_threads(blas, 1)
            self._holding += 1
        try:
            yield
        finally:
            with self._lock:
                self._holding -= 1
                if not self._holding:
                    for blas, number in zip(self._libraries, self._before):
                        _set_threads(blas, number)

    def others(self) -> int:
        """Report that this process is working, and return how many others have reported within the last second."""
        own, now = os.getpid(), time.time()
        try:
            with open(_open(self.path), "r+b", buffering=0) as file:
                file.seek(own % PLACES * PLACE.itemsize)
                file.write(np.array((own, now), PLACE).tobytes())
                file.seek(0)
                content = file.read(PLACES * PLACE.itemsize)
        except OSError:
            return 0
        places = np.frombuffer(content, PLACE, len(content) // PLACE.itemsize)
        fresh = (places["seen"] > now - FRESH) & (places["seen"] < now + FRESH)
        return int(np.count_nonzero(fresh & (places["process"] != own)))

    @cached_property
    def _libraries(self) -> list:
        from threadpoolctl import ThreadpoolController

        libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        return [blas for blas in libraries if blas.get_num_threads()]  # some libraries have no such function

    def _share(self) -> None:
        others, chosen = self.others(), chosen_threads(self._cores)
        free = 1 if crowded() else max(1, self._cores // (1 + others))
        current = [blas.get_num_threads() for blas in self._libraries]
        if not self._set:
            self._bounds = current  # OPENBLAS_NUM_THREADS and the like count here
        else:  # a number that others have set since, as with threadpool_limits(…), is the new bound
            self._bounds = [
                bound if number == ours else number
                for bound, number, ours in zip(self._bounds, current, self._set)
            ]
        for blas, number, bound in zip(self._libraries, current, self._bounds):
            if number != (wanted := chosen or min(free, bound)):
                _set_threads(blas, wanted)
        self._set = [blas.get_num_threads() for blas in self._libraries]


def _set_threads(blas, number: int) -> None:
    blas.set_num_threads(number)
    # From threadpoolctl 3.8 on, OpenBLAS obeys the first thread that sets the number until it restores it.
    if let_go := getattr(blas, "clear_controlling_thread", None):
        let_go()


def crowded(loads: Path = Path("/proc/loadavg")) -> bool:
    """Return whether more threads want to run on this machine than it has cores, as far as Linux says.

    This includes other programs, and kernels in other containers. On its own, a BLAS that takes all cores stays just
    below. A wrong yes costs part of 50 ms; a wrong no made one trace ten times as long.
    """
    fields = machine.file_text(loads).split()  # 0.20 0.18 0.12 3/450 1234: now 3 of 450 threads want to run
    running = fields[3].partition("/")[0] if len(fields) > 3 else ""
    return running.isdecimal() and int(running) > (os.cpu_count() or 1)


def chosen_threads(cores: int) -> int | None:
    """Return `LLMVIZ_THREADS`, but no more than `cores`, or None if it is not set. Warn if it cannot be used."""
    text = os.environ.get("LLMVIZ_THREADS")
    if not text:
        return None
    number = int(text) if text.strip().isdecimal() else 0
    if 0 < number <= cores:
        return number
    used = f"{cores} are used" if number else "it is not used"
    warnings.warn(
        f"The environment variable LLMVIZ_THREADS is {text!r}, so {used}. Set it to a whole number from 1 to {cores}, "
        "the cores that this process may use, or unset it to use as many threads as there are free cores.",
        stacklevel=1,
    )
    return cores if number else None


def _open(path: Path) -> int:
    """Open a file that everybody on this machine may write, and create it if necessary. Never follow a link."""
    flags = (
        os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    )
    try:
        file = os.open(path, flags)
    except FileNotFoundError:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
        if hasattr(os, "fchmod"):
            os.fchmod(file, 0o666)  # undo the umask, because the users of a class differ
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{path} is not a file")
    return file


# All users of a Linux machine share this folder. Elsewhere, only one user's processes see each other.
_SHARED = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())

share_cores = Sharing(_SHARED / "llmviz-at-work")
