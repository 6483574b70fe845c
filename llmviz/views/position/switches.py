"""Positions switched off, stretched and moved in the real model."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Edits, Trace
from llmviz.sampling import Sampler
from llmviz.views.kit.background import Experiment, Steps, write_into
from llmviz.views.kit.controls import Told, row, slider
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.position.heaps import N_USED

SETTINGS: Mapping[str, Edits] = {
    "as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "stretched × 2": Edits(position_scale=2.0),
    "stretched × 4": Edits(position_scale=4.0),
    "squeezed to half": Edits(position_scale=0.5),
    "moved by 1,000": Edits(position_shift=1_000.0),
}
NAMES = {"ffn": "FFN", "attention": "attention"}
N_WRITTEN = 30


def likeliest(trace: Trace) -> str:
    """ "“·dog” (28.3%)": the likeliest next token."""
    best = int(trace.logits.argmax())
    return (
        f"{quote(trace.model.tokenizer.pieces([best])[0])} ({percent(experiments.probability(trace, best))})"
    )


class PositionSwitches(Experiment):
    """RoPE off, positions equal, stretched or moved in every layer of the real model: what that does to the next
    token, to the surprise at the text itself, and to 30 tokens written with each setting (always the likeliest)."""

    def __init__(self, source: Prompt | Trace, *, setting: str = "RoPE off"):
        super().__init__(f"Write {N_WRITTEN} tokens with each setting")
        model = trace_of(source).model
        self.presets = ipywidgets.ToggleButtons(
            options=list(SETTINGS), value=setting, style={"button_width": "auto"}, tooltips=[*SETTINGS]
        )
        self.scale = slider(1.0, "Positions times", 8.0, step=0.25, stage="position")
        self.bars = empty_bars(
            model,
            n=8,
            before_label="the model as it is",
            caption="The next token with these positions; outline: the model as it is",
        )
        # The control: FFN and attention of every second layer of the middle third.
        third = model.config.n_layers // 3
        self._layers = range(2 * third - 1, third - 1, -2)
        self._measured = {
            "as it is": Edits(),
            "RoPE off": SETTINGS["RoPE off"],
            "× 2": SETTINGS["stretched × 2"],
            "× 4": SETTINGS["stretched × 4"],
            "× ½": SETTINGS["squeezed to half"],
            "+ 1,000": SETTINGS["moved by 1,000"],
        }
        self.surprise = LinePlot(
            x_axis="",
            y_axis="surprise, bits a token",
            bars=True,
            unit="bits",
            stage="position",
            caption=f"How surprising a token of your text is, on average; on the right, to compare, the model with one "
            f"of {2 * len(self._layers)} blocks of the middle off, FFN or attention: their mean, and the worst",
        )
        [self.write] = self.buttons
        self.write.button_style, self.write.tooltip = "", "always the likeliest token, in every setting"
        self.strips = {name: TokenStrip([], caption=name, stage="position") for name in SETTINGS}
        self.written = ipywidgets.VBox([])
        self.scored = Told()
        self.children = (
            self.presets,
            self.scale,
            self.told,
            self.bars,
            self.surprise,
            self.scored,
            row(self.write, self.progress),
            self.written,
        )
        self.follow(source, self._new_text)
        self.presets.observe(self._preset, "value")
        self.scale.observe(self._moved, "value")
        self.write.on_click(lambda _: self.start(self._write(), self.write))

    @property
    def edits(self) -> Edits:
        """The preset; without one, what the slider says."""
        name = self.presets.value
        return Edits(position_scale=float(self.scale.value)) if name is None else SETTINGS[name]

    @by_the_reader
    def _preset(self, change) -> None:
        if change["new"] is not None:
            with self.quietly():
                self.scale.value = SETTINGS[change["new"]].position_scale
            self._show()

    @by_the_reader
    def _moved(self, change) -> None:
        edits = Edits(position_scale=float(change["new"]))
        with self.quietly():
            self.presets.value = next((name for name, one in SETTINGS.items() if one == edits), None)
        self._show()

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        self.stop()
        self.trace, self.written.children = trace, ()
        self._measure()
        self._show()  # last, so that the page's guess card finds this run

    @one_at_a_time
    def _measure(self) -> None:
        """The mean surprise at the text with each setting, and with each of some ordinary blocks off."""
        tokens = list(self.trace.tokens)[:N_USED]
        self.surprise.layout.display = "" if len(tokens) > 1 else "none"
        if len(tokens) < 2:
            self.scored.say(
                "The first token has nothing before it, so its surprise cannot be measured. Write one more."
            )
            return
        values = {name: self._surprise(tokens, edits) for name, edits in self._measured.items()}
        off = {
            f"{NAMES[part]} of layer {layer}": bits
            for part, layer, bits in experiments.ablate_each_block(
                self.trace.model, tokens, experiments.mean_surprise, self._layers
            )
        }
        blocks = np.array([*off.values()])
        self.surprise.change(
            labels=[*values, "block off", "worst"],
            values=[[*values.values(), blocks.mean(), blocks.max()]],
            names=["mean surprise"],
        )
        n_vocab = self.trace.model.config.n_vocab
        self.scored.say(
            f"The worst of the {len(blocks)} single blocks is the {[*off][blocks.argmax()]}; "
            f"{(blocks < values['RoPE off']).sum()} of them cost less than RoPE off.",
            f"Blind guessing among all {n_vocab:,} tokens would be {np.log2(n_vocab):.1f} bits.",
            f"Measured on the first {N_USED} tokens." if len(self.trace.tokens) > N_USED else "",
        )

    def _surprise(self, tokens: list[int], edits: Edits) -> float:
        try:
            return experiments.mean_surprise(self.trace.model.trace(tokens, edits))
        except FloatingPointError:
            return float("nan")

    @one_at_a_time
    def _show(self, _change=None) -> None:
        before = Sampler().probs(self.trace.logits)
        try:
            after = Sampler().probs(self.trace.model.trace(self.trace.tokens, self.edits).logits)
        except FloatingPointError as error:
            self.bars.show(before, before=None)
            self.told.say(f"{str(error).capitalize()}. The bars show the model as it is.")
            return
        self.bars.show(after, before=None if self.edits == Edits() else before)
        self.told.say(self._verdict(before, after))

    def _verdict(self, before: np.ndarray, after: np.ndarray) -> str:
        if self.edits == Edits():
            return "This is the model as it was trained: positions 0, 1, 2 …"
        first, now = int(before.argmax()), int(after.argmax())
        named = {token: quote(self.trace.model.tokenizer.pieces([token])[0]) for token in (first, now)}
        told = f"{named[first]} had {percent(before[first])} and has {percent(after[first])}"
        told += "." if now == first else f"; the likeliest is {named[now]} now, with {percent(after[now])}."
        share = percent(experiments.total_variation(before, after))
        return f"{told} In all, {share} of the probability moved to other tokens."

    def _write(self) -> Steps:
        """One strip a setting, filled token by token, one setting after the other."""
        tokens = list(self.trace.tokens)
        for strip in self.strips.values():
            strip.change(pieces=[])
        self.written.children = tuple(self.strips.values())
        for done, (name, strip) in enumerate(self.strips.items()):
            try:
                for written in write_into(
                    strip, self.trace.model, tokens, N_WRITTEN, SETTINGS[name], ids=False
                ):
                    yield (done + len(written) / N_WRITTEN) / len(SETTINGS)
            except FloatingPointError as error:
                self.told.say(f"{name}: {error}")
