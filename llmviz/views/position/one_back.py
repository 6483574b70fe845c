"""Which heads attend to the token before, and whether they need RoPE for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import experiments
from llmviz.experiments import even_previous_token_score
from llmviz.experiments.order import N_USED, beginning
from llmviz.experiments.without_rope import previous_token_weights, strongest_head
from llmviz.model import Trace
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.view import NothingToShow, Scene, View, part, parts, sentences, shared
from llmviz.views.position.shuffled_head import cut

ARCS = {"own": "in the unchanged model", "unturned": "with RoPE switched off in this head only"}


def how_common(trace: Trace) -> str:
    """Say what part of all heads gives the previous token more than half, and what equal attention gives it."""
    used = beginning(trace)
    if len(used.tokens) < 2:
        return "A single token has no previous token."
    part, even = (previous_token_weights(used) > 0.5).mean(), even_previous_token_score(len(used.tokens))
    text = "your text" if used is trace else f"the first {N_USED} tokens of your text"
    return (
        f"That's {percent(part)} of all heads. If each token spread its attention equally over itself and all tokens "
        f"before it, the previous token would get {percent(even)} in {text}. In a very short text, it would get more, "
        "so more heads pass."
    )


class OneBack(View):
    """A map of how much each head attends to the token before, and the chosen head's arcs with RoPE and without."""

    stage = "position"

    @dataclass(frozen=True)
    class State:
        cell: tuple[int, int] | None = selection("map")  # None: the strongest head

    @shared
    def used(self, scene: Scene) -> Trace:
        if len(scene.run.tokens) < 2:
            raise NothingToShow("A single token has no previous token. Type at least two.")
        return beginning(scene.run)

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        return previous_token_weights(scene.used).T

    @shared
    def chosen(self, scene: Scene) -> tuple[int, int]:
        """Return the chosen head and its layer."""
        cell = selected(scene.cell, *scene.weights.shape)
        return (cell[0], cell[1]) if cell else strongest_head(scene.used)[::-1]

    @shared
    def head(self, scene: Scene) -> tuple[str, dict[str, np.ndarray]]:
        """Return the name of the chosen head, and its pattern with RoPE and without."""
        head, layer = scene.chosen
        own = scene.used.blocks[layer].patterns(slice(head, head + 1))[0]
        patterns = {"own": own}
        if scene.run.model.config.rope_base_of(layer):
            patterns["unturned"] = experiments.pattern_without_rope(scene.used, layer, head)
        return f"L{layer}·H{head}", patterns

    @part(
        HeatMap,
        [[0.0]],
        [0],
        row_axis="head",
        col_axis="layer",
        numbers="always",
        quantity="mean attention weight for the previous token",
        caption="Each square is a head: its mean attention weight for the previous token. A dot marks more than half.",
    )
    def map(self, scene: Scene) -> dict:
        n_heads, n_layers = scene.weights.shape
        dots = [["●" if weight > 0.5 else "" for weight in row] for row in scene.weights]
        labels = {"row_labels": range(n_heads), "col_labels": range(n_layers), "cell_text": dots}
        return {"values": scene.weights, **labels, "selected": [*scene.chosen]}

    @parts(ARCS, Arcs, [], np.zeros((0, 0)), threshold=0.1)
    def arcs(self, scene: Scene, which: str) -> dict:
        name, patterns = scene.head
        if which not in patterns:
            raise NothingToShow
        caption = f"Attention weights in {name}, {ARCS[which]}. Thicker arcs are larger."
        return {"pieces": scene.used.pieces, "weights": patterns[which], "caption": caption}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        name, patterns = scene.head
        own, *unturned = (percent(np.diagonal(pattern, -1).mean()) for pattern in patterns.values())
        how = f"Without RoPE in this head, it gives {unturned[0]}." if unturned else "Its layer has no RoPE."
        return [f"{name} gives the previous token {own} of its attention. {how}", cut(scene.run)]
