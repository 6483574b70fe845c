"""The loop, turn by turn."""

from __future__ import annotations

import asyncio

import ipywidgets
import numpy as np

from llmviz import sampling
from llmviz.model import Model, Trace
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import Told, button, row, seed_box, slider
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.text_box import TextBox
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.sampling.written_text import Place, WrittenText, place, summary


class StepByStep(Explorer):
    """The loop in the reader's hands: step, back, another token, auto-run, stop.

    The dart for each place of the text comes from the seed and the place alone: going back and stepping again draws
    the same token, as long as the probabilities are the same.
    """

    def __init__(self, model: Model, text: str, *, temperature: float = 1.0, seed: int = 1):
        self._model, self._most = model, min(MAX_TOKENS, model.config.n_ctx)
        self._run = 0  # a number for each turn of the buttons: what runs under an older one has been stopped
        self._writing = 0  # how many turns the loop was asked for
        self._places: list[Place] = []
        self.trace: Trace | None = None
        self.box = TextBox(model, text, live=False)
        self.temperature = slider(temperature, "Temperature", 2.0, stage="sampling", step=0.05)
        self.seed = seed_box(seed)
        self.step = button("step", "draw one token and run the model again", "primary")
        self.back = button("back", "take the last token away")
        self.write = button("write 30 more", "thirty turns of the loop")
        self.stop = button("stop", "stop writing")
        self.again = button("start again", "back to your own text")
        self.told = Told()
        self.text = WrittenText(
            model,
            chooses=True,
            shade_label="the probability the model gave it",
            caption="The text as it grows. Point at a token to see its rivals; a click says more",
        )
        buttons = ipywidgets.HBox([self.step, self.back, self.write, self.stop, self.again])
        controls = row(self.temperature, buttons, self.seed)
        super().__init__([self.box, controls, self.text, self.told])
        self.box.observe(self.start_again, "tokens")
        self.temperature.observe(self._draw, "value")
        self.step.on_click(lambda _: self.turn(1))
        self.write.on_click(lambda _: self.turn(30))
        self.back.on_click(lambda _: self.go_back())
        self.stop.on_click(lambda _: self._halt())
        self.again.on_click(self.start_again)
        self.text.observe(self._choose, "choice")
        self.start_again()

    @property
    def tokens(self) -> list[int]:
        """The text as it stands, as ids."""
        return [*self.box.tokens, *(one.token for one in self._places)]

    @one_at_a_time
    def start_again(self, _change=None) -> None:
        """Back to the typed text."""
        self._halt()
        self._cut(0)

    @one_at_a_time
    def go_back(self) -> None:
        """Take the last token away."""
        self._halt()
        self._cut(len(self._places) - 1)

    @one_at_a_time
    def turn(self, n: int) -> None:
        """Let the loop turn n times, beside everything else."""
        if self._writing or not self._open():
            return
        self._run += 1
        self._writing = n
        self._enable()
        self.beside(self._turn(n, self._run))

    async def _turn(self, n: int, run: int) -> None:
        for _ in range(n):
            if not self._one(run):
                break
            await asyncio.sleep(0.01)  # lets the page and the stop button have their turn
        self._finish(run)

    @one_at_a_time
    def _one(self, run: int) -> bool:
        """One turn; says whether another one may follow."""
        if run != self._run:
            return False
        rng = np.random.default_rng([self.seed.value, len(self._places)])
        self._append(sampling.draw(self._sampler.probs(self.trace.logits), rng))
        return self._open()

    @one_at_a_time
    def _finish(self, run: int) -> None:
        if run == self._run:
            self._halt()

    def _halt(self) -> None:
        self._run += 1
        self._writing = 0
        self._enable()

    def _cut(self, n: int) -> None:
        """Keep the first n written tokens."""
        self._places = self._places[: max(0, n)]
        self.trace = self._model.trace(self.tokens) if self.box.tokens else None
        self._draw()

    @one_at_a_time
    def _choose(self, change) -> None:
        """The reader takes a rival: the text is cut there, and goes on with it."""
        if change["new"] is None:
            return
        self._halt()
        at, rival = change["new"]
        self.text.choice = None
        i = at - len(self.box.tokens)
        if not 0 <= i <= len(self._places) or self.trace is None:
            return
        if i < len(self._places):
            token = self._places[i].rivals[rival]
            self._cut(i)
        else:
            token = place(self.trace.logits).rivals[rival]
        if self._open():
            self._append(token)

    def _append(self, token: int) -> None:
        self._places.append(place(self.trace.logits, self._sampler, token))
        self.trace = self._model.trace(self.tokens)
        self._draw()

    @property
    def _sampler(self) -> Sampler:
        return Sampler(temperature=self.temperature.value)

    def _ended(self) -> bool:
        return bool(self._places) and self._places[-1].token == self._model.tokenizer.eos_token

    def _open(self) -> bool:
        return self.trace is not None and not self._ended() and len(self.tokens) < self._most

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        self.text.layout.visibility = self.told.layout.visibility = "visible" if self.trace else "hidden"
        if self.trace is None:
            self._enable()
            return
        ahead = [place(self.trace.logits, self._sampler)] if self._open() else []
        self.text.show(self.box.tokens, [*self._places, *ahead])
        told = summary(self._places, len(self.box.tokens), self.text.again)
        if self._ended():
            told += " It chose its end token: the loop ends here."
        elif not self._open():
            told += f" {self._most} tokens are as many as there is room for: go back, or start again."
        self.told.say(told)
        self._enable()

    def _enable(self) -> None:
        # A single step leaves its button alone: a button that is disabled loses the focus of the keyboard.
        self.step.disabled = self.write.disabled = not self._open() or self._writing > 1
        self.stop.disabled = self._writing <= 1
        self.back.disabled = not self._places
