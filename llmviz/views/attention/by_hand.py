"""One attention head, step by step, and where each of its numbers comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import traitlets

from llmviz import experiments
from llmviz.experiments.families import asks_as_llama, divisor_squared
from llmviz.model import AttentionTrace, Trace
from llmviz.views import provenance
from llmviz.views.attention.head_grid import head_name
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, OfRows, Pieces, lines
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.state_fields import clip_position, head, layer, position, selection, tick
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, View, explains, part, sentences, shared
from llmviz.views.provenance import Explanation, explained

N_VALUES = 4  # keys whose values have a row of their own


class ScoreSteps(OfRows):
    """One query's attention, with a line for each key: q · k, the score, the weight.

    `raw`, `scores`, `weights`: [kv_seq] each; weights are NaN where masked. `scaled`: if raw is divided by √`d_head`.
    A click or the arrow keys select a key (`selected`); Enter or a click asks `provenance(key, step)`, with
    a step from 0 to 2.
    """

    _static, _rows = "score_steps", ("pieces",)

    pieces = Pieces()
    raw = Floats(ndim=(1,), limit=MAX_TOKENS)
    scores = Floats(ndim=(1,), limit=MAX_TOKENS)
    weights = Floats(ndim=(1,), limit=MAX_TOKENS)
    scaled = traitlets.Bool(True).tag(sync=True)
    d_head = traitlets.Int(0).tag(sync=True)

    def text(self) -> str:
        rows = [["to (key)", "q · k", "score", "weight"]]
        for i, piece in enumerate(self.pieces):
            if np.isnan(self.weights[i]):
                rows.append([visible(piece), f"{self.raw[i]:.2f}", "masked", "–"])
            else:
                shown = [f"{self.raw[i]:.2f}", f"{self.scores[i]:.2f}", percent(self.weights[i])]
                rows.append([visible(piece), *shown])
        return lines(rows)

    def headline(self) -> str:
        if not self.pieces or np.isnan(self.weights).all():
            return "no scores yet"
        best = int(np.nanargmax(self.weights))
        masked = int(np.isnan(self.weights).sum())
        weight, piece = percent(self.weights[best]), visible(self.pieces[best])
        summary = f"{len(self.pieces)} keys; the largest weight, {weight}, to {piece}"
        return summary + (f"; {masked} later tokens masked" if masked else "")


class Row(NamedTuple):
    """What one query does in one head."""

    trace: Trace  # The switches change attention in this layer only; what it reads stays the same.
    block: str  # the expression that gives this layer
    kv_head: int
    key: int
    attended: AttentionTrace  # of this query in all heads
    raw: np.ndarray  # q · k [kv_seq], as scores and weights: see `experiments.query_row`
    scores: np.ndarray
    weights: np.ndarray
    top: list[int]  # the keys with the largest weights
    others: list[int]  # the other keys with a weight above 0


class HeadByHand(View):
    """One query in one head, in three pictures: products, weights, and values.

    The strip chooses the query, and the table of weights the key whose products are shown. Two switches leave out the
    division by √d_head or the mask in this layer.
    """

    stage = "attention"

    @dataclass(frozen=True)
    class State:
        layer: int = layer(13)
        head: int = head(8)
        no_scale: bool = tick(lambda view: f"without ÷ √{divisor_squared(view.run.model.config)}")
        no_mask: bool = tick("without the mask")
        query: int = position(-1, set_by=("strip", "selected"))
        key: int | None = selection("steps")  # None: the one with the largest weight

    @shared
    def row(self, scene: Scene) -> Row:
        trace, layer, head, query = scene.run, scene.layer, scene.head, scene.query
        source = f"trace.blocks[{layer}]"
        switches = {"score_scale": not scene.no_scale, "causal_mask": not scene.no_mask}
        if scene.no_scale or scene.no_mask:
            trace = experiments.switched(trace, layer, **switches)
            names = ", ".join(f"{name}={value}" for name, value in switches.items())
            source = f"dataclasses.replace({source}, edits=dataclasses.replace(trace.edits, {names}))"
        raw, scores, weights = experiments.query_row(trace, layer, head, query)
        order = [int(i) for i in np.argsort(-np.nan_to_num(weights), kind="stable") if weights[i] > 0]
        key = int(np.nanargmax(weights)) if scene.key is None else clip_position(scene.key, len(weights))
        kv_head, attended = trace.model.config.kv_head_of(head), trace.blocks[layer].attention_at(query)
        top, others = order[:N_VALUES], order[N_VALUES:]
        return Row(trace, source, kv_head, key, attended, raw, scores, weights, top, others)

    @part(TokenStrip, [], quantity="attention weight", caption="From which token? (the query)")
    def strip(self, scene: Scene) -> dict:
        run, row = scene.run, scene.row
        return {"pieces": run.pieces, "ids": run.tokens, "weights": row.weights, "selected": scene.query}

    @part(VectorPicture, np.zeros((3, 1)), index_name="number", labels=["query q", "key k", "q × k"])
    def products(self, scene: Scene) -> dict:
        row, pieces = scene.row, scene.run.pieces
        block = scene.run.blocks[scene.layer]
        q, k = block.q[scene.head, scene.query], block.k[row.kv_head, row.key]
        return {
            "values": np.stack([q, k, q * k]),
            "caption": f"1 · {head_name(scene.layer, scene.head)}: {isolated(pieces[scene.query])} asks (q), "
            f"{isolated(pieces[row.key])} offers (k). Their {len(q)} products add up to q · k",
        }

    @sentences
    def score(self, scene: Scene) -> list[str]:
        row, config = scene.row, scene.run.model.config
        under_root, cap = divisor_squared(config), config.score_cap
        raw, weight = row.raw[row.key], row.weights[row.key]
        if not np.isfinite(row.scores[row.key]):
            there = isolated(scene.run.pieces[row.key])
            why = "comes later" if row.key > scene.query else "is too far back"
            return [f"q · k = {raw:.2f}, but {there} {why}: the mask makes it −∞, and its weight 0."]
        root = f"√{under_root} = {np.sqrt(under_root):.3g}"
        scaled = row.trace.edits.score_scale
        divided = f"divided by {root}" if scaled else "not divided"
        divided += f", kept within ±{cap:g}" if cap else ""
        divided += f": {row.scores[row.key]:.2f}" if scaled or cap else ""
        return [f"q · k = {raw:.2f}; {divided}; after softmax {percent(weight)} of this query's attention."]

    @part(lambda view: ScoreSteps(d_head=divisor_squared(view.run.model.config), stage="attention"))
    def steps(self, scene: Scene) -> dict:
        row, pieces = scene.row, scene.run.pieces
        return {
            "pieces": pieces,
            "raw": row.raw,
            "scores": row.scores,
            "weights": row.weights,
            "scaled": row.trace.edits.score_scale,
            "selected": row.key,
            "caption": f"2 · From products to weights: {isolated(pieces[scene.query])} and every key",
        }

    @part(
        VectorPicture,
        [0.0],
        index_name="number",
        caption="3 · The values, each times its weight, and their sum z: what this head passes on",
    )
    def values(self, scene: Scene) -> dict:
        row, w = scene.row, scene.row.weights
        v = scene.run.blocks[scene.layer].v[row.kv_head]
        labels = [f"{percent(w[i])} × {visible(scene.run.pieces[i])}" for i in row.top]
        lines = [w[i] * v[i] for i in row.top]
        if row.others:
            labels.append(f"{percent(w[row.others].sum())} × {len(row.others)} others")
            lines.append(w[row.others] @ v[row.others])
        return {"values": np.stack([*lines, row.attended.z[scene.head, 0]]), "labels": [*labels, "z"]}

    # --- where the numbers come from ---

    @explains("products")
    def explain_product(self, scene: Scene, which: int, i: int) -> Explanation:
        row, run = scene.row, scene.run
        if which == 0:
            return turned_number(run, scene.layer, scene.head, scene.query, "q", i)
        if which == 1:
            return turned_number(run, scene.layer, row.kv_head, row.key, "k", i)
        title = f"Product {i} of {run.model.config.d_head}"
        formula = "each number of q times the same number of k; q · k is the sum of all these products"
        q_and_k = _q_and_k(scene, row.key)
        return explained(run, title, formula, "(q * k)[i]", scene.shown["values"][2, i], **q_and_k, i=i)

    @explains("steps")
    def explain_step(self, scene: Scene, key: int, step: int) -> Explanation:
        row, run = scene.row, scene.run
        at = row.trace, scene.layer, scene.head, scene.query, key
        score = provenance.score(*at)
        if step == 2:
            return provenance.pattern(*at, block=row.block)
        if step == 1 or (row.trace.edits.causal_mask and key > scene.query):
            return score
        title = score.title.replace("Attention score", "Product")
        formula = "q · k: the products of their numbers, added up"
        return explained(run, title, formula, "q @ k", row.raw[key], **_q_and_k(scene, key))

    @explains("values")
    def explain_value(self, scene: Scene, which: int, i: int) -> Explanation:
        row, run, result = scene.row, scene.run, scene.shown["values"][which, i]
        at = f"[{scene.head}, {scene.query}"
        operands = {
            "pattern": f"{row.block}.attention.pattern{at}]",
            "v": f"trace.blocks[{scene.layer}].v[{row.kv_head}]",
            "i": i,
        }
        if which < len(row.top):
            key = row.top[which]
            title = f"Number {i} of the value of {isolated(run.pieces[key])}, times its weight"
            return explained(
                run, title, "weight × value", "pattern[key] * v[key, i]", result, **operands, key=key
            )
        if which < len(scene.shown["values"]) - 1:
            title = f"Number {i} of all other values, each times its weight"
            formula, line = "the sum of weight × value over the other keys", "pattern[others] @ v[others, i]"
            return explained(run, title, formula, line, result, **operands, others=np.array(row.others))
        formula = "z = the sum over all keys of weight × value"
        return explained(run, f"Number {i} of z", formula, "pattern @ v[:, i]", result, **operands)


def _q_and_k(scene: Scene, key: int) -> dict[str, str]:
    """Return the expressions that give the query and a key."""
    block = f"trace.blocks[{scene.layer}]"
    return {"q": f"{block}.q[{scene.head}, {scene.query}]", "k": f"{block}.k[{scene.row.kv_head}, {key}]"}


def turned_number(trace: Trace, layer: int, head: int, at: int, letter: str, i: int) -> Explanation:
    """Explain a number of a query (letter "q") or key ("k") by the stream, two columns of weights, and RoPE's angle."""
    name, first, config = {"q": "query", "k": "key"}[letter], i - i % 2, trace.model.config
    title = f"Number {i} of the {name} of {isolated(trace.pieces[at])} (position {at})"
    result = getattr(trace.blocks[layer], letter)[head, at, i]
    sources = {"x": provenance.read_by(trace, layer, at, "attention")}
    if not asks_as_llama(config):
        formula = f"{letter} = norm(stream) · W_{letter.upper()}, with what this family adds, such as biases or RoPE"
        sources["w"] = f"model.weights.layers[{layer}]"
        sources["turns"] = f"llmviz.model.rotations_at(model.config, np.array([{at}]), np.single)[{layer}]"
        line = "llmviz.model.queries_keys_values(w, model.config, x[None], turns, llmviz.Edits())"
        line += f"[{'qk'.index(letter)}][{head}, 0, {i}]"
        return explained(trace, title, formula, line, result, **sources)
    turned = "[np.cos(angle), -np.sin(angle)]" if i == first else "[np.sin(angle), np.cos(angle)]"
    formula = f"{letter} = norm(stream) · W_{letter.upper()}, each pair of numbers then turned by RoPE"
    sources |= {
        "W": f"model.weights.layers[{layer}].W_{letter.upper()}[{head}][:, {first}:{first + 2}]",
        "angle": f"{at} * model.config.rope_base ** (-{first} / model.config.d_head)",
    }
    return explained(trace, title, formula, f"x @ W @ {turned}", result, **sources)
