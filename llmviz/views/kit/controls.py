"""Sliders, boxes, buttons, and sentences computed from the numbers shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

import ipywidgets
import traitlets

from llmviz.views.kit import theme
from llmviz.views.kit.drawn import Drawn
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import Text

MINUS = re.compile(r"(?<!\w)-(?=\d)")
LABELLED = {"description_width": "initial"}  # The label is as wide as its text.


def slider(
    value: float, name: str, last: float, *, first: float = 0, step: float = 1
) -> ipywidgets.IntSlider | ipywidgets.FloatSlider:
    """Return a slider from `first` to `last`, grey unlike what it changes; for whole numbers if `step` is one."""
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    style = {**LABELLED, "handle_color": theme.MID_GREY}
    ends = {"min": first, "max": last, "step": step}
    return kind(min(value, last), **ends, description=name, style=style, layout={"width": "min(430px, 98%)"})


def choice(
    options: Sequence, value: object, name: str, width: str = "min(300px, 98%)"
) -> ipywidgets.Dropdown:
    """Return a drop-down list."""
    layout = {"width": width}
    return ipywidgets.Dropdown(options=options, value=value, description=name, style=LABELLED, layout=layout)


def toggles(options: Sequence, value: object, name: str, _width: str = "") -> ipywidgets.ToggleButtons:
    """Return the same choice as a row of buttons, each as wide as its text."""
    style = {**LABELLED, "button_width": "auto"}
    return ipywidgets.ToggleButtons(options=options, value=value, description=name, style=style)


def checkbox(name: str) -> ipywidgets.Checkbox:
    """Return a box to tick, as wide as its label."""
    return ipywidgets.Checkbox(False, description=name, indent=False, layout={"width": "auto"})


def button(name: str, tooltip: str = "", look: str = "") -> ipywidgets.Button:
    """Return a button as wide as its text; its look is "primary" if it starts something."""
    layout = {"width": "auto", "align_self": "flex-start"}
    return ipywidgets.Button(description=name, tooltip=tooltip, button_style=look, layout=layout)


def text_box(value: str, label: str, width: str = "min(500px, 98%)", *, live: bool = True) -> ipywidgets.Text:
    """Return a line to type in; it follows every key if `live`, else it waits for Enter."""
    look = {"style": LABELLED, "layout": {"width": width}}
    return ipywidgets.Text(value, description=label, placeholder="\u200b", continuous_update=live, **look)


def text_area(value: str, label: str) -> ipywidgets.Textarea:
    """Return a box of several lines to type in, which shows its label while it is empty."""
    return ipywidgets.Textarea(value, rows=4, placeholder=label, layout={"width": "min(900px, 98%)"})


def number_box(value: float, label: str, first: float, last: float) -> ipywidgets.BoundedFloatText:
    """Return a box for a number from `first` to `last`."""
    look = {"style": LABELLED, "layout": {"width": "220px"}}
    return ipywidgets.BoundedFloatText(value, min=first, max=last, step=1, description=label, **look)


def seed_box(value: int) -> ipywidgets.BoundedIntText:
    """Return a box for the seed of all draws."""
    look = {"style": LABELLED, "layout": {"width": "150px"}}
    return ipywidgets.BoundedIntText(value, min=0, max=2**31 - 1, description="Seed", **look)


def row(*children: ipywidgets.Widget, gap: int = 20) -> ipywidgets.HBox:
    """Return the widgets side by side where there is room, else below each other."""
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "grid_gap": f"0 {gap}px"})


def wide(widget: ipywidgets.DOMWidget, basis: int = 440) -> ipywidgets.DOMWidget:
    """Let a picture, or a column of them, share a row as long as it is at least `basis` pixels wide; return it."""
    widget.layout.flex, widget.layout.min_width = f"1 1 {basis}px", "0"
    widget.layout.margin = "0"  # The row has gaps, so that one that wraps is flush with the first.
    return widget


class Sentences(Closable, Drawn):
    """Sentences computed from the numbers shown. They are set as text: no HTML, and no "$" begins a formula."""

    _static = "sentences"

    sentences = traitlets.List(Text()).tag(sync=True)

    @traitlets.validate("sentences")
    def _written_out(self, proposal):
        return [MINUS.sub("−", sentence) for sentence in proposal["value"] if sentence]

    def __repr__(self) -> str:
        return "\n".join(self.sentences)
