"""Work in a copy of this process (`os.fork`): nothing has to be put back, and what takes too long is ended."""

from __future__ import annotations

import io
import math
import os
import pickle
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable, Iterator

PATIENCE = 6  # seconds of computing beyond a share: one state may take so long
STUCK = 300  # seconds by the clock: a child that waits for something for ever


def in_a_child(work: Callable[[Callable], object], seconds: float = PATIENCE) -> list:
    """What `work` sends, by the function that it is given, until it ends or has computed for so many seconds."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the other threads here none is needed there
        child = os.fork()
    if not child:
        _be_the_child(work, seconds, reading, writing)
    os.close(writing)
    data, end = bytearray(), time.monotonic() + STUCK
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0, end - time.monotonic()))[0]:
            if not (block := pipe.read(1 << 20)):
                break
            data += block
        else:
            os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return [*_unpickled(bytes(data))]


def _be_the_child(work: Callable[[Callable], object], seconds: float, reading: int, writing: int) -> None:
    try:
        os.close(reading)
        # The lower of the two limits ends it; the other can't be raised again, and a child's own child has to.
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), most))
        with os.fdopen(writing, "wb") as pipe:

            def send(thing: object) -> None:
                pickle.dump(thing, pipe)
                pipe.flush()

            work(send)
    finally:
        os._exit(0)  # nothing of the kernel ends here, and no error goes further


def _unpickled(data: bytes) -> Iterator[object]:
    """All that is whole: a child may have been ended in the middle of something."""
    stream = io.BytesIO(data)
    try:
        while True:
            yield pickle.load(stream)
    except (EOFError, pickle.UnpicklingError):
        return


def computed(*who: int) -> float:
    """Seconds of computing, whatever else the machine does meanwhile: of this process and its ended children."""
    used = [resource.getrusage(one) for one in who or (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
