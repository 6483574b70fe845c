"""What a page without a kernel holds: a table of its views' states, made by calling the pure methods of each view.

What a part shows, where an event leads, and whatever else a view says depends on the fields of the state that it reads,
and on nothing else. So it is computed once for their values, and holds in each state that has these (`Rules`). A page
looks up what holds in the state it is in (`replay.js`). What no rule says, it does not hold.
"""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from llmviz.views.kit.controls import Sentences
from llmviz.views.kit.lifetime import living
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.state_fields import Noted, set_in
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.view import View

PATIENCE = 60  # seconds of computing for a job of what a view opens with, or shows after the first press
MOST_CHARACTERS = 1_500_000  # of the values that one view adds
BY_ITSELF = ""  # instead of a trait, for what happens without the reader
PRESSED = ("click", "committed")  # the traits that a press sets
# What a widget shows besides its state, or only a kernel could say.
LEFT_OUT = {
    *("layout", "style", "tabbable", "tooltip", "comm", "children"),
    *("asked", "explanation", "explains", "keys"),
}

Numbered = dict[str, int]  # fields of a page's state, each with the number of its value


class Texts(dict[str, int]):
    """Texts, each with its number, in the order in which they came."""

    n_characters = 0

    def number(self, text: str) -> int:
        """Return the number of a text."""
        if text not in self:
            self[text] = len(self)
            self.n_characters += len(text)
        return self[text]


class Rules(dict[tuple[str, ...], dict[tuple[int | None, ...], Any]]):
    """What holds for which values of which fields: {fields: {numbers of their values: what holds}}."""

    def find(self, state: Numbered) -> Any:
        """Return what holds in a state; None where no rule says it."""
        matches = (rows.get(tuple(map(state.get, names))) for names, rows in self.items())
        return next((holds for holds in matches if holds is not None), None)

    def add(self, read: Numbered, holds: Any) -> Any:
        """Say what holds for these values."""
        self.setdefault((*read,), {})[(*read.values(),)] = holds
        return holds

    def written(self) -> list:
        """Return the rules as a page takes them."""
        return [
            [names, {",".join(map(str, numbers)): holds for numbers, holds in rows.items()}]
            for names, rows in self.items()
        ]


def encoded(value: Any) -> str:
    """Return a value as JSON, as it is sent to a page: bytes as {"$bytes": base64}, and what is no JSON by its name."""
    return json.dumps(value, default=_named, ensure_ascii=False, separators=(",", ":"))


def _named(value: Any) -> dict:
    is_binary = isinstance(value, bytes | bytearray | memoryview)
    return {"$bytes": base64.b64encode(value).decode()} if is_binary else {"$python": repr(value)}


