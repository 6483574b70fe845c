"""A token's text, made safe to send and possible to see."""

from __future__ import annotations

import re
import unicodedata

from llmviz.views.kit.theme import MARKS

# Characters that join or style their neighbours inside an emoji or word; on their own, they would be invisible.
_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")
# Characters that a sentence keeps, as a table for `str.translate` that takes them out.
_KEPT = dict.fromkeys(map(ord, " \n\u00a0\u202f\u2068\u2069"))
_OPEN, _CLOSE = "\x01", "\x02"


def clean(text: str) -> str:
    r"""Return text that can be sent and drawn: a lone surrogate becomes the characters "\ud83d"."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def legible(text: str) -> str:
    """Return words that may hold a reader's text: `clean`, with nothing that is invisible or turns the line around.

    Spaces, line ends, joiners, and the isolates that `isolate` adds stay.
    """
    if text.translate(_KEPT).isprintable():
        return text  # nearly all sentences, and quicker
    return "".join(char if ord(char) in _KEPT or char in _JOINERS else visible(char) for char in clean(text))


def visible(piece: str) -> str:
    """Return a piece as it can be seen: "·that", "⏎", a control character as <0x00> or ‹U+202E›, no text as ‹empty›."""
    return marked(piece).replace(_OPEN, "").replace(_CLOSE, "")


def marked(piece: str) -> str:
    r"""Return `visible` with each stand-in between "\x01" and "\x02", so that a widget can draw it paler than the text.

    The piece itself cannot contain these two characters, because they would have been replaced.
    """
    if not piece:
        return f"{_OPEN}‹empty›{_CLOSE}"
    alone = all(char in _JOINERS for char in piece)
    return "".join(_marked_char(char, alone) for char in clean(piece))


def _marked_char(char: str, alone: bool) -> str:
    if char in MARKS:
        shown = MARKS[char][0]
    elif ord(char) < 0x20 or char == "\x7f":
        shown = f"<0x{ord(char):02X}>"  # as a byte, because many fonts lack the control pictures
    elif char in _JOINERS and not alone:
        return char
    elif char in _JOINERS or unicodedata.category(char)[0] in "CZ":  # controls, unassigned, other spaces
        shown = f"‹U+{ord(char):04X}›"
    else:
        return char
    return f"{_OPEN}{shown}{_CLOSE}"


def marked_label(text: str) -> str:
    """Return `marked` for a label that is a piece or plain words: a single space between words stays a space."""
    return " ".join(marked(part) for part in re.split(r"(?<=\S) (?=\S)", text))


def visible_label(text: str) -> str:
    """Return `visible` for a label that is a piece or plain words: "layer 3" stays, " that" becomes "·that"."""
    return marked_label(text).replace(_OPEN, "").replace(_CLOSE, "")


def quote(piece: str) -> str:
    """Return a piece in quotation marks, for sentences: “·that”."""
    return f"“{visible(piece)}”"


def isolate(text: str) -> str:
    """Return text of unknown direction, marked so that Hebrew or Arabic does not turn the sentence around it."""
    return f"\u2068{text}\u2069"


def isolated(piece: str) -> str:
    """Return a piece in quotation marks, isolated."""
    return isolate(quote(piece))


def as_sentence(error: Exception | str) -> str:
    """Return the message of an error as a sentence."""
    return f"{str(error)[:1].upper()}{str(error)[1:]}.".replace("..", ".")
