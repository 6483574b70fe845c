"""Pictures of stage 5: one token through one FFN, who fires in it, and single neurons."""

from __future__ import annotations

import functools

import ipywidgets
import numpy as np
import traitlets

from llmviz import experiments, ffn, ops
from llmviz.model import Edits, Trace
from llmviz.views import theme
from llmviz.views.controls import Told, row, slider
from llmviz.views.line_plot import LinePlot
from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.picture import Explorer, Floats, Picture, lines, one_at_a_time, percent, script, style
from llmviz.views.piece_table import PieceTable
from llmviz.views.pieces import quote
from llmviz.views.prompt import Prompt, dropdown, layers, renew, token_strip
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.text_box import TextBox
from llmviz.views.token_strip import TokenStrip
from llmviz.views.vector_picture import VectorPicture

N_PUSHED = 8  # tokens shown that a neuron promotes, and suppresses
N_STRONGEST = 16
TOGETHER = (
    16  # tokens whose neurons are counted at once: as quick as one, since reading the weights takes longest
)


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


class FFNByHand(Explorer):
    """One token through one FFN: what it reads, gate and up on the curve, what passes, what is written and added."""

    def __init__(self, prompt: Prompt, layer: int = 10):
        self._prompt = prompt
        self.layer = slider(layer, "Layer", prompt.language_model.config.n_layers - 1, stage="ffn")
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

    def _normed(self) -> np.ndarray:
        """What the FFN reads at the chosen token."""
        trace, layer = self._prompt.trace, self.layer.value
        weight = trace.model.weights.layers[layer].ffn_norm
        return ops.rms_norm(
            trace.blocks[layer].resid_mid[self._place()], weight, eps=trace.model.config.norm_eps
        )

    def _place(self) -> int:
        return min(self.strip.selected or 0, len(self._prompt.trace.tokens) - 1)

    @one_at_a_time
    def _show(self) -> None:
        trace, layer, at = self._prompt.trace, self.layer.value, self._place()
        block = trace.blocks[layer]
        run = block.ffn_at(slice(at, at + 1))
        gate, up, hidden, out = (one[0] for one in (run.gate, run.up, run.hidden, run.out))
        reach = 1.05 * max(2.0, float(np.abs(gate).max()))
        x = np.linspace(-reach, reach, 241, dtype=np.float32)
        self.curve.change(
            values=np.stack([gate, up, ops.silu(gate), hidden]), curve=np.stack([x, ops.silu(x)])
        )
        self.read.change(values=self._normed())
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

    @one_at_a_time
    def _explain(self, inside: bool, line: int, i: int) -> Explanation:
        trace, layer, at = self._prompt.trace, self.layer.value, self._place()
        w, block = trace.model.weights.layers[layer], trace.blocks[layer]
        run, x = block.ffn_at(slice(at, at + 1)), self._normed()
        if not inside:
            before, out = block.resid_mid[at], run.out[0]
            if line == 1:
                operands = [
                    Operand("hidden", run.hidden[0], f"trace.blocks[{layer}].ffn.hidden[{at}]"),
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
            operands = [Operand("gate", run.gate[0, i]), Operand("up", run.up[0, i])]
            return Explanation(
                f"Neuron {i} of layer {layer}",
                "silu(gate) × up",
                operands,
                "gate / (1 + np.exp(-gate)) * up",
                run.hidden[0, i],
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
            getattr(run, name)[0, i],
        )


class FewFire(Explorer):
    """How many neurons do the work for one token, in each layer."""

    def __init__(self, prompt: Prompt):
        self._prompt = prompt
        self.strip = token_strip(prompt.trace, "Choose a token")
        self.plot = LinePlot(
            labels=layers(prompt.language_model),
            unit="share",
            x_axis="layer",
            y_axis="share of the neurons",
            stage="ffn",
            caption="Who works, in each layer",
        )
        self.told = Told()
        super().__init__([self.strip, self.plot, self.told])
        self.strip.observe(lambda change: change["new"] is not None and self._show(), "selected")
        prompt.follow(self._new_text)

    @one_at_a_time
    def _new_text(self) -> None:
        self._known: dict[int, np.ndarray] = {}
        renew(self.strip, self._prompt.trace)
        self._show()

    @one_at_a_time
    def _show(self) -> None:
        trace = self._prompt.trace
        at = min(self.strip.selected or 0, len(trace.tokens) - 1)
        part, within = divmod(at, TOGETHER)
        if part not in self._known:
            self._known[part] = firing(trace, slice(part * TOGETHER, (part + 1) * TOGETHER))
        shares = self._known[part][:, :, within]
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


def firing(trace: Trace, positions: slice = slice(-1, None)) -> np.ndarray:
    """[3, n_layers, n_positions] shares of the neurons: nearly silent, gate below zero, enough for half the writing."""
    shares = []
    for layer, w in enumerate(trace.model.weights.layers):
        run = trace.blocks[layer].ffn_at(positions)
        hidden = np.abs(run.hidden)
        written = np.sort(hidden * np.sqrt(np.einsum("fd,fd->f", w.W_down, w.W_down)))[:, ::-1]
        before = written.cumsum(axis=1) < written.sum(axis=1, keepdims=True) / 2
        silent = hidden < hidden.max(axis=1, keepdims=True) / 10
        shares.append([silent.mean(1), (run.gate < 0).mean(1), (1 + before.sum(1)) / hidden.shape[1]])
    return np.array(shares, np.float32).transpose(1, 0, 2)


class NeuronExplorer(Explorer):
    """One neuron: which tokens of a text wake it, which tokens it pushes, and a slider on it with the bars."""

    def __init__(self, prompt: Prompt, text: str, *, layer: int | None = None, neuron: int | None = None):
        self._prompt = prompt
        model = prompt.language_model
        config = model.config
        self.strongest = dropdown([], "Neurons that push your answer most", "min(620px, 98%)")
        self.layer = slider(
            config.n_layers - 1 if layer is None else layer, "Layer", config.n_layers - 1, stage="ffn"
        )
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
        self.strip = TokenStrip([], stage="ffn")
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
        self._measure()
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
        order = np.argsort(-np.abs(self._parts), axis=None)[:N_STRONGEST]
        found = [divmod(int(i), self._parts.shape[1]) for i in order]
        return [(*place, float(self._parts[place])) for place in found]

    def _measure(self) -> None:
        """What every neuron of every layer adds to the answer's logit; it stands until text or answer change."""
        trace, answer = self._prompt.trace, self._prompt.answer
        self._parts = np.stack(
            [experiments.neuron_attribution(trace, i, answer) for i in range(len(trace.blocks))]
        )

    @one_at_a_time
    def _new_text(self) -> None:
        self._measure()
        self._busy = True
        options = [
            (
                f"layer {layer}, neuron {i}: {part:+.2f} to {self._prompt.piece}".replace(": -", ": −"),
                (layer, i),
            )
            for layer, i, part in self._ranked()
        ]
        self.strongest.options = [("choose …", ()), *options]
        here = (self.layer.value, self.neuron.value)
        self.strongest.value = here if here in [place for _, place in options] else ()
        self._busy = False
        self._show()

    @one_at_a_time
    def _pick(self, change) -> None:
        if change["new"] and not self._busy:
            self._to(*change["new"])
            self._show()

    def _to(self, layer: int, neuron: int) -> None:
        self._busy = True
        self.layer.value, self.neuron.value = layer, neuron
        self._busy = False

    @one_at_a_time
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
        run = trace.blocks[layer].ffn_at(slice(-1, None))
        fires, part = float(run.hidden[0, i]), self._parts[layer, i]
        how = "up" if fires > 0 else "down: it fires below zero, so what it pushes changes sides"
        self.about.say(
            f"At the end of your text, neuron {i} of layer {layer} fires with {fires:.2f}, "
            f"so the first line below is pushed {how}. "
            f"Directly, it adds {part:+.2f} to the logit of {self._prompt.piece}."
        )
        self._wake()
        self._turn()

    @one_at_a_time
    def _wake_text(self) -> None:
        tokens = self.wakes.tokens
        self._woken = self._prompt.language_model.trace(tokens) if tokens else None
        if tokens and hasattr(self, "_pushed"):
            self._wake()

    def _wake(self) -> None:
        if self._woken is None:
            return
        fires = self._woken.blocks[self.layer.value].ffn.hidden[:, self.neuron.value]
        most = float(fires[np.abs(fires).argmax()])
        strongest, other = f"{most:.2f}".replace("-", "−"), "below" if most > 0 else "above"
        self.strip.change(
            pieces=self._woken.pieces,
            ids=self._woken.tokens,
            weights=np.where(fires * most > 0, np.abs(fires) / max(abs(most), 1e-9), np.nan),
            notes=[f"fires with {v:.2f}".replace("-", "−") for v in fires],
            caption=f"How strongly it fires at each token; strongest: {strongest}, unshaded: {other} zero",
        )

    @one_at_a_time
    def _turn(self) -> None:
        place, trace = (self.layer.value, self.neuron.value), self._prompt.trace
        before = self._prompt.probs
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

    @one_at_a_time
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
