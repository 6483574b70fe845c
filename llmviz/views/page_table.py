"""What a page without a kernel holds: a table of its views' states, made by calling the pure methods of each view.

What a part shows, where an event leads, and whatever else a view says depends on the fields of the state that it reads,
and on nothing else. So it is computed once for their values, and holds in each state that has these (`Rules`). A page
looks up what holds in the state it is in (`llmviz/page/replay.js`). What no rule says, it does not hold.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import itertools
import json
import math
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from ipywidgets.widgets.widget_selection import _Selection

from llmviz.views.kit.lifetime import Closable, living
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.sent import places_to_ask, values_of_control, values_of_picture
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.view import MOST_STATES, Refused, View, put

MOST_RUNS = 12  # of a source that views follow
MOST_BYTES = 1_500_000  # of values of a view
BY_ITSELF = ""  # in place of a trait, for what happens without the reader
PRESSED = ("click", "committed")  # the traits that a press sets
JOB_PATIENCE = 3  # seconds of computing for any job
PATIENCE = 30  # seconds of computing for the state at the start, however little is left
ALL_GUESSES = 1  # seconds for what follows from an answer that took longer than that
MOST_ASKED = 64  # places of a picture that say where their numbers are from
# What is not drawn from the state.
LEFT_OUT = {"layout", "style", "tabbable", "tooltip", "comm", "asked", "explanation", "explains", "keys"}

Numbered = dict[str, int]  # fields of a page's state, each with the number of its value


class Rules:
    """What holds for which values of which fields: {fields: {numbers of their values: what holds}}."""

    def __init__(self) -> None:
        self.groups: dict[tuple[str, ...], dict[tuple[int | None, ...], Any]] = {}

    def find(self, state: Numbered) -> Any:
        """Return what holds in a state; None where no rule says it."""
        for names, rows in self.groups.items():
            if (holds := rows.get(tuple(map(state.get, names)))) is not None:
                return holds
        return None

    def add(self, read: Numbered, holds: Any) -> Any:
        """Say what holds for these values."""
        names = tuple(sorted(read))
        self.groups.setdefault(names, {})[tuple(read[name] for name in names)] = holds
        return holds

    def written(self) -> list:
        """Return the rules as a page takes them."""
        return [
            [names, {",".join(map(str, numbers)): holds for numbers, holds in rows.items()}]
            for names, rows in self.groups.items()
        ]


class Reads:
    """Notes which fields of a state are read while something is computed from it, and which ones an event sets."""

    def __init__(self, kind: type):
        self.names, self.read = {field.name for field in fields(kind)}, {}
        reads = self

        class Noted(kind):  # type: ignore[misc,valid-type]
            # The fields that an event has set: all of them where it made a new state, as `dataclasses.replace` does.
            is_set: frozenset[str] = frozenset(reads.names)

            def __eq__(self, other: Any) -> bool:
                return isinstance(other, kind) and reads.all_of(self) == reads.all_of(other)

            __hash__ = kind.__hash__

            def __getattribute__(self, name: str) -> Any:
                value = super().__getattribute__(name)
                if name in reads.names and name not in super().__getattribute__("is_set"):
                    reads.read[name] = value
                return value

            def __replace__(self, **changes: Any) -> Noted:
                made = Noted(**{**reads.values(self), **changes})
                vars(made)["is_set"] = self.is_set | changes.keys()
                return made

        self._noted = Noted

    def all_of(self, state: Any) -> list[Any]:
        """Read all fields."""
        return [getattr(state, name) for name in self.names]

    def values(self, state: Any) -> dict[str, Any]:
        """Return a state as a dict, which does not count as reading it."""
        return {name: value for name, value in vars(state).items() if name in self.names}

    def during(self, state: Any, compute: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
        """Return what is computed from a state, and the fields that were read, with their values."""
        self.read.clear()
        noted = self._noted(**self.values(state))
        vars(noted)["is_set"] = frozenset()
        return compute(noted), dict(self.read)

    def set_by(self, after: Any) -> dict[str, Any]:
        """Return the fields that an event has set, with their values: all of them where it made a new state."""
        values = self.values(after)
        return {name: values[name] for name in (after.is_set if isinstance(after, self._noted) else values)}


class Numbers:
    """A number for each value, with its text: JSON, or nothing where a value cannot be written so."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.size = 0  # in characters
        self._numbers: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        """Return the number of a value that a state holds, or that a page sends."""
        try:
            return self.of_text(encoded(canonical(value)))
        except TypeError:
            return self._number((type(value), value), "")

    def of_text(self, text: str) -> int:
        """Return the number of a JSON text."""
        return self._number(text, text)

    def _number(self, key: Any, text: str) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self.texts)
            self.texts.append(text)
            self.size += len(text)
        return self._numbers[key]


