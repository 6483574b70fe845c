"""What all pictures have in common: traits, a text form, JavaScript, and explanations of their numbers."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import ipywidgets
import numpy as np
import traitlets
from ipywidgets.widgets.widget_description import DescriptionWidget

from llmviz.views.kit import theme
from llmviz.views.kit.drawn import Drawn
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.pieces import clean, legible, marked, marked_label

CLOSED = "(closed: its cell has run again)"
PAGE_LIMIT = 50_000  # characters of a value that the page sends
ROWS_ON_PAGE, CELLS_ON_PAGE = 512, 64  # what a page without a kernel lets select: rows, and cells each way
PLAIN_LIMIT = 20_000  # characters of `text/plain` a picture leaves in the notebook; `text()` has no limit


class Pieces(traitlets.TraitType):
    """A list of token texts. Python gets them unchanged (lone surrogates written out), the page gets them `marked`."""

    info_text = "a sequence of strings"
    default_value = ()
    _marked = staticmethod(marked)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.tag(sync=True, to_json=lambda value, _: [self._marked(piece) for piece in value])

    def validate(self, obj, value):
        if isinstance(value, str) or not isinstance(value, Iterable):
            self.error(obj, value)
        value = list(value)
        if not all(isinstance(piece, str) for piece in value):
            self.error(obj, value)
        return [clean(piece) for piece in value]


class Labels(Pieces):
    """Like `Pieces`, for names of rows: a piece, a number, or plain words, whose single spaces stay spaces."""

    _marked = staticmethod(marked_label)

    def validate(self, obj, value):
        is_list = isinstance(value, Iterable) and not isinstance(value, str)
        return super().validate(obj, map(str, value) if is_list else value)


class Text(traitlets.Unicode):
    """One line of text that may come from the reader: safe to send, and put on the page as text, never as HTML."""

    def __init__(self, default_value="", **kwargs):
        super().__init__(default_value, **kwargs)
        self.tag(sync=True)

    def validate(self, obj, value):
        value = super().validate(obj, value)
        return value if value is None else legible(value)


class Floats(traitlets.TraitType):
    """A float32 array (or None), sent as bytes. With `limit`, the page gets only that many along each axis."""

    info_text = "an array of real numbers"
    default_value = None
    allow_none = True

    def __init__(self, *, ndim: tuple[int, ...], limit: int | None = None, **kwargs):
        super().__init__(allow_none=True, **kwargs)
        self.ndim = ndim

        def to_json(value, _):
            if value is None:
                return None
            cut = value[tuple(slice(limit) for _ in range(value.ndim))]
            return {"shape": list(cut.shape), "data": memoryview(cut.tobytes())}

        self.tag(sync=True, to_json=to_json, from_json=lambda value, _: value)

    def validate(self, obj, value):
        if value is None:
            return None
        array = np.array(value, dtype=np.float32)  # a copy, since the caller's array may change
        if array.ndim not in self.ndim:
            raise traitlets.TraitError(
                f"{type(obj).__name__}.{self.name} takes {' or '.join(map(str, self.ndim))} axes, "
                f"not an array of shape {array.shape}"
            )
        array.flags.writeable = False
        return array


_lock = threading.RLock()


def one_at_a_time(method: Callable) -> Callable:
    """Let a method wait until no other one with this mark runs, since JupyterLab may handle messages in two threads.

    There is one lock for all, because all controls of a page run the same model.
    """

    @functools.wraps(method)
    def waiting(*arguments):
        with _lock:
            return method(*arguments)

    return waiting


@one_at_a_time
def take_from_page(
    widget: ipywidgets.Widget, set_state: Callable[[dict], None], may_set: Collection[str], sent: dict
) -> None:
    """Let the page set the traits in `may_set`. If a value is not valid, nothing changes, and the page is set back.

    It waits while another thread draws, which could restore the old value, so that what was typed would be lost.
    """
    before = {name: getattr(widget, name) for name in sent if name in may_set}
    try:
        if len(before) < len(sent) or not all(_possible(widget, *item) for item in sent.items()):
            raise traitlets.TraitError("not for the page to set")
        set_state(sent)
    except traitlets.TraitError:
        for name, value in before.items():
            widget.set_trait(name, value)
        widget.send_state([name for name in sent if name in widget.keys])


def _possible(widget: ipywidgets.Widget, name: str, value: object) -> bool:
    """Say whether a trait can have a value: True or False only if it has one now, a number if it is between the ends of
    a slider, any text, and anything else if it is short and without NaN."""
    if isinstance(value, bool):
        return isinstance(getattr(widget, name), bool)
    if value is None:
        return isinstance(widget, Picture)  # a control always has a value
    if isinstance(value, int | float) and name == "value":
        return getattr(widget, "min", -math.inf) <= value <= getattr(widget, "max", math.inf)
    try:
        return isinstance(value, str) or len(json.dumps(value, allow_nan=False)) <= PAGE_LIMIT
    except (TypeError, ValueError):
        return False


def guard(box: ipywidgets.Box) -> None:
    """Let the controls in a box, and in boxes within it, take only values from the page that they can have."""
    for child in box.children:
        if isinstance(child, ipywidgets.Box):
            guard(child)
        elif isinstance(child, DescriptionWidget) and "set_state" not in vars(child):
            child.set_state = functools.partial(take_from_page, child, child.set_state, ("value", "index"))


class Picture(Closable, Drawn):
    """A widget with a text form, save buttons and, if it has a `provenance`, numbers that say where they come from.

    `provenance` is a function of what was clicked (an index, or row and column) that returns an
    `llmviz.views.provenance.Explanation`; it runs only when the reader asks.
    """

    _stage = "tokenization"  # unless `stage` is given

    caption = Text()  # one sentence that says what the picture shows
    summary = Text()  # read by screen readers; written by the picture itself
    stage = traitlets.Enum([*theme.STAGE_COLORS]).tag(sync=True)  # gives its accent colour
    provenance = traitlets.Callable(None, allow_none=True)
    asked = traitlets.List(traitlets.Int(min=0), default_value=None, allow_none=True).tag(sync=True)
    explanation = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    explains = traitlets.Bool(False).tag(sync=True)

    waiting: str = "nothing yet"  # the text form of an empty picture
    _by_page: tuple[str, ...] = ("selected",)  # what the page may set, besides `asked`
    _changing = False

    def __init__(self, **traits):
        own = type(self).class_traits()  # None stands for the default, unless a trait can be None.
        super().__init__(
            **{k: v for k, v in traits.items() if v is not None or getattr(own.get(k), "allow_none", 0)}
        )
        # The summary is about the traits that a subclass adds; in some pictures it repeats the caption.
        self.observe(self._summarise, ["caption", *own.keys() - Picture.class_traits().keys()])
        self.observe(self.explain_again, "asked")
        self._summarise()

    @traitlets.default("stage")
    def _usual_stage(self) -> str:
        return self._stage

    @traitlets.observe("provenance")
    def _explains_from_now_on(self, change) -> None:
        self.explains = change["new"] is not None
        self.asked = None

    def set_state(self, sync_data: dict) -> None:
        """Take what the page sends."""
        take_from_page(self, super().set_state, ("asked", *self._by_page), sync_data)

    def change(self, **traits) -> None:
        """Set several traits as one step: they are checked together, sent in one message and drawn once."""
        with self.hold_sync():
            self._changing = True
            try:
                with self.hold_trait_notifications():
                    for name, value in traits.items():
                        setattr(self, name, value)
            finally:
                self._changing = False
            self._summarise()

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to draw yet; then neither `text` nor `headline` is asked."""
        values = getattr(self, "values", 1)
        return values is None or not np.size(values)

    def text(self) -> str:
        """Return every number of the picture as plain text."""
        raise NotImplementedError

    def headline(self) -> str:
        """Return one or two sentences for a screen reader; by default the text, cut if it is long."""
        text = self.text()
        return text if len(text) <= 600 else text[:600].rsplit(" ", 1)[0] + " …"

    def __repr__(self) -> str:
        if self.comm is None:
            return CLOSED
        text = self.waiting if self.is_empty else self.text()
        if len(text) <= PLAIN_LIMIT:
            return text
        return text[:PLAIN_LIMIT].rsplit("\n", 1)[0] + "\n… and more: print(picture.text()) shows all of it"

    def _repr_mimebundle_(self, **_):
        return with_text(self)

    def _summarise(self, _change=None) -> None:
        if self._changing:
            return
        self.summary = self.waiting if self.is_empty else self.headline()
        if self.asked is not None:  # An open explanation must not keep old numbers.
            self.explain_again()

    def explain_again(self, _change=None) -> None:
        """Explain the number at the place `asked`, as it is now; close the explanation if there is no such place."""
        explanation = None
        with contextlib.suppress(IndexError, ValueError):
            if self.asked is not None and self.provenance and self._is_place(self.asked):
                explanation = self.provenance(*self.asked).as_dict()
        if explanation is None:
            self.asked = None
        self.explanation = explanation

    def _is_place(self, asked: list[int]) -> bool:
        """Say whether a place has as many numbers as `provenance` takes."""
        try:
            inspect.signature(self.provenance).bind(*asked)
        except TypeError:
            return False
        return True


