"""Text that the reader types: its box, what of it can be written in tokens and drawn, and words for questions."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets

from llmviz import tokenization
from llmviz.experiments.words import TokenizedText, longest_word
from llmviz.model import Trace
from llmviz.tokenization import Tokenizer
from llmviz.views.kit import state_fields
from llmviz.views.kit.pieces import visible

MAX_READ = 20_000  # characters of a text that is counted, or learned from
MAX_BYTES_DRAWN = 64  # of a text that is drawn with a column for each byte


def start_of(text: str, n_bytes: int) -> str:
    """Return the longest start of a text with at most `n_bytes` bytes, ending with a whole character."""
    return text.encode()[:n_bytes].decode(errors="ignore")


def named(trace: TokenizedText | Trace) -> str:
    """Return what a question calls the `longest_word` of a text."""
    word = longest_word(trace)
    if not any(map(str.isalpha, word)):
        return "the longest piece of your text (it has no words)"
    # Where letters have no capitals, there may be no spaces between words.
    return "your longest run of letters" if word.lower() == word.upper() else "your longest word"


def shown(word: str, n: int = 40) -> str:
    """Return a word as a question quotes it: with visible spaces, and cut after n characters."""
    return visible(word[:n]) + "…" * (len(word) > n)


def encoded(text: str, tokenizer: Tokenizer) -> tuple[list[int], str]:
    """Return the tokens of what is `writable` in a text, and a sentence about the rest."""
    rest, left_out = writable(text, tokenizer)
    return tokenizer.encode(rest), left_out


def writable(text: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """Return what the vocabulary can write of a text, and a sentence about what it cannot ("" if nothing)."""
    rest, dropped = tokenization.drop_unwritable(text, tokenizer.ranks)
    names = [*dict.fromkeys(f"U+{ord(unwritable.character):04X}" for unwritable in dropped)]
    listed = ", ".join(names[:4]) + " …" * (len(names) > 4)
    return rest, f"Left out, because this vocabulary can't write it: {listed}." if names else ""


def chips(tokens: list[int], tokenizer: Tokenizer, *caption: str) -> dict:
    """Return the traits of a `TokenStrip` for these tokens; empty sentences of the caption are left out."""
    pieces = tokenizer.pieces(tokens)
    return {"pieces": pieces, "ids": tokens, "caption": " ".join(filter(None, caption)), "own_colors": True}


def drawable(text: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """Return the part of a text that can be drawn byte by byte, and a sentence about the rest ("" if nothing)."""
    rest, left_out = writable(text, tokenizer)
    drawn = start_of(rest, MAX_BYTES_DRAWN)
    cut = f"Only the first {len(drawn)} of {len(rest):,} characters are drawn." if drawn != rest else ""
    return drawn, f"{left_out} {cut}".strip()


def typed(label: str, *, rows: int = 1) -> Any:
    """Declare a text, with a box that is as wide as the page and follows every key."""
    look = {"layout": {"width": "calc(100% - 6px)"}, "style": {"description_width": "initial"}}
    box = ipywidgets.Text if rows == 1 else partial(ipywidgets.Textarea, rows=rows)
    return state_fields.text("", lambda text: box(text, description=label, **look), longest=1_000_000)
