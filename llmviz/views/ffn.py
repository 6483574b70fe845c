"""Pictures of stage 5: one FFN taken apart, its neurons, the stream they write to, and where a fact is."""

from __future__ import annotations

import asyncio
import functools
import html
import re
from collections.abc import Callable, Iterator, Sequence

import ipywidgets
import numpy as np
import traitlets

from llmviz import experiments, ffn, ops
from llmviz.model import Edits, Model, Trace
from llmviz.views import provenance, theme
from llmviz.views.heat_map import HeatMap
from llmviz.views.next_token_bars import NextTokenBars, top
from llmviz.views.picture import (
    Explorer,
    Floats,
    Labels,
    Picture,
    Pieces,
    Text,
    lines,
    percent,
    script,
    style,
)
from llmviz.views.pieces import clean, quote, visible, visible_label
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.text_box import TextBox
from llmviz.views.token_strip import TokenStrip
from llmviz.views.vector_picture import VectorPicture

N_ANSWERS = 10  # likeliest next tokens that can be followed
N_PUSHED = 8  # tokens shown that a neuron promotes, and suppresses
N_STRONGEST = 16
MAX_LENS = 12  # positions in the logit lens: each costs 31 rows times the output table
MAX_TRACED = 12  # positions in causal tracing: each costs as many runs as there are layers
ALONE = -1  # in a choice of rivals: none
BROKEN = 0.5  # nats of extra surprise on ordinary text, above which a part counts as needed for everything
MINUS = re.compile(r"(?<!\w)-(?=\d)")
LOST = 0.5  # of the answer's probability kept, below which the fact counts as lost

# The model knows most of these; how well is computed, and shown.
CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Greece": "Athens",
    "Portugal": "Lisbon",
    "Norway": "Oslo",
    "Egypt": "Cairo",
}
CONTROL = "She opened the door, sat down at the table and drank a cup of tea while the rain fell outside."


# ---- pictures ----


class LayerPlot(Picture):
    """Numbers over the layers (or any few named things): `values` [k, n], a line or a set of bars for each name.

    `labels` names the n places. log_y: a logarithmic axis; down: it grows downwards, so that rank 1 is on top. unit:
    "share" writes per cent, "rank" whole numbers. A click, the arrow keys or Python select a place (`selected`).
    """

    _esm = script("layer_plot")
    _css = style("layer_plot")
    _data = ("values", "names", "labels")

    values = Floats(ndim=(2,))
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    x_axis = Text("layer")
    y_axis = Text("")
    unit = Text("")
    log_y = traitlets.Bool(False).tag(sync=True)
    down = traitlets.Bool(False).tag(sync=True)
    bars = traitlets.Bool(False).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def text(self) -> str:
        if self.values is None or not self.values.size:
            return "nothing measured yet"
        rows = [["", *self.names]]
        rows += [[label, *map(self._number, column)] for label, column in zip(self.labels, self.values.T)]
        return lines(rows)

    def headline(self) -> str:
        if self.values is None or not self.values.size:
            return "nothing measured yet"
        ends = [
            f"{name}: {self._number(row[0])} at {self.labels[0]}, {self._number(row[-1])} at {self.labels[-1]}"
            for name, row in zip(self.names, self.values)
        ]
        return "; ".join(ends)

    def _number(self, value: float | np.floating) -> str:
        if np.isnan(value):
            return "–"
        if self.unit == "share":
            return percent(value)
        return f"{value:,.0f}" if self.unit == "rank" else f"{value:.3g}"


class SiluCurve(Picture):
    """The curve of silu and on it one token's neurons: `values` [4, d_ff] are gate, up, silu(gate) and hidden.

    A click selects a neuron (`selected`), the arrow keys go to the next gate value.
    """

    _esm = script("silu_curve")
    _css = style("silu_curve")
    _data = ("values",)

    values = Floats(ndim=(2,))
    curve = Floats(ndim=(2,))  # x and silu(x)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def text(self) -> str:
        if self.values is None:
            return "no neurons yet"
        head = ["neuron", "gate", "up", "silu(gate)", "hidden"]
        return lines(
            [head, *([str(i), *(f"{v:.3g}" for v in column)] for i, column in enumerate(self.values.T))]
        )

    def headline(self) -> str:
        if self.values is None:
            return "no neurons yet"
        gate, hidden = self.values[0], self.values[3]
        i = int(np.abs(hidden).argmax())
        return (
            f"{gate.size} neurons on the curve of silu; {(gate < 0).sum()} gates are below zero; "
            f"the strongest is neuron {i} with {hidden[i]:.3g}"
        )


class PieceTable(Picture):
    """Tokens in rows and columns, each cell coloured by its number: `values` [rows, cols], `pieces` row after row.

    kind: "prob" (0 to `limit`) or "signed" (-`limit` to `limit`). A click, the arrow keys or Python select a cell
    (`selected`, row and column); Enter or a click asks `provenance(row, column)`. Use `change` to set them together.
    """

    _esm = script("piece_table")
    _css = style("piece_table")
    _data = ("values", "pieces", "row_labels", "col_labels")

    values = Floats(ndim=(2,))
    pieces = Pieces()
    row_labels = Labels()
    col_labels = Labels()
    row_axis = Text("")
    col_axis = Text("")
    kind = traitlets.Enum(("prob", "signed"), "prob").tag(sync=True)
    limit = traitlets.Float(1.0).tag(sync=True)
    selected = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)

    def text(self) -> str:
        if self.values is None:
            return "no tokens yet"
        cols = self.values.shape[1]
        rows = [["", *map(visible_label, self.col_labels)]]
        for i, (label, line) in enumerate(zip(self.row_labels, self.values)):
            named = zip(self.pieces[i * cols : (i + 1) * cols], line)
            rows.append(
                [visible_label(label), *(f"{visible(piece)} {self._number(v)}" for piece, v in named)]
            )
        return lines(rows)

    def headline(self) -> str:
        if self.values is None:
            return "no tokens yet"
        rows, cols = self.values.shape
        last = " ".join(visible(piece) for piece in self.pieces[-cols:])
        return f"{rows} rows, {self.row_axis}; {cols} columns, {self.col_axis}; the last row: {last}"

    def _number(self, value: float | np.floating) -> str:
        return percent(value) if self.kind == "prob" else f"{value:.3g}"

    @traitlets.observe("values")
    def _drop_what_does_not_fit(self, _change):
        if self.selected is not None and not all(i < n for i, n in zip(self.selected, self.values.shape)):
            self.selected = None


