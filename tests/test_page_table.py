"""The table of a page: in each state that it holds, it says what a new view shows, and leads where a view is led."""

import asyncio
import base64
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, fields

import numpy as np
import pytest
from example_view import Example
from test_views_contract import (  # noqa: F401 (fixtures)
    VIEWS,
    again,
    alike,
    each_view,
    two_countries,
)

from llmviz import views
from llmviz.page import table as page_table
from llmviz.views.differences import BeforeAfter, FineTuning
from llmviz.views.differences.example_table import ExampleTable
from llmviz.views.ffn import Fact, WhatTheMoverSays
from llmviz.views.kit.controls import Sentences
from llmviz.views.kit.lifetime import living
from llmviz.views.kit.state_fields import Noted, number, picked, replace, set_in
from llmviz.views.kit.view import View, job, part, press
from llmviz.where import VARIABLE

TEXT, OTHER = "The cat sat on the mat", "the dog"
STEPS = 30
SECONDS = 0.4  # of computing, for the table of a view

pytestmark = pytest.mark.usefixtures("unchecked", "nothing_measured", "no_pauses")


class Page:
    """A table as it is written, looked up as llmviz/page/replay.js does. meaning: of the numbers of each field."""

    def __init__(self, table, meaning):
        self.table, self.meaning = json.loads(json.dumps(table)), meaning
        self.state = self.table["state"]

    @staticmethod
    def find(rules, state, sent=None):
        for names, rows in rules:
            key = ",".join(str(sent if name == "in" else state.get(name)) for name in names)
            if key in rows:
                return rows[key]
        return None

    def value(self, number):
        return json.loads(self.table["values"][number])

    def shows(self, view, widget):
        """Return what a widget shows, by its traits; None where the page does not hold it."""
        drawn = self.find(self.table["views"][view]["widgets"][widget], self.state)
        traits = None if drawn is None else self.table["drawn"][drawn]
        return traits and {name: self.value(number) for name, number in traits.items()}

    def events(self, view):
        """Return what a reader can do with a view in this state: a widget, its trait, and what is sent."""
        found = {}
        for key, rules in self.table["views"][view]["events"].items():
            shows = self.shows(view, key.split()[0])
            if shows is None or shows["hidden"] or shows.get("disabled"):
                continue
            for names, rows in rules:
                for row in rows:
                    at = dict(zip(names, row.split(",")))
                    sent = int(at.pop("in", -1))
                    if all(number == str(self.state.get(name)) for name, number in at.items()):
                        found[(*key.split(), sent)] = None
        return [*found]

    def after(self, writes):
        """Return the state after some writes, with what follows; None where the page does not hold it."""
        state = self.state | self.table["writes"][writes]
        for n, view in enumerate(self.table["views"]):
            if any(state[run] != self.state[run] for run in view["follows"]):
                fits = self.find(view["fits"], state)
                if fits is None:
                    return None
                begin = state | self.table["writes"][fits]
                kept = begin | {name: state[name] for name in view["lasting"]}
                is_held = all(self.find(rules, kept) is not None for rules in view["widgets"].values())
                state = kept if is_held else begin
            if view["handed"]:
                run = state[f"{n}:run"] = self.find(view["handed"], state)
                if run is None:
                    return None
        views = self.table["views"]
        rules = [rules for view in views for rules in (*view["widgets"].values(), view["by_itself"])]
        return state if all(self.find(rule, state) is not None for rule in rules) else None

    def view_state(self, number, kind):
        """Return the state of a view."""
        names = [field.name for field in fields(kind)]
        return kind(
            **{name: self.meaning[f"{number}.{name}", self.state[f"{number}.{name}"]] for name in names}
        )


def page_of(shown, texts=(), seconds=SECONDS):
    """Return the table of some views, and the page that it makes."""
    meaning = {}

    class Noting(page_table.ViewTable):
        def numbered(self, values):
            numbers = super().numbered(values)
            meaning.update(zip(numbers.items(), dict(sorted(values.items())).values()))
            return numbers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_table, "ViewTable", Noting)
        patch.setattr(page_table, "PATIENCE", 0.3)
        table = page_table.PageTable([view.model_id for view in shown], texts)
        table.fill(seconds, lambda _share: None)
        for each in table.tables:
            each.view.hand_on(each.view.scene(each.view.state))
        return table, Page(table.written(), meaning)


