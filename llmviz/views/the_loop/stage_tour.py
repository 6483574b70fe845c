"""The map, alive: a click on a stage opens its real picture for the sentence at hand."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from llmviz import embeddings, experiments, ops
from llmviz.model import Model, Trace
from llmviz.position import pair_scores
from llmviz.views import position, provenance
from llmviz.views.kit import state_fields
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.next_token_bars import chosen_token, empty_bars, next_tokens
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.pipeline_map import NAMES, PipelineMap, shapes
from llmviz.views.kit.theme import STAGES
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, View, explains, part, shared
from llmviz.views.provenance import Explanation
from llmviz.views.the_loop import TEXTS

MAX_VECTORS = 12  # as many tokens' vectors fit on a page


def of_stage(stage: str, make: Callable[..., ipywidgets.Widget], *arguments: Any) -> Callable:
    """Mark the method that draws a stage's picture, which is there while the stage is open; as `part` does."""
    kind = {"stage": stage} if isinstance(make, type) else {}

    def mark(draw: Callable) -> Callable:
        return part(make, *arguments, **kind)(
            lambda view, scene: draw(view, scene) if scene.stage == stage else {"hidden": True}
        )

    return mark


class StageTour(View):
    """`PipelineMap`, with the picked stage's picture under it.

    source: a text's trace, or a view with a `trace`, such as `LoopExplorer`, whose text the open picture follows.
    """

    @dataclass(frozen=True)
    class State:
        stage: str | None = state_fields.picked(
            None,
            lambda stage, _: stage is None or (isinstance(stage, str) and stage in STAGES),
            "a stage, or None",
            of=("map", "picked"),
            outlives_text=True,
            on_page=lambda _: STAGES,
        )
        token: int = state_fields.position(-1, of=("attention", "selected"))
        chosen: int | None = chosen_token("sampling")

    def __init__(self, model: Model, source: Trace | traitlets.HasTraits, **state):
        super().__init__(source, **state)

    @shared
    def keenest(self, scene: Scene) -> tuple[int, int, int]:
        """Return layer, head and key of the last token's largest weight on another token than itself and the first."""
        weights = experiments.attention_from(scene.run, -1)[:, :, 1:-1]
        if not weights.size:
            return 0, 0, 0
        layer, head, key = np.unravel_index(weights.argmax(), weights.shape)
        return int(layer), int(head), int(key) + 1

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
            return {"hidden": True}
        style = "font-size:16px;line-height:1.5;max-width:62em"
        story = html.escape(TEXTS["stages"][scene.stage])
        return {"value": f'<p style="{style}"><b>{NAMES[scene.stage]}.</b> {story}</p>'}

    @of_stage("tokenization", TokenStrip, [])
    def tokenization(self, scene: Scene) -> dict:
        n = len(scene.run.tokens)
        caption = f"Your text as {n} token{'s' * (n != 1)}, with their numbers"
        return {"pieces": scene.run.pieces, "ids": scene.run.tokens, "caption": caption}

    @of_stage("embeddings", VectorPicture, [])
    def embeddings(self, scene: Scene) -> dict:
        run, tokens = scene.run, scene.run.tokens[-MAX_VECTORS:]
        which = "Your tokens" if len(tokens) == len(run.tokens) else f"Your last {MAX_VECTORS} tokens"
        return {
            "values": embeddings.embed(tokens, run.model.weights.W_E),
            "labels": run.pieces[-MAX_VECTORS:],
            "caption": f"{which} as rows of the table: {run.model.config.d_model} numbers each, all of them",
        }

    @explains("embeddings")
    def explain_embedding(self, scene: Scene, row: int, i: int) -> Explanation:
        return provenance.embedding(scene.run.model, scene.run.tokens[-MAX_VECTORS:][row], i)

    @of_stage(
        "position",
        lambda view: position.RopeDial(stage="position", periods=position.periods(view.run.model.config)),
    )
    def position(self, scene: Scene) -> dict:
        """Draw the last token's query and the key it looks at hardest, in the head of the attention picture."""
        run, (layer, head, at) = scene.run, scene.keenest
        block, pieces = run.blocks[layer], [run.pieces[-1], run.pieces[at]]
        q, k = block.q[head, -1], block.k[run.model.config.kv_head_of(head), at]
        scores = pair_scores(q, k)
        return {
            "q_hands": q.reshape(-1, 2),
            "k_hands": k.reshape(-1, 2),
            "parts": scores,
            "limit": float(np.sort(np.abs(scores))[-3:].min()) or 1.0,
            "score": float(scores.sum()),
            "q_name": pieces[:1],
            "k_name": pieces[1:],
            "q_position": len(run.tokens) - 1,
            "k_position": at,
            "caption": f"The query of {quote(pieces[0])} and the key of {quote(pieces[1])} (layer {layer}, head "
            f"{head}): {len(scores)} clocks, turned by the tokens' positions, fast ones first",
        }

    @of_stage("attention", Arcs, [], np.zeros((0, 0)))
    def attention(self, scene: Scene) -> dict:
        run, (layer, head, _) = scene.run, scene.keenest
        n = len(run.tokens)
        return {
            "pieces": run.pieces,
            "weights": np.where(np.tri(n, dtype=bool), run.blocks[layer].attention.pattern[head], np.nan),
            "ids": run.tokens,
            "selected": scene.token,
            "caption": f"Layer {layer}, head {head}: where each token looks. Choose a token by click or arrow keys",
        }

    @explains("attention")
    def explain_weight(self, scene: Scene, row: int, col: int) -> Explanation:
        return provenance.pattern(scene.run, *scene.keenest[:2], row, col)

    @of_stage("ffn", lambda _: VectorPicture([], index_name="neuron", stage="ffn"))
    def ffn(self, scene: Scene) -> dict:
        layer = scene.run.model.config.n_layers // 2
        hidden = scene.run.blocks[layer].ffn.hidden[-1]
        here = quote(scene.run.pieces[-1])
        return {
            "values": hidden,
            "caption": f"The {hidden.size:,} neurons of layer {layer} at {here}: how strongly each fires",
        }

    @of_stage("sampling", lambda view: empty_bars(view.run.model, n=10))
    def sampling(self, scene: Scene) -> dict:
        probs = ops.softmax(scene.run.logits)
        drawn = next_tokens(scene.run.model.tokenizer, probs, n=10, chosen=scene.chosen)
        return drawn | {"caption": f"What comes after {quote(scene.run.pieces[-1])}?"}

    @explains("sampling")
    def explain_probability(self, scene: Scene, row: int) -> Explanation:
        return provenance.prob(scene.run.logits, scene.shown["ids"][row], piece=scene.shown["pieces"][row])
