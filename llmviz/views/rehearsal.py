"""Every state that a page's controls can bring about, computed beforehand: what lets a page live without a kernel.

It runs inside the kernel, when all cells have run. Each state is computed in a process of its own (`os.fork`), which
does what the reader would do and then ends: so nothing has to be put back, and what takes too long is ended. What comes
out is for each *space* (pictures whose controls act on each other) a graph: states as differences to the start, the
controls' values that lead to each, and what each button does in each. A page that walks this graph shows nothing that
was not computed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import io
import itertools
import json
import math
import os
import pickle
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import ipywidgets
import numpy as np
import traitlets
from ipykernel.comm.comm import BaseComm
from ipywidgets.widgets.widget_selection import _Selection

from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.predict import Predict, Question

MOST_STATES = 2_000  # of one space
MOST_VALUES = 600  # of one control
MOST_TOGETHER = 400  # combinations of some controls
MOST_BYTES = 8_000_000  # of one space, before they are packed
MOST_PRESSES = 40  # of one button, one after the other
PATIENCE = (
    10  # seconds for one state, beyond its control's share; an experiment that takes longer needs a kernel
)
STUCK = 300  # seconds by the clock: a child that waits for something for ever
EVENT = "(an event)"

Place = tuple[str, str]  # a widget's id and one of its traits
State = tuple[dict[Place, str], dict[str, dict[str, str]]]  # what has changed, and the widgets that are new
Action = tuple[
    str, str, object
]  # a control's widget, its trait ("click" for a button), and the value that is sent


class CannotRehearse(RuntimeError):
    """The message says why."""


# --- what widgets hold, as text ---------------------------------------------------------------------------------------


def encoded(value: object) -> str:
    """A widget's value as it is sent, as JSON; bytes as {"$bytes": base64}."""
    return json.dumps(value, default=_bytes, ensure_ascii=False, separators=(",", ":"))


def _bytes(value: object) -> dict:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def state_of(widget: ipywidgets.Widget) -> dict[str, str]:
    return {name: encoded(value) for name, value in widget.get_state().items()}


def alive() -> dict[str, ipywidgets.Widget]:
    """All widgets that live now, by id."""
    return dict(ipywidgets.widgets.widget._instances)


def parts(roots: Iterable[str], states: dict[str, dict[str, str]]) -> set[str]:
    """The ids of these widgets and of all that they refer to."""
    found, todo = set(), list(roots)
    while todo:
        one = todo.pop()
        if one in found or one not in states:
            continue
        found.add(one)
        for value in states[one].values():
            if "IPY_MODEL_" in value:
                todo += [rest.split('"')[0] for rest in value.split('"IPY_MODEL_')[1:]]
    return found


# --- what a control can be set to -------------------------------------------------------------------------------------


def coarse_first(values: list, middle: int) -> list:
    """The values without the one at `middle`, in an order in which each beginning covers the whole line."""
    n = len(values)
    step, order = 2 ** (n - 1).bit_length(), dict.fromkeys([middle, 0, n - 1])
    while step:
        order |= dict.fromkeys(range(middle % step, n, step))
        step //= 2
    return [values[at] for at in order if at != middle and at < n]


