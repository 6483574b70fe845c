"""Two texts from one seed, with two settings of the sampler."""

from __future__ import annotations

from collections.abc import Sequence

from llmviz import experiments
from llmviz.model import Step, Trace
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import button, row, seed_box, slider
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.text_box import Prompt
from llmviz.views.sampling.side_by_side import SideBySide
from llmviz.views.sampling.written_text import WrittenText, place


class Writing(SideBySide):
    """Two continuations of one text from the same seed, each with its own temperature and top-p, token by token."""

    def __init__(
        self,
        prompt: Prompt,
        n: int = 40,
        *,
        temperatures: Sequence[float] = (0.0, 1.0),
        top_ps: Sequence[float] = (1.0, 1.0),
    ):
        self._n = n
        self.seed = seed_box()
        self.again = button("write", "both sides again, from the same seed", "primary")
        self.temperatures = [
            slider(value, "Temperature", 2.0, stage="sampling", step=0.05) for value in temperatures
        ]
        self.top_ps = [
            slider(value, "Top-p (1: off)", 1.0, stage="sampling", first=0.05, step=0.05) for value in top_ps
        ]
        texts = [
            WrittenText(prompt.language_model, shade_label="the model’s own probability")
            for _ in self.temperatures
        ]
        controls = [*zip(self.temperatures, self.top_ps)]
        super().__init__(prompt, texts, controls, [row(self.again, self.seed)])
        self.again.on_click(self.draw)
        for widget in (self.seed, *self.temperatures, *self.top_ps):
            widget.observe(self.draw, "value")

    @one_at_a_time
    def draw(self, _change=None) -> None:
        self._samplers = [
            Sampler(temperature=t.value, top_p=p.value) for t, p in zip(self.temperatures, self.top_ps)
        ]
        for text, sampler in zip(self.texts, self._samplers):
            text.caption = f"From seed {self.seed.value}: {_told(sampler)}"
            text.show(self.prompt.trace.tokens)
        self.write(self._samplers, self._n, self.seed.value)

    def repetition(self, trace: Trace) -> float:
        """The share of a greedy continuation that stands in a run of tokens which stood there before."""
        return experiments.write(trace.model, trace.tokens, self._n).repetition(self._n)

    def wrote(self, side: int, step: Step) -> None:
        text = self.texts[side]
        text.append(place(self.prompt.language_model, step.logits, self._samplers[side], step.token, n=6))
        self.told[side].say(text.how_sure())


def _told(sampler: Sampler) -> str:
    if sampler.temperature == 0:
        return "always the likeliest token"
    filtered = "" if sampler.top_p == 1 else f", top-p {sampler.top_p:g}"
    return f"temperature {sampler.temperature:g}{filtered}"