def encoded(value: Any) -> str:
    """Return a value as JSON, as it is sent to a page; bytes as {"$bytes": base64}."""
    return json.dumps(value, default=_bytes, ensure_ascii=False, separators=(",", ":"))


def _bytes(value: Any) -> dict:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def canonical(value: Any) -> Any:
    """Return a value as JavaScript writes it: lists for tuples, 1 for 1.0, and nine places."""
    if isinstance(value, list | tuple):
        return [*map(canonical, value)]
    if isinstance(value, dict):
        return {name: canonical(inner) for name, inner in value.items()}
    if isinstance(value, float | np.number):
        return int(value) if float(value).is_integer() else round(float(value), 9)
    return value


class Agenda:
    """The states that are still to be explored: first what a reader presses first, and what follows by itself."""

    def __init__(self, states: Sequence[Any]):
        self.todo, self._known = deque(states), {*states}
        self.following: set[Any] = set()  # states to which something leads by itself
        self.n_taken = self._n_soon = 0

    def take(self) -> Any:
        """Return the next state."""
        self.n_taken, self._n_soon = self.n_taken + 1, 0
        return self.todo.popleft()

    def add(self, state: Any, trait: str) -> None:
        """Add a state to which a trait leads from the one that was taken last, unless it was added before."""
        is_soon = trait == BY_ITSELF or (self.n_taken == 1 and trait in PRESSED)
        if state in self._known or (not is_soon and len(self._known) >= MOST_STATES):
            return
        self._known.add(state)
        self.todo.insert(self._n_soon if is_soon else len(self.todo), state)
        self._n_soon += is_soon
        if trait == BY_ITSELF:
            self.following.add(state)


