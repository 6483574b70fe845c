"""How many tokens each of several texts is."""

from __future__ import annotations

from collections.abc import Sequence

import traitlets

from llmviz.experiments.words import in_list, plain_words
from llmviz.model import Trace
from llmviz.views.kit.picture import OfRows, Pieces, lines
from llmviz.views.kit.pieces import visible
from llmviz.views.tokenization.typed_text import TokenizedText, many, rough_words, shown, text_of


class TokenCounts(OfRows):
    """How many tokens each of several texts is, as bars; `before` draws an outline to compare with.

    notes: one more string a row, behind the bar. A click or the arrow keys select a row (trait `selected`).
    """

    _static = "token_counts"
    _data = ("labels", "counts", "before", "notes")

    labels = Pieces()
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
            rows.append([visible(label), f"{n:,}", *self.notes[i : i + 1], *was])
        return lines(rows)


def missing_words(trace: TokenizedText | Trace) -> list[str]:
    """Return the different words of a text that are not one token."""
    words = dict.fromkeys(plain_words(text_of(trace)))
    return [word for word in words if not in_list(word, trace.model.tokenizer)]


def three_cuts(trace: TokenizedText | Trace) -> TokenCounts:
    """Count a text's characters, tokens and words: the pieces, the different ones, and those that the list lacks."""
    text, missing = text_of(trace), missing_words(trace)
    ways = {"characters": list(text), "tokens": trace.tokens, "words": plain_words(text)}
    notes = [f"pieces, {len(set(parts)):,} different" for parts in ways.values()]
    if ways["words"]:
        notes[2] += f", {len(missing):,} not in the list" if missing else ", all in the list"
    named = " ".join(shown(word, 20) for word in missing[:8]) + " …" * (len(missing) > 8)
    return TokenCounts(
        list(ways),
        [len(parts) for parts in ways.values()],
        notes=notes,
        caption="Your text, cut in three ways. “The list” is this model's vocabulary."
        + (f" Words that it does not have as one piece: {named}" if missing else ""),
    )


def written_word(trace: TokenizedText | Trace) -> str:
    """Return the longest word of a text that can be written in capitals, as it stands there.

    Where no word can be, as in many scripts, the longest stretch between spaces.
    """
    text = text_of(trace)
    words = [word.strip() for word in rough_words(text)]
    return max([word for word in words if word.upper().isupper()] or text.split() or [text], key=len)


def capitals(trace: TokenizedText | Trace) -> str:
    """Return `written_word` in capitals, with a space in front."""
    return " " + written_word(trace).upper()


def capitals_question(trace: TokenizedText | Trace) -> str:
    """Ask how many tokens `capitals` is."""
    word = capitals(trace)
    asked = f"How many tokens is “{shown(word)}”,"
    if word.isupper():
        return f"{asked} your longest word in capitals?"
    return f"Your text has no letters that can be capitals. {asked} its longest stretch between spaces?"


def spellings(trace: TokenizedText | Trace) -> TokenCounts:
    """Cut `written_word` as it is, in small letters, with a capital, in capitals; each with and without a space."""
    tokenizer, word = trace.model.tokenizer, written_word(trace)
    forms = dict.fromkeys((word, word.lower(), word.capitalize(), word.upper()))
    cuts = {start + form: tokenizer.encode(start + form) for form in forms for start in (" ", "")}
    notes = []
    for tokens in cuts.values():
        cut = [f"{visible(piece)} {token}" for piece, token in zip(tokenizer.pieces(tokens), tokens)]
        notes.append(" · ".join(cut[:5]) + (" …" if len(cut) > 5 else ""))
    which = (
        f"One word, {many(len(cuts), 'spelling')}" if len(forms) > 1 else "With a space in front, and without"
    )
    return TokenCounts(
        list(cuts),
        [len(tokens) for tokens in cuts.values()],
        notes=notes,
        caption=f"{which}: how many tokens, then each piece with its id.",
    )
