"""The sliders, the box for a seed and the buttons of stage 6, and how they stand beside each other."""

from __future__ import annotations

import ipywidgets

from llmviz.views.theme import STAGE_COLORS

WRAP = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 16px"}
SIDE = {"flex": "1 1 420px", "min_width": "0"}


def slider(
    value: float, high: float, label: str, step: float = 0.05, low: float = 0.0
) -> ipywidgets.FloatSlider:
    """A slider in this stage's colour."""
    return ipywidgets.FloatSlider(
        value,
        min=low,
        max=high,
        step=step,
        description=label,
        readout_format=".2f",
        style={"handle_color": STAGE_COLORS["sampling"][0], "description_width": "initial"},
        layout={"width": "min(430px, 98%)"},
    )


def whole(value: int, low: int, high: int, label: str) -> ipywidgets.IntSlider:
    """The same for whole numbers."""
    return ipywidgets.IntSlider(
        value,
        min=low,
        max=high,
        description=label,
        style={"handle_color": STAGE_COLORS["sampling"][0], "description_width": "initial"},
        layout={"width": "min(320px, 98%)"},
    )


def seed_box(value: int = 1) -> ipywidgets.BoundedIntText:
    """A box for the seed of the draws."""
    return ipywidgets.BoundedIntText(value, min=0, max=10**6, description="Seed", layout={"width": "170px"})


def button(label: str, tooltip: str, kind: str = "") -> ipywidgets.Button:
    """A button, as wide as its label; kind "primary" for the one that starts something."""
    return ipywidgets.Button(description=label, tooltip=tooltip, button_style=kind, layout={"width": "auto"})
