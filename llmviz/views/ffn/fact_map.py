"""The way of a fact through tokens and layers, as far as it has been tested."""

from __future__ import annotations

import traitlets

from llmviz.views.kit.picture import Picture, Pieces, Text


class FactMap(Picture):
    """Tokens from left to right, layers from below; a box or an arrow for each part tested.

    `items`: dicts of `number`, `at` and `source` (tokens; source None: a box), `layers` [first, last], `kind`
    ("carries", "needed", "unclear", "neither"), its `meaning` for the legend, and `sentences`.
    """

    _static = "fact_map"
    _data = ("pieces", "items")
    _by_page = ()

    pieces = Pieces()
    n_layers = traitlets.Int(1).tag(sync=True)
    items = traitlets.List(traitlets.Dict()).tag(sync=True)
    unknown = Text()  # what none of it shows

    def text(self) -> str:
        """Return what each test has shown."""
        tested = [f"{item['number']}. {' '.join(item['sentences'])}" for item in self.items]
        return "\n".join([*tested, self.unknown]) if tested else "nothing tested yet"
