"""In a straight line from one word to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearestTokens, by_cosine, nothing_near
from llmviz.views.embeddings.words import OfWords, word
from llmviz.views.kit.state_fields import number
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, explains, part, shared
from llmviz.views.provenance import Explanation, Operand


class WalkExplorer(OfWords):
    """From one word's vector in a straight line to another's: the nearest tokens on the way."""

    arrangement = (("a", "b", "take_first"), "way", "nearest", "rows")

    @dataclass(frozen=True)
    class State:
        """The words at both ends, and how far the way has come from one to the other."""

        a: str = word("dog", "From")
        b: str = word("cat", "to")
        way: int = number(0, "Part of the way, %", 100, step=5, stage="embeddings")

    @shared
    def walk(self, scene: Scene) -> embeddings.Walk:
        W_E = scene.run.W_E
        return embeddings.walk(*embeddings.embed(scene.tokens, W_E), W_E)

    @part(lambda _: NearestTokens(mark="an end"))
    def nearest(self, scene: Scene) -> dict:
        if scene.problem:
            return nothing_near(scene.problem)
        a, b = map(scene.run.name, scene.tokens)
        cosines = scene.walk.cosines(scene.way / 100)
        return {
            **by_cosine(scene.run.model.tokenizer, cosines, n=8, marked=scene.tokens),
            "caption": f"{scene.way}% of the way from {a} to {b}: the nearest tokens{scene.run.note}.",
        }

    @part(lambda _: VectorPicture([]))
    def rows(self, scene: Scene) -> dict | None:
        if scene.problem:
            return None
        walk, (a, b) = scene.walk, scene.run.model.tokenizer.pieces(scene.tokens)
        values = np.stack([walk.start, walk.at(scene.way / 100), walk.end])
        return {"values": values, "labels": [a, f"{scene.way}%", b]}

    @explains("rows")
    def explain_number(self, scene: Scene, row: int, i: int) -> Explanation:
        (a, b), walk, way = scene.tokens, scene.walk, scene.way / 100
        if row != 1:  # the two ends are rows of the table
            return scene.run.number((a, None, b)[row], i)
        return Explanation(
            f"Number {i}, {scene.way}% of the way",
            "mix = (1 − part) · start + part · end",
            [
                Operand("W_E", scene.run.W_E, scene.run.source),
                Operand("start", walk.start, f"W_E[{a}]"),
                Operand("end", walk.end, f"W_E[{b}]"),
                Operand("part", way),
                Operand("i", int(i)),
            ],
            "(1 - part) * start[i] + part * end[i]",
            walk.at(way)[i],
        )

    @explains("nearest")
    def explain(self, scene: Scene, row: int) -> Explanation:
        (a, b), way = scene.tokens, scene.way / 100
        source = f"(1 - {way:g}) * W_E[{a}] + {way:g} * W_E[{b}]"
        return scene.run.cosine("the mix", scene.walk.at(way), source, scene.shown["ids"][row])
