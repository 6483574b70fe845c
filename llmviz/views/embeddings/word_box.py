"""From what somebody types to a row of the table: a box for one word."""

from __future__ import annotations

import re
from dataclasses import dataclass

import ipywidgets
import traitlets

from llmviz.tokenization import Tokenizer, describe_unwritable, drop_unwritable
from llmviz.views.kit.controls import button
from llmviz.views.kit.lifetime import Closable
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.pieces import clean, isolate, isolated, visible

MAX_TYPED = 100  # characters in a box for one word


@dataclass(frozen=True)
class Word:
    """What somebody typed, looked up in the vocabulary: a token, or the reason why there is none."""

    typed: str
    token: int | None
    problem: str = ""  # one sentence; empty where there is a token
    first: int | None = None  # the first token of a word that is several


def look_up(typed: str, tokenizer: Tokenizer) -> Word:
    """The one token that a typed word is, with a space in front if there is such a token, else without.

    In quotation marks the text is taken exactly as it stands; "#2767" is the token of that id.
    """
    text = typed.strip()
    if not text:
        return Word(typed, None, "Type a word.")
    if len(text) > MAX_TYPED:
        return Word(typed, None, f"That is {len(text):,} characters long. Type one word.")
    if re.fullmatch(r"#\d+", text, re.ASCII):
        return _by_id(typed, int(text[1:]), tokenizer)
    exact = len(text) > 2 and text[0] == text[-1] == '"'
    candidates = [text[1:-1]] if exact else [f" {text}", text]
    _, dropped = drop_unwritable(text, tokenizer.ranks)
    if dropped:
        return Word(typed, None, f"Not a word for this model: {describe_unwritable(dropped)}.")
    encoded = [tokenizer.encode(candidate) for candidate in candidates]
    for ids in encoded:
        if len(ids) == 1:
            return Word(typed, ids[0])
    ids = encoded[0]
    shown = " ".join(visible(piece) for piece in tokenizer.pieces(ids[:8])) + (" …" if len(ids) > 8 else "")
    name = f"{candidates[-1][:40]}…" if len(candidates[-1]) > 40 else candidates[-1]
    problem = f"{isolated(name)} is {len(ids)} tokens ({isolate(shown)}). Only single tokens have a row in the table."
    return Word(typed, None, problem, ids[0])


def _by_id(typed: str, token: int, tokenizer: Tokenizer) -> Word:
    try:
        tokenizer.pieces([token])
    except ValueError as error:
        return Word(typed, None, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    return Word(typed, token)


class WordBox(Closable, ipywidgets.HBox):
    """A box to type one word in. `word` is what was found; a button offers the first piece of a longer word."""

    word = traitlets.Instance(Word)

    def __init__(self, tokenizer: Tokenizer, typed: str, *, label: str = "Word", width: str = "230px"):
        self.tokenizer = tokenizer
        self.box = ipywidgets.Text(
            clean(typed),
            description=label,
            layout={"width": width},
            style={"description_width": "initial"},
            tooltip='A word; "dog" in quotation marks: without a space in front; #2767: the token of that id',
        )
        self.take_first = button("Use its first piece")
        super().__init__([self.box, self.take_first])
        self.box.observe(self._look_up, "value")
        self.take_first.on_click(self._take_first)
        self._look_up()

    @property
    def token(self) -> int | None:
        """The token of what is typed, if it is one."""
        return self.word.token

    @one_at_a_time
    def _look_up(self, _change=None) -> None:
        self.word = look_up(self.box.value, self.tokenizer)
        self.take_first.layout.display = "none" if self.word.first is None else ""

    @one_at_a_time
    def _take_first(self, _button) -> None:
        if self.word.first is not None:
            self.box.value = f"#{self.word.first}"


def first_problem(*boxes: WordBox) -> str:
    """What is wrong with the first box that holds no token, or ""."""
    return next((box.word.problem for box in boxes if box.token is None), "")
