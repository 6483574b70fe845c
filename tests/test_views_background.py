"""Work beside everything else: its steps, its end, and what a reader does meanwhile."""

import asyncio
import gc

import pytest

from llmviz.views import attention
from llmviz.views.kit.background import Background, Experiment
from llmviz.views.kit.picture import Explorer
from llmviz.views.kit.text_box import Prompt


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


def test_two_presses_that_come_at_once_leave_the_button_as_it_was():
    one = Experiment("Run")

    async def scene():
        for _ in range(5):
            one.start(counting([]), one.buttons[0])
            await asyncio.sleep(0)
        assert one.buttons[0].description == "stop"
        one.stop()
        one.start(counting([], 2), one.buttons[0])

        while one._work.busy:
            await asyncio.sleep(0)

    asyncio.run(scene())
    assert one.buttons[0].description == "Run"


def test_what_runs_in_a_view_that_is_closed_ends_first():
    """And nothing of it is left to fail when the garbage collector comes."""
    one, seen = Experiment("Run"), []

    async def scene():
        one.start(counting(seen), one.buttons[0])
        await asyncio.sleep(0)
        one.close()
        assert seen == [0, "end"]
        await asyncio.sleep(0.01)

    asyncio.run(scene())
    gc.collect()
    assert seen == [0, "end"]


@pytest.fixture
def matter(tiny_model):
    return attention.DoesItMatter(Prompt(tiny_model, "The cat sat on the dog"), "The dog sat on the cat")


def begun(view, done) -> None:
    """Press the only button, let some steps run, do something, and let the rest have its time."""

    async def scene():
        view.buttons[0].click()
        while not view.progress.value:
            await asyncio.sleep(0)
        assert view.buttons[0].description == "stop"
        done()
        await asyncio.sleep(0.02)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "change",
    [
        lambda view: setattr(view.prompt.box, "value", "The dog ran"),
        lambda view: setattr(view.partner.box, "value", "The man sat on the cat"),
        lambda view: view.exchange.click(),
        lambda view: view.buttons[0].click(),
        lambda view: view.close(),
    ],
    ids=["text", "partner", "exchange", "second press", "close"],
)
def test_what_is_asked_anew_ends_the_runs_of_all_heads(matter, change):
    begun(matter, lambda: change(matter))
    assert not hasattr(matter, "effect")


def test_the_page_answers_while_all_heads_are_run(matter):
    begun(matter, lambda: (matter.top[0].click(), matter.choose([])))
    assert matter.leads[0, 1] == pytest.approx(matter.leads[0, 0], abs=1e-4)
    assert matter._work.busy or hasattr(matter, "effect")


def test_another_draw_ends_the_one_before(tiny_model):
    view = attention.Induction(tiny_model, n=8)

    async def scene():
        view.seed.value = 1
        view.seed.value = 2
        while view._work.busy:
            await asyncio.sleep(0)

    asyncio.run(scene())
    fresh = attention.Induction(tiny_model, n=8, seed=2)
    assert view.without == pytest.approx(fresh.without, rel=1e-3)
    assert view.without_random == pytest.approx(fresh.without_random, rel=1e-3)
    assert view.told.sentences == fresh.told.sentences
