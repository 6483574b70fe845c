"""A map of words in space, by plotly: turned by hand, which a flat page cannot do."""

from __future__ import annotations

import html

import numpy as np
import plotly.graph_objects as go

from llmviz import embeddings
from llmviz.experiments.table import directions_of
from llmviz.views.embeddings.table import Table
from llmviz.views.embeddings.words import read_groups
from llmviz.views.kit import theme
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import lines
from llmviz.views.kit.pieces import visible, visible_label


class SpaceMap(go.Figure):
    """A figure that the page draws with its own plotly, which is there once; else its text."""

    def _repr_mimebundle_(self, *_, **__) -> dict:
        return {"application/vnd.plotly.v1+json": self.to_plotly_json(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        rows = [
            (html.unescape(piece), html.unescape(group.name), *(f"{number:+.2f}" for number in place))
            for group in self.data
            for piece, *place in zip(group.text, group.x, group.y, group.z)
        ]
        return f"{self.layout.title.text}\n{lines(rows)}"


def map_in_space(table: Table, text: str) -> SpaceMap:
    """Draw words (one group a line, as on the flat map) in three directions; ValueError for fewer than two words."""
    groups, rows = read_groups(text, table.model.tokenizer), table.trace
    if len(groups.tokens) < 2:
        raise ValueError("a map needs at least two words that are one token each")
    projection = embeddings.pca(directions_of(groups.tokens, rows.W_E), n_components=3)
    names = np.array([html.escape(visible(piece)) for piece in groups.pieces])
    traces = []
    for i, name in enumerate(groups.names):
        mine = np.flatnonzero(np.array(groups.group_of) == i)
        color, sign = theme.GROUPS[min(i, len(theme.GROUPS) - 1)]
        sign = "diamond-open" if sign == "x" else sign  # plotly's x in space is a letter that few fonts have
        traces.append(
            go.Scatter3d(
                dict(zip("xyz", projection.coordinates[mine].T)),
                name=html.escape(visible_label(name)),
                text=names[mine],
                mode="markers",
                hovertemplate="%{text}<extra>%{fullData.name}</extra>",
                marker={"color": color, "symbol": sign, "size": 6},
            )
        )
    frame = {"mirror": True, "showline": True, "linecolor": theme.MID_GREY}
    axis = {"showticklabels": False, "title": "", **frame}
    variance = percent(projection.explained.sum())
    title = f"{len(names)} words{rows.note}: three directions keep {variance} of the variance"
    return SpaceMap(
        traces,
        layout={
            "template": theme.plotly_template(),
            "height": 620,
            "margin": {"l": 10, "r": 10, "t": 80, "b": 10},  # plotly's buttons on top, the title below them
            "title": {"text": title, "y": 0.92},
            "scene": {**dict.fromkeys(("xaxis", "yaxis", "zaxis"), axis), "aspectmode": "data"},
        },
    )
