"""The front page: a text, the next-token probabilities, and the loop that lets the model write on."""

from __future__ import annotations

import numpy as np
import traitlets

from llmviz import sampling
from llmviz.model import Model, Trace
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.background import Background, Steps
from llmviz.views.kit.controls import Told, button, row, seed_box, slider, wide
from llmviz.views.kit.next_token_bars import empty_bars
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.text_box import Prompt, as_prompt, most_tokens
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.the_loop.loop_picture import LoopPicture

N_GUESSES = 4  # bars inside the loop's own picture


class LoopExplorer(Explorer):
    """Type a text, turn the temperature, and let the model write on, one drawn token at a time.

    text: what stands in the box at first, or a page's own `Prompt`. `trace` is the run over the text as it stands,
    with what was written; other pictures can follow it.
    The draws come from one generator, seeded when the loop starts again: the same seed gives the same text.
    """

    trace = traitlets.Instance(Trace)

    def __init__(self, model: Model, text: str | Prompt, *, temperature: float = 1.0, seed: int = 1):
        self._model = model
        self._ended = False
        self._most = most_tokens(model)
        self._work = Background(self)
        self._left = 0  # turns that are still to come
        self.box = as_prompt(model, text, live=True)
        self.temperature = slider(temperature, "Temperature", 2.0, stage="sampling", step=0.05)
        self.seed = seed_box(seed)
        self.pick = button("pick one", "draw one token by these probabilities", "primary")
        self.write = button("write 30 more", "thirty turns of the loop")
        self.stop = button("stop", "stop writing")
        self.again = button("start again", "back to your own text, and the dice back to the seed")
        self.told = Told(layout={"min_height": "26px"})
        self.whole_text = Told()
        self.strip = TokenStrip(
            [],
            [],
            highlight_name="written by the loop",
            stage="sampling",
            caption="Your text as tokens: pieces with their numbers",
        )
        self.bars = empty_bars(
            model,
            before_label="at temperature 1",
            caption="What comes next? The model's probabilities, the likeliest 20",
            provenance=self._explain,
        )
        self.loop = LoopPicture([], n_prompt=0)
        buttons = row(self.pick, self.write, self.stop, self.again, gap=0)
        super().__init__(
            [
                row(self.temperature, buttons, self.seed),
                self.told,
                self.strip,
                self.whole_text,
                row(wide(self.bars, 480), wide(self.loop, 400)),
            ]
        )
        self.temperature.observe(self._draw_bars, "value")
        self.seed.observe(self.start_again, "value")
        self.pick.on_click(lambda _: self.turn(1))
        self.write.on_click(lambda _: self.turn(30))
        self.stop.on_click(lambda _: self._halt())
        self.again.on_click(self.start_again)
        self.follow(self.box, self.start_again)

    @property
    def probs(self) -> np.ndarray:
        """The next token's probabilities [n_vocab] at the slider's temperature."""
        return Sampler(temperature=self.temperature.value).probs(self.trace.logits)

    @one_at_a_time
    def start_again(self, _change=None) -> None:
        """Back to the typed text, with the generator at its seed."""
        self._halt()
        self._ended = len(self.box.trace.tokens) >= self._most
        self._rng = np.random.default_rng(self.seed.value)
        self.told.say()
        self._show(self.box.trace.tokens)
        self.loop.change(phase="guess", picked=None)

    @one_at_a_time
    def turn(self, n: int) -> None:
        """Let the loop turn n times more; in a notebook it runs beside everything else, so that `stop` is heard."""
        if self._ended:
            return
        self._left += n
        self._enable()
        if not self._work.busy:
            self._work.start(self._turns())

    def _turns(self) -> Steps:
        while self._left:
            token = self._pick()
            yield self._pause()
            self._append(token)
            for phase in ("append", "read"):
                if self._pause():
                    self.loop.phase = phase
                    yield self._pause()
            self.loop.change(phase="guess", picked=None)  # the model has guessed again
            self._left = 0 if self._ended else self._left - 1
            self._enable()
            yield 0.01  # lets the page and the stop button have their turn

    def _pause(self) -> float:
        """Seconds for each part of a turn: the last of many, or a single one, is there to be watched."""
        return 0.3 if self._left == 1 else 0.0

    def _pick(self) -> int:
        """Draw the next token."""
        probs = self.probs
        token = sampling.draw(probs, self._rng)
        piece = self._piece(token)
        self.told.say(f"Drawn: {quote(piece)}, which had {percent(probs[token])}.")
        rows = self.bars.ids
        self.bars.selected = rows.index(token) if token in rows else None
        self.loop.change(phase="pick", picked=piece)
        return token

    def _append(self, token: int) -> None:
        self._show([*self.trace.tokens, token])
        if token == self._model.tokenizer.eos_token:
            self._ended = True
            self.told.say(
                f"{quote(self._piece(token))} was drawn, the model's sign for “I am done”: the loop ends here."
            )
        elif len(self.trace.tokens) >= self._most:
            self._ended = True
            self.told.say(
                f"{self._most} tokens are as many as this page draws. Start again, or shorten your text."
            )

    def _show(self, tokens: list[int]) -> None:
        """Run the model over these tokens and draw everything."""
        n_prompt = len(self.box.trace.tokens)
        self.trace = self._model.trace(tokens)
        pieces = self.trace.pieces
        self._as_it_is = Sampler().probs(self.trace.logits)
        self.strip.change(
            pieces=pieces, ids=tokens, highlight=list(range(n_prompt, len(pieces))), selected=None
        )
        written = self._model.tokenizer.decode(tokens)
        self.whole_text.say(f"As a reader sees it: {written}" if len(tokens) > n_prompt else "")
        self.loop.change(pieces=pieces, n_prompt=n_prompt)
        self.bars.selected = None
        self._draw_bars()
        self._enable()

    @one_at_a_time
    def _draw_bars(self, _change=None) -> None:
        # Ranked by the scores: at a temperature near 0 most of the twenty have no probability left to be ranked by.
        before = None if self.temperature.value == 1 else self._as_it_is
        self.bars.show(self.probs, before=before, ranked_by=self.trace.logits)
        self.loop.change(likeliest=self.bars.pieces[:N_GUESSES], probs=self.bars.probs[:N_GUESSES])

    @one_at_a_time
    def _explain(self, row: int) -> provenance.Explanation:
        token, tokens = self.bars.ids[row], self.trace.tokens
        own = len(tokens) == len(self.box.trace.tokens)  # nothing is written yet
        return provenance.prob(
            self.trace.logits,
            token,
            temperature=self.temperature.value,
            piece=self._piece(token),
            source="trace.logits" if own else f"model.trace({tokens}).logits",
        )

    @one_at_a_time
    def _halt(self) -> None:
        self._work.stop()
        self._left = 0
        self._enable()

    def _enable(self) -> None:
        # Pressing once more adds to the turns. (And a button that is disabled would lose the focus of the keyboard.)
        self.pick.disabled = self.write.disabled = self._ended
        self.stop.disabled = self._left <= 1

    def _piece(self, token: int) -> str:
        return self._model.tokenizer.pieces([token])[0]
