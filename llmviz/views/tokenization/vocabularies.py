"""One text in several vocabularies, one of them fetched."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator

import ipywidgets

from llmviz import tokenization
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.background import Background
from llmviz.views.kit.controls import button, row
from llmviz.views.kit.lifetime import replace_children
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.tokenization.typed_text import joined, many, typing_box, writable

GPT2_SECONDS = 15  # how long to wait for GPT-2's vocabulary
THIS_MODEL = "this model"
PUBLISHED = {"GPT-4 (cl100k_base)": "cl100k_base", "GPT-4o (o200k_base)": "o200k_base"}


@functools.cache
def published(name: str) -> Tokenizer:
    """A published vocabulary, read once."""
    return tokenization.published_tokenizer(name)


class VocabularyExplorer(Explorer):
    """One text in several vocabularies, as strips, one below the other.

    GPT-2's is not on this machine: a button fetches it, gives up after 15 seconds, and says so; the boxes go on working
    meanwhile. fetch: what gets it.
    """

    def __init__(self, tokenizer: Tokenizer, text: str, *, fetch: Callable[[], Tokenizer] | None = None):
        self._fetch = fetch or tokenization.fetch_gpt2
        self._work = Background(self)
        self.tokenizers = {THIS_MODEL: tokenizer} | {name: published(key) for name, key in PUBLISHED.items()}
        self.box = typing_box(text, label="Your text", rows=2)
        self.strips = {name: TokenStrip([]) for name in self.tokenizers}
        self.button = button("Fetch GPT-2's vocabulary (1.5 MB, from the internet)")
        self.message = ipywidgets.Label()
        self.button.on_click(self._add_gpt2)
        self.box.observe(self._show, "value")
        self._show()
        super().__init__([self.box, *self.strips.values(), row(self.button, self.message)])

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.button]  # no page fetches for its reader

    @one_at_a_time
    def _show(self, _change=None) -> None:
        for name, strip in self.strips.items():
            tokenizer = self.tokenizers[name]
            text, left_out = writable(self.box.value, tokenizer)
            tokens = tokenizer.encode(text)
            strip.change(
                selected=None,
                pieces=tokenizer.pieces(tokens),
                ids=tokens,
                caption=joined(
                    f"{name}, {len(tokenizer.ranks):,} pieces of text: {many(len(tokens), 'token')}.",
                    left_out,
                ),
            )

    def _add_gpt2(self, _button) -> None:
        self.button.disabled = True
        self.message.value = f"Fetching … ({GPT2_SECONDS:g} seconds at the most)"
        self._work.start(self._fetch_gpt2())

    def _fetch_gpt2(self) -> Iterator[float]:
        """Another strip, or the reason why there is none."""
        outcome, started = in_a_thread(self._fetch), time.monotonic()
        while not outcome and time.monotonic() - started < GPT2_SECONDS:
            yield 0.05
        got = outcome[0] if outcome else f"no answer within {GPT2_SECONDS:g} seconds"
        if not isinstance(got, Tokenizer):
            self.message.value = (
                f"GPT-2's vocabulary can't be fetched here: {got}. The others are on this machine."
            )
            self.button.disabled = False
            return
        self.message.value = ""
        self.tokenizers["GPT-2"] = got
        self.strips["GPT-2"] = TokenStrip([])
        self._show()
        replace_children(self, self.box, *self.strips.values())


def in_a_thread(function: Callable) -> list:
    """Begin, and return a list. What the function returns comes into it, or why it does not: no network, a bad file."""
    outcome: list = []

    def work():
        try:
            outcome.append(function())
        except OSError:
            outcome.append("no connection to where it lies")
        except Exception as error:  # a page that is not the file, a full disk: said, never thrown at a reader
            outcome.append(f"{type(error).__name__}")

    # Not a pool: a thread that hangs in the network must not keep the kernel from ending.
    threading.Thread(target=work, daemon=True).start()
    return outcome
