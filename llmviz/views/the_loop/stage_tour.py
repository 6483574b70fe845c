"""The six stages as a map: a click on a stage opens its picture for the current text."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from llmviz import embeddings, experiments, ops
from llmviz.model import Model, Trace, turned
from llmviz.views import provenance
from llmviz.views.kit import state_fields
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.next_token_bars import chosen_token, empty_bars, next_tokens
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.pipeline_map import NAMES, PipelineMap, shapes
from llmviz.views.kit.theme import STAGES
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import NothingToShow, Scene, View, explains, part, shared
from llmviz.views.provenance import Explanation
from llmviz.views.the_loop import TEXTS

MAX_VECTORS = 12  # fit on a screen


def of_stage(stage: str, make: Callable[..., ipywidgets.Widget], *arguments: Any) -> Callable:
    """Mark the method that draws the picture of a stage, as `part` does; it is hidden while another stage is open."""
    kind = {"stage": stage} if isinstance(make, type) else {}

    def mark(draw: Callable) -> Callable:
        return part(make, *arguments, **kind)(
            lambda view, scene: draw(view, scene) if scene.stage == stage else {"hidden": True}
        )

    return mark


class StageTour(View):
    """A `PipelineMap` with the picture of the picked stage below it.

    source: a trace, or a view with a `trace`, such as `LoopExplorer`, whose text the pictures follow.
    """

    @dataclass(frozen=True)
    class State:
        stage: str | None = state_fields.picked(
            None,
            lambda stage, _: stage is None or (isinstance(stage, str) and stage in STAGES),
            "a stage, or None",
            set_by=("map", "picked"),
            outlives_text=True,
            on_page=lambda _: STAGES,
        )
        token: int = state_fields.position(-1, set_by=("attention", "selected"))
        chosen: int | None = chosen_token("sampling")

    def __init__(self, model: Model, source: Trace | traitlets.HasTraits, **state):
        super().__init__(source, **state)

    @shared
    def sharpest(self, scene: Scene) -> tuple[int, int]:
        return experiments.sharpest_head(scene.run)

    @part(
        lambda view: PipelineMap(
            view.run.model, links=False, caption="Click a stage to see it at work on your text"
        )
    )
    def map(self, scene: Scene) -> dict:
        return {"picked": scene.stage, "shapes": shapes(scene.run.model.config, len(scene.run.tokens))}

    @part(ipywidgets.HTML)
    def story(self, scene: Scene) -> dict:
        if scene.stage is None:
            raise NothingToShow
        style = "font-size:16px;line-height:1.5;max-width:62em"
        learned = scene.stage == "position" and not scene.run.model.config.has_rope
        story = html.escape(TEXTS["stages"]["learned_positions" if learned else scene.stage])
        return {"value": f'<p style="{style}"><b>{NAMES[scene.stage]}.</b> {story}</p>'}

    @of_stage("tokenization", TokenStrip, [])
    def tokenization(self, scene: Scene) -> dict:
        caption = "Your text as tokens, with their ids"
        return {"pieces": scene.run.pieces, "ids": scene.run.tokens, "caption": caption}

    @of_stage("embeddings", VectorPicture, [])
    def embeddings(self, scene: Scene) -> dict:
        run, tokens = scene.run, scene.run.tokens[-MAX_VECTORS:]
        which = "Your tokens’" if len(tokens) == len(run.tokens) else f"Your last {MAX_VECTORS} tokens’"
        return {
            "values": embeddings.embed(tokens, run.model.weights.W_E),
            "labels": run.pieces[-MAX_VECTORS:],
            "caption": f"{which} rows in the embedding table ({run.model.config.d_model} numbers each)",
        }

    @explains("embeddings")
    def explain_embedding(self, scene: Scene, row: int, i: int) -> Explanation:
        return provenance.embedding(scene.run.model, scene.run.tokens[-MAX_VECTORS:][row], i)

    @of_stage("position", lambda _: VectorPicture([], index_name="dimension", stage="position"))
    def position(self, scene: Scene) -> dict:
        """Draw the last token's query, in the head that "attention" shows, as it would be at every position.

        Without RoPE, draw the vectors that the model adds there."""
        run, (layer, head) = scene.run, scene.sharpest
        config, places, learned = run.model.config, np.arange(len(run.tokens)), run.model.weights.W_pos
        query = run.blocks[layer].q[head, -1:].repeat(len(places), axis=0)
        neighbours = config.rope_base_of(layer) and not config.split_halves
        caption = (
            f"Query of {quote(run.pieces[-1])} (layer {layer}, head {head}) as it would be at each position, one row "
            f"per position{'. Pairs on the left rotate fastest' if neighbours else ''}"
        )
        rows = turned(config, layer, query, places - places[-1]) if learned is None else learned[places]
        return {
            "values": rows[-MAX_VECTORS:],
            "labels": [f"position {at}" for at in places][-MAX_VECTORS:],
            "caption": caption if learned is None else "The vectors that are added, one row per position",
        }

    @of_stage("attention", Arcs, [], np.zeros((0, 0)))
    def attention(self, scene: Scene) -> dict:
        run, (layer, head) = scene.run, scene.sharpest
        n, n_heads = len(run.tokens), run.model.config.n_layers * run.model.config.n_heads
        caption = f"Attention weights in layer {layer}, head {head}. "
        if n > 2:
            caption += f"Of all {n_heads} heads, this is the one in which your last token attends most strongly to a "
            caption += "token other than itself and the first. "
        return {
            "pieces": run.pieces,
            "weights": np.where(np.tri(n, dtype=bool), run.blocks[layer].attention.pattern[head], np.nan),
            "ids": run.tokens,
            "selected": scene.token,
            "caption": f"{caption}Click a token, or use the arrow keys",
        }

    @explains("attention")
    def explain_weight(self, scene: Scene, row: int, col: int) -> Explanation:
        return provenance.pattern(scene.run, *scene.sharpest, row, col)

    @of_stage("ffn", lambda _: VectorPicture([], index_name="neuron", stage="ffn"))
    def ffn(self, scene: Scene) -> dict:
        layer = scene.run.model.config.n_layers // 2
        hidden = scene.run.blocks[layer].ffn.hidden[-1]
        here = quote(scene.run.pieces[-1])
        return {
            "values": hidden,
            "caption": f"Activations of the {hidden.size:,} neurons in layer {layer} at {here}",
        }

    @of_stage("sampling", lambda view: empty_bars(view.run.model, n=10))
    def sampling(self, scene: Scene) -> dict:
        probs = ops.softmax(scene.run.logits)
        drawn = next_tokens(scene.run.model.tokenizer, probs, n=10, chosen=scene.chosen)
        return drawn | {"caption": f"Next-token probabilities after {quote(scene.run.pieces[-1])}"}

    @explains("sampling")
    def explain_probability(self, scene: Scene, row: int) -> Explanation:
        return provenance.prob_in(scene.shown, row, scene.run.logits)
