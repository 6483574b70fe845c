"""Two texts that are written at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ipywidgets

from llmviz.experiments import write_on
from llmviz.model import Step
from llmviz.sampling import Sampler
from llmviz.views.kit.background import Background
from llmviz.views.kit.controls import Told, row, wide
from llmviz.views.kit.picture import Explorer
from llmviz.views.kit.text_box import Prompt
from llmviz.views.sampling.written_text import WrittenText


class SideBySide(Explorer):
    """Two texts in two columns, a token on each in turn, written beside everything else.

    A subclass begins in `draw`, says in `wrote` what a new token changes, and in `finished` how a side ended.
    """

    def __init__(
        self,
        prompt: Prompt,
        texts: Sequence[WrittenText],
        controls: Sequence = ((), ()),
        above: Sequence = (),
    ):
        self.prompt, self.texts = prompt, texts
        self.told = [Told(layout={"min_height": "26px"}) for _ in texts]
        self._work = Background(self)
        sides = [
            wide(ipywidgets.VBox([*own, told, text]))
            for own, told, text in zip(controls, self.told, self.texts)
        ]
        super().__init__([prompt, *above, row(*sides)])
        self.follow(prompt, self.draw)

    def draw(self, _change=None) -> None:
        """Write both texts again."""
        raise NotImplementedError

    def wrote(self, side: int, step: Step) -> None:
        raise NotImplementedError

    def finished(self, side: int) -> None:
        """A text is at its end, whether the other one is or not."""

    def write(
        self, samplers: Sequence[Sampler], n: int, seed: int | None = None, *, past: bool = False
    ) -> None:
        """Write n tokens after each prompt; one that is empty gets none. past: the end token does not end it."""
        self._work.start(self._write(samplers, n, seed, past))

    def _write(self, samplers: Sequence[Sampler], n: int, seed: int | None, past: bool) -> Iterator[float]:
        yield 0.05  # while a slider is moving, only its last place is worth a text
        model = self.prompt.language_model
        writing = {
            side: write_on(model, text.prompt, n, sampler, seed, past_end=past)
            for side, (text, sampler) in enumerate(zip(self.texts, samplers))
            if text.prompt
        }
        while writing:
            for side, steps in [*writing.items()]:
                if step := next(steps, None):
                    self.wrote(side, step)
                else:
                    del writing[side]
                    self.finished(side)
            yield 0.005