# ---- controls, and the text that all pictures follow ----


def slider(value: int, last: int, name: str, first: int = 0) -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(
        min(max(value, first), last),
        min=first,
        max=last,
        description=name,
        style={"handle_color": theme.STAGE_COLORS["ffn"][0], "description_width": "initial"},
        layout={"width": "min(420px, 98%)"},
    )


def dropdown(options: Sequence, name: str, width: str = "min(430px, 98%)") -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(
        options=options,
        description=name,
        style={"description_width": "initial"},
        layout={"width": width},
    )


def row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    """Side by side where there is room, else under each other."""
    return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "grid_gap": "0 20px"})


class Told(ipywidgets.HTML):
    """Sentences computed from the numbers beside them, set as text."""

    def say(self, *sentences: str) -> None:
        sentences = (MINUS.sub("−", one) for one in sentences if one)
        rows = "".join(f"<div>{html.escape(clean(one))}</div>" for one in sentences)
        size = theme.SIZES["body"]
        self.value = f'<div role="status" style="font-size:{size}px;line-height:1.5">{rows}</div>'


class Prompt(TextBox):
    """A text and the answer to follow, one of the likeliest next tokens. `turn` counts up when either has changed.

    What was typed last and can be run is in `trace`; an empty box leaves the last run standing.
    """

    trace = traitlets.Instance(Trace)
    answer = traitlets.Int()
    turn = traitlets.Int()

    def __init__(self, model: Model, text: str):
        super().__init__(model, text, label="Your text (Enter runs the model)", live=False)
        self.language_model = model
        self.answers = dropdown([], "Answer to follow")
        self.children = (*self.children, self.answers)
        self._asking = False
        self.observe(self._run, "tokens")
        self.answers.observe(self._choose, "value")
        self._run()

    @property
    def piece(self) -> str:
        """The answer, quoted."""
        return quote(self.language_model.tokenizer.pieces([self.answer])[0])

    def follow(self, show: Callable[[], None]) -> None:
        """Call `show` now, and whenever the text or the answer has changed."""
        show()
        self.observe(lambda _: show(), "turn")

    def _run(self, _change=None) -> None:
        if not self.tokens and self.trait_has_value("trace"):
            return
        self.trace = self.language_model.trace(self.tokens or [0])
        probs = ops.softmax(self.trace.logits)
        best = top(probs, N_ANSWERS).tolist()
        pieces = self.language_model.tokenizer.pieces(best)
        self._asking = True
        self.answers.options = [
            (f"{visible(piece)}  {percent(probs[token])}", token) for piece, token in zip(pieces, best)
        ]
        self.answers.value = best[0]
        self._asking = False
        self.answer = best[0]
        self.turn += 1

    def _choose(self, change) -> None:
        if not self._asking and change["new"] is not None:
            self.answer = change["new"]
            self.turn += 1


def token_strip(trace: Trace, caption: str, selected: int | None = None) -> TokenStrip:
    last = len(trace.tokens) - 1
    return TokenStrip(
        trace.pieces,
        trace.tokens,
        selected=last if selected is None else selected,
        stage="ffn",
        caption=caption,
    )


def renew(strip: TokenStrip, trace: Trace) -> None:
    """Put a new text into a strip; its last token is selected."""
    if strip.ids != trace.tokens:
        strip.change(pieces=trace.pieces, ids=trace.tokens, selected=len(trace.tokens) - 1)


def show(shown: bool, *pictures: Picture) -> None:
    """Show pictures, or leave no trace of them while they have nothing to tell."""
    for one in pictures:
        one.layout.display = "" if shown else "none"


def layers(model: Model) -> list[str]:
    return [f"layer {i}" for i in range(model.config.n_layers)]


def depths(model: Model) -> list[str]:
    return ["input", *layers(model)]


# ---- one FFN by hand ----


