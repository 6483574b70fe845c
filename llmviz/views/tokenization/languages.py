"""One sentence in several languages: how many tokens each of them costs."""

from __future__ import annotations

from collections.abc import Mapping

from llmviz.tokenization import Tokenizer
from llmviz.views.kit.controls import choice
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.tokenization.token_counts import TokenCounts
from llmviz.views.tokenization.typed_text import joined, many, typing_box, writable
from llmviz.views.tokenization.vocabularies import PUBLISHED, THIS_MODEL, published

MAX_COUNTED = 20_000  # characters of a text that is only counted


class LanguageExplorer(Explorer):
    """The same sentence in several languages: tokens of each, in one vocabulary or another; one of them in full.

    sentences: language → sentence; the first is what the others are compared with. n_ctx: how many tokens this
    model can read at once. A box adds a sentence of the reader's own.
    """

    def __init__(self, tokenizer: Tokenizer, sentences: Mapping[str, str], *, n_ctx: int):
        self.tokenizer, self.sentences, self.n_ctx = tokenizer, dict(sentences), n_ctx
        self.vocabulary = choice([THIS_MODEL, *PUBLISHED], THIS_MODEL, "Vocabulary", width="340px")
        self.box = typing_box("", label="The sentence in your own words")
        self.counts = TokenCounts([], [], before_label=f"in the vocabulary of {THIS_MODEL}")
        self.strip = TokenStrip([])
        self._show()
        self.counts.selected = len(self.sentences) - 1
        self.vocabulary.observe(self._show, "value")
        self.box.observe(self._show, "value")
        self.counts.observe(self._show_one, "selected")
        self._show_one()
        super().__init__([self.vocabulary, self.box, self.counts, self.strip])

    @property
    def texts(self) -> dict[str, str]:
        """All sentences, the reader's own last."""
        own = self.box.value[:MAX_COUNTED].strip()
        return self.sentences | ({"yours": own} if own else {})

    def _encode(self, text: str, name: str) -> tuple[Tokenizer, list[int], str]:
        tokenizer = self.tokenizer if name == THIS_MODEL else published(PUBLISHED[name])
        kept, left_out = writable(text, tokenizer)
        return tokenizer, tokenizer.encode(kept), left_out

    @one_at_a_time
    def _show(self, _change=None) -> None:
        texts, name = self.texts, self.vocabulary.value
        n = [len(self._encode(text, name)[1]) for text in texts.values()]
        before = [len(self._encode(text, THIS_MODEL)[1]) for text in texts.values()]
        first = next(iter(texts))
        if self.counts.selected is not None and self.counts.selected >= len(texts):
            self.counts.selected = 0
        self.counts.change(
            labels=list(texts),
            counts=n,
            before=None if name == THIS_MODEL else before,
            notes=[
                f"· {tokens / len(text):.2f} a character · {tokens / max(1, n[0]):.1f}×"
                for tokens, text in zip(n, texts.values())
            ],
            caption=f"The same sentence in {len(self.sentences)} versions{', and yours' * ('yours' in texts)}, in the "
            f"vocabulary of {name}: how many tokens, how many that is a character, and how many times as many as for "
            f"{first}.",
        )
        self._show_one()

    @one_at_a_time
    def _show_one(self, _change=None) -> None:
        row = self.counts.selected or 0
        language, text = list(self.texts.items())[row]
        tokenizer, tokens, left_out = self._encode(text, self.vocabulary.value)
        n_bytes = len(text.encode(errors="replace"))
        said = f"{language}: {many(len(tokens), 'token')} for {many(len(text), 'character')}, {many(n_bytes, 'byte')}."
        times = f"{self.n_ctx // max(1, len(tokens)):,} times"
        fits = f"This model's window of {self.n_ctx:,} tokens holds it {times}."
        if self.vocabulary.value != THIS_MODEL:
            fits = ""  # another vocabulary belongs to another model, with a window of its own
        self.strip.change(
            selected=None,
            pieces=tokenizer.pieces(tokens),
            ids=tokens,
            caption=joined(said, fits, left_out),
        )
