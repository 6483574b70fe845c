"""A text as a strip of tokens, a chip for each: with visible spaces, ids, and a shade for its weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, OfRows, Pieces, Text, lines
from llmviz.views.kit.pieces import legible, visible
from llmviz.views.kit.theme import MAX_TOKENS


class OfTokens(OfRows):
    """A picture of a text: its tokens' pieces and ids, and the one that is selected.

    New `pieces` drop what no longer fits them. A list without an entry for each piece, or weights outside 0 to 1, are a
    `traitlets.TraitError`. To set several traits together, use `change(pieces=…, ids=…)`.
    """

    pieces = Pieces()
    ids = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)

    _rows = ("pieces",)
    _of_each: tuple[str, ...] = ("ids", "weights")  # traits with an entry for each piece

    def __init__(self, pieces: Sequence[str], *, ids: Sequence | np.ndarray | None = None, **traits):
        super().__init__(pieces=pieces, ids=None if ids is None else [int(i) for i in ids], **traits)

    @property
    def is_empty(self) -> bool:
        return not self.pieces

    @traitlets.observe("pieces")
    def _drop_what_does_not_fit(self, _change):
        self._drop_selection()
        for name in self._of_each:
            value = getattr(self, name)
            if value is not None and len(value) != len(self.pieces):
                setattr(self, name, None)

    @traitlets.validate("ids", "weights", "notes")
    def _one_a_piece(self, proposal):
        name, value, n = proposal["trait"].name, proposal["value"], len(self.pieces)
        if value is None:
            return None
        if {*np.shape(value)} - {n}:
            raise traitlets.TraitError(f"{name} of shape {np.shape(value)} for {n} pieces")
        if name == "weights" and (np.nanmin(value, initial=0) < 0 or np.nanmax(value, initial=0) > 1.001):
            raise traitlets.TraitError("weights are shares between 0 and 1 (NaN: none)")
        return [legible(note) for note in value] if name == "notes" else value


class TokenStrip(OfTokens):
    """Pieces as chips in reading order; a click, the arrow keys or Python select one (trait `selected`).

    `ids` are written under the pieces. `weights` [seq] are shares from 0 to 1 that shade the chips on a square-root
    scale, named by `quantity`; NaN leaves a chip unshaded. `highlight` lists positions that get a dashed border;
    `highlight_name` says what they are. `notes` has a text for each token, shown in the line below. With `own_colors`,
    each id has a colour of its own. Enter or a click asks `provenance(position)`. Of a text over 512 tokens, the first
    512 are drawn, and the picture says so.
    """

    _static = "token_strip"

    weights = Floats(ndim=(1,), limit=MAX_TOKENS)
    highlight = traitlets.List(traitlets.Int()).tag(sync=True)
    highlight_name = Text("marked")
    quantity = Text("share")
    notes = traitlets.List(traitlets.Unicode(), default_value=None, allow_none=True).tag(sync=True)
    own_colors = traitlets.Bool(False).tag(sync=True)

    _of_each = ("ids", "weights", "notes")

    def __init__(
        self,
        pieces: Sequence[str],
        ids: Sequence | np.ndarray | None = None,
        *,
        highlight: Sequence | np.ndarray = (),
        **traits,
    ):
        super().__init__(pieces, ids=ids, highlight=[int(i) for i in highlight], **traits)

    def text(self) -> str:
        """Return a line for each token: its position, piece, id, weight and note."""
        rows = []
        for i, piece in enumerate(self.pieces):
            row = [f"{i}  {visible(piece)}"]
            if self.ids is not None:
                row.append(f"id {self.ids[i]}")
            if self.weights is not None:
                row.append("–" if np.isnan(self.weights[i]) else percent(self.weights[i]))
            if self.notes is not None:
                row.append(self.notes[i])
            rows.append(row)
        return lines(rows)

    def headline(self) -> str:
        """Return how many tokens there are, and the first of them."""
        shown = " ".join(visible(piece) for piece in self.pieces[:64])
        more = f" … and {len(self.pieces) - 64} more" if len(self.pieces) > 64 else ""
        return f"{len(self.pieces)} tokens: {shown}{more}"

    @traitlets.observe("pieces")
    def _keep_marks_within(self, _change):
        self.highlight = [i for i in self.highlight if i < len(self.pieces)]
