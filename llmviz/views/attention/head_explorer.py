"""All heads at a glance, and the chosen head enlarged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz import attention, experiments
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.attention.head_grid import MAP_SIZE, empty_grid, head_name
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.controls import wide
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import (
    clip_position,
    has_changed,
    head,
    is_index,
    layer,
    picked,
    position,
    replace,
    tick,
)
from llmviz.views.kit.view import Scene, View, explains, on, part, sentences, shared
from llmviz.views.provenance import Explanation

HIDE_FIRST = "hide the first token and share out the rest"
HIDDEN = ", first token hidden"
N_LEADING = 8  # heads of each order that a page holds first


def shown_weight(
    trace: Trace, layer: int, head: int, query: int, key: int, *, hide_first: bool
) -> Explanation:
    """Explain an attention weight; with `hide_first`, after hiding the first token. ValueError for the hidden one."""
    weight = provenance.pattern(trace, layer, head, query, key)
    if not hide_first:
        return weight
    if key == 0:
        raise ValueError("the first token is hidden")
    title = f"{weight.title}, with the first token hidden"
    formula, line = "weight / the sum of all weights but the first", "pattern[key] / pattern[1:].sum()"
    pattern = f"trace.blocks[{layer}].attention.pattern[{head}, {query}]"
    result = experiments.head_pattern(trace, layer, head, hide_first=True)[query, key]
    return provenance.explained(trace, title, formula, line, result, pattern=pattern, key=key)


class HeadExplorer(View):
    """A small map for every head; the chosen head's is drawn large, next to the sentence with its arcs."""

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        layer: int = layer(13)
        head: int = head(8)
        hide_first: bool = tick(HIDE_FIRST)
        query: int = position(-1)
        key: int | None = picked(None, lambda key, _: key is None or is_index(key), "a position, or None")

    arrangement = (("layer", "head", "hide_first"), "grid", ("map", "arcs"), "message")

    def slices(self) -> Iterator[State]:
        """Yield the heads that lead each order of the grid first, because a page has no room for all heads."""
        for scores in experiments.overview(self.run, MAP_SIZE, hide_first=False).scores:
            for place in np.argsort(-scores, axis=None, kind="stable")[:N_LEADING].tolist():
                layer, head = divmod(place, scores.shape[1])
                yield replace(self.state, layer=layer, head=head)
        yield from super().slices()

    @on("grid", "selected")
    def pick_head(self, state: State, head: list[int]) -> State:
        return replace(state, layer=head[0], head=head[1])

    @on("map", "selected")
    def pick_cell(self, state: State, cell: list[int] | None) -> State:
        return replace(state, query=cell[0], key=cell[1]) if cell else state

    @on("arcs", "selected")
    def pick_query(self, state: State, query: int | None) -> State:
        return state if query is None else replace(state, query=query, key=None)

    def put_right(self, before: State, state: State) -> State:
        is_another = has_changed(before, state, "layer", "head", "hide_first")
        return replace(state, key=None) if is_another else state

    @shared
    def drawn(self, scene: Scene) -> tuple[int, int]:
        """Return the layer and the head of the large map."""
        return scene.layer, scene.head

    @shared
    def weights(self, scene: Scene) -> np.ndarray:
        return experiments.head_pattern(scene.run, *scene.drawn, hide_first=scene.hide_first)

    @shared
    def cell(self, scene: Scene) -> list[int]:
        """Return the query, and the key that was clicked or else has the largest weight."""
        heaviest = int(np.nan_to_num(scene.weights[scene.query]).argmax())
        key = heaviest if scene.key is None else clip_position(scene.key, len(scene.run.tokens))
        return [scene.query, key]

    @part(lambda view: empty_grid(view.run.model.config, score_names=[*attention.BEHAVIOURS]))
    def grid(self, scene: Scene) -> dict:
        seen, n = experiments.overview(scene.run, MAP_SIZE, scene.hide_first), len(scene.run.tokens)
        heads, tokens = seen.scores[0].size, "one token" if n == 1 else f"{n} tokens"
        hidden = ", the first token hidden, the rest shared out" if scene.hide_first else ""
        note = f"; a cell is the largest weight of {seen.step} × {seen.step} tokens" if seen.step > 1 else ""
        return {
            "values": seen.maps,
            "scores": seen.scores,
            "selected": [*scene.drawn],
            "caption": f"All {heads} heads on your {tokens}{hidden}. Click one, or use the arrow keys{note}",
        }

    @part(lambda _: wide(HeatMap([[1.0]], [""], quantity="attention weight")))
    def map(self, scene: Scene) -> dict:
        return {
            "values": scene.weights,
            "row_labels": scene.run.pieces,
            "col_labels": scene.run.pieces,
            "selected": scene.cell,
            "caption": head_name(*scene.drawn) + HIDDEN * scene.hide_first,
        }

    @explains("map", "arcs")
    def explain(self, scene: Scene, _part: str, query: int, key: int) -> Explanation:
        return shown_weight(scene.run, *scene.drawn, query, key, hide_first=scene.hide_first)

    @part(lambda _: wide(Arcs([], np.zeros((0, 0))), 560))
    def arcs(self, scene: Scene) -> dict:
        pieces, name = scene.run.pieces, head_name(*scene.drawn) + HIDDEN * scene.hide_first
        caption = f"Attention weights of {isolated(pieces[scene.query])} in {name}"
        return {"pieces": pieces, "weights": scene.weights, "selected": scene.query, "caption": caption}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (layer, head), query = scene.drawn, scene.query
        scores = experiments.overview(scene.run, MAP_SIZE, scene.hide_first).scores[:, layer, head]
        whole = ", with nothing hidden" * scene.hide_first
        known = [f"{name} {percent(v)}" for name, v in zip(attention.BEHAVIOURS, scores) if not np.isnan(v)]
        to_first = scene.run.blocks[layer].patterns(slice(head, head + 1))[0, query, 0]
        return [
            f"Measured on this sentence{whole}: {', '.join(known)}." if known else "",
            f"From {isolated(scene.run.pieces[query])} it gives {percent(to_first)} to the first token.",
        ]
