"""The loop, drawn as a loop: the model reads the text, guesses, one token is picked, and it joins the text."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets

from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, lines
from llmviz.views.kit.pieces import clean, marked, quote, visible
from llmviz.views.kit.theme import MAX_TOKENS

PHASES = {
    "read": "The model reads the whole text, every token of it",
    "guess": "it gives every token of its vocabulary a probability",
    "pick": "one token is picked, each as often as its probability says",
    "append": "the picked token joins the text, and the loop starts again",
}


class _Piece(traitlets.Unicode):
    """One piece or None; the page sees it as `marked`."""

    def __init__(self):
        super().__init__(None, allow_none=True)
        self.tag(sync=True, to_json=lambda value, _: None if value is None else marked(value))

    def validate(self, obj, value):
        value = super().validate(obj, value)
        return value if value is None else clean(value)


class LoopPicture(Picture):
    """Text → model → probabilities → pick → back to the text.

    pieces: the text so far; the first `n_prompt` are the reader's, the others were written by the loop.
    phase: which part is at work, "read", "guess", "pick" or "append"; None: the loop rests.
    picked: the token just picked. likeliest, probs: a few of the guesses to show, likeliest first.
    """

    _static = "loop_picture"
    _by_page = ()
    _data = ("pieces", "n_prompt", "phase", "picked", "likeliest", "probs")

    pieces = Pieces()
    n_prompt = traitlets.Int(0).tag(sync=True)
    phase = traitlets.Enum([*PHASES, None], None, allow_none=True).tag(sync=True)
    picked = _Piece()
    likeliest = Pieces()
    probs = Floats(ndim=(1,))

    def __init__(self, pieces: Sequence[str], *, n_prompt: int, caption: str = "", **traits):
        super().__init__(pieces=pieces, n_prompt=n_prompt, caption=caption, **{"stage": "sampling", **traits})

    def text(self) -> str:
        prompt, written = self.pieces[: self.n_prompt], self.pieces[self.n_prompt :]
        rows = [
            f"prompt, {_tokens(prompt)}: {''.join(map(visible, prompt))}",
            f"written, {_tokens(written)}: {''.join(map(visible, written))}",
        ]
        if self.probs is not None and len(self.likeliest):
            guesses = lines((visible(piece), percent(p)) for piece, p in zip(self.likeliest, self.probs))
            rows.append(f"likeliest next tokens:\n{guesses}")
        if self.picked is not None:
            rows.append(f"picked: {quote(self.picked)}")
        if self.phase:
            rows.append(f"now: {self.phase}. {PHASES[self.phase][:1].upper()}{PHASES[self.phase][1:]}.")
        if len(self.pieces) > MAX_TOKENS:
            rows.append(f"(The picture shows the last {MAX_TOKENS} tokens.)")
        return "\n".join(rows)


def _tokens(pieces: Sequence[str]) -> str:
    return "1 token" if len(pieces) == 1 else f"{len(pieces):,} tokens"