def table_of(page, view):
    return next(table for table in page.tables if table.view is view)


def as_sent(widget):
    """Return what a widget shows, as a page has it."""
    return json.loads(page_table.encoded(widget.get_state())) | {"hidden": widget.layout.display == "none"}


def same(a, b):
    """Equal, but for the last digits of floats, and the ids of widgets."""
    match a, b:
        case {"$bytes": one}, {"$bytes": other} if one != other:
            arrays = [base64.b64decode(text) for text in (one, other)]
            return len(arrays[0]) % 4 == 0 and alike(*(np.frombuffer(array, np.float32) for array in arrays))
        case list(), list():
            return len(a) == len(b) and all(map(same, a, b))
        case dict(), dict():
            return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
        case str(), str() if a.startswith("IPY_MODEL_"):
            return b.startswith("IPY_MODEL_")
    return alike(a, b) or (
        isinstance(a, float | int) and isinstance(b, float | int) and alike(float(a), float(b))
    )


def too_near(page):
    """Return the values of a field, or of a control, that a browser takes for one: it keeps nine places."""
    sent = {*page.meaning}
    for view in page.table["views"]:
        for key, rules in view["events"].items():
            for names, rows in rules:
                sent |= {(key, int(dict(zip(names, row.split(",")))["in"])) for row in rows if "in" in names}
    texts = Counter()
    for of, place in sent:
        text = page.table["values"][place]
        rounded = json.loads(text, parse_int=float, parse_float=lambda digits: round(float(digits), 9))
        texts[of, json.dumps(rounded)] += 1
    return [text for text, n in texts.items() if n > 1]


@pytest.fixture(autouse=True)
def alone():
    """No other view lives."""
    for view in living():
        view.close()


def forget(view):
    """Forget what was measured for the table."""
    view._measurements._measurements.clear()
    view._measurements.views.clear()


# ---- each view -----------------------------------------------------------------------------------------------


class Walk:
    """A page beside new views: whatever happens on the page happens to one of them as well."""

    def __init__(self, made, page, view, seed=1):
        self.made, self.page, self.view = made, page, view
        self.table, self.rng = table_of(made, view), random.Random(seed)
        self.rules = page.table["views"][self.table.number]
        self.names = {widget.model_id: name for name, widget in self.table.widgets.items()}

    def new(self):
        """Return a new view in the state of the page, with the jobs begun that are done there."""
        view = again(self.view)
        view.become(self.page.view_state(self.table.number, view.State))
        for name in self.table.begun:
            is_new = view._measured(name, view.state).status != "done"
            if is_new and self.page.shows(self.table.number, self.table.widgets[name].model_id)["hidden"]:
                view.parts[name].click()
        return view

    def differences(self, new):
        """Return where a new view shows, or says of itself, something else than the page."""
        found = {}
        for name, widget in (new.parts | new.controls).items():
            if name in self.table.begun:
                continue  # A page hides the button once its job is done.
            says, shows = (
                self.page.shows(self.table.number, self.table.widgets[name].model_id),
                as_sent(widget),
            )
            if says is None:
                found[name] = "no rule"
                continue
            either_hidden = says["hidden"] or shows["hidden"]
            for trait, value in says.items():
                is_seen = trait == "hidden" or not either_hidden
                if is_seen and not same(value, shows.get(trait)):
                    found[name, trait] = value, shows.get(trait)
        return found

    def go(self, new, by_itself):
        """Let something happen, or what happens by itself, and see where both are led."""
        next_ = self.page.find(self.rules["by_itself"], self.page.state)
        event = by_itself(new, new.state)
        if next_ and event:
            self.page.state = self.page.after(next_[0]) or self.page.state
            assert self.page.view_state(self.table.number, new.State) == new.after(new.state, event)
            return
        assert not next_ or self.page.after(next_[0]) == self.page.state
        events = self.page.events(self.table.number)
        if not events:
            return
        widget_id, trait = self.rng.choice(sorted({event[:2] for event in events}))
        sent = self.rng.choice([sent for *of, sent in events if of == [widget_id, trait]])
        after = self.page.after(
            self.page.find(self.rules["events"][f"{widget_id} {trait}"], self.page.state, sent)
        )
        name = self.names[widget_id]
        if after is None:
            return
        before, heard, widget = new.state, [], (new.parts | new.controls)[name]
        if trait == "click":
            widget.click()
        else:
            widget.observe(heard.append, trait)
            widget.set_state({trait: self.page.value(sent)})
            if not heard:  # Its script never sends this, or it is what is there.
                return
        self.page.state = after
        assert self.page.view_state(self.table.number, new.State) == new.state, (name, trait, before)