class ViewTable:
    """The rules of one view: what each part shows, and where each event leads."""

    def __init__(self, page: PageTable, view: View):
        self.page, self.view, self.number = page, view, len(page.tables)
        self.reads, self.start = Reads(view.State), view.state
        self.full = {widget.model_id for widget in view.needs_kernel()}
        self.widgets = view.parts | view.controls
        # Whether the reader has started a job with the present values of what it reads is a field of the page's state.
        self.flags = {
            name: f"{self.number}:{name}"
            for name, job in view.jobs.items()
            if job.start and view.parts[name].model_id not in self.full  # type: ignore[attr-defined]
        }
        self.starts = {name: Rules() for name in self.flags}
        self.shown = {name: Rules() for name in self.widgets}
        self.events = {key: Rules() for key in view.events if self.widgets[key[0]].model_id not in self.full}
        self.by_itself, self.handed, self.fits = Rules(), Rules(), Rules()
        self.asked = {
            name: Rules() for name, widget in self.widgets.items() if getattr(widget, "explains", False)
        }
        # Which runs it hands on, each with the runs that it then follows.
        self.runs: list[tuple[Numbered, Any]] = []
        # How many states are not in the rules, for each context; at 0 there is nothing more to do.
        self._left_out: dict[tuple, int] = {}
        self._size = 0  # of the values that only this view has
        self._drawn_on = {name: view.new_widget(name) for name in self.widgets}
        self._too_slow: set[Hashable] = set()
        self._sent: dict[tuple[str, str, int], list] = {}
        self._sets: dict[int, dict[str, Any]] = {}

    def numbered(self, values: dict[str, Any]) -> Numbered:
        """Return fields of the view's state as fields of the page's."""
        return {f"{self.number}.{name}": self.page.numbers.of(value) for name, value in values.items()}

    def explore(self, context: Numbered, begun: Sequence[str], until: float, *, with_jobs: bool) -> None:
        """Add what holds in the states that the page holds of this view, as far as there is time.

        context: what the view depends on apart from its state. begun: the jobs that the reader has started. with_jobs:
        include the states for which jobs must be done.
        """
        self.view.layout.display = ""  # Behind an open card it would not follow.
        if context == self.page.begin_runs(self):
            self.view.become(self.start)  # Its sources may have handed on other runs meanwhile.
        self.fits.add(context, self.page.writes(self.numbered(vars(self.view.state))))
        context = context | {flag: self.page.numbers.of(name in begun) for name, flag in self.flags.items()}
        now = (*sorted(context.items()),)
        if self._left_out.get(now) == 0:
            return
        agenda, self._left_out[now] = Agenda(self._states_to_begin_with()), 0
        while agenda.todo:
            state, began, size = agenda.take(), time.process_time(), self.page.numbers.size
            left = until - began
            is_first = agenda.n_taken <= 2  # a card, or its answer
            if is_first or state in agenda.following:  # What has begun comes to its end.
                left = max(left, PATIENCE)
            if left < 0 or self._size > MOST_BYTES:
                self._left_out[now] += 1 + len(agenda.todo)
                return
            jobs = self._jobs(state, begun)
            if not all(self._is_measured(name, state, left if with_jobs else 0) for name in jobs):
                self._left_out[now] += 1
                continue
            for after, trait in self._one_state(state, context):
                agenda.add(after, trait)
            self._size += self.page.numbers.size - size
            if is_first and time.process_time() - began > ALL_GUESSES:
                until = max(until, time.process_time() + ALL_GUESSES)  # Other guesses have the same answer.

    @property
    def left_out(self) -> int:
        """Return how many states the page does not hold."""
        return sum(self._left_out.values())

    def _states_to_begin_with(self) -> list[Any]:
        if self.page.texts and self.view is self.page.prompt:
            return [*map(self.view.State, dict.fromkeys([self.start.text, *self.page.texts]))]
        return self.view.states()

    def _jobs(self, state: Any, begun: Sequence[str]) -> Iterator[str]:
        """Yield the jobs of a state, one after the other: which ones may depend on the results before."""
        done: list[str] = []
        while True:
            scene = self.view.scene(state)
            buttons = {name: self.view.draw(name, scene) or {"hidden": True} for name in begun}
            allowed = [
                n for n, shows in buttons.items() if not shows.get("disabled") and not shows.get("hidden")
            ]
            left = [name for name in (*self.view.needed(state), *allowed) if name not in done]
            if not left:
                return
            done.append(left[0])
            yield left[0]

    def _is_measured(self, name: str, state: Any, seconds: float) -> bool:
        """Do a job, if there is time for it; say whether it is done. What was too slow once is not tried again."""
        key = self.view.key(name, state)
        if key in self._too_slow:
            return False
        is_done = self.view.do_job(name, state, seconds and max(seconds, JOB_PATIENCE))
        if seconds and not is_done:
            self._too_slow.add(key)
        return is_done

    def _one_state(self, state: Any, context: Numbered) -> Iterator[tuple[Any, str]]:
        """Add what holds in a state; yield the states to which events lead from there, and the trait of each."""
        view, full = self.view, context | self.numbered(vars(state))

        def rule(rules: Rules, compute: Callable, holds: Callable, **sent: int) -> Any:
            if (known := rules.find(full | sent)) is not None:
                return known
            value, read = self.reads.during(state, compute)
            return rules.add(context | self.numbered(read) | sent, holds(value))

        def led_to(writes: int) -> Any:
            return view.State(**{**vars(state), **self._sets[writes]})

        if (known := self.by_itself.find(full)) is None:
            (next_, pause), read = self.reads.during(state, self._next)
            writes = self._writes(state, next_)
            # A state is held only where the page holds what follows from it by itself.
            key = context | self.numbered(read) if led_to(writes) == state else full
            known = self.by_itself.add(key, [writes, pause])
        yield led_to(known[0]), BY_ITSELF
        for name, rules in self.starts.items():
            read = self._read_by_job(name, state, context)
            started = {
                f"{self._starts_of(name)} {','.join(map(str, read.values()))}": self.page.numbers.of(True)
            }
            rules.add(read, self.page.writes(started))
        for name in self.widgets:
            drawn = rule(
                self.shown[name],
                functools.partial(self._traits, name),
                functools.partial(self._as_drawn, name),
            )
            for (of, trait), rules in self.events.items():
                for sent, value in self._values(name, trait, drawn) if of == name else ():
                    after = functools.partial(self._after, name, view.events[of, trait], value)
                    yield led_to(rule(rules, after, functools.partial(self._writes, state), **sent)), trait
            if name in self.asked and state == self.start:
                self._explain(name, state, context)
        if self.page.is_followed(view):
            rule(self.handed, lambda at: view.hand_on(view.scene(at)), lambda _: self._run(context))

    def _read_by_job(self, name: str, state: Any, context: Numbered) -> Numbered:
        """Return the fields on which a job's result depends: of the state, and which runs the view follows."""
        reads = self.numbered({read: getattr(state, read) for read in self.view.jobs[name].reads})  # type: ignore[attr-defined]
        return {**reads, **{run: context[run] for run in self.page.begin_runs(self)}}

    def _starts_of(self, name: str) -> str:
        """Return whose starts of a job count: those of all views that share its results."""
        kind, source = type(self.view), self.view.source
        first = next(t for t in self.page.tables if type(t.view) is kind and t.view.source is source)
        return f"{first.number}:{name}"

    def _after(self, name: str, event: Callable, value: tuple, state: Any) -> Any:
        is_list = isinstance(self.widgets[name], _Selection)
        if is_list and (name in self.view.parts or name in self.view._looks):
            self._traits(name, state)  # Which option an index means depends on what is read for it.
        return self.view.after(state, event, *value)

    def _traits(self, name: str, state: Any) -> dict:
        scene = self.view.scene(state)
        if name in self.view.controls:
            return self.view.control_shows(name, scene)
        return self.view.draw(name, scene) or {"hidden": True}

    def _as_drawn(self, name: str, traits: dict) -> int:
        """Return the number of what a widget shows, as it would send it."""
        widget = self._drawn_on[name]
        if widget is not self.widgets[name]:  # else it is a view of its own
            put(widget, traits)
        sent = {} if widget is self.widgets[name] else widget.get_state()
        traits_sent = {
            trait: self.page.numbers.of_text(encoded(value))
            for trait, value in sent.items()
            if trait not in LEFT_OUT and (not trait.startswith("_") or trait == "_options_labels")
        }
        return self.page.drawn({**traits_sent, "hidden": self.page.numbers.of(bool(traits.get("hidden")))})

    def _values(self, name: str, trait: str, drawn: int) -> list[tuple[Numbered, tuple]]:
        """Return what the page can send, as a field of its state and as the event takes it."""
        if (name, trait, drawn) not in self._sent:
            self._sent[name, trait, drawn] = [*self._all_values(name, trait)]
        return self._sent[name, trait, drawn]

    def _all_values(self, name: str, trait: str) -> Iterator[tuple[Numbered, tuple]]:
        widget = self._drawn_on[name]
        if widget.layout.display == "none" or getattr(widget, "disabled", False):
            return
        if trait == "click":
            yield {}, ()
            return
        if isinstance(widget, Picture):
            values = values_of_picture(widget, trait)
        elif isinstance(widget, _Selection):
            values = values_of_control(widget)  # in the order of its options, as the page sends an index
        else:
            values = self.view.values_on_page(name) or values_of_control(widget)
        for number, value in enumerate(values):
            sent = number if isinstance(widget, _Selection) else value
            yield {"in": self.page.numbers.of(sent)}, (value,)

    def _writes(self, state: Any, after: Any) -> int:
        """Return the number of what an event sets; nothing where it leads to a state that cannot be."""
        values = self.reads.set_by(after)
        try:
            self.view.check(self.view.State(**{**vars(state), **values}))
        except Refused:
            values = {}
        number = self.page.writes(self.numbered(values))
        self._sets[number] = values
        return number

    def _next(self, state: Any) -> tuple[Any, float]:
        event = self.view.by_itself(state)
        return (self.view.after(state, event), self.view.pause(state)) if event else (state, 0.0)

    def _run(self, context: Numbered) -> int:
        """Return the number of the run that the view now hands on."""
        number = next((n for n, (_, run) in enumerate(self.runs) if run is self.view.trace), len(self.runs))
        if number == len(self.runs):
            followed = {name: run for name, run in context.items() if name.endswith(":run")}
            self.runs.append((followed, self.view.trace))
        return number

    def runs_in_turn(self) -> Iterator[tuple[int, Any]]:
        """Yield the runs with their numbers: the first of each run that the view follows, then the second of each."""
        before = [followed for followed, _ in self.runs]
        places = [before[:number].count(followed) for number, followed in enumerate(before)]
        for number in sorted(range(len(places)), key=lambda number: places[number]):
            yield number, self.runs[number][1]

    def _explain(self, name: str, state: Any, context: Numbered) -> None:
        """Say where the numbers at some places of a picture are from, as it is at the start."""
        for place in places_to_ask(self._drawn_on[name])[:MOST_ASKED]:
            ask = functools.partial(self.view.provenance_of, name, place=place)
            explanation, read = self.reads.during(state, ask)
            if explanation is not None:
                known = context | self.numbered(read) | {"in": self.page.numbers.of(place)}
                self.asked[name].add(known, self.page.numbers.of_text(encoded(explanation.as_dict())))

    def written(self) -> dict:
        """Return the rules as a page takes them."""
        # A view that others follow need not be on the page, and not all of its parts are.
        ids = {
            name: widget.model_id
            for name, widget in self.widgets.items()
            if widget.model_id in self.page.reachable
        }
        starts = {f"{ids[name]} click": rules.written() for name, rules in self.starts.items() if name in ids}
        return {
            "follows": [*self.page.begin_runs(self)],
            "fits": self.fits.written(),
            "flags": [
                [
                    flag,
                    self._starts_of(name),
                    [*self._read_by_job(name, self.start, self.page.begin_runs(self))],
                ]
                for name, flag in self.flags.items()
            ],
            "lasting": [
                name
                for name in self.numbered(vars(self.start))
                if self.view.outlives_text(name.split(".")[1])
            ],
            "handed": self.handed.written(),
            "widgets": {ids[name]: rules.written() for name, rules in self.shown.items() if name in ids},
            "events": {
                f"{ids[name]} {'index' if isinstance(self.widgets[name], _Selection) else trait}": rules.written()
                for (name, trait), rules in self.events.items()
                if name in ids
            }
            | starts,
            "by_itself": self.by_itself.written(),
            "asked": {ids[name]: rules.written() for name, rules in self.asked.items() if name in ids},
            "full": [*self.full],
        }


