"""From typed words to rows of the table: single words, or named groups of words."""

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
    """A typed word, looked up in the vocabulary: its token, or the reason why there is none."""

    typed: str
    token: int | None
    problem: str = ""  # one sentence; empty if there is a token
    first: int | None = None  # the first token of a word that has several


def look_up(typed: str, tokenizer: Tokenizer) -> Word:
    """Look up a typed word that is a single token, with a space in front if there is such a token, else without.

    In quotation marks, the text is used exactly as typed; "#2767" is the token with that id.
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
    """Declare a typed word, with its box. others: words that a page without a kernel holds besides the default."""

    def box(value: str) -> ipywidgets.Text:
        made = text_box(clean(value), label, width)
        made.tooltip = (
            'Type a word. "dog" in quotation marks has no leading space; #2767 is the token with that id'
        )
        return made

    return text(default, box, others=others)


class OfWords(View):
    """A view of the rows of some words; for a word of several tokens, a button offers the first.

    source: a model. `typed`: the names of the fields for the words.
    """

    stage = "embeddings"
    typed: ClassVar[tuple[str, ...]] = ("a", "b")

    @shared
    def rows(self, scene: Scene) -> Rows:
        """Return the rows that are compared, minus their average if the box for that is ticked."""
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
        """Return the first token of each word that has several, in the form in which it can be typed."""
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

    names: list[str]  # of the groups
    tokens: list[int]  # of the words
    pieces: list[str]  # of the words
    group_of: list[int]  # the index of each word's group
    refused: list[Word]  # words that are not a single token
    cut: int  # how many words are beyond MAX_WORDS


def read_groups(text: str, tokenizer: Tokenizer) -> Groups:
    """Read a group from each line, "name: word, word"; commas and spaces separate words, and a word counts once."""
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
