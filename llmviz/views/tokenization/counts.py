"""Counts as bars, such as the tokens of a word in all its spellings."""

from __future__ import annotations

import traitlets

from llmviz.experiments.words import TokenizedText, longest_word
from llmviz.model import Trace
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Labels, OfRows, lines
from llmviz.views.kit.pieces import isolate, visible, visible_label
from llmviz.views.tokenization.typed_text import named, shown


class CountBars(OfRows):
    """Counts as bars; `before` draws outlines to compare with.

    high: the count of a full bar; None: the highest count. notes: a text for each row, after its bar.
    A click or the arrow keys select a row (trait `selected`).
    """

    _static = "count_bars"

    labels = Labels()
    counts = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    before = traitlets.List(traitlets.Int(min=0), default_value=None, allow_none=True).tag(sync=True)
    high = traitlets.Int(None, allow_none=True).tag(sync=True)
    before_label = traitlets.Unicode("before").tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def text(self) -> str:
        rows = []
        for i, (label, n) in enumerate(zip(self.labels, self.counts)):
            was = [f"{self.before_label}: {self.before[i]:,}"] if self.before else []
            rows.append([visible_label(label), f"{n:,}", *self.notes[i : i + 1], *was])
        return lines(rows)


def capitals(trace: TokenizedText | Trace) -> str:
    """Return the longest word of a text in capitals, with a space before it."""
    return f" {longest_word(trace).strip().upper()}"


def capitals_question(trace: TokenizedText | Trace) -> str:
    """Ask how many tokens `capitals` takes."""
    word = capitals(trace)
    form = "in capitals" if word.isupper() else "with a space before it"
    return f"Take {named(trace)} {form}: “{shown(word)}”. How many tokens does it take?"


def about_capitals(trace: TokenizedText | Trace) -> str:
    """Say how many tokens the word takes in small letters, and what a capital or a missing space changes."""
    word = capitals(trace)
    if not word.isupper():
        none = "This script has no capitals. " if any(map(str.isalpha, word)) else ""
        return f"{none}A missing space changes some or all of the ids."
    n = len(trace.model.tokenizer.encode(word.lower()))
    small = f"In small letters, it takes {amount(n, 'tokens')}."
    return f"{small} A capital changes some or all of the ids, and so does a missing space."


def spellings(trace: TokenizedText | Trace) -> CountBars:
    """Draw how many tokens each spelling of the longest word takes: with capitals or not, with a space or not."""
    tokenizer, word = trace.model.tokenizer, longest_word(trace).strip()
    forms = dict.fromkeys((word, word.lower(), word.capitalize(), word.upper()))
    cuts = {start + form: tokenizer.encode(start + form) for form in forms for start in (" ", "")}
    notes = []
    for tokens in cuts.values():
        cut = [f"{isolate(visible(piece))} {token}" for piece, token in zip(tokenizer.pieces(tokens), tokens)]
        notes.append(", ".join(cut[:3]) + (" …" if len(cut) > 3 else ""))
    return CountBars(
        labels=cuts,
        counts=[len(tokens) for tokens in cuts.values()],
        notes=notes,
        caption="Number of tokens for each spelling, then the first three with their ids",
    )
