"""Two texts that are written at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import ipywidgets

from llmviz.model import Model, Step
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import Told, row, wide
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.text_box import TextBox
from llmviz.views.sampling.written_text import WrittenText


class SideBySide(Explorer):
    """Two texts in two columns, a token on each in turn, written beside everything else.

    A subclass says in `wrote` what a new token changes, and in `finished` what is said at the end.
    """

    def __init__(
        self, model: Model, box: TextBox, texts: Sequence[WrittenText], controls: Sequence, above: Sequence
    ):
        self._model, self._run = model, 0
        self.box, self.texts = box, texts
        self.told = [Told(layout={"min_height": "26px"}) for _ in texts]
        sides = [
            wide(ipywidgets.VBox([*own, told, text]))
            for own, told, text in zip(controls, self.told, self.texts)
        ]
        super().__init__([box, *above, row(*sides)])

    def write(
        self, prompts: Sequence[list[int]], samplers: Sequence[Sampler], n: int, seed: int | None = None
    ) -> None:
        """Write n tokens after each prompt; one that is empty gets none. What was being written before is stopped."""
        self._run += 1
        self.beside(self._write(self._run, prompts, samplers, n, seed))

    def show(self, visible: bool) -> None:
        """Show the texts, or hide them and stop writing."""
        self._run += not visible
        for part in (*self.texts, *self.told):
            part.layout.visibility = "visible" if visible else "hidden"

    def wrote(self, side: int, step: Step) -> None:
        raise NotImplementedError

    def finished(self) -> None:
        """Both texts are at their end."""

    async def _write(self, run: int, prompts, samplers, n: int, seed: int | None) -> None:
        await asyncio.sleep(0.05)  # while a slider is moving, only its last place is worth a text
        generate = self._model.generate
        turns = zip_longest(
            *(generate(prompt, n, one, seed) if prompt else () for prompt, one in zip(prompts, samplers))
        )
        while self._turn(run, turns):
            await asyncio.sleep(0.005)

    @one_at_a_time
    def _turn(self, run: int, turns: Iterator[tuple]) -> bool:
        """One more token on each side that is not at its end; says whether there was one."""
        if run != self._run:
            return False
        turn = next(turns, None)
        for side, step in enumerate(turn or ()):
            if step is not None:
                self.wrote(side, step)
        if turn is None:
            self.finished()
        return turn is not None
