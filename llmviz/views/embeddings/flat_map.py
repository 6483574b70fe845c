"""Points with names on a flat map, in groups, with lines from the chosen point to others."""

from __future__ import annotations

import traitlets

from llmviz.views.kit.picture import Floats, Labels, OfRows, Pieces, lines
from llmviz.views.kit.pieces import visible, visible_label


class FlatMap(OfRows):
    """Names at their `places` [n, 2], with both axes on one scale; `group_of` [n] is the index of each in `groups`.

    A click, the arrow keys (to the next point in that direction) or Python choose a point (`selected`).
    `change(about=i, solid=[…], dotted=[…])` draws two kinds of lines from point i to others, named in `line_names`,
    while i is selected. Names that would cover others appear only when they are pointed at or chosen. Enter asks
    `provenance(point)`.
    """

    _static, _stage, _rows = "flat_map", "embeddings", ("pieces",)

    pieces = Pieces()
    places = Floats(ndim=(2,))
    group_of = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    groups = Labels()
    axes = Labels()
    about = traitlets.Int(None, allow_none=True).tag(sync=True)
    solid = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    dotted = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    line_names = Labels()

    def text(self) -> str:
        names = [[visible_label(self.groups[group])] if self.groups else [] for group in self.group_of]
        rows = [
            (visible(piece), *group, *(f"{x:+.2f}" for x in place))
            for piece, group, place in zip(self.pieces, names, [] if self.places is None else self.places)
        ]
        return lines(rows) or "no points yet"

    def headline(self) -> str:
        return " ".join([self.caption, *map(visible, self.pieces)])
