"""Work that runs beside everything else, so that a reader can stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

running: set[asyncio.Task] = set()  # an event loop itself does not keep its tasks alive


def beside(work: Coroutine) -> asyncio.Task | None:
    """Do some work beside everything else, so that buttons are heard; at once where there is no event loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # a plain script
        asyncio.run(work)
        return None
    task = loop.create_task(work)
    running.add(task)
    task.add_done_callback(running.discard)
    task.add_done_callback(lambda done: done.cancelled() or done.result())
    return task
