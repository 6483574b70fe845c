"""A view is a state, events that lead to the next state, and a method for each part that draws it.

    part(view, scene) -> traits of its widget       pure: reads the run, the state and the results, and nothing else
    shared(view, scene) -> whatever parts read      pure as well, and computed once for all of them
    event(view, state, value) -> state              pure: what a click, a selection or a button leads to
    job(view, scene) -> yields share done, result   slow: the results stay with the text on which they were measured

`declare.py` has the marks for these methods, `scene.py` what they read, and `jobs.py` what runs in the background.
A control changes the field that declares it. Every other state is checked and drawn before anything on the screen
changes.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Any, ClassVar

import ipywidgets
from traitlets import HasTraits

from llmviz.views.kit import as_code, controls
from llmviz.views.kit.declare import bar, explains, job, looks, on, part, parts, press, sentences, shared
from llmviz.views.kit.jobs import Working
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.put import frozen, put
from llmviz.views.kit.scene import NothingToShow, NotMeasured, Scene
from llmviz.views.kit.state_fields import Field, replace, set_in

__all__ = [  # what the author of a view needs
    "NotMeasured",
    "NothingToShow",
    "Refused",
    "Scene",
    "View",
    "explains",
    "job",
    "looks",
    "on",
    "part",
    "parts",
    "press",
    "sentences",
    "shared",
]

MOST_STATES = 2_000  # that a page holds of one view


@dataclass(frozen=True)
class Nothing:
    """The state of a view that has nothing to set."""


class Refused(ValueError):
    """A state that a view cannot have."""


class View(Working):
    """Controls and `parts` (pictures, sentences, buttons) that show a `state`; `become` shows another one.

    source: a text box or another view with a `trace`, which this view follows; or a run, a model, or None.
    values, state: fields of `State`, in order or by name. `Refused` if one of them does not accept its value.
    `progress` is a row with the progress bar and the stop buttons of the jobs that start by themselves.
    """

    State: type = Nothing
    stage: ClassVar[str] = ""  # gives its colour to the sliders, and to parts that are made from a class
    copies_as_code: ClassVar[bool] = True  # a button below copies the code that makes the view in this state
    _parts: ClassVar[dict[str, Callable]]
    _shared: ClassVar[dict[str, Callable]]
    _looks: ClassVar[dict[str, Callable]]
    _events: ClassVar[dict[tuple[str, str], Callable]]
    _explanations: ClassVar[dict[str, Callable]]

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        members = {
            name: member
            for base in reversed(cls.__mro__)
            for name, member in vars(base).items()
            if inspect.isfunction(member)
        }

        def marked(mark: str) -> dict[str, Callable]:
            return {name: member for name, member in members.items() if hasattr(member, mark)}

        draws: dict[str, Callable] = {}
        for name, member in members.items():
            draws |= getattr(member, "parts", {name: getattr(member, "button", member)})
        cls._parts = {name: draw for name, draw in draws.items() if hasattr(draw, "make")}
        cls.jobs, cls._shared = marked("reads"), marked("is_shared")
        if cls.jobs:
            cls._parts.setdefault("progress", bar)
        cls._looks = {member.looks: member for member in marked("looks").values()}
        cls._events = {
            (part_ or name, trait): member
            for name, member in marked("on").items()
            for part_, trait in member.on
        }
        cls._explanations = {part_: m for m in marked("explains").values() for part_ in m.explains}
        # The marks of `declare.py` are attributes of the methods.
        is_marked = {name for name, member in members.items() if vars(member).keys() - {"__wrapped__"}}
        if hidden := [name for name in is_marked if hasattr(View, name)]:
            raise TypeError(f"{cls.__name__} needs other names for {', '.join(hidden)}: each view has these.")

    def __new__(cls, *arguments: Any, **options: Any):
        view = super().__new__(cls, *arguments, **options)
        view._made_with, view._given = as_code.made_with(cls, arguments, options), {*options}
        return view

    def __init__(self, source: Any, *values: Any, **state: Any):
        self.source = source
        self.run: Any = source.trace if isinstance(source, HasTraits) else source
        self.state = self.State(*values, **state)
        self._set_by_constructor = {name: state[name] for name in state.keys() - self._given}
        self._fields: dict[str, Field] = {f.name: f.metadata["field"] for f in fields(self.State)}
        self.check(self.state)
        self._drawn: dict[str, tuple[Scene, dict]] = {}  # what each part was drawn from, and what it shows
        self._computed: dict[str, tuple[Scene, Any]] = {}  # the same for what the parts share
        self._setting = False  # While we set widgets, their changes are no events.
        self._get_ready(source)
        self.controls = {
            name: declared.control(getattr(self.state, name), self)
            for name, declared in self._fields.items()
            if declared.control
        }
        self.parts = {name: draw.make(self) for name, draw in self._parts.items()}
        if self.jobs:
            stops = [self.parts[name] for name, job_ in self.jobs.items() if not job_.start]
            self.progress = controls.row(self.parts["progress"], *stops)
            self.progress.layout.min_height = "32px"  # Nothing below moves when the bar appears.
        # What the reader can do: an event for a widget's name and its trait ("click" for a button). The view's own come
        # first: a page explores events in this order, and should hold an answer before it holds all other guesses.
        self.events: dict[tuple[str, str], Callable] = dict(self._events)
        for name, declared in self._fields.items():
            if set_by := declared.set_by or (declared.control and (name, "value")):
                self.events.setdefault(set_by, _setter(name))
        self.code = as_code.CopyButton() if self.copies_as_code else None
        super().__init__([*self.arrange(), *([self.code] if self.code else [])])
        widgets = self.parts | self.controls
        for (name, trait), event in self.events.items():
            if trait == "click":
                widgets[name].on_click(lambda _button, event=event: self._happen(event))
            else:
                widgets[name].observe(lambda change, event=event: self._happen(event, change["new"]), trait)
        for name in self.jobs:
            self.parts[name].on_click(lambda _button, name=name: self._start_or_stop(name))
        for name in self._explanations:
            self.parts[name].provenance = self._explainer(name)
        self._measurements.views.add(self)
        self.follow(source, self.new_run)

    # --- what a view says of itself ---

    # The names of controls and parts, from top to bottom. Those in a tuple share a row; those in a tuple within it have
    # no gaps between them. Empty: all controls in a row, and all parts below.
    arrangement: ClassVar[tuple[str | tuple[str | tuple[str, ...], ...], ...]] = ()

    def arrange(self) -> list[ipywidgets.Widget]:
        """Return the widgets as `arrangement` names them."""
        named, stops = self.controls | self.parts, ()
        if self.jobs:
            named["progress"], stops = self.progress, self.progress.children[1:]
        below = (name for name, part_ in self.parts.items() if part_ not in stops)

        def laid_out(line: str | tuple, gap: int = 20) -> ipywidgets.Widget:
            if isinstance(line, str):
                return named[line]
            return controls.row(*(laid_out(inner, gap=0) for inner in line), gap=gap)

        return [laid_out(line) for line in self.arrangement or ((*self.controls,), *below) if line]

    def fitted(self, state: Any) -> Any:
        """Return the state for a new text, without values that belong to the old text or do not fit the new one."""
        lasting = {
            name: getattr(state, name)
            for name, declared in self._fields.items()
            if declared.outlives_text and declared.accepts(getattr(state, name), self)
        }
        return self.State(**lasting)

    def put_right(self, before: Any, state: Any) -> Any:
        """Return the state after an event, with the fields set back that no longer fit those that have changed."""
        return state

    def hand_on(self, scene: Scene) -> None:
        """Update what other views follow, such as `trace`; called after each change."""

    def scene(self, state: Any) -> Scene:
        """Return what a part reads in a state. An event gets from it what the parts share."""
        return Scene(self, state, self.run)

    # --- another state ---

    @one_at_a_time
    def become(self, state: Any) -> None:
        """Show another state. `Refused`, and nothing has changed, where a field does not accept its value."""
        self._show(state)

    @one_at_a_time
    def catch_up(self) -> None:
        """Show what has been measured meanwhile."""
        self._show(self.state)

    @one_at_a_time
    def _happen(self, event: Callable, *value: Any) -> None:
        """Show the state to which an event leads. If a view cannot have it, the widgets get their old values back."""
        if not self._setting:
            self._show(self.after(self.state, event, *value))

    def after(self, state: Any, event: Callable, *value: Any) -> Any:
        """Return the state to which an event leads, given what the page sends; the same where it cannot happen."""
        try:
            after = self.put_right(state, event(self, state, *value))
            self.check(after)
            return after
        except (Refused, NothingToShow):
            return state

    @one_at_a_time
    def new_run(self, run: Any) -> None:
        """Show another run, as when the source that is followed has one."""
        before, inputs, self.run = self.run, self.inputs(), run
        try:
            self._show(self.state if self.inputs() == inputs else self.fitted(self.state))
        except Exception:
            self.run = before
            raise

    def check(self, state: Any) -> None:
        """Raise `Refused` where a field does not accept its value."""
        for name, value in set_in(state).items():
            declared = self._fields[name]
            if not declared.accepts(value, self):
                raise Refused(f"{name} of {type(self).__name__} must be {declared.takes}, not {value!r}.")

    def _show(self, state: Any) -> None:
        """Check, draw, and only then commit; send what differs from what the widgets hold."""
        self.check(state)
        drawn = {name: self._draw(name, state) for name in (*self.parts, *self._looks)}
        before = self._drawn
        self.state, self._drawn = state, drawn
        for name in self.controls:
            _, traits = drawn.get(name, (None, {}))
            self.put(name, self._fields[name].shows(getattr(state, name), self) | traits)
        for name in self.parts:
            self.put(name, drawn[name][1])
        for name in self._explanations:
            if drawn[name] is not before.get(name):  # It may depend on more than the part shows.
                self.parts[name].explain_again()
        if self.code:
            self.code.line = as_code.line_of(self, as_code.notebook_names())
        self.hand_on(self.scene(state))
        self._keep_up()

    def put(self, name: str, traits: dict) -> None:
        """Let a part or a control hold these traits, which is no event."""
        self._setting = True
        try:
            put((self.parts | self.controls)[name], traits)
        finally:
            self._setting = False

    # --- drawing ---

    def _draw(self, name: str, state: Any) -> tuple[Scene, dict]:
        """Draw a part; where nothing that it has read has changed, return what it shows already."""
        before = self._drawn.get(name)
        if before and self._still_holds(before[0], state):
            return before
        scene = self.scene(state)
        traits = self.draw(name, scene)
        if traits is not None:
            scene.shown = traits
            return scene, traits
        statuses = {job_: scene.status(job_) for job_ in {read for read, _ in scene.measured_read}}
        begins = any(statuses.get(job_) == "new" for job_ in self.needed(state))
        at_work = begins or "running" in statuses.values()
        return (before or (scene, {})) if at_work else (scene, {"hidden": True})

    def draw(self, name: str, scene: Scene) -> dict | None:
        """Return the traits of a part, or those that `looks` gives a control; None where it waits for a result."""
        try:
            return (self._looks | self._parts)[name](self, scene)
        except NotMeasured:
            return None
        except NothingToShow:
            return {"hidden": True}

    def shows(self, name: str, scene: Scene) -> dict:
        """Return what a part shows, or a control and what goes with its value; hidden where it waits for a result."""
        value = self._fields[name].shows(getattr(scene.state, name), self) if name in self.controls else {}
        traits = self.draw(name, scene) if name in self._looks | self._parts else {}
        return value | ({"hidden": True} if traits is None else traits)

    def _compute(self, name: str, asking: Scene) -> tuple[Scene, Any]:
        """Compute what parts share; where nothing that it has read has changed, return what is known already."""
        known = self._computed.get(name)
        if not known or known[0].run is not asking.run or not self._still_holds(known[0], asking.state):
            scene = Scene(self, asking.state, asking.run)
            try:
                value = self._shared[name](self, scene)
            except NothingToShow as reason:
                value = reason.with_traceback(None)  # A traceback would keep all local variables alive.
            known = self._computed[name] = scene, value
        return known

    def _still_holds(self, scene: Scene, state: Any) -> bool:
        return (
            scene.run is self.run
            and all(getattr(state, name) == value for name, value in scene.state.read.items())
            and all(
                now is value or (what != "result" and now == value)
                for (name, what), value in scene.measured_read.items()
                for now in [getattr(self._measured(name, state), what)]
            )
        )

    def keys_shown(self) -> set[Hashable]:
        """Return the keys of all results on the screen."""
        scenes = [scene for scene, _ in self._drawn.values()]
        return {self.key(name, scene.state) for scene in scenes for name, _ in scene.measured_read}

    def _explainer(self, name: str) -> Callable[..., Any]:
        """Return the `provenance` of a part: a function of a place in it that explains the number there."""
        explain = self._explanations[name]
        which = (name,) if len(explain.explains) > 1 else ()

        def explained(*place: int) -> Any:
            scene, traits = self._drawn[name]
            if not traits or traits.get("hidden"):
                raise ValueError("nothing is drawn yet")
            return explain(self, scene, *which, *place)

        # The picture reads from it how many numbers a place has.
        explained.__signature__ = inspect.signature(functools.partial(explain, self, None, *which))
        return explained

    # --- what a page without a kernel holds ---

    def values_on_page(self, name: str) -> list[Any]:
        """Return the values of a field that a page holds."""
        return [*self._fields[name].on_page(self)] if name in self._fields else []

    def outlives_text(self, name: str) -> bool:
        """Say whether a field keeps its value when the text changes."""
        return self._fields[name].outlives_text

    def states(self) -> list[Any]:
        """Return the states that a page holds, at most `MOST_STATES`, with the present one first."""
        return [*dict.fromkeys((self.state, *self.slices()))][:MOST_STATES]

    def needed_on_page(self, state: Any) -> tuple[str, ...]:
        """Return the jobs without which a page does not hold a state."""
        return self.needed(state)

    def at_any_price(self) -> Iterator[Any]:
        """Yield the states that a page holds whatever time it takes, besides what it opens with."""
        return iter(())

    def slices(self) -> Iterator[Any]:
        """Yield states that a page holds: for each part, all combinations of values of the fields on which it depends.

        Where these are too many, each field varies while the others stay.
        """
        for scene, _ in self._drawn.values():
            held = {
                name: [*self._fields[name].on_page(self)] or [value]
                for name, value in scene.state.read.items()
            }
            if math.prod(map(len, held.values())) > MOST_STATES:
                yield from self.along(*held)
                continue
            for values in product(*held.values()):
                yield replace(self.state, **dict(zip(held, values)))

    def along(self, *names: str) -> Iterator[Any]:
        """Yield the states in which one of these fields has another of its values on a page."""
        for name in names:
            for value in self._fields[name].on_page(self):
                yield self.after(self.state, _setter(name), value)


def _setter(name: str) -> Callable:
    """Return the event of a control: its field takes the control's value."""
    return lambda view, state, value: replace(state, **{name: frozen(value)})
