"""The map, alive: a click on a stage opens its real picture for the sentence at hand."""

from __future__ import annotations

import html

import ipywidgets
import numpy as np
import traitlets

from llmviz import attention, embeddings, ops
from llmviz.model import Model, Trace
from llmviz.position import pair_scores, rotation_angles
from llmviz.sampling import Sampler
from llmviz.views import position, provenance
from llmviz.views.kit.arcs import Arcs
from llmviz.views.kit.lifetime import replace_children
from llmviz.views.kit.next_token_bars import NextTokenBars
from llmviz.views.kit.picture import Explorer, Picture, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.pipeline_map import NAMES, PipelineMap
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture

MAX_VECTORS = 12  # as many tokens' vectors fit on a page

# One paragraph a stage; what is measured is said by the pictures.
STORIES = {
    "tokenization": "Your text is cut into tokens, pieces from a fixed list, and each piece has a number."
    " From here on there are only numbers.",
    "embeddings": "Each number picks one row of a big table. The row is the token's vector, learned in training. "
    "With these vectors the residual stream begins, which every later part reads and adds to.",
    "position": "A vector says which token it is, not where it stands. Attention, the next stage, compares vectors: "
    "one token's query with another's key. Before that, both are read as pairs of numbers, and each pair is turned "
    "like the hand of a clock, further for later tokens. This is RoPE.",
    "attention": "Here tokens look at earlier tokens and take something from them. Every layer has several heads that "
    "look in different ways. The picture shows the one head, of all of them, in which your last token looks hardest "
    "at something other than itself and the first token.",
    "ffn": "Now each token is worked on alone. Its vector is compared with many learned patterns, the neurons; those "
    "that fire write their own vectors back into the stream. Most of the model's weights are here.",
    "sampling": "The last token's final vector is compared with every row of the table. Softmax turns the results "
    "into probabilities, one token is drawn, and it joins the text. Then everything starts again.",
}


class StageTour(Explorer):
    """`PipelineMap`, with the picked stage's picture under it.

    source: a text's trace, or a view with a `trace`, such as `LoopExplorer`, whose text the open picture follows.
    """

    def __init__(self, model: Model, source: Trace | traitlets.HasTraits, *, stage: str | None = None):
        self._model = model
        self.map = PipelineMap(model, links=False, caption="Click a stage to see it at work on your text")
        self.story = ipywidgets.HTML()
        self.place = ipywidgets.VBox()
        super().__init__([self.map, self.story, self.place])
        self.map.picked = stage
        self.follow(source, self.show)
        self.map.observe(self._open, "picked")

    @property
    def picture(self) -> Picture | None:
        """The open stage's picture."""
        return self.place.children[0] if self.place.children else None

    @one_at_a_time
    def show(self, trace: Trace | None) -> None:
        """Another text, or none."""
        self.trace = trace
        self.map.show(trace)
        self._open()

    @one_at_a_time
    def _open(self, _change=None) -> None:
        stage = self.map.picked
        if stage is None or self.trace is None:
            self.story.value = ""
            replace_children(self.place)
            return
        self.story.value = (
            '<p style="font-size:16px;line-height:1.5;max-width:62em">'
            f"<b>{NAMES[stage]}.</b> {html.escape(STORIES[stage])}</p>"
        )
        replace_children(self.place, picture(stage, self.trace))


def picture(stage: str, trace: Trace) -> Picture:
    """What one stage does to this text, as the picture that shows it best."""
    return {
        "tokenization": _tokens,
        "embeddings": _vectors,
        "position": _turned,
        "attention": _looking,
        "ffn": _neurons,
        "sampling": _next,
    }[stage](trace)


def _tokens(trace: Trace) -> Picture:
    n = len(trace.tokens)
    return TokenStrip(
        trace.pieces, trace.tokens, caption=f"Your text as {n} token{'s' * (n != 1)}, with their numbers"
    )


def _vectors(trace: Trace) -> Picture:
    tokens, pieces = trace.tokens[-MAX_VECTORS:], trace.pieces[-MAX_VECTORS:]
    rows = embeddings.embed(tokens, trace.model.weights.W_E)
    which = "Your tokens" if len(tokens) == len(trace.tokens) else f"Your last {MAX_VECTORS} tokens"
    return VectorPicture(
        rows,
        labels=pieces,
        caption=f"{which} as rows of the table: {trace.model.config.d_model} numbers each, all of them",
        provenance=lambda row, i: provenance.embedding(trace.model, tokens[row], i),
    )


def _turned(trace: Trace) -> Picture:
    """The last token's query and the key it looks at hardest, in the head of the attention picture."""
    config, last = trace.model.config, len(trace.tokens) - 1
    layer, head = keenest_head(trace)
    block = trace.blocks[layer]
    at = int(block.attention_at(-1).pattern[head, 0, 1:-1].argmax()) + 1 if last > 1 else 0
    q, k = block.q[head, -1], block.k[config.kv_head_of(head), at]
    parts = pair_scores(q, k)
    speeds = rotation_angles(np.array([1.0]), config.d_head, base=config.rope_base)[0]
    return position.RopeDial(
        q_hands=q.reshape(-1, 2),
        k_hands=k.reshape(-1, 2),
        parts=parts,
        periods=2 * np.pi / speeds,
        limit=float(np.sort(np.abs(parts))[-3:].min()) or 1.0,
        score=float(parts.sum()),
        q_name=[trace.pieces[-1]],
        k_name=[trace.pieces[at]],
        q_position=last,
        k_position=at,
        stage="position",
        caption=f"The query of {quote(trace.pieces[-1])} and the key of {quote(trace.pieces[at])} (layer {layer}, head "
        f"{head}): {len(parts)} clocks, turned by the tokens' positions, fast ones first",
    )


def keenest_head(trace: Trace) -> tuple[int, int]:
    """(layer, head) in which the last token looks hardest at something other than itself and the first token."""
    best, where = -1.0, (0, 0)
    for block in trace.blocks:
        last_query = block.q[:, -1:]
        scores = attention.attention_scores(last_query, block.k, scale=trace.edits.score_scale)
        weights = ops.softmax(scores)[:, 0, 1:-1]
        if weights.size and weights.max() > best:
            head = int(weights.max(axis=1).argmax())
            best, where = float(weights.max()), (block.layer, head)
    return where


def _looking(trace: Trace) -> Picture:
    layer, head = keenest_head(trace)
    pattern = trace.blocks[layer].attention.pattern[head]
    n = len(trace.tokens)
    return Arcs(
        trace.pieces,
        np.where(np.tri(n, dtype=bool), pattern, np.nan),
        ids=trace.tokens,
        selected=n - 1,
        caption=f"Layer {layer}, head {head}: where each token looks. Choose a token by click or arrow keys",
        provenance=lambda row, col: provenance.pattern(trace, layer, head, row, col),
    )


def _neurons(trace: Trace) -> Picture:
    layer = trace.model.config.n_layers // 2
    hidden = trace.blocks[layer].ffn.hidden[-1]
    return VectorPicture(
        hidden,
        index_name="neuron",
        stage="ffn",
        caption=f"The {hidden.size:,} neurons of layer {layer} at {quote(trace.pieces[-1])}: how strongly each fires",
    )


def _next(trace: Trace) -> Picture:
    tokenizer = trace.model.tokenizer
    bars = NextTokenBars(
        Sampler().probs(trace.logits), tokenizer, n=10, caption=f"What comes after {quote(trace.pieces[-1])}?"
    )
    bars.provenance = lambda row: provenance.prob(trace.logits, bars.ids[row], piece=bars.pieces[row])
    return bars
