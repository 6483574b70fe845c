"""Two texts from one seed, at two temperatures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import zip_longest

import ipywidgets

from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.views.controls import button, row, seed_box, slider, wide
from llmviz.views.picture import Explorer, one_at_a_time
from llmviz.views.sampling.beside import beside
from llmviz.views.sampling.written_text import Place, WrittenText, place, summary
from llmviz.views.text_box import TextBox, status


class Writing(Explorer):
    """Two continuations of one text from the same seed, each with its own temperature, token by token."""

    def __init__(self, model: Model, text: str, n: int = 40):
        self._model, self._n, self._run = model, n, 0
        self.box = TextBox(model, text, live=False)
        self.seed = seed_box()
        self.write = button("write", "both sides again, from the same seed", "primary")
        self.temperatures = [
            slider(value, "Temperature", 2.0, stage="sampling", step=0.05) for value in (0.0, 1.0)
        ]
        self.texts = [
            WrittenText(model.tokenizer, shade_label="the probability the model gave it")
            for _ in self.temperatures
        ]
        self.told = [ipywidgets.HTML(), ipywidgets.HTML()]
        sides = [wide(ipywidgets.VBox(side)) for side in zip(self.temperatures, self.told, self.texts)]
        super().__init__([self.box, row(self.write, self.seed), row(*sides)])
        self.write.on_click(lambda _: self.draw())
        for widget in (self.seed, *self.temperatures):
            widget.observe(self.draw, "value")
        self.box.observe(self.draw, "tokens")
        self.draw()

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write both sides again, beside everything else."""
        self._run += 1
        shown = "visible" if self.box.tokens else "hidden"
        for side, text in enumerate(self.texts):
            text.layout.visibility = self.told[side].layout.visibility = shown
            temperature = self.temperatures[side].value
            told = f"temperature {temperature:g}" if temperature else "always the likeliest token"
            text.caption = f"From seed {self.seed.value}: {told}"
            text.show(self.box.tokens, [])
        if self.box.tokens:
            beside(self._write(self._run, self.box.tokens))

    async def _write(self, run: int, prompt: list[int]) -> None:
        await asyncio.sleep(0.05)  # while a slider is moving, only its last place is worth a text
        seed = self.seed.value
        written: list[list[Place]] = [[], []]
        samplers = [Sampler(temperature=one.value) for one in self.temperatures]
        turns = zip_longest(*(self._model.generate(prompt, self._n, one, seed) for one in samplers))
        while self._show(run, prompt, written, turns):
            await asyncio.sleep(0.005)

    @one_at_a_time
    def _show(self, run: int, prompt: list[int], written: list[list[Place]], turns: Iterator[tuple]) -> bool:
        """One more token on each side that is not at its end; says whether there was one."""
        turn = next(turns, None) if run == self._run else None
        for side, step in enumerate(turn or ()):
            if step is not None:
                written[side].append(place(step.logits, token=step.token, n=6))
                self.texts[side].show(prompt, written[side])
                told = summary(written[side], len(prompt), self.texts[side].again)
                self.told[side].value = status(told)
        return turn is not None
