"""Where an answer ends, with and without the chat template."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import zip_longest

import ipywidgets

from llmviz import ops
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.views.controls import row, wide
from llmviz.views.picture import Explorer, one_at_a_time, percent
from llmviz.views.sampling.beside import beside
from llmviz.views.sampling.written_text import WrittenText, place
from llmviz.views.text_box import TextBox, status


class ChatEnd(Explorer):
    """A question with and without the chat template: what is written, and the end token's probability at each place."""

    def __init__(self, model: Model, question: str, n: int = 40):
        self._model, self._n, self._run = model, n, 0
        self.box = TextBox(model, question, label="Your question", live=False)
        self.texts = [
            WrittenText(
                model.tokenizer,
                scale="weight",
                shade_label="probability that the end token comes here",
                caption=caption,
            )
            for caption in (
                "With the chat template (dashed: what it adds)",
                "Without it: the same weights, the bare question",
            )
        ]
        self.told = [ipywidgets.HTML(), ipywidgets.HTML()]
        sides = [wide(ipywidgets.VBox(side)) for side in zip(self.texts, self.told)]
        super().__init__([self.box, row(*sides)])
        self.box.observe(self.draw, "tokens")
        self.draw()

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write both answers again, beside everything else."""
        self._run += 1
        shown = "visible" if self.box.tokens else "hidden"
        for text, told in zip(self.texts, self.told):
            text.layout.visibility = told.layout.visibility = shown
        if not self.box.tokens:
            return
        bare = self.box.tokens
        try:
            chat, added = self._templated(bare)
        except ValueError as error:  # a model of another kind
            self.told[0].value = status(f"{str(error).capitalize()}.")
            chat, added = [], []
        for text, prompt, marked in zip(self.texts, (chat, bare), (added, [])):
            text.show(prompt, [], marked=marked)
        beside(self._write(self._run, [(0, chat, added), (1, bare, [])] if chat else [(1, bare, [])]))

    def _templated(self, question: list[int]) -> tuple[list[int], list[int]]:
        """The question in its template, as ids; and the places of what the template adds."""
        tokenizer = self._model.tokenizer
        full, empty = (
            tokenizer.encode_chat([{"role": "user", "content": content}])
            for content in (tokenizer.decode(question), "")
        )
        start = next((i for i, (a, b) in enumerate(zip(full, empty)) if a != b), len(empty))
        end = len(full) - (len(empty) - start)
        return full, [i for i in range(len(full)) if not start <= i < end]

    async def _write(self, run: int, sides: list[tuple[int, list[int], list[int]]]) -> None:
        await asyncio.sleep(0.05)
        greedy = Sampler(temperature=0)
        turns = zip_longest(*(self._model.generate(prompt, self._n, greedy) for _, prompt, _ in sides))
        written: list[list] = [[] for _ in sides]  # the steps so far
        while self._show(run, sides, written, turns):
            await asyncio.sleep(0.005)
        self._say_why(run, sides, written)

    @one_at_a_time
    def _show(self, run: int, sides: list[tuple], written: list[list], turns: Iterator[tuple]) -> bool:
        """One more token on each side that is not at its end; says whether there was one."""
        turn = next(turns, None) if run == self._run else None
        for (side, prompt, marked), steps, step in zip(sides, written, turn or ()):
            if step is not None:
                end = float(ops.softmax(step.logits)[self._model.tokenizer.eos_token])
                steps.append((place(step.logits, token=step.token, n=5), end))
                places, ends = zip(*steps)
                notes = [
                    f"end token {percent(end)}, this one {percent(one.probability)}" for one, end in steps
                ]
                self.texts[side].show(prompt, places, weights=ends, notes=notes, marked=marked)
                self.told[side].value = status("Writing, always the likeliest token …")
        return turn is not None

    @one_at_a_time
    def _say_why(self, run: int, sides: list[tuple], written: list[list]) -> None:
        if run != self._run:
            return
        for (side, _, _), steps in zip(sides, written):
            ended = steps[-1][0].token == self._model.tokenizer.eos_token
            why = "it chose its end token" if ended else f"{self._n} tokens are the limit here"
            n = "1 token" if len(steps) == 1 else f"{len(steps)} tokens"
            self.told[side].value = status(f"It stopped after {n}: {why}.")