class FFNByHand(Explorer):
    """One token through one FFN: what it reads, gate and up on the curve, what passes, what is written and added."""

    def __init__(self, prompt: Prompt, layer: int = 10):
        self._prompt = prompt
        self.layer = slider(layer, prompt.language_model.config.n_layers - 1, "Layer")
        self.strip = token_strip(prompt.trace, "Choose the token that thinks")
        self.read = VectorPicture(
            [0.0], stage="ffn", caption="It reads: the stream, brought to a standard length"
        )
        self.curve = SiluCurve(
            stage="ffn", caption="The non-linearity: every gate of this token on the curve of silu"
        )
        self.inner = VectorPicture(
            [0.0], index_name="neuron", stage="ffn", caption="gate, up, and what passes: silu(gate) × up"
        )
        self.written = VectorPicture([0.0], stage="ffn", caption="It writes, and that is added to the stream")
        for picture in (self.inner, self.written):
            picture.provenance = functools.partial(self._explain, picture is self.inner)
        self.told = Told()
        super().__init__([self.layer, self.strip, self.read, self.curve, self.inner, self.written, self.told])
        traitlets.link((self.curve, "selected"), (self.inner, "selected"))
        self.layer.observe(lambda _: self._show(), "value")
        self.strip.observe(lambda change: change["new"] is not None and self._show(), "selected")
        prompt.follow(self._new_text)

    def _new_text(self) -> None:
        renew(self.strip, self._prompt.trace)
        self._show()

    def _place(self) -> int:
        return min(self.strip.selected or 0, len(self._prompt.trace.tokens) - 1)

    def _show(self) -> None:
        trace, layer, at = self._prompt.trace, self.layer.value, self._place()
        model, block = trace.model, trace.blocks[layer]
        normed = ops.rms_norm(
            block.resid_mid[at], model.weights.layers[layer].ffn_norm, eps=model.config.norm_eps
        )
        run = block.ffn
        gate, up, hidden, out = (one[at] for one in (run.gate, run.up, run.hidden, run.out))
        self.read.change(values=normed)
        reach = 1.05 * max(2.0, float(np.abs(gate).max()))
        x = np.linspace(-reach, reach, 241, dtype=np.float32)
        self.curve.change(
            values=np.stack([gate, up, ops.silu(gate), hidden]), curve=np.stack([x, ops.silu(x)])
        )
        self.inner.change(values=np.stack([gate, up, hidden]), labels=["gate", "up", "passes (hidden)"])
        self.written.change(
            values=np.stack([block.resid_mid[at], out, block.resid_post[at]]),
            labels=["stream before", "what the FFN adds", "stream after"],
        )
        i = int(np.abs(hidden).argmax())
        before, added, after = (
            float(np.linalg.norm(v)) for v in (block.resid_mid[at], out, block.resid_post[at])
        )
        self.told.say(
            f"{quote(trace.pieces[at])} in layer {layer}: neuron {i} fires most, "
            f"silu({gate[i]:.2f}) × {up[i]:.2f} = {hidden[i]:.2f}.",
            f"Length of the stream {before:.1f}; of what is added {added:.1f}; afterwards {after:.1f}.",
        )

    def _explain(self, inside: bool, line: int, i: int) -> Explanation:
        trace, layer, at = self._prompt.trace, self.layer.value, self._place()
        w, block = trace.model.weights.layers[layer], trace.blocks[layer]
        run = block.ffn
        x = ops.rms_norm(block.resid_mid[at], w.ffn_norm, eps=trace.model.config.norm_eps)
        if not inside:
            before, out = block.resid_mid[at], run.out[at]
            if line == 1:
                operands = [
                    Operand("hidden", run.hidden[at], f"trace.blocks[{layer}].ffn.hidden[{at}]"),
                    Operand("column", w.W_down[:, i], f"W_down[:, {i}]"),
                ]
                return Explanation(
                    f"Number {i} of what the FFN adds",
                    "each neuron times its weight, added up",
                    operands,
                    "hidden @ column",
                    out[i],
                )
            if line == 0:
                name = f"trace.blocks[{layer}].resid_mid[{at}]"
                operands = [Operand("stream", before, name), Operand("i", i)]
                return Explanation(
                    f"Number {i} of the stream", "as attention left it", operands, "stream[i]", before[i]
                )
            operands = [Operand("before", before[i]), Operand("added", out[i])]
            return Explanation(
                f"Number {i} of the stream afterwards",
                "before + added",
                operands,
                "before + added",
                block.resid_post[at, i],
            )
        if line == 2:
            operands = [Operand("gate", run.gate[at, i]), Operand("up", run.up[at, i])]
            return Explanation(
                f"Neuron {i} of layer {layer}",
                "silu(gate) × up",
                operands,
                "gate / (1 + np.exp(-gate)) * up",
                run.hidden[at, i],
            )
        name = ("gate", "up")[line]
        matrix = (w.W_gate, w.W_up)[line]
        operands = [
            Operand("x", x, "rms_norm(stream)"),
            Operand("column", matrix[:, i], f"W_{name}[:, {i}]"),
        ]
        return Explanation(
            f"{name} of neuron {i}",
            f"x · column {i} of W_{name}",
            operands,
            "x @ column",
            getattr(run, name)[at, i],
        )


class FewFire(Explorer):
    """How many neurons do the work for one token, in each layer."""

    def __init__(self, prompt: Prompt):
        self._prompt = prompt
        self.strip = token_strip(prompt.trace, "Choose a token")
        self.plot = LayerPlot(
            labels=layers(prompt.language_model),
            unit="share",
            y_axis="share of the neurons",
            stage="ffn",
            caption="Who works, in each layer",
        )
        self.told = Told()
        super().__init__([self.strip, self.plot, self.told])
        self.strip.observe(lambda change: change["new"] is not None and self._show(), "selected")
        prompt.follow(self._new_text)

    def _new_text(self) -> None:
        renew(self.strip, self._prompt.trace)
        self._show()

    def _show(self) -> None:
        trace = self._prompt.trace
        at = min(self.strip.selected or 0, len(trace.tokens) - 1)
        shares = firing(trace, at)
        self.plot.change(
            values=shares,
            names=[
                "nearly silent: under a tenth of the strongest",
                "gate below zero",
                "enough for half of what is written",
            ],
        )
        d_ff = trace.model.config.d_ff
        low, high = (round(d_ff * v) for v in (shares[2].min(), shares[2].max()))
        self.told.say(
            f"At {quote(trace.pieces[at])}, between {low} and {high} of {d_ff:,} neurons, depending on the layer, "
            "write half of all that is written (each counted by the length of what it adds)."
        )


def firing(trace: Trace, position: int = -1) -> np.ndarray:
    """[3, n_layers] shares of one token's neurons: nearly silent, gate below zero, enough for half of the writing."""
    shares = np.empty((3, len(trace.blocks)), np.float32)
    for layer, block in enumerate(trace.blocks):
        run = block.ffn
        hidden = np.abs(run.hidden[position])
        written = np.sort(hidden * np.linalg.norm(trace.model.weights.layers[layer].W_down, axis=1))[::-1]
        enough = 1 + int((written.cumsum() < written.sum() / 2).sum())
        shares[:, layer] = (
            (hidden < hidden.max() / 10).mean(),
            (run.gate[position] < 0).mean(),
            enough / hidden.size,
        )
    return shares


