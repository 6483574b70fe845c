"""Work beside everything else: its steps, its end, and what a reader does meanwhile."""

import asyncio
import gc

import pytest

from llmviz.views.kit.background import Background
from llmviz.views.kit.picture import Explorer


def counting(seen: list, n: int = 100):
    try:
        for i in range(n):
            seen.append(i)
            yield 0
    finally:
        seen.append("end")


def test_without_an_event_loop_all_is_done_at_once():
    seen, work = [], Background(Explorer())
    work.start(counting(seen, 3))
    assert seen == [0, 1, 2, "end"]
    assert not work.busy


def test_stopping_ends_the_work_there_and_then():
    seen, work = [], Background(Explorer())

    async def scene():
        work.start(counting(seen))
        await asyncio.sleep(0)
        assert work.busy
        assert work.stop()
        assert seen[-1] == "end"
        assert not work.stop()
        await asyncio.sleep(0.01)

    asyncio.run(scene())
    assert seen == [0, "end"]


def test_other_work_ends_the_one_before():
    first, second = [], []
    work = Background(Explorer())

    async def scene():
        work.start(counting(first))
        await asyncio.sleep(0)
        work.start(counting(second, 2))
        while work.busy:
            await asyncio.sleep(0)

    asyncio.run(scene())
    assert (first, second) == ([0, "end"], [0, 1, "end"])


def test_work_may_stop_itself():
    work, seen = Background(Explorer()), []

    def steps():
        yield 0
        work.stop()
        yield 0
        seen.append("too far")

    work.start(steps())
    assert not seen
    assert not work.busy


def test_an_error_is_told_and_leaves_nothing_busy():
    work = Background(Explorer())

    def steps():
        yield 0
        raise KeyError("wrong")

    with pytest.raises(KeyError):
        work.start(steps())
    assert not work.busy


def test_what_runs_in_a_view_that_is_closed_ends_first():
    """And nothing of it is left to fail when the garbage collector comes."""
    view, seen = Explorer(), []

    async def scene():
        Background(view).start(counting(seen))
        await asyncio.sleep(0)
        view.close()
        assert seen == [0, "end"]
        await asyncio.sleep(0.01)

    asyncio.run(scene())
    gc.collect()
    assert seen == [0, "end"]
