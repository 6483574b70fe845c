"""Tokens in order of their cosine with something, beside what all tokens have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.tokenization import Tokenizer
from llmviz.views.embeddings.words import OfWords
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.view import NothingToShow, Scene, explains, part, shared
from llmviz.views.provenance import Explanation


class NearestTokens(Picture):
    """Tokens in order of their cosine with something, as bars from 0 to 1; a band shows where 98% of all tokens lie.

    pieces, cosines [n], ids [n], ranks [n] among all tokens; marked: rows drawn quieter, with the word `mark` behind
    them; band: the cosines that 1% and 99% of all tokens stay below.
    """

    _static, _stage = "nearest_tokens", "embeddings"
    _data = ("pieces", "cosines", "ids", "ranks", "marked", "band")

    pieces = Pieces()
    cosines = Floats(ndim=(1,))
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
        if not self.pieces:
            return "nothing to compare"
        rows = [
            (visible(piece), f"{cosine:.3f}", f"rank {rank}", f"id {token}", self.mark * (i in self.marked))
            for i, (piece, cosine, rank, token) in enumerate(
                zip(self.pieces, self.cosines, self.ranks, self.ids)
            )
        ]
        return "{}\n98% of all tokens: {:.2f} to {:.2f}".format(lines(rows), *self.band)

    def headline(self) -> str:
        return f"{self.caption}\n{self.text()}".strip()


NOTHING = {"pieces": [], "cosines": None, "ids": [], "ranks": [], "band": None, "marked": []}


def by_cosine(
    tokenizer: Tokenizer,
    cosines: np.ndarray,
    *,
    n: int,
    exclude: Sequence[int] = (),
    itself: int | None = None,
    marked: Sequence[int] = (),
    **traits: Any,
) -> dict[str, Any]:
    """Return the traits of `NearestTokens` for the n largest of all tokens' `cosines` [n_vocab] with something.

    exclude: tokens that are left out. itself: a token that has no rank, because the others are compared with it.
    marked: tokens whose rows are quieter. traits: others of the picture.
    """
    best = embeddings.largest(cosines, n=min(n, len(cosines) - len(exclude)), exclude=exclude)
    others = cosines if itself is None else np.delete(cosines, itself)
    return {
        "pieces": tokenizer.pieces(best.tokens),
        "cosines": best.cosines,
        "ids": best.tokens,
        "ranks": [int((others > cosine).sum()) + 1 for cosine in best.cosines],
        "band": np.percentile(others, [1, 99]),
        "marked": [i for i, token in enumerate(best.tokens) if token in marked],
        **traits,
    }


class Vector(NamedTuple):
    """A vector made of rows of the table, what it is called, and the expression that gives it."""

    name: str
    values: np.ndarray
    source: str


class NearWords(OfWords):
    """The tokens nearest to a `vector` that is made of some words' rows."""

    mark: ClassVar[str] = "typed"

    def vector(self, scene: Scene) -> Vector:
        """Return what all tokens are compared with."""
        raise NotImplementedError

    def listed(self, scene: Scene) -> dict:
        """Return what `by_cosine` takes."""
        raise NotImplementedError

    @shared
    def cosines(self, scene: Scene) -> np.ndarray:
        return embeddings.cosine_to_all(self.vector(scene).values, scene.run.W_E)

    @part(lambda view: NearestTokens(mark=view.mark))
    def nearest(self, scene: Scene) -> dict:
        try:
            return by_cosine(scene.run.model.tokenizer, scene.cosines, **self.listed(scene))
        except NothingToShow as problem:
            return NOTHING | {"caption": str(problem)}

    @explains("nearest")
    def explain(self, scene: Scene, row: int) -> Explanation:
        near = scene.shown["ids"][row]
        return scene.run.cosine(*self.vector(scene), near)
