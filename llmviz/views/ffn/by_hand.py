"""What one FFN does with one token, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import traitlets

from llmviz import ops
from llmviz.experiments.neurons import gates_below_zero, into_the_curve
from llmviz.model import Config, FFNTrace, Trace
from llmviz.views.kit.picture import ROWS_ON_PAGE, Floats, Picture, Text, lines
from llmviz.views.kit.pieces import isolate, isolated, quote
from llmviz.views.kit.state_fields import layer, picked, position, replace
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.vector_picture import VectorPicture
from llmviz.views.kit.view import Scene, View, explains, on, part, sentences, shared
from llmviz.views.provenance import Explanation, explained, normed, read_by, value_of

LONGEST = 60  # characters of the text in a question


def quoted_text(trace: Trace) -> str:
    """Return a text as a question quotes it; of a long text, its end."""
    text = trace.model.tokenizer.decode(trace.tokens).replace("\n", "⏎")
    return isolate(f"“{text if len(text) <= LONGEST else f'…{text[-LONGEST:]}'}”")


def asked_at(trace: Trace) -> str:
    """Return the beginning of a question about a text and its last token."""
    return f"In {quoted_text(trace)}, at {isolated(trace.pieces[-1])}"


def written_below_zero(trace: Trace, layer: int) -> str:
    """Say how much a neuron with a gate below zero writes compared with others, in this layer and in the last."""
    below_zero, written = gates_below_zero(trace)
    of_another = 100 * written / below_zero * (1 - below_zero) / (1 - written)
    last = trace.model.config.n_layers - 1
    (into, name, curve), with_entry = curve_of(trace.model.config), entry(trace.model.config)
    x = into_the_curve(trace.blocks[layer].ffn_at(slice(-1, None)))[0]
    below, above = (float(np.median(np.abs(curve(x[side])))) for side in (x < 0, x >= 0))
    are = "aren't" if of_another[layer] > 50 else "are largely"
    only = "only " if of_another[last] < 50 else ""
    return (
        f"So they {are} switched off. They are {100 * below_zero[layer]:.0f}% of the neurons, and on average, each "
        f"writes {of_another[layer]:.0f}% as much as one with {with_entry} above zero. Most {into}s are small: the "
        f"median size of {name}({into}) is {below:.2f} below zero and {above:.2f} above. In layer {last}, a "
        f"neuron with {with_entry} below zero writes {only}{of_another[last]:.0f}% as much as another."
    )


def curve_of(config: Config) -> tuple[str, str, Callable[[np.ndarray], np.ndarray]]:
    """Return what goes into an FFN's curve ("gate", or "input" if there is no gate), the curve's name, and itself."""
    into = "gate" if "W_gate" in config.arrays else "input"
    return into, config.activation.removesuffix("_tanh"), ops.ACTIVATIONS[config.activation]


def entry(config: Config) -> str:
    """Return "a gate", or "an input" where there is no gate."""
    return "a gate" if "W_gate" in config.arrays else "an input"


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
        (into, name, curve), ffn = curve_of(scene.run.model.config), scene.ffn
        entry, up = into_the_curve(ffn), np.full_like(ffn.up, np.nan) if ffn.gate is None else ffn.up
        reach = 1.05 * max(2.0, float(np.abs(entry).max()))
        x = np.linspace(-reach, reach, 241, dtype=np.float32)
        return {
            "values": np.concatenate([entry, up, curve(entry), ffn.hidden]),
            "curve": np.stack([x, curve(x)]),
            "into": into,
            "through": name,
            "selected": scene.neuron,
            "caption": f"Every {into} of this token on the curve of {name}",
        }

    @part(VectorPicture, np.zeros((3, 1)), index_name="neuron")
    def inner(self, scene: Scene) -> dict:
        ffn, (_, name, _) = scene.ffn, curve_of(scene.run.model.config)
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
        *entry, hidden = self.inner(scene)["values"]
        before, added, after = np.linalg.norm(self.written(scene)["values"], axis=1)
        i, (_, curve, _) = int(np.abs(hidden).argmax()), curve_of(scene.run.model.config)
        times = "".join(f" × {up[i]:.2f}" for up in entry[1:])
        return [
            f"{quote(scene.run.pieces[scene.token])} in layer {scene.layer}: neuron {i} has the largest activation, "
            f"{curve}({entry[0][i]:.2f}){times} = {hidden[i]:.2f}.",
            f"The stream's length was {before:.1f}. The FFN added a vector of length {added:.1f}, and now it's "
            f"{after:.1f}.",
        ]

    # --- where the numbers come from ---

    @explains("inner")
    def explain_neuron(self, scene: Scene, line: int, i: int) -> Explanation:
        layer, at, run, result = scene.layer, scene.token, scene.run, scene.shown["values"][line, i]
        w, ffn, arrays = f"model.weights.layers[{layer}]", scene.ffn, run.model.config.arrays
        names = ["up"] if ffn.gate is None else ["gate", "up"]
        if line < len(names):
            name, sources = names[line], {"x": read_by(run, layer, at, "ffn")}
            sources["column"], formula, code = (
                f"{w}.W_{name}[:, {i}]",
                f"x · column {i} of W_{name}",
                "x @ column",
            )
            if f"b_{name}" in arrays:
                sources["b"], formula, code = f"{w}.b_{name}[{i}]", f"{formula} + b_{name}", f"{code} + b"
            return explained(run, f"{name} of neuron {i}", formula, code, result, **sources)
        _, curve, _ = curve_of(run.model.config)
        code = f"llmviz.ops.{run.model.config.activation}(np.array([{names[0]}]))[0]"
        code = "gate / (1 + np.exp(-gate))" if (curve, len(names)) == ("silu", 2) else code
        formula, code = f"{curve}({names[0]})", code
        if len(names) == 2:
            formula, code = f"{formula} × up", f"{code} * up"
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
            column = f"model.weights.layers[{layer}].W_down[:, {i}]"
            sources, code = (
                {"hidden": f"trace.blocks[{layer}].ffn.hidden[{at}]", "column": column},
                "hidden @ column",
            )
            arrays, w = run.model.config.arrays, f"model.weights.layers[{layer}]"
            if "b_down" in arrays:
                sources["b"], formula, code = f"{w}.b_down[{i}]", f"{formula}, plus a bias", f"{code} + b"
            if "ffn_post_norm" in arrays:
                vector = f"{sources['hidden']} @ {w}.W_down"
                sources = {"after_norm": normed(run, vector, f"{w}.ffn_post_norm"), "i": i}
                formula, code = f"{formula}, then a norm", "after_norm[i]"
            return explained(run, title, formula, code, result, **sources)
        title, line = f"Number {i} of the stream afterwards", "before + added"
        return explained(run, title, line, line, result, before=before, added=added)
