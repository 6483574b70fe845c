"""What one FFN does with one token, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz import ops
from llmviz.experiments.families import curve, entry
from llmviz.experiments.neurons import into_the_curve
from llmviz.model import FFNTrace, Trace
from llmviz.views.kit.picture import ROWS_ON_PAGE, Floats, Picture, Text, lines
from llmviz.views.kit.pieces import isolate, isolated, quote
from llmviz.views.kit.state_fields import layer, picked, position, replace
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, View, explains, on, part, sentences, shared
from llmviz.views.provenance import Explanation, explained, normed, product, read_by, value_of

LONGEST = 60  # characters of the text in a question


def quoted_text(trace: Trace) -> str:
    """Return a text as a question quotes it; of a long text, its end."""
    text = trace.model.tokenizer.decode_prompt(trace.tokens).replace("\n", "⏎")
    return isolate(f"“{text if len(text) <= LONGEST else f'…{text[-LONGEST:]}'}”")


def asked_at(trace: Trace) -> str:
    """Return the beginning of a question about a text and its last token."""
    return f"In {quoted_text(trace)}, at {isolated(trace.pieces[-1])}"


class SiluCurve(Picture):
    """The curve of silu, with one token's neurons on it: `values` [4, d_ff] are gate, up, silu(gate) and hidden.

    `into` and `through` name what goes into the curve and the curve itself; up is NaN in a family without gates.
    `curve` [2, n]: points of the curve, x and silu(x). A click selects a neuron (`selected`); the arrow keys go to the
    neuron with the next gate value.
    """

    _static = "silu_curve"

    values = Floats(ndim=(2,))
    curve = Floats(ndim=(2,))
    into = Text("gate")
    through = Text("silu")
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def page_values(self) -> dict:
        return {"selected": [None, *range(min(self.values.shape[-1], ROWS_ON_PAGE))]}

    def text(self) -> str:
        head = ["neuron", self.into, "up", f"{self.through}({self.into})", "hidden"]
        return lines(
            [head, *([str(i), *(f"{v:.3g}" for v in column)] for i, column in enumerate(self.values.T))]
        )

    def headline(self) -> str:
        gate, hidden = self.values[0], self.values[3]
        i = int(np.abs(hidden).argmax())
        return (
            f"{gate.size} neurons on the curve of {self.through}; {(gate < 0).sum()} {self.into}s are below zero; "
            f"the strongest is neuron {i} with {hidden[i]:.3g}"
        )


class FFNByHand(View):
    """One token in one FFN: what it reads, each neuron's gate and up, its activation, and what the FFN adds."""

    stage = "ffn"

    @dataclass(frozen=True)
    class State:
        layer: int = layer(10)
        token: int = position(-1, set_by=("strip", "selected"))
        neuron: int | None = picked(
            None,
            lambda i, view: i is None or (type(i) is int and 0 <= i < view.run.model.config.d_ff),
            "the number of a neuron, or None",
            outlives_text=True,
        )

    def slices(self) -> Iterator[State]:
        """Yield each token and every second layer first, because a page has no room for all layers of all tokens."""
        yield from self.along("token")
        yield from [*self.along("layer")][1::2]
        yield from super().slices()

    @on("curve", "inner", "selected")
    def pick_neuron(self, state: State, neuron: int | None) -> State:
        return replace(state, neuron=neuron)

    @shared
    def ffn(self, scene: Scene) -> FFNTrace:
        """Return what the FFN does at the token."""
        return scene.run.blocks[scene.layer].ffn_at(slice(scene.token, scene.token + 1))

    @part(TokenStrip, [], caption="Choose a token")
    def strip(self, scene: Scene) -> dict:
        return {"pieces": scene.run.pieces, "ids": scene.run.tokens, "selected": scene.token}

    @part(VectorPicture, [0.0], caption="Input x: the residual stream, scaled to a standard length")
    def read(self, scene: Scene) -> dict:
        return {"values": value_of(scene.run, read_by(scene.run, scene.layer, scene.token, "ffn"))}

    @part(SiluCurve)
    def curve(self, scene: Scene) -> dict:
        config, ffn = scene.run.model.config, scene.ffn
        into, name, passes = entry(config), curve(config), ops.ACTIVATIONS[config.activation]
        inputs, up = into_the_curve(ffn), np.full_like(ffn.up, np.nan) if ffn.gate is None else ffn.up
        reach = 1.05 * max(2.0, float(np.abs(inputs).max()))
        x = np.linspace(-reach, reach, 241, dtype=np.float32)
        return {
            "values": np.concatenate([inputs, up, passes(inputs), ffn.hidden]),
            "curve": np.stack([x, passes(x)]),
            "into": into,
            "through": name,
            "selected": scene.neuron,
            "caption": f"Every {into} of this token on the curve of {name}",
        }

    @part(VectorPicture, np.zeros((3, 1)), index_name="neuron")
    def inner(self, scene: Scene) -> dict:
        ffn, name = scene.ffn, curve(scene.run.model.config)
        values, formula = [ffn.gate, ffn.up, ffn.hidden], f"{name}(gate) × up"
        labels = ["gate = x W_gate", "up = x W_up", formula]
        caption = f"Each neuron's gate and up, and its activation: {formula}"
        if ffn.gate is None:
            values, labels = [ffn.up, ffn.hidden], ["input = x W_up", f"{name}(input)"]
            caption = f"Each neuron's input and its activation: {name}(input). This model's FFNs have no gate"
        values = np.concatenate(values)
        return {"values": values, "labels": labels, "caption": caption, "selected": scene.neuron}

    @part(
        *(VectorPicture, np.zeros((3, 1))),
        labels=["stream before", "what the FFN adds", "stream after"],
        caption="What the FFN writes is added to the stream",
    )
    def written(self, scene: Scene) -> dict:
        block, at = scene.run.blocks[scene.layer], scene.token
        return {"values": np.stack([block.resid_mid[at], scene.ffn.out[0], block.resid_post[at]])}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        *before_it, hidden = self.inner(scene)["values"]
        before, added, after = np.linalg.norm(self.written(scene)["values"], axis=1)
        i, name = int(np.abs(hidden).argmax()), curve(scene.run.model.config)
        times = "".join(f" × {up[i]:.2f}" for up in before_it[1:])
        return [
            f"{quote(scene.run.pieces[scene.token])} in layer {scene.layer}: neuron {i} has the largest activation, "
            f"{name}({before_it[0][i]:.2f}){times} = {hidden[i]:.2f}.",
            f"The stream's length was {before:.1f}. The FFN added a vector of length {added:.1f}, and now it's "
            f"{after:.1f}.",
        ]

    # --- where the numbers come from ---

    @explains("inner")
    def explain_neuron(self, scene: Scene, line: int, i: int) -> Explanation:
        layer, at, run, result = scene.layer, scene.token, scene.run, scene.shown["values"][line, i]
        names = ["up"] if scene.ffn.gate is None else ["gate", "up"]
        if line < len(names):
            name, x = names[line], read_by(run, layer, at, "ffn")
            formula = f"x · column {i} of W_{name}"
            return product(run, f"{name} of neuron {i}", formula, layer, name, i, result, x=x)
        formula = f"{curve(run.model.config)}({names[0]})"
        code = f"llmviz.ops.{run.model.config.activation}(np.array([{names[0]}]))[0]"
        code = "gate / (1 + np.exp(-gate))" if formula == "silu(gate)" else code
        formula, code = " × ".join([formula, *names[1:]]), " * ".join([code, *names[1:]])
        sources = {name: f"trace.blocks[{layer}].ffn.{name}[{at}, {i}]" for name in names}
        return explained(run, f"Neuron {i} of layer {layer}", formula, code, result, **sources)

    @explains("written")
    def explain_written(self, scene: Scene, line: int, i: int) -> Explanation:
        layer, at, run, result = scene.layer, scene.token, scene.run, scene.shown["values"][line, i]
        before = f"trace.blocks[{layer}].resid_mid[{at}, {i}]"
        added = f"trace.blocks[{layer}].ffn.out[{at}, {i}]"
        if line == 0:
            title = f"Number {i} of the stream"
            return explained(run, title, "as attention left it", "before", result, before=before)
        if line == 1:
            title, formula = f"Number {i} of what the FFN adds", "each neuron times its weight, added up"
            hidden, w = f"trace.blocks[{layer}].ffn.hidden[{at}]", f"model.weights.layers[{layer}]"
            if "ffn_post_norm" not in run.model.config.arrays:
                return product(run, title, formula, layer, "down", i, result, hidden=hidden)
            x = normed(run, f"{hidden} @ {w}.W_down", f"{w}.ffn_post_norm")
            return explained(run, title, f"{formula}, then a norm", "x[i]", result, x=x, i=i)
        title, line = f"Number {i} of the stream afterwards", "before + added"
        return explained(run, title, line, line, result, before=before, added=added)
