"""Heads turned down or up, and what the model says then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz import Edits, experiments, ops
from llmviz.model import Model, Trace
from llmviz.views.attention.head_grid import empty_grid, four_axes
from llmviz.views.attention.heads import head_name
from llmviz.views.kit.background import Experiment, Steps
from llmviz.views.kit.controls import Told, button, row, slider
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.picture import by_the_reader, one_at_a_time, percent
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip


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


class DoesItMatter(Experiment):
    """Turn chosen heads down or up, from 0 to 2, and see what the model would say next.

    The lead of an answer is its logit minus the other answer's: how much the model prefers it. `lead_before` and
    `lead` hold it as the model is, and as the slider has it.
    """

    def __init__(self, model: Model, *, preset: int = 0):
        super().__init__("Switch off every head, one at a time")
        config = model.config
        self.model = model
        self.preset = ipywidgets.ToggleButtons(
            options=[(one.name, i) for i, one in enumerate(PRESETS)], value=preset
        )
        self.preset.style.button_width = "auto"
        self.box = Prompt(model, "", label="Text, up to the token to be guessed (Enter runs)")
        self.answer = ipywidgets.Text(
            "", description="Answer", continuous_update=False, layout={"width": "190px"}
        )
        self.other = ipywidgets.Text(
            "", description="against", continuous_update=False, layout={"width": "190px"}
        )
        self.strip = TokenStrip(
            [], stage="attention", caption="Which token should the heads look at? (from the last token)"
        )
        self.grid = empty_grid(config, toggles=True)
        self.top = [button(f"strongest {n}") for n in (1, 3, 8)]
        self.random = button("as many others, at random")
        self.none = button("none")
        self.scale = slider(0.0, "Chosen heads × ", 2.0, step=0.05, stage="attention")
        self.bars = empty_bars(model, n=min(10, config.n_vocab), before_label="as the model is")
        self.effects = empty_grid(config, kind="signed", measure="change of the lead")
        self.effects.layout.display = "none"
        self.effect_told = Told()
        self._seed = 0
        self.children = (
            self.preset,
            self.box,
            row(self.answer, self.other),
            self.strip,
            self.grid,
            row(*self.top, self.random, self.none),
            self.scale,
            self.told,
            self.bars,
            row(*self.buttons, self.progress),
            self.effects,
            self.effect_told,
        )
        self.box.observe(self._new_text, "trace")
        self.strip.observe(self._look, "selected")
        self.preset.observe(self._set, "value")
        self.grid.observe(self.run, "chosen")
        self.scale.observe(self.run, "value")
        for box in (self.answer, self.other):
            box.observe(self._new_answer, "value")
        for one, n in zip(self.top, (1, 3, 8)):
            one.on_click(lambda _, n=n: self.choose(experiments.strongest(self._weights, n)))
        self.random.on_click(self._choose_random)
        self.none.on_click(lambda _: self.choose([]))
        self.buttons[0].on_click(self.switch_each_off)
        self._set()

    def choose(self, heads: Iterable[Sequence[int]]) -> None:
        """Choose these heads (layer, head) and no others."""
        self.grid.chosen = [list(one) for one in heads]

    def _choose_random(self, _button) -> None:
        self._seed += 1
        besides = experiments.strongest(self._weights, 20)
        self.choose(
            experiments.random_heads(self._weights.shape, max(1, len(self.grid.chosen)), besides, self._seed)
        )

    @one_at_a_time
    def _set(self, _change=None) -> None:
        preset = PRESETS[self.preset.value]
        with self.quietly():
            self.box.box.value = preset.text
            self.answer.value, self.other.value = preset.answer, preset.other
            pieces = self.trace.pieces
            self.strip.selected = pieces.index(preset.key) if preset.key in pieces else 0
            best = experiments.strongest(self._weights, preset.n)
            self.grid.selected = list(best[0])
            self.choose(best)
        self.run()

    @property
    def trace(self) -> Trace:
        return self.box.trace

    @one_at_a_time
    def _new_text(self, _change=None) -> None:
        self.stop()
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
        self._key = key
        self._weights = experiments.weights_from(self.trace, len(self.trace.tokens) - 1)[..., key]
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
    def _new_answer(self, _change=None) -> None:
        self.stop()
        self.run()

    @by_the_reader
    def run(self, _change=None) -> None:
        """Run the model with the chosen heads scaled; the layers before them are taken from the run as it is."""
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
        with self.bars.hold_sync():  # one message
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
        self.start(self._each_off(), self.buttons[0])

    def _each_off(self) -> Steps:
        base = self._lead(self.trace.logits)
        effect = np.zeros_like(self._weights)
        leads = experiments.each_head_off(self.model, self.trace.tokens, lambda run: self._lead(run.logits))
        for done, (layer, head, lead) in enumerate(leads, start=1):
            effect[layer, head] = lead - base
            yield done / effect.size
        self.effect = effect
        limit = float(f"{np.abs(effect).max() or 1:.2g}")
        needed, looked = experiments.strongest(-effect, 3), experiments.strongest(self._weights, 3)
        answer, key = self.answer.value, self.trace.pieces[self._key]
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
        related = ""
        if np.ptp(self._weights) and np.ptp(np.abs(effect)):
            r = np.corrcoef(self._weights.ravel(), np.abs(effect).ravel())[0, 1]
            related = (
                f"Over all {effect.size} heads, weight and size of the effect correlate by {r:.2f} (1 would be: "
                "the weight tells it all, 0: it tells nothing)."
            )
        self.effect_told.say(
            f"Looking most at {isolated(key)}: {'; '.join(told[:3])}.",
            f"Needed most for {isolated(answer)}: {'; '.join(told[3:])}.",
            related,
        )
