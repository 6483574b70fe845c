"""Which heads look from here to there, and which behave like this?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz import attention, experiments
from llmviz.model import Model
from llmviz.reuse import kept_with
from llmviz.views.attention.head_explorer import HIDE_FIRST, OneHead
from llmviz.views.attention.head_grid import MAP_SIZE, empty_grid, four_axes
from llmviz.views.attention.heads import first_hidden, head_name, picked_head
from llmviz.views.kit.controls import wide
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.state_fields import choice, has_changed, position, replace, selected, selection, tick
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, on, part, sentences, shared

N_RANKED = 10  # heads in a ranking
BY_SHARE = "share from → to"
HERE, PROBE = "your sentence", "random tokens, twice"
MEASURES = ["share", "first hidden", *attention.BEHAVIOURS]


@kept_with()
def on_probe(model: Model) -> np.ndarray:
    """Measure the behaviours on random tokens that come twice: [4, n_layers, n_heads]."""
    return experiments.head_behaviours(model.trace(experiments.random_tokens(model, 25, seed=0) * 2))


class HeadFinder(OneHead):
    """Which heads attend from this token to another? Which behave like this? A ranking, and the chosen head's map."""

    @dataclass(frozen=True)
    class State:
        query: int = position(-1, of=("looks_from", "selected"))
        key: int = position(1, of=("looks_at", "selected"))
        by: str = choice(BY_SHARE, "Rank by", (BY_SHARE, *attention.BEHAVIOURS))
        measured_on: str = choice(HERE, "Behaviour measured on", (HERE, PROBE))
        hide_first: bool = tick(HIDE_FIRST)
        head: tuple[int, int] | None = picked_head(of=("grid", "selected"))  # None: the first of the ranking
        clicked: tuple[int, int] | None = selection("map")

    arrangement = (
        *("looks_from", "looks_at", ("by", "measured_on", "hide_first")),
        *("definition", "grid", ("table", "map")),
    )

    @on("table", "selected")
    def pick_row(self, state: State, cell: list[int] | None) -> State:
        ranking = self.scene(state).ranking
        return replace(state, head=ranking[cell[0]]) if cell and ranking else state

    def put_right(self, before: State, state: State) -> State:
        is_another = has_changed(before, state, "query", "key", "by", "measured_on", "hide_first")
        return replace(state, head=None, clicked=None) if is_another else state

    @shared
    def cell(self, scene: Scene) -> list[int]:
        n = len(scene.run.tokens)
        return selected(scene.clicked, n, n) or [scene.query, scene.key]

    @shared
    def measures(self, scene: Scene) -> np.ndarray:
        """Return every head's measures, in the order of MEASURES: [6, n_layers, n_heads]."""
        query, key = scene.query, scene.key
        weights = experiments.attention_from(scene.run, query)
        here = scene.measured_on == HERE
        scores = (
            experiments.overview(scene.run, MAP_SIZE, False).scores if here else on_probe(scene.run.model)
        )
        return np.stack([weights[..., key], first_hidden(weights)[..., key], *scores])

    @shared
    def ranked(self, scene: Scene) -> np.ndarray:
        """Return the measure by which the heads are ranked."""
        return scene.measures[int(scene.hide_first) if scene.by == BY_SHARE else MEASURES.index(scene.by)]

    @shared
    def ranking(self, scene: Scene) -> list[tuple[int, int]]:
        return experiments.strongest_heads(scene.ranked, N_RANKED)

    @shared
    def drawn(self, scene: Scene) -> tuple[int, int]:
        return scene.head or next(iter(scene.ranking), (0, 0))

    @shared
    def way(self, scene: Scene) -> str:
        source, target = (isolated(scene.run.pieces[i]) for i in (scene.query, scene.key))
        return f"from {source} to {target}"

    @part(TokenStrip, [], caption="From (the token that looks)")
    def looks_from(self, scene: Scene) -> dict:
        return {"pieces": scene.run.pieces, "ids": scene.run.tokens, "selected": scene.query}

    @part(TokenStrip, [], caption="To (the token looked at)")
    def looks_at(self, scene: Scene) -> dict:
        return {"pieces": scene.run.pieces, "ids": scene.run.tokens, "selected": scene.key}

    @sentences
    def definition(self, scene: Scene) -> list[str]:
        query, key = scene.query, scene.key
        nothing = np.isnan(scene.ranked).all()
        if scene.by != BY_SHARE:
            known = (
                f"{scene.by.capitalize()}: {attention.BEHAVIOURS[scene.by]}; measured on {scene.measured_on}."
            )
            why = (
                " It cannot happen in your sentence, since no token comes twice: measure it on random tokens."
            )
            return [known + why if nothing else known]
        if key > query:
            why = "a token cannot look at later ones. Choose an earlier “to”"
            return [f"There is nothing to rank {scene.way}: {why}."]
        if nothing:
            return ["There is nothing to rank: the first token is hidden."]
        return [f"The share that each head gives {scene.way}."]

    @part(lambda view: empty_grid(view.run.model.config))
    def grid(self, scene: Scene) -> dict:
        by_share, heads = scene.by == BY_SHARE, scene.ranking
        measure = f"share {scene.way}" if by_share else scene.by
        first = " (first token hidden)" if by_share and scene.hide_first else ""
        return {
            "values": four_axes(scene.ranked),
            "measure": "share" if by_share else scene.by,
            "selected": [*scene.drawn],
            "chosen": [[*head] for head in heads],
            "caption": f"Every head's {measure}{first}. Dashed: the {len(heads)} largest",
        }

    @part(
        lambda _: wide(
            HeatMap(np.zeros((1, 6)), [""], MEASURES, row_axis="head", col_axis="measure", numbers="always"),
            520,
        )
    )
    def table(self, scene: Scene) -> dict:
        heads, rows = scene.ranking, [scene.measures[:, *head] for head in scene.ranking]
        row = heads.index(scene.drawn) if scene.drawn in heads else None
        return {
            "values": np.stack(rows or [np.full(len(MEASURES), np.nan)]),
            "row_labels": [head_name(*head) for head in heads] or ["none"],
            "selected": None if row is None else [row, 0],
            "caption": f"The {len(heads)} heads with the largest {scene.by}, in %"
            if heads
            else "No head to rank",
        }
