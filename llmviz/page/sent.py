"""What a page can send of a widget: the values that its reader can set."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import ipywidgets
import numpy as np
import traitlets
from ipywidgets.widgets.widget_selection import _Selection

from llmviz.views.kit.picture import OfRows, Picture

MOST_IN_A_LIST, MOST_ROWS = 512, 64  # indices into a picture


def values_of_control(widget: ipywidgets.Widget) -> Sequence:
    """Return the values of a control whose field does not say them."""
    match widget:
        case _Selection():
            return [value for _, value in widget._options_full]
        case ipywidgets.Text() | ipywidgets.Textarea():
            return [widget.value]
    return []


def values_of_picture(picture: Picture, name: str) -> list:
    """Return the values of a trait that a picture's script can send, as it says itself, or as the trait can hold."""
    if name in (own := picture.page_values()):
        return own[name]
    trait = picture.traits()[name]
    nothing = [None] if trait.allow_none else []
    rows, cols = _shape(picture)
    cells = [[i, j] for i in range(rows) for j in range(cols)]
    match trait, getattr(trait, "_trait", None):
        case traitlets.Bool(), _:
            return [False, True]
        case traitlets.Enum(), _:
            return list(trait.values)
        case traitlets.Int(), _:
            n = picture.n_rows if isinstance(picture, OfRows) else _extent(picture)
            return [*nothing, *range(int(min(n, MOST_IN_A_LIST)))]
        case traitlets.List(), traitlets.Enum() as choice if len(choice.values) <= 7:
            several = [itertools.combinations(choice.values, k) for k in range(len(choice.values) + 1)]
            return [list(subset) for subset in itertools.chain(*several)]
        case traitlets.List(), traitlets.Int():
            return [*nothing, *cells]
        case traitlets.List(), traitlets.List():
            now = getattr(picture, name)
            return [[place for place in now if place != cell] + [cell] * (cell not in now) for cell in cells]
    return []


def _extent(picture: Picture) -> int:
    """Return a number of rows that no list and no array of a picture exceeds."""
    values = [getattr(picture, name) for name in picture.keys]
    sizes = [n for value in values if isinstance(value, np.ndarray) for n in value.shape]
    sizes += [len(value) for value in values if isinstance(value, list)]
    return min(max(sizes, default=0) + 1, MOST_IN_A_LIST)


def _shape(picture: Picture) -> tuple[int, int]:
    """Return how many rows and columns an array of a picture has at most."""
    values = [getattr(picture, name) for name in picture.keys]
    arrays = [value for value in values if isinstance(value, np.ndarray) and value.ndim > 1]
    rows, cols = (max((array.shape[axis] for array in arrays), default=0) for axis in (0, 1))
    return min(rows, MOST_ROWS), min(cols, MOST_ROWS)