# ---- one neuron ----


class NeuronExplorer(Explorer):
    """One neuron: which tokens of a text wake it, which tokens it pushes, and a slider on it with the bars."""

    def __init__(self, prompt: Prompt, text: str, *, layer: int | None = None, neuron: int | None = None):
        self._prompt = prompt
        model = prompt.language_model
        config = model.config
        self.strongest = dropdown([], "Neurons that push your answer most", "min(620px, 98%)")
        self.layer = slider(config.n_layers - 1 if layer is None else layer, config.n_layers - 1, "Layer")
        self.neuron = ipywidgets.BoundedIntText(
            neuron or 0, min=0, max=config.d_ff - 1, description="Neuron", layout={"width": "170px"}
        )
        self.pushes = PieceTable(
            row_axis="when it fires above zero",
            col_axis="rank",
            kind="signed",
            stage="ffn",
            caption="What it writes, read through the output table: the tokens it promotes and suppresses",
            provenance=self._explain_push,
        )
        self.wakes = TextBox(model, text, label="A text to find what wakes it")
        self.strip = TokenStrip([], stage="ffn", caption="How strongly it fires at each token")
        self.scale = ipywidgets.FloatSlider(
            1.0,
            min=-2,
            max=3,
            step=0.25,
            description="Turn it: ×",
            style={"handle_color": theme.STAGE_COLORS["ffn"][0], "description_width": "initial"},
            layout={"width": "min(420px, 98%)"},
        )
        self.bars = NextTokenBars(
            ops.softmax(prompt.trace.logits),
            model.tokenizer,
            n=10,
            before_label="as it is",
            stage="ffn",
            caption="Your text, with the neuron turned in the real model",
        )
        self.about, self.told = Told(), Told()
        super().__init__(
            [
                self.strongest,
                row(self.layer, self.neuron),
                self.about,
                self.pushes,
                self.wakes,
                self.strip,
                self.scale,
                self.bars,
                self.told,
            ]
        )
        self._busy = False
        self._wake_text()
        if neuron is None:
            self._to(*self._ranked()[0][:2])
        prompt.follow(self._new_text)
        for control in (self.layer, self.neuron):
            control.observe(lambda _: None if self._busy else self._show(), "value")
        self.strongest.observe(self._pick, "value")
        self.wakes.observe(lambda _: self._wake_text(), "tokens")
        self.scale.observe(lambda _: self._turn(), "value")

    def _ranked(self) -> list[tuple[int, int, float]]:
        """(layer, neuron, what it adds to the answer's logit) of those that push most, either way."""
        trace, answer = self._prompt.trace, self._prompt.answer
        parts = np.stack([experiments.neuron_attribution(trace, i, answer) for i in range(len(trace.blocks))])
        order = np.argsort(-np.abs(parts), axis=None)[:N_STRONGEST]
        found = [divmod(int(i), parts.shape[1]) for i in order]
        return [(*place, float(parts[place])) for place in found]

    def _new_text(self) -> None:
        self._busy = True
        options = [
            (f"layer {layer}, neuron {i}: {part:+.2f} to {self._prompt.piece}", (layer, i))
            for layer, i, part in self._ranked()
        ]
        self.strongest.options = [("choose …", ()), *options]
        here = (self.layer.value, self.neuron.value)
        self.strongest.value = here if here in [place for _, place in options] else ()
        self._busy = False
        self._show()

    def _pick(self, change) -> None:
        if change["new"] and not self._busy:
            self._to(*change["new"])
            self._show()

    def _to(self, layer: int, neuron: int) -> None:
        self._busy = True
        self.layer.value, self.neuron.value = layer, neuron
        self._busy = False

    def _show(self) -> None:
        layer, i, trace = self.layer.value, self.neuron.value, self._prompt.trace
        weights = trace.model.weights
        pushed = ffn.promoted_logits(i, weights.layers[layer].W_down, weights.W_U)
        best = np.argpartition(pushed, -N_PUSHED)[-N_PUSHED:]
        worst = np.argpartition(pushed, N_PUSHED)[:N_PUSHED]
        self._pushed = np.stack([best[np.argsort(-pushed[best])], worst[np.argsort(pushed[worst])]])
        shown = pushed[self._pushed]
        self.pushes.change(
            values=shown,
            pieces=trace.model.tokenizer.pieces(self._pushed.ravel().tolist()),
            row_labels=["pushed up", "pushed down"],
            col_labels=range(1, N_PUSHED + 1),
            limit=float(np.abs(shown).max()) or 1.0,
        )
        fires = float(trace.blocks[layer].ffn.hidden[-1, i])
        part = experiments.neuron_attribution(trace, layer, self._prompt.answer)[i]
        how = "up" if fires > 0 else "down: it fires below zero, so what it pushes changes sides"
        self.about.say(
            f"At the end of your text, neuron {i} of layer {layer} fires with {fires:.2f}, "
            f"so the first line below is pushed {how}. "
            f"Directly, it adds {part:+.2f} to the logit of {self._prompt.piece}."
        )
        self._wake()
        self._turn()

    def _wake_text(self) -> None:
        tokens = self.wakes.tokens
        self._woken = self._prompt.language_model.trace(tokens) if tokens else None
        if tokens and hasattr(self, "_pushed"):
            self._wake()

    def _wake(self) -> None:
        if self._woken is None:
            return
        fires = self._woken.blocks[self.layer.value].ffn.hidden[:, self.neuron.value]
        self.strip.change(
            pieces=self._woken.pieces,
            ids=self._woken.tokens,
            weights=np.abs(fires) / max(float(np.abs(fires).max()), 1e-9),
            notes=[f"fires with {v:.2f}" for v in fires],
            caption=f"How strongly it fires at each token (darkest: {np.abs(fires).max():.2f}, either sign)",
        )

    def _turn(self) -> None:
        place, trace = (self.layer.value, self.neuron.value), self._prompt.trace
        before = ops.softmax(trace.logits)
        try:
            turned = trace.model.trace(trace.tokens, Edits(neuron={place: self.scale.value}))
        except FloatingPointError as error:
            self.told.say(str(error).capitalize())
            return
        after = ops.softmax(turned.logits)
        self.bars.show(after, before=None if self.scale.value == 1 else before)
        answer = self._prompt.answer
        self.told.say(
            f"{self._prompt.piece} has {percent(before[answer])} as it is, and {percent(after[answer])} "
            f"with the neuron × {self.scale.value:g}."
        )

    def _explain_push(self, line: int, rank: int) -> Explanation:
        layer, i = self.layer.value, self.neuron.value
        weights, token = self._prompt.language_model.weights, int(self._pushed[line, rank])
        operands = [
            Operand("writes", weights.layers[layer].W_down[i], f"W_down[{i}] of layer {layer}"),
            Operand("column", weights.W_U[:, token], f"W_U[:, {token}]"),
        ]
        piece = quote(self._prompt.language_model.tokenizer.pieces([token])[0])
        return Explanation(
            f"How neuron {i} of layer {layer} pushes {piece}",
            "what the neuron writes · the token's column of the output table (norm and later layers left out)",
            operands,
            "writes @ column",
            self.pushes.values[line, rank],
        )