class PageTable:
    """The rules of all views that a page shows, and the numbers of what they lead to."""

    def __init__(self, shown: Sequence[str], texts: Sequence[str]):
        self.shown, self.texts, self.numbers = shown, texts, Numbers()
        self.tables: list[ViewTable] = []
        self._drawn: dict[str, int] = {}
        self._writes: dict[str, int] = {}
        views = [view for view in living() if isinstance(view, View)]
        for view in views:
            view.before_a_page()
        self.start = ipywidgets.Widget.get_manager_state()["state"]
        self.reachable = self._reachable(shown)
        needed = [view for view in views if view.model_id in self.reachable]
        for view in needed:
            needed += [source for source in view.sources if source not in needed]
        self.followed = [source for view in needed for source in view.sources]
        self.prompt = next((view for view in views if isinstance(view, Prompt) and view in needed), None)
        for view in views:
            if view in needed:
                self.tables.append(ViewTable(self, view))
        self.begin = {}
        for table in self.tables:
            self.begin |= table.numbered(vars(table.start)) | dict.fromkeys(
                table.flags.values(), self.numbers.of(False)
            )

    def fill(self, seconds: float, report: Callable[[float], object]) -> None:
        """Compute the rules of all views, in about so many seconds of computing; report the share that is done."""
        begin = time.process_time()
        groups: dict[tuple[int, ...], list[ViewTable]] = {}
        for table in self.tables:
            sources = tuple(self._number_of(source) for source in table.view.sources)
            groups.setdefault(sources, []).append(table)
        # First what takes no job, then what does, then what a reader has to start: it was not measured before.
        starts = range(1, 1 + max((len(table.flags) for table in self.tables), default=0))
        passes = [(0, False, 0.6), (0, True, 0.8), *((n, True, 1.0) for n in starts)]
        done, total = 0.0, sum(len(table.flags) >= started for started, *_ in passes for table in self.tables)
        for started, with_jobs, share in passes:
            to_do = sum(len(table.flags) >= started for table in self.tables)
            for numbers, tables in groups.items():
                sources = [self.tables[number] for number in numbers]
                n_contexts = math.prod(min(MOST_RUNS, len(source.runs)) for source in sources)
                for context in self._runs(sources):
                    for table in [table for table in tables if len(table.flags) >= started]:
                        left = max(0.0, begin + share * seconds - time.process_time()) / max(1, to_do)
                        until = time.process_time() + left
                        table.explore(context, [*table.flags][:started], until, with_jobs=with_jobs)
                        to_do -= 1
                        done += 1 / n_contexts
                        report(min(1.0, done / total))

    def _runs(self, sources: Sequence[ViewTable]) -> Iterator[Numbered]:
        """Let the sources hand on each of their runs, one after the other; yield what says which."""
        if not sources:
            yield {}
            return
        first, *rest = sources
        for number, run in itertools.islice(first.runs_in_turn(), MOST_RUNS):
            first.view.trace = run
            for context in self._runs(rest):
                yield {f"{first.number}:run": number, **context}
        if first.runs:
            first.view.trace = first.runs[0][1]

    def _reachable(self, roots: Sequence[str]) -> dict[str, None]:
        """Return the ids of widgets and of all that they refer to."""
        reached, todo = {}, [*roots]
        while todo:
            key = todo.pop()
            if key in reached or key not in self.start:
                continue
            reached[key] = None
            todo += [
                part.split('"')[0] for part in encoded(self.start[key]["state"]).split('"IPY_MODEL_')[1:]
            ]
        return reached

    def _number_of(self, view: Closable) -> int:
        return next(table.number for table in self.tables if table.view is view)

    def begin_runs(self, table: ViewTable) -> Numbered:
        """Return which runs of its sources a view follows at the start."""
        sources = [self.tables[self._number_of(source)] for source in table.view.sources]
        return {f"{source.number}:run": 0 for source in sources}

    def is_followed(self, view: View) -> bool:
        """Say whether other views follow this one."""
        return any(view is source for source in self.followed)

    def drawn(self, shown: Numbered) -> int:
        """Return the number of what a widget shows."""
        return self._drawn.setdefault(json.dumps(shown), len(self._drawn))

    def writes(self, values: Numbered) -> int:
        """Return the number of what an event sets."""
        return self._writes.setdefault(json.dumps(values), len(self._writes))

    def written(self) -> dict:
        """Return all of it as a page takes it."""
        views = [table.written() for table in self.tables]
        runs = {f"{table.number}:run": 0 for table in self.tables if table.runs}
        return {
            "widgets": {key: self._widget(self.start[key]) for key in self.reachable},
            "state": self.begin | runs,
            "drawn": [*map(json.loads, self._drawn)],
            "writes": [*map(json.loads, self._writes)],
            "views": views,
            "shown": [key for key in self.shown if key in self.reachable],
            "values": self.numbers.texts,
            "left_out": sorted({type(table.view).__name__ for table in self.tables if table.left_out}),
        }

    def _widget(self, of_widget: dict) -> dict:
        state = dict(of_widget["state"])
        for buffer in of_widget.get("buffers", ()):
            at, (*way, last) = state, buffer["path"]
            for step in way:
                at[step] = at = dict(at[step])
            at[last] = {"$bytes": buffer["data"]}
        return {
            "kind": of_widget["model_name"],
            "state": {name: self.numbers.of_text(encoded(value)) for name, value in state.items()},
        }


async def settle(seconds: float = 60) -> None:
    """Wait until nothing runs in the background any more."""
    end = time.monotonic() + seconds
    while any(view.is_working for view in living()) and time.monotonic() < end:
        await asyncio.sleep(0.05)


def write(path: str, shown: Sequence[str], texts: Sequence[str], seconds: float) -> None:
    """Write the table of a page into a file, and print the share that is done meanwhile."""
    page = PageTable(shown, texts)
    page.fill(seconds, lambda share: print(share, flush=True))
    Path(path).write_text(json.dumps(page.written()), "utf-8")
