"""The tokens nearest to a vector, by their cosines, and the range of all tokens' cosines."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.views.embeddings.words import OfWords
from llmviz.views.kit.picture import Floats, OfRows, Pieces, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.kit.view import Scene, explains, part
from llmviz.views.provenance import Explanation


class NearestTokens(OfRows):
    """Tokens in order of their cosine with a vector, as bars from 0 to 1; a band shows where 98% of all tokens are.

    `pieces`, `cosines`, `ids` [n]. `marked`: rows of the words in the sum, drawn paler. `band` [2]: the cosines that 1%
    and 99% of all tokens are below.
    """

    _static, _stage, _rows = "nearest_tokens", "embeddings", ("ids",)

    pieces = Pieces()
    cosines = Floats(ndim=(1,))
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    band = Floats(ndim=(1,))

    def text(self) -> str:
        if not self.pieces:
            return "nothing to compare"
        columns = zip(self.pieces, self.cosines, self.ids)
        rows = [
            (visible(piece), f"{cosine:.3f}", f"id {token}", "in the sum" * (i in self.marked))
            for i, (piece, cosine, token) in enumerate(columns)
        ]
        return "{}\n98% of all tokens: {:.2f} to {:.2f}".format(lines(rows), *self.band)

    def headline(self) -> str:
        return f"{self.caption}\n{self.text()}".strip()


class Vector(NamedTuple):
    """A vector made of rows of the table, with its name, and the expression that gives it."""

    name: str
    values: np.ndarray
    source: str


class NearWords(OfWords):
    """The `n` tokens nearest to a vector that is made of some words' rows."""

    n: int

    def vector(self, scene: Scene) -> Vector:
        """Return the vector with which all tokens are compared."""
        raise NotImplementedError

    def left_out(self, scene: Scene) -> list[int]:
        """Return the tokens that are not shown."""
        raise NotImplementedError

    def caption(self, scene: Scene) -> str:
        """Say which tokens are shown."""
        raise NotImplementedError

    @part(NearestTokens)
    def nearest(self, scene: Scene) -> dict:
        cosines = embeddings.cosine_to_all(self.vector(scene).values, scene.rows.W_E)
        left_out = self.left_out(scene)
        best = embeddings.largest(cosines, n=min(self.n, len(cosines) - len(left_out)), exclude=left_out)
        others = np.delete(cosines, [*{*left_out} & {*scene.tokens}])
        return {
            "pieces": scene.run.tokenizer.pieces(best.tokens),
            "cosines": best.cosines,
            "ids": best.tokens,
            "band": np.percentile(others, [1, 99]),
            "marked": [i for i, token in enumerate(best.tokens) if token in scene.tokens],
            "caption": self.caption(scene),
        }

    @explains("nearest")
    def explain(self, scene: Scene, row: int) -> Explanation:
        return scene.rows.cosine(*self.vector(scene), scene.shown["ids"][row])
