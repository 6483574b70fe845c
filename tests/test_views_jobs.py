"""Jobs of a view: begun by a button or by the state, watched, stopped, and shared by all views of a text."""

import asyncio

import pytest
from example_view import Example
from widget_tree import in_event_loop, is_shown, until

from llmviz.views import Prompt
from llmviz.views.kit import measurements
from llmviz.views.kit.view import job

pytestmark = pytest.mark.usefixtures("no_pauses")
ENDED = []  # how far each addition came, with the first token of its text


class Watched(Example):
    """Says how far each addition came, and can't weigh a seventh token."""

    @job("steps", "seed")
    def add(self, scene):
        numbers = scene.result("add") or ()
        try:
            for share, result in Example.add(self, scene):
                numbers = result or numbers
                yield share, result
        finally:  # while the view still holds everything
            ENDED.append((scene.run.pieces[0], len(numbers)))

    @job("scale", start=lambda view: "weigh", when=lambda view, scene: scene.status("add") == "done")
    def weigh(self, scene):
        for share, weights in Example.weigh(self, scene):
            if len(weights) == 7:
                raise ArithmeticError("seven")
            yield share, weights


@pytest.fixture
def prompt(tiny_model):
    return Prompt(tiny_model, "The cat")


def added(view) -> str:
    """How many numbers are added up, with an ellipsis while more are to come; empty: nothing is shown."""
    sentence = repr(view.parts["sum"]) if is_shown(view, "sum") else ""
    return sentence.partition(" ")[0] + "…" * sentence.endswith("…")


def n_weighed(view) -> int:
    return len(view.parts["weights"].pieces) if is_shown(view, "weights") else 0


def label(view, button: str) -> str:
    return view.parts[button].description if is_shown(view, button) else ""


def test_where_nothing_waits_all_is_done_at_once(prompt):
    view = Watched(prompt)
    assert added(view) == "6"
    assert not is_shown(view, "progress")
    assert (label(view, "add"), label(view, "weigh"), n_weighed(view)) == ("", "weigh", 0)
    view.parts["weigh"].click()
    assert n_weighed(view) == len(prompt.tokens)
    assert not view.busy


@in_event_loop
async def test_a_stop_leaves_what_is_known_and_going_on_begins_there(prompt):
    view = Watched(prompt, steps=9)
    await until(lambda: added(view) == "2…")
    assert label(view, "add") == "Stop"
    assert is_shown(view, "progress")
    assert view.parts["progress"].value == pytest.approx(2 / 9)
    assert view.parts["weigh"].disabled
    view.parts["add"].click()
    assert not view.busy
    assert ENDED[-1][1] == 2  # there and then
    assert (added(view), label(view, "add")) == ("2…", "Continue")
    assert not is_shown(view, "progress")
    view.controls["scale"].value = 0.5  # it is not begun again by itself
    assert not view.busy
    view.parts["add"].click()
    assert (added(view), label(view, "add")) == ("2…", "Stop")
    await until(lambda: not view.busy)
    assert added(view) == "9"
    assert not view.parts["weigh"].disabled


@in_event_loop
async def test_another_state_ends_a_job_which_begins_again_with_that_state(prompt):
    view = Watched(prompt, steps=9)
    await until(lambda: added(view) == "2…")
    view.controls["steps"].value = 3
    assert added(view) == "2…"  # until there is something to show
    for steps in (3, 9):
        view.controls["steps"].value = steps
        await until(lambda: not view.busy)
        assert added(view) == f"{steps}"
    view.controls["steps"].value = 7
    view.parts["add"].click()  # stopped before its first result, it shows nothing old
    assert added(view) == ""
    view.parts["add"].click()
    await until(lambda: not view.busy)
    assert added(view) == "7"


@in_event_loop
async def test_all_views_of_a_text_share_a_job_and_any_may_stop_it(prompt):
    first, second = Watched(prompt, steps=9), Watched(prompt, steps=9)
    await until(lambda: added(first) == "2…")
    assert first.busy
    assert not second.busy
    assert (added(second), label(second, "add")) == ("2…", "Stop")
    assert second.parts["progress"].value == first.parts["progress"].value
    second.parts["add"].click()
    assert not first.busy
    assert label(first, "add") == "Continue"
    first.parts["add"].click()
    first.close()  # and the other one carries on
    assert ENDED[-1] == (prompt.trace.pieces[0], 2)
    await until(lambda: not second.busy)
    assert added(second) == "9"


@in_event_loop
async def test_a_button_starts_a_job_and_stops_it(prompt):
    view = Watched(prompt)
    view.parts["weigh"].click()
    await until(lambda: not view.busy)
    assert n_weighed(view) == 0  # the press came too early
    view.parts["weigh"].click()
    await until(lambda: n_weighed(view) == 1)
    assert label(view, "weigh") == "Stop"
    view.controls["steps"].value = 7  # another job's
    view.parts["weigh"].click()
    await until(lambda: not view.busy)
    assert (n_weighed(view), label(view, "weigh")) == (1, "weigh")
    view.parts["weigh"].click()
    await until(lambda: not view.busy)
    assert n_weighed(view) == len(prompt.tokens)
    prompt.box.value = "A dog"
    await until(lambda: not view.busy)
    assert n_weighed(view) == 0


@in_event_loop
async def test_an_error_ends_a_job_and_what_is_known_stays(prompt):
    prompt.box.value = "the cat sat on the mat and the dog ran"
    view, errors = Watched(prompt), []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: errors.append(context["exception"])
    )
    await until(lambda: not view.busy)
    view.parts["weigh"].click()
    await until(lambda: errors)
    assert [str(error) for error in errors] == ["seven"]
    assert not view.busy
    assert (n_weighed(view), label(view, "weigh")) == (6, "weigh")


def test_what_is_shown_is_not_forgotten(prompt, monkeypatch):
    view = Watched(prompt, steps=2)
    known = measurements.measurements_of(prompt)
    monkeypatch.setattr(measurements, "nbytes", lambda _measured: 1)
    monkeypatch.setattr(measurements, "MAX_BYTES", 2)
    for steps in (3, 4, 5):
        view.controls["steps"].value = steps
    assert added(view) == "5"
    results = [known.of(view.key("add", Example.State(steps=steps))).result for steps in (2, 3, 4, 5)]
    assert [result and len(result) for result in results] == [None, None, 4, 5]
    monkeypatch.setattr(measurements, "MAX_BYTES", 0)
    view.controls["steps"].value = 6
    assert added(view) == "6"
