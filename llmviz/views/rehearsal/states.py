"""What all widgets hold, how that differs from a start, and what a reader does at a control."""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Coroutine, Iterable, Iterator

import ipywidgets

from llmviz.views.kit import background
from llmviz.views.kit.lifetime import Closable

Place = tuple[str, str]  # a widget's id and one of its traits
State = tuple[dict[Place, str], dict[str, dict[str, str]]]  # what has changed, and the widgets that are new
CLICK = "click"  # what a button has in place of a trait


class Refused(Exception):
    """The page cannot set this."""


def encoded(value: object) -> str:
    """A widget's value as it is sent, as JSON; bytes as {"$bytes": base64}."""
    return json.dumps(value, default=_bytes, ensure_ascii=False, separators=(",", ":"))


def _bytes(value: object) -> dict:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def alive() -> dict[str, ipywidgets.Widget]:
    """All widgets that live now, by id, in the order in which they were made."""
    return dict(ipywidgets.widgets.widget._instances)


def state_of(widget: ipywidgets.Widget) -> dict[str, str]:
    return {name: encoded(value) for name, value in widget.get_state().items()}


def as_sent(widget: ipywidgets.Widget, name: str) -> object:
    """A trait as the page knows it."""
    return json.loads(encoded(widget.get_state(name)[name]))


def parts(roots: Iterable[str], states: dict[str, dict[str, str]]) -> set[str]:
    """The ids of these widgets and of all that they refer to."""
    found, todo = set(), list(roots)
    while todo:
        one = todo.pop()
        if one in found or one not in states:
            continue
        found.add(one)
        for value in states[one].values():
            todo += [rest.split('"')[0] for rest in value.split('"IPY_MODEL_')[1:]]
    return found


class Start:
    """How everything stands before the reader does anything; from then on it notes what is touched."""

    def __init__(self):
        self.widgets = alive()
        self.states = {key: state_of(widget) for key, widget in self.widgets.items()}
        self._touched: set[Place] = set()
        self._watch()

    def _watch(self) -> None:
        """To compare all traits of all widgets after each move would take longer than the moves."""
        touched = self._touched
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
        now, changed = alive(), {}
        for key, name in self._touched:
            if key in now and name in self.states.get(key, ()) and now[key].comm is not None:
                value = encoded(now[key].get_state(name)[name])
                if value != self.states[key][name]:
                    changed[key, name] = value
        return changed, {key: state_of(now[key]) for key in now.keys() - self.widgets.keys()}

    def accept(self) -> None:
        """What has changed belongs to the start from now on."""
        changed, new = self.difference()
        for (key, name), value in changed.items():
            self.states[key][name] = value
        self.states |= new
        self.widgets |= {key: alive()[key] for key in new}
        self._touched.clear()

    def value(self, place: Place) -> object:
        """What stood there."""
        key, name = place
        return json.loads(self.states[key][name])


def fingerprint(state: State) -> str:
    """The same for the same state."""
    changed, new = state
    return encoded([sorted((*place, value) for place, value in changed.items()), new])


def do(place: Place, value: object) -> None:
    """What the reader does at a control, as the page would send it. Raises Refused."""
    key, name = place
    widget = alive()[key]
    if name == CLICK:
        if widget.disabled or widget.layout.display == "none":
            raise Refused
        for handler in widget._click_handlers.callbacks:  # `click()` itself would swallow errors
            handler(widget)
        return
    widget.set_state({name: value})
    if name == "asked" and value is not None and widget.explanation is None:
        raise Refused
    if not _same(value, as_sent(widget, name)):
        raise Refused


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, abs_tol=1e-9)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return one == other or sorted(map(str, one)) == sorted(map(str, other))
    return one == other


@contextlib.contextmanager
def as_a_script() -> Iterator[None]:
    """Work beside the page is done at once, and without its pauses."""
    beside, sleep = Closable.beside, background.sleep

    def at_once(_view, work: Coroutine) -> None:
        with contextlib.suppress(StopIteration):
            while True:
                work.send(None)

    # Not `asyncio.sleep` itself: the kernel's other threads sleep, too, and would spin.
    Closable.beside, background.sleep = at_once, lambda _: sleep(0)
    try:
        yield
    finally:
        Closable.beside, background.sleep = beside, sleep