# ---- the stream ----


class StreamNorms(Explorer):
    """The length of the residual stream at every depth, token by token."""

    def __init__(self, prompt: Prompt):
        self._prompt = prompt
        model = prompt.language_model
        self.map = HeatMap(
            np.zeros((1, model.config.n_layers + 1)),
            [""],
            ["in", *range(model.config.n_layers)],
            row_axis="token",
            col_axis="after layer",
            kind="weight",
            stage="ffn",
            caption="Length of the stream; the scale is that of all tokens but the first",
            provenance=self._explain,
        )
        self.plot = LayerPlot(
            labels=depths(model),
            x_axis="after layer",
            y_axis="length",
            log_y=True,
            stage="ffn",
            caption="The same as lines, each step of the axis ten times the last",
        )
        super().__init__([self.map, self.plot])
        prompt.follow(self._show)

    def _show(self) -> None:
        trace = self._prompt.trace
        norms = stream_norms(trace)[:, : theme.MAX_TOKENS]
        others = norms[:, 1:] if norms.shape[1] > 1 else norms
        self.map.change(
            values=norms.T, row_labels=trace.pieces[: theme.MAX_TOKENS], limit=float(f"{others.max():.2g}")
        )
        names = [f"first token, {quote(trace.pieces[0])}", f"last token, {quote(trace.pieces[-1])}"]
        self.plot.change(values=norms[:, [0, -1]].T, names=[clean(name) for name in names])

    def _explain(self, token: int, depth: int) -> Explanation:
        blocks = self._prompt.trace.blocks
        x = blocks[0].resid_pre[token] if depth == 0 else blocks[depth - 1].resid_post[token]
        return Explanation(
            "Length of the stream",
            "√ of the sum of squares",
            [Operand("x", x)],
            "np.sqrt((x * x).sum())",
            np.linalg.norm(x),
        )


def stream_norms(trace: Trace) -> np.ndarray:
    """[n_layers + 1, seq]: the length of the stream at the input and after each layer."""
    return np.stack(
        [
            np.linalg.norm(x, axis=-1)
            for x in (trace.blocks[0].resid_pre, *(b.resid_post for b in trace.blocks))
        ]
    )


class WhoSaysIt(Explorer):
    """What each attention and FFN block adds, directly, to the answer's logit, or to its lead over a rival."""

    def __init__(self, prompt: Prompt):
        self._prompt = prompt
        self.rival = dropdown([("nothing: its logit", ALONE)], "Compared with")
        self.plot = LayerPlot(
            labels=layers(prompt.language_model), bars=True, stage="ffn", y_axis="added to the logit"
        )
        self.told = Told()
        super().__init__([self.rival, self.plot, self.told])
        self._busy = False
        self.rival.observe(lambda _: None if self._busy else self._show(), "value")
        prompt.follow(self._new_text)

    def _new_text(self) -> None:
        self._busy = True
        others = [
            (name, token) for name, token in self._prompt.answers.options if token != self._prompt.answer
        ]
        self.rival.options = [("nothing: its logit", ALONE), *others]
        self.rival.value = ALONE
        self._busy = False
        self._show()

    def _show(self) -> None:
        trace, answer = self._prompt.trace, self._prompt.answer
        rival = None if self.rival.value == ALONE else self.rival.value
        parts = experiments.direct_attribution(trace, answer, against=rival)
        logits = trace.logits.astype(np.float64)
        logit = logits[answer] - (0 if rival is None else logits[rival])
        what = f"the logit of {self._prompt.piece}"
        if rival is not None:
            what = f"the lead of {self._prompt.piece} over {quote(trace.model.tokenizer.pieces([rival])[0])}"
        self.plot.change(
            values=np.stack([parts.ffn, parts.attention]),
            names=["FFN", "attention"],
            caption=f"What each block adds, directly, to {what}",
        )
        x = trace.blocks[-1].resid_post[-1].astype(np.float64)
        by = np.sqrt(np.square(x).mean() + trace.model.config.norm_eps)
        agree = abs(parts.total - logit) <= 1e-3 * max(1.0, abs(logit))
        self.told.say(
            f"Embedding {parts.embedding:+.2f}, attention {parts.attention.sum():+.2f}, FFN {parts.ffn.sum():+.2f}: "
            f"{parts.total:.3f} in all. The model says {logit:.3f}: {'the same' if agree else 'NOT the same'}.",
            f"The final norm divides everything by {by:.2f}. That number comes from the whole stream, "
            "so a block also acts through it; here it is taken as given.",
        )