@each_view
def test_it_says_what_a_new_view_shows(tiny_model, make, monkeypatch):
    prompt = views.Prompt(tiny_model, TEXT)
    runs, run_on = {tuple(prompt.trace.tokens): prompt.trace}, prompt.run_on
    prompt.run_on = lambda tokens: runs.get(tuple(tokens)) or runs.setdefault(tuple(tokens), run_on(tokens))
    view = make(prompt)
    made, page = page_of([view, prompt], [OTHER])
    assert too_near(page) == []
    forget(view)
    if type(view).before_a_page is not View.before_a_page:
        view.before_a_page()
    by_itself = type(view).by_itself
    monkeypatch.setattr(type(view), "by_itself", lambda view, state: None)
    walk = Walk(made, page, view)
    text = next((Walk(made, page, prompt) for table in made.tables if table.view is prompt is not view), None)
    for _ in range(STEPS):
        new = walk.new()
        assert walk.differences(new) == {}, (new.state, prompt.state)
        if text and walk.rng.random() < 0.2:
            text.go(prompt, View.by_itself)
        else:
            walk.go(new, by_itself)
        new.close()


def test_a_text_of_the_menu_changes_all_that_follows_it(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    view = Example(prompt)
    made, page = page_of([prompt, view], [OTHER, "a"])
    forget(view)
    text, example = Walk(made, page, prompt), Walk(made, page, view)
    box = prompt.parts["box"]
    events = page.events(text.table.number)
    assert {page.value(sent) for *_, sent in events} == {TEXT, OTHER, "a"}
    shown = set()
    for *_, sent in events:
        rules = text.rules["events"][f"{box.model_id} value"]
        page.state = page.after(page.find(rules, page.state, sent))
        prompt.become(page.view_state(text.table.number, prompt.State))
        assert prompt.state.text == page.value(sent)
        new = example.new()
        assert example.differences(new) == {}
        shown.add(tuple(page.shows(example.table.number, view.parts["strip"].model_id)["pieces"]))
    assert len(shown) == 3


def test_a_view_follows_one_that_follows_a_text(tiny_model):
    prompt = views.Prompt(tiny_model, TEXT)
    fact = Fact(prompt, "a")
    view = WhatTheMoverSays(fact)
    made, page = page_of([prompt, fact, view], [OTHER], seconds=3)
    forget(view)
    follower = Walk(made, page, view)
    shown = set()
    for source, name, trait, value in [
        (fact, "strip", "selected", 1),
        (prompt, "box", "value", OTHER),
        (fact, "strip", "selected", 0),
        (prompt, "box", "value", TEXT),
    ]:
        n, widget = table_of(made, source).number, source.parts[name]
        sent = page.table["values"].index(page_table.encoded(value))
        rules = page.table["views"][n]["events"][f"{widget.model_id} {trait}"]
        page.state = page.after(page.find(rules, page.state, sent))
        widget.set_state({trait: value})
        fact.become(page.view_state(table_of(made, fact).number, fact.State))
        assert follower.differences(follower.new()) == {}
        shown.add(str(page.shows(follower.table.number, view.parts["message"].model_id)))
    assert len(shown) > 2


class Tenths(View):
    """A slider, and a button that goes on by sums that no slider has."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        x: float = number(0.1, "x", 1.0, step=0.1)

    @press("more")
    def more(self, state):
        return replace(state, x=min(1.0, state.x + 0.2))


def test_sums_of_tenths_are_too_near_to_those_of_a_slider():
    _, page = page_of([Tenths(None)])
    assert ("0.x", "0.3") in too_near(page)  # 0.1 + 0.2


class InTurn(View):
    """A button measures something, and only its result says what else is needed."""

    stage = "sampling"

    def needs(self, state):
        return "second" if self.scene(state).result("first") else None

    @job(start="Begin")
    def first(self, scene):
        yield 1.0, 2

    @job()
    def second(self, scene):
        yield 1.0, scene.known("first") + 1

    @part(Sentences)
    def said(self, scene):
        return {"sentences": [str(scene.known("second"))]}


def test_what_a_result_makes_needed_is_measured_as_well():
    async def in_a_kernel():
        """Return what the page shows. Here nothing goes on in the background meanwhile."""
        view = InTurn(None)
        _, page = page_of([view])
        return page.shows(0, view.parts["said"].model_id)

    shown = asyncio.run(in_a_kernel())
    assert (shown["hidden"], shown["sentences"]) == (False, ["3"])


# ---- what it does not hold -----------------------------------------------------------------------------------


class Slow(View):
    """A number whose square takes some steps, fewer for small ones, and a button that a page leaves to the kernel."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        n: int = number(1, "n", 4)

    @press("ask")
    def ask(self, state):
        return replace(state, n=0)

    @press("never", when=lambda view, scene: False)
    def never(self, state):
        return replace(state, n=0)

    @press(lambda view, scene: "hide" * (scene.n == 1))
    def hide(self, state):
        return replace(state, n=3)

    def needs_kernel(self):
        return [self.parts["ask"]]

    @job("n")
    def square(self, scene):
        for i in range(scene.n):
            busy(0.1 if scene.n > 2 else 0)
            yield i / 9, None
        yield 1.0, scene.n**2

    @part(Sentences)
    def said(self, scene):
        return {"sentences": [f"{scene.known('square')}"]}


def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_what_it_does_not_hold_is_in_no_rule():
    view = Slow(None)
    made, page = page_of([view], seconds=0.05)
    walk = Walk(made, page, view)
    ids = {name: widget.model_id for name, widget in walk.table.widgets.items()}
    assert page.table["left_out"] == ["Slow"]
    assert page.table["views"][0]["full"] == [ids["ask"]]
    assert not any(key.startswith(ids["ask"]) for key in walk.rules["events"])
    assert walk.rules["events"][f"{ids['never']} click"] == []  # disabled in each state
    held = {
        page.value(sent): page.find(walk.rules["events"][f"{ids['n']} value"], page.state, sent)
        for of, trait, sent in page.events(0)
        if of == ids["n"]
    }
    assert {n: page.after(writes) is not None for n, writes in held.items()} == {
        0: True,
        1: True,
        2: True,
        3: False,
        4: False,
    }
    assert (ids["hide"], "click", -1) in page.events(0)
    page.state = page.after(held[2])
    assert page.shows(0, ids["said"])["sentences"] == ["4"]
    assert (ids["hide"], "click", -1) not in page.events(0)


@dataclass(frozen=True)
class Rows:
    rows: tuple = picked(
        (("a", "b"),), lambda rows, _: True, "rows", control=lambda rows, _: ExampleTable(rows)
    )


def test_a_box_keeps_what_it_holds():
    view = type("OfRows", (View,), {"State": Rows})(None)
    _, page = page_of([view])
    assert "children" not in page.shows(0, view.controls["rows"].model_id)


def test_what_follows_a_source_that_hands_on_nothing_is_left_out(tiny_model, monkeypatch):
    monkeypatch.setattr(page_table.ViewTable, "_are_measured", lambda table, *_: table.view is not prompt)
    prompt, shares = views.Prompt(tiny_model, TEXT), []
    page = page_table.PageTable([prompt.model_id, Example(prompt).model_id], [])
    page.fill(1, shares.append)
    assert shares == [0.5, 1]
    assert not any(rules for table in page.tables for rules in table.shown.values())


def test_what_a_training_has_done_is_shown_after_the_guess(tiny_chat, monkeypatch):
    monkeypatch.setenv(VARIABLE, "page")
    monkeypatch.setattr("llmviz.experiments.fine_tuned.N_ASKED", 1)
    tuning = FineTuning(tiny_chat, [("a", "b c")], steps=2)
    answers = BeforeAfter(tuning)
    tuning.before_a_page()
    assert answers.parts["table"].layout.display == "none"
    tuning.parts["card"].committed = True
    assert answers.parts["table"].layout.display != "none"


def test_a_state_that_cannot_be_is_led_to_by_nothing(tiny_model):
    view = Example(views.Prompt(tiny_model, TEXT))
    made, page = page_of([view])
    table = table_of(made, view)
    seeds = {page.meaning[f"{table.number}.seed", n] for f, n in page.meaning if f == f"{table.number}.seed"}
    assert seeds == {1, 2}
    steps = {
        page.value(sent) for of, _, sent in page.events(table.number) if of == view.controls["steps"].model_id
    }
    assert steps == {*range(2, 10)}


# ---- its parts -----------------------------------------------------------------------------------------------


def test_a_rule_holds_in_each_state_with_the_values_that_it_read():
    rules = page_table.Rules()
    rules.add({"a": 0, "b": 1}, 7)
    rules.add({"a": 3}, 0)
    states = {"a": 0, "b": 1, "c": 5}, {"a": 3, "b": 9}, {"a": 0, "b": 2}, {}
    assert [*map(rules.find, states)] == [7, 0, None, None]
    assert rules.written() == [[("a", "b"), {"0,1": 7}], [("a",), {"3": 0}]]
    rules.add({}, 5)
    assert rules.find({}) == 5
    assert rules.written()[-1] == [(), {"": 5}]


@dataclass(frozen=True)
class Three:
    a: int = 1
    b: int = 2
    c: int = 3


@pytest.mark.parametrize(
    ("event", "read", "is_set"),
    [
        (lambda state: replace(state, c=state.a), "a", {"c": 1}),
        (lambda state: replace(replace(state, c=5), b=9), "", {"c": 5, "b": 9}),
        (lambda state: replace(state, b=replace(state, c=5).c), "", {"b": 5}),  # what it has set itself
        (lambda state: replace(replace(state, c=5), b=state.c), "c", {"c": 5, "b": 3}),
        (lambda state: Three(c=state.b), "b", {"a": 1, "b": 2, "c": 2}),
        (lambda state: state, "", {}),
        (lambda state: replace(state, c=Noted(replace(state, b=5)).b), "", {"c": 5}),
        (lambda state: replace(state, c=Noted(replace(state, b=5)).a), "a", {"c": 1}),
    ],
)
def test_what_an_event_reads_and_sets(event, read, is_set):
    noted = Noted(Three())
    assert set_in(event(noted)) == is_set
    assert "".join(sorted(noted.read)) == read


def test_what_an_event_has_set_is_read_by_whatever_it_asks():
    inner = Noted(replace(Noted(Three()), b=5))
    assert (inner.a, inner.b, inner.read) == (1, 5, {"a": 1, "b": 5})


def test_states_are_not_compared_as_a_whole():
    """Nobody could see on which of the fields it depends."""
    with pytest.raises(TypeError, match="compares"):
        assert Noted(Three()) == Three()
    with pytest.raises(TypeError):
        hash(Noted(Three()))


def test_each_value_has_one_number_and_its_text():
    page = page_table.PageTable([], [])
    assert page.number(1) == page.number(1.0) != page.number(True)
    assert page.number((1, 2.0)) == page.number([1, 2]) != page.number("[1,2]")
    assert page.number(Three()) == page.number(Three()) != page.number(Three(0))
    assert page.number(None) not in (page.number(0), page.number(False), page.number(""))
    named = [f'{{"$python":"Three(a={a}, b=2, c=3)"}}' for a in (1, 0)]
    assert [*page.values] == ["1", "true", "[1,2]", '"[1,2]"', *named, "null", "0", "false", '""']


def test_bytes_are_written_as_text():
    assert json.loads(page_table.encoded({"a": b"\x00\xff", "b": memoryview(b"b")})) == {
        "a": {"$bytes": "AP8="},
        "b": {"$bytes": "Yg=="},
    }


def test_a_value_is_written_as_a_browser_writes_it():
    state = (3.0, 0.1 + 0.2), np.float64(1), 1e15, -0.0, (True, None, "1.0")
    written = '[[3,0.30000000000000004],1,1000000000000000,0,[true,null,"1.0"]]'
    assert page_table.encoded(page_table.canonical(state)) == written
