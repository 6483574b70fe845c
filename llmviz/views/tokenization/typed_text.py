"""Text that somebody types: its box, how much of it can be written, how it is counted."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets

from llmviz import tokenization
from llmviz.model import Model, Trace
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.pieces import clean, visible

MAX_BYTES_DRAWN = 64  # of a text whose bytes are drawn, a column each


@dataclass(frozen=True, eq=False)
class TokenizedText:
    """What a text is before the model runs on it; in place of a `Trace` on a page that needs no more."""

    model: Model
    tokens: list[int]

    @property
    def pieces(self) -> list[str]:
        """The text of each token."""
        return self.model.tokenizer.pieces(self.tokens)


def many(n: int, thing: str) -> str:
    """ "1 token", "1,234 tokens"."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def joined(*sentences: str) -> str:
    """Those sentences that say something, one after the other."""
    return " ".join(sentence for sentence in sentences if sentence)


def start_of(text: str, n_bytes: int) -> str:
    """The longest start of the text that has at most `n_bytes` bytes and ends with a whole character."""
    return text.encode()[:n_bytes].decode(errors="ignore")


def rough_words(text: str) -> list[str]:
    """The different words within which BPE glues, in order, each with the space in front of it; not the white space."""
    words = list(dict.fromkeys(word for word in tokenization.split_words(text) if word.strip()))
    return words or [text]


def text_of(trace: TokenizedText | Trace) -> str:
    """The text of a run's tokens."""
    return trace.model.tokenizer.decode(trace.tokens)


def longest_word(trace: TokenizedText | Trace) -> str:
    """The longest of the text's `rough_words` with a letter or figure, the first of them where several are.

    Where none has one, the longest of all.
    """
    words = rough_words(text_of(trace))
    return max([word for word in words if any(map(str.isalnum, word))] or words, key=len)


def shown(word: str, n: int = 40) -> str:
    """A word as a question quotes it: its spaces visible, what is beyond n characters an ellipsis."""
    return visible(word[:n]) + "…" * (len(word) > n)


def writable(text: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """The text as far as the vocabulary can write it, and a sentence about what was left out ("" if nothing)."""
    kept, dropped = tokenization.drop_unwritable(text, tokenizer.ranks)
    if not dropped:
        return text, ""
    names = dict.fromkeys(f"U+{ord(one.character):04X}" for one in dropped)
    shown = ", ".join(list(names)[:4]) + (" …" if len(names) > 4 else "")
    return kept, f"Left out, since this vocabulary has no token for it: {shown}."


def drawable(text: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """What of a text can be drawn byte by byte, and what to say about the rest ("" if there is none)."""
    kept, left_out = writable(text, tokenizer)
    drawn = start_of(kept, MAX_BYTES_DRAWN)
    cut = f"The first {len(drawn)} of {len(kept):,} characters are drawn." if drawn != kept else ""
    return drawn, joined(left_out, cut)


def typing_box(text: str, *, label: str, rows: int = 1) -> ipywidgets.Text | ipywidgets.Textarea:
    """A box to type in, as wide as the page; every key counts, not only Enter."""
    look = {
        "description": label,
        "layout": {"width": "calc(100% - 6px)"},
        "style": {"description_width": "initial"},
    }
    if rows == 1:
        return ipywidgets.Text(clean(text), continuous_update=True, **look)
    return ipywidgets.Textarea(clean(text), continuous_update=True, rows=rows, **look)
