"""Words to draw, read from lines with a name before them."""

from __future__ import annotations

from dataclasses import dataclass

from llmviz.tokenization import Tokenizer
from llmviz.views.embeddings.word_box import Word, look_up

MAX_WORDS = 200


@dataclass(frozen=True)
class Groups:
    """Words to draw, read from lines such as "animals: dog, cat"."""

    names: list[str]  # one a group
    tokens: list[int]  # one a word
    group_of: list[int]  # one a word
    refused: list[Word]  # what is not one token
    cut: int = 0  # words beyond MAX_WORDS


def read_groups(text: str, tokenizer: Tokenizer) -> Groups:
    """One group a line, "name: word, word"; words part at commas and spaces; a word counts once."""
    names, found, refused, cut = [], {}, {}, 0
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        typed = (rest if colon else line).replace(",", " ").split()
        if not typed:
            continue
        names.append(name.strip() if colon and name.strip() else f"group {len(names) + 1}")
        for one in typed:
            if len(found) + len(refused) >= MAX_WORDS:
                cut += 1
                continue
            word = look_up(one, tokenizer)
            if word.token is None:
                refused[one] = word
            else:
                found.setdefault(word.token, len(names) - 1)
    return Groups(names, list(found), list(found.values()), list(refused.values()), cut)
