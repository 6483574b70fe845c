"""Tokens in order of their cosine with something, beside what all tokens have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, lines
from llmviz.views.kit.pieces import visible


class NearestTokens(Picture):
    """Tokens in order of their cosine with something, as bars from 0 to 1; a band shows where 98% of all tokens lie.

    pieces, cosines [n], ids [n], ranks [n] among all tokens; marked: rows drawn quieter, with the word `mark` behind
    them; band: the cosines that 1% and 99% of all tokens stay below.
    """

    _static = "nearest_tokens"
    _data = ("pieces", "cosines", "ids", "ranks", "marked", "band")

    pieces = Pieces()
    cosines = Floats(ndim=(1,))
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    ranks = traitlets.List(traitlets.Int()).tag(sync=True)
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    mark = Text("typed")
    band = Floats(ndim=(1,))
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)  # the row

    def __init__(self, pieces: Sequence[str] = (), cosines=(), ids: Sequence[int] = (), **traits):
        traits = {"stage": "embeddings", **traits}
        super().__init__(pieces=pieces, cosines=cosines, ids=[int(i) for i in ids], **traits)

    def show(
        self,
        tokenizer: Tokenizer,
        cosines: np.ndarray,
        *,
        n: int,
        exclude: Sequence[int] = (),
        itself: int | None = None,
        marked: Sequence[int] = (),
        **traits,
    ) -> None:
        """Show in place the n largest of all tokens' `cosines` [n_vocab] with something, but for those in `exclude`.

        itself: a token that has no rank, because it is what the others are compared with. `marked` are token ids.
        """
        found = embeddings.largest(cosines, n=min(n, len(cosines) - len(set(exclude))), exclude=exclude)
        others = cosines if itself is None else np.delete(cosines, itself)
        self.change(
            pieces=tokenizer.pieces(found.tokens),
            cosines=found.cosines,
            ids=found.tokens,
            ranks=[int((others > one).sum()) + 1 for one in found.cosines],
            band=np.percentile(others, [1, 99]),
            marked=[i for i, token in enumerate(found.tokens) if token in marked],
            selected=None,
            asked=None,
            **traits,
        )

    def clear(self, caption: str) -> None:
        """Nothing to show, and why."""
        self.change(
            pieces=[],
            cosines=[],
            ids=[],
            ranks=[],
            marked=[],
            band=None,
            selected=None,
            caption=caption,
            asked=None,
        )

    def text(self) -> str:
        ranks = [f"rank {rank}" for rank in self.ranks] or [""] * len(self.pieces)
        rows = [
            (visible(piece), f"{cosine:.3f}", rank, f"id {token}", self.mark if i in self.marked else "")
            for i, (piece, cosine, rank, token) in enumerate(zip(self.pieces, self.cosines, ranks, self.ids))
        ]
        told = [lines(rows) or "nothing to compare"]
        if self.band is not None:
            told.append("98% of all tokens: {:.2f} to {:.2f}".format(*self.band))
        return "\n".join(told)

    def headline(self) -> str:
        """The caption, and the rows."""
        return f"{self.caption}\n{self.text()}".strip()