# ---- the logit lens ----


class LensGrid(Explorer):
    """The guess at every depth and position; and the rank of chosen words on the way to the last guess."""

    def __init__(self, prompt: Prompt, words: str):
        self._prompt = prompt
        model = prompt.language_model
        self.map = PieceTable(
            row_axis="depth", col_axis="after the token", stage="ffn", provenance=self._explain
        )
        self.words = ipywidgets.Text(
            clean(words),
            description="Words to follow",
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(620px, 98%)"},
        )
        self.plot = LayerPlot(
            labels=depths(model),
            x_axis="after layer",
            y_axis="rank",
            unit="rank",
            log_y=True,
            down=True,
            stage="ffn",
            caption="Rank of each word as the next token after your text; the top is first of all",
        )
        self.told = Told()
        super().__init__([self.map, self.words, self.plot, self.told])
        self.words.observe(lambda _: self._show(), "value")
        prompt.follow(self._show)

    def chosen(self) -> dict[int, str]:
        """The first token of the answer and of each typed word, and how it is called in the picture."""
        tokenizer = self._prompt.language_model.tokenizer
        found = {self._prompt.answer: quote(tokenizer.pieces([self._prompt.answer])[0])}
        for word in self.words.value.replace(",", " ").split():
            try:
                tokens = tokenizer.encode(f" {word}")
            except ValueError:
                continue
            if tokens and len(found) < 6:
                found.setdefault(tokens[0], quote(tokenizer.pieces(tokens[:1])[0]))
        return found

    def _show(self) -> None:
        trace, chosen = self._prompt.trace, self.chosen()
        self.lens = experiments.logit_lens(trace, list(chosen), last=MAX_LENS)
        n = self.lens.guesses.shape[1]
        cut = "" if n == len(trace.tokens) else f", for the last {n} tokens"
        self.map.change(
            values=self.lens.probs,
            pieces=trace.model.tokenizer.pieces(self.lens.guesses.ravel().tolist()),
            row_labels=depths(trace.model),
            col_labels=trace.pieces[-n:],
            caption=f"The likeliest next token at each depth, coloured by its probability{cut}",
        )
        self.plot.change(values=self.lens.ranks, names=[clean(name) for name in chosen.values()])
        ranks = self.lens.ranks[0]
        first = for_good(ranks)
        names = depths(trace.model)
        self.told.say(
            f"{self._prompt.piece} has rank {ranks[0]:,} at the input, {ranks[len(ranks) // 2]:,} half way, "
            f"and {ranks[-1]:,} at the end"
            + (f"; it is first, and stays first, from {names[first]} on." if first is not None else ".")
        )

    def _explain(self, depth: int, column: int) -> Explanation:
        trace = self._prompt.trace
        at = len(trace.tokens) - self.lens.guesses.shape[1] + column
        x = trace.blocks[0].resid_pre[at] if depth == 0 else trace.blocks[depth - 1].resid_post[at]
        return provenance.prob(
            trace.model.unembed(x[None])[0],
            int(self.lens.guesses[depth, column]),
            piece=trace.model.tokenizer.pieces([int(self.lens.guesses[depth, column])])[0],
        )


def for_good(ranks: np.ndarray) -> int | None:
    """The first depth from which on a token's rank is 1; None where it is not first at the end."""
    return next((d for d in range(len(ranks)) if (ranks[d:] == 1).all()), None)


def first_for_good(trace: Trace, token: int) -> int:
    """The layer after which a token is the first guess and stays it; −1 for the input. ValueError if it never is."""
    depth = for_good(experiments.logit_lens(trace, [token], last=1).ranks[0])
    if depth is None:
        raise ValueError("this token is not the first guess, at no depth for good")
    return depth - 1


def n_needed(trace: Trace, token: int) -> int:
    """How many FFNs, each off alone, cost a token more than half of its probability."""
    whole = experiments.probability(trace, token)
    runs = (trace.model.trace(trace.tokens, Edits(ffn={layer: 0.0})) for layer in range(len(trace.blocks)))
    return sum(experiments.probability(run, token) < LOST * whole for run in runs)


# ---- slow experiments ----


class Slow(Explorer):
    """An experiment of many runs: a button starts it, a bar shows how far it is, and a second press stops it.

    `work()` does one run after another and yields the share that is done.
    """

    def __init__(self, *names: str):
        self.buttons = [
            ipywidgets.Button(description=name, button_style="", layout={"width": "auto"}) for name in names
        ]
        self.progress = ipywidgets.FloatProgress(
            0, min=0, max=1, layout={"width": "min(300px, 60%)", "visibility": "hidden"}
        )
        self.told = Told()
        self._task: asyncio.Task | None = None
        super().__init__()

    def start(self, work: Iterator[float], button: ipywidgets.Button) -> None:
        """Run `work` beside the kernel's other cells; where there is no event loop, at once."""
        if self._task and not self._task.done():
            self._task.cancel()
            return
        try:
            self._task = asyncio.get_running_loop().create_task(self._steps(work, button))
            self._task.add_done_callback(lambda task: task.cancelled() or task.result())
        except RuntimeError:
            for _ in work:
                pass

    async def _steps(self, work: Iterator[float], button: ipywidgets.Button) -> None:
        name = button.description
        button.description = "stop"
        others = [one for one in self.buttons if one is not button]
        for one in others:
            one.disabled = True
        self.progress.layout.visibility = "visible"
        try:
            for share in work:
                self.progress.value = share
                await asyncio.sleep(0.001)  # the page may answer in between
        finally:
            button.description = name
            for one in others:
                one.disabled = False
            self.progress.layout.visibility = "hidden"


