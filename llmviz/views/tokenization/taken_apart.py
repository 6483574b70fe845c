"""Characters, their bytes, their tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex
import traitlets

from llmviz.tokenization import Tokenizer
from llmviz.views.kit.picture import Explorer, Picture, one_at_a_time
from llmviz.views.kit.pieces import isolated, marked
from llmviz.views.tokenization.typed_text import drawable, joined, many, typing_box


class TakenApart(Picture):
    """A short text in four rows over the same bytes: what you see, its characters, its bytes, its tokens.

    One sign on the screen may be several characters, a character is 1 to 4 bytes, and a token may hold part of a
    character. Pointer or arrow keys move `selected` [row, index]; the line below tells about it.
    """

    _static = "taken_apart"
    _data = ("rows",)

    # {"name", "cells": [[first byte, byte after it, marked, small, told]]}
    rows = traitlets.List().tag(sync=True)
    selected = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)

    def __init__(self, tokenizer: Tokenizer, text: str, **traits):
        super().__init__(**traits)
        self._tokenizer, self._caption = tokenizer, self.caption
        self.show(text)

    def show(self, text: str) -> None:
        """Another text, in place. Over 64 bytes the first 64 are drawn; what cannot be written is left out."""
        drawn, told = drawable(text, self._tokenizer)
        self.change(
            selected=None,
            caption=joined(self._caption, told),
            rows=_rows(drawn, self._tokenizer) if drawn else [],
        )

    def text(self) -> str:
        """A line a row."""
        rows = []
        for row in self.rows:
            cells = (
                _unmarked(f"{label} {small}").replace("\n", "").strip()
                for _, _, label, small, _ in row["cells"]
            )
            rows.append(f"{row['name']}: {' | '.join(cells)}")
        return "\n".join(rows) or "nothing to take apart yet"


def _unmarked(label: str) -> str:
    return label.replace("\x01", "").replace("\x02", "")


def _rows(text: str, tokenizer: Tokenizer) -> list[dict]:
    data = text.encode()
    signs = [
        (sign, f"{many(len(sign), 'character')}, {many(len(sign.encode()), 'byte')}")
        for sign in regex.findall(r"\X", text)
    ]
    borders = {0, *_ends([len(character.encode()) for character in text])}
    tokens = tokenizer.encode(text)
    lengths = [len(part) for part in tokenizer.merges(text)[-1].parts]
    seen = [
        [*span, marked(sign), "", f"One sign on the screen, {isolated(sign)}: {told}."]
        for span, (sign, told) in zip(_spans([len(sign.encode()) for sign, _ in signs]), signs)
    ]
    characters = [
        [*span, marked(character), f"U+{ord(character):04X}", _about_character(character)]
        for span, character in zip(_spans([len(character.encode()) for character in text]), text)
    ]
    single = [
        [at, at + 1, f"{byte:02X}", f"{byte:08b}"[:4] + "\n" + f"{byte:08b}"[4:], about_byte(byte)]
        for at, byte in enumerate(data)
    ]
    glued = []
    for span, token, piece in zip(_spans(lengths), tokens, tokenizer.pieces(tokens)):
        whole = span[0] in borders and span[1] in borders
        about = f"Token {isolated(piece)}, id {token}: {many(span[1] - span[0], 'byte')}"
        glued.append(
            [
                *span,
                marked(piece) if whole else "",
                str(token),
                about + ("." if whole else ", not a whole character."),
            ]
        )
    return [
        {"name": "what you see", "cells": seen},
        {"name": "characters", "cells": characters},
        {"name": "bytes", "cells": single},
        {"name": "tokens", "cells": glued},
    ]


def _ends(lengths: Sequence[int]) -> list[int]:
    ends, place = [], 0
    for length in lengths:
        place += length
        ends.append(place)
    return ends


def _spans(lengths: Sequence[int]) -> list[tuple[int, int]]:
    return [(end - length, end) for end, length in zip(_ends(lengths), lengths)]


def _about_character(character: str) -> str:
    name = unicodedata.name(character, "").lower()
    return f"Character U+{ord(character):04X}{', ' + name if name else ''}: {many(len(character.encode()), 'byte')}."


def about_byte(byte: int) -> str:
    """What a byte of UTF-8 is for, in a sentence."""
    what = "a whole character by itself"
    if byte >= 0xC0:
        what = f"starts a character of {2 + (byte >= 0xE0) + (byte >= 0xF0)} bytes"
    elif byte >= 0x80:
        what = "goes on with a character"
    return f"Byte {byte} = 0x{byte:02X} = {byte:08b}: {what}."


class ByteExplorer(Explorer):
    """A box for a few characters, and their bytes and tokens."""

    def __init__(self, tokenizer: Tokenizer, text: str):
        self.box = typing_box(text, label="Emoji, letters, anything")
        self.picture = TakenApart(tokenizer, self.box.value)
        self.box.observe(self._show, "value")
        super().__init__([self.box, self.picture])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        self.picture.show(self.box.value)