def values_of(widget: ipywidgets.Widget) -> dict[str, list]:
    """For each trait that the page may set: what it could send, the start left out."""
    if isinstance(widget, Question):  # not the card of a `Predict`
        guesses = {"guess": [*range(len(widget.options))]} if widget.options else {}
        return guesses | {"committed": [True]}
    if isinstance(widget, Picture):
        return {name: _of_picture(widget, name) for name in widget._by_page if name in widget.keys}
    if isinstance(widget, ipywidgets.Button):
        return {}
    if isinstance(widget, ipywidgets.Checkbox | ipywidgets.ToggleButton):
        return {"value": [not widget.value]}
    if isinstance(widget, _Selection):
        return {"index": [i for i in range(len(widget.options)) if i != widget.index]}
    if isinstance(widget, ipywidgets.IntRangeSlider):
        ends = range(widget.min, widget.max + 1, widget.step)
        pairs = [[a, b] for a in ends for b in ends if a <= b]
        return {"value": [pair for pair in pairs if pair != list(widget.value)]}
    if isinstance(widget, ipywidgets.BoundedIntText):
        near = range(max(widget.min, widget.value - 1), min(widget.max, widget.value + 8) + 1)
        return {"value": [v for v in near if v != widget.value]}
    if isinstance(widget, ipywidgets.IntSlider | ipywidgets.FloatSlider):
        n = int((widget.max - widget.min) / widget.step + 1e-9)
        line = [widget.min + i * widget.step for i in range(n + 1)]
        if isinstance(widget, ipywidgets.FloatSlider):
            line = [round(v, 9) for v in line]
        line = line[:: max(1, len(line) // 200)]
        return {"value": coarse_first(line, int(np.argmin([abs(v - widget.value) for v in line])))}
    return {}


def _of_picture(picture: Picture, name: str) -> list:
    trait, now = picture.traits()[name], getattr(picture, name)
    own = getattr(picture, "page_values", None)
    if own is not None and name in (found := own()):
        values = found[name]
    elif isinstance(trait, traitlets.Enum):
        values = list(trait.values)
    elif isinstance(trait, traitlets.Int):
        values = [*([None] if trait.allow_none else []), *range(_extent(picture))]
    elif isinstance(trait, traitlets.List) and isinstance(trait._trait, traitlets.Enum):
        names = list(trait._trait.values)
        several = [itertools.combinations(names, k) for k in range(len(names) + 1)]
        orders = itertools.permutations(names) if len(names) <= 4 else ()  # where only all of them will do
        values = [list(one) for one in itertools.chain(*several, orders)] if len(names) <= 7 else []
    elif isinstance(trait, traitlets.List) and isinstance(trait._trait, traitlets.Int):
        rows, cols = _shape(picture)
        values = [*([None] if trait.allow_none else []), *([i, j] for i in range(rows) for j in range(cols))]
    elif isinstance(trait, traitlets.List) and isinstance(trait._trait, traitlets.List):
        rows, cols = _shape(picture)
        cells = [[i, j] for i in range(rows) for j in range(cols)]
        values = [[one for one in now if one != cell] + ([] if cell in now else [cell]) for cell in cells]
    else:
        values = []
    return [value for value in values if value != now]


def _extent(picture: Picture) -> int:
    """No list and no array of a picture is longer, so no index into it is larger."""
    sizes = [0]
    for name in picture.keys:
        value = getattr(picture, name)
        sizes += (
            value.shape if isinstance(value, np.ndarray) else [len(value)] if isinstance(value, list) else []
        )
    return min(max(sizes) + 1, 512)


def _shape(picture: Picture) -> tuple[int, int]:
    """No array of a picture has more rows or columns."""
    arrays = [
        one for name in picture.keys if isinstance(one := getattr(picture, name), np.ndarray) and one.ndim > 1
    ]
    rows, cols = (max((one.shape[axis] for one in arrays), default=0) for axis in (0, 1))
    return min(rows, 64), min(cols, 64)


def heard(widget: ipywidgets.Widget, name: str) -> bool:
    """Whether anybody but the widget itself observes this trait."""
    observers = [*widget._trait_notifiers.get(name, {}).get("change", [])]
    observers += widget._trait_notifiers.get(traitlets.All, {}).get("change", [])
    return any(
        getattr(one, "__self__", None) is not widget and not isinstance(one, traitlets.ObserveHandler)
        for one in observers
    )


# --- one state, in a process of its own -------------------------------------------------------------------------------


@dataclass
class Start:
    """How everything stands before the reader does anything."""

    widgets: dict[str, ipywidgets.Widget]
    states: dict[str, dict[str, str]]
    touched: set[Place] = field(default_factory=set)

    @classmethod
    def here(cls) -> Start:
        widgets = alive()
        return cls(widgets, {key: state_of(widget) for key, widget in widgets.items()})

    def watch(self) -> None:
        """Note what changes from now on."""
        touched = self.touched
        notify, send = ipywidgets.Widget.notify_change, ipywidgets.Widget.send_state

        def notify_change(widget, change):
            if widget.comm is not None:  # else it is being closed
                touched.add((widget.model_id, change["name"]))
            return notify(widget, change)

        def send_state(widget, key=None):
            names = widget.keys if key is None else [key] if isinstance(key, str) else key
            if widget.comm is not None:
                touched.update((widget.model_id, name) for name in names)
            return send(widget, key)

        ipywidgets.Widget.notify_change, ipywidgets.Widget.send_state = notify_change, send_state

    def difference(self) -> State:
        """What is not as at the start, and the widgets that are new."""
        now = alive()
        changed = {}
        for key, name in self.touched:
            widget = now.get(key)
            if (
                key in self.states
                and name in self.states[key]
                and widget is not None
                and widget.comm is not None
            ):
                value = encoded(widget.get_state(name)[name])
                if value != self.states[key][name]:
                    changed[key, name] = value
        return changed, {key: state_of(now[key]) for key in now.keys() - self.widgets.keys()}


class Refused(Exception):
    """The page cannot set this."""


class Event(Exception):
    """What was set does something, and is back at once."""


def do(action: Action) -> None:
    """What the reader does at a control, as the page would send it."""
    key, name, value = action
    widget = alive()[key]
    if name == "click":
        if widget.disabled or widget.layout.display == "none" or getattr(widget, "needs_kernel", False):
            raise Refused
        for handler in widget._click_handlers.callbacks:  # `click()` itself would swallow errors
            handler(widget)
        return
    widget.set_state({name: value})
    if name == "asked" and value is not None and widget.explanation is None:
        raise Refused
    if not _same(value, encoded_value(widget, name)):
        raise Refused


def encoded_value(widget: ipywidgets.Widget, name: str) -> object:
    """A trait as the page knows it."""
    return json.loads(encoded(widget.get_state(name)[name]))


@contextlib.contextmanager
def _as_a_script() -> Iterator[None]:
    """No event loop runs, so that work beside the page is done at once, and without its pauses."""
    loop, sleep = asyncio._get_running_loop(), asyncio.sleep
    asyncio._set_running_loop(None)
    asyncio.sleep = lambda _=0, result=None: sleep(0, result)
    try:
        yield
    finally:
        asyncio.sleep = sleep
        asyncio._set_running_loop(loop)


def fork(work: Callable[[Callable], object], seconds: float = math.inf) -> tuple[int, int]:
    """Start `work` in a copy of this process; its process id, and where what it sends can be read.

    seconds: of computing; then it is ended.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the other threads here none is needed there
        child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        if seconds < math.inf:
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds)))
        with os.fdopen(writing, "wb") as pipe:

            def send(thing: object) -> None:
                pickle.dump(thing, pipe)
                pipe.flush()

            work(send)
    finally:
        os._exit(0)  # nothing of the kernel ends here, and no error goes further


def in_a_child(work: Callable[[Callable], object], seconds: float = PATIENCE) -> list:
    """What `work` sends from a copy of this process, which computes for so many seconds at most."""
    child, reading = fork(work, seconds)
    data, end = bytearray(), time.monotonic() + STUCK
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0, end - time.monotonic()))[0]:
            if not (block := pipe.read(1 << 20)):
                break
            data += block
        else:
            os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return [*unpickled(bytes(data))]


def computed(who: int = resource.RUSAGE_SELF) -> float:
    """Seconds of computing, whatever else the machine does meanwhile."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def unpickled(data: bytes) -> Iterator[object]:
    """All that is whole."""
    stream = io.BytesIO(data)
    with contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            yield pickle.load(stream)


# --- all states of a space --------------------------------------------------------------------------------------------


@dataclass
class Control:
    """What the page may set: a trait of a widget, and the values that were tried."""

    widget: str
    trait: str
    values: list
    # "line": numbers, in between the nearest is taken. "set": in any order. "probe": asks, and changes nothing.
    # "event": it does something, and is back at once.
    kind: str


@dataclass
class Space:
    """Pictures whose controls act on each other: all that their controls can bring about, as far as it was computed."""

    roots: list[str]
    controls: list[Control]
    buttons: list[str]
    free: list[Place] = field(default_factory=list)  # of no matter to anything else
    states: list[State] = field(default_factory=lambda: [({}, {})])
    reach: dict[str, int] = field(
        default_factory=lambda: {"": 0}
    )  # from the values of the controls to a state
    press: dict[int, dict[str, int]] = field(default_factory=dict)  # from a state and a button to a state
    failed: dict[str, str] = field(default_factory=dict)
    n_bytes: int = 0
    known: dict[str, int] = field(default_factory=lambda: {fingerprint(({}, {})): 0})

    @property
    def full(self) -> bool:
        """Whether it is as large as a page can hold."""
        return len(self.states) > MOST_STATES or self.n_bytes > MOST_BYTES

    def key(self, moved: dict[int, int]) -> str:
        """Which controls stand at which of their values, the start left out."""
        return ";".join(f"{c}={v}" for c, v in sorted(moved.items()))

    def add(self, state: State, key: str | None = None) -> int:
        """The number of a state; one that is there already keeps its number."""
        same = fingerprint(state)
        if same not in self.known:
            self.known[same] = len(self.states)
            self.n_bytes += len(same)
            self.states.append(state)
        if key is not None:
            self.reach.setdefault(key, self.known[same])
        return self.known[same]


def fingerprint(state: State) -> str:
    """The same for the same state."""
    changed, new = state
    return encoded([sorted((*place, value) for place, value in changed.items()), new])


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, abs_tol=1e-9)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return one == other or sorted(map(str, one)) == sorted(map(str, other))
    return one == other


class Rehearsal:
    """Tries what the controls of one space can be set to, as long as its time lasts; each part in a child."""

    def __init__(self, start: Start, space: Space, seconds: float):
        self.start, self.space, self.seconds = start, space, seconds

    def run(self) -> None:
        """What moves something, the buttons, and what asks; each alone, then two or all together."""
        controls = self.space.controls
        asking = [c for c, one in enumerate(controls) if one.kind == "probe"]
        moving = [c for c in range(len(controls)) if c not in asking]
        n = len(controls) + len(self.space.buttons) + 1
        for c in moving:
            self._together((c,), MOST_VALUES, self._left() / n)
            self._free(c)
            n -= 1
        for key in self.space.buttons:
            self._chain(key, self._left() / n)
            n -= 1
        for c in asking:
            self._together((c,), MOST_VALUES, self._left() / n)
            n -= 1
        moving = [c for c in moving if self._reached(c) and controls[c].kind != "event"]
        pairs = sorted(
            itertools.combinations(moving, 2), key=lambda two: sum(controls[c].kind == "set" for c in two)
        )
        if len(moving) > 2 and math.prod(len(self._reached(c)) + 1 for c in moving) <= MOST_TOGETHER:
            pairs = [tuple(moving)]
        pairs += itertools.product(moving, (c for c in asking if self._reached(c)))
        for i, pair in enumerate(pairs):
            self._together(pair, MOST_TOGETHER, self._left() / (len(pairs) - i))

    def _free(self, c: int) -> None:
        """A picture's selection that nobody hears and that changes nothing else needs no states: the page may move it.

        Not so a slider or a box: a button may read it later.
        """
        space, one = self.space, self.space.controls[c]
        place, mine = (one.widget, one.trait), [key for key in space.reach if key.startswith(f"{c}=")]
        pure = all(space.states[space.reach[key]][0].keys() <= {place} for key in mine)
        widget = self.start.widgets[one.widget]
        if not mine or not pure or not isinstance(widget, Picture) or heard(widget, one.trait):
            return
        first = min(space.reach[key] for key in mine)
        for key in mine:
            del space.reach[key]
        space.known = {same: number for same, number in space.known.items() if number < first}
        del space.states[first:]
        one.values = []
        space.free.append(place)

    def _left(self) -> float:
        return self.seconds - computed(resource.RUSAGE_CHILDREN)

    def _reached(self, c: int) -> list[int]:
        return [v for v in range(len(self.space.controls[c].values)) if f"{c}={v}" in self.space.reach]

    def _together(self, group: tuple[int, ...], most: int, seconds: float) -> None:
        """Every combination of some controls' values; of long lines the coarse values, so that it is `most` at most."""
        space = self.space
        values = [self._reached(c) if len(group) > 1 else range(len(space.controls[c].values)) for c in group]
        side = most
        while math.prod(min(len(one), side) + 1 for one in values) > max(most, 2 ** len(group)):
            side -= 1
        values = [list(one)[:side] for one in values]
        if not all(values) or space.full or (len(group) > 1 and seconds < 0.05):
            return
        for moved, state in in_a_child(
            lambda send: self._sweep(send, group, values, seconds), seconds + PATIENCE
        ):
            if state == EVENT:
                self._events(group[0], seconds)
            elif isinstance(state, str):
                space.failed[str([space.controls[c].trait for c in group])] = state
            else:
                space.add(state, space.key(moved))

    def _sweep(self, send: Callable, group: tuple[int, ...], values: list[list[int]], seconds: float) -> None:
        """In a child: move the controls through their values, one to the next, as a reader does."""
        controls = [self.space.controls[c] for c in group]
        first = [json.loads(self.start.states[one.widget][one.trait]) for one in controls]

        def move(level: int, moved: dict[int, int]) -> None:
            if level == len(group):
                if moved:
                    send((moved, self.start.difference()))
                return
            one = controls[level]
            move(level + 1, moved)
            for v in values[level]:
                if computed() > seconds and moved | {-1: v} != {
                    -1: values[level][0]
                }:  # the first one in any case
                    break
                before = self.start.difference() if len(group) == 1 and one.kind != "probe" else None
                try:
                    do((one.widget, one.trait, one.values[v]))
                except Refused:
                    if before and self.start.difference() != before:
                        raise Event from None
                    continue
                move(level + 1, moved | {group[level]: v})
            do((one.widget, one.trait, first[level]))

        with _as_a_script():
            try:
                move(0, {})
                if left := self.start.difference()[0]:
                    send(({}, f"does not come back: {sorted({name for _, name in left})}"))
            except Event:
                send(({}, EVENT))
            except Refused:
                send(({}, "cannot be put back"))
            except Exception as error:
                send(({}, f"{type(error).__name__}: {error}"))

    def _events(self, c: int, seconds: float) -> None:
        """A control that does something and is back at once: each time from the start."""
        one, until = self.space.controls[c], self._left() - seconds
        one.kind = "event"
        for v, value in enumerate(one.values):
            if self._left() < until:
                return
            for state in in_a_child(
                lambda send, value=value: self._event(send, (one.widget, one.trait, value))
            ):
                self.space.add(state, f"{c}={v}")

    def _event(self, send: Callable, action: Action) -> None:
        with _as_a_script():
            with contextlib.suppress(Refused):
                do(action)
            if (state := self.start.difference())[0]:
                send(state)

    def _chain(self, key: str, seconds: float) -> None:
        """A button pressed again and again, and each other one once in between."""
        space, at = self.space, 0
        if self.start.widgets[key].disabled:
            return
        for pressed, state in in_a_child(lambda send: self._presses(send, key, seconds), seconds + PATIENCE):
            if isinstance(state, str):
                space.failed[self.start.widgets[key].description] = state
                return
            number = space.add(state)
            space.press.setdefault(at, {}).setdefault(pressed, number)
            if pressed == key:
                at = number

    def _presses(self, send: Callable, key: str, seconds: float) -> None:
        """In a child: what `_chain` reads."""
        seen = set(self.space.known)
        others = [one for one in self.space.buttons if one != key]
        with _as_a_script():
            for _ in range(MOST_PRESSES):
                try:
                    do((key, "click", None))
                except Refused:
                    return
                except Exception as error:
                    send((key, f"{type(error).__name__}: {error}"))
                    return
                state = self.start.difference()
                send((key, state))
                if fingerprint(state) in seen or computed() + computed(resource.RUSAGE_CHILDREN) > seconds:
                    return
                seen.add(fingerprint(state))
                for other in others:
                    for found in in_a_child(lambda inner, other=other: self._press(inner, other)):
                        send((other, found))

    def _press(self, send: Callable, key: str) -> None:
        """In a child of the one that presses."""
        with contextlib.suppress(Refused):
            do((key, "click", None))
            send(self.start.difference())


# --- a whole page -----------------------------------------------------------------------------------------------------


async def settle(seconds: float = 60) -> None:
    """Wait until nothing works beside the cells any more."""
    end = time.monotonic() + seconds
    while any(one._tasks for one in alive().values() if isinstance(one, Closable)):
        if time.monotonic() > end:
            return
        await asyncio.sleep(0.05)


def spaces_of(start: Start, shown: list[str], cards: Collection[str]) -> list[Space]:
    """The pictures that are shown, those that share a control in one space."""
    groups: list[tuple[list[str], set[str]]] = []
    for root in shown:
        own = parts([root], start.states)
        acting = {key for key in own if key not in cards and _acts(start.widgets[key])}
        roots = [root]
        for other in [group for group in groups if group[1] & acting]:
            groups.remove(other)
            roots, acting = [*other[0], *roots], other[1] | acting
        groups.append((roots, acting))
    spaces = []
    for roots, acting in groups:
        space = Space(roots, [], [])
        for key in _in_order(roots, start):
            widget = start.widgets.get(key)
            if widget is None or key not in acting:
                continue
            if isinstance(widget, ipywidgets.Button):
                space.buttons.append(key)
                continue
            for name, values in values_of(widget).items():
                kind = _kind(widget, name)
                if kind == "set":  # in any order the same
                    values = [
                        *{encoded(sorted(value, key=str)): value for value in reversed(values)}.values()
                    ][::-1]
                space.controls.append(Control(key, name, values, kind))
        for key in _in_order(roots, start):
            widget = start.widgets.get(key)
            if isinstance(widget, Picture) and widget.explains:
                places = _askable(widget)
                if places:
                    space.controls.append(Control(key, "asked", places, "probe"))
        spaces.append(space)
    return spaces


def _acts(widget: ipywidgets.Widget) -> bool:
    return bool(values_of(widget)) or isinstance(widget, ipywidgets.Button)


def _in_order(roots: list[str], start: Start) -> list[str]:
    """The parts as they stand on the page."""
    found: dict[str, None] = {}

    def visit(key: str) -> None:
        if key in found or key not in start.widgets:
            return
        found[key] = None
        widget = start.widgets[key]
        for child in getattr(widget, "children", ()):
            visit(child.model_id)

    for root in roots:
        visit(root)
    return list(found)


def _kind(widget: ipywidgets.Widget, name: str) -> str:
    lines = ipywidgets.IntSlider | ipywidgets.FloatSlider | ipywidgets.IntRangeSlider
    if isinstance(widget, lines) or isinstance(widget.traits()[name], traitlets.Dict):
        return "line"
    trait = widget.traits()[name]
    if isinstance(trait, traitlets.List) and not isinstance(trait._trait, traitlets.Int) and name != "order":
        return "set"
    return "pick"


def _askable(picture: Picture) -> list:
    n = len(inspect.signature(picture.provenance).parameters)
    if n == 1:
        return [[i] for i in range(min(_extent(picture), 64))]
    rows, cols = _shape(picture)
    return [[i, j] for i in range(min(rows, 40)) for j in range(min(cols, 40))] if n == 2 else []


def commit(start: Start) -> dict[str, dict]:
    """Commit all cards, and leave them so: what that changes, card by card, and what each guess is told."""
    cards = {}
    for box in [one for one in alive().values() if isinstance(one, Predict)]:
        card = box.card
        hidden = state_of(card)
        told = {}
        if card.options is not None:
            guesses = list(range(len(card.options)))
        elif card.low is not None and card.high is not None and card.high - card.low <= 200:
            step = 1 if card.high - card.low > 20 else (card.high - card.low) / 100
            guesses = [
                round(card.low + i * step, 9) for i in range(int((card.high - card.low) / step + 1e-9) + 1)
            ]
        else:
            guesses = []
        for guess in [*guesses, None]:  # the last one stays
            card.set_state({"guess": guess})
            card.set_state({"committed": True})
            shown = state_of(card)
            if guess is not None:
                told[encoded(guess)] = shown["told"]
                card.set_state({"committed": False})
        cards[card.model_id] = {
            "hidden": {name: value for name, value in hidden.items() if value != shown[name]},
            "shown": {name: value for name, value in shown.items() if value != hidden[name]},
            "told": told,
            "then": None if box.then is None else box.then.layout.model_id,
        }
    return cards


def rehearse(path: str, shown: list[str], seconds: float, workers: int) -> None:
    """Compute all spaces of what is shown, and write what a page needs into a file.

    seconds: of computing, for all of them together, in so many processes at a time. Prints which share is done.
    """
    if not hasattr(os, "fork"):
        raise CannotRehearse("this system cannot copy a process (os.fork), so nothing can be rehearsed on it")
    BaseComm.publish_msg = lambda *_, **__: None  # nobody listens any more
    with _as_a_script():
        cards = commit(Start.here())
    start = Start.here()
    start.watch()
    spaces = spaces_of(start, shown, cards)
    todo = sorted((one for one in spaces if one.controls or one.buttons), key=_size)
    n, left, done = len(todo), seconds, []
    running: dict[int, tuple[int, bytearray, float]] = {}
    while todo or running:
        while todo and len(running) < workers:
            share = max(1.0, left / len(todo))
            left -= share
            space = todo.pop(0)
            child, pipe = fork(lambda send, space=space, share=share: _explore(send, start, space, share))
            running[pipe] = child, bytearray(), share
        for pipe in select.select([*running], [], [])[0]:
            child, data, share = running[pipe]
            if block := os.read(pipe, 1 << 20):
                data += block
                continue
            os.close(pipe)
            used = os.wait4(child, 0)[2]
            left += share - used.ru_utime - used.ru_stime
            del running[pipe]
            done += unpickled(bytes(data))
            print(len(done) / n, flush=True)
    Path(path).write_text(json.dumps(written(start, shown, done, cards)), "utf-8")


def _size(space: Space) -> int:
    return sum(len(one.values) for one in space.controls) + MOST_PRESSES * len(space.buttons)


def _explore(send: Callable, start: Start, space: Space, seconds: float) -> None:
    Rehearsal(start, space, seconds).run()
    send(space)


def written(start: Start, shown: list[str], spaces: list[Space], cards: dict) -> dict:
    """All of it as JSON: each value once, the rest by its number."""
    used: dict[str, int] = {}

    def number(value: str) -> int:
        return used.setdefault(value, len(used))

    def state(values: dict[str, str]) -> dict[str, int]:
        return {name: number(value) for name, value in values.items()}

    reachable = parts(shown, start.states)
    for key, widget in start.widgets.items():  # `jslink` stands beside what it ties together
        if isinstance(widget, ipywidgets.widgets.widget_link.Link) and widget.source[0].model_id in reachable:
            reachable |= parts([key], start.states)
    told = []
    for space in spaces:
        told.append(
            {
                "roots": space.roots,
                "controls": [
                    [one.widget, one.trait, one.kind, number(encoded(one.values))] for one in space.controls
                ],
                "buttons": space.buttons,
                "free": space.free,
                "reach": space.reach,
                "press": space.press,
                "states": [
                    {
                        "changed": [
                            [*place, number(value)]
                            for place, value in changed.items()
                            if place[0] in reachable
                        ],
                        "new": {one: state(values) for one, values in new.items()},
                    }
                    for changed, new in space.states
                ],
                "failed": space.failed,
            }
        )
    return {
        "widgets": {key: state(start.states[key]) for key in sorted(reachable)},
        "spaces": told,
        "cards": {
            key: {
                "hidden": state(card["hidden"]),
                "shown": state(card["shown"]),
                "told": {guess: number(value) for guess, value in card["told"].items()},
                "then": card["then"],
            }
            for key, card in cards.items()
            if key in reachable
        },
        "values": list(used),
    }