class OfRows(Picture):
    """A picture of rows, points or tokens, of which one is `selected`, or none."""

    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    _rows: tuple[str, ...] = ("labels",)  # the traits that decide how many rows there are

    def __init__(self, **traits):
        self.observe(self._drop_selection, [*self._rows])  # before the summary is written
        super().__init__(**traits)

    @property
    def n_rows(self) -> float:
        """Return how many rows can be selected."""
        rows = getattr(self, self._rows[0])
        return 0 if rows is None else len(rows)

    def page_values(self) -> dict:
        return {"selected": [None, *range(int(min(self.n_rows, ROWS_ON_PAGE)))]}

    @traitlets.validate("selected")
    def _a_row(self, proposal):
        value = proposal["value"]
        if value is not None and not 0 <= value < self.n_rows:
            raise traitlets.TraitError(f"selected is a whole number from 0 to {self.n_rows - 1}, not {value}")
        return value

    def _drop_selection(self, _change=None) -> None:
        if self.selected is not None and self.selected >= self.n_rows:
            self.selected = None


class OfCells(Picture):
    """A picture of cells, `values` [rows, cols], of which one is `selected` (row and column), or none."""

    values = Floats(ndim=(2,))
    row_labels = Labels()
    col_labels = Labels()
    selected = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)

    def page_values(self) -> dict:
        return {"selected": [None, *cells(self.values)]}

    @traitlets.validate("selected")
    def _a_cell(self, proposal):
        value = proposal["value"]
        if value is not None and not has_place(self.values, value):
            shape = None if self.values is None else self.values.shape
            raise traitlets.TraitError(f"selected is [row, column] within {shape}, not {value}")
        return value

    @traitlets.observe("values")
    def _drop_what_does_not_fit(self, _change):
        if self.selected is not None and not has_place(self.values, self.selected):
            self.selected = None


