"""What a view leaves behind when it is closed: nothing."""

import asyncio
import gc
import types
import weakref

import ipywidgets
import pytest
import traitlets
from widget_tree import in_event_loop, until

from llmviz import views
from llmviz.views.attention import HeadExplorer
from llmviz.views.kit import lifetime
from llmviz.views.kit.picture import Explorer
from llmviz.views.kit.text_box import Prompt

TEXT = "The cat that I saw yesterday was sleeping"


def alive() -> int:
    return len(ipywidgets.widgets.widget._instances)


@pytest.fixture
def cell(monkeypatch):
    """A notebook's kernel: `cell("a")` begins to run cell a, `cell(None)` stands for a callback."""
    running = types.SimpleNamespace(id=None)
    monkeypatch.setattr(lifetime, "_running_cell", lambda: running.id)

    def run(cell_id):
        running.id = cell_id
        if cell_id is not None:
            lifetime._leave(types.SimpleNamespace(cell_id=cell_id))

    return run


def test_a_closed_view_holds_no_trace_even_where_somebody_holds_the_view(tiny_model):
    view = views.StageTour(tiny_model, tiny_model.trace(TEXT), stage="attention")
    trace = weakref.ref(view.run)
    view.close()
    assert trace() is None  # at once, without the garbage collector


def test_a_cell_that_runs_again_closes_what_it_made(tiny_model, cell):
    cell("a")
    first = views.LoopExplorer(tiny_model, TEXT)
    cell("b")
    second = views.LoopExplorer(tiny_model, TEXT)
    cell("a")
    assert first.comm is None
    assert second.comm is not None
    cell(None)
    second.controls["temperature"].value = 0.5
    third = views.Predict("Made by a callback?", answer=1)
    cell("b")
    assert second.comm is None
    assert third.comm is not None


def test_a_hundred_runs_of_one_cell(tiny_model, cell):
    trace = tiny_model.trace(TEXT)

    def run():
        cell("a")
        return views.HeatMap(trace.blocks[0].attention.pattern[0], trace.pieces)

    run()
    before, first = alive(), weakref.ref(run())
    for _ in range(100):
        run()
    assert alive() == before
    gc.collect()
    assert first() is None


def test_a_box_stays_as_long_as_another_cell_follows_it(tiny_model, cell):
    cell("box")
    box = Prompt(tiny_model, TEXT)
    cell("picture")
    picture = HeadExplorer(box)
    before = alive()
    cell("box")  # its cell runs again; the picture below still follows the old box
    assert box.comm is not None
    box.box.value = "The dog"
    assert picture.run is box.trace
    other = Prompt(tiny_model, TEXT)
    cell("picture")
    assert box.comm is None
    HeadExplorer(other)
    assert alive() == before


def test_a_closed_view_follows_nothing(tiny_model):
    box, source = Prompt(tiny_model, "first"), traitlets.HasTraits()  # which is no view
    source.add_traits(trace=traitlets.Any("first"))
    seen, view = [], Explorer()
    view.follow(box, lambda trace: seen.append("".join(trace.pieces)))
    view.follow(source, seen.append)
    box.box.value = source.trace = "then"
    view.close()
    box.box.value = source.trace = "later"
    assert seen == ["first", "first", "then", "then"]
    assert not box._followers


@in_event_loop
async def test_what_runs_is_stopped():
    view, steps = Explorer(), []

    async def work():
        while True:
            steps.append(1)
            await asyncio.sleep(0)

    task = view.in_background(work())
    await until(lambda: steps)
    view.close()
    await until(task.cancelled)


def test_what_is_watched_is_not_a_part(tiny_model):
    box = Prompt(tiny_model, TEXT)
    view = Explorer([box])  # shown in it, but somebody else's
    view.watch(box, print, "trace")
    view.close()
    assert box.comm is not None
