"""One head taken apart, step by step, and where each of its numbers comes from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llmviz import attention, ops
from llmviz.model import BlockTrace, Trace
from llmviz.views import provenance
from llmviz.views.attention.heads import head_name
from llmviz.views.attention.score_steps import ScoreSteps
from llmviz.views.kit.controls import Told, checkbox, row, slider
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated, visible
from llmviz.views.kit.state_fields import clip_position
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.provenance import Explanation, Operand


class HeadByHand(Explorer):
    """One head, one query, taken apart in four pictures: products, shares, values, and what the head adds.

    Sliders for layer and head; the strip chooses the query. A click on a line of the table chooses the key
    whose products are shown. Two switches leave out the division by √d_head or the mask in this one layer.
    """

    def __init__(self, source: Prompt | Trace, *, layer: int = 13, head: int = 8, query: int = -1):
        config = trace_of(source).model.config
        self.layer = slider(layer, "Layer", config.n_layers - 1, stage="attention")
        self.head = slider(head, "Head", config.n_heads - 1, stage="attention")
        self.no_scale = checkbox(f"without ÷ √{config.d_head}")
        self.no_mask = checkbox("without the mask")
        self.strip = TokenStrip([], stage="attention", caption="From which token? (the query)")
        of_head, of_model = np.zeros((3, config.d_head)), np.zeros((3, config.d_model))
        self.products = VectorPicture(of_head, index_name="number", stage="attention")
        self.product_told = Told()
        self.steps = ScoreSteps(d_head=config.d_head, stage="attention")
        self.values = VectorPicture(of_head, index_name="number", stage="attention")
        self.stream = VectorPicture(of_model, index_name="dimension", stage="attention")
        self.stream_told = Told()
        self.products.provenance = self._explain_product
        self.steps.provenance = self._explain_step
        self.values.provenance = self._explain_value
        self.stream.provenance = self._explain_stream
        self._wanted, self._query, self._key = query, 0, None
        super().__init__(
            [
                row(self.layer, self.head, self.no_scale, self.no_mask),
                self.strip,
                self.products,
                self.product_told,
                self.steps,
                self.values,
                self.stream,
                self.stream_told,
            ]
        )
        self.follow(source, self.show)
        for control in (self.layer, self.head, self.no_scale, self.no_mask):
            control.observe(self._draw, "value")
        self.strip.observe(self._pick_query, "selected")
        self.steps.observe(self._pick_key, "selected")

    def show(self, trace: Trace) -> None:
        """Another sentence, from the same place in it."""
        self.trace, self._key = trace, None
        self._query = clip_position(self._wanted, len(trace.tokens))
        self._draw()

    @property
    def tempted(self) -> Trace:
        """The trace, with the chosen layer's attention as the switches have it; what it reads stays as it was."""
        layer = self.layer.value
        edits = replace(
            self.trace.edits, score_scale=not self.no_scale.value, causal_mask=not self.no_mask.value
        )
        if edits == self.trace.edits:
            return self.trace
        blocks = list(self.trace.blocks)
        blocks[layer] = replace(blocks[layer], edits=edits)
        return replace(self.trace, blocks=tuple(blocks), edits=edits)

    @property
    def _source(self) -> str:
        """The expression that gives the chosen layer as the switches have it."""
        block, edits = f"trace.blocks[{self.layer.value}]", self.shown.edits
        if edits == self.trace.edits:
            return block
        switched = f"score_scale={edits.score_scale}, causal_mask={edits.causal_mask}"
        return f"dataclasses.replace({block}, edits=dataclasses.replace(trace.edits, {switched}))"

    @by_the_reader
    def _pick_query(self, change) -> None:
        if change["new"] is not None:
            self._query = self._wanted = change["new"]
            self._draw()

    @by_the_reader
    def _pick_key(self, change) -> None:
        if change["new"] is not None:
            self._key = change["new"]  # chosen by hand: it stays while the sliders move
            self._draw_products()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        with self.quietly():
            self._draw_all()

    def _draw_all(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        self.shown = tempted = self.tempted
        block = tempted.blocks[layer]
        self._row = block.attention_at(query)  # of all heads, over the keys that this query sees
        n, seen = len(trace.tokens), self._row.scores.shape[2]
        self._scores, self._weights = np.full(n, -np.inf, np.float32), np.full(n, np.nan, np.float32)
        self._scores[:seen], self._weights[:seen] = self._row.scores[head, 0], self._row.pattern[head, 0]
        self._raw = raw_scores(block, head, query)
        self._shared = trace.model.config.kv_head_of(head)
        piece = isolated(trace.pieces[query])
        self._draw_products()
        self.steps.change(
            pieces=trace.pieces,
            raw=self._raw,
            scores=self._scores,
            exps=np.exp(self._scores - self._scores.max()),
            weights=self._weights,
            scaled=tempted.edits.score_scale,
            selected=self.key,
            caption=f"2 · From products to shares: {piece} and every key",
        )
        strip = {"weights": self._weights, "selected": query}
        if self.strip.pieces != trace.pieces:
            strip = {"pieces": trace.pieces, "ids": trace.tokens} | strip
        self.strip.change(**strip)
        self._draw_values()
        self._draw_stream()

    @property
    def key(self) -> int:
        """The key whose products are shown: the one clicked, else the one with the largest share."""
        return int(np.nanargmax(self._weights)) if self._key is None else self._key

    def _draw_products(self) -> None:
        trace, head, query, key = self.trace, self.head.value, self._query, self.key
        block = trace.blocks[self.layer.value]
        q, k = block.q[head, query], block.k[self._shared, key]
        of_query, of_key = isolated(trace.pieces[query]), isolated(trace.pieces[key])
        name = head_name(self.layer.value, head)
        self.products.change(
            values=np.stack([q, k, q * k]),
            labels=["query q", "key k", "q × k"],
            caption=f"1 · {name}: {of_query} asks (q), {of_key} offers (k). Their {len(q)} products add up to q · k",
        )
        raw, score, weight = self._raw[key], self._scores[key], self._weights[key]
        root = f"√{len(q)} = {np.sqrt(len(q)):.3g}"
        divided = f"divided by {root}: {score:.2f}" if self.shown.edits.score_scale else "not divided"
        told = f"q · k = {raw:.2f}; {divided}; after softmax {percent(weight)} of this query's attention."
        if np.isnan(weight):
            told = f"q · k = {raw:.2f}, but {of_key} comes later: the mask makes it −∞, and its share 0."
        self.product_told.say(told)

    def _draw_values(self) -> None:
        trace, head = self.trace, self.head.value
        v, weights = trace.blocks[self.layer.value].v[self._shared], np.nan_to_num(self._weights)
        order = np.argsort(-weights, kind="stable")
        self._top = [int(i) for i in order[:4] if weights[i] > 0]
        rest = [int(i) for i in order[len(self._top) :] if weights[i] > 0]
        rows = [weights[i] * v[i] for i in self._top]
        labels = [f"{percent(weights[i])} × {visible(trace.pieces[i])}" for i in self._top]
        if rest:
            rows.append(weights[rest] @ v[rest])
            labels.append(f"{percent(weights[rest].sum())} × {len(rest)} others")
        self._rest = rest
        self.values.change(
            values=np.stack([*rows, self._row.z[head, 0]]),
            labels=[*labels, "sum: z"],
            caption="3 · The values, each times its share, added up: what this head carries over",
        )

    def _draw_stream(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        before, after = trace.blocks[layer].resid_pre[query], self._row.out[0]
        W_O, one = trace.model.weights.layers[layer].W_O, slice(head, head + 1)
        alone = attention.output(self._row.z[one], W_O[one])
        self._adds = np.stack([before, alone[0], after])
        self.stream.change(
            values=self._adds,
            labels=["stream before", "this head adds", f"all {len(W_O)} heads add"],
            caption="4 · z times W_O, added to the residual stream of the query",
        )
        lengths = np.linalg.norm(self._adds, axis=1)
        self.stream_told.say(
            f"Lengths: the stream {lengths[0]:.3g}, what this head adds {lengths[1]:.3g}, "
            f"what all heads of the layer add {lengths[2]:.3g}."
        )

    # where the numbers come from

    def _explain_product(self, which: int, i: int) -> Explanation:
        trace, layer, head = self.shown, self.layer.value, self.head.value
        if which < 2:
            position, letter = (self._query, "q") if which == 0 else (self.key, "k")
            return turned_number(trace, layer, head if which == 0 else self._shared, position, letter, i)
        block = trace.blocks[layer]
        q, k = block.q[head, self._query], block.k[self._shared, self.key]
        return Explanation(
            f"Product {i} of {len(q)}",
            "each number of q times the same number of k; q · k is the sum of all these products",
            [
                Operand("q", q, f"trace.blocks[{layer}].q[{head}, {self._query}]"),
                Operand("k", k, f"trace.blocks[{layer}].k[{self._shared}, {self.key}]"),
                Operand("i", i),
            ],
            "(q * k)[i]",
            (q * k)[i],
        )

    def _explain_step(self, key: int, step: int) -> Explanation:
        trace, layer, head, query = self.shown, self.layer.value, self.head.value, self._query
        if step == 3:
            return provenance.pattern(trace, layer, head, query, key, block=self._source)
        told = provenance.score(trace, layer, head, query, key)
        if step == 1 or (trace.edits.causal_mask and key > query):
            return told
        if step == 0:
            block = trace.blocks[layer]
            return Explanation(
                told.title.replace("Score", "Product"),
                "q · k: the products of their numbers, added up",
                [
                    Operand("q", block.q[head, query], f"trace.blocks[{layer}].q[{head}, {query}]"),
                    Operand(
                        "k", block.k[self._shared, key], f"trace.blocks[{layer}].k[{self._shared}, {key}]"
                    ),
                ],
                "q @ k",
                self._raw[key],
            )
        scores = self._scores
        return Explanation(
            f"e to the power of the score of {isolated(trace.pieces[key])}",
            "e^(score − largest): always positive; taking off the largest first changes no share",
            [
                Operand("scores", scores, f"{self._source}.attention.scores[{head}, {query}]"),
                Operand("key", key),
            ],
            "np.exp(scores - scores.max())[key]",
            np.exp(scores - scores.max())[key],
        )

    def _explain_value(self, which: int, i: int) -> Explanation:
        trace, layer, head, query = self.shown, self.layer.value, self.head.value, self._query
        v = trace.blocks[layer].v[self._shared]
        pattern = Operand(
            "pattern",
            np.nan_to_num(self._weights),
            f"{self._source}.attention.pattern[{head}, {query}]",
        )
        values = Operand("v", v, f"trace.blocks[{layer}].v[{self._shared}]")
        if which < len(self._top):
            key = self._top[which]
            return Explanation(
                f"Number {i} of the value of {isolated(trace.pieces[key])}, times its share",
                "share × value",
                [pattern, values, Operand("key", key), Operand("i", i)],
                "pattern[key] * v[key, i]",
                self.values.values[which, i],
            )
        if which == len(self._top) and self._rest:
            return Explanation(
                f"Number {i} of all other values, each times its share",
                "the sum of share × value over the other keys",
                [pattern, values, Operand("others", np.array(self._rest)), Operand("i", i)],
                "pattern[others] @ v[others, i]",
                self.values.values[which, i],
            )
        told = Explanation(
            f"Number {i} of z",
            "z = the sum over all keys of share × value",
            [pattern, values, Operand("i", i)],
            "pattern @ v[:, i]",
            self._row.z[head, 0, i],
        )
        source = f"{self._source}.attention.z[{head}, {query}, {i}]"
        return provenance.as_edited(told, trace, layer, "z", source)

    def _explain_stream(self, which: int, i: int) -> Explanation:
        trace, layer, head, query = self.shown, self.layer.value, self.head.value, self._query
        if which == 0:
            x = trace.blocks[layer].resid_pre[query]
            return Explanation(
                f"Dimension {i} of the stream of {isolated(trace.pieces[query])} before layer {layer}",
                "the embedding, plus everything that the layers before have added",
                [Operand("x", x, f"trace.blocks[{layer}].resid_pre[{query}]"), Operand("i", i)],
                "x[i]",
                x[i],
            )
        W_O, z = trace.model.weights.layers[layer].W_O, self._row.z[:, 0]
        weights = f"model.weights.layers[{layer}].W_O"
        source = f"{self._source}.attention.z"
        if which == 1:
            return Explanation(
                f"What {head_name(layer, head)} adds to dimension {i}",
                "z · W_O: the head's z times its own output matrix",
                [
                    Operand("z", z[head], f"{source}[{head}, {query}]"),
                    Operand("W_O", W_O[head], f"{weights}[{head}]"),
                    Operand("i", i),
                ],
                "z @ W_O[:, i]",
                self._adds[1, i],
            )
        told = Explanation(
            f"What layer {layer}'s attention adds to dimension {i}",
            "the sum over the heads of z · W_O",
            [Operand("z", z, f"{source}[:, {query}]"), Operand("W_O", W_O, weights), Operand("i", i)],
            "np.einsum('hd,hdm->m', z, W_O)[i]",
            self._adds[2, i],
        )
        source = f"{self._source}.attention.out[{query}, {i}]"
        return provenance.as_edited(told, trace, layer, "attention_out", source)


def raw_scores(block: BlockTrace, head: int, query: int) -> np.ndarray:
    """q · k of one head and query with every key [kv_seq], neither divided nor masked."""
    shared = head // (len(block.q) // len(block.k))
    q, k = block.q[head : head + 1, query : query + 1], block.k[shared : shared + 1]
    return attention.attention_scores(q, k, scale=False)[0, 0]


def read_by_heads(trace: Trace, layer: int, position: int) -> tuple[np.ndarray, str]:
    """The vector [d_model] that a layer's heads read at a position, and how to get it from the trace."""
    model, weights = trace.model, f"model.weights.layers[{layer}]"
    x, source = trace.blocks[layer].resid_pre[position], f"trace.blocks[{layer}].resid_pre[{position}]"
    if not trace.edits.norm:
        return x, source
    norm = model.weights.layers[layer].attention_norm
    source = f"llmviz.ops.rms_norm({source}, {weights}.attention_norm, eps=model.config.norm_eps)"
    return ops.rms_norm(x, norm, eps=model.config.norm_eps), source


def turned_number(trace: Trace, layer: int, head: int, position: int, letter: str, i: int) -> Explanation:
    """Where one number of a query ("q") or of a key ("k") comes from: the stream, a column of weights, RoPE's turn."""
    model, edits, block = trace.model, trace.edits, trace.blocks[layer]
    w, name = model.weights.layers[layer], {"q": "query", "k": "key"}[letter]
    W, vector = (w.W_Q, block.q) if letter == "q" else (w.W_K, block.k)
    x, source = read_by_heads(trace, layer, position)
    weights = f"model.weights.layers[{layer}]"
    first = i - i % 2
    turns = (position * edits.position_scale + edits.position_shift) * edits.rope
    angle = turns * model.config.rope_base ** (-first / model.config.d_head)
    turned = "[np.cos(angle), -np.sin(angle)]" if i == first else "[np.sin(angle), np.cos(angle)]"
    return Explanation(
        f"Number {i} of the {name} of {isolated(trace.pieces[position])} (position {position})",
        f"{letter} = norm(stream) · W_{letter.upper()}, each pair of numbers then turned by RoPE",
        [
            Operand("x", x, source),
            Operand(
                "W",
                W[head][:, first : first + 2],
                f"{weights}.W_{letter.upper()}[{head}][:, {first}:{first + 2}]",
            ),
            Operand(
                "angle", angle, f"{turns:g} * model.config.rope_base ** (-{first} / model.config.d_head)"
            ),
        ],
        f"x @ W @ {turned}",
        vector[head, position, i],
    )
