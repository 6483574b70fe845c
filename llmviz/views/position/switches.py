"""Positions switched off, stretched and moved in the real model."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.model import Edits, Model
from llmviz.sampling import Sampler
from llmviz.views.kit.background import Experiment, Steps, write_into
from llmviz.views.kit.controls import row, slider
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.picture import by_the_reader, one_at_a_time, percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip

SETTINGS: Mapping[str, Edits] = {
    "as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "all at one place": Edits(position_scale=0.0),
    "stretched × 2": Edits(position_scale=2.0),
    "stretched × 4": Edits(position_scale=4.0),
    "squeezed to half": Edits(position_scale=0.5),
    "moved by 1,000": Edits(position_shift=1_000.0),
}
N_WRITTEN = 30


class PositionSwitches(Experiment):
    """RoPE off, positions equal, stretched or moved in every layer of the real model: what that does to the next
    token, and to 30 tokens written with each setting (always the likeliest token)."""

    def __init__(self, model: Model, text: str, *, setting: str = "RoPE off"):
        super().__init__(f"Write {N_WRITTEN} tokens with each setting")
        self._model = model
        self.box = Prompt(model, text)
        self.presets = ipywidgets.ToggleButtons(
            options=list(SETTINGS), value=None, style={"button_width": "auto"}, tooltips=[*SETTINGS]
        )
        self.rope = ipywidgets.Checkbox(True, description="RoPE on", indent=False, layout={"width": "auto"})
        self.scale = slider(1.0, "Positions times", 8.0, step=0.25, stage="position")
        self.shift = slider(0, "plus", 2_000, step=50, stage="position")
        self.bars = empty_bars(
            model,
            n=10,
            before_label="the model as it is",
            caption="The next token with these positions; outline: the model as it is",
        )
        [self.write] = self.buttons
        self.write.button_style, self.write.tooltip = "", "always the likeliest token, in every setting"
        self.strips = {name: TokenStrip([], caption=name, stage="position") for name in SETTINGS}
        self.written = ipywidgets.VBox([])
        self.children = (
            self.box,
            self.presets,
            row(self.rope, self.scale, self.shift),
            self.told,
            self.bars,
            row(self.write, self.progress),
            self.written,
        )
        self.box.observe(self._new_text, "tokens")
        self.presets.observe(self._preset, "value")
        for one in (self.rope, self.scale, self.shift):
            one.observe(self._moved, "value")
        self.write.on_click(lambda _: self.start(self._write(), self.write))
        self.presets.value = setting

    @property
    def edits(self) -> Edits:
        return Edits(
            rope=self.rope.value,
            position_scale=float(self.scale.value),
            position_shift=float(self.shift.value),
        )

    @by_the_reader
    def _preset(self, change) -> None:
        if change["new"] is None:
            return
        edits = SETTINGS[change["new"]]
        with self.quietly():
            self.rope.value, self.scale.value = edits.rope, edits.position_scale
            self.shift.value = int(edits.position_shift)
        self._show()

    @by_the_reader
    def _moved(self, _change=None) -> None:
        with self.quietly():
            self.presets.value = next((name for name, edits in SETTINGS.items() if edits == self.edits), None)
        self._show()

    @one_at_a_time
    def _new_text(self, _change=None) -> None:
        self.stop()
        self.written.children = ()
        self._show()

    @one_at_a_time
    def _show(self) -> None:
        self.bars.layout.visibility = "visible" if self.box.tokens else "hidden"
        self.write.disabled = not self.box.tokens
        if not self.box.tokens:
            self.told.say("")
            return
        before = Sampler().probs(self.box.trace.logits)
        try:
            after = Sampler().probs(self._model.trace(self.box.tokens, self.edits).logits)
        except FloatingPointError as error:
            self.bars.show(before, before=None)
            self.told.say(f"{str(error).capitalize()}. The bars show the model as it is.")
            return
        self.bars.show(after, before=None if self.edits == Edits() else before)
        self.told.say(self._verdict(before, after))

    def _verdict(self, before: np.ndarray, after: np.ndarray) -> str:
        if self.edits == Edits():
            return "This is the model as it was trained: positions 0, 1, 2 …"
        if not self.edits.rope and self.edits != Edits(rope=False):
            unused = "RoPE is off, so nothing reads these positions. "
        else:
            unused = ""
        first, now = int(before.argmax()), int(after.argmax())
        named = {token: quote(self._model.tokenizer.pieces([token])[0]) for token in (first, now)}
        told = f"{named[first]} had {percent(before[first])} and has {percent(after[first])}"
        told += "." if now == first else f"; the likeliest is {named[now]} now, with {percent(after[now])}."
        share = percent(experiments.moved(before, after))
        return f"{unused}{told} In all, {share} of the probability moved to other tokens."

    def _write(self) -> Steps:
        """One strip a setting, filled token by token, one setting after the other."""
        tokens = self.box.tokens
        for strip in self.strips.values():
            strip.change(pieces=[])
        self.written.children = tuple(self.strips.values())
        for done, (name, strip) in enumerate(self.strips.items()):
            try:
                for written in write_into(strip, self._model, tokens, N_WRITTEN, SETTINGS[name], ids=False):
                    yield (done + len(written) / N_WRITTEN) / len(SETTINGS)
            except FloatingPointError as error:
                self.told.say(f"{name}: {error}")
