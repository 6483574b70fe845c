"""Pictures of stage 4: one head taken apart, all heads at once, a finder, and experiments that switch heads off."""

from __future__ import annotations

import functools
import html
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import ipywidgets
import numpy as np
import traitlets

from llmviz import Edits, attention, ops
from llmviz.model import BlockTrace, Model, Trace
from llmviz.views import provenance, theme
from llmviz.views.arcs import Arcs
from llmviz.views.heat_map import HeatMap
from llmviz.views.line_plot import LinePlot
from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.picture import (
    Explorer,
    Floats,
    Picture,
    Pieces,
    Text,
    lines,
    one_at_a_time,
    percent,
    script,
    style,
)
from llmviz.views.pieces import quote, visible
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.text_box import TextBox
from llmviz.views.token_strip import TokenStrip
from llmviz.views.vector_picture import VectorPicture
from llmviz.views.verdicts import Verdict, Verdicts

MAP_SIZE = (
    32  # cells along one side of a small map; longer texts show the largest weight of each block of cells
)
N_RANKED = 10  # heads in a ranking
N_DRAWS = 3  # of random heads: one draw alone may hit a head that every text needs
MINUS = re.compile(r"(?<!\w)-(?=\d)")

# The measures of llmviz.attention that say what a head does, and what each of them means.
BEHAVIOURS = {
    "previous token": "mean weight on the token just before",
    "first token": "mean weight on the very first token, over all later ones",
    "duplicate": "mean weight on earlier copies of the query's own token, where there are any",
    "induction": "mean weight on the tokens that followed earlier copies of the query's token, where there are any",
}


def isolated(piece: str) -> str:
    """`quote`, of unknown direction: Hebrew or Arabic does not turn the sentence around it."""
    return f"\u2068{quote(piece)}\u2069"


def head_name(layer: int, head: int) -> str:
    """ "layer 13, head 8"."""
    return f"layer {layer}, head {head}"


# ---- numbers out of a trace, all by the functions that the model runs ----


def weights_from(trace: Trace, query: int) -> np.ndarray:
    """What every head gives to each token from one query: [n_layers, n_heads, seq], NaN where masked."""
    config, seq = trace.model.config, len(trace.tokens)
    seen = query + 1 if trace.edits.causal_mask else seq
    weights = np.full((config.n_layers, config.n_heads, seq), np.nan, np.float32)
    for layer, block in enumerate(trace.blocks):
        scores = attention.attention_scores(
            block.q[:, query : query + 1], block.k[:, :seen], scale=trace.edits.score_scale
        )
        weights[layer, :, :seen] = ops.softmax(scores)[:, 0]
    return weights


def first_hidden(weights: np.ndarray) -> np.ndarray:
    """`without_first_token` for rows [*heads, kv_seq] in which masked keys are NaN already."""
    masked = np.isnan(weights)
    return np.where(masked, np.nan, attention.without_first_token(np.where(masked, 0, weights)))


@dataclass(frozen=True)
class Overview:
    """All heads of one run, small enough to draw."""

    maps: np.ndarray  # [n_layers, n_heads, size, size], NaN where masked
    step: int  # tokens along one side of a cell
    scores: np.ndarray  # [one a behaviour, n_layers, n_heads], NaN where it could not happen


@functools.lru_cache(maxsize=2)  # the same sentence, with its first token and without
def overview(trace: Trace, hide_first: bool = False) -> Overview:
    """Every head's pattern, as a small map, and its measured behaviours."""
    config, seq = trace.model.config, len(trace.tokens)
    step = -(-seq // MAP_SIZE)
    size = -(-seq // step)
    maps = np.empty((config.n_layers, config.n_heads, size, size), np.float32)
    scores = np.empty((len(BEHAVIOURS), config.n_layers, config.n_heads), np.float32)
    future = attention.future_mask(seq, seq) & trace.edits.causal_mask
    for layer, block in enumerate(trace.blocks):
        pattern = patterns(block)
        scores[:, layer] = behaviours(pattern, trace.tokens)
        drawn = attention.without_first_token(pattern) if hide_first else pattern
        maps[layer] = largest_in_blocks(np.where(future, np.float32(np.nan), drawn), step)
    return Overview(maps, step, scores)


def behaviours(pattern: np.ndarray, tokens: list[int]) -> np.ndarray:
    """The four measures of `BEHAVIOURS` for the heads of one layer: [4, n_heads]."""
    return np.stack(
        [
            attention.previous_token_score(pattern),
            attention.first_token_score(pattern),
            attention.duplicate_token_score(pattern, tokens),
            attention.induction_score(pattern, tokens),
        ]
    )


def largest_in_blocks(pattern: np.ndarray, step: int) -> np.ndarray:
    """The largest number of each step × step block of the last two axes; NaN only where all of it is NaN."""
    if step == 1:
        return pattern
    seq = pattern.shape[-1]
    size = -(-seq // step)
    room = ((0, 0), (0, size * step - seq), (0, size * step - seq))
    padded = np.pad(pattern, room, constant_values=np.nan).reshape(-1, size, step, size, step)
    return np.fmax.reduce(np.fmax.reduce(padded, axis=4), axis=2)


def patterns(block: BlockTrace, heads: slice = slice(None)) -> np.ndarray:
    """`block.attention.pattern` of some heads, without mixing the values: [heads, seq, kv_seq]."""
    group = len(block.q) // len(block.k)
    q = block.q[heads]
    k = block.k if len(q) == len(block.q) else block.k[np.arange(len(block.q))[heads] // group]
    scores = attention.attention_scores(q, k, scale=block.edits.score_scale)
    if block.edits.causal_mask:
        np.copyto(scores, -np.inf, where=attention.future_mask(*scores.shape[1:]))
    return ops.softmax(scores)


def head_pattern(trace: Trace, layer: int, head: int, *, hide_first: bool = False) -> np.ndarray:
    """One head's weights [seq, kv_seq], NaN where masked."""
    pattern = patterns(trace.blocks[layer], slice(head, head + 1))[0]
    if hide_first:
        pattern = attention.without_first_token(pattern)
    future = attention.future_mask(*pattern.shape) & trace.edits.causal_mask
    return np.where(future, np.float32(np.nan), pattern)


def strongest(values: np.ndarray, n: int) -> list[tuple[int, int]]:
    """(layer, head) of the n largest of [n_layers, n_heads], largest first; NaN never counts."""
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), axis=None, kind="stable")[:n]
    return [divmod(int(i), values.shape[1]) for i in order if not np.isnan(values.flat[i])]


def random_heads(shape: tuple[int, int], n: int, besides: Iterable[tuple[int, int]], seed: int) -> list:
    """n heads (layer, head) drawn from all the others."""
    others = [divmod(i, shape[1]) for i in range(shape[0] * shape[1])]
    others = [one for one in others if one not in set(besides)]
    picked = np.random.default_rng(seed).choice(len(others), min(n, len(others)), replace=False)
    return [others[i] for i in picked]


# ---- pictures ----


class HeadGrid(Picture):
    """All heads at once: `values` [n_layers, n_heads, rows, cols], a small map a head, or [n_layers, n_heads], numbers.

    Columns are layers, rows heads; heads that share keys and values (`group` of them) stand together. `kind` and
    `limit` fix the colours as in `HeatMap`, `measure` names the numbers. `scores` [k, n_layers, n_heads] with their
    `score_names` are told for the head in question. A click or the arrow keys select a head (`selected`, layer and
    head); with `toggles`, a click or the space bar also puts it into `chosen` or takes it out.
    Enter or a click asks `provenance(layer, head)`.
    """

    _esm = script("head_grid")
    _css = style("head_grid")
    _data = ("values", "selected", "chosen")

    values = Floats(ndim=(4,))
    group = traitlets.Int(1).tag(sync=True)
    kind = traitlets.Enum(("weight", "prob", "signed"), "weight").tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)
    measure = Text("weight")
    scores = Floats(ndim=(3,))
    score_names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)
    chosen = traitlets.List(traitlets.List(traitlets.Int(), minlen=2, maxlen=2)).tag(sync=True)
    toggles = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        values: np.ndarray,
        *,
        group: int = 1,
        selected: Sequence[int] | None = None,
        chosen: Iterable[Sequence[int]] = (),
        scores: np.ndarray | None = None,
        score_names: Iterable[str] = (),
        caption: str = "",
        stage: str = "attention",
        provenance: Callable | None = None,
        **traits,
    ):
        super().__init__(
            values=four_axes(values),
            group=group,
            selected=None if selected is None else [int(i) for i in selected],
            chosen=[[int(i) for i in one] for one in chosen],
            scores=scores,
            score_names=list(score_names),
            caption=caption,
            stage=stage,
            provenance=provenance,
            **traits,
        )

    def text(self) -> str:
        """One number a head: the number itself, or the largest weight of its map; a line a head, a column a layer."""
        if self.values is None:
            return "no heads yet"
        numbers = np.fmax.reduce(self.values.reshape(*self.values.shape[:2], -1), axis=2)
        what = self.measure if self.values.shape[2:] == (1, 1) else f"largest {self.measure} of each map"
        rows = [
            [f"head {i}", *("–" if np.isnan(v) else f"{v:.2f}" for v in row)]
            for i, row in enumerate(numbers.T)
        ]
        chosen = ", ".join(head_name(*one) for one in self.chosen)
        told = f"{what}; rows: heads, columns: layers\n{lines([['', *range(len(numbers))], *rows])}"
        return told + (f"\nchosen: {chosen}" if chosen else "")

    def headline(self) -> str:
        """How many heads, which is selected and which are chosen."""
        if self.values is None:
            return "no heads yet"
        n_layers, n_heads = self.values.shape[:2]
        told = [f"{n_layers} layers of {n_heads} heads"]
        if self.selected is not None:
            told.append(f"selected: {head_name(*self.selected)}")
            if self.values.shape[2:] == (1, 1):
                told[-1] += f", {self.measure} {self.values[tuple(self.selected)].item():.3g}"
        if self.chosen:
            told.append("chosen: " + ", ".join(head_name(*one) for one in self.chosen[:20]))
        return "; ".join(told)

    @traitlets.validate("selected", "chosen")
    def _heads_that_exist(self, proposal):
        value, several = proposal["value"], proposal["trait"].name == "chosen"
        for one in (value if several else [value]) if value is not None else ():
            if not all(0 <= i < n for i, n in zip(one, self.values.shape[:2])):
                raise traitlets.TraitError(
                    f"a head is [layer, head] within {self.values.shape[:2]}, not {one}"
                )
        return value


