"""Characters, their bytes, their tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import regex
import traitlets

from llmviz.tokenization import Tokenizer
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.pieces import isolated, marked
from llmviz.views.kit.view import Scene, View, part
from llmviz.views.tokenization.typed_text import drawable, many, typed


class TakenApart(Picture):
    """A short text in four rows over the same bytes: what you see, its characters, its bytes, its tokens.

    One sign on the screen may be several characters, a character is 1 to 4 bytes, and a token may hold part of a
    character. Pointer or arrow keys move `selected` [row, index]; the line below tells about it.
    """

    _static = "taken_apart"
    _data = ("rows",)

    # {"name", "cells": [[first byte, byte after it, marked, small, sentence]]}
    rows = traitlets.List().tag(sync=True)
    selected = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)

    @traitlets.observe("rows")
    def _select_nothing(self, _change) -> None:
        self.selected = None

    def text(self) -> str:
        """Return a line a row."""
        rows = []
        for row in self.rows:
            labels = (f"{label} {small}" for _, _, label, small, _ in row["cells"])
            unmarked = (label.translate({1: None, 2: None, ord("\n"): None}).strip() for label in labels)
            rows.append(f"{row['name']}: {' | '.join(unmarked)}")
        return "\n".join(rows) or "nothing to take apart yet"


def rows_of(text: str, tokenizer: Tokenizer) -> list[dict]:
    """Return the rows of a `TakenApart`; none without a text."""
    ids = tokenizer.encode(text)
    rows = {
        "what you see": map(_sign_cell, regex.findall(r"\X", text)),
        "characters": map(_character_cell, text),
        "bytes": map(_byte_cell, text.encode()),
        "tokens": map(_token_cell, ids, tokenizer.pieces(ids), tokenizer.merges(text)[-1].parts),
    }
    return [{"name": name, "cells": side_by_side(cells)} for name, cells in rows.items()] if text else []


def side_by_side(cells: Iterable[tuple]) -> list[list]:
    """Return cells with the bytes that they cover, from their number, which is the first entry of each."""
    cells = list(cells)
    ends = accumulate(n for n, *_ in cells)
    return [[end - n, end, *rest] for end, (n, *rest) in zip(ends, cells)]


def _sign_cell(sign: str) -> tuple:
    n = len(sign.encode())
    size = f"{many(len(sign), 'character')}, {many(n, 'byte')}"
    return n, marked(sign), "", f"One sign on the screen, {isolated(sign)}: {size}."


def _character_cell(character: str) -> tuple:
    n, code, name = len(character.encode()), f"U+{ord(character):04X}", unicodedata.name(character, "")
    named = ", ".join(filter(None, (code, name.lower())))
    return n, marked(character), code, f"Character {named}: {many(n, 'byte')}."


def _byte_cell(byte: int) -> tuple:
    bits = f"{byte:08b}"
    return 1, f"{byte:02X}", f"{bits[:4]}\n{bits[4:]}", about_byte(byte)


def _token_cell(token: int, piece: str, data: bytes) -> tuple:
    is_whole = data.decode(errors="ignore").encode() == data
    about = f"Token {isolated(piece)}, id {token}: {many(len(data), 'byte')}"
    about += "." if is_whole else ", not a whole character."
    return len(data), marked(piece) if is_whole else "", str(token), about


def about_byte(byte: int) -> str:
    """Say what a byte of UTF-8 is for."""
    what = "a whole character by itself"
    if byte >= 0xC0:
        what = f"starts a character of {2 + (byte >= 0xE0) + (byte >= 0xF0)} bytes"
    elif byte >= 0x80:
        what = "goes on with a character"
    return f"Byte {byte} = 0x{byte:02X} = {byte:08b}: {what}."


class ByteExplorer(View):
    """A box for a few characters, and their bytes and tokens."""

    @dataclass(frozen=True)
    class State:
        """What is typed."""

        text: str = typed("Emoji, letters, anything")

    @part(TakenApart)
    def picture(self, scene: Scene) -> dict:
        drawn, left_out = drawable(scene.text, scene.run)
        return {"rows": rows_of(drawn, scene.run), "caption": left_out}
