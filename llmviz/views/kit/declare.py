"""Marks for the methods of a view: which ones draw parts, what they share, and which are events or jobs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from llmviz.views.kit import controls
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.scene import NothingToShow, NotMeasured, Scene


def part(
    make: Callable[..., ipywidgets.Widget], *arguments: Any, **traits: Any
) -> Callable[[Callable], Callable]:
    """Mark the method that draws a part. make: a kind of widget, made once and so, or a function of the view.

    The method returns the widget's traits. `NothingToShow` hides the part; asking for a result that is not `known` does
    so as well, but while the job is at work, the part keeps what it shows.
    """

    def made(view: Any) -> ipywidgets.Widget:
        if not isinstance(make, type):
            return make(view, *arguments, **traits)
        wears = {"stage": view.stage} if view.stage and issubclass(make, Picture) else {}
        return make(*arguments, **wears | traits)

    def mark(draw: Callable) -> Callable:
        draw.make = made
        return draw

    return mark


def parts(
    captions: Mapping[str, str], make: Callable[..., ipywidgets.Widget], *arguments: Any, **traits: Any
) -> Callable[[Callable], Callable]:
    """Mark the method that draws several parts of a kind, with a caption for each name; it takes the name as well.

    make: as for `part`; a function takes the caption as well.
    """

    def mark(draw: Callable) -> Callable:
        def of_one(name: str, caption: str) -> Callable:
            return part(make, *arguments, caption=caption, **traits)(
                lambda view, scene: draw(view, scene, name)
            )

        draw.parts = {name: of_one(name, caption) for name, caption in captions.items()}
        return draw

    return mark


def sentences(say: Callable[[Any, Scene], Sequence[str]]) -> Callable[[Any, Scene], dict]:
    """Mark the method that returns the sentences of a part; empty ones are left out. `NothingToShow` is said."""

    @part(controls.Sentences)
    @functools.wraps(say)
    def draw(view: Any, scene: Scene) -> dict:
        try:
            lines = say(view, scene)
        except NotMeasured:
            raise
        except NothingToShow as reason:
            lines = [str(reason)]
        return {"sentences": [line for line in lines if line], "hidden": not any(lines)}

    return draw


def shared(compute: Callable[[Any, Scene], Any]) -> Callable[[Any, Scene], Any]:
    """Mark the method that computes what several parts and events read, as an attribute of their scene."""
    compute.is_shared = True
    return compute


def looks(control: str) -> Callable[[Callable], Callable]:
    """Mark the method that draws what a control shows apart from its value: "hidden" or "disabled"."""

    def mark(draw: Callable) -> Callable:
        draw.looks = control
        return draw

    return mark


def explains(*parts: str) -> Callable[[Callable], Callable]:
    """Mark the method that says where a number of a part is from; it takes the drawn scene, and a place.

    Where it is for several parts, it takes the name of one before the place.
    """

    def mark(explain: Callable) -> Callable:
        explain.explains = parts
        return explain

    return mark


def on(*parts: str) -> Callable[[Callable], Callable]:
    """Mark the method that says what follows when the page sets the last named trait of a part, or of several.

    on("map", "arcs", "selected") takes the state and the trait's new value, and returns the next state. Of a control
    the trait is "value".
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
    """Mark the method that says what follows when a button is pressed; the button is a part of the method's name.

    It takes the state and returns the next one. label: its name, or a method that says it; "" hides it. look: "primary"
    for a button that starts something. when: whether the button can be pressed.
    """

    def draw(view: Any, scene: Scene) -> dict:
        name = label(view, scene) if callable(label) else label
        return {"description": name, "disabled": not when(view, scene), "hidden": not name}

    def mark(event: Callable) -> Callable:
        event.on = [("", "click")]  # The part has the name of the method in its class.
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

    After each it yields the share that is done and the result so far, or None where there is nothing new to show.
    It may read the results of other jobs, and what it yielded before it was stopped. reads: the fields of the state on
    which the result depends.

    A button, a part of the job's name, stops it, and what is known stays. start: what the button says before; then it
    begins the job, where `when` allows it. A job also runs as long as `needs` names it; without `start`, its button is
    there only to stop it, and to go on after that. The bar that shows how far it is, is the part "progress".
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
        0, max=1, style={"description_width": "90px"}, layout={"width": "min(400px, 70%)"}
    )
)
def bar(view: Any, scene: Scene) -> dict:
    """Show how far the job is that runs."""
    for name in view.jobs:
        if scene.status(name) == "running":
            seconds = scene.of_job(name, "seconds_left")
            left = "" if seconds is None else f"{max(1, seconds):.0f} s left"
            return {"value": scene.of_job(name, "share"), "description": left, "hidden": False}
    return {"value": 0.0, "description": "", "hidden": True}
