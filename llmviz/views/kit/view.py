"""A view is a state, events that lead to the next state, and a method for each part that draws it.

    part(view, scene) -> traits of its widget       pure: reads the run, the state and the results, and nothing else
    shared(view, scene) -> whatever parts read      pure as well, and computed once for all of them
    event(view, state, value) -> state              pure: what a click, a selection or a button leads to
    job(view, scene) -> yields share done, result   slow: the results stay with the text on which they were measured

A control changes the field that declares it. `become` is the only way to another state: it checks, draws, and only then
changes anything.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any, ClassVar
from weakref import ref

import ipywidgets
import numpy as np
from traitlets import HasTraits

from llmviz.model import Trace
from llmviz.views.kit import as_code, controls
from llmviz.views.kit.background import Background
from llmviz.views.kit.measurements import Measurement, Measurements, measurements_of
from llmviz.views.kit.picture import Explorer, Picture, one_at_a_time
from llmviz.views.kit.pieces import as_sentence
from llmviz.views.kit.state_fields import Field, replace

MOST_STATES = 2_000  # that a page holds of one view
MARKS = {
    "make",
    "button",
    "parts",
    "is_shared",
    "looks",
    "on",
    "explains",
    "reads",
}  # on methods, by the functions below


@dataclass(frozen=True)
class Nothing:
    """The state of a view that has nothing to set."""


class Refused(ValueError):
    """A state that a view cannot have."""


class NothingToShow(Exception):
    """Why there is nothing: raised by what parts share, it hides the pictures that read it, and sentences say it."""


class NotMeasured(NothingToShow):
    """A result that is not there yet: a part that reads it returns None."""


def part(
    make: Callable[..., ipywidgets.Widget], *arguments: Any, **traits: Any
) -> Callable[[Callable], Callable]:
    """Mark the method that draws a part. make: a kind of widget, made once and so, or a function of the view.

    The method returns the widget's traits; "hidden" hides it. None is for a job without a result: while it is at work,
    the part keeps what it shows; otherwise it is hidden. Asking for a result that is not `known` has the same effect.
    """

    def mark(draw: Callable) -> Callable:
        @functools.wraps(draw)
        def drawn(view: Any, scene: Scene) -> dict | None:
            try:
                return draw(view, scene)
            except NotMeasured:
                return None
            except NothingToShow:
                return {"hidden": True}

        drawn.make = _maker(make, arguments, traits)  # type: ignore[attr-defined]
        return drawn

    return mark


def parts(
    captions: Mapping[str, str], make: Callable[..., ipywidgets.Widget], *arguments: Any, **traits: Any
) -> Callable[[Callable], Callable]:
    """Mark the method that draws several parts of a kind, with a caption for each name; it takes the name as well.

    make: as for `part`; a function takes the view and a caption.
    """

    def of_one(draw: Callable, name: str, caption: str) -> Callable:
        kind = make if isinstance(make, type) else lambda view: make(view, caption)
        mark = part(kind, *arguments, **traits, **({"caption": caption} if kind is make else {}))
        return mark(lambda view, scene: draw(view, scene, name))

    def mark(draw: Callable) -> Callable:
        draw.parts = {name: of_one(draw, name, caption) for name, caption in captions.items()}  # type: ignore[attr-defined]
        return draw

    return mark


def _maker(make: Callable[..., ipywidgets.Widget], arguments: tuple, traits: dict) -> Callable[[Any], Any]:
    if not isinstance(make, type):
        return make

    def of_kind(view: View) -> ipywidgets.Widget:
        wears = {"stage": view.stage} if view.stage and issubclass(make, Picture) else {}
        return make(*arguments, **wears | traits)

    return of_kind


def shared(compute: Callable[[Any, Scene], Any]) -> Callable[[Any, Scene], Any]:
    """Mark the method that computes what several parts and events read, as an attribute of their scene."""
    compute.is_shared = True  # type: ignore[attr-defined]
    return compute


def sentences(say: Callable[[Any, Scene], Sequence[str] | None]) -> Callable[[Any, Scene], dict | None]:
    """Mark the method that returns the sentences of a part; empty ones are left out. `NothingToShow` is said."""

    @part(lambda _: controls.Sentences())
    @functools.wraps(say)
    def draw(view: Any, scene: Scene) -> dict | None:
        try:
            lines = say(view, scene)
            return None if lines is None else {"sentences": [line for line in lines if line]}
        except NotMeasured:
            return None
        except NothingToShow as reason:
            return {"sentences": [str(reason)]}

    return draw


def on(*parts: str) -> Callable[[Callable], Callable]:
    """Mark the method that says what follows when the page sets the last named trait of a part, or of several.

    on("map", "arcs", "selected") takes the state and the trait's new value, and returns the next state. Of a control
    the trait is "value".
    """
    *names, trait = parts

    def mark(event: Callable) -> Callable:
        event.on = [(name, trait) for name in names]  # type: ignore[attr-defined]
        return event

    return mark


def press(
    label: str | Callable[[Any, Scene], str],
    tooltip: str = "",
    *,
    look: str = "",
    when: Callable[[Any, Scene], object] = lambda view, scene: True,
) -> Callable[[Callable], Callable]:
    """Mark the method that says what follows when a button is pressed; the button is a part of the method's name.

    It takes the state and returns the next one. label: its name, or a method that says it; "" hides it. look: "primary"
    for a button that starts something. when: whether the button can be pressed.
    """

    def draw(view: Any, scene: Scene) -> dict:
        name = label(view, scene) if callable(label) else label
        return {"description": name, "disabled": not when(view, scene), "hidden": not name}

    def mark(event: Callable) -> Callable:
        event.on = [("", "click")]  # type: ignore[attr-defined]  # The part has the name of the method in its class.
        event.button = part(lambda view: controls.button("", tooltip, look))(draw)  # type: ignore[attr-defined]
        return event

    return mark


def looks(control: str) -> Callable[[Callable], Callable]:
    """Mark the method that draws what a control shows apart from its value: "hidden" or "disabled"."""

    def mark(draw: Callable) -> Callable:
        draw.looks = control  # type: ignore[attr-defined]
        return draw

    return mark


def explains(*parts: str) -> Callable[[Callable], Callable]:
    """Mark the method that says where a number of a part is from; it takes the drawn scene, and a place.

    Where it is for several parts, it takes the name of one before the place.
    """

    def mark(explain: Callable) -> Callable:
        explain.explains = parts  # type: ignore[attr-defined]
        return explain

    return mark


def job(
    *reads: str,
    start: str | Callable[[Any], str] = "",
    tooltip: str = "",
    when: Callable[[Any, Scene], object] = lambda view, scene: True,
) -> Callable[[Callable], Callable]:
    """Mark a generator that measures something slowly, in short steps.

    After each it yields the share that is done and the result so far, or None where there is nothing new to show.
    It may read the results of other jobs, and what it yielded before it was stopped. reads: the fields of the state on
    which the result depends.

    A button, a part of the job's name, stops it, and what is known stays. start: what the button says before; then it
    begins the job, where `when` allows it. A job also runs as long as `needs` names it; without `start`, its button is
    there only to stop it, and to go on after that. The bar that shows how far it is, is the part "progress".
    """

    def mark(measure: Callable) -> Callable:
        name = measure.__name__
        measure.reads, measure.start = reads, start  # type: ignore[attr-defined]

        def draw(view: View, scene: Scene) -> dict:
            status = scene.status(name)
            running = status == "running"
            before = start(view) if callable(start) else start
            return {
                "description": "Stop" if running else before or "Continue",
                "disabled": not running and not when(view, scene),
                "hidden": not start and status not in ("running", "stopped"),
            }

        look = "primary" if start else ""
        measure.button = part(lambda _: controls.button("", tooltip, look))(draw)  # type: ignore[attr-defined]
        return measure

    return mark


@part(
    lambda _: ipywidgets.FloatProgress(
        0, max=1, style={"description_width": "90px"}, layout={"width": "min(400px, 70%)"}
    )
)
def _bar(view: View, scene: Scene) -> dict:
    """Show how far the job is that runs."""
    for name in view.jobs:
        if scene.status(name) == "running":
            share, seconds = scene.progress(name)
            left = "" if seconds is None else f"{max(1, seconds):.0f} s left"
            return {"value": share, "description": left, "hidden": False}
    return {"value": 0.0, "description": "", "hidden": True}


class Scene:
    """What a part may read: the `run`, the fields of the state, results, and what the view's parts share.

    It notes which fields and results are read. `shown` are the traits of the part that was drawn from it.
    """

    shown: dict[str, Any]

    def __init__(self, view: View, state: Any, run: Any):
        self._view, self.state, self.run = view, state, run
        self.fields_read: dict[str, Any] = {}
        # By the job's name, and what of its `Measurement` was read.
        self.measured_read: dict[tuple[str, str], Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self._view._shared:
            scene, value = self._view._compute(name, self)
            self.fields_read |= scene.fields_read
            self.measured_read |= scene.measured_read
            if isinstance(value, NothingToShow):
                raise value
            return value
        value = self.fields_read[name] = getattr(self.state, name)
        return self._view._fields[name].means(value, self._view)

    def result(self, name: str) -> Any:
        """Return what a job has measured so far; None before its first result."""
        return self._read(name, "result")

    def known(self, name: str) -> Any:
        """Return what a job has measured so far; `NotMeasured` before its first result."""
        if (result := self.result(name)) is None:
            raise NotMeasured(f"{name} has no result yet")
        return result

    def status(self, name: str) -> str:
        """Return whether a job is "new", "running", "stopped" or "done"."""
        return self._read(name, "status")

    def problem(self, name: str) -> str:
        """Say why a job has stopped by itself, such as numbers that overflow. Empty, where it has not."""
        return self._read(name, "problem")

    def progress(self, name: str) -> tuple[float, float | None]:
        """Return the share of a job that is done, and the seconds that are left, if that is known."""
        return self._read(name, "progress")

    def _read(self, name: str, what: str) -> Any:
        if (name, what) not in self.measured_read:
            self.measured_read[name, what] = getattr(self._view._measured(name, self.state), what)
        return self.measured_read[name, what]


class View(Explorer):
    """Controls and pictures that show a `state`; `become` changes it. `parts` are the pictures, sentences and buttons.

    source: a text box (or another view with a `trace`) that this one follows, a run, a model, or None.
    values, state: fields of `State`, in their order or by name.
    `progress` is a row of the bar that shows how far a job is and the buttons of the jobs that begin by themselves.
    """

    State: type = Nothing
    stage: ClassVar[str] = ""  # whose colour its sliders and the pictures made from their kind wear
    copies_as_code: ClassVar[bool] = True  # a button below it copies the line of code that makes it as it is
    _parts: ClassVar[dict[str, Callable]] = {}
    _shared: ClassVar[dict[str, Callable]] = {}
    _looks: ClassVar[dict[str, Callable]] = {}
    _events: ClassVar[dict[tuple[str, str], Callable]] = {}
    _explanations: ClassVar[dict[str, Callable]] = {}
    jobs: ClassVar[dict[str, Callable]] = {}

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        members = {
            name: member
            for base in reversed(cls.__mro__)
            for name, member in vars(base).items()
            if inspect.isfunction(member)
        }
        draws: dict[str, Callable] = {}
        for name, member in members.items():
            draws |= getattr(member, "parts", {name: getattr(member, "button", member)})
        cls._parts = {name: draw for name, draw in draws.items() if hasattr(draw, "make")}
        cls._shared = {name: member for name, member in members.items() if hasattr(member, "is_shared")}
        cls._looks = {member.looks: member for member in members.values() if hasattr(member, "looks")}
        cls._events = {
            (part_ or name, trait): member
            for name, member in members.items()
            for part_, trait in getattr(member, "on", ())
        }
        cls._explanations = {part_: m for m in members.values() for part_ in getattr(m, "explains", ())}
        cls.jobs = {name: member for name, member in members.items() if hasattr(member, "reads")}
        if hidden := [name for name in members if name in vars(View) and MARKS & vars(members[name]).keys()]:
            raise TypeError(f"{cls.__name__} needs other names for {', '.join(hidden)}: each view has these.")
        if cls.jobs:
            cls._parts.setdefault("progress", _bar)

    def __new__(cls, *arguments: Any, **options: Any):
        view = super().__new__(cls, *arguments, **options)
        view._made_with, view._options = as_code.made_with(cls, arguments, options), {*options}
        return view

    def __init__(self, source: Any, *values: Any, **state: Any):
        self.source = source
        self.run: Any = source.trace if isinstance(source, HasTraits) else source
        self.state = self.State(*values, **state)
        self._given = {*state}
        self._fields: dict[str, Field] = {f.name: f.metadata["field"] for f in fields(self.State)}
        self.check(self.state)
        self._drawn: dict[str, tuple[Scene, dict]] = {}  # what each part shows, and what it was drawn from
        self._computed: dict[str, tuple[Scene, Any]] = {}  # what they share
        self._setting = False
        self._measurements = Measurements() if source is None else measurements_of(source)
        self.before_closing(self._end_all)
        # What runs in the background: each job, and the events that happen by themselves.
        self._work = {name: Background(self) for name in (*self.jobs, "")}
        self._at_work: dict[str, Hashable] = {}
        self.controls = {
            name: declared.control(getattr(self.state, name), self)
            for name, declared in self._fields.items()
            if declared.control
        }
        self.parts = {name: draw.make(self) for name, draw in self._parts.items()}  # type: ignore[attr-defined]
        if self.jobs:
            stops = [self.parts[name] for name, job_ in self.jobs.items() if not job_.start]  # type: ignore[attr-defined]
            self.progress = controls.row(self.parts["progress"], *stops)
            self.progress.layout.min_height = "32px"  # what is below stays where it is when they come and go
        declared = self._fields.items()
        # What the page can bring about: by the widget's name and its trait, "click" for a button.
        self.events: dict[tuple[str, str], Callable] = {
            **self._events,  # A page explores these first: an answer comes before all other guesses.
            **{
                (name, "value"): _setter(name)
                for name in self.controls
                if (name, "value") not in self._events
            },
            **{
                field.of: _setter(name)
                for name, field in declared
                if field.of and field.of not in self._events
            },
        }
        self.code = as_code.CopyButton() if self.copies_as_code else None
        super().__init__([*self.arrange(), *([self.code] if self.code else [])])
        widgets = self.parts | self.controls
        for (name, trait), event in self.events.items():
            if trait == "click":
                widgets[name].on_click(lambda _button, event=event: self._happen(event))
            else:
                self._listen(widgets[name], trait, event)
        for name in self.jobs:
            self.parts[name].on_click(lambda _button, name=name: self._start_or_stop(name))
        for name in self._explanations:
            self.parts[name].provenance = self._explainer(name)
        self._measurements.views.add(self)
        self.follow(source, self.new_run)

    def _listen(self, widget: ipywidgets.Widget, trait: str, event: Callable) -> None:
        widget.observe(lambda change: self._happen(event, change["new"]), trait)

    # --- what a view says of itself ---

    # What stands below each other: names of controls and parts, in a tuple those that share a row, and in a tuple in it
    # those without a gap between them. Empty: a row of all controls, and below it all parts.
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

    def is_shown(self, part_: str, scene: Scene) -> bool:
        """Say whether there is anything for a part to show; else it is hidden, and not drawn, as where it returns None.

        The bar, and the button of a job that begins by itself, are shown while there is work.
        """
        return True

    def fitted(self, state: Any) -> Any:
        """Return a state for a new text: what it does not allow, or what belongs to the old one, is set back."""
        lasting = {
            name: getattr(state, name)
            for name, declared in self._fields.items()
            if declared.outlives_text and declared.accepts(getattr(state, name), self)
        }
        return self.State(**lasting)

    def put_right(self, before: Any, state: Any) -> Any:
        """Return the state to which an event leads: what of it does not go with the rest is set back."""
        return state

    def by_itself(self, state: Any) -> Callable | None:
        """Return the event that happens next by itself, a moment later; None where nothing does."""
        return None

    def pause(self, state: Any) -> float:
        """Return how many seconds a state is shown before what happens next by itself."""
        return 0.01  # The page and the stop button have their turn.

    def needs(self, state: Any) -> str | tuple[str, ...] | None:
        """Return the job, or jobs, whose results this state shows; they run until they are done. None: no job.

        A view says so itself where these are not, in each state, all jobs that no button starts.
        """
        return tuple(name for name, job_ in self.jobs.items() if not job_.start)  # type: ignore[attr-defined]

    def needed(self, state: Any) -> tuple[str, ...]:
        """Return the jobs that `needs` names, as a tuple."""
        needed = self.needs(state)
        return needed if isinstance(needed, tuple) else (needed,) if needed else ()

    def hand_on(self, scene: Scene) -> None:
        """Set what others follow, such as `trace`, to that of a scene; called after each change."""

    def inputs(self) -> Hashable:
        """Return what results depend on apart from the state: the model and the text, or what else the source holds."""
        if isinstance(self.run, Trace):
            return ref(self.run.model), tuple(self.run.tokens)
        return self.run and ref(self.run)

    def scene(self, state: Any) -> Scene:
        """Return what a part may read in a state: an event reads what the parts share here."""
        return Scene(self, state, self.run)

    # --- another state ---

    @one_at_a_time
    def become(self, state: Any) -> None:
        """Show another state. `Refused`, and nothing has changed, where a field does not accept its value."""
        self._show(state)

    @one_at_a_time
    def _happen(self, event: Callable, *value: Any) -> None:
        """Let something happen on the page. What leads nowhere changes nothing, and the page is put right."""
        if self._setting:
            return
        try:
            self._show(self.after(self.state, event, *value))
        except Refused:
            self._show(self.state)

    def after(self, state: Any, event: Callable, *value: Any) -> Any:
        """Return the state to which an event leads, with what the page sends; the same where it leads nowhere."""
        try:
            return self.put_right(state, event(self, state, *value))
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

    @one_at_a_time
    def redraw(self, _run: Any = None) -> None:
        """Draw everything again: `self.follow(other, self.redraw)` lets parts read the run of another view, too."""
        self._drawn, self._computed = {}, {}
        self._show(self.state)

    def check(self, state: Any) -> None:
        """Raise `Refused` where a field does not accept its value."""
        for name, declared in self._fields.items():
            value = getattr(state, name)
            if not declared.accepts(value, self):
                raise Refused(f"{name} of {type(self).__name__} must be {declared.takes}, not {value!r}.")

    def _show(self, state: Any) -> None:
        """Check, draw, and only then commit; send what differs from what the widgets hold."""
        self.check(state)
        drawn = {name: self._draw(name, state) for name in (*self.parts, *self._looks)}
        before = self._drawn
        self.state, self._drawn, self._setting = state, drawn, True
        try:
            for name, control in self.controls.items():
                _, traits = drawn.get(name, (None, {}))
                put(control, self._fields[name].shows(getattr(state, name), self) | traits)
            for name, part_ in self.parts.items():
                put(part_, drawn[name][1])
            for name in self._explanations:
                if drawn[name] is not before.get(name):  # It may tell more than the part shows.
                    self.parts[name].explain_again()
            if self.code:
                self.code.line = as_code.line_of(self, as_code.notebook_names())
        finally:
            self._setting = False
        self.hand_on(self.scene(state))
        self._keep_up()

    def _draw(self, name: str, state: Any) -> tuple[Scene, dict]:
        """Draw a part, or return what it shows where nothing that it has read has changed."""
        before = self._drawn.get(name)
        if before and self._still_holds(before[0], state):
            return before
        scene = self.scene(state)
        traits = self.draw(name, scene)
        if traits is not None:
            scene.shown = traits
            return scene, traits
        jobs = {read for read, _ in scene.measured_read}
        statuses = {job_name: scene.status(job_name) for job_name in jobs}
        begins = any(statuses.get(job_name) == "new" for job_name in self.needed(state))
        at_work = begins or "running" in statuses.values()
        return (before or (scene, {})) if at_work else (scene, {"hidden": True})

    def draw(self, name: str, scene: Scene) -> dict | None:
        """Return what a part shows, or a control apart from its value; None where a part is hidden or waits."""
        shows_work = name == "progress" or (name in self.jobs and not self.jobs[name].start)  # type: ignore[attr-defined]
        if name in self._looks:
            return self._looks[name](self, scene)
        return self._parts[name](self, scene) if shows_work or self.is_shown(name, scene) else None

    def control_shows(self, name: str, scene: Scene) -> dict:
        """Return what a control shows: its value, and what goes with it."""
        looks = self.draw(name, scene) if name in self._looks else None
        return self._fields[name].shows(getattr(scene.state, name), self) | (looks or {})

    def new_widget(self, name: str) -> ipywidgets.Widget:
        """Return another widget of the kind of a part or a control, which is not on the screen and changes nothing."""
        if name in self.controls:
            return self._fields[name].control(getattr(self.state, name), self)  # type: ignore[misc]
        widget = self._parts[name].make(self)  # type: ignore[attr-defined]
        if name in self._explanations:
            widget.provenance = self._explainer(name)
        return widget

    def provenance_of(self, name: str, state: Any, place: Sequence[int]) -> Any:
        """Return where a number of a part is from; None where there is none at this place."""
        scene = self.scene(state)
        scene.shown = self.draw(name, scene) or {"hidden": True}
        if scene.shown.get("hidden"):
            return None
        explain = self._explanations[name]
        which = (name,) if len(explain.explains) > 1 else ()  # type: ignore[attr-defined]
        try:
            return explain(self, scene, *which, *place)
        except (IndexError, ValueError):
            return None

    def values_on_page(self, name: str) -> list[Any]:
        """Return the values of a field that a page holds."""
        return [*self._fields[name].on_page(self)] if name in self._fields else []

    def outlives_text(self, name: str) -> bool:
        """Say whether a field stays as it is when another text comes."""
        return self._fields[name].outlives_text

    def _compute(self, name: str, asking: Scene) -> tuple[Scene, Any]:
        """Compute what parts share, or return what is known where nothing that it has read has changed."""
        known = self._computed.get(name)
        if not known or known[0].run is not asking.run or not self._still_holds(known[0], asking.state):
            scene = Scene(self, asking.state, asking.run)
            try:
                value = self._shared[name](self, scene)
            except NothingToShow as reason:
                value = reason.with_traceback(None)  # else it holds all that was at work
            known = self._computed[name] = scene, value
        return known

    def _still_holds(self, scene: Scene, state: Any) -> bool:
        return (
            scene.run is self.run
            and all(getattr(state, name) == value for name, value in scene.fields_read.items())
            and all(
                now is value or (what != "result" and now == value)
                for (name, what), value in scene.measured_read.items()
                for now in [getattr(self._measured(name, state), what)]
            )
        )

    def _explainer(self, name: str) -> Callable[..., Any]:
        explain = self._explanations[name]
        which = (name,) if len(explain.explains) > 1 else ()  # type: ignore[attr-defined]

        @one_at_a_time
        def explained(*place: int) -> Any:
            scene, traits = self._drawn[name]
            if not traits or traits.get("hidden"):
                raise ValueError("nothing is drawn yet")
            return explain(self, scene, *which, *place)

        # A picture asks it how many numbers a place has.
        place = [*inspect.signature(explain).parameters.values()][2 + len(which) :]
        explained.__signature__ = inspect.Signature(place)
        return explained

    # --- what takes a while ---

    def key(self, name: str, state: Any) -> Hashable:
        """Return what a job's result depends on."""
        reads = self.jobs[name].reads  # type: ignore[attr-defined]
        return type(self), name, self.inputs(), tuple(getattr(state, read) for read in reads)

    def _measured(self, name: str, state: Any) -> Measurement:
        return self._measurements.of(self.key(name, state))

    @property
    def busy(self) -> bool:
        """Say whether something runs in this view."""
        return bool(self._at_work)

    @one_at_a_time
    def catch_up(self) -> None:
        """Show what has been measured meanwhile."""
        self._show(self.state)

    @one_at_a_time
    def _start_or_stop(self, name: str) -> None:
        key, shown = self.key(name, self.state), self._drawn[name][1]
        comes_too_late = shown.get("disabled") or shown.get("hidden")
        if self._measurements.of(key).status == "running":
            self._measurements.set(key, status="stopped")
        elif not comes_too_late:
            self._begin(name, key)

    def _keep_up(self) -> None:
        """Run what the state needs and what the reader has begun, and nothing else."""
        for name in self._work:
            wanted = self._wanted(name)
            if self._at_work.get(name) not in (None, wanted):
                self._end(name)
            if wanted and name not in self._at_work:
                self._begin(name, wanted)

    def _wanted(self, name: str) -> Hashable:
        """Return the key of a job, or the event, that runs in the background in this state; None where it does not."""
        if not name:
            return self.by_itself(self.state)
        key = self.key(name, self.state)
        status, needed = self._measurements.of(key).status, name in self.needed(self.state)
        begun = needed or self.jobs[name].start  # type: ignore[attr-defined]
        goes_on = status == "running" and begun and self._at_work.get(name) == key  # else in another view
        return key if goes_on or (status == "new" and needed) else None

    def _begin(self, name: str, wanted: Any) -> None:
        self._end(name)
        self._at_work[name] = wanted
        if name:
            self._measurements.set(wanted, status="running", share=0.0, seconds_left=None, problem="")
        self._work[name].start(self._measure(name, wanted, self.state) if name else self._go_on(wanted))

    def _end(self, name: str) -> None:
        key = self._at_work.pop(name, None)
        self._work[name].stop()
        if name and key and self._measurements.of(key).status == "running":
            self._measurements.set(key, status="new")

    def _end_all(self) -> None:
        self._measurements.views.discard(self)
        for name in self._work:
            self._end(name)

    def _go_on(self, event: Callable) -> Iterator[float]:
        """Let one event follow the other, as long as they lead somewhere."""
        before = None
        try:
            while self._at_work.get("") is event and self.state != before:
                yield self.pause(self.state)
                before = self.state
                self._happen(event)
        finally:
            if self._at_work.get("") is event:
                del self._at_work[""]

    def do_job(self, name: str, state: Any, seconds: float) -> bool:
        """Do a job of a state now, for at most so many seconds of computing; say whether it is done."""
        key, end = self.key(name, state), time.process_time() + seconds
        if seconds and self._measurements.of(key).status != "done":
            with contextlib.closing(self._measure(name, key, state)) as steps:
                for _ in steps:
                    if time.process_time() > end:
                        self._measurements.set(key, status="new", result=None)
                        break
        return self._measurements.of(key).status == "done"

    def _measure(self, name: str, key: Hashable, state: Any) -> Iterator[float]:
        scene = self.scene(state)
        try:
            yield 0.05  # While a slider moves, only its last place is worth the work.
            began = time.monotonic()
            with contextlib.closing(self.jobs[name](self, scene)) as job_:
                for share, result in job_:
                    before = self._measurements.of(key)
                    if result is not None:
                        before = replace(before, result=result)
                    if result is not None or share - before.share > 0.01:
                        left = (time.monotonic() - began) * (1 / share - 1) if share else None
                        self._measurements.set(key, result=before.result, share=share, seconds_left=left)
                    yield 0.002
        except (FloatingPointError, ValueError) as error:
            self._measurements.set(key, status="stopped", problem=as_sentence(error))
            if isinstance(error, FloatingPointError):
                return
            raise
        except Exception:
            self._measurements.set(key, status="stopped")  # else it would fail again at once
            raise
        self._measurements.set(key, status="done")

    def keys_shown(self) -> set[Hashable]:
        """Return the keys of all results on the screen."""
        scenes = [scene for scene, _ in self._drawn.values()]
        return {self.key(name, scene.state) for scene in scenes for name, _ in scene.measured_read}

    # --- what a page without a kernel holds ---

    def states(self) -> list[Any]:
        """Return the states that a page holds, at most `MOST_STATES`, with the present one first."""
        states = {self.state: None}
        for state in self.slices():
            if len(states) == MOST_STATES:
                break
            states[state] = None
        return [*states]

    def slices(self) -> Iterator[Any]:
        """Yield states that a page holds: for each part, all values on a page of the fields on which it depends.

        Where these are too many together, each field has its values with the others as they are.
        """
        for scene, _ in self._drawn.values():
            reads = (read for name, _ in scene.measured_read for read in self.jobs[name].reads)  # type: ignore[attr-defined]
            held = {
                name: [*self._fields[name].on_page(self)] or [getattr(self.state, name)]
                for name in dict.fromkeys((*scene.fields_read, *reads))
            }
            if math.prod(map(len, held.values())) > MOST_STATES:
                yield from self.along(*held)
                continue
            for values in product(*held.values()):
                yield replace(self.state, **dict(zip(held, values)))

    def along(self, *names: str) -> Iterator[Any]:
        """Yield the states with another value of one of these fields."""
        for name in names:
            for value in self._fields[name].on_page(self):
                yield replace(self.state, **{name: value})


def _setter(name: str) -> Callable:
    """Return the event of a control: its field takes the control's value."""
    return lambda view, state, value: replace(state, **{name: frozen(value)})


def frozen(value: Any) -> Any:
    """Return a value from the page with tuples for its lists, as states have them."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def put(widget: ipywidgets.Widget, traits: dict[str, Any]) -> None:
    """Set what differs from what a widget holds, in one message. Its cell may have run again, which closed it."""
    if widget.comm is None:
        return
    display = "none" if traits.get("hidden") else ""
    if (widget.layout.display or "") != display:
        widget.layout.display = display
    traits = {name: value for name, value in traits.items() if name != "hidden"}
    if hasattr(widget, "change"):
        changed = {name: value for name, value in traits.items() if not _same(value, getattr(widget, name))}
        if changed:
            widget.change(**changed)
        return
    if isinstance(widget, ipywidgets.SelectionSlider) and not _same(traits["options"], widget.options):
        widget.options = traits["options"]  # On a page, a slider needs a message of its own for them.
    with widget.hold_sync():
        for name, value in traits.items():
            if not _same(value, getattr(widget, name)):
                setattr(widget, name, value)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if a is None or b is None:
            return False
        a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
    return type(a) is type(b) and a == b
