"""A map in space: plotly's figure, whole at a page's first sight of it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from copy import deepcopy

import numpy as np

from llmviz.views.kit import theme


def empty_figure(line_names: Sequence[str]):
    """Every trace there will ever be: one for each group, the lines, and the names: small ones, and large ones."""
    import plotly.graph_objects as go

    axis = {
        "showticklabels": False,
        "zeroline": False,
        "showgrid": False,
        "showline": True,  # with its mirrors the edges of a box, to see what is in front and what behind
        "mirror": True,
        "linecolor": theme.MID_GREY,
        "linewidth": 2,
        "title": "",
    }
    scatter = functools.partial(go.Scatter3d, x=[], y=[], z=[], visible=False)
    dots = [
        scatter(
            text=[],
            mode="markers",
            hovertemplate="%{text}<extra>%{fullData.name}</extra>",
            marker={"color": color, "symbol": symbol, "size": {"x": 3, "cross": 8}.get(symbol, 6)},
        )
        for color, symbol in theme.GROUPS
    ]
    own = theme.stage_color("embeddings")
    strokes = [
        scatter(
            name=name,
            mode="lines",
            hoverinfo="skip",
            showlegend=True,
            line={"color": color, "dash": dash, "width": 5},
        )
        for name, dash, color in zip(line_names, ("solid", "dot"), (own, theme.MID_GREY))
    ]
    names = [
        scatter(
            text=[],
            mode="text",
            textposition="top center",
            hoverinfo="skip",
            showlegend=False,
            textfont={"size": size, "color": color, "weight": weight},
        )
        for size, color, weight in ((14, theme.MID_GREY, 400), (18, own, 700))
    ]
    return go.Figure(
        data=[*dots, *strokes, *names],
        layout={
            "template": theme.plotly_template("embeddings"),
            "height": 600,
            "margin": {"l": 10, "r": 10, "t": 60, "b": 60},
            "scene": {
                **{f"{name}axis": axis for name in "xyz"},
                "aspectmode": "manual",
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
    widget.add_class("lv-plotly")  # by which kit.css tells ours from the reader's own
    widget.complete = True
    widget.open()
    return widget


def extent(points: np.ndarray) -> dict:
    """Axes around points [n, 3]: one scale for all three, the longest side of the box 1, so that all of it is seen."""
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(3), np.ones(3))
    longest = float((high - low).max()) or 1.0
    sides = np.maximum(1.1 * (high - low), 0.2 * longest)  # some air, and a box even where all lie on a line
    axes = {
        f"{name}axis": {"range": [middle - side / 2, middle + side / 2]}
        for name, middle, side in zip("xyz", ((low + high) / 2).tolist(), sides.tolist())
    }
    return axes | {"aspectratio": dict(zip("xyz", (sides / sides.max()).tolist()))}


def apart(points: np.ndarray, share: float = 0.09) -> np.ndarray:
    """Which of the points [n, 3] to name, so that names can be read: none close to one that is named already.

    share: of the box's longest side, how far apart they have to be.
    """
    named = np.zeros(len(points), dtype=bool)
    least = share * np.ptp(points, axis=0).max(initial=0) if len(points) else 0
    for i, point in enumerate(points):
        named[i] = (np.linalg.norm(points[named] - point, axis=1) >= least).all()
    return named


def camera(degrees: float) -> dict:
    """Where plotly looks from, turned around the map."""
    angle = np.deg2rad(degrees)
    return {
        "eye": {"x": 1.5 * float(np.cos(angle)), "y": 1.5 * float(np.sin(angle)), "z": 0.8},
        "center": {"x": 0, "y": 0, "z": -0.12},
    }


def xyz(points: np.ndarray) -> dict:
    """Points [n, 3] as plotly's three lists."""
    return dict(zip("xyz", points.reshape(-1, points.shape[-1]).T if len(points) else ([], [], [])))
