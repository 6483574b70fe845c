"""A map in space: plotly's figure, whole at a page's first sight of it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np

from llmviz.views import theme


def empty_figure(line_names: Sequence[str]):
    """Every trace there will ever be: one for each group, the lines, and the names: small ones, and large ones."""
    import plotly.graph_objects as go

    axis = {"showticklabels": False, "zeroline": False, "title": ""}
    dots = [
        go.Scatter3d(
            x=[],
            y=[],
            z=[],
            text=[],
            mode="markers",
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
            marker={"color": color, "symbol": symbol, "size": 4 if symbol == "x" else 6},
            visible=False,
        )
        for color, symbol in theme.GROUPS
    ]
    strokes = [
        go.Scatter3d(
            x=[],
            y=[],
            z=[],
            name=name,
            mode="lines",
            hoverinfo="skip",
            visible=False,
            showlegend=True,
            line={"color": color, "dash": dash, "width": 5},
        )
        for name, dash, color in zip(
            line_names, ("solid", "dot"), (theme.stage_color("embeddings"), theme.MID_GREY)
        )
    ]
    names = [
        go.Scatter3d(
            x=[],
            y=[],
            z=[],
            text=[],
            mode="text",
            textposition="top center",
            hoverinfo="skip",
            visible=False,
            showlegend=False,
            textfont={"size": size, "color": color},
        )
        for size, color in ((12, theme.MID_GREY), (18, theme.stage_color("embeddings", "dark")))
    ]
    return go.Figure(
        data=[*dots, *strokes, *names],
        layout={
            "template": theme.plotly_template("embeddings"),
            "height": 640,
            "margin": {"l": 10, "r": 10, "t": 60, "b": 60},
            "scene": {
                **{f"{name}axis": axis for name in "xyz"},
                "aspectmode": "data",
                "camera": camera(35),
            },
            "legend": {"orientation": "h", "y": -0.02, "yanchor": "top"},
            "title": {"text": ""},
            "uirevision": "kept",
        },
    )


def figure_widget(figure):
    """A plotly figure as a widget that is complete at a page's first sight of it, and at that of a page loaded again.

    plotly's own announces itself empty and sends the figure afterwards; a page that draws in between stays empty. And
    what it tells a new page is the figure as it was at the beginning.
    """
    import plotly.graph_objects as go

    class Complete(go.FigureWidget):
        complete = False

        def open(self) -> None:  # called by the constructor, too early
            if self.complete:
                super().open()

        def get_state(self, key=None, drop_defaults=False):
            if key is None and self.complete:  # all of it: set without telling the pages that know already
                now = {"_widget_data": self._data, "_widget_layout": self._layout_obj._props}
                self._trait_values |= deepcopy(now)
            return super().get_state(key, drop_defaults)

    widget = Complete(figure)
    # The ratio is 2 by default: four times the points to paint.
    widget._config |= {"plotGlPixelRatio": 1, "displaylogo": False}
    widget.complete = True
    widget.open()
    return widget


def camera(degrees: float) -> dict:
    """Where plotly looks from, turned around the map."""
    angle = np.deg2rad(degrees)
    return {
        "eye": {"x": 1.35 * float(np.cos(angle)), "y": 1.35 * float(np.sin(angle)), "z": 0.55},
        "center": {"x": 0, "y": 0, "z": -0.1},
    }


def xyz(points: np.ndarray) -> dict:
    """Points [n, 3] as plotly's three lists."""
    return dict(zip("xyz", points.reshape(-1, points.shape[-1]).T if len(points) else ([], [], [])))
