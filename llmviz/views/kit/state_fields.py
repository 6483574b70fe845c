"""What the fields of a view's state accept, which control sets each, and which of their values a page holds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import ipywidgets

from llmviz.views.kit import controls
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.theme import MAX_TOKENS

if TYPE_CHECKING:
    from llmviz.model import Config
    from llmviz.views.kit.view import View

T = TypeVar("T")

MAX_TYPED = 10_000  # characters in a box
MOST_ON_PAGE = 256  # values of a number, about
MOST_ROWS = 1_000_000  # of a picture in which one can be selected


def replace(state: T, **changes: Any) -> T:
    """Return the state with other values in these fields, as `copy.replace` of Python 3.13 does.

    `dataclasses.replace` reads all other fields, and a page needs to know which fields an event really reads.
    """
    own = getattr(type(state), "__replace__", dataclasses.replace)
    return own(state, **changes)


class Noted:
    """A state that notes in `read` which of its fields are read, and in `changes` those that an event sets."""

    def __init__(self, state: Any, read: dict[str, Any] | None = None, changes: dict[str, Any] | None = None):
        self.state, self.read, self.changes = state, {} if read is None else read, changes or {}

    def __getattr__(self, name: str) -> Any:
        if name in self.changes:
            return self.changes[name]
        value = self.read[name] = getattr(self.state, name)
        return value

    def __replace__(self, **changes: Any) -> Noted:
        return Noted(self.state, self.read, self.changes | changes)

    def __eq__(self, other: object) -> bool:
        raise TypeError("An event compares the fields that matter, not states.")


def set_in(state: Any) -> dict[str, Any]:
    """Return the fields that an event sets: all of a state that it makes new."""
    return state.changes if isinstance(state, Noted) else vars(state)


def has_changed(before: Any, state: Any, *names: str) -> bool:
    """Say whether an event has given one of these fields another value."""
    return any(getattr(state, name) != getattr(before, name) for name in names if name in set_in(state))


@dataclass(frozen=True)
class Field:
    """What a field of a state accepts, the control that sets it, and which of its values a page holds."""

    accepts: Callable[[Any, View], bool]
    takes: str  # the same in words, for an error
    control: Callable[[Any, View], ipywidgets.ValueWidget] | None = None
    on_page: Callable[[View], Iterable] = lambda view: ()
    outlives_text: bool = True  # False: a new text sets it back
    set_by: tuple[str, str] | None = None  # a part and its trait: what the page sends for it, the field takes
    means: Callable[[Any, View], Any] = lambda value, view: value  # the value that a scene returns
    shows: Callable[[Any, View], dict] = lambda value, view: {"value": value}  # traits of the control


def number(default: float, label: str | None, last: float, *, first: float = 0, step: float = 1) -> Any:
    """Declare a number from `first` to `last`, whole if `step` is, with a slider if it has a label.

    A page without a kernel holds all values; of many, some at equal distances, the last one and the default.
    """
    kinds, takes = (int, "a whole number") if isinstance(step, int) else (int | float, "a number")
    n = round((last - first) / step) + 1
    places = {*range(0, n, math.ceil(n / MOST_ON_PAGE)), n - 1, round((default - first) / step)}
    values = [round(first + i * step, 9) for i in sorted(places)]

    return _declared(
        default,
        lambda value, _: isinstance(value, kinds) and not isinstance(value, bool) and first <= value <= last,
        f"{takes} from {first:g} to {last:g}",
        (lambda value, _: controls.slider(value, label, last, first=first, step=step)) if label else None,
        lambda _: values,
    )


def index(default: int, label: str, how_many: Callable[[View], int]) -> Any:
    """Declare an index, such as that of a layer or a head, with a slider; negative ones count from the end.

    A scene returns one beyond the last as the last, while the state keeps it for a larger model.
    """

    def means(value: int, view: View) -> int:
        return clip_position(value, how_many(view))

    return _declared(
        default,
        *AN_INDEX,
        lambda value, view: controls.slider(0, label, how_many(view) - 1),
        lambda view: range(how_many(view)),
        means=means,
        shows=lambda value, view: {"max": how_many(view) - 1, "value": means(value, view)},
    )


def layer(default: int) -> Any:
    """Declare a layer of the model, as `index` does."""
    return index(default, "Layer", lambda view: _config(view).n_layers)


def head(default: int, label: str = "Head") -> Any:
    """Declare a head of a layer, as `index` does."""
    return index(default, label, lambda view: _config(view).n_heads)


def _config(view: View) -> Config:
    return getattr(view.run, "model", view.run).config  # the source may be the model itself


def token_choice(
    default: int | None,
    label: str,
    *,
    usual: Callable[[View], int] = lambda view: 0,
    pieces: Callable[[View], Sequence[str]] = lambda view: view.run.pieces[:MAX_TOKENS],
) -> Any:
    """Declare the position of a token, chosen from a list of all `pieces`; a new text sets it back.

    A scene returns it clipped to the pieces; for None, the position that `usual` returns.
    """

    def means(value: int | None, view: View) -> int:
        return clip_position(usual(view) if value is None else value, len(pieces(view)))

    def shows(value: int | None, view: View) -> dict:
        options = tuple((f"{visible(piece)}  ({i})", i) for i, piece in enumerate(pieces(view)))
        return {"options": options, "value": means(value, view) if options else None}

    return picked(
        default,
        lambda value, _: value is None or is_index(value),
        "the position of a token, or None",
        control=lambda value, view: controls.choice((), None, label),
        on_page=lambda view: range(len(pieces(view))),
        means=means,
        shows=shows,
    )


def position(default: int, *, set_by: tuple[str, str] | None = None) -> Any:
    """Declare a position in the text, set by events or by a part's trait. A scene returns it clipped to the text."""
    return _declared(
        default,
        *AN_INDEX,
        set_by=set_by,
        on_page=lambda view: range(len(view.run.tokens)),
        means=lambda value, view: clip_position(value, len(view.run.tokens)),
    )


