"""The table of a page: in each state that it holds, it says what a new view shows, and leads where a view is led."""

import base64
import json
import random
from dataclasses import fields, replace

import ipywidgets
import numpy as np
import pytest
from test_views_contract import (  # noqa: F401 (fixtures)
    VIEWS,
    again,
    alike,
    each_view,
    no_pauses,
    two_countries,
)

from llmviz import views
from llmviz.views import page_table
from llmviz.views.kit.lifetime import living
from llmviz.views.kit.view import View

TEXT, OTHER = "The cat sat on the mat", "the dog"
STEPS = 30
SECONDS = 0.4  # of computing, for the table of a view

pytestmark = pytest.mark.usefixtures("unchecked", "nothing_measured")


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
        """Return what can happen to a view in this state: a widget, its trait, and the number of what is sent."""
        found = {}
        for key, rules in self.table["views"][view]["events"].items():
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
        for number, view in enumerate(self.table["views"]):
            if any(state[run] != self.state[run] for run in view["follows"]):
                fits = self.find(view["fits"], state)
                if fits is None:
                    return None
                begin = state | self.table["writes"][fits]
                kept = begin | {name: state[name] for name in view["lasting"]}
                is_held = all(self.find(rules, kept) is not None for rules in view["widgets"].values())
                state = kept if is_held else begin
            if view["handed"]:
                run = state[f"{number}:run"] = self.find(view["handed"], state)
                if run is None:
                    return None
        rules = [rules for view in self.table["views"] for rules in view["widgets"].values()]
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
            meaning.update(zip(numbers.items(), values.values()))
            return numbers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_table, "ViewTable", Noting)
        patch.setattr(page_table, "PATIENCE", 0.3)
        table = page_table.PageTable([view.model_id for view in shown], texts)
        table.fill(seconds, lambda _share: None)
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


def differences(page, table, new):
    """Return where a new view shows something else than the page says."""
    found = {}
    for name, widget in (new.parts | new.controls).items():
        says, shows = page.shows(table.number, table.widgets[name].model_id), as_sent(widget)
        if says is None:
            found[name] = "no rule"
        elif says["hidden"] or shows["hidden"]:
            if says["hidden"] != shows["hidden"]:
                found[name, "hidden"] = says["hidden"], shows["hidden"]
        else:
            found |= {
                (name, trait): (value, shows[trait])
                for trait, value in says.items()
                if not same(value, shows[trait])
            }
    return found


@pytest.fixture(autouse=True)
def alone():
    """No other view lives."""
    for view in living():
        view.close()


def is_begun(page, flag):
    return page.value(page.state[flag])


def happens(page, table, new, rng):
    """Let something happen on the page and to a new view in its state; say whether both are led to the same."""
    events = page.events(table.number)
    if not events:
        return
    widget_id, trait, sent = rng.choice(events)
    name = next(name for name, widget in table.widgets.items() if widget.model_id == widget_id)
    if name in table.flags:
        begun = page.table["writes"].index({table.flags[name]: page.table["values"].index("true")})
        page.state = page.after(begun) or page.state
        return
    rules = page.table["views"][table.number]["events"][f"{widget_id} {trait}"]
    after = page.after(page.find(rules, page.state, sent))
    widget = (new.parts | new.controls)[name]
    before, heard = new.state, []
    if trait == "click":
        widget.click()
    else:
        widget.observe(heard.append, trait)
        widget.set_state({trait: page.value(sent)})
        if not heard:  # nothing that its script can send
            return
    if after is None:
        return
    page.state = after
    assert page.view_state(table.number, type(new).State) == new.state, (name, trait, before)


@each_view
def test_it_says_what_a_new_view_shows(tiny_model, make, monkeypatch):
    rng = random.Random(1)
    prompt = views.Prompt(tiny_model, TEXT)
    runs, run_on = {}, prompt.run_on
    prompt.run_on = lambda tokens: runs.get(tuple(tokens)) or runs.setdefault(tuple(tokens), run_on(tokens))
    view = make(prompt)
    made, page = page_of([view, prompt], [OTHER])
    table = table_of(made, view)
    view._measurements._measurements.clear()
    view._measurements.views.clear()
    if type(view).before_a_page is not View.before_a_page:
        view.before_a_page()
    by_itself = type(view).by_itself
    monkeypatch.setattr(type(view), "by_itself", lambda view, state: None)
    source = next((table for table in made.tables if table.view is prompt and prompt is not view), None)
    for step in range(STEPS):
        if source:
            prompt.become(page.view_state(source.number, prompt.State))
        new = again(view)
        new.become(state := page.view_state(table.number, view.State))
        for job, flag in table.flags.items():
            if is_begun(page, flag) and new._measured(job, state).status != "done":
                new.parts[job].click()
        found = differences(page, table, new)
        assert found == {}, (step, state, prompt.state)
        happens(page, table, new, rng)
        new.close()
        if source and rng.random() < 0.2:
            _, _, sent = rng.choice([e for e in page.events(source.number)])
            box = prompt.parts["box"].model_id
            after = page.after(
                page.find(page.table["views"][source.number]["events"][f"{box} value"], page.state, sent)
            )
            if after is not None:
                page.state = after
