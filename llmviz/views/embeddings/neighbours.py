"""The tokens nearest to a token, and its other spellings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz.experiments.words import word_ids
from llmviz.views.embeddings.nearest_tokens import NearWords, Vector
from llmviz.views.embeddings.rows import CENTRED
from llmviz.views.embeddings.words import word
from llmviz.views.kit.state_fields import tick
from llmviz.views.kit.view import Scene


class NeighbourExplorer(NearWords):
    """The nearest tokens to any token, with or without other spellings of the same word."""

    typed, n = ("word",), 12
    arrangement = (("word", "take_first"), ("spellings", "centred"), "refusal", "nearest")

    @dataclass(frozen=True)
    class State:
        word: str = word("hot", "Word", others=("bank", "cold", "king"))
        spellings: bool = tick("Include other spellings of the word")
        centred: bool = tick(CENTRED)

    def vector(self, scene: Scene) -> Vector:
        (token,), rows = scene.tokens, scene.rows
        return Vector(rows.name(token), rows.W_E[token], f"W_E[{token}]")

    def left_out(self, scene: Scene) -> list[int]:
        (token,), spelled = scene.tokens, word_ids(scene.run)
        return [token] if scene.spellings else np.flatnonzero(spelled == spelled[token]).tolist()

    def caption(self, scene: Scene) -> str:
        n = len(self.left_out(scene)) - 1
        hidden = f" (not shown: {n} other spelling{'s' * (n > 1)} of it)" * (n > 0)
        return f"Tokens nearest to {scene.rows.name(*scene.tokens)}{hidden}{scene.rows.note}"