class Scaled(Picture):
    """A picture whose colour scale ends at `limit`; unless one is given, it is `fitted()` to the values."""

    limit = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, *, limit: float | None = None, **traits):
        self._is_given = limit is not None
        super().__init__(limit=limit, **traits)

    def change(self, **traits) -> None:
        self._is_given |= "limit" in traits
        super().change(**traits)

    def fitted(self) -> float:
        """Return the limit that fits the values."""
        raise NotImplementedError

    @traitlets.observe("values", "kind")
    def _fit(self, _change):
        if not self._is_given and self.values is not None:
            self.limit = self.fitted()


class Explorer(Closable, ipywidgets.VBox):
    """Controls and the pictures they drive, one below the other. Its text form is that of its pictures."""

    def follow(self, source, show: Callable) -> None:
        """Follow a source, and show at the top what it has `above` its followers, such as a text box."""
        above = source.above() if isinstance(source, Closable) else None
        if above is not None:
            if not any(child is above for child in self.children):
                self.children = (above, *self.children)
            source.dim_if_outdated(self)
        super().follow(source, show)

    def __init__(self, children=(), **traits):
        super().__init__(children, **traits)
        self.add_class("lv-explorer")

    @traitlets.observe("children")
    def _guard_controls(self, _change) -> None:
        guard(self)

    def __repr__(self) -> str:
        if self.comm is None:
            return CLOSED
        return "\n\n".join(f"{picture.caption}\n{picture!r}".lstrip("\n") for picture in _pictures(self))

    def _repr_mimebundle_(self, **_):
        return with_text(self)


def _pictures(box: ipywidgets.Box) -> Iterator[Picture]:
    for child in box.children:
        if not isinstance(child, Picture | ipywidgets.Box) or child.layout.display == "none":
            continue
        yield from [child] if isinstance(child, Picture) else _pictures(child)


def with_text(widget: ipywidgets.DOMWidget) -> dict:
    """Return what a notebook shows of a widget: the widget itself, and its text for where that cannot run."""
    view = {"version_major": 2, "version_minor": 1, "model_id": widget.model_id}
    return {"text/plain": repr(widget), "application/vnd.jupyter.widget-view+json": view}


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as aligned columns of text, the first flush left, the others flush right."""
    table = [[str(cell) for cell in row] for row in rows]
    if not table:
        return ""
    widths = [max(len(row[i]) for row in table if i < len(row)) for i in range(max(map(len, table)))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))
        ).rstrip()
        for row in table
    )


def has_place(values: np.ndarray | None, place: Sequence[int]) -> bool:
    """Say whether `place` lies within the first axes of an array; None has no places."""
    return values is not None and all(0 <= i < n for i, n in zip(place, values.shape))


def cells(values: np.ndarray | None) -> list[list[int]]:
    """Return [row, column] of each cell of an array [rows, cols, …] that a page without a kernel lets select."""
    shape = (0, 0) if values is None else np.minimum(values.shape[:2], CELLS_ON_PAGE)
    return [[*place] for place in np.ndindex(*shape)]