def four_axes(values: np.ndarray) -> np.ndarray:
    """[n_layers, n_heads] as maps of one cell each; [n_layers, n_heads, rows, cols] as it is."""
    values = np.asarray(values, np.float32)
    return values[:, :, None, None] if values.ndim == 2 else values


class ScoreSteps(Picture):
    """One query's row, step by step: q·k, divided by √d_head, e to its power, share. One line a key.

    raw, scores, exps, weights: [kv_seq] each; weights are NaN where masked. `scaled` says whether raw was divided.
    A click or the arrow keys select a key (`selected`); Enter or a click asks `provenance(key, step)`, step 0 to 3.
    """

    _esm = script("score_steps")
    _css = style("score_steps")
    _data = ("pieces", "raw", "scores", "exps", "weights")

    pieces = Pieces()
    raw = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    scores = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    exps = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    weights = Floats(ndim=(1,), limit=theme.MAX_TOKENS)
    scaled = traitlets.Bool(True).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def text(self) -> str:
        rows = [["to (key)", "q · k", "score", "e^(score − largest)", "share"]]
        for i, piece in enumerate(self.pieces):
            if np.isnan(self.weights[i]):
                rows.append([visible(piece), f"{self.raw[i]:.2f}", "masked", "0", "–"])
            else:
                shown = [f"{self.raw[i]:.2f}", f"{self.scores[i]:.2f}", f"{self.exps[i]:.3g}"]
                rows.append([visible(piece), *shown, percent(self.weights[i])])
        return lines(rows)

    def headline(self) -> str:
        if not self.pieces or np.isnan(self.weights).all():
            return "no scores yet"
        best = int(np.nanargmax(self.weights))
        masked = int(np.isnan(self.weights).sum())
        share, piece = percent(self.weights[best]), visible(self.pieces[best])
        told = f"{len(self.pieces)} keys; the largest share, {share}, to {piece}"
        return told + (f"; {masked} later tokens masked" if masked else "")


# ---- the reader's sentence, and pictures that follow it ----


class Sentence(TextBox):
    """A box for one sentence. `trace` is the model's run over it; pictures made with the box follow it."""

    trace = traitlets.Instance(Trace)

    def __init__(self, model: Model, text: str):
        super().__init__(model, text, label="Your sentence (Enter runs the model)", live=False)
        self._model = model
        self.observe(self._run, "tokens")
        self._run()

    def _run(self, _change=None) -> None:
        if self.tokens or not self.trait_has_value("trace"):
            self.trace = self._model.trace(self.tokens or [0])  # an empty box leaves the last run standing


def follow(source: Sentence | Trace, show: Callable[[Trace], None]) -> None:
    """Show a trace now, and every later one of a sentence."""
    if isinstance(source, Trace):
        show(source)
        return
    show(source.trace)
    source.observe(lambda change: show(change["new"]), "trace")


def place(position: int, seq: int) -> int:
    """A position that a text of `seq` tokens has, counted from the end where negative."""
    return min(max(position + seq if position < 0 else position, 0), seq - 1)


def slider(value: int, last: int, name: str) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(
        min(value, last),
        min=0,
        max=last,
        description=name,
        style={"handle_color": theme.STAGE_COLORS["attention"][0], "description_width": "initial"},
        layout={"width": "min(420px, 98%)"},
    )


def checkbox(name: str) -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(False, description=name, indent=False, layout={"width": "auto"})


def button(name: str, tooltip: str = "", look: str = "") -> ipywidgets.Button:
    return ipywidgets.Button(description=name, tooltip=tooltip, button_style=look, layout={"width": "auto"})


def row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    """Side by side where there is room, else under each other."""
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "grid_gap": "0 20px"})


def wide(picture: Picture, basis: int = 460) -> Picture:
    picture.layout = {"flex": f"1 1 {basis}px", "min_width": "0"}
    return picture


class Told(ipywidgets.HTML):
    """Sentences computed from the numbers above them, set as text."""

    def say(self, *sentences: str) -> None:
        size = theme.SIZES["body"]
        sentences = (MINUS.sub("−", one) for one in sentences if one)
        rows = "".join(f"<div>{html.escape(one)}</div>" for one in sentences)
        self.value = f'<div role="status" style="font-size:{size}px;line-height:1.5">{rows}</div>'