class WhereIsTheFact(Slow):
    """Every FFN off in turn and every attention block: the answer's probability, and how much ordinary text suffers."""

    def __init__(self, prompt: Prompt, control: str = CONTROL):
        super().__init__("Run on your text", "Run on ten countries")
        self._prompt = prompt
        model = prompt.language_model
        self.control = TextBox(model, control, label="A text without the fact, for comparison", live=False)
        n = model.config.n_layers
        rows = ["FFN off", "attention off"]
        blank = np.full((2, n), np.nan)
        shared = {"row_axis": "switched off", "col_axis": "layer", "stage": "ffn"}
        self.fact = HeatMap(blank, rows, range(n), kind="prob", caption="The answer's probability", **shared)
        self.loss = HeatMap(
            blank,
            rows,
            range(n),
            kind="signed",
            limit=3.0,
            caption="Extra surprise on the text without the fact (nats a token; 0: nothing lost)",
            **shared,
        )
        names = list(CAPITALS)
        many = np.full((len(names), n), np.nan)
        self.countries = [
            HeatMap(
                many,
                names,
                range(n),
                kind="prob",
                row_axis="capital of",
                col_axis=f"layer whose {part} is off",
                stage="ffn",
                caption=f"{part} off: share of the answer's probability that is kept",
            )
            for part in ("FFN", "attention")
        ]
        self.told_many = Told()
        show(False, *self.countries)
        for button, work in zip(self.buttons, (self.work, self.work_countries)):
            button.on_click(lambda button, work=work: self.start(work(), button))
        self.children = (
            self.control,
            row(*self.buttons, self.progress),
            self.fact,
            self.loss,
            self.told,
            *self.countries,
            self.told_many,
        )
        prompt.follow(self._new_text)

    def _new_text(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
        whole = experiments.probability(self._prompt.trace, self._prompt.answer)
        blank = np.full(self.fact.values.shape, np.nan)
        self.fact.change(
            values=blank,
            caption=f"Probability of {self._prompt.piece} with one block off (whole model: {percent(whole)})",
        )
        self.loss.change(values=blank)
        show(False, self.fact, self.loss)
        self.told.say("Press the button: each block is switched off in turn.")

    def work(self) -> Iterator[float]:
        """The text's fact, then the control, under each of the edits."""
        model, answer, tokens = self._prompt.language_model, self._prompt.answer, self._prompt.trace.tokens
        fact, loss = (np.full(self.fact.values.shape, np.nan, np.float32) for _ in range(2))
        jobs = [(self.fact, fact, tokens, lambda trace: experiments.probability(trace, answer), 0.0)]
        if len(self.control.tokens) > 1:
            usual = experiments.loss(model.trace(self.control.tokens))
            jobs.append((self.loss, loss, self.control.tokens, experiments.loss, usual))
        done = 0
        for picture, values, ids, measure, base in jobs:
            show(True, picture)
            for part, layer, value in experiments.each_off(model, ids, measure):
                values[experiments.PARTS.index(part), layer] = value - base
                done += 1
                if part == experiments.PARTS[-1] and layer % 3 == 2:
                    picture.values = values
                yield done / (values.size * len(jobs))
            picture.values = values
        self.told.say(*verdict(self._prompt, fact, loss))

    def work_countries(self) -> Iterator[float]:
        """What each country's capital keeps of its probability, with each block off in turn."""
        model = self._prompt.language_model
        kept = np.full((2, len(CAPITALS), model.config.n_layers), np.nan, np.float32)
        known, done = 0, 0
        show(True, *self.countries)
        for at, (country, capital) in enumerate(CAPITALS.items()):
            tokens, answer = (
                model.tokens_of(f"The capital of {country} is"),
                model.tokens_of(f" {capital}")[0],
            )
            whole = model.trace(tokens)
            base = experiments.probability(whole, answer)
            known += int(whole.logits.argmax()) == answer
            measure = functools.partial(experiments.probability, token=answer)
            for part, layer, value in experiments.each_off(model, tokens, measure):
                kept[experiments.PARTS.index(part), at, layer] = value / base
                done += 1
                yield done / kept.size
            for picture, values in zip(self.countries, kept):
                picture.values = values
        self.told_many.say(
            f"The whole model puts the right capital first for {known} of {len(CAPITALS)} countries.",
            *(common(name, values) for name, values in zip(("FFN", "attention block"), kept)),
        )


def verdict(prompt: Prompt, fact: np.ndarray, extra: np.ndarray) -> list[str]:
    """What one may say from the answer's probability [2, n_layers] and the control's extra surprise [2, n_layers]."""
    whole = experiments.probability(prompt.trace, prompt.answer)
    lost = ~(fact >= LOST * whole)  # an overflow loses it as well
    told = []
    for name, gone, more in zip(("FFN", "attention block"), lost, extra):
        if np.isnan(extra).all():
            told.append(f"{prompt.piece} loses more than half without the {name} of {_listed(gone)}.")
            continue
        broken = ~(more < BROKEN)
        told.append(
            f"Without one {name}, {prompt.piece} loses more than half of its probability in {int(gone.sum())} of "
            f"{gone.size} layers. Ordinary text breaks as well (so it says nothing about the fact): "
            f"{_listed(gone & broken)}. Ordinary text suffers less than {BROKEN} nats: {_listed(gone & ~broken)}."
        )
    n_alone = int((lost & (extra < BROKEN)).sum())
    if not np.isnan(extra).all():
        told.append(
            "No single block is needed for the answer alone."
            if n_alone == 0
            else f"Single blocks that matter much more to the answer than to the other text: {n_alone}. "
            f"{'So it is not in one place' if n_alone > 1 else 'So here one place stands out'}."
        )
    return told


def common(name: str, kept: np.ndarray) -> str:
    """Which layers cost most countries more than half; kept [countries, n_layers]."""
    share = (kept < LOST).mean(axis=0)
    always, never = share >= 0.9, share == 0
    return (
        f"{name} off: layers that cost at least nine in ten countries more than half: {_listed(always)}; "
        f"that cost no country so much: {_listed(never)}."
    )


def _listed(layers: np.ndarray) -> str:
    """ "layers 0 to 4, 7", from a row of yes and no."""
    found = np.flatnonzero(layers)
    if not found.size:
        return "no layer"
    runs = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1)
    named = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"layer{'s' if found.size > 1 else ''} {', '.join(named)}"


