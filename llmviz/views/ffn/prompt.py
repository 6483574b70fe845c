"""A text and one of its likeliest next tokens, which all pictures of a page follow; and the controls beside them."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from llmviz import ops
from llmviz.model import Model, Trace
from llmviz.views.kit.controls import choice
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.picture import Picture, one_at_a_time, percent
from llmviz.views.kit.pieces import quote, visible
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip

N_ANSWERS = 10  # likeliest next tokens that can be followed


class AnsweredPrompt(Prompt):
    """A text and the answer to follow, one of the likeliest next tokens. `turn` counts up when either has changed."""

    answer = traitlets.Int()
    turn = traitlets.Int()

    def __init__(self, model: Model, text: str):
        self.answers = choice([], None, "Answer to follow", "min(430px, 98%)")
        super().__init__(model, text)
        self.children = (*self.children, self.answers)
        self.answers.observe(self._choose, "value")

    @property
    def piece(self) -> str:
        """The answer, quoted."""
        return quote(self.language_model.tokenizer.pieces([self.answer])[0])

    def lead(self, view: Closable, show: Callable[[], None]) -> None:
        """Call a view's `show` now, and, as long as it is open, whenever the text or the answer has changed."""
        show()
        view.watch(self, lambda _: show(), "turn")

    @traitlets.observe("trace")
    def _offer(self, _change) -> None:
        """Another text: its likeliest next tokens, the first of them to be followed."""
        self.probs = ops.softmax(self.trace.logits)  # [n_vocab], what may come next
        best = top(self.probs, N_ANSWERS).tolist()
        pieces = self.language_model.tokenizer.pieces(best)
        self.answer = best[0]  # before the list changes: so `_choose` has nothing to do
        self.answers.options = [
            (f"{visible(piece)}  {percent(self.probs[token])}", token) for piece, token in zip(pieces, best)
        ]
        self.answers.value = best[0]
        self.turn += 1

    @one_at_a_time
    def _choose(self, change) -> None:
        if change["new"] not in (None, self.answer):
            self.answer = change["new"]
            self.turn += 1


def token_strip(trace: Trace, caption: str) -> TokenStrip:
    """A text's tokens, of which one is chosen; the last at first."""
    last = len(trace.tokens) - 1
    return TokenStrip(trace.pieces, trace.tokens, selected=last, stage="ffn", caption=caption)


def renew(strip: TokenStrip, trace: Trace) -> None:
    """Put a new text into a strip; its last token is selected."""
    if strip.ids != trace.tokens:
        strip.change(pieces=trace.pieces, ids=trace.tokens, selected=len(trace.tokens) - 1)


def show(shown: bool, *pictures: Picture) -> None:
    """Show pictures, or leave no trace of them while they have nothing to tell."""
    for one in pictures:
        one.layout.display = "" if shown else "none"


def layers(model: Model) -> list[str]:
    return [f"layer {i}" for i in range(model.config.n_layers)]


def depths(model: Model) -> list[str]:
    return ["input", *layers(model)]
