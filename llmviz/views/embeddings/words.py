"""From what somebody types to rows of the table: one word, or lines of words with a name before them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import ipywidgets

from llmviz.tokenization import Tokenizer, describe_unwritable, drop_unwritable
from llmviz.views.embeddings.rows import Rows
from llmviz.views.kit.controls import text_box
from llmviz.views.kit.pieces import as_sentence, clean, isolate, isolated, visible
from llmviz.views.kit.state_fields import replace, text
from llmviz.views.kit.view import NothingToShow, Scene, View, press, sentences, shared

MAX_TYPED = 100  # characters in a box for one word
MAX_WORDS = 200  # on a map


@dataclass(frozen=True)
class Word:
    """What somebody typed, looked up in the vocabulary: a token, or the reason why there is none."""

    typed: str
    token: int | None
    problem: str = ""  # one sentence; empty where there is a token
    first: int | None = None  # the first token of a word that is several


def look_up(typed: str, tokenizer: Tokenizer) -> Word:
    """Return the one token that a typed word is, with a space in front if there is such a token, else without.

    In quotation marks the text is used exactly as typed; "#2767" is the token of that id.
    """
    text = typed.strip()
    if not text:
        return Word(typed, None, "Type a word.")
    if len(text) > MAX_TYPED:
        return Word(typed, None, f"This has {len(text):,} characters. Type a single word.")
    if re.fullmatch(r"#\d+", text, re.ASCII):
        try:
            tokenizer.pieces([int(text[1:])])
        except ValueError as error:
            return Word(typed, None, as_sentence(error))
        return Word(typed, int(text[1:]))
    _, dropped = drop_unwritable(text, tokenizer.ranks)
    if dropped:
        return Word(typed, None, f"The model cannot read this: {describe_unwritable(dropped)}.")
    exact = len(text) > 2 and text[0] == text[-1] == '"'
    candidates = [text[1:-1]] if exact else [f" {text}", text]
    ids, *without = map(tokenizer.encode, candidates)
    for single in (ids, *without):
        if len(single) == 1:
            return Word(typed, single[0])
    shown = " ".join(visible(piece) for piece in tokenizer.pieces(ids[:8])) + (" …" if len(ids) > 8 else "")
    name = f"{candidates[-1][:40]}…" if len(candidates[-1]) > 40 else candidates[-1]
    problem = f"{isolated(name)} is {len(ids)} tokens ({isolate(shown)}), and only a single token has a row."
    return Word(typed, None, problem, ids[0])


def word(default: str, label: str, width: str = "230px", *, others: Sequence[str] = ()) -> Any:
    """Declare a typed word, with its box; a page without a kernel holds it and the `others`."""

    def box(value: str) -> ipywidgets.Text:
        made = text_box(clean(value), label, width)
        made.tooltip = (
            'Type a word. "dog" in quotation marks has no leading space; #2767 is the token with that id'
        )
        return made

    return text(default, box, others=others)


class OfWords(View):
    """Pictures of the rows of some words; a button offers the first piece of a word that is several tokens.

    source: a model. `typed`: the fields of the words.
    """

    stage = "embeddings"
    typed: ClassVar[tuple[str, ...]] = ("a", "b")

    @shared
    def rows(self, scene: Scene) -> Rows:
        """Return the rows that are compared, minus their average where a box for that is ticked."""
        return Rows(scene.run, "centred" in self._fields and scene.centred)

    @shared
    def words(self, scene: Scene) -> dict[str, Word]:
        return {name: look_up(getattr(scene, name), scene.run.tokenizer) for name in self.typed}

    @shared
    def tokens(self, scene: Scene) -> list[int]:
        for word in scene.words.values():
            if word.token is None:
                raise NothingToShow(word.problem)
        return [word.token for word in scene.words.values()]

    @shared
    def firsts(self, scene: Scene) -> dict[str, str]:
        """Return the first token of each word that is several, as one types it."""
        return {name: f"#{word.first}" for name, word in scene.words.items() if word.first is not None}

    @sentences
    def refusal(self, scene: Scene) -> list[str]:
        """Say which words have no row, and why."""
        return [*dict.fromkeys(word.problem for word in scene.words.values())]

    @press(lambda view, scene: "Use its first token" if scene.firsts else "")
    def take_first(self, state: Any) -> Any:
        return replace(state, **self.scene(state).firsts)


@dataclass(frozen=True)
class Groups:
    """Words to draw, read from lines such as "animals: dog, cat"."""

    names: list[str]  # one a group
    tokens: list[int]  # one a word
    pieces: list[str]
    group_of: list[int]  # one a word
    refused: list[Word]  # what is not one token
    cut: int  # words beyond MAX_WORDS


def read_groups(text: str, tokenizer: Tokenizer) -> Groups:
    """Read one group a line, "name: word, word"; words part at commas and spaces; a word counts once."""
    names, group_of, refused, cut = [], {}, {}, 0
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = (rest if colon else line).replace(",", " ").split()
        if not words:
            continue
        names.append(name.strip() if colon and name.strip() else f"group {len(names) + 1}")
        for typed in words:
            if len(group_of) + len(refused) >= MAX_WORDS:
                cut += 1
                continue
            word = look_up(typed, tokenizer)
            if word.token is None:
                refused[typed] = word
            else:
                group_of.setdefault(word.token, len(names) - 1)
    pieces = tokenizer.pieces(list(group_of))
    return Groups(names, [*group_of], pieces, [*group_of.values()], [*refused.values()], cut)
