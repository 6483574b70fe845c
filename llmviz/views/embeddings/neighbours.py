"""The tokens nearest to a token, and its other spellings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import embeddings
from llmviz.experiments.words import word_ids
from llmviz.views.embeddings.nearest_tokens import NearestTokens, by_cosine, nothing_near
from llmviz.views.embeddings.words import OfWords, word
from llmviz.views.kit.state_fields import tick
from llmviz.views.kit.view import Scene, explains, part
from llmviz.views.provenance import Explanation


class NeighbourExplorer(OfWords):
    """The nearest tokens to any token, with or without other spellings of the same word."""

    typed = ("word",)
    arrangement = (("word", "take_first", "spellings"), "nearest")

    @dataclass(frozen=True)
    class State:
        """A word, and whether its other spellings are in the list."""

        word: str = word("dog", "Word")
        spellings: bool = tick("show other spellings of the word, too")

    @part(lambda _: NearestTokens())
    def nearest(self, scene: Scene) -> dict:
        if scene.problem:
            return nothing_near(scene.problem)
        (token,), W_E, model = scene.tokens, scene.run.W_E, scene.run.model
        spelled = word_ids(model)
        left_out = (
            {token} if scene.spellings else {*np.flatnonzero(spelled == spelled[token]).tolist(), token}
        )
        n_hidden = len(left_out) - 1
        hidden = f", without {n_hidden} other spelling{'s' * (n_hidden > 1)} of it" if n_hidden else ""
        cosines = embeddings.cosine_to_all(W_E[token], W_E)
        return {
            **by_cosine(model.tokenizer, cosines, n=12, exclude=sorted(left_out), itself=token),
            "caption": f"The tokens nearest to {scene.run.name(token)} (id {token:,}){hidden}{scene.run.note}.",
        }

    @explains("nearest")
    def explain(self, scene: Scene, row: int) -> Explanation:
        near, (token,) = scene.shown["ids"][row], scene.tokens
        return scene.run.cosine(scene.run.name(token), scene.run.W_E[token], f"W_E[{token}]", near)
