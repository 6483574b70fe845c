"""What the reader can set on a page, and to which values."""

from __future__ import annotations

import inspect
import itertools
from dataclasses import dataclass

import ipywidgets
import numpy as np
import traitlets
from ipywidgets.widgets.widget_selection import _Selection

from llmviz.views.kit.picture import Picture
from llmviz.views.kit.predict import GuessCard
from llmviz.views.rehearsal.states import Place, as_sent, encoded

LINES = ipywidgets.IntSlider | ipywidgets.FloatSlider | ipywidgets.IntRangeSlider
MOST_IN_A_LIST, MOST_ROWS, MOST_ASKED = 512, 64, 40  # indices into a picture


@dataclass
class Control:
    """A trait of a widget that the page may set, and the values to try, the start left out."""

    widget: str
    trait: str
    values: list
    # "line": numbers, in between the nearest is taken. "set": in any order. "pick": one of some. "probe": asks where a
    # number is from, and changes nothing.
    kind: str

    @property
    def place(self) -> Place:
        return self.widget, self.trait


def controls_of(widget: ipywidgets.Widget) -> list[Control]:
    """What moves something, with the values from coarse to fine: where time runs out, they cover the whole range."""
    controls = []
    for name, kind, values in _settable(widget):
        now = as_sent(widget, name)
        if kind == "set":  # one order of each
            values = [*{encoded(sorted(one, key=str)): one for one in values[::-1]}.values()][::-1]
        elif not _in_turn(widget, name, kind):
            values = coarse_first(values, values.index(now) if now in values else 0)
        controls.append(Control(widget.model_id, name, [one for one in values if one != now], kind))
    return controls


def _in_turn(widget: ipywidgets.Widget, name: str, kind: str) -> bool:
    """Say whether the values may only come one after the other, as a picture itself lists them."""
    return kind == "pick" and isinstance(widget, Picture) and name in widget.page_values()


def _settable(widget: ipywidgets.Widget) -> list[tuple[str, str, list]]:
    """Traits, their kinds, and their values."""
    if isinstance(widget, Picture):
        names = [name for name in widget._by_page if name in widget.keys]
        return [(name, _kind(widget, name), _of_picture(widget, name)) for name in names]
    name, values = _of_ipywidget(widget)
    return [(name, "line" if isinstance(widget, LINES) else "pick", values)] if values else []


def probes_of(widget: ipywidgets.Widget) -> list[Control]:
    """What asks where a number is from."""
    places = _askable(widget) if isinstance(widget, Picture) and widget.explains else []
    return [Control(widget.model_id, "asked", coarse_first(places), "probe")] if places else []


def coarse_first(values: list, middle: int = 0) -> list:
    """In an order in which each beginning covers the whole line; the one at `middle` comes first."""
    n = len(values)
    if not n:
        return []
    step, order = 2 ** (n - 1).bit_length(), dict.fromkeys([middle, 0, n - 1])
    while step:
        order |= dict.fromkeys(range(middle % step, n, step))
        step //= 2
    return [values[at] for at in order]


def _of_ipywidget(widget: ipywidgets.Widget) -> tuple[str, list]:
    match widget:
        case ipywidgets.Checkbox() | ipywidgets.ToggleButton():
            return "value", [False, True]
        case _Selection():
            return "index", [*range(len(widget.options))]
        case ipywidgets.IntRangeSlider():
            ends = range(widget.min, widget.max + 1, widget.step)
            return "value", [[a, b] for a in ends for b in ends if a <= b]
        case ipywidgets.BoundedIntText():  # its arrows lead to the next ones
            return "value", [*range(max(widget.min, widget.value - 1), min(widget.max, widget.value + 8) + 1)]
        case ipywidgets.IntSlider() | ipywidgets.FloatSlider():
            n = int((widget.max - widget.min) / widget.step + 1e-9)
            line = [widget.min + i * widget.step for i in range(n + 1)]
            if isinstance(widget, ipywidgets.FloatSlider):
                line = [round(value, 9) for value in line]
            line = line[:: max(1, len(line) // 200)]
            at = int(np.argmin([abs(value - widget.value) for value in line]))
            return "value", [*line[:at], widget.value, *line[at + 1 :]]
    return "", []


def _kind(picture: Picture, name: str) -> str:
    trait = picture.traits()[name]
    if isinstance(trait, traitlets.Dict):
        return "line"
    in_any_order = isinstance(trait, traitlets.List) and not isinstance(trait._trait, traitlets.Int)
    return "set" if in_any_order and name != "order" else "pick"


def _of_picture(picture: Picture, name: str) -> list:
    """By what its trait can hold, if it does not say so itself."""
    if isinstance(picture, GuessCard) and name == "guess":
        return [*range(len(picture.options or ()))]
    if name in (own := picture.page_values()):
        return own[name]
    trait, now = picture.traits()[name], getattr(picture, name)
    nothing = [None] if trait.allow_none else []
    rows, cols = _shape(picture)
    cells = [[i, j] for i in range(rows) for j in range(cols)]
    match trait, getattr(trait, "_trait", None):
        case traitlets.Bool(), _:
            return [False, True]
        case traitlets.Enum(), _:
            return list(trait.values)
        case traitlets.Int(), _:
            return [*nothing, *range(_extent(picture))]
        case traitlets.List(), traitlets.Enum() as one:
            names = list(one.values)
            if len(names) > 7:
                return []
            several = [itertools.combinations(names, k) for k in range(len(names) + 1)]
            orders = (
                itertools.permutations(names) if len(names) <= 4 else ()
            )  # where only all of them will do
            return [list(some) for some in itertools.chain(*several, orders)]
        case traitlets.List(), traitlets.Int():
            return [*nothing, *cells]
        case traitlets.List(), traitlets.List():
            return [[one for one in now if one != cell] + [cell] * (cell not in now) for cell in cells]
    return []


def _askable(picture: Picture) -> list:
    n = len(inspect.signature(picture.provenance).parameters)
    if n == 1:
        return [[i] for i in range(min(_extent(picture), MOST_ROWS))]
    rows, cols = (min(size, MOST_ASKED) for size in _shape(picture))
    return [[i, j] for i in range(rows) for j in range(cols)] if n == 2 else []


def _extent(picture: Picture) -> int:
    """No list and no array of a picture is longer, so no index into it is larger."""
    sizes = [0]
    for name in picture.keys:
        value = getattr(picture, name)
        if isinstance(value, np.ndarray):
            sizes += value.shape
        elif isinstance(value, list):
            sizes.append(len(value))
    return min(max(sizes) + 1, MOST_IN_A_LIST)


def _shape(picture: Picture) -> tuple[int, int]:
    """No array of a picture has more rows or columns."""
    values = [getattr(picture, name) for name in picture.keys]
    arrays = [one for one in values if isinstance(one, np.ndarray) and one.ndim > 1]
    rows, cols = (max((one.shape[axis] for one in arrays), default=0) for axis in (0, 1))
    return min(rows, MOST_ROWS), min(cols, MOST_ROWS)


def heard(widget: ipywidgets.Widget, name: str) -> bool:
    """Whether anybody but the widget itself observes this trait."""
    observers = [*widget._trait_notifiers.get(name, {}).get("change", [])]
    observers += widget._trait_notifiers.get(traitlets.All, {}).get("change", [])
    return any(
        getattr(one, "__self__", None) is not widget and not isinstance(one, traitlets.ObserveHandler)
        for one in observers
    )
