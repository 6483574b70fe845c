"""One sentence in several languages: how many tokens each takes, in this model's vocabulary and in others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmviz.experiments.words import published
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.state_fields import choice, selected, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, part, parts, shared
from llmviz.views.tokenization.counts import CountBars
from llmviz.views.tokenization.typed_text import MAX_READ, chips, encoded, typed

THIS_MODEL = "this model"
PUBLISHED = {"GPT-4 (cl100k_base)": "cl100k_base", "GPT-4o (o200k_base)": "o200k_base"}


def vocabulary(name: str, own: Tokenizer) -> Tokenizer:
    """Return a published vocabulary, or the model's own."""
    return own if name == THIS_MODEL else published(PUBLISHED[name])


def about_languages(tokenizer: Tokenizer, sentences: Mapping[str, str]) -> str:
    """Say what merges leave of the sentence with the most tokens and of the first one, and why they differ."""
    merges = {language: tokenizer.merges(sentence) for language, sentence in sentences.items()}
    most, first = max(merges, key=lambda language: len(merges[language][-1].parts)), next(iter(merges))
    unit = tokenizer.starts_from
    compared = " ".join(
        f"In {language}, {amount(len(steps), 'merges')} turn {amount(len(start.parts), unit)} into "
        f"{amount(len(start.parts) - len(steps), 'tokens')}."
        for language in dict.fromkeys((most, first))
        for start, *steps in [merges[language]]
    )
    scripts = "Many scripts take two or three bytes for a letter, so their texts start as more pieces. "
    return (
        f"{compared} {scripts * (unit == 'bytes')}A language that was rare in the text that the vocabulary was learned "
        "from has few tokens of its own."
    )


class LanguageExplorer(View):
    """The same sentence in several languages: bars for all, and one of them as tokens, in one or two vocabularies.

    sentences: by language; all are compared with the first. The reader can add one of her own.
    """

    @dataclass(frozen=True)
    class State:
        """The vocabulary, the reader's own sentence, and which sentence is shown in full; None: the last one."""

        vocabulary: str = choice(THIS_MODEL, "Vocabulary", [THIS_MODEL, *PUBLISHED], "340px")
        own: str = typed("The sentence in your language")
        row: int | None = selection("counts", lambda view: range(len(view.sentences)))

    def __init__(self, tokenizer: Tokenizer, sentences: Mapping[str, str], **state):
        self.sentences = dict(sentences)
        super().__init__(tokenizer, **state)

    @shared
    def texts(self, scene: Scene) -> dict[str, str]:
        """Return all sentences, the reader's own last."""
        own = scene.own[:MAX_READ].strip()
        return self.sentences | ({"yours": own} if own else {})

    @shared
    def row_shown(self, scene: Scene) -> int:
        """Return the row of the sentence that is shown in full."""
        row = selected(scene.row, len(scene.texts))
        return len(scene.texts) - 1 if row is None else row

    @part(CountBars, before_label=f"in the vocabulary of {THIS_MODEL}")
    def counts(self, scene: Scene) -> dict:
        texts, name = scene.texts, scene.vocabulary
        n, before = (
            [len(encoded(text, tokenizer)[0]) for text in texts.values()]
            for tokenizer in (vocabulary(name, scene.run), scene.run)
        )
        return {
            "labels": [*texts],
            "counts": n,
            "before": None if name == THIS_MODEL else before,
            "notes": [f"({tokens / max(1, n[0]):.1f} ×)" for tokens in n],
            "selected": scene.row_shown,
            "caption": f"Tokens per sentence, in the vocabulary of {name} "
            f"(in brackets: compared with {next(iter(texts))})",
        }

    @parts(dict.fromkeys((THIS_MODEL, "another"), ""), TokenStrip, [])
    def strip(self, scene: Scene, which: str) -> dict:
        name = THIS_MODEL if which == THIS_MODEL else scene.vocabulary
        if which != THIS_MODEL and name == THIS_MODEL:
            raise NothingToShow
        language, text = [*scene.texts.items()][scene.row_shown]
        tokenizer = vocabulary(name, scene.run)
        tokens, left_out = encoded(text, tokenizer)
        size = f"{amount(len(text), 'characters')}, {amount(len(text.encode(errors='replace')), 'bytes')}"
        return chips(
            tokens, tokenizer, f"{language}, {name}: {amount(len(tokens), 'tokens')} ({size}).", left_out
        )
