"""Two texts from one seed, with two settings of the sampler."""

from __future__ import annotations

from llmviz.model import Model, Step
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import button, row, seed_box, slider
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.text_box import TextBox
from llmviz.views.sampling.side_by_side import SideBySide
from llmviz.views.sampling.written_text import Place, WrittenText, place, summary


class Writing(SideBySide):
    """Two continuations of one text from the same seed, each with its own temperature and top-p, token by token."""

    def __init__(self, model: Model, text: str, n: int = 40):
        self._n = n
        self.seed = seed_box()
        self.again = button("write", "both sides again, from the same seed", "primary")
        self.temperatures = [
            slider(value, "Temperature", 2.0, stage="sampling", step=0.05) for value in (0.0, 1.0)
        ]
        self.top_ps = [
            slider(1.0, "Top-p (1: off)", 1.0, stage="sampling", first=0.05, step=0.05)
            for _ in self.temperatures
        ]
        texts = [
            WrittenText(model, shade_label="the probability the model gave it") for _ in self.temperatures
        ]
        controls = [*zip(self.temperatures, self.top_ps)]
        super().__init__(
            model, TextBox(model, text, live=False), texts, controls, [row(self.again, self.seed)]
        )
        self.again.on_click(self.draw)
        for widget in (self.seed, *self.temperatures, *self.top_ps):
            widget.observe(self.draw, "value")
        self.box.observe(self.draw, "tokens")
        self.draw()

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write both sides again."""
        self._places: list[list[Place]] = [[], []]
        self._prompt = self.box.tokens
        self._samplers = [
            Sampler(temperature=t.value, top_p=p.value) for t, p in zip(self.temperatures, self.top_ps)
        ]
        for text, sampler in zip(self.texts, self._samplers):
            text.caption = f"From seed {self.seed.value}: {_told(sampler)}"
            text.show(self._prompt, [])
        self.show(bool(self._prompt))
        if self._prompt:
            self.write([self._prompt] * 2, self._samplers, self._n, self.seed.value)

    def wrote(self, side: int, step: Step) -> None:
        places, text = self._places[side], self.texts[side]
        places.append(place(step.logits, self._samplers[side], step.token, n=6))
        text.show(self._prompt, places)
        self.told[side].say(summary(places, len(self._prompt), text.again))


def _told(sampler: Sampler) -> str:
    if sampler.temperature == 0:
        return "always the likeliest token"
    filtered = "" if sampler.top_p == 1 else f", top-p {sampler.top_p:g}"
    return f"temperature {sampler.temperature:g}{filtered}"
