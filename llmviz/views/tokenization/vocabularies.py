"""One text in several vocabularies, one of them fetched; one sentence in several languages, and what each costs."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import ipywidgets

from llmviz import tokenization
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.state_fields import choice, selected, selection
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, job, part, parts, sentences, shared
from llmviz.views.tokenization.token_counts import TokenCounts
from llmviz.views.tokenization.typed_text import MAX_READ, chips, encoded, many, typed

GPT2_SECONDS = 15  # how long to wait for GPT-2's vocabulary
THIS_MODEL = "this model"
PUBLISHED = {"GPT-4 (cl100k_base)": "cl100k_base", "GPT-4o (o200k_base)": "o200k_base"}
GPT2 = "GPT-2"


@functools.cache
def published(name: str) -> Tokenizer:
    """Return a published vocabulary, read once."""
    return tokenization.published_tokenizer(PUBLISHED[name])


def vocabulary(name: str, own: Tokenizer) -> Tokenizer:
    """Return a published vocabulary, or the model's own."""
    return own if name == THIS_MODEL else published(name)


class VocabularyExplorer(View):
    """One text in several vocabularies, as strips, one below the other.

    GPT-2's is not on this machine: a button fetches it, gives up after 15 seconds, and says so; the boxes go on working
    meanwhile.
    """

    @dataclass(frozen=True)
    class State:
        """What is typed."""

        text: str = typed("Your text", rows=2)

    arrangement = ("text", THIS_MODEL, *PUBLISHED, GPT2, ("fetch", "progress"), "message")

    @parts(dict.fromkeys((THIS_MODEL, *PUBLISHED, GPT2), ""), TokenStrip, [])
    def strip(self, scene: Scene, name: str) -> dict | None:
        tokenizer = scene.result("fetch") if name == GPT2 else vocabulary(name, scene.run)
        if not isinstance(tokenizer, Tokenizer):
            return None
        tokens, left_out = encoded(scene.text, tokenizer)
        size = f"{name}, {len(tokenizer.ranks):,} pieces of text: {many(len(tokens), 'token')}."
        return chips(tokens, tokenizer, size, left_out)

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["fetch"]]  # no page fetches for its reader

    @job(
        start="Fetch GPT-2's vocabulary (1.5 MB, from the internet)",
        when=lambda _, scene: not isinstance(scene.result("fetch"), Tokenizer),
    )
    def fetch(self, scene: Scene) -> Iterator[tuple[float, Tokenizer | str | None]]:
        """Yield the vocabulary in the end, or why there is none."""
        outcome, begun = [], time.monotonic()

        def work() -> None:
            try:
                outcome.append(tokenization.fetch_gpt2())
            except OSError:
                outcome.append("no connection to where it lies")
            except Exception as error:  # a page that is not the file, a full disk
                outcome.append(type(error).__name__)

        # Not a pool: a thread that hangs in the network must not keep the kernel from ending.
        threading.Thread(target=work, daemon=True).start()
        while not outcome and (waited := time.monotonic() - begun) < GPT2_SECONDS:
            yield waited / GPT2_SECONDS, None
        yield 1.0, outcome[0] if outcome else f"no answer within {GPT2_SECONDS:g} seconds"

    @sentences
    def message(self, scene: Scene) -> list[str]:
        problem = scene.result("fetch")
        if scene.status("fetch") == "running":
            return [f"Fetching … ({GPT2_SECONDS:g} seconds at the most)"]
        if not isinstance(problem, str):
            return []
        return [f"GPT-2's vocabulary can't be fetched here: {problem}. The others are on this machine."]


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

    def __init__(self, tokenizer: Tokenizer, sentences: Mapping[str, str], *, n_ctx: int, **state):
        self.sentences, self.n_ctx = dict(sentences), n_ctx
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
        return len(self.sentences) - 1 if row is None else row

    @part(TokenCounts, [], [], before_label=f"in the vocabulary of {THIS_MODEL}")
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
            "notes": [
                f"· {tokens / len(text):.2f} a character · {tokens / max(1, n[0]):.1f}×"
                for tokens, text in zip(n, texts.values())
            ],
            "selected": scene.row_shown,
            "caption": f"The same sentence in {len(self.sentences)} versions{', and yours' * ('yours' in texts)}, in "
            f"the vocabulary of {name}: how many tokens, how many that is a character, and how many times as many as "
            f"for {next(iter(texts))}.",
        }

    @part(TokenStrip, [])
    def strip(self, scene: Scene) -> dict:
        (language, text), tokenizer = (
            [*scene.texts.items()][scene.row_shown],
            vocabulary(scene.vocabulary, scene.run),
        )
        tokens, left_out = encoded(text, tokenizer)
        n_bytes = len(text.encode(errors="replace"))
        size = f"{language}: {many(len(tokens), 'token')} for {many(len(text), 'character')}, {many(n_bytes, 'byte')}."
        times = f"{self.n_ctx // max(1, len(tokens)):,} times"
        fits = f"This model's window of {self.n_ctx:,} tokens holds it {times}."
        if tokenizer is not scene.run:  # it belongs to another model, with a window of its own
            fits = ""
        return chips(tokens, tokenizer, size, fits, left_out)
