"""The tokens nearest to a token, and its other spellings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz.experiments.words import word_ids
from llmviz.views.embeddings.nearest_tokens import NearWords, Vector
from llmviz.views.embeddings.words import word
from llmviz.views.kit.state_fields import tick
from llmviz.views.kit.view import Scene


class NeighbourExplorer(NearWords):
    """The nearest tokens to any token, with or without other spellings of the same word."""

    typed = ("word",)
    arrangement = (("word", "take_first", "spellings"), "nearest")

    @dataclass(frozen=True)
    class State:
        word: str = word("dog", "Word")
        spellings: bool = tick("show other spellings of the word, too")

    def vector(self, scene: Scene) -> Vector:
        (token,) = scene.tokens
        return Vector(scene.run.name(token), scene.run.W_E[token], f"W_E[{token}]")

    def listed(self, scene: Scene) -> dict:
        (token,), spelled = scene.tokens, word_ids(scene.run.model)
        others = [] if scene.spellings else np.flatnonzero(spelled == spelled[token]).tolist()
        left_out = sorted({token, *others})
        n = len(left_out) - 1
        hidden = f", without {n} other spelling{'s' * (n > 1)} of it" * (n > 0)
        name = f"{scene.run.name(token)} (id {token:,})"
        caption = f"The tokens nearest to {name}{hidden}{scene.run.note}."
        return {"n": 12, "exclude": left_out, "itself": token, "caption": caption}