def canonical(value: Any) -> Any:
    """Return a value as JavaScript writes it: lists for tuples, and 1 for 1.0."""
    if isinstance(value, list | tuple):
        return [*map(canonical, value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class ViewTable:
    """The rules of one view: what each part shows, and where each event leads."""

    def __init__(self, page: PageTable, view: View, number: int):
        self.page, self.view, self.number = page, view, number
        self.start, self.widgets = view.state, view.parts | view.controls
        needs = view.needs_kernel()
        # What the reader starts with a button has been done on a page, where there was time for it.
        self.begun = [n for n, job in view.jobs.items() if job.start and view.parts[n] not in needs]
        self.full = {widget.model_id for widget in (*needs, *map(view.parts.get, self.begun))}
        self.shown = {name: Rules() for name in self.widgets}
        self.events = {key: Rules() for key in view.events if self.widgets[key[0]].model_id not in self.full}
        self.by_itself, self.handed, self.fits = Rules(), Rules(), Rules()
        self.runs: list[Any] = []  # that it hands on
        self.is_whole, self._n_rules = True, 0
        self._too_slow: set[Hashable] = set()
        self._sent: dict[tuple[str, int], dict[str, list]] = {}  # what can be sent, by what a widget shows
        self._sets: dict[int, dict[str, Any]] = {}  # what an event sets, by its number

    def numbered(self, values: dict[str, Any]) -> Numbered:
        """Return fields of the view's state as fields of the page's."""
        return {f"{self.number}.{name}": self.page.number(value) for name, value in sorted(values.items())}

    def fill(self, seconds: float) -> float:
        """Add what holds with each run of the view that this one follows; return the seconds that it took.

        Of a view that follows several, a page holds what it shows with the first run of each.
        """
        sources, spent = self.page.sources(self.view), 0.0
        if not all(source.runs for source in sources):  # One took too long to hand on anything.
            return spent
        self.view.layout.display = ""  # Behind an open card it would not follow.
        n_runs = len(sources[0].runs) if len(sources) == 1 else 1
        for run in range(n_runs):
            for source in sources:
                source.view.trace = source.runs[run]
            if not run:
                self.view.become(self.start)
            context = {f"{source.number}:run": run for source in sources}
            spent += self._explore(context, (seconds - spent) / (n_runs - run))
        for source in sources:
            source.view.trace = source.runs[0]
        self.view.become(self.start)
        return spent

    def _explore(self, context: Numbered, seconds: float) -> float:
        """Add what holds in the states that the page holds of this view, as far as there is time.

        context: what the view depends on apart from its state. Returns the seconds of computing, apart from what the
        view opens with, what one press or nothing leads to, and cards with any guess, which a page holds at any price.
        """
        view, opening, values, spent = self.view, self.view.state, self.page.values, 0.0
        most = values.n_characters + MOST_CHARACTERS
        self.fits.add(context, self._writes(vars(opening)))
        first, guesses, quick, slow = deque([opening, *view.at_any_price()]), deque(), deque(), deque()
        cards = [vars(state) | {"guess": None} for state in first]
        added, explored = set(), set()

        def add(state: Any) -> None:
            if state not in added:
                added.add(state)
                (slow if view.needed_on_page(state) else quick).append(state)  # what takes a job is slow

        for state in (*view.states(), *map(view.State, self.page.texts.get(view, ()))):
            add(state)
        while queue := first or guesses or quick or slow:
            is_first, state = queue is first or queue is guesses, queue.popleft()
            if state in explored:
                continue
            if not is_first and (spent > seconds or values.n_characters > most):
                self.is_whole = False
                break
            explored.add(state)
            is_card = vars(state) | {"guess": None} in cards
            is_free, began, n_known = is_card or len(explored) <= 2, time.process_time(), self._n_rules
            needed = view.needed if state == opening else view.needed_on_page
            is_measured = self._are_measured(state, needed, PATIENCE if is_free else seconds - spent)
            self.is_whole &= is_measured
            led_to = [*self._one_state(state, context)] if is_measured else []
            for writes, trait in led_to:
                after = view.State(**vars(state) | self._sets[writes])
                if trait == BY_ITSELF or (is_card and trait in PRESSED):
                    first.append(after)
                elif is_card and trait == "guess":
                    guesses.append(after)
                elif self._n_rules > n_known:  # If not, what comes next is as after other states.
                    add(after)
            spent += 0.0 if is_free else time.process_time() - began
        return spent

    def _are_measured(self, state: Any, needed: Callable, seconds: float) -> bool:
        """Do the jobs that a state needs, and those that a button can then start; say whether the former are done."""
        view, done = self.view, {}

        def can_begin(name: str) -> bool:
            button = view.shows(name, view.scene(state))
            return not (button.get("disabled") or button.get("hidden"))

        # Which ones there are may depend on the results before.
        while waiting := [n for n in (*needed(state), *filter(can_begin, self.begun)) if n not in done]:
            key = view.key(name := waiting[0], state)
            done[name] = key not in self._too_slow and view.do_job(name, state, seconds)
            if not done[name]:
                self._too_slow.add(key)  # It is not tried again.
        return all(done[name] for name in needed(state))

    def _one_state(self, state: Any, context: Numbered) -> Iterator[tuple[int, str]]:
        """Add what holds in a state; yield the numbers of what events set there, and the trait of each."""
        view, full = self.view, context | self.numbered(vars(state))

        def rule(rules: Rules, compute: Callable, *arguments: Any, **sent: int) -> Any:
            if (known := rules.find(full | sent)) is not None:
                return known
            holds = compute(noted := Noted(state), *arguments)
            self._n_rules += 1
            return rules.add(context | self.numbered(noted.read) | sent, holds)

        yield rule(self.by_itself, self._next)[0], BY_ITSELF
        for name in self.widgets:
            drawn = rule(self.shown[name], self._drawn, name)
            for trait, sent in self._sent[name, drawn].items():
                for numbered, value in sent:
                    event = view.events[name, trait], *value
                    yield rule(self.events[name, trait], self._after, *event, **numbered), trait
        if any(view is source for other in self.page.views for source in other.sources):
            rule(self.handed, self._run)

    def _next(self, state: Noted) -> list:
        """Return the number of what happens by itself in a state, and after how many seconds."""
        if event := self.view.by_itself(state):
            state.read |= vars(state.state)  # From others it may lead to what the page doesn't hold.
            return [self._after(state, event), self.view.pause(state)]
        return [self._writes({}), 0.0]

    def _after(self, state: Noted, event: Callable, *value: Any) -> int:
        """Return the number of what an event sets."""
        return self._writes(set_in(self.view.after(state, event, *value)))

    def _writes(self, values: dict[str, Any]) -> int:
        number = self.page.writes.number(json.dumps(self.numbered(values)))
        self._sets[number] = values
        return number

    def _drawn(self, state: Noted, name: str) -> int:
        """Return the number of what a widget shows, as it would send it; keep what the page can send then."""
        widget, scene = self.widgets[name], self.view.scene(state)
        is_done = name in self.begun and scene.status(name) == "done"
        traits = {"hidden": True} if is_done else self.view.shows(name, scene)
        shown = {"hidden": bool(traits.get("hidden"))}
        if traits.keys() - shown.keys() or isinstance(widget, Sentences):  # else a hidden picture or view
            self.view.put(name, traits)
            held = {trait: value for trait, value in widget.get_state().items() if trait not in LEFT_OUT}
            shown |= {trait: held[trait] for trait in held if trait[0] != "_" or trait == "_options_labels"}
        number = self.page.drawn.number(json.dumps(self.page.numbers(shown)))
        is_dead = shown["hidden"] or getattr(widget, "disabled", False)
        traits = [] if is_dead else [trait for of, trait in self.events if of == name]
        self._sent[name, number] = {trait: self._values(name, trait) for trait in traits}
        return number

    def _values(self, name: str, trait: str) -> list[tuple[Numbered, tuple]]:
        """Return what the page can send of a widget, as a field of its state and as the event takes it."""
        widget = self.widgets[name]
        if trait == "click":
            return [({}, ())]
        if "index" in widget.keys:  # Of a list, the page sends which option is chosen.
            values = [option[1] if isinstance(option, tuple) else option for option in widget.options]
            return [({"in": self.page.number(i)}, (value,)) for i, value in enumerate(values)]
        if isinstance(widget, Picture):
            values = widget.page_values().get(trait, ())
        else:
            values = self.view.values_on_page(name) or [widget.value]
        return [({"in": self.page.number(value)}, (value,)) for value in values]

    def _run(self, state: Noted) -> int:
        """Return the number of the run that the view hands on in a state."""
        self.view.hand_on(self.view.scene(state))
        if not any(run is self.view.trace for run in self.runs):
            self.runs.append(self.view.trace)
        return next(number for number, run in enumerate(self.runs) if run is self.view.trace)

    def written(self) -> dict:
        """Return the rules as a page takes them."""
        ids = {name: widget.model_id for name, widget in self.widgets.items()}
        return {
            "follows": [f"{source.number}:run" for source in self.page.sources(self.view)],
            "fits": self.fits.written(),
            "lasting": [
                f"{self.number}.{name}" for name in vars(self.start) if self.view.outlives_text(name)
            ],
            "handed": self.handed.written(),
            "widgets": {ids[name]: rules.written() for name, rules in self.shown.items()},
            "events": {
                f"{ids[name]} {'index' if 'index' in self.widgets[name].keys else trait}": rules.written()
                for (name, trait), rules in self.events.items()
            },
            "by_itself": self.by_itself.written(),
            "full": [*self.full],
        }


class PageTable:
    """The rules of all views in a kernel, and the numbers of what they lead to."""

    def __init__(self, shown: Sequence[str], texts: Sequence[str]):
        self.values, self.drawn, self.writes = Texts(), Texts(), Texts()
        self.views = [view for view in living() if isinstance(view, View)]
        for view in self.views:
            view.before_a_page()
        # The notebook names texts for its first text box.
        self.texts = {next((view for view in self.views if isinstance(view, Prompt)), None): texts}
        widget_of = ipywidgets.widget_serialization["from_json"]
        keys = ipywidgets.Widget.get_manager_state()["state"]
        self.start = {key: widget_of(f"IPY_MODEL_{key}", None).get_state() for key in keys}
        self.shown = [key for key in shown if key in self.start]
        self.tables = [ViewTable(self, view, number) for number, view in enumerate(self.views)]

    def fill(self, seconds: float, report: Callable[[float], object]) -> None:
        """Compute the rules of all views in some seconds, apart from what each holds at any price; report the share."""
        for done, table in enumerate(self.tables):
            seconds -= table.fill(max(0.0, seconds) / (len(self.tables) - done))
            report((done + 1) / len(self.tables))

    def sources(self, view: View) -> list[ViewTable]:
        """Return the tables of the views that a view follows."""
        return [table for source in view.sources for table in self.tables if table.view is source]

    def number(self, value: Any) -> int:
        """Return the number of a value that a state holds, or that a page sends."""
        return self.values.number(encoded(canonical(value)))

    def numbers(self, traits: dict[str, Any]) -> Numbered:
        """Return the number of each value that a widget sends of itself."""
        return {name: self.values.number(encoded(value)) for name, value in traits.items()}

    def written(self) -> dict:
        """Return all of it as a page takes it."""
        state: Numbered = {}
        for table in self.tables:
            state |= table.numbered(vars(table.start)) | ({f"{table.number}:run": 0} if table.runs else {})
        return {
            "widgets": {
                key: {"kind": traits["_model_name"], "state": self.numbers(traits)}
                for key, traits in self.start.items()
            },
            "state": state,
            "drawn": [*map(json.loads, self.drawn)],
            "writes": [*map(json.loads, self.writes)],
            "views": [table.written() for table in self.tables],
            "shown": self.shown,
            "left_out": sorted({type(table.view).__name__ for table in self.tables if not table.is_whole}),
            "values": [*self.values],
        }


def write(path: str, shown: Sequence[str], texts: Sequence[str], seconds: float) -> PageTable:
    """Write the table of a page into a file, and print the share that is done meanwhile. Returns the table."""
    page = PageTable(shown, texts)
    page.fill(seconds, lambda share: print(share, flush=True))
    Path(path).write_text(json.dumps(page.written()), "utf-8")
    return page
