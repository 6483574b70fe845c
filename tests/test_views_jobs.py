"""Jobs of a view: begun by a button or by the state, watched, stopped, and shared by all views of a text."""

import asyncio
from dataclasses import dataclass

import pytest
from widget_tree import until

from llmviz.views import Prompt
from llmviz.views.kit import measurements
from llmviz.views.kit.controls import Sentences
from llmviz.views.kit.state_fields import number
from llmviz.views.kit.view import View, job, part

pytestmark = pytest.mark.usefixtures("no_pauses")
ENDED = []  # how far each count came, with the first token of its text


class Counting(View):
    """Counts up to `n` by itself, and its tokens at the press of a button."""

    @dataclass(frozen=True)
    class State:
        n: int = number(5, "n", 9)
        other: int = number(0, "other", 9)

    def arrange(self):
        p = self.parts
        return [*self.controls.values(), self.progress, p["count"], p["tokens"], p["reached"], p["read"]]

    def needs(self, _state):
        return "up"

    @job("n")
    def up(self, scene):
        reached = scene.result("up") or []
        try:
            while len(reached) < scene.n:
                reached = [*reached, len(reached)]
                yield len(reached) / scene.n, reached
        finally:  # while the view still holds everything
            ENDED.append((scene.run.pieces[0], len(reached)))

    @job(start="Read the tokens", when=lambda view, scene: scene.status("up") == "done")
    def tokens(self, scene):
        for i, _ in enumerate(scene.run.tokens, start=1):
            if i == 7:
                raise ArithmeticError("seven")
            yield i / len(scene.run.tokens), i

    @part(lambda _: Sentences())
    def count(self, scene):
        reached = scene.result("up")
        return None if reached is None else {"sentences": [f"{reached}"]}

    @part(lambda _: Sentences())
    def reached(self, scene):
        return {"sentences": ["done" if scene.status("up") == "done" else "not done"]}

    @part(lambda _: Sentences())
    def read(self, scene):
        number_read = scene.result("tokens")
        return None if number_read is None else {"sentences": [f"{number_read} read"]}


@pytest.fixture
def prompt(tiny_model):
    return Prompt(tiny_model, "The cat")


def shown(view, name):
    widget = view.parts[name]
    return "hidden" if widget.layout.display == "none" else getattr(widget, "description", repr(widget))


def test_where_nothing_waits_all_is_done_at_once(prompt):
    view = Counting(prompt)
    assert shown(view, "count") == "[0, 1, 2, 3, 4]"
    assert shown(view, "reached") == "done"
    assert (shown(view, "up"), shown(view, "progress")) == ("hidden", "hidden")
    assert (shown(view, "tokens"), shown(view, "read")) == ("Read the tokens", "hidden")
    view.parts["tokens"].click()
    assert shown(view, "read") == f"{len(prompt.tokens)} read"
    assert not view.busy


def test_a_stop_leaves_what_is_known_and_going_on_begins_there(prompt):
    async def scene():
        view = Counting(prompt, n=9)
        await until(lambda: shown(view, "count") == "[0, 1, 2]")
        assert (shown(view, "up"), shown(view, "progress")) == ("Stop", view.parts["progress"].description)
        assert view.parts["progress"].value == pytest.approx(3 / 9)
        assert view.parts["tokens"].disabled
        view.parts["up"].click()
        assert not view.busy
        assert ENDED[-1][1] == 3  # there and then
        assert (shown(view, "count"), shown(view, "up")) == ("[0, 1, 2]", "Continue")
        assert (shown(view, "progress"), shown(view, "reached")) == ("hidden", "not done")
        view.controls["other"].value = 3  # it is not begun again by itself
        assert not view.busy
        view.parts["up"].click()
        assert (shown(view, "count"), shown(view, "up")) == ("[0, 1, 2]", "Stop")
        await until(lambda: not view.busy)
        assert shown(view, "count") == f"{[*range(9)]}"
        assert not view.parts["tokens"].disabled

    asyncio.run(scene())


