"""One text in several vocabularies, one of them fetched."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import ipywidgets

from llmviz import tokenization
from llmviz.tokenization import Tokenizer
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import Scene, View, job, part, sentences
from llmviz.views.tokenization.typed_text import encoded, joined, many, typed

GPT2_SECONDS = 15  # how long to wait for GPT-2's vocabulary
THIS_MODEL = "this model"
PUBLISHED = {"GPT-4 (cl100k_base)": "cl100k_base", "GPT-4o (o200k_base)": "o200k_base"}
GPT2 = "GPT-2"


@functools.cache
def published(name: str) -> Tokenizer:
    """Return a published vocabulary, read once."""
    return tokenization.published_tokenizer(PUBLISHED[name])


def text_in(name: str) -> Callable[[VocabularyExplorer, Scene], dict | None]:
    """Return the part that shows the text in a vocabulary."""

    @part(lambda _: TokenStrip([]))
    def strip(view: VocabularyExplorer, scene: Scene) -> dict | None:
        if name == THIS_MODEL:
            tokenizer = scene.run
        else:
            tokenizer = scene.result("fetch") if name == GPT2 else published(name)
        if not isinstance(tokenizer, Tokenizer):
            return None
        tokens, left_out = encoded(scene.text, tokenizer)
        size = f"{name}, {len(tokenizer.ranks):,} pieces of text: {many(len(tokens), 'token')}."
        return {
            "pieces": tokenizer.pieces(tokens),
            "ids": tokens,
            "caption": joined(size, left_out),
        }

    return strip


class VocabularyExplorer(View):
    """One text in several vocabularies, as strips, one below the other.

    GPT-2's is not on this machine: a button fetches it, gives up after 15 seconds, and says so; the boxes go on working
    meanwhile.
    """

    @dataclass(frozen=True)
    class State:
        """What is typed."""

        text: str = typed("Your text", rows=2)

    this_model, gpt_4, gpt_4o, gpt_2 = map(text_in, (THIS_MODEL, *PUBLISHED, GPT2))
    arrangement = ("text", "this_model", "gpt_4", "gpt_4o", "gpt_2", ("fetch", "progress"), "message")

    def inputs(self) -> Hashable:
        return ()

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["fetch"]]  # no page fetches for its reader

    @job(
        start="Fetch GPT-2's vocabulary (1.5 MB, from the internet)",
        when=lambda _, scene: not isinstance(scene.result("fetch"), Tokenizer),
    )
    def fetch(self, scene: Scene) -> Iterator[tuple[float, Tokenizer | str | None]]:
        """Yield the vocabulary in the end, or why there is none."""
        outcome, begun = in_a_thread(tokenization.fetch_gpt2), time.monotonic()
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