AN_INDEX = (
    lambda value, _: is_index(value),
    f"a whole number below {MAX_TOKENS}, or a negative one that counts from the end",
)


def clip_position(position: int, n: int) -> int:
    """Return an index below `n`: a negative one counts from the end, and one beyond an end becomes that end."""
    return min(max(position + n if position < 0 else position, 0), n - 1)


def is_index(value: Any) -> bool:
    """Say whether a value can be an index, possibly a negative one."""
    return isinstance(value, int) and not isinstance(value, bool) and -MAX_TOKENS <= value < MAX_TOKENS


def tick(label: str | Callable[[View], str]) -> Any:
    """Declare yes or no, with a box to tick."""
    return _declared(
        False,
        lambda value, _: isinstance(value, bool),
        "True or False",
        lambda value, view: controls.checkbox(label(view) if callable(label) else label),
        lambda _: (False, True),
    )


def choice(
    default: str,
    label: str,
    options: Sequence[str] | Callable[[View], Sequence[str]],
    width: str = "min(300px, 98%)",
    make: Callable[..., ipywidgets.ValueWidget] = controls.choice,
) -> Any:
    """Declare one of several options, with a drop-down list, or with the control that `make` returns."""
    offered = options if callable(options) else lambda _: options
    return _declared(
        default,
        lambda value, view: isinstance(value, str) and value in offered(view),
        "one of the options of its list",
        lambda value, view: make(offered(view), value, label, width),
        offered,
    )


def text(
    default: str,
    make: Callable[[str], ipywidgets.ValueWidget],
    longest: int = MAX_TYPED,
    *,
    others: Sequence[str] = (),
) -> Any:
    """Declare a typed text of at most `longest` characters; `make` returns its box.

    others: texts that a page without a kernel holds besides the default.
    """
    return _declared(
        default,
        lambda value, _: isinstance(value, str) and len(value) <= longest,
        f"a text of at most {longest:,} characters",
        lambda value, _: make(value),
        lambda _: (default, *others) if others else (),
    )


def line(default: str, label: str, width: str = "min(500px, 98%)", *, live: bool = False) -> Any:
    """Declare a line to type in, with its label; it follows every key if `live`, else it waits for Enter."""
    return text(default, lambda value: controls.text_box(value, label, width, live=live))


def fixed(default: Any, accepts: Callable[[Any], bool], takes: str) -> Any:
    """Declare a field that is set when the view is made, and that neither a control nor another text changes."""
    return _declared(default, lambda value, _: accepts(value), takes)


def seed(default: int = 1) -> Any:
    """Declare the seed of all draws, with its box."""
    return _declared(
        default,
        lambda value, _: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31,
        f"a whole number from 0 to {2**31 - 1}",
        lambda value, _: controls.seed_box(value),
        lambda _: (default, default + 1),
    )


def picked(default: Any, accepts: Callable[[Any, View], bool], takes: str, **others: Any) -> Any:
    """Declare a field that events set, and that a new text sets back. others: what else a `Field` has.

    Without `on_page`, a page without a kernel holds only the present value.
    """
    return _declared(default, accepts, takes, **{"outlives_text": False, **others})


def several(
    default: tuple, options: Callable[[View], Collection], *, set_by: tuple[str, str], least: int = 0
) -> Any:
    """Declare a tuple of at least `least` options, set by a part's trait, which lasts when the text changes."""

    def accepts(values: Any, view: View) -> bool:
        is_tuple = isinstance(values, tuple)
        return is_tuple and least <= len(values) == len({*values} & {*options(view)})

    return _declared(
        default, accepts, f"a tuple of {least} or more of what is there, each once", set_by=set_by
    )


def selection(part_: str, on_page: Callable[[View], Iterable] = lambda view: ()) -> Any:
    """Declare what is selected in a part: an index, a tuple with one for each axis, or None (see `selected`)."""
    return picked(
        None,
        lambda value, _: value is None or all(type(i) is int and 0 <= i < MOST_ROWS for i in _axes(value)),
        "an index, a tuple of indices, or None",
        set_by=(part_, "selected"),
        on_page=on_page,
    )


def selected(index: int | tuple[int, ...] | None, *shape: int) -> Any:
    """Return a `selection` as a picture takes it: an index, or a list of them; None if it is outside of `shape`."""
    axes = _axes(index)
    if index is None or len(axes) != len(shape) or any(i >= n for i, n in zip(axes, shape)):
        return None
    return [*axes] if isinstance(index, tuple) else index


def _axes(index: Any) -> tuple:
    return index if isinstance(index, tuple) else (index,)


def _declared(default: Any, *of_field: Any, **others: Any) -> Any:
    return field(default=default, metadata={"field": Field(*of_field, **others)})