def test_another_state_ends_a_job_which_begins_again_with_that_state(prompt):
    async def scene():
        view = Counting(prompt, n=9)
        await until(lambda: shown(view, "count") == "[0, 1]")
        view.controls["n"].value = 3
        assert shown(view, "count") == "[0, 1]"  # until there is something to show
        await until(lambda: not view.busy)
        assert shown(view, "count") == "[0, 1, 2]"
        view.controls["n"].value = 9
        await until(lambda: not view.busy)
        assert shown(view, "count") == f"{[*range(9)]}"

    asyncio.run(scene())


def test_what_was_stopped_before_its_first_result_shows_nothing_old(prompt):
    async def scene():
        view = Counting(prompt, n=3)
        await until(lambda: not view.busy)
        view.controls["n"].value = 9
        view.parts["up"].click()
        assert shown(view, "count") == "hidden"
        view.parts["up"].click()
        await until(lambda: not view.busy)
        assert shown(view, "count") == f"{[*range(9)]}"

    asyncio.run(scene())


def test_all_views_of_a_text_share_a_job_and_any_may_stop_it(prompt):
    async def scene():
        first, second = Counting(prompt, n=9), Counting(prompt, n=9)
        await until(lambda: shown(first, "count") == "[0, 1, 2]")
        assert first.busy
        assert not second.busy
        assert (shown(second, "count"), shown(second, "up")) == ("[0, 1, 2]", "Stop")
        assert second.parts["progress"].value == first.parts["progress"].value
        second.parts["up"].click()
        assert not first.busy
        assert shown(first, "up") == "Continue"
        first.parts["up"].click()
        first.close()  # and the other one carries on
        assert ENDED[-1] == (prompt.trace.pieces[0], 3)
        await until(lambda: not second.busy)
        assert shown(second, "count") == f"{[*range(9)]}"

    asyncio.run(scene())


def test_a_button_starts_a_job_and_stops_it(prompt):
    async def scene():
        view = Counting(prompt)
        view.parts["tokens"].click()
        await until(lambda: not view.busy)
        assert shown(view, "read") == "hidden"  # the press came too early
        view.parts["tokens"].click()
        await until(lambda: shown(view, "read") == "1 read")
        assert shown(view, "tokens") == "Stop"
        view.controls["n"].value = 7  # another job's
        view.parts["tokens"].click()
        await until(lambda: not view.busy)
        assert (shown(view, "read"), shown(view, "tokens")) == ("1 read", "Read the tokens")
        view.parts["tokens"].click()
        await until(lambda: not view.busy)
        assert shown(view, "read") == f"{len(prompt.tokens)} read"
        prompt.box.value = "A dog"
        await until(lambda: not view.busy)
        assert shown(view, "read") == "hidden"

    asyncio.run(scene())


def test_an_error_ends_a_job_and_what_is_known_stays(prompt):
    prompt.box.value = "the cat sat on the mat and the dog ran"
    view = Counting(prompt)

    async def scene():
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: errors.append(context["exception"])
        )
        view.parts["tokens"].click()
        await until(lambda: errors)

    errors = []
    asyncio.run(scene())
    assert [str(error) for error in errors] == ["seven"]
    assert not view.busy
    assert (shown(view, "read"), shown(view, "tokens")) == ("6 read", "Read the tokens")


def test_what_is_shown_is_not_forgotten(prompt, monkeypatch):
    view = Counting(prompt, n=2)
    known = measurements.measurements_of(prompt)
    monkeypatch.setattr(measurements, "nbytes", lambda _measured: 1)
    monkeypatch.setattr(measurements, "MAX_BYTES", 2)
    for n in (3, 4, 5):
        view.controls["n"].value = n
    assert shown(view, "count") == "[0, 1, 2, 3, 4]"
    results = {n: known.of(view.key("up", Counting.State(n=n))).result for n in (2, 3, 4, 5)}
    assert results == {2: None, 3: None, 4: [0, 1, 2, 3], 5: [0, 1, 2, 3, 4]}
    monkeypatch.setattr(measurements, "MAX_BYTES", 0)
    view.controls["n"].value = 6
    assert shown(view, "count") == "[0, 1, 2, 3, 4, 5]"
