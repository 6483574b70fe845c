"""Single neurons: what wakes one, what it pushes, and what becomes of the answer when it is turned."""

from __future__ import annotations

import ipywidgets
import numpy as np

from llmviz import experiments, ffn, ops
from llmviz.model import Edits
from llmviz.views.ffn.piece_table import PieceTable
from llmviz.views.ffn.prompt import AnsweredPrompt
from llmviz.views.kit.controls import Told, choice, row, slider
from llmviz.views.kit.next_token_bars import NextTokenBars
from llmviz.views.kit.picture import Explorer, by_the_reader, one_at_a_time, percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.provenance import Explanation, Operand

N_PUSHED = 8  # tokens shown that a neuron promotes, and suppresses
N_STRONGEST = 16


class NeuronExplorer(Explorer):
    """One neuron: which tokens of a text wake it, which tokens it pushes, and a slider on it with the bars."""

    def __init__(
        self, prompt: AnsweredPrompt, text: str, *, layer: int | None = None, neuron: int | None = None
    ):
        self._prompt = prompt
        model = prompt.language_model
        config = model.config
        self.strongest = choice([], None, "Neurons that push your answer most", "min(620px, 98%)")
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
        self.wakes = Prompt(model, text, label="A text to find what wakes it", live=True)
        self.strip = TokenStrip([], stage="ffn", quantity="share of the strongest")
        self.scale = slider(1, "Turn it: ×", 3, stage="ffn", first=-2, step=0.25)
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
        self._measure()
        if neuron is None:
            self._to(*self._ranked()[0][:2])
        prompt.lead(self, self._new_text)
        for control in (self.layer, self.neuron):
            control.observe(self._show, "value")
        self.strongest.observe(self._pick, "value")
        self.wakes.observe(self._wake, "trace")
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
        options = [
            (
                f"layer {layer}, neuron {i}: {part:+.2f} to {self._prompt.piece}".replace(": -", ": −"),
                (layer, i),
            )
            for layer, i, part in self._ranked()
        ]
        here = (self.layer.value, self.neuron.value)
        with self.quietly():
            self.strongest.options = [("choose …", ()), *options]
            self.strongest.value = here if here in [place for _, place in options] else ()
        self._show()

    @by_the_reader
    def _pick(self, change) -> None:
        if change["new"]:
            self._to(*change["new"])
            self._show()

    def _to(self, layer: int, neuron: int) -> None:
        with self.quietly():
            self.layer.value, self.neuron.value = layer, neuron

    @by_the_reader
    def _show(self, _change=None) -> None:
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
    def _wake(self, _change=None) -> None:
        woken = self.wakes.trace
        fires = woken.blocks[self.layer.value].ffn.hidden[:, self.neuron.value]
        most = float(fires[np.abs(fires).argmax()])
        strongest, other = f"{most:.2f}".replace("-", "−"), "below" if most > 0 else "above"
        self.strip.change(
            pieces=woken.pieces,
            ids=woken.tokens,
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
