"""The loop, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmviz import sampling
from llmviz.sampling import Sampler
from llmviz.views.kit.background import Background
from llmviz.views.kit.controls import Told, button, row, seed_box, slider
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.theme import MAX_TOKENS
from llmviz.views.sampling.written_text import Place, WrittenText, place


class StepByStep(Explorer):
    """The loop in the reader's hands: step, back, another token, auto-run, stop.

    The seed decides all darts, as in `Model.generate`: which token a place gets hangs on it and on the probabilities
    alone, so going back and stepping again draws the same one.
    """

    def __init__(self, prompt: Prompt, *, temperature: float = 1.0, seed: int = 1):
        self.prompt, self._model = prompt, prompt.language_model
        self._most = min(MAX_TOKENS, self._model.config.n_ctx)
        self._work = Background(self)
        self.temperature = slider(temperature, "Temperature", 2.0, stage="sampling", step=0.05)
        self.seed = seed_box(seed)
        self.step = button("step", "draw one token and run the model again", "primary")
        self.back = button("back", "take the last token away")
        self.write = button("write 30 more", "thirty turns of the loop")
        self.stop = button("stop", "stop writing")
        self.again = button("start again", "back to your own text")
        self.told = Told()
        self.text = WrittenText(
            self._model,
            chooses=True,
            shade_label="the probability the model gave it",
            caption="The text as it grows. Point at a token to see its rivals; a click says more",
        )
        buttons = row(self.step, self.back, self.write, self.stop, self.again, gap=0)
        controls = row(self.temperature, buttons, self.seed)
        super().__init__([prompt, controls, self.text, self.told])
        self.temperature.observe(self._other_odds, "value")
        self.step.on_click(lambda _: self.turn(1))
        self.write.on_click(lambda _: self.turn(30))
        self.back.on_click(lambda _: self.go_back())
        self.stop.on_click(self._halt)
        self.again.on_click(self.start_again)
        self.text.observe(self._choose, "choice")
        self.follow(prompt, self.start_again)

    @property
    def tokens(self) -> list[int]:
        """The text as it stands, as ids."""
        return self.trace.tokens

    @one_at_a_time
    def start_again(self, _change=None) -> None:
        """Back to the typed text."""
        self._work.stop()
        self.trace = self.prompt.trace
        self._draw([])

    @one_at_a_time
    def go_back(self) -> None:
        """Take the last token away."""
        self._work.stop()
        self._run(self.text.written[:-1])

    @one_at_a_time
    def turn(self, n: int) -> None:
        """Let the loop turn n times: once now, and then beside everything else."""
        self._turn()
        if n > 1:
            self._work.start(self._turns(n - 1))
        self._enable()

    def _turns(self, n: int) -> Iterator[float]:
        for _ in range(n):
            yield 0.01  # lets the page and the stop button have their turn
            self._turn()
            if not self._open():
                break
        self._halt()

    def _turn(self) -> None:
        if self._open():
            rng = _dart(self.seed.value, len(self.text.written))
            self._append(sampling.draw(self._sampler.probs(self.trace.logits), rng))

    @one_at_a_time
    def _halt(self, _button=None) -> None:
        self._work.stop()
        self._enable()

    @one_at_a_time
    def _choose(self, change) -> None:
        """The reader takes a rival: the text is cut there, and goes on with it."""
        if change["new"] is None:
            return
        at, rival = change["new"]
        self.text.choice = None
        i = at - len(self.text.prompt)
        if 0 <= i < len(self.text.places) and 0 <= rival < self.text.n_rivals:
            self._work.stop()
            token, written = self.text.places[i].rivals[rival], self.text.written
            if i < len(written):
                self._run(written[:i])
            self._append(token)

    def _append(self, token: int) -> None:
        self._run([*self.text.written, place(self._model, self.trace.logits, self._sampler, token)])

    def _run(self, places: list[Place]) -> None:
        """Run the model over the reader's text and these places."""
        self.trace = self._model.trace([*self.text.prompt, *(one.token for one in places)])
        self._draw(places)

    @property
    def _sampler(self) -> Sampler:
        return Sampler(temperature=self.temperature.value)

    def _ended(self) -> bool:
        written = self.tokens[len(self.prompt.trace.tokens) :]
        return written[-1:] == [self._model.tokenizer.eos_token]

    def _open(self) -> bool:
        return not self._ended() and len(self.tokens) < self._most

    @one_at_a_time
    def _other_odds(self, _change) -> None:
        self._draw(self.text.written)

    def _draw(self, places: list[Place]) -> None:
        ahead = [place(self._model, self.trace.logits, self._sampler)] if self._open() else []
        self.text.show(self.prompt.trace.tokens, [*places, *ahead])
        told = self.text.how_sure()
        if self._ended():
            told += " The last one is the end token: the program ends the loop here."
        elif not self._open():
            told += f" {self._most} tokens are as many as there is room for: go back, or start again."
        self.told.say(told)
        self._enable()

    def _enable(self) -> None:
        # A single step leaves its button alone: a button that is disabled loses the focus of the keyboard.
        self.step.disabled = self.write.disabled = not self._open() or self._work.busy
        self.stop.disabled = not self._work.busy
        self.back.disabled = not self.text.written


def _dart(seed: int, i: int) -> np.random.Generator:
    """As `Model.generate` has it when it draws the i-th token, from 0."""
    rng = np.random.default_rng(seed)
    rng.random(i)
    return rng
