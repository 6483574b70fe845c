"""Keep one visitor from blocking the server for others: the requests of one address take turns."""

from __future__ import annotations

import asyncio
import time

LONGEST = 10.0  # seconds that anybody waits


class TooMany(Exception):
    """One address sends too many requests. It has already waited."""


class Turns:
    """Let each address do something `at_once` times, and then once every `seconds`.

    An address that asks more often has to wait; the others do not. A refusal comes after a wait as well, because the
    next request would otherwise follow at once.
    """

    def __init__(self, seconds: float, at_once: int):
        self.seconds, self.at_once = seconds, at_once
        # When each address has its next turn. A time in the past means that some turns are saved up.
        self._next: dict[str, float] = {}

    async def wait(self, address: str) -> None:
        """Return when it is this address's turn. Raises TooMany, after a wait."""
        now = time.monotonic()
        saved_up = now - self.seconds * (self.at_once - 1)
        if len(self._next) > 1000:
            self._next = {other: turn for other, turn in self._next.items() if turn > saved_up}
        turn = max(self._next.get(address, 0), saved_up)
        if turn > now + LONGEST:
            await asyncio.sleep(LONGEST)
            raise TooMany
        self._next[address] = turn + self.seconds
        if turn > now:
            await asyncio.sleep(turn - now)
