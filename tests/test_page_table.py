"""The table of a page: in each state that it holds, it says what a new view shows."""

import contextlib
import json
import random
from dataclasses import dataclass, fields, replace

import ipywidgets
import numpy as np
import pytest
from example_view import Example
from test_views_contract import (  # noqa: F401 (fixtures)
    VIEWS,
    again,
    alike,
    no_pauses,
    of_page,
    two_countries,
)
from llmviz import views
from llmviz.views import page_table
from llmviz.views.kit.view import View

TEXT, OTHER = "The cat sat on the mat", "the dog"
STEPS = 30


class Noting(page_table.ViewTable):
    """It keeps what the numbers of a state mean."""

    def numbered(self, values):
        numbers = super().numbered(values)
        for (field, number), value in zip(numbers.items(), values.values()):
            self.meaning[field, number] = value
        return numbers


class Page:
    """A written table, in which states are looked up as replay.js does."""

    def __init__(self, table, meaning):
        self.table = json.loads(json.dumps(table))
        self.meaning, self.state = meaning, self.table["state"]

    def find(self, rules, state, sent=None):
        for names, rows in rules:
            key = ",".join(str(sent if name == "in" else state.get(name)) for name in names)
            if key in rows:
                return rows[key]
        return None

    def shows(self, view, widget):
        """Return what a widget shows, by its traits."""
        drawn = self.find(self.table["views"][view]["widgets"][widget], self.state)
        if drawn is None:
            return None
        return {name: self.value(number) for name, number in self.table["drawn"][drawn].items()}

    def value(self, number):
        return json.loads(self.table["values"][number])

    def held(self, view):
        """Return what the reader can do with a view in this state: the widget, its trait, and what is sent."""
        events = []
        for key, rules in self.table["views"][view]["events"].items():
            for names, rows in rules:
                for row in rows:
                    at = dict(zip(names, row.split(",")))
                    if all(name == "in" or at[name] == str(self.state.get(name)) for name in names):
                        events.append((*key.split(), int(at["in"]) if "in" in at else None))
        return list(dict.fromkeys(events))

    def after(self, view, widget, trait, sent):
        """Return the state to which an event leads; None where the page does not hold it."""
        writes = self.find(self.table["views"][view]["events"][f"{widget} {trait}"], self.state, sent)
        if writes is None:
            return None
        state = self.state | self.table["writes"][writes]
        changed = {name for name in state if state[name] != self.state.get(name)}
        for number, told in enumerate(self.table["views"]):
            if changed & {*told["follows"]}:
                fits = self.find(told["fits"], state)
                if fits is None:
                    return None
                fitted = state | self.table["writes"][fits]
                kept = fitted | {name: state[name] for name in told["lasting"]}
                held = all(self.find(rules, kept) is not None for rules in told["widgets"].values())
                state = kept if held else fitted
                changed = {name for name in state if state[name] != self.state.get(name)}
            run = self.find(told["handed"], state)
            if run is not None:
                state[f"{number}:run"] = run
                changed = {name for name in state if state[name] != self.state.get(name)}
        held = [
            self.find(rules, state) is not None
            for told in self.table["views"]
            for rules in told["widgets"].values()
        ]
        return state if all(held) else None

    def python(self, number, kind):
        """Return the state of a view."""
        return kind(
            **{
                f.name: self.meaning[f"{number}.{f.name}", self.state[f"{number}.{f.name}"]]
                for f in fields(kind)
            }
        )


def shown(widget):
    hidden = widget.layout.display == "none"
    return json.loads(page_table.encoded(widget.get_state())) | {"hidden": hidden}


def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict) and "$bytes" in a and "$bytes" in b:
        import base64

        one, other = (np.frombuffer(base64.b64decode(x["$bytes"]), np.float32) for x in (a, b))
        return alike(one, other)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, float) or isinstance(b, float):
        return a == b or alike(float(a), float(b))
    return a == b


@pytest.fixture
def table_of(monkeypatch):
    made = []

    def make(shown, texts=(), seconds=0.4, boxes=()):
        meaning = {}
        monkeypatch.setattr(Noting, "meaning", meaning, raising=False)
        monkeypatch.setattr(page_table, "ViewTable", Noting)
        monkeypatch.setattr(page_table, "PATIENCE", 0.3)
        page = page_table.PageTable([one.model_id for one in shown], texts)
        page.fill(seconds, lambda _: None)
        return page, Page(page.written(), meaning)

    return make


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS)
@pytest.mark.usefixtures("unchecked", "nothing_measured")
def test_it_says_what_a_new_view_shows(tiny_model, make, table_of):
    import time

    t0 = time.process_time()
    for v in page_table.living():
        v.close()
    rng = random.Random(1)
    prompt = views.Prompt(tiny_model, TEXT)
    view = make(prompt)
    t1 = time.process_time()
    made, page = table_of([view, prompt], [OTHER])
    t2 = time.process_time()
    table = next(t for t in made.tables if t.view is view)
    n, ids = table.number, {name: w.model_id for name, w in table.widgets.items()}
    of_id = {i: name for name, i in ids.items()}
    view._measurements._measurements.clear()
    view._measurements.views.clear()
    bad = {}
    flags = {*table.flags.values()}
    steps = 0
    here = json.dumps(page.table["state"])
    texts = {0}
    for _ in range(STEPS):
        state = page.python(n, view.State)
        if prompt in [t.view for t in made.tables]:
            pn = next(t.number for t in made.tables if t.view is prompt)
            prompt.become(page.python(pn, prompt.State))
        else:
            pn = None
        new = again(view)
        new.become(state)
        for job, flag in table.flags.items():
            if page.meaning.get((flag, page.state[flag])) or page.value(page.state[flag]):
                b = new.parts[job]
                if new._measured(job, state).status != "done":
                    b.click()
        for name, widget in (new.parts | new.controls).items():
            says, real = page.shows(n, ids[name]), shown(widget)
            if says is None:
                bad.setdefault((name, "no rule"), state)
                continue
            traits = {"hidden"} if real["hidden"] or says["hidden"] else {*says}
            for trait in traits - {t for (nm, t) in of_page(new) if nm == name}:
                if not same(says[trait], real[trait]):
                    bad.setdefault((name, trait, str(says[trait])[:150], str(real[trait])[:150]), state)
        new.close()
        steps += 1
        events = page.held(n)
        if pn is not None and pn != n:
            events2 = page.held(pn)
        else:
            events2 = []
        if not events and not events2:
            break
        which = rng.random()
        if events2 and (not events or which < 0.2):
            ev = (pn, *rng.choice(events2))
        else:
            kinds = sorted({e[:2] for e in events})
            k = rng.choice(kinds)
            ev = (n, *rng.choice([e for e in events if e[:2] == k]))
        after = page.after(*ev)
        if after is not None:
            page.state = after
    t3 = time.process_time()
    print(f"TIMES {t1 - t0:.2f} {t2 - t1:.2f} {t3 - t2:.2f} steps {steps} left {table.left_out}")
    assert bad == {}
