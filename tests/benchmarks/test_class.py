"""Thirty visitors of a class on this machine, as plain clients: how long until the page is there, and until a moved
slider has changed its picture; the same with kernels killed at random; and while 500 requests for the list of pages and
100 wrong passwords are on the way all the time.

    pytest tests/benchmarks/test_class.py -n 0 -s --jaxtyping-packages=

The front page is opened by all within a minute; then each moves the temperature once a second for two minutes.
`CLASS_VISITORS` and `CLASS_SECONDS` in the environment make it smaller.
"""

import asyncio
import contextlib
import os
import random
import signal
import statistics
import time

import psutil
import pytest
from browser.lab import at_home, free_port
from visitor import Served, Visitor, a_class, enter, flood, index_request, login_request

# Tornado's client complains of its own connections that were cut.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*WebSocketClientConnection:pytest.PytestUnraisableExceptionWarning"
)

VISITORS = int(os.environ.get("CLASS_VISITORS", 30))
SECONDS = int(os.environ.get("CLASS_SECONDS", 120))
ARRIVE = SECONDS / 2  # seconds within which all come
WORD = "Birne"
PICTURE = "llmviz.views.kit.next_token_bars.NextTokenBars"


def p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


def megabytes(served: Served) -> tuple[float, float]:
    """What the server and all of its kernels have for themselves, and the largest kernel."""
    own = psutil.Process(served.process.pid)
    kernels = []
    for process in own.children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it was just killed
            kernels.append(process.memory_full_info().uss / 1e6)
    return own.memory_full_info().uss / 1e6 + sum(kernels), max(kernels)


async def come(served: Served, delay: float) -> tuple[Visitor, float]:
    """Arrive, ask for the page and all its files, connect; seconds until all widgets are known."""
    await asyncio.sleep(delay)
    reader, start = Visitor(served.url, headers=await enter(served, WORD)), time.perf_counter()
    assert await reader.open(assets=True) == 200
    return reader, time.perf_counter() - start


async def again(reader: Visitor) -> Visitor:
    """What the page does when its kernel has died: it loads again."""
    reader.socket.close()
    new = Visitor(reader.url, headers=reader.headers)
    while await new.open() != 200:
        await asyncio.sleep(1)
    return new


async def use(reader: Visitor, until: float, killed: set[str], back: list[float]) -> tuple[list[float], int]:
    """Move the slider once a second; the seconds until each picture, and how often the kernel had died."""
    times, deaths, step = [], 0, random.randrange(18)  # the first is no 1, which it has
    while time.monotonic() < until:
        begin, step = time.monotonic(), step + 1
        (slider,) = reader.find(description="Temperature")
        picture, *_ = reader.pictures(PICTURE)  # the loop comes first on the page
        moved = asyncio.ensure_future(
            reader.seconds_to_change(slider, picture, value=0.05 + (step % 38) / 20, patience=60)
        )
        while not moved.done():
            await asyncio.wait([moved], timeout=4)  # so often a page asks for its kernel
            if not moved.done() and await reader.status() == 404:
                assert reader.kernel in killed, "a kernel was lost"
                moved.cancel()
                deaths += 1
                start = time.perf_counter()
                reader = await again(reader)
                back.append(time.perf_counter() - start)
                break
        else:
            times.append(moved.result())
        await asyncio.sleep(max(0, begin + 1 - time.monotonic()))
    await reader.leave()
    return times, deaths


async def attack(served: Served) -> None:
    """Hold 500 requests for the list of pages and 100 wrong words on the way, from three addresses."""
    request = index_request((await enter(served, WORD))["Cookie"])
    await asyncio.gather(
        flood(served, 250, request, "127.0.0.2", SECONDS),
        flood(served, 250, request, "127.0.0.3", SECONDS),
        flood(served, 100, login_request("Apfel"), "127.0.0.4", SECONDS),
    )


@pytest.mark.parametrize(
    ("kills", "attacked"), [(0, False), (6, False), (6, True)], ids=["alive", "killed", "attacked"]
)
def test_thirty_visitors(model, tmp_path, kills, attacked, capsys):
    options = ("--visitors", str(VISITORS + 2), "--password", WORD)
    with a_class(free_port(), *options, home=at_home(tmp_path)) as served:
        killed: set[str] = set()
        back: list[float] = []  # seconds until a page whose kernel had died was there again

        async def killer() -> None:
            for _ in range(kills):
                await asyncio.sleep(SECONDS / (kills + 2))
                process = random.choice(psutil.Process(served.process.pid).children())
                killed.add(
                    next(part for part in process.cmdline() if "kernel-" in part).split("kernel-")[1][:36]
                )
                process.send_signal(signal.SIGKILL)

        async def halfway() -> tuple[float, float]:
            await asyncio.sleep(SECONDS / 2)
            return await asyncio.to_thread(megabytes, served)

        async def lesson():
            await asyncio.sleep(10)  # the teacher starts it before the class comes
            came = await asyncio.gather(*(come(served, ARRIVE * i / VISITORS) for i in range(VISITORS)))
            until, death = time.monotonic() + SECONDS, asyncio.ensure_future(killer())
            attackers = asyncio.ensure_future(attack(served)) if attacked else None
            weighed = asyncio.ensure_future(halfway())
            used = await asyncio.gather(*(use(reader, until, killed, back) for reader, _ in came))
            await death
            if attackers:
                await attackers
            assert len(back) == sum(deaths for _, deaths in used)
            return [seconds for _, seconds in came], used, await weighed

        ready, used, (memory, largest) = asyncio.run(lesson())
    times = [duration for own, _ in used for duration in own]
    how = ", attacked" * attacked
    with capsys.disabled():
        print(
            f"\n{VISITORS} visitors{how}, {kills} kernels killed ({sum(deaths for _, deaths in used)} with a visitor): "
            f"ready after {statistics.median(ready):.1f} s (median), {max(ready):.1f} s (most); "
            f"slider to picture {1000 * statistics.median(times):.0f} ms (median), {1000 * p95(times):.0f} ms (95%), "
            f"{1000 * max(times):.0f} ms (most), of {len(times)}; "
            f"back after {', '.join(f'{duration:.1f}' for duration in back) or '-'} s; "
            f"memory {memory / 1000:.1f} GB, a kernel {largest:.0f} MB at most"
        )
    assert max(ready) < 60
    assert not attacked or p95(times) <= 0.3
