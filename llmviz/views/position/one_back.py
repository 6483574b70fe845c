"""Which heads attend to the token before, and whether their clocks do it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from llmviz import experiments
from llmviz.model import Trace
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.view import NothingToShow, Scene, View, part, parts, sentences, shared
from llmviz.views.position.shuffled_head import beginning, cut


def shares_one_back(trace: Trace) -> Float[np.ndarray, "n_heads n_layers"]:
    """Return what each head gives to the token before, in the beginning of the text where that is long."""
    return experiments.previous_token_scores(beginning(trace)).T


ARCS = {"own": ": where each token looks", "unturned": ", its hands not turned: all else as it was"}


class OneBack(View):
    """A map of all heads by what they give to the token before, and the chosen head's arcs: unchanged, and with RoPE
    left out of this one head."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        cell: tuple[int, int] | None = selection("map")

    @shared
    def used(self, scene: Scene) -> Trace:
        if len(scene.run.tokens) < 2:
            raise NothingToShow("A single token has no token before it. Write one more.")
        return beginning(scene.run)

    @shared
    def shares(self, scene: Scene) -> np.ndarray:
        return shares_one_back(scene.used)

    @shared
    def head(self, scene: Scene) -> tuple[str, dict[str, np.ndarray]]:
        """Return the name of the chosen head, and its pattern with RoPE and without."""
        head, layer = selected(scene.cell, *scene.shares.shape) or (0, 0)
        own = scene.used.blocks[layer].patterns(slice(head, head + 1))[0]
        unturned = experiments.pattern_without_rope(scene.used, layer, head)
        return f"L{layer}·H{head}", {"own": own, "unturned": unturned}

    @part(
        HeatMap,
        [[0.0]],
        [0],
        row_axis="head",
        col_axis="layer",
        numbers="never",
        quantity="mean share for the token before",
        caption="All heads: how much of its attention each gives to the token just before. Click one",
    )
    def map(self, scene: Scene) -> dict:
        shape = n_heads, n_layers = scene.shares.shape
        labels = {"row_labels": range(n_heads), "col_labels": range(n_layers)}
        return {"values": scene.shares, **labels, "selected": selected(scene.cell, *shape) or [0, 0]}

    @parts(ARCS, Arcs, [], np.zeros((0, 0)), threshold=0.1)
    def arcs(self, scene: Scene, which: str) -> dict:
        name, patterns = scene.head
        return {"pieces": scene.used.pieces, "weights": patterns[which], "caption": name + ARCS[which]}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        name, patterns = scene.head
        own, unturned = (percent(np.diagonal(pattern, -1).mean()) for pattern in patterns.values())
        even = experiments.even_previous_token_score(len(scene.used.tokens))
        return [
            f"{name} gives {own} of its attention to the token before; its hands not turned, {unturned}. A head that "
            f"looks at everything alike would give {percent(even)}.",
            f"Of {scene.shares.size} heads, {(scene.shares > 0.5).sum()} give it more than half.",
            cut(scene.run),
        ]
