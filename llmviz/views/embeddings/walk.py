"""In a straight line from one word to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import embeddings
from llmviz.views.embeddings.nearest_tokens import NearWords, Vector
from llmviz.views.embeddings.words import word
from llmviz.views.kit.state_fields import number
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, explains, part, shared
from llmviz.views.provenance import Explanation


class WalkExplorer(NearWords):
    """From one word's vector in a straight line to another's: the nearest tokens on the way."""

    mark = "an end"
    arrangement = (("a", "b", "take_first"), "way", "nearest", "rows")

    @dataclass(frozen=True)
    class State:
        a: str = word("dog", "From")
        b: str = word("cat", "to")
        way: int = number(0, "Part of the way, %", 100, step=5)

    @shared
    def walk(self, scene: Scene) -> embeddings.Walk:
        W_E = scene.run.W_E
        return embeddings.walk(*embeddings.embed(scene.tokens, W_E), W_E)

    @shared
    def cosines(self, scene: Scene) -> np.ndarray:
        return scene.walk.cosines(scene.way / 100)

    def vector(self, scene: Scene) -> Vector:
        (a, b), way = scene.tokens, scene.way / 100
        return Vector("the mix", scene.walk.at(way), f"(1 - {way:g}) * W_E[{a}] + {way:g} * W_E[{b}]")

    def listed(self, scene: Scene) -> dict:
        a, b = map(scene.run.name, scene.tokens)
        caption = f"{scene.way}% of the way from {a} to {b}: the nearest tokens{scene.run.note}."
        return {"n": 8, "marked": scene.tokens, "caption": caption}

    @part(VectorPicture, [])
    def rows(self, scene: Scene) -> dict:
        walk, (a, b) = scene.walk, scene.run.model.tokenizer.pieces(scene.tokens)
        values = np.stack([walk.start, walk.at(scene.way / 100), walk.end])
        return {"values": values, "labels": [a, f"{scene.way}%", b]}

    @explains("rows")
    def explain_number(self, scene: Scene, row: int, i: int) -> Explanation:
        (a, b), walk, part_ = scene.tokens, scene.walk, scene.way / 100
        if row != 1:  # the two ends are rows of the table
            return scene.run.number((a, None, b)[row], i)
        ends = [("start", walk.start, f"W_E[{a}]"), ("end", walk.end, f"W_E[{b}]")]
        return Explanation(
            f"Number {i}, {scene.way}% of the way",
            "mix = (1 − part) · start + part · end",
            [("W_E", scene.run.W_E, scene.run.source), *ends, ("part", part_), ("i", int(i))],
            "(1 - part) * start[i] + part * end[i]",
            walk.at(part_)[i],
        )
