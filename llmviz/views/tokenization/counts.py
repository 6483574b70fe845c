"""Counts as bars: a text cut in three ways, and a word in all its spellings."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets

from llmviz.experiments.words import in_list, plain_words
from llmviz.model import Trace
from llmviz.views.kit.picture import Labels, OfRows, lines
from llmviz.views.kit.pieces import visible, visible_label
from llmviz.views.tokenization.typed_text import TokenizedText, longest_word, many, named, shown, text_of

N_NAMED = 5  # words that a caption names


class CountBars(OfRows):
    """Counts of several things, as bars; `before` draws an outline to compare with.

    notes: one more string for each row, after its bar. A click or the arrow keys select a row (trait `selected`).
    """

    _static = "count_bars"
    _data = ("labels", "counts", "before", "notes")

    labels = Labels()
    counts = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    before = traitlets.List(traitlets.Int(min=0), default_value=None, allow_none=True).tag(sync=True)
    before_label = traitlets.Unicode("before").tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, labels: Sequence[str], counts: Sequence[int], *, notes: Sequence[str] = (), **traits):
        super().__init__(labels=labels, counts=[int(n) for n in counts], notes=list(notes), **traits)

    def text(self) -> str:
        rows = []
        for i, (label, n) in enumerate(zip(self.labels, self.counts)):
            was = [f"{self.before_label}: {self.before[i]:,}"] if self.before else []
            rows.append([visible_label(label), f"{n:,}", *self.notes[i : i + 1], *was])
        return lines(rows)


def missing_words(trace: TokenizedText | Trace) -> list[str]:
    """Return the different words of a text that are not one token."""
    words = dict.fromkeys(plain_words(text_of(trace)))
    return [word for word in words if not in_list(word, trace.model.tokenizer)]


def three_cuts(trace: TokenizedText | Trace) -> CountBars:
    """Count a text's characters, tokens and words, and the words that are not single tokens."""
    text, missing = text_of(trace), missing_words(trace)
    ways = {"characters": list(text), "tokens": trace.tokens, "words": plain_words(text)}
    notes = [f"({len(set(parts)):,} different)" for parts in ways.values()]
    words = " ".join(shown(word, 16) for word in missing[:N_NAMED]) + " …" * (len(missing) > N_NAMED)
    return CountBars(
        list(ways),
        [len(parts) for parts in ways.values()],
        notes=notes,
        caption=f"Your text in three kinds of pieces. Words that aren't single tokens: {words or 'none'}",
    )


def capitals(trace: TokenizedText | Trace) -> str:
    """Return the longest word of a text in capitals, with a space before it."""
    return f" {longest_word(trace).strip().upper()}"


def capitals_question(trace: TokenizedText | Trace) -> str:
    """Ask how many tokens `capitals` is."""
    word = capitals(trace)
    form = "in capitals" if word.isupper() else "with a space before it"
    return f"Write {named(trace)} {form}: “{shown(word)}”. How many tokens is it?"


def about_capitals(trace: TokenizedText | Trace) -> str:
    """Say how many tokens the word takes in small letters; nothing where it has no capitals."""
    word = capitals(trace)
    if not word.isupper():
        return ""
    n = len(trace.model.tokenizer.encode(word.lower()))
    return f"In small letters, it takes {many(n, 'token')}. No id shows that both are the same word."


def spellings(trace: TokenizedText | Trace) -> CountBars:
    """Cut the longest word as typed, in small letters, with a capital and in capitals, with a space and without."""
    tokenizer, word = trace.model.tokenizer, longest_word(trace).strip()
    forms = dict.fromkeys((word, word.lower(), word.capitalize(), word.upper()))
    cuts = {start + form: tokenizer.encode(start + form) for form in forms for start in (" ", "")}
    notes = []
    for tokens in cuts.values():
        cut = [f"{visible(piece)} {token}" for piece, token in zip(tokenizer.pieces(tokens), tokens)]
        notes.append(" · ".join(cut[:5]) + (" …" if len(cut) > 5 else ""))
    return CountBars(
        list(cuts),
        [len(tokens) for tokens in cuts.values()],
        notes=notes,
        caption="Number of tokens for each spelling, then each token with its id",
    )
