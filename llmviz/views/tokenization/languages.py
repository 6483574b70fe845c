"""One sentence in several languages: how many tokens each of them costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmviz.tokenization import Tokenizer
from llmviz.views.kit.state_fields import choice, selected, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, part, shared
from llmviz.views.tokenization.token_counts import TokenCounts
from llmviz.views.tokenization.typed_text import MAX_READ, encoded, joined, many, typed
from llmviz.views.tokenization.vocabularies import PUBLISHED, THIS_MODEL, published


class LanguageExplorer(View):
    """The same sentence in several languages: tokens of each, in one vocabulary or another; one of them in full.

    sentences: language → sentence; the first is what the others are compared with. n_ctx: how many tokens this
    model can read at once. A box adds a sentence of the reader's own.
    """

    @dataclass(frozen=True)
    class State:
        """The vocabulary, the reader's own sentence, and which one is shown in full; None: the last but that one."""

        vocabulary: str = choice(THIS_MODEL, "Vocabulary", [THIS_MODEL, *PUBLISHED], "340px")
        own: str = typed("The sentence in your own words")
        row: int | None = selection("counts", lambda view: range(len(view.sentences)))

    arrangement = ("vocabulary", "own", "counts", "strip")

    def __init__(self, tokenizer: Tokenizer, sentences: Mapping[str, str], *, n_ctx: int, **state):
        self.sentences, self.n_ctx = dict(sentences), n_ctx
        super().__init__(tokenizer, **state)

    @shared
    def texts(self, scene: Scene) -> dict[str, str]:
        """Return all sentences, the reader's own last."""
        own = scene.own[:MAX_READ].strip()
        return self.sentences | ({"yours": own} if own else {})

    @shared
    def shown_row(self, scene: Scene) -> int:
        """Return the row of the sentence that is shown in full."""
        row = selected(scene.row, len(scene.texts))
        return len(self.sentences) - 1 if row is None else row

    @shared
    def tokenizer(self, scene: Scene) -> Tokenizer:
        """Return the vocabulary that is chosen."""
        return scene.run if scene.vocabulary == THIS_MODEL else published(scene.vocabulary)

    @part(lambda _: TokenCounts([], [], before_label=f"in the vocabulary of {THIS_MODEL}"))
    def counts(self, scene: Scene) -> dict:
        texts, name = scene.texts, scene.vocabulary
        n, before = (
            [len(encoded(text, tokenizer)[0]) for text in texts.values()]
            for tokenizer in (scene.tokenizer, scene.run)
        )
        return {
            "labels": [*texts],
            "counts": n,
            "before": None if name == THIS_MODEL else before,
            "notes": [
                f"· {tokens / len(text):.2f} a character · {tokens / max(1, n[0]):.1f}×"
                for tokens, text in zip(n, texts.values())
            ],
            "selected": scene.shown_row,
            "caption": f"The same sentence in {len(self.sentences)} versions{', and yours' * ('yours' in texts)}, in "
            f"the vocabulary of {name}: how many tokens, how many that is a character, and how many times as many as "
            f"for {next(iter(texts))}.",
        }

    @part(lambda _: TokenStrip([]))
    def strip(self, scene: Scene) -> dict:
        language, text = [*scene.texts.items()][scene.shown_row]
        tokens, left_out = encoded(text, scene.tokenizer)
        n_bytes = len(text.encode(errors="replace"))
        size = f"{language}: {many(len(tokens), 'token')} for {many(len(text), 'character')}, {many(n_bytes, 'byte')}."
        times = f"{self.n_ctx // max(1, len(tokens)):,} times"
        fits = f"This model's window of {self.n_ctx:,} tokens holds it {times}."
        is_own = scene.vocabulary == THIS_MODEL  # another one belongs to another model, with a window of its own
        return {
            "pieces": scene.tokenizer.pieces(tokens),
            "ids": tokens,
            "caption": joined(size, fits if is_own else "", left_out),
        }