class CausalTracer(Slow):
    """Noise on the subject's tokens, then the undisturbed stream put back at one layer and token at a time."""

    def __init__(self, prompt: Prompt, subject: tuple[int, int] | None = None):
        super().__init__("Run")
        self._prompt = prompt
        model = prompt.language_model
        last = len(prompt.trace.tokens) - 1
        self.strip = TokenStrip(
            prompt.trace.pieces,
            prompt.trace.tokens,
            stage="ffn",
            caption="Dashed: the subject, whose embeddings get noise",
        )
        self.subject = ipywidgets.IntRangeSlider(
            value=subject or (max(0, last - 1), max(0, last - 1)),
            min=0,
            max=max(1, last),
            description="Subject, from … to",
            style={"description_width": "initial"},
            layout={"width": "min(420px, 98%)"},
        )
        self.strength = ipywidgets.FloatSlider(
            3.0,
            min=0.5,
            max=8,
            step=0.5,
            description="Noise ×",
            style={"description_width": "initial"},
            layout={"width": "min(320px, 98%)"},
        )
        self.draws = slider(1, 5, "Draws of noise, averaged", first=1)
        self.map = HeatMap(
            np.full((len(prompt.trace.tokens), model.config.n_layers), np.nan),
            prompt.trace.pieces,
            range(model.config.n_layers),
            row_axis="put back at the token",
            col_axis="before layer",
            kind="prob",
            stage="ffn",
            numbers="auto",
        )
        self.children = (
            self.strip,
            row(self.subject, self.strength, self.draws),
            row(*self.buttons, self.progress),
            self.map,
            self.told,
        )
        self.subject.observe(lambda _: self._mark(), "value")
        for control in (self.strength, self.draws):
            control.observe(lambda _: self._clear(), "value")
        self.buttons[0].on_click(lambda button: self.start(self.work(), button))
        prompt.follow(self._new_text)

    def _new_text(self) -> None:
        trace = self._prompt.trace
        if self.strip.ids != trace.tokens:
            self.strip.change(pieces=trace.pieces, ids=trace.tokens)
            last = len(trace.tokens) - 1
            self.subject.max = max(1, last)
            self.subject.value = (max(0, last - 1), max(0, last - 1))
        self._mark()

    def _span(self) -> list[int]:
        first, last = self.subject.value
        n = len(self._prompt.trace.tokens)
        return list(range(min(first, n - 1), min(last, n - 1) + 1))

    def _mark(self) -> None:
        self.strip.highlight = self._span()
        self._clear()

    def _clear(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
        trace = self._prompt.trace
        self.map.change(
            values=np.full((len(trace.tokens), len(trace.blocks)), np.nan),
            row_labels=trace.pieces,
            limit=1.0,
            caption=f"Probability of {self._prompt.piece}: noise on the subject, the stream put back at one place",
        )
        show(False, self.map)
        self.told.say("Press the button: one run for each layer and token.")

    def work(self) -> Iterator[float]:
        """One run for each layer, token and draw; the picture fills from the left."""
        prompt, model, span = self._prompt, self._prompt.language_model, self._span()
        trace, answer = prompt.trace, prompt.answer
        n_places = len(trace.tokens) - min(span)
        if n_places > MAX_TRACED:
            self.told.say(
                f"From the subject to the end there are {n_places} tokens; at most {MAX_TRACED} can be traced in a "
                "bearable time. Choose a later subject or a shorter text."
            )
            return
        whole = experiments.probability(trace, answer)
        draws = self.draws.value
        total = np.zeros(self.map.values.shape, np.float32)
        show(True, self.map)
        noisy, done = [], 0
        for seed in range(draws):
            one = experiments.disturb(
                model, trace.tokens, answer, span, strength=self.strength.value, seed=seed
            )
            noisy.append(one.probability)
            values = np.full(total.shape, np.nan, np.float32)
            values[: min(span)] = one.probability
            for layer, place, value in experiments.restored(model, one, answer, span):
                values[place, layer] = value
                done += 1
                if place == len(trace.tokens) - 1:
                    self.map.values = (total + values) / (seed + 1)
                yield done / (draws * n_places * len(trace.blocks))
            total += values
        mean = total / draws
        self.map.values = mean
        self.told.say(*traced(prompt, mean, span, whole, float(np.mean(noisy))))


def traced(prompt: Prompt, values: np.ndarray, span: list[int], whole: float, noisy: float) -> list[str]:
    """What causal tracing showed; values [seq, n_layers]."""
    told = [f"{prompt.piece}: {percent(whole)} undisturbed, {percent(noisy)} with the noise."]
    if noisy > LOST * whole:
        return [
            *told,
            "The noise does not take the answer away, so there is nothing to put back: try more noise.",
        ]
    back = values > LOST * whole
    for place in range(min(span), len(values)):
        if back[place].any():
            piece = quote(prompt.trace.pieces[place])
            told.append(f"Put back at {piece}, more than half returns before {_listed(back[place])}.")
    if not back.any():
        told.append("At no single place does putting back return half of it.")
    return told


def parameter_shares(model: Model) -> LayerPlot:
    """The share of all parameters in each kind of part."""
    parts = experiments.parameters(model)
    total = sum(parts.values())
    return LayerPlot(
        values=[[n / total for n in parts.values()]],
        names=["share of all parameters"],
        labels=list(parts),
        x_axis="",
        unit="share",
        bars=True,
        stage="ffn",
        caption=f"Where the {total / 1e6:.1f} million parameters are",
    )
