"""What a page without a kernel holds: a table of its views' states, made by calling the pure methods of each view.

What a part shows, where an event leads, and whatever else a view says depends on the fields of the state that it reads,
and on nothing else. So it is computed once for their values, and holds in each state that has these (`Rules`). A page
looks up what holds in the state it is in (`llmviz/page/replay.js`). What no rule says, it does not hold.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import heapq
import itertools
import json
import math
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from ipywidgets.widgets.widget_selection import _Selection

from llmviz.page.sent import values_of_control, values_of_picture
from llmviz.views.kit.lifetime import living
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.view import MOST_STATES, Refused, View, put

MOST_RUNS = 12  # of a source that views follow
MOST_BYTES = 1_500_000  # of values of a view
BY_ITSELF = ""  # in place of a trait, for what happens without the reader
PRESSED = ("click", "committed")  # the traits that a press sets
PATIENCE = 30  # seconds of computing for a job of the first states
# What is not drawn from the state.
LEFT_OUT = {
    "layout",
    "style",
    "tabbable",
    "tooltip",
    "comm",
    "children",
    "asked",
    "explanation",
    "explains",
    "keys",
}

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


class ViewTable:
    """The rules of one view: what each part shows, and where each event leads."""

    def __init__(self, page: PageTable, view: View):
        self.page, self.view, self.number = page, view, len(page.tables)
        self.reads, self.start = Reads(view.State), view.state
        self.widgets = view.parts | view.controls
        needs_kernel = {widget.model_id for widget in view.needs_kernel()}
        # What the reader starts with a button has been done on a page, where there was time for it.
        self.begun = [
            n for n, job in view.jobs.items() if job.start and view.parts[n].model_id not in needs_kernel
        ]  # type: ignore[attr-defined]
        self.full = needs_kernel | {view.parts[name].model_id for name in self.begun}
        self.shown = {name: Rules() for name in self.widgets}
        self.events = {key: Rules() for key in view.events if self.widgets[key[0]].model_id not in self.full}
        self.by_itself, self.handed, self.fits = Rules(), Rules(), Rules()
        # Which runs it hands on, each with the runs that it then follows.
        self.runs: list[tuple[Numbered, Any]] = []
        self.is_whole = True
        self._size = 0  # of the values that only this view has
        self._drawn_on = {name: view.new_widget(name) for name in self.widgets}
        self._too_slow: set[Hashable] = set()
        self._sent: dict[tuple[str, str, int], list] = {}
        self._sets: dict[int, dict[str, Any]] = {}

    def numbered(self, values: dict[str, Any]) -> Numbered:
        """Return fields of the view's state as fields of the page's."""
        return {f"{self.number}.{name}": self.page.numbers.of(value) for name, value in values.items()}

    def explore(self, context: Numbered, seconds: float) -> float:
        """Add what holds in the states that the page holds of this view, as far as there is time.

        context: what the view depends on apart from its state. seconds: of computing, apart from the first state and
        the one that follows. Returns how long these took.
        """
        self.view.layout.display = ""  # Behind an open card it would not follow.
        if is_begin := context == self.page.begin_runs(self):
            self.view.become(self.start)  # Its sources may have handed on other runs meanwhile.
        self.fits.add(context, self.page.writes(self.numbered(vars(self.view.state))))
        explored: set[Any] = set()
        queued: set[tuple[Any, bool]] = set()
        todo: list[tuple[int, int, Any]] = []

        def add(state: Any, is_soon: bool) -> None:
            if (state, is_soon) not in queued and (is_soon or len(queued) < MOST_STATES):
                # What a reader presses first, and what follows by itself; then what takes no job.
                turn = 0 if is_soon else 1 + bool(self.view.needed(state))
                heapq.heappush(todo, (turn, len(queued), state))
                queued.add((state, is_soon))

        for state in self._states_to_begin_with():
            add(state, state == self.view.state)
        end, first = time.process_time() + seconds, 0.0
        while todo:
            turn, _, state = heapq.heappop(todo)
            if state in explored:
                continue
            began, size = time.process_time(), self.page.numbers.size
            is_first = is_begin and not turn and len(explored) < 2
            if turn and (began > end or self._size > MOST_BYTES):
                self.is_whole = False
                break
            explored.add(state)
            if self._are_measured(state, max(end - began, PATIENCE * is_first)):
                for after, trait in self._one_state(state, context):
                    add(after, trait == BY_ITSELF or (len(explored) == 1 and trait in PRESSED))
            else:
                self.is_whole = False
            self._size += self.page.numbers.size - size
            if is_first:
                first += time.process_time() - began
                end += time.process_time() - began
        return first

    def _states_to_begin_with(self) -> list[Any]:
        if self.page.texts and self.view is self.page.prompt:
            return [*map(self.view.State, dict.fromkeys([self.start.text, *self.page.texts]))]
        return self.view.states()

    def _are_measured(self, state: Any, seconds: float) -> bool:
        """Do the jobs of a state, one after the other; say whether those that it needs are done."""
        done: set[str] = set()
        while True:  # Which ones there are may depend on the results before.
            scene, needed = self.view.scene(state), self.view.needed(state)
            buttons = {name: self.view.draw(name, scene) or {"hidden": True} for name in self.begun}
            can_begin = [n for n, b in buttons.items() if not b.get("disabled") and not b.get("hidden")]
            name = next((name for name in (*needed, *can_begin) if name not in done), None)
            if name is None:
                return True
            done.add(name)
            if not self._is_measured(name, state, seconds) and name in needed:
                return False

    def _is_measured(self, name: str, state: Any, seconds: float) -> bool:
        """Do a job, if there is time for it; say whether it is done. What was too slow once is not tried again."""
        key = self.view.key(name, state)
        if key in self._too_slow:
            return False
        if not (is_done := self.view.do_job(name, state, seconds)):
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
        if self.page.is_followed(view):
            rule(self.handed, lambda at: view.hand_on(view.scene(at)), lambda _: self._run(context))

    def _after(self, name: str, event: Callable, value: tuple, state: Any) -> Any:
        is_list = isinstance(self.widgets[name], _Selection)
        if is_list and (name in self.view.parts or name in self.view._looks):
            self._traits(name, state)  # Which option an index means depends on what is read for it.
        return self.view.after(state, event, *value)

    def _traits(self, name: str, state: Any) -> dict:
        scene = self.view.scene(state)
        if name in self.view.controls:
            return self.view.control_shows(name, scene)
        if name in self.begun and scene.status(name) == "done":
            return {"hidden": True}
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

    def written(self) -> dict:
        """Return the rules as a page takes them."""
        # A view that others follow need not be on the page, and not all of its parts are.
        ids = {
            n: widget.model_id for n, widget in self.widgets.items() if widget.model_id in self.page.reachable
        }
        lasting = [name for name in self.view.State.__dataclass_fields__ if self.view.outlives_text(name)]
        return {
            "follows": [*self.page.begin_runs(self)],
            "fits": self.fits.written(),
            "lasting": [f"{self.number}.{name}" for name in lasting],
            "handed": self.handed.written(),
            "widgets": {ids[name]: rules.written() for name, rules in self.shown.items() if name in ids},
            "events": {
                f"{ids[name]} {'index' if isinstance(self.widgets[name], _Selection) else trait}": rules.written()
                for (name, trait), rules in self.events.items()
                if name in ids
            },
            "by_itself": self.by_itself.written(),
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
        self.prompt = next((view for view in views if isinstance(view, Prompt) and view in needed), None)
        for view in views:
            if view in needed:
                self.tables.append(ViewTable(self, view))
        self.begin = {}
        for table in self.tables:
            self.begin |= table.numbered(vars(table.start))

    def fill(self, seconds: float, report: Callable[[float], object]) -> None:
        """Compute the rules of all views; report the share that is done.

        seconds: of computing, apart from what each view shows at first, and after the first answer.
        """
        end, done = time.process_time() + seconds, 0.0
        groups: dict[tuple[ViewTable, ...], list[ViewTable]] = {}
        for table in self.tables:
            groups.setdefault((*self.sources(table),), []).append(table)
        for sources, tables in groups.items():
            n_contexts = math.prod(min(MOST_RUNS, len(source.runs)) for source in sources)
            if not n_contexts:  # A source took too long to hand on anything.
                done += len(tables)
            for context in self._runs(sources):
                for table in tables:
                    left = max(0.0, end - time.process_time())
                    end += table.explore(context, left / n_contexts / (len(self.tables) - done))
                    done += 1 / n_contexts
                    report(min(1.0, done / len(self.tables)))

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

    def sources(self, table: ViewTable) -> list[ViewTable]:
        """Return the tables of the views that a view follows."""
        return [other for view in table.view.sources for other in self.tables if other.view is view]

    def begin_runs(self, table: ViewTable) -> Numbered:
        """Return which runs of its sources a view follows at the start."""
        return {f"{source.number}:run": 0 for source in self.sources(table)}

    def is_followed(self, view: View) -> bool:
        """Say whether other views follow this one."""
        return any(view is source for table in self.tables for source in table.view.sources)

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
            "left_out": sorted({type(table.view).__name__ for table in self.tables if not table.is_whole}),
        }

    def _widget(self, of_widget: dict) -> dict:
        state = dict(of_widget["state"])
        for buffer in of_widget.get("buffers", ()):
            at, (*way, last) = state, buffer["path"]
            for step in way:
                at[step] = at = dict(at[step])
            at[last] = {"$bytes": buffer["data"]}
        if "explains" in state:
            state["explains"] = False  # Only a kernel can say where each number is from.
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
