"""The controls beside the pictures: sliders, boxes, buttons, and sentences computed from the numbers shown."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import ipywidgets

from llmviz.views import theme
from llmviz.views.picture import Picture

MINUS = re.compile(r"(?<!\w)-(?=\d)")


def slider(
    value: float, name: str, last: float, *, stage: str, first: float = 0, step: float = 1
) -> ipywidgets.IntSlider | ipywidgets.FloatSlider:
    """A slider from `first` to `last` in the colour of a stage; whole numbers where `step` is one."""
    kind = ipywidgets.IntSlider if isinstance(step, int) else ipywidgets.FloatSlider
    return kind(
        min(value, last),
        min=first,
        max=last,
        step=step,
        description=name,
        style={"handle_color": theme.STAGE_COLORS[stage][0], "description_width": "initial"},
        layout={"width": "min(430px, 98%)"},
    )


def choice(options: Sequence, value: object, name: str) -> ipywidgets.Dropdown:
    """One of several, from a list that opens."""
    return ipywidgets.Dropdown(
        options=options,
        value=value,
        description=name,
        style={"description_width": "initial"},
        layout={"width": "min(300px, 98%)"},
    )


def checkbox(name: str) -> ipywidgets.Checkbox:
    """A box to tick, as wide as its name."""
    return ipywidgets.Checkbox(False, description=name, indent=False, layout={"width": "auto"})


def button(name: str, tooltip: str = "", look: str = "") -> ipywidgets.Button:
    """A button, as wide as its name; look "primary" for the one that starts something."""
    return ipywidgets.Button(description=name, tooltip=tooltip, button_style=look, layout={"width": "auto"})


def row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    """Side by side where there is room, else under each other."""
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "grid_gap": "0 20px"})


def wide(picture: Picture, basis: int = 440) -> Picture:
    """A picture that shares a row as long as it keeps `basis` pixels."""
    picture.layout = {"flex": f"1 1 {basis}px", "min_width": "0"}
    return picture


class Told(ipywidgets.HTML):
    """Sentences computed from the numbers beside them, set as text."""

    def say(self, *sentences: str) -> None:
        size = theme.SIZES["body"]
        sentences = (MINUS.sub("−", one) for one in sentences if one)
        rows = "".join(f"<div>{html.escape(one)}</div>" for one in sentences)
        self.value = f'<div role="status" style="font-size:{size}px;line-height:1.5">{rows}</div>'
