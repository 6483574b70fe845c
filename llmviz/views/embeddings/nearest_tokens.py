"""Tokens in order of their cosine with something, beside what all tokens have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

    _static, _stage = "nearest_tokens", "embeddings"
    _data = ("pieces", "cosines", "ids", "ranks", "marked", "band")

    pieces = Pieces()
    cosines = Floats(ndim=(1,), default_value=())
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    ranks = traitlets.List(traitlets.Int()).tag(sync=True)
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    mark = Text("typed")
    band = Floats(ndim=(1,))
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)  # the row

    def show(self, tokenizer: Tokenizer, cosines: np.ndarray, *, n: int) -> None:
        """Show in place the n largest of all tokens' `cosines` [n_vocab] with something."""
        self.change(**by_cosine(tokenizer, cosines, n=n))

    def text(self) -> str:
        """Return a line a token: cosine, rank, id; then where most tokens lie."""
        rows = [
            (
                visible(piece),
                f"{cosine:.3f}",
                f"rank {rank}",
                f"id {token}",
                self.mark if i in self.marked else "",
            )
            for i, (piece, cosine, rank, token) in enumerate(
                zip(self.pieces, self.cosines, self.ranks, self.ids)
            )
        ]
        band = "" if self.band is None else "\n98% of all tokens: {:.2f} to {:.2f}".format(*self.band)
        return (lines(rows) or "nothing to compare") + band

    def headline(self) -> str:
        """Return the caption and the rows."""
        return f"{self.caption}\n{self.text()}".strip()


def by_cosine(
    tokenizer: Tokenizer,
    cosines: np.ndarray,
    *,
    n: int,
    exclude: Sequence[int] = (),
    itself: int | None = None,
    marked: Sequence[int] = (),
) -> dict[str, Any]:
    """Return the traits of `NearestTokens` for the n largest of all tokens' `cosines` [n_vocab] with something.

    exclude: tokens that are left out. itself: a token that has no rank, because the others are compared with it.
    marked: tokens whose rows are quieter.
    """
    best = embeddings.largest(cosines, n=min(n, len(cosines) - len(set(exclude))), exclude=exclude)
    others = cosines if itself is None else np.delete(cosines, itself)
    return {
        "pieces": tokenizer.pieces(best.tokens),
        "cosines": best.cosines,
        "ids": best.tokens,
        "ranks": [int((others > cosine).sum()) + 1 for cosine in best.cosines],
        "band": np.percentile(others, [1, 99]),
        "marked": [i for i, token in enumerate(best.tokens) if token in marked],
    }


def nothing_near(caption: str) -> dict[str, Any]:
    """Return the traits of `NearestTokens` where there is nothing to compare, and why."""
    return {
        "pieces": [],
        "cosines": [],
        "ids": [],
        "ranks": [],
        "band": None,
        "marked": [],
        "caption": caption,
    }
