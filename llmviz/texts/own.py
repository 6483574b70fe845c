"""The reader's own text to train a small model on: typed, or from a file whose path is typed."""

import re
from dataclasses import dataclass
from pathlib import Path

from llmviz.where import where

LONGEST = 500_000  # letters
# What looks like a path, although there is no such file.
PATH = re.compile(r"(/|~|\.{1,2}/|[A-Za-z]:[\\/]).*|\S+\.(txt|md|py)")


@dataclass(frozen=True)
class OwnText:
    """A text to learn from, and a sentence if something was left out or is wrong."""

    text: str
    message: str = ""


def read_own(typed: str) -> OwnText:
    """Return a typed text, or the text of the file whose path was typed.

    In a class, a path is only text: a visitor must not read the teacher's files.
    """
    typed = typed.strip()
    if not typed:
        return OwnText("", "Paste a text, or write the path of a file.")
    if len(typed) < 500 and "\n" not in typed and where() != "class":
        try:
            path = Path(typed).expanduser()
            if path.is_file():
                with path.open("rb") as file:
                    typed = file.read(4 * LONGEST).decode("utf-8", "ignore")
                if "\0" in typed:
                    return OwnText("", "That is not a text file.")
            elif PATH.fullmatch(typed):
                return OwnText("", f"There is no file at {typed}.")
        except (OSError, ValueError, RuntimeError) as error:  # a long text cannot be the name of a file
            if PATH.fullmatch(typed):
                return OwnText("", f"That file cannot be read: {error}")
    typed = typed.encode(errors="replace").decode()  # a lone surrogate has no bytes
    too_long = f"Of {len(typed):,} letters the first {LONGEST:,} are used." if len(typed) > LONGEST else ""
    return OwnText(typed[:LONGEST], too_long)
