"""Points with names on a flat map, in groups; from the chosen one, lines to those that belong to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz.views.kit.picture import Floats, Labels, Picture, Pieces, lines
from llmviz.views.kit.pieces import visible, visible_label


class FlatMap(Picture):
    """Names at their `places` [n, 2], both axes on one scale; `group_of` [n] gives each the look of one of `groups`.

    A click, the arrow keys (to the next point in that direction) or Python choose a point (`selected`).
    `change(about=i, solid=[…], dotted=[…])` draws two kinds of lines from point i to others, named in `line_names`;
    they are shown as long as i is the one selected. Names that would cover others are left out until pointed at or
    chosen. Enter asks `provenance(point)`.
    """

    _static = "flat_map"
    _data = ("pieces", "places", "caption")

    pieces = Pieces()
    places = Floats(ndim=(2,))
    group_of = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    groups = Labels()
    axes = Labels()
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)
    about = traitlets.Int(None, allow_none=True).tag(sync=True)
    solid = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    dotted = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    line_names = Labels()

    def __init__(self, pieces: Sequence[str] = (), places: np.ndarray | None = None, **traits):
        places = np.zeros((0, 2)) if places is None else places
        super().__init__(pieces=pieces, places=places, **{"stage": "embeddings", **traits})

    def text(self) -> str:
        """A line a point: its name, its group, its place."""
        return table(self.pieces, self.group_of, self.groups, self.places) or "no points yet"

    def headline(self) -> str:
        """What the caption says, and the names."""
        return " ".join([self.caption, *(visible(piece) for piece in self.pieces)])

    @traitlets.validate("selected")
    def _a_point(self, proposal):
        value = proposal["value"]
        if value is not None and not 0 <= value < len(self.pieces):
            raise traitlets.TraitError(f"selected is a point from 0 to {len(self.pieces) - 1}, not {value}")
        return value


def table(pieces: Sequence[str], group_of: Sequence[int], groups: Sequence[str], places: np.ndarray) -> str:
    """Points as text, a line each: name, group, coordinates [n, any number]."""
    return lines(
        (visible(piece), *([visible_label(groups[group])] if groups else []), *(f"{x:+.2f}" for x in place))
        for piece, group, place in zip(pieces, group_of, places)
    )