class HeadByHand(Explorer):
    """One head, one query, taken apart: q, k and v, products, scores, shares, values, and what the head adds.

    Sliders for layer, head and query; the strip chooses the query, too. A click on a line of the table chooses the key
    whose products are shown. Two switches leave out the division by √d_head or the mask in this one layer.
    """

    def __init__(self, source: Sentence | Trace, *, layer: int = 13, head: int = 8, query: int = -1):
        config = (source if isinstance(source, Trace) else source.trace).model.config
        self.layer = slider(layer, config.n_layers - 1, "Layer")
        self.head = slider(head, config.n_heads - 1, "Head")
        self.query = slider(0, 0, "Query token")
        self.no_scale = checkbox(f"without ÷ √{config.d_head}")
        self.no_mask = checkbox("without the mask")
        self.strip = TokenStrip([], stage="attention", caption="From which token? (the query)")
        of_head, of_model = np.zeros((3, config.d_head)), np.zeros((3, config.d_model))
        self.vectors = VectorPicture(of_head, index_name="number", stage="attention")
        self.products = VectorPicture(of_head, index_name="number", stage="attention")
        self.product_told = Told()
        self.steps = ScoreSteps(stage="attention")
        self.values = VectorPicture(of_head, index_name="number", stage="attention")
        self.stream = VectorPicture(of_model, index_name="dimension", stage="attention")
        self.stream_told = Told()
        self.vectors.provenance = self._explain_vector
        self.products.provenance = self._explain_product
        self.steps.provenance = self._explain_step
        self.values.provenance = self._explain_value
        self.stream.provenance = self._explain_stream
        self._wanted, self._query, self._key, self._drawing = query, 0, None, False
        super().__init__(
            [
                row(self.layer, self.head, self.query),
                row(self.no_scale, self.no_mask),
                self.strip,
                self.vectors,
                self.products,
                self.product_told,
                self.steps,
                self.values,
                self.stream,
                self.stream_told,
            ]
        )
        follow(source, self.show)
        for control in (self.layer, self.head, self.no_scale, self.no_mask):
            control.observe(self._draw, "value")
        self.query.observe(self._pick_query, "value")
        self.strip.observe(self._pick_query, "selected")
        self.steps.observe(self._pick_key, "selected")

    def show(self, trace: Trace) -> None:
        """Another sentence, from the same place in it."""
        self.trace, self._key = trace, None
        self._query = place(self._wanted, len(trace.tokens))
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

    @one_at_a_time
    def _pick_query(self, change) -> None:
        if not self._drawing and change["new"] is not None:
            self._query = self._wanted = change["new"]
            self._draw()

    @one_at_a_time
    def _pick_key(self, change) -> None:
        if not self._drawing and change["new"] is not None:
            self._key = change["new"]  # chosen by hand: it stays while the sliders move
            self._draw_products()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        self._drawing = True
        try:
            self._draw_all()
        finally:
            self._drawing = False

    def _draw_all(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        self.shown = tempted = self.tempted
        block = tempted.blocks[layer]
        self._attention = result = block.attention
        weights, scores = result.pattern[head, query], result.scores[head, query]
        masked = ~np.isfinite(scores)
        self._weights = np.where(masked, np.float32(np.nan), weights)
        self._raw = raw_scores(block, head, query)
        self._shared = head // (trace.model.config.n_heads // trace.model.config.n_kv_heads)
        name = head_name(layer, head)
        strip = {"weights": self._weights, "selected": query}
        if self.strip.pieces != trace.pieces:
            strip = {"pieces": trace.pieces, "ids": trace.tokens} | strip
        self.strip.change(**strip)
        self.query.max = min(len(trace.tokens), theme.MAX_TOKENS) - 1
        self.query.value = query
        piece = isolated(trace.pieces[query])
        self.vectors.change(
            values=np.stack(
                [block.q[head, query], block.k[self._shared, query], block.v[self._shared, query]]
            ),
            labels=["query q", "key k", "value v"],
            caption=f"1 · What {name} makes of {piece}: what it looks for, what it offers, what it would hand over",
        )
        self.steps.change(
            pieces=trace.pieces,
            raw=self._raw,
            scores=scores,
            exps=np.where(masked, 0, np.exp(scores - scores.max())),
            weights=self._weights,
            scaled=tempted.edits.score_scale,
            selected=self.key,
            caption=f"3 · From products to shares: {piece} looks at every key; {name}",
        )
        self._draw_products()
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
        self.products.change(
            values=np.stack([q, k, q * k]),
            labels=["query q", "key k", "q × k"],
            caption=f"2 · {of_query} asks (q), {of_key} offers (k): their {len(q)} products, added up, are q · k",
        )
        raw, score, weight = self._raw[key], self._attention.scores[head, query, key], self._weights[key]
        root = f"√{len(q)} = {np.sqrt(len(q)):.3g}"
        divided = f"divided by {root}: {score:.2f}" if self.shown.edits.score_scale else "not divided"
        told = f"q · k = {raw:.2f}; {divided}; after softmax {percent(weight)} of this query's attention."
        if np.isnan(weight):
            told = f"q · k = {raw:.2f}, but {of_key} comes later: the mask makes it −∞, and its share 0."
        self.product_told.say(told)

    def _draw_values(self) -> None:
        trace, head, query = self.trace, self.head.value, self._query
        v, weights = trace.blocks[self.layer.value].v[self._shared], np.nan_to_num(self._weights)
        order = np.argsort(-weights, kind="stable")
        self._top = [int(i) for i in order[:4] if weights[i] > 0]
        rest = [int(i) for i in order[len(self._top) :] if weights[i] > 0]
        rows = [weights[i] * v[i] for i in self._top]
        labels = [f"{percent(weights[i])} × v of {visible(trace.pieces[i])}" for i in self._top]
        if rest:
            rows.append(weights[rest] @ v[rest])
            labels.append(f"{percent(weights[rest].sum())} × {len(rest)} others")
        self._rest = rest
        self.values.change(
            values=np.stack([*rows, self._attention.z[head, query]]),
            labels=[*labels, "sum: z"],
            caption="4 · The values, each times its share, added up: what this head carries over",
        )

    def _draw_stream(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        before, after = trace.blocks[layer].resid_pre[query], self._attention.out[query]
        W_O = trace.model.weights.layers[layer].W_O
        alone = attention.output(self._attention.z[head : head + 1, query : query + 1], W_O[head : head + 1])[
            0
        ]
        self._adds = np.stack([before, alone, after])
        self.stream.change(
            values=self._adds,
            labels=["stream before", "this head adds", f"all {len(W_O)} heads add"],
            caption="5 · z times W_O, added to the residual stream of the query",
        )
        lengths = np.linalg.norm(self._adds, axis=1)
        self.stream_told.say(
            f"Lengths: the stream {lengths[0]:.3g}, what this head adds {lengths[1]:.3g}, "
            f"what all heads of the layer add {lengths[2]:.3g}."
        )

    # where the numbers come from

    def _explain_vector(self, which: int, i: int) -> Explanation:
        trace, layer, query = self.shown, self.layer.value, self._query
        if which == 0:
            return turned_number(trace, layer, self.head.value, query, "q", i)
        if which == 1:
            return turned_number(trace, layer, self._shared, query, "k", i)
        x, source = read_by_heads(trace, layer, query)
        column = trace.model.weights.layers[layer].W_V[self._shared][:, i]
        return Explanation(
            f"Number {i} of the value of {isolated(trace.pieces[query])}",
            "v = norm(stream) · W_V; RoPE turns no value",
            [
                Operand("x", x, source),
                Operand("column", column, f"model.weights.layers[{layer}].W_V[{self._shared}][:, {i}]"),
            ],
            "x @ column",
            trace.blocks[layer].v[self._shared, query, i],
        )

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
            return provenance.pattern(trace, layer, head, query, key)
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
        scores = self._attention.scores[head, query]
        return Explanation(
            f"e to the power of the score of {isolated(trace.pieces[key])}",
            "e^(score − largest): always positive; taking off the largest first changes no share",
            [
                Operand("scores", scores, f"trace.blocks[{layer}].attention.scores[{head}, {query}]"),
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
            self._attention.pattern[head, query],
            f"trace.blocks[{layer}].attention.pattern[{head}, {query}]",
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
        return Explanation(
            f"Number {i} of z",
            "z = the sum over all keys of share × value",
            [pattern, values, Operand("i", i)],
            "pattern @ v[:, i]",
            self._attention.z[head, query, i],
        )

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
        W_O, z = trace.model.weights.layers[layer].W_O, self._attention.z[:, query]
        weights = f"model.weights.layers[{layer}].W_O"
        source = f"trace.blocks[{layer}].attention.z"
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
        return Explanation(
            f"What layer {layer}'s attention adds to dimension {i}",
            "the sum over the heads of z · W_O",
            [Operand("z", z, f"{source}[:, {query}]"), Operand("W_O", W_O, weights), Operand("i", i)],
            "np.einsum('hd,hdm->m', z, W_O)[i]",
            self._adds[2, i],
        )


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


def shown_weight(
    trace: Trace, layer: int, head: int, query: int, key: int, *, hide_first: bool
) -> Explanation:
    """Where one weight comes from, as it is or with the first token hidden."""
    told = provenance.pattern(trace, layer, head, query, key)
    if not hide_first:
        return told
    pattern = trace.blocks[layer].attention.pattern[head, query]
    if key == 0:
        return replace(
            told,
            title=f"{told.title}: hidden",
            formula="hidden here; the other weights are scaled up to sum to one",
        )
    return Explanation(
        f"{told.title}, with the first token hidden",
        "weight / the sum of all weights but the first",
        [
            Operand("pattern", pattern, f"trace.blocks[{layer}].attention.pattern[{head}, {query}]"),
            Operand("key", key),
        ],
        "pattern[key] / pattern[1:].sum()",
        attention.without_first_token(pattern[None])[0, key],
    )


class HeadExplorer(Explorer):
    """The atlas: a small map for every head, and the chosen one large beside the sentence with its arcs."""

    def __init__(self, source: Sentence | Trace, *, layer: int = 13, head: int = 8, query: int = -1):
        config = (source if isinstance(source, Trace) else source.trace).model.config
        self.hide_first = checkbox("hide the first token and renormalise")
        self.layer = slider(layer, config.n_layers - 1, "Layer")
        self.head = slider(head, config.n_heads - 1, "Head")
        self.grid = HeadGrid(
            np.zeros((config.n_layers, config.n_heads)), group=config.n_heads // config.n_kv_heads
        )
        self.map = wide(HeatMap([[1.0]], [""], provenance=self._explain))
        self.arcs = wide(Arcs([], np.zeros((0, 0)), provenance=self._explain), 400)
        self.told = Told()
        self._wanted = query
        super().__init__(
            [
                row(self.layer, self.head, self.hide_first),
                self.grid,
                ipywidgets.HBox(
                    [self.map, self.arcs], layout={"flex_flow": "row wrap", "grid_gap": "0 20px"}
                ),
                self.told,
            ]
        )
        follow(source, self.show)
        self.hide_first.observe(self._draw, "value")
        self.grid.observe(self._from_grid, "selected")
        for control in (self.layer, self.head):
            control.observe(self._from_sliders, "value")
        self.map.observe(self._from_map, "selected")
        self.arcs.observe(self._from_arcs, "selected")

    def show(self, trace: Trace) -> None:
        self.trace = trace
        self._query = place(self._wanted, len(trace.tokens))
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        seen = overview(self.trace, self.hide_first.value)
        n = len(self.trace.tokens)
        note = f"; a cell is the largest weight of {seen.step} × {seen.step} tokens" if seen.step > 1 else ""
        hidden = ", the first token hidden, the rest renormalised" if self.hide_first.value else ""
        heads = self.grid.values.shape[0] * self.grid.values.shape[1]
        self.grid.change(
            values=seen.maps,
            scores=seen.scores,
            score_names=list(BEHAVIOURS),
            selected=[self.layer.value, self.head.value],
            caption=f"All {heads} heads on your {n} tokens{hidden}. Click one, or use the arrow keys{note}",
        )
        self._draw_head()

    def _draw_head(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        hide = self.hide_first.value
        weights = head_pattern(trace, layer, head, hide_first=hide)
        name = head_name(layer, head)
        hidden = ", first token hidden" if hide else ""
        self.map.change(
            values=weights,
            row_labels=trace.pieces,
            col_labels=trace.pieces,
            selected=[query, int(np.argmax(np.nan_to_num(weights[query])))],
            caption=f"{name}{hidden}".capitalize(),
        )
        arcs = {"weights": weights, "selected": query}
        if self.arcs.pieces != trace.pieces:
            arcs = {"pieces": trace.pieces, "ids": trace.tokens} | arcs
        self.arcs.change(**arcs, caption=f"Where {isolated(trace.pieces[query])} looks: {name}{hidden}")
        self._tell()

    def _tell(self) -> None:
        trace, layer, head, query = self.trace, self.layer.value, self.head.value, self._query
        to_first = patterns(trace.blocks[layer], slice(head, head + 1))[0, query, 0]
        scores = overview(trace, self.hide_first.value).scores[:, layer, head]
        group = trace.model.config.n_heads // trace.model.config.n_kv_heads
        first = head // group * group
        shared = [str(one) for one in range(first, first + group) if one != head]
        measured = ", ".join(f"{name} {v:.2f}" for name, v in zip(BEHAVIOURS, scores) if not np.isnan(v))
        self.told.say(
            f"Measured on this sentence: {measured}." if measured else "",
            f"From {isolated(trace.pieces[query])} it gives {percent(to_first)} to the first token.",
            f"It shares its keys and values with head {' and '.join(shared)} of its layer." if shared else "",
        )

    @one_at_a_time
    def _from_grid(self, change) -> None:
        if change["new"] is not None and change["new"] != [self.layer.value, self.head.value]:
            self._moving = True  # both sliders move, and then the head is drawn once
            self.layer.value, self.head.value = change["new"]
            self._moving = False
            self._draw_head()

    _moving = False

    @one_at_a_time
    def _from_sliders(self, _change) -> None:
        if not self._moving:
            self.grid.selected = [self.layer.value, self.head.value]
            self._draw_head()

    @one_at_a_time
    def _from_map(self, change) -> None:
        if change["new"] is not None and change["new"][0] != self._query:
            self._look_from(change["new"][0])

    @one_at_a_time
    def _from_arcs(self, change) -> None:
        if change["new"] is not None and change["new"] != self._query:
            self._look_from(change["new"])
            weights = self.map.values[self._query]
            self.map.selected = [self._query, int(np.argmax(np.nan_to_num(weights)))]

    def _look_from(self, query: int) -> None:
        self._query = self._wanted = query
        hidden = ", first token hidden" if self.hide_first.value else ""
        name = head_name(self.layer.value, self.head.value)
        caption = f"Where {isolated(self.trace.pieces[query])} looks: {name}{hidden}"
        self.arcs.change(selected=query, caption=caption)
        self._tell()

    def _explain(self, query: int, key: int) -> Explanation:
        at = (self.trace, self.layer.value, self.head.value, query, key)
        return shown_weight(*at, hide_first=self.hide_first.value)


class Sink(Explorer):
    """How much goes to the first token: by head, by layer, and what a mean over all heads makes of it."""

    def __init__(self, source: Sentence | Trace, *, layer: int = 13, head: int = 8, query: int = -1):
        config = (source if isinstance(source, Trace) else source.trace).model.config
        self.strip = TokenStrip([], stage="attention", caption="From which token?")
        self.grid = HeadGrid(
            np.zeros((config.n_layers, config.n_heads)),
            group=config.n_heads // config.n_kv_heads,
            measure="share of the first token",
            selected=[min(layer, config.n_layers - 1), min(head, config.n_heads - 1)],
        )
        self.curves = LinePlot(
            x=np.arange(config.n_layers),
            values=np.zeros((2, config.n_layers)),
            names=["on the first token", "on the token just before"],
            x_axis="layer",
            unit="share",
            y_max=1.0,
            stage="attention",
            caption="Mean weight over the heads of each layer and all tokens after the first",
        )
        self.rows = HeatMap([[1.0]], ["…"], kind="weight", row_axis="whose weights", caption="")
        self.told = Told()
        self._wanted = query
        super().__init__([self.strip, self.grid, self.told, self.curves, self.rows])
        follow(source, self.show)
        self.strip.observe(self._pick, "selected")
        self.grid.observe(self._draw_rows, "selected")

    def show(self, trace: Trace) -> None:
        self.trace = trace
        self._query = place(self._wanted, len(trace.tokens))
        scores = overview(trace).scores
        self.strip.change(pieces=trace.pieces, ids=trace.tokens, selected=self._query)
        means = np.stack([scores[1].mean(axis=1), scores[0].mean(axis=1)])
        self.curves.change(values=means)
        self._draw()

    @one_at_a_time
    def _pick(self, change) -> None:
        if change["new"] is not None and change["new"] != self._query:
            self._query = self._wanted = change["new"]
            self._draw()

    def _draw(self) -> None:
        trace = self.trace
        self._weights = weights_from(trace, self._query)
        first = self._weights[..., 0]
        piece = isolated(trace.pieces[self._query])
        self.grid.change(
            values=four_axes(first),
            caption=f"From {piece}: the share that each head gives to the first token",
        )
        heavy = int((first > 0.5).sum())
        self.told.say(
            f"From {piece}, {heavy} of {first.size} heads ({heavy / first.size:.0%}) give more than half to the first "
            f"token, {isolated(trace.pieces[0])}; the mean over all heads is {percent(first.mean())}."
            if self._query
            else f"{piece} is the first token: it can look at itself only, so every head gives it everything."
        )
        self._draw_rows()

    @one_at_a_time
    def _draw_rows(self, _change=None) -> None:
        layer, head = self.grid.selected
        mean, one = self._weights.mean(axis=(0, 1)), self._weights[layer, head]
        hidden = first_hidden(np.stack([mean, one]))
        name = head_name(layer, head)
        self.rows.change(
            values=np.stack([mean, hidden[0], one, hidden[1]]),
            row_labels=["mean of all heads", "… first hidden", name, "… first hidden"],
            col_labels=self.trace.pieces,
            caption=f"From {isolated(self.trace.pieces[self._query])}: the mean of all heads beside {name}, as they "
            "are and with the first token hidden and the rest renormalised",
        )


class HeadFinder(Explorer):
    """Which heads look from this token to that one? Which behave like this? A ranking, and the chosen head's map."""

    BY_WEIGHT = "weight from → to"
    HERE, PROBE = "your sentence", "random tokens, twice"

    def __init__(self, source: Sentence | Trace, *, query: int = -1, key: int = 1):
        self.model = (source if isinstance(source, Trace) else source.trace).model
        config = self.model.config
        self.source_strip = TokenStrip([], stage="attention", caption="From (the token that looks)")
        self.target_strip = TokenStrip([], stage="attention", caption="To (the token looked at)")
        self.by = ipywidgets.Dropdown(
            options=[self.BY_WEIGHT, *BEHAVIOURS],
            description="Rank by",
            style={"description_width": "initial"},
        )
        self.measured_on = ipywidgets.Dropdown(
            options=[self.HERE, self.PROBE],
            description="Behaviour measured on",
            style={"description_width": "initial"},
        )
        self.hide_first = checkbox("hide the first token and renormalise")
        self.definition = Told()
        shape = (config.n_layers, config.n_heads)
        self.grid = HeadGrid(np.zeros(shape), group=config.n_heads // config.n_kv_heads, selected=[0, 0])
        names = ["weight", "first hidden", *BEHAVIOURS]
        self.table = wide(
            HeatMap(np.zeros((1, 6)), [""], names, row_axis="head", col_axis="measure", numbers="always"), 520
        )
        self.map = wide(HeatMap([[1.0]], [""], provenance=self._explain), 420)
        self._wanted, self._drawing = (query, key), False
        super().__init__(
            [
                self.source_strip,
                self.target_strip,
                row(self.by, self.measured_on, self.hide_first),
                self.definition,
                self.grid,
                ipywidgets.HBox(
                    [self.table, self.map], layout={"flex_flow": "row wrap", "grid_gap": "0 20px"}
                ),
            ]
        )
        follow(source, self.show)
        for strip in (self.source_strip, self.target_strip):
            strip.observe(self._pick, "selected")
        for control in (self.by, self.measured_on, self.hide_first):
            control.observe(self._rank, "value")
        self.grid.observe(self._draw_map, "selected")
        self.table.observe(self._from_table, "selected")

    def show(self, trace: Trace) -> None:
        self.trace = trace
        n = len(trace.tokens)
        self._query, self._key = (place(wanted, n) for wanted in self._wanted)
        self._drawing = True
        self.source_strip.change(pieces=trace.pieces, ids=trace.tokens, selected=self._query)
        self.target_strip.change(pieces=trace.pieces, ids=trace.tokens, selected=self._key)
        self._drawing = False
        self._rank()

    @one_at_a_time
    def _pick(self, _change) -> None:
        if not self._drawing and None not in (self.source_strip.selected, self.target_strip.selected):
            self._wanted = self.source_strip.selected, self.target_strip.selected
            self._query, self._key = self._wanted
            self._rank()

    @functools.cached_property
    def probe(self) -> np.ndarray:
        """The behaviours measured on random tokens that come twice: [4, n_layers, n_heads]."""
        ids = random_tokens(self.model, 25, seed=0) * 2
        return np.stack([behaviours(patterns(block), ids) for block in self.model.trace(ids).blocks], axis=1)

    @one_at_a_time
    def _rank(self, _change=None) -> None:
        trace, query, key = self.trace, self._query, self._key
        weights = weights_from(trace, query)
        hidden = first_hidden(weights)
        scores = self.probe if self.measured_on.value == self.PROBE else overview(trace).scores
        by_weight = self.by.value == self.BY_WEIGHT
        if by_weight:
            ranked = (hidden if self.hide_first.value else weights)[..., key]
        else:
            ranked = scores[list(BEHAVIOURS).index(self.by.value)]
        self.ranking = strongest(ranked, N_RANKED)
        columns = [weights[..., key], hidden[..., key], *scores]
        names = [head_name(*one) for one in self.ranking]
        table = np.array([[column[one] for column in columns] for one in self.ranking], np.float32)
        self._drawing = True
        self.table.change(
            values=table.reshape(-1, len(columns)) if self.ranking else np.full((1, len(columns)), np.nan),
            row_labels=names or ["none"],
            selected=[0, 0],
            caption=f"The {len(names)} heads with the largest {self.by.value}"
            if names
            else "No head to rank",
        )
        here = f"from {isolated(trace.pieces[query])} to {isolated(trace.pieces[key])}"
        measure = f"weight {here}" if by_weight else self.by.value
        best = list(self.ranking[0]) if self.ranking else [0, 0]
        self.grid.change(
            values=four_axes(ranked),
            measure="weight" if by_weight else self.by.value,
            selected=best,
            chosen=[list(one) for one in self.ranking],
            caption=f"Every head's {measure}{' (first token hidden)' if by_weight and self.hide_first.value else ''}. "
            f"Dashed: the {len(names)} largest",
        )
        self._drawing = False
        self._define(by_weight, here, bool(np.isnan(ranked).all()))
        self._draw_map()

    def _define(self, by_weight: bool, here: str, nothing: bool) -> None:
        if by_weight:
            told = f"The weight that each head gives {here}."
            if self._key > self._query:
                told = f"There is nothing to rank {here}: a token cannot look at later ones. Choose an earlier “to”."
            elif nothing:
                told = "There is nothing to rank: the first token is hidden."
        else:
            told = f"{self.by.value.capitalize()}: {BEHAVIOURS[self.by.value]}; measured on {self.measured_on.value}."
            if nothing:
                told += " It cannot happen in your sentence, since no token comes twice: measure it on random tokens."
        self.definition.say(told)

    @one_at_a_time
    def _from_table(self, change) -> None:
        if not self._drawing and change["new"] is not None and self.ranking:
            self.grid.selected = list(self.ranking[change["new"][0]])

    @one_at_a_time
    def _draw_map(self, _change=None) -> None:
        if self._drawing:
            return
        layer, head = self.grid.selected
        weights = head_pattern(self.trace, layer, head, hide_first=self.hide_first.value)
        hidden = ", first token hidden" if self.hide_first.value else ""
        self.map.change(
            values=weights,
            row_labels=self.trace.pieces,
            col_labels=self.trace.pieces,
            selected=[self._query, self._key],
            caption=f"{head_name(layer, head)}{hidden}".capitalize(),
        )

    def _explain(self, query: int, key: int) -> Explanation:
        return shown_weight(self.trace, *self.grid.selected, query, key, hide_first=self.hide_first.value)


# Short texts of many kinds, in which to look for one that a head reacts to.
SENTENCES = (
    "The cat that I saw yesterday was sleeping",
    "The keys to the old cabinet are on the table",
    "When Mary and John went to the store, John gave a drink to Mary",
    "one two three one two three one two three",
    "blue, red, green, yellow, blue, red, green",
    "She said: “I don't know what you mean.”",
    "def add(a, b):\n    return a + b",
    "(first (second (third)) and back)",
    "12 + 30 = 42, 15 + 20 = 35",
    "On Monday, 3 March 1998, it rained. On Tuesday it did not.",
    "The capital of France is Paris. The capital of Italy is Rome.",
    "I came, I saw, I conquered.",
    "Not bad, not good, not anything at all.",
    "The more you learn, the more you know, the more you forget.",
    "Dr. Smith met Mr. Jones and Mrs. Brown in New York.",
    "https://www.example.org/a/b/c.html",
    "<p>Hello <b>world</b></p>",
    "A rose is a rose is a rose.",
    "Der Hund und die Katze schlafen, und der Vogel singt.",
    "Le chat noir et le chien blanc dorment.",
    "Why? Because! Really? Yes, really.",
    "- milk\n- bread\n- butter\n- milk",
    "He put the big red ball into the small blue box.",
    "xq zv kk wq xq zv kk wq",
)


class WakeUp(Explorer):
    """Most heads rest on the first token most of the time. Search a small set of texts for one that wakes a head.

    How awake a head is on a text: the mean weight, over all tokens after the first, that is not on the first token.
    `awake` is [n_texts, n_layers, n_heads]; None before the search.
    """

    def __init__(self, model: Model, *, layer: int = 13, head: int = 8, sentences: Sequence[str] = SENTENCES):
        config = model.config
        self.model, self.sentences, self.awake = model, list(sentences), None
        self.layer = slider(layer, config.n_layers - 1, "Layer")
        self.head = slider(head, config.n_heads - 1, "Head")
        self.search = button(
            f"Search {len(self.sentences)} texts", "run the model on each of them", "primary"
        )
        self.progress = ipywidgets.IntProgress(0, max=len(self.sentences), layout={"display": "none"})
        self.told = Told()
        self.found = ipywidgets.Select(
            options=[], rows=8, layout={"width": "min(760px, 98%)", "display": "none"}
        )
        self.found.description = "Most awake first"
        self.found.style.description_width = "initial"
        self.arcs = Arcs(["…"], [[np.nan]], caption="Press the button, then choose a text")
        super().__init__(
            [
                row(self.layer, self.head, self.search, self.progress),
                self.told,
                self.found,
                self.arcs,
            ]
        )
        self.search.on_click(self.run)
        for control in (self.layer, self.head):
            control.observe(self._order, "value")
        self.found.observe(self._draw, "value")

    @one_at_a_time
    def run(self, _button=None) -> None:
        """Measure every head on every text; once, whatever head is asked about afterwards."""
        self.progress.layout.display = ""
        measured = []
        for i, sentence in enumerate(self.sentences):
            trace = self.model.trace(sentence)
            measured.append([1 - attention.first_token_score(patterns(block)) for block in trace.blocks])
            self.progress.value = i + 1
        self.awake = np.array(measured, np.float32)
        self.progress.layout.display = "none"
        self.found.layout.display = ""
        self._order()

    @one_at_a_time
    def _order(self, _change=None) -> None:
        if self.awake is None:
            return
        awake = np.nan_to_num(self.awake[:, self.layer.value, self.head.value])
        order = np.argsort(-awake, kind="stable")
        options = [(f"{awake[i]:.2f}   {visible(self.sentences[i])}", int(i)) for i in order]
        self.found.options = [(name.replace("·", " "), i) for name, i in options]
        self.found.value = int(order[0])
        low, high = awake.min(), awake.max()
        manner = (
            "it rests everywhere here"
            if high < 0.2
            else "it is awake everywhere"
            if low > 0.6
            else "what you give it makes the difference"
        )
        name = head_name(self.layer.value, self.head.value)
        self.told.say(
            f"{name.capitalize()} puts between {low:.2f} and {high:.2f} of its weight on other tokens than the first: "
            f"{manner}."
        )
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        if self.awake is None or self.found.value is None:
            return
        trace = self.model.trace(self.sentences[self.found.value])
        weights = head_pattern(trace, self.layer.value, self.head.value)
        outside = np.nan_to_num(weights[:, 1:]).max(axis=1)
        best = int(outside.argmax())
        name = head_name(self.layer.value, self.head.value).capitalize()
        self.arcs.change(
            pieces=trace.pieces,
            weights=weights,
            ids=trace.tokens,
            selected=best,
            caption=f"{name}: its strongest look away from the first token is from "
            f"{isolated(trace.pieces[best])}",
        )


# ---- experiments ----


@dataclass(frozen=True)
class Preset:
    """A text whose next token tests something: the right answer against another one, and the token that tells."""

    name: str
    text: str
    answer: str
    other: str
    key: str  # the piece that heads should look at
    n: int  # how many of the heads that look at it most are chosen at first


PRESETS = (
    Preset("the cat: was or were?", "The cat that I saw yesterday", " was", " were", " cat", 3),
    Preset("the cats: were or was?", "The cats that I saw yesterday", " were", " was", " cats", 1),
    Preset("the keys: are or is?", "The keys to the old cabinet", " are", " is", " keys", 1),
    Preset(
        "Mary or John?",
        "When Mary and John went to the store, John gave a drink to",
        " Mary",
        " John",
        " Mary",
        1,
    ),
)


class DoesItMatter(Explorer):
    """Turn chosen heads down or up, from 0 to 2, and see what the model would say next.

    The lead of an answer is its logit minus the other answer's: how much the model prefers it. `lead_before` and
    `lead` hold it as the model is, and as the slider has it.
    """

    def __init__(self, model: Model, *, preset: int = 0):
        config = model.config
        self.model = model
        shape = (config.n_layers, config.n_heads)
        group = config.n_heads // config.n_kv_heads
        self.preset = ipywidgets.ToggleButtons(
            options=[(one.name, i) for i, one in enumerate(PRESETS)], value=preset
        )
        self.preset.style.button_width = "auto"
        self.box = TextBox(model, "", label="Text, up to the token to be guessed (Enter runs)", live=False)
        self.answer = ipywidgets.Text(
            "", description="Answer", continuous_update=False, layout={"width": "190px"}
        )
        self.other = ipywidgets.Text(
            "", description="against", continuous_update=False, layout={"width": "190px"}
        )
        self.strip = TokenStrip(
            [], stage="attention", caption="Which token should the heads look at? (from the last token)"
        )
        self.grid = HeadGrid(np.zeros(shape), group=group, toggles=True, selected=[0, 0])
        self.top = [button(f"strongest {n}") for n in (1, 3, 8)]
        self.random = button("as many others, at random")
        self.none = button("none")
        self.scale = ipywidgets.FloatSlider(
            0.0,
            min=0.0,
            max=2.0,
            step=0.05,
            description="Chosen heads × ",
            readout_format=".2f",
            style={"handle_color": theme.STAGE_COLORS["attention"][0], "description_width": "initial"},
            layout={"width": "min(520px, 98%)"},
        )
        self.told = Told()
        self.bars = NextTokenBars(
            np.full(config.n_vocab, 1 / config.n_vocab),
            model.tokenizer,
            n=min(10, config.n_vocab),
            before_label="as the model is",
        )
        self.each = button("Switch off every head, one at a time", "about ten seconds", "primary")
        self.progress = ipywidgets.IntProgress(
            0, max=config.n_layers * config.n_heads, layout={"display": "none"}
        )
        self.effects = HeadGrid(
            np.zeros(shape), group=group, kind="signed", measure="change of the lead", selected=[0, 0]
        )
        self.effects.layout.display = "none"
        self.effect_told = Told()
        self._seed = 0
        super().__init__(
            [
                self.preset,
                self.box,
                row(self.answer, self.other),
                self.strip,
                self.grid,
                row(*self.top, self.random, self.none),
                self.scale,
                self.told,
                self.bars,
                row(self.each, self.progress),
                self.effects,
                self.effect_told,
            ]
        )
        self.box.observe(self._read, "tokens")
        self.strip.observe(self._look, "selected")
        self.preset.observe(self._set, "value")
        self.grid.observe(self.run, "chosen")
        self.scale.observe(self.run, "value")
        for box in (self.answer, self.other):
            box.observe(self.run, "value")
        for one, n in zip(self.top, (1, 3, 8)):
            one.on_click(lambda _, n=n: self.choose(strongest(self._weights, n)))
        self.random.on_click(self._choose_random)
        self.none.on_click(lambda _: self.choose([]))
        self.each.on_click(self.switch_each_off)
        self._set()

    def choose(self, heads: Iterable[Sequence[int]]) -> None:
        """Choose these heads (layer, head) and no others."""
        self.grid.chosen = [list(one) for one in heads]

    def _choose_random(self, _button) -> None:
        self._seed += 1
        besides = strongest(self._weights, 20)
        self.choose(random_heads(self._weights.shape, max(1, len(self.grid.chosen)), besides, self._seed))

    @one_at_a_time
    def _set(self, _change=None) -> None:
        preset = PRESETS[self.preset.value]
        self._ready = False
        self.box.box.value = preset.text
        self.answer.value, self.other.value = preset.answer, preset.other
        pieces = self.trace.pieces
        self.strip.selected = pieces.index(preset.key) if preset.key in pieces else 0
        self._look()
        best = strongest(self._weights, preset.n)
        self.grid.selected = list(best[0])
        self.choose(best)
        self._ready = True
        self.run()

    _ready = False

    @one_at_a_time
    def _read(self, _change=None) -> None:
        if not self.box.tokens:
            return
        self.trace = self.model.trace(self.box.tokens)
        self.probs_before = ops.softmax(self.trace.logits)
        self.strip.change(
            pieces=self.trace.pieces, ids=self.trace.tokens, selected=min(1, len(self.trace.tokens) - 1)
        )
        self.effects.layout.display = "none"
        self.effect_told.say("")
        self._look()
        self.run()

    @one_at_a_time
    def _look(self, _change=None) -> None:
        key = self.strip.selected
        if key is None:
            return
        self._weights = weights_from(self.trace, len(self.trace.tokens) - 1)[..., key]
        last, looked_at = (isolated(self.trace.pieces[i]) for i in (-1, key))
        self.grid.change(
            values=four_axes(self._weights),
            caption=f"Every head's weight from the last token, {last}, to {looked_at}. Click heads to choose them "
            "(dashed)",
        )

    def _token(self, box: ipywidgets.Text) -> int | None:
        """The first token of what is typed as an answer."""
        try:
            ids = self.model.tokenizer.encode(box.value)
        except ValueError:
            return None
        return ids[0] if ids else None

    def _lead(self, logits: np.ndarray) -> float:
        a, b = self._token(self.answer), self._token(self.other)
        return float(logits[a] - logits[b]) if None not in (a, b) else np.nan

    @one_at_a_time
    def run(self, _change=None) -> None:
        """Run the model with the chosen heads scaled; the layers before them are taken from the run as it is."""
        if not self._ready:
            return
        heads = [tuple(one) for one in self.grid.chosen]
        try:
            self.after = self.model.trace(
                self.trace.tokens, Edits(head=dict.fromkeys(heads, self.scale.value))
            )
        except (ValueError, FloatingPointError) as error:
            self.told.say(str(error))
            return
        probs = ops.softmax(self.after.logits)
        name = ", ".join(head_name(*one) for one in heads[:8]) + (" …" if len(heads) > 8 else "")
        self.bars.show(probs, before=self.probs_before)
        self.bars.caption = (
            f"The next token with {name} × {self.scale.value:g}"
            if heads
            else "The next token; no head is chosen"
        )
        self.lead_before, self.lead = self._lead(self.trace.logits), self._lead(self.after.logits)
        if np.isnan(self.lead):
            self.told.say("Type an answer and another one to compare it with, each with a space in front.")
            return
        a, b = self._token(self.answer), self._token(self.other)
        answer, other = (isolated(self.model.tokenizer.pieces([one])[0]) for one in (a, b))
        change = self.lead - self.lead_before
        verdict = (
            "the answer has turned"
            if self.lead * self.lead_before < 0
            else "that hardly matters"
            if abs(change) < 0.15 * abs(self.lead_before)
            else "that matters, but the answer stands"
        )
        self.told.say(
            f"Logit of {answer}: {self.trace.logits[a]:.2f} → {self.after.logits[a]:.2f}; its probability: "
            f"{percent(self.probs_before[a])} → {percent(probs[a])}.",
            f"Its lead over {other} (difference of the logits): {self.lead_before:.2f} → {self.lead:.2f}"
            + (f": {verdict}." if heads else "."),
        )

    @one_at_a_time
    def switch_each_off(self, _button=None) -> None:
        """For every head alone: by how much the answer's lead changes when it is off. [n_layers, n_heads]"""
        a, b = self._token(self.answer), self._token(self.other)
        if None in (a, b):
            self.effect_told.say("Type an answer and another one first.")
            return
        self.each.disabled, self.progress.value, self.progress.layout.display = True, 0, ""
        try:
            self._measure_each()
        finally:
            self.each.disabled, self.progress.layout.display = False, "none"

    def _measure_each(self) -> None:
        base = self._lead(self.trace.logits)
        effect = np.zeros_like(self._weights)
        # from the end, so that each run reuses the layers before
        for layer in reversed(range(effect.shape[0])):
            for head in range(effect.shape[1]):
                trace = self.model.trace(self.trace.tokens, Edits(head={(layer, head): 0}))
                effect[layer, head] = self._lead(trace.logits) - base
                self.progress.value += 1
        self.effect = effect
        limit = float(f"{np.abs(effect).max() or 1:.2g}")
        needed, looked = strongest(-effect, 3), strongest(self._weights, 3)
        answer, key = self.answer.value, self.trace.pieces[self.strip.selected]
        self.effects.change(
            values=four_axes(effect),
            limit=limit,
            selected=list(needed[0]),
            chosen=[list(one) for one in looked],
            caption=f"How the lead of {isolated(answer)} changes when this one head is off. Dashed: the three that "
            f"look most at {isolated(key)}",
        )
        self.effects.layout.display = ""
        told = [
            f"{head_name(*one)}: {effect[one]:+.2f} (weight {self._weights[one]:.2f})"
            for one in (*looked, *needed)
        ]
        related = np.corrcoef(self._weights.ravel(), np.abs(effect).ravel())[0, 1]
        self.effect_told.say(
            f"Looking most at {isolated(key)}: {'; '.join(told[:3])}.",
            f"Needed most for {isolated(answer)}: {'; '.join(told[3:])}.",
            f"Over all {effect.size} heads, weight and size of the effect correlate by {related:.2f} (1 would be: "
            "the weight tells it all, 0: it tells nothing).",
        )


def random_tokens(model: Model, n: int, seed: int) -> list[int]:
    """n different tokens, none of the very rare and none of the special ones."""
    n_vocab = model.config.n_vocab
    pool = np.arange(min(1_000, n_vocab // 10), min(20_000, n_vocab))
    return np.random.default_rng(seed).choice(pool, n, replace=False).tolist()


def right_next(trace: Trace) -> np.ndarray:
    """The probability that each token of the text had, given those before it: [seq - 1]."""
    logits = trace.model.unembed(trace.blocks[-1].resid_post[:-1], trace.edits)
    return ops.softmax(logits)[np.arange(len(logits)), trace.tokens[1:]]


class Induction(Explorer):
    """Random tokens, then the same again: can the model copy, and which heads does it need for that?

    After `run`, `first` and `second` hold the mean probability of the right next token in each pass, `without` that of
    the second pass with the strongest induction heads off, `without_random` with as many others off, one a draw.
    """

    def __init__(self, model: Model, *, n: int = 40, off: int = 8, seed: int = 0):
        config = model.config
        self.model = model
        self.n = slider(n, 60, "Random tokens")
        self.n.min = 5
        self.off = slider(off, 20, "Heads off")
        self.seed = slider(seed, 20, "Another draw")
        for control in (self.n, self.off, self.seed):
            control.continuous_update = False
            control.observe(self.run, "value")
        self.curves = LinePlot(
            unit="share",
            y_max=1.0,
            stage="attention",
            x_axis="position of the token",
            names=["the model as it is"],
            caption="Probability of the right next token",
        )
        self.told = Told()
        self.grid = HeadGrid(
            np.zeros((config.n_layers, config.n_heads)),
            group=config.n_heads // config.n_kv_heads,
            measure="induction score",
            selected=[0, 0],
        )
        super().__init__([row(self.n, self.off, self.seed), self.curves, self.told, self.grid])
        self.run()

    @one_at_a_time
    def run(self, _change=None) -> None:
        n = self.n.value
        once = random_tokens(self.model, n, self.seed.value)
        tokens = once * 2
        trace = self.model.trace(tokens)
        self.scores = np.stack([attention.induction_score(patterns(block), tokens) for block in trace.blocks])
        self.strongest = strongest(self.scores, self.off.value)
        curves, names = [right_next(trace)], ["the model as it is"]
        second = slice(n, None)  # after the first token of the second pass, which nobody can know
        self.first, self.second = (float(curves[0][part].mean()) for part in (slice(0, n - 1), second))
        told = ""
        if self.strongest:
            k = len(self.strongest)
            draws = [
                random_heads(self.scores.shape, k, self.strongest, N_DRAWS * self.seed.value + i)
                for i in range(N_DRAWS)
            ]
            at_random = np.stack([self._with_off(tokens, heads) for heads in draws])
            curves += [at_random.mean(axis=0), self._with_off(tokens, self.strongest)]
            names += [
                f"{k} random heads off (mean of {N_DRAWS} draws)",
                f"the {k} strongest induction heads off",
            ]
            self.without = float(curves[2][second].mean())
            self.without_random = [float(one[second].mean()) for one in at_random]
            told = (
                f"Second pass with the {k} strongest off: {percent(self.without)}; with as many random heads off, in "
                f"{N_DRAWS} draws: {', '.join(map(percent, self.without_random))}."
            )
        self.curves.change(
            x=np.arange(1, 2 * n),
            values=np.stack(curves),
            names=names,
            x_pieces=trace.pieces[1:],
            marks=[[n, "second pass"]],
        )
        self.told.say(
            f"Right next token, mean probability: first pass {percent(self.first)}, second pass "
            f"{percent(self.second)}.",
            told,
        )
        self.grid.change(
            values=four_axes(self.scores),
            selected=list(self.strongest[0]) if self.strongest else [0, 0],
            chosen=[list(one) for one in self.strongest],
            caption=f"Induction score: {BEHAVIOURS['induction']}. Dashed: the heads switched off",
        )

    def _with_off(self, tokens: list[int], heads: Iterable[tuple[int, int]]) -> np.ndarray:
        return right_next(self.model.trace(tokens, Edits(head=dict.fromkeys(heads, 0))))


@dataclass(frozen=True)
class Timing:
    """Seconds, measured on this machine, for texts of several lengths."""

    lengths: tuple[int, ...]
    with_cache: np.ndarray  # one more token, keys and values of the others kept
    without_cache: np.ndarray  # one more token, the whole text run again
    quadratic: np.ndarray  # of that: scores, softmax and mixing, in all layers


class Cost(Explorer):
    """What a token costs as the text grows: with the KV cache and without, and which part grows with the square.

    A button starts the measurement; `timing` is None before it.
    """

    LENGTHS = (32, 64, 128, 256, 512, 1024)

    def __init__(self, model: Model, *, lengths: Sequence[int] = LENGTHS):
        self.model, self.timing = model, None
        self.lengths = tuple(n for n in lengths if n + 4 <= model.config.n_ctx)
        self.start = button("Measure on this machine", "five to fifteen seconds", "primary")
        self.progress = ipywidgets.IntProgress(0, max=len(self.lengths), layout={"display": "none"})
        axis = {"stage": "attention", "x_axis": "tokens in the text", "waiting": "press the button"}
        self.times = wide(
            LinePlot(
                unit="ms",
                names=["with the cache", "without"],
                caption="Time for one more token",
                **axis,
            )
        )
        self.shares = wide(
            LinePlot(
                unit="share",
                y_max=1.0,
                names=["scores, softmax, mixing", "everything else"],
                caption="Without the cache: share of the time that grows with the square of the length",
                **axis,
            )
        )
        self.told = Told()
        super().__init__(
            [
                row(self.start, self.progress),
                ipywidgets.HBox(
                    [self.times, self.shares], layout={"flex_flow": "row wrap", "grid_gap": "0 20px"}
                ),
                self.told,
            ]
        )
        self.start.on_click(self.run)
        self.told.say(*self._memory())

    def _memory(self) -> list[str]:
        c = self.model.config
        block = self.model.trace([0]).blocks[0]  # one token
        kept = c.n_layers * (block.k.nbytes + block.v.nbytes)
        kb, mb = kept / 1024, kept * c.n_ctx / 2**20
        times = c.n_heads // c.n_kv_heads
        return [
            f"Memory a token: keys and values of {c.n_layers} layers × {c.n_kv_heads} heads × {c.d_head} numbers are "
            f"{kb:.0f} kB in float32. With a key/value head for each of the {c.n_heads} query heads it would be "
            f"{kb * times:.0f} kB. For a context of {c.n_ctx:,} tokens: {mb:.0f} MB against {mb * times:.0f} MB."
        ]

    @one_at_a_time
    def run(self, _button=None) -> None:
        self.start.disabled, self.progress.value, self.progress.layout.display = True, 0, ""
        try:
            self._measure()
        finally:
            self.start.disabled, self.progress.layout.display = False, "none"

    def _measure(self) -> None:
        rng = np.random.default_rng(0)
        longest = max(self.lengths)
        ids = rng.integers(min(1_000, self.model.config.n_vocab // 10), self.model.config.n_vocab, longest)
        rows = []
        for n in self.lengths:
            rows.append(self._cost_at(ids[:n].tolist()))
            self.progress.value += 1
        self.timing = Timing(self.lengths, *np.array(rows).T)
        self._show(self.timing)

    def _cost_at(self, ids: list[int]) -> tuple[float, float, float]:
        """Seconds for one more token with the cache, without it, and of the latter for scores, softmax and mixing."""
        model = self.model
        model.forget()
        without = _seconds(lambda: model.trace(ids))  # nothing is kept: all tokens run again for the next one
        block = model.trace(ids).blocks[0]
        q, k, v = block.q, block.k, block.v
        quadratic = len(model.weights.layers) * min(
            _seconds(lambda: _look_and_mix(q, k, v)) for _ in range(2)
        )
        steps = model.generate(ids, max_new_tokens=4)
        next(steps)  # its logits are those of the trace
        return min(_seconds(lambda: next(steps, None)) for _ in range(3)), without, quadratic

    def _show(self, timing: Timing) -> None:
        x = np.array(timing.lengths, np.float32)
        ticks = [float(n) for n in timing.lengths if n >= max(timing.lengths) / 8]
        share = np.clip(timing.quadratic / timing.without_cache, 0, 1)
        self.times.change(
            x=x, values=1000 * np.stack([timing.with_cache, timing.without_cache]), x_ticks=ticks
        )
        self.shares.change(x=x, values=np.stack([share, 1 - share]), x_ticks=ticks)
        n = timing.lengths[-1]
        on, off = 1000 * timing.with_cache[-1], 1000 * timing.without_cache[-1]
        told = [
            f"At {n:,} tokens one more token takes {on:.0f} ms with the cache and {off:.0f} ms without: "
            f"{off / on:.0f} times as long."
        ]
        if len(timing.lengths) > 1:
            doubled = timing.without_cache[-1] / timing.without_cache[-2]
            linear = (timing.without_cache[-1] - timing.quadratic[-1]) / n
            even = linear / (timing.quadratic[-1] / n**2)
            told += [
                f"From {timing.lengths[-2]:,} to {n:,} tokens the whole takes {doubled:.1f} times as long, and scores, "
                f"softmax and mixing are {share[-1]:.0%} of it.",
                f"Drawn on from here, they would take half of the time at about {float(f'{even:.1g}'):,.0f} tokens.",
            ]
        self.told.say(*told, *self._memory())


def _look_and_mix(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The part of attention whose work grows with the square of the length."""
    scores = attention.attention_scores(q, k)
    np.copyto(scores, -np.inf, where=attention.future_mask(q.shape[1], k.shape[1]))
    return attention.mix(ops.softmax(scores), v)


def _seconds(run: Callable) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


# ---- what people say ----


def claims(model: Model, *, n: int = 30, draws: int = 3, longer: int = 256) -> Verdicts:
    """Six claims about attention, measured now: the verdicts follow from the numbers."""
    return Verdicts(
        [
            *_where_it_looks(model),
            _copying(model, n, draws),
            _names(model),
            _explaining(model),
            _doubling(model, longer),
        ]
    )


def _where_it_looks(model: Model) -> list[Verdict]:
    trace = model.trace("The cat that I saw yesterday was sleeping")
    was, cat, yesterday = (trace.pieces.index(piece) for piece in (" was", " cat", " yesterday"))
    weights = weights_from(trace, was)
    mean, best = weights.mean(axis=(0, 1)), strongest(weights[..., cat], 1)[0]
    few, n = int((weights[..., cat] > 0.5).sum()), weights[..., 0].size
    on_average = mean[cat] > mean[yesterday]
    resting = float((weights_from(trace, len(trace.tokens) - 1)[..., 0] > 0.5).mean())
    return [
        Verdict(
            "In the cat sentence, “was” looks at “cat” and not at “yesterday”.",
            f"Mean of {n} heads: first token {percent(mean[0])}, yesterday {percent(mean[yesterday])}, cat "
            f"{percent(mean[cat])}. {head_name(*best).capitalize()}: cat {percent(weights[best][cat])}, yesterday "
            f"{percent(weights[best][yesterday])}. More than half on cat: {few} heads.",
            f"is true of {few} heads, and {'on average, too' if on_average else 'false on average'}"
            if few
            else f"{'holds on average' if on_average else 'fails'}; no head does it strongly",
        ),
        Verdict(
            "Everything looks at the first token.",
            f"{percent(resting)} of the heads give it more than half of the last token's attention.",
            "is true of most heads; so hide it before you read a map"
            if resting > 0.5
            else "is true of some heads"
            if resting > 0.1
            else "fails",
        ),
    ]


def _copying(model: Model, n: int, draws: int) -> Verdict:
    passes = []
    for seed in range(draws):
        tokens = random_tokens(model, n, seed) * 2
        trace = model.trace(tokens)
        scores = np.stack([attention.induction_score(patterns(block), tokens) for block in trace.blocks])
        best = strongest(scores, 8)
        others = random_heads(scores.shape, 8, best, seed)
        off, at_random = (
            right_next(model.trace(tokens, Edits(head=dict.fromkeys(heads, 0))))[n:].mean()
            for heads in (best, others)
        )
        right = right_next(trace)
        passes.append((right[: n - 1].mean(), right[n:].mean(), off, at_random))
    first, second, off, at_random = np.array(passes).T
    copies, needed = second.min() > 20 * first.max(), off.mean() < 0.1 * second.mean()
    return Verdict(
        "Heads copy patterns (induction).",
        f"{n} random tokens twice, {draws} draws. Right next token: first pass at most {percent(first.max())}, second "
        f"pass {percent(second.min())} to {percent(second.max())}. With the 8 strongest induction heads off "
        f"{percent(off.min())} to {percent(off.max())}, with 8 others off {percent(at_random.min())} to "
        f"{percent(at_random.max())}.",
        (
            "holds: it copies, and it needs just these heads"
            if needed
            else "holds, but other heads can do it, too"
        )
        if copies
        else "does not show on these draws",
    )


def _names(model: Model) -> Verdict:
    trace = model.trace("When Mary and John went to the store, John gave a drink to")
    probs = ops.softmax(trace.logits)
    mary, john = (model.tokenizer.encode(name)[0] for name in (" Mary", " John"))
    return Verdict(
        "Heads keep track of names: Mary and John went to the store, John gave a drink to …",
        f"Mary {percent(probs[mary])}, John {percent(probs[john])}.",
        "holds, in this sentence" if probs.argmax() == mary else "fails, in this sentence",
    )


def _explaining(model: Model) -> Verdict:
    trace = model.trace("The cat that I saw yesterday")
    was, were = (model.tokenizer.encode(word)[0] for word in (" was", " were"))
    best = strongest(weights_from(trace, len(trace.tokens) - 1)[..., trace.pieces.index(" cat")], 3)
    without = model.trace(trace.tokens, Edits(head=dict.fromkeys(best, 0)))
    lead, left = (float(run.logits[was] - run.logits[were]) for run in (trace, without))
    return Verdict(
        "Where a model looks explains what it answers.",
        f"The three heads that look most at “cat”, switched off: the lead of “was” over “were” goes from {lead:.2f} to "
        f"{left:.2f}.",
        "fails here: looking is not explaining"
        if abs(left - lead) < 0.3 * abs(lead)
        else "holds here: without them the answer is another one"
        if left * lead < 0
        else "holds in part here",
    )


def _doubling(model: Model, longer: int) -> Verdict:
    longer = min(longer, model.config.n_ctx // 2)
    ids = random_tokens(model, min(longer, 200), 0) * 2
    ids = (ids * (2 * longer // len(ids) + 1))[: 2 * longer]
    model.trace(ids[:8])
    times = []
    for n in (longer, 2 * longer):
        model.forget()
        times.append(_seconds(lambda n=n: model.trace(ids[:n])))
    ratio = times[1] / times[0]
    return Verdict(
        "Twice the text takes four times the work.",
        f"{longer:,} tokens {times[0]:.2f} s, {2 * longer:,} tokens {times[1]:.2f} s: {ratio:.1f} times as long.",
        "holds at this length" if ratio > 3.5 else "is true of scores and mixing only, not of the whole",
    )
