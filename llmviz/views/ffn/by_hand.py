"""One token through one FFN."""

from __future__ import annotations

import functools

import numpy as np
import traitlets

from llmviz import ops
from llmviz.model import Trace
from llmviz.views import provenance
from llmviz.views.ffn.silu_curve import SiluCurve
from llmviz.views.kit.controls import Told, slider
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.provenance import Explanation, Operand


class FFNByHand(Explorer):
    """One token through one FFN: what it reads, gate and up on the curve, what passes, what is written and added."""

    def __init__(self, prompt: Prompt, layer: int = 10):
        self._prompt = prompt
        self.layer = slider(layer, "Layer", prompt.language_model.config.n_layers - 1, stage="ffn")
        self.strip = TokenStrip(
            prompt.trace.pieces,
            ids=prompt.trace.tokens,
            selected=len(prompt.trace.tokens) - 1,
            stage="ffn",
            caption="Choose a token",
        )
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
        self.follow(prompt, self._new_text)

    def _new_text(self, trace: Trace) -> None:
        if self.strip.ids != trace.tokens:
            self.strip.change(pieces=trace.pieces, ids=trace.tokens, selected=len(trace.tokens) - 1)
        self._show()

    def _normed(self) -> np.ndarray:
        """What the FFN reads at the chosen token."""
        trace, layer = self._prompt.trace, self.layer.value
        x = trace.blocks[layer].resid_mid[self._place()]
        if not trace.edits.norm:
            return x
        return ops.rms_norm(x, trace.model.weights.layers[layer].ffn_norm, eps=trace.model.config.norm_eps)

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
        self.inner.change(
            values=np.stack([gate, up, hidden]), labels=["gate = x W_gate", "up = x W_up", "silu(gate) × up"]
        )
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
        of_run, weights = f"trace.blocks[{layer}].ffn", f"model.weights.layers[{layer}]"
        stream = f"trace.blocks[{layer}].resid_mid[{at}]"
        if not inside:
            before, out = block.resid_mid[at], run.out[0]
            if line == 1:
                operands = [
                    Operand("hidden", run.hidden[0], f"{of_run}.hidden[{at}]"),
                    Operand("column", w.W_down[:, i], f"{weights}.W_down[:, {i}]"),
                ]
                told = Explanation(
                    f"Number {i} of what the FFN adds",
                    "each neuron times its weight, added up",
                    operands,
                    "hidden @ column",
                    out[i],
                )
                return provenance.as_edited(told, trace, layer, "ffn_out", f"{of_run}.out[{at}, {i}]")
            if line == 0:
                operands = [Operand("stream", before, stream), Operand("i", i)]
                return Explanation(
                    f"Number {i} of the stream", "as attention left it", operands, "stream[i]", before[i]
                )
            kept = trace.edits.residual
            operands = [Operand("before", before[i], f"{stream}[{i}]")] if kept else []
            sum_of = "before + added" if kept else "added"
            return Explanation(
                f"Number {i} of the stream afterwards",
                sum_of,
                [*operands, Operand("added", out[i], f"{of_run}.out[{at}, {i}]")],
                sum_of,
                block.resid_post[at, i],
            )
        if line == 2:
            operands = [
                Operand("gate", run.gate[0, i], f"{of_run}.gate[{at}, {i}]"),
                Operand("up", run.up[0, i], f"{of_run}.up[{at}, {i}]"),
            ]
            told = Explanation(
                f"Neuron {i} of layer {layer}",
                "silu(gate) × up",
                operands,
                "gate / (1 + np.exp(-gate)) * up",
                run.hidden[0, i],
            )
            return provenance.as_edited(told, trace, layer, "hidden", f"{of_run}.hidden[{at}, {i}]")
        name = ("gate", "up")[line]
        matrix = (w.W_gate, w.W_up)[line]
        normed = f"llmviz.ops.rms_norm({stream}, {weights}.ffn_norm, eps=model.config.norm_eps)"
        operands = [
            Operand("x", x, normed if trace.edits.norm else stream),
            Operand("column", matrix[:, i], f"{weights}.W_{name}[:, {i}]"),
        ]
        return Explanation(
            f"{name} of neuron {i}",
            f"x · column {i} of W_{name}",
            operands,
            "x @ column",
            getattr(run, name)[0, i],
        )
