"""Marks for the methods of a view: which ones draw parts, what they share, and which are events or jobs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ipywidgets

from llmviz.views.kit import controls
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.scene import NothingToShow, NotMeasured, Scene


def part(
    make: Callable[..., ipywidgets.Widget], *arguments: Any, **traits: Any
) -> Callable[[Callable], Callable]:
    """Mark the method that draws a part: it returns traits of the part's widget.

    make: the class of the widget, or a function of the view that returns it; called once, with these arguments.
    `NothingToShow` hides the part. So does a result that is not `known` yet, but while its job runs, the part keeps
    what it shows.
    """

    def made(view: Any) -> ipywidgets.Widget:
        if not isinstance(make, type):
            return make(view, *arguments, **traits)
        colour = {"stage": view.stage} if view.stage and issubclass(make, Picture) else {}
        return make(*arguments, **colour | traits)

    def mark(draw: Callable) -> Callable:
        draw.make = made
        return draw

    return mark


def parts(
    captions: Mapping[str, str], make: Callable[..., ipywidgets.Widget], *arguments: Any, **traits: Any
) -> Callable[[Callable], Callable]:
    """Mark the method that draws several parts of a kind; it takes the name of the part after the scene.

    captions: by the parts' names. make: as for `part`; it gets the caption as well.
    """

    def mark(draw: Callable) -> Callable:
        def of_one(name: str, caption: str) -> Callable:
            return part(make, *arguments, caption=caption, **traits)(
                lambda view, scene: draw(view, scene, name)
            )

        draw.parts = {name: of_one(name, caption) for name, caption in captions.items()}
        return draw

    return mark


def sentences(say: Callable[[Any, Scene], Iterable[str]]) -> Callable[[Any, Scene], dict]:
    """Mark the method that returns the sentences of a part. Empty ones are left out; a `NothingToShow` is one, too."""

    @part(controls.Sentences)
    @functools.wraps(say)
    def draw(view: Any, scene: Scene) -> dict:
        try:
            lines = [*say(view, scene)]
        except NotMeasured:
            raise
        except NothingToShow as reason:
            lines = [str(reason)]
        lines = [line for line in lines if line]
        return {"sentences": lines, "hidden": not lines}

    return draw


def shared(compute: Callable[[Any, Scene], Any]) -> Callable[[Any, Scene], Any]:
    """Mark the method that computes what several parts and events read: it is an attribute of their scene."""
    compute.is_shared = True
    return compute


def looks(control: str) -> Callable[[Callable], Callable]:
    """Mark the method that returns further traits of a control, such as "hidden" or "disabled"."""

    def mark(draw: Callable) -> Callable:
        draw.looks = control
        return draw

    return mark


def explains(*parts: str) -> Callable[[Callable], Callable]:
    """Mark the method that says where a number of a part comes from; it takes the drawn scene and the number's place.

    If it serves several parts, it takes the name of the part before the place.
    """

    def mark(explain: Callable) -> Callable:
        explain.explains = parts
        return explain

    return mark


def on(*parts: str) -> Callable[[Callable], Callable]:
    """Mark an event: a method that takes the state and the new value of a part's trait, and returns the next state.

    `on("map", "arcs", "selected")` is for the trait `selected` of two parts. The trait of a control is "value".
    """
    *names, trait = parts

    def mark(event: Callable) -> Callable:
        event.on = [(name, trait) for name in names]
        return event

    return mark


def press(
    label: str | Callable[[Any, Scene], str],
    tooltip: str = "",
    *,
    look: str = "",
    when: Callable[[Any, Scene], object] = lambda view, scene: True,
) -> Callable[[Callable], Callable]:
    """Mark the event of a button: a method that takes the state and returns the next one. The part has its name.

    label: the words on the button, or a function that returns them; "" hides it. look: "primary" for a button that
    starts something. when: whether the button can be pressed.
    """

    def draw(view: Any, scene: Scene) -> dict:
        name = label(view, scene) if callable(label) else label
        return {"description": name, "disabled": not when(view, scene), "hidden": not name}

    def mark(event: Callable) -> Callable:
        event.on = [("", "click")]  # The name of the part is filled in by the class.
        event.button = _button(tooltip, look)(draw)
        return event

    return mark


def job(
    *reads: str,
    start: str | Callable[[Any], str] = "",
    tooltip: str = "",
    when: Callable[[Any, Scene], object] = lambda view, scene: True,
) -> Callable[[Callable], Callable]:
    """Mark a generator that measures something slowly, in short steps.

    After each step it yields the share that is done (0 to 1) and the result so far, or None if that is unchanged. It
    may read the results of other jobs, and its own from before it was stopped. reads: the fields of the state on which
    the result depends.

    A part with the job's name is its button, which stops it; the result so far stays. With `start`, the words on the
    button before, it also starts the job where `when` allows it. A job runs without it while `needs` names it; without
    `start`, the button only stops the job and lets it go on. The part "progress" is the bar of all jobs.
    """

    def mark(measure: Callable) -> Callable:
        name = measure.__name__
        measure.reads, measure.start = reads, start

        def draw(view: Any, scene: Scene) -> dict:
            status = scene.status(name)
            running = status == "running"
            before = start(view) if callable(start) else start
            return {
                "description": "Stop" if running else before or "Continue",
                "disabled": not running and not when(view, scene),
                "hidden": not start and status not in ("running", "stopped"),
            }

        measure.button = _button(tooltip, "primary" if start else "")(draw)
        return measure

    return mark


def _button(tooltip: str, look: str) -> Callable[[Callable], Callable]:
    return part(lambda _: controls.button("", tooltip, look))


@part(
    lambda _: ipywidgets.FloatProgress(
        0, max=1, style={"description_width": "90px"}, layout={"width": "400px", "max_width": "100%"}
    )
)
def bar(view: Any, scene: Scene) -> dict:
    """Show how much of the job that runs is done."""
    for name in view.jobs:
        if scene.status(name) == "running":
            seconds = scene.measured(name, "seconds_left")
            left = "" if seconds is None else f"{max(1, seconds):.0f} s left"
            return {"value": scene.measured(name, "share"), "description": left, "hidden": False}
    return {"value": 0.0, "description": "", "hidden": True}
