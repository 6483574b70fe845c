"""The front page: a text, the next-token probabilities, and the loop that lets the model write on."""

from __future__ import annotations

import asyncio

import ipywidgets
import numpy as np
import traitlets

from llmviz import sampling
from llmviz.model import Model, Trace
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.controls import Told, button, seed_box, slider
from llmviz.views.loop_picture import LoopPicture
from llmviz.views.next_token_bars import NextTokenBars
from llmviz.views.picture import Explorer, one_at_a_time, percent
from llmviz.views.pieces import quote
from llmviz.views.text_box import TextBox
from llmviz.views.theme import MAX_TOKENS
from llmviz.views.token_strip import TokenStrip


class LoopExplorer(Explorer):
    """Type a text, turn the temperature, and let the model write on, one drawn token at a time.

    `trace` is the run over the text as it stands (None where there is nothing to run); other pictures can follow it.
    The draws come from one generator, seeded when the loop starts again: the same seed gives the same text.
    """

    trace = traitlets.Instance(Trace, allow_none=True)

    def __init__(self, model: Model, text: str, *, temperature: float = 1.0, seed: int = 1):
        self._model = model
        self._ended = False
        self._writing = False
        self._task: asyncio.Task | None = None
        self.box = TextBox(model, text, label="Your text")
        self.temperature = slider(temperature, "Temperature", 2.0, stage="sampling", step=0.05)
        self.seed = seed_box(seed)
        self.pick = button("pick one", "draw one token by these probabilities", "primary")
        self.write = button("write 30 more", "thirty turns of the loop")
        self.stop = button("stop", "stop writing")
        self.again = button("start again", "back to your own text, and the dice back to the seed")
        self.told = Told(layout={"min_height": "26px"})
        self.strip = TokenStrip([], [], caption="Your text as tokens: pieces with their numbers")
        self.bars = NextTokenBars(
            np.full(model.config.n_vocab, 1 / model.config.n_vocab),
            model.tokenizer,
            before_label="at temperature 1",
            caption="What comes next? The model's probabilities, the likeliest 20",
            provenance=self._explain,
        )
        self.loop = LoopPicture([], n_prompt=0)
        self.bars.layout = {"flex": "1 1 480px", "min_width": "0"}
        self.loop.layout = {"flex": "1 1 400px", "min_width": "0"}
        wrap = {"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 16px"}
        buttons = ipywidgets.HBox(
            [self.pick, self.write, self.stop, self.again], layout=wrap | {"grid_gap": "0"}
        )
        super().__init__(
            [
                self.box,
                ipywidgets.HBox([self.temperature, buttons, self.seed], layout=wrap),
                self.told,
                self.strip,
                ipywidgets.HBox([self.bars, self.loop], layout=wrap | {"align_items": "flex-start"}),
            ]
        )
        self.temperature.observe(self._draw_bars, "value")
        self.seed.observe(self.start_again, "value")
        self.box.observe(self.start_again, "tokens")
        self.pick.on_click(lambda _: self.turn(1))
        self.write.on_click(lambda _: self.turn(30))
        self.stop.on_click(lambda _: self._stop())
        self.again.on_click(self.start_again)
        self.start_again()

    @property
    def probs(self) -> np.ndarray:
        """The next token's probabilities [n_vocab] at the slider's temperature."""
        return Sampler(temperature=self.temperature.value).probs(self.trace.logits)

    @one_at_a_time
    def start_again(self, _change=None) -> None:
        """Back to the typed text, with the generator at its seed."""
        self._stop()
        self._ended = False
        self._rng = np.random.default_rng(self.seed.value)
        self._say("")
        self._show(list(self.box.tokens), phase="guess")

    @one_at_a_time
    def turn(self, n: int) -> None:
        """Let the loop turn n times; in a notebook it runs beside everything else, so that `stop` is heard."""
        if self._writing or self._ended or self.trace is None:
            return
        self._set_writing(True)
        try:
            self._task = asyncio.get_running_loop().create_task(self._turn(n))
            self._task.add_done_callback(lambda task: task.cancelled() or task.result())
        except RuntimeError:  # no event loop: a plain script
            asyncio.run(self._turn(n))

    async def _turn(self, n: int) -> None:
        unhurried = 0.45 if n == 1 else 0.0  # one turn by itself is there to be watched
        try:
            for _ in range(n):
                if not self._writing or self._ended:
                    break
                token = sampling.draw(self.probs, self._rng)
                self._picked(token)
                await asyncio.sleep(unhurried)
                if not self._writing:
                    break
                self._append(token)
                await asyncio.sleep(0.01)  # lets the page and the stop button have their turn
        finally:
            self._set_writing(False)

    @one_at_a_time
    def _picked(self, token: int) -> None:
        piece = self._model.tokenizer.pieces([token])[0]
        self._say(f"Drawn: {quote(piece)}, which had {percent(self.probs[token])}.")
        rows = self.bars.ids
        self.bars.selected = rows.index(token) if token in rows else None
        self.loop.change(phase="pick", picked=piece)

    @one_at_a_time
    def _append(self, token: int) -> None:
        self._show([*self.trace.tokens, token], phase="guess")
        if token == self._model.tokenizer.eos_token:
            self._ended = True
            self._say(
                f"It chose {quote(self.trace.pieces[-1])}, its sign for “I am done”: the loop ends here."
            )
        elif len(self.trace.tokens) >= MAX_TOKENS:
            self._ended = True
            self._say(
                f"{MAX_TOKENS} tokens are as many as this page draws. Start again, or shorten your text."
            )

    def _show(self, tokens: list[int], phase: str) -> None:
        """Run the model over these tokens and draw everything."""
        n_prompt = len(self.box.tokens)
        self.trace = self._model.trace(tokens) if tokens else None
        self._as_it_is = Sampler().probs(self.trace.logits) if tokens else None
        pieces = self.trace.pieces if tokens else []
        written = range(n_prompt, len(pieces))
        self.strip.change(pieces=pieces, ids=tokens, highlight=list(written), selected=None)
        self.loop.change(pieces=pieces, n_prompt=n_prompt, phase=phase, picked=None)
        self.bars.layout.visibility = "visible" if tokens else "hidden"
        self.bars.selected = None
        self._draw_bars()
        self._enable()

    @one_at_a_time
    def _draw_bars(self, _change=None) -> None:
        if self.trace is None:
            return
        if self.temperature.value == 1:
            self.bars.show(self._as_it_is, before=None)
        else:
            self.bars.show(self.probs, before=self._as_it_is)

    @one_at_a_time
    def _explain(self, row: int) -> provenance.Explanation:
        token = self.bars.ids[row]
        return provenance.prob(
            self.trace.logits,
            token,
            temperature=self.temperature.value,
            piece=self._model.tokenizer.pieces([token])[0],
        )

    @one_at_a_time
    def _stop(self) -> None:
        self._set_writing(False)

    def _set_writing(self, writing: bool) -> None:
        self._writing = writing
        self._enable()

    def _enable(self) -> None:
        can_turn = self.trace is not None and not self._writing and not self._ended
        self.pick.disabled = self.write.disabled = not can_turn
        self.stop.disabled = not self._writing

    def _say(self, sentence: str) -> None:
        self.told.say(sentence)
