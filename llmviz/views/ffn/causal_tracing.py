"""Causal tracing: noise on the subject, and the undisturbed stream put back at one place at a time."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets
import numpy as np

from llmviz import experiments
from llmviz.views.ffn.prompt import AnsweredPrompt, show
from llmviz.views.ffn.where_is_the_fact import LOST, listed
from llmviz.views.kit import theme
from llmviz.views.kit.background import Experiment
from llmviz.views.kit.controls import row, slider
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.picture import one_at_a_time, percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.token_strip import TokenStrip

MAX_TRACED = 12  # positions in causal tracing: each costs as many runs as there are layers


class CausalTracer(Experiment):
    """Noise on the subject's tokens, then the undisturbed stream put back at one layer and token at a time."""

    def __init__(self, prompt: AnsweredPrompt, subject: tuple[int, int] | None = None):
        super().__init__("Run")
        self._prompt = prompt
        model = prompt.language_model
        last = len(prompt.trace.tokens) - 1
        self.strip = TokenStrip(
            prompt.trace.pieces,
            prompt.trace.tokens,
            highlight_name="the subject",
            stage="ffn",
            caption="The subject's embeddings get noise",
        )
        self.subject = ipywidgets.IntRangeSlider(
            value=subject or (max(0, last - 1), max(0, last - 1)),
            min=0,
            max=max(1, last),
            description="Subject, from … to",
            style={"handle_color": theme.STAGE_COLORS["ffn"][0], "description_width": "initial"},
            layout={"width": "min(430px, 98%)"},
        )
        self.strength = slider(3, "Noise ×", 8, stage="ffn", first=0.5, step=0.5)
        self.draws = slider(1, "Draws of noise, averaged", 5, stage="ffn", first=1)
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
        prompt.lead(self, self._new_text)

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

    @one_at_a_time
    def _mark(self) -> None:
        self.strip.highlight = self._span()
        self._clear()

    @one_at_a_time
    def _clear(self) -> None:
        self.stop()
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


def traced(
    prompt: AnsweredPrompt, values: np.ndarray, span: list[int], whole: float, noisy: float
) -> list[str]:
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
            told.append(f"Put back at {piece}, more than half returns before {listed(back[place])}.")
    if not back.any():
        told.append("At no single place does putting back return half of it.")
    return told
