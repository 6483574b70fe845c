"""A vocabulary in training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import traitlets

from llmviz import tokenization
from llmviz.tokenization import LearnedMerge, readable
from llmviz.views.kit.pieces import isolated, marked
from llmviz.views.kit.view import Scene, View, part
from llmviz.views.tokenization.merges import Steps
from llmviz.views.tokenization.typed_text import MAX_READ, many, start_of, typed

MAX_TRAINED_DRAWN = 700  # bytes of the text which are drawn
N_MERGES = 60


class Training(Steps):
    """A BPE vocabulary learned from a text: slide through the merges; the vocabulary grows, the text shrinks."""

    _static = "bpe_training"
    _by_page = ("step", "chosen")

    bytes = traitlets.List(traitlets.Int()).tag(sync=True)  # of the part of the text that is drawn
    # The merge that joins byte i to byte i + 1; 0: none.
    merged_at = traitlets.List(traitlets.Int()).tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)  # "116,104" → "th", marked, for every part that occurs
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)  # the learned ones, as keys of `labels`
    counts = traitlets.List(traitlets.Int()).tag(sync=True)  # how often the pair stood there
    n_parts = traitlets.List(traitlets.Int()).tag(sync=True)  # of the whole text, after 0, 1, … merges
    n_start = traitlets.Int(0).tag(sync=True)  # different single bytes: the vocabulary before the first merge
    # A learned token marked in the text; None: the newest.
    chosen = traitlets.Int(None, allow_none=True).tag(sync=True)

    @traitlets.observe("sentences")
    def _mark_the_newest(self, _change) -> None:
        self.chosen = None


def trained(text: str) -> dict:
    """Return the traits of a `Training` on a text, or on its first characters."""
    # Half a character, as broken text may hold, is no byte: it is trained on as a question mark.
    read = text[:MAX_READ].encode(errors="replace")
    learned = tokenization.train_bpe(read.decode(), N_MERGES)
    drawn, tokens = start_of(read.decode(), MAX_TRAINED_DRAWN), [b"".join(merge.pair) for merge in learned]
    return {
        "bytes": list(drawn.encode()),
        "merged_at": merged_at(drawn, learned),
        "labels": {
            _key(piece): marked(readable(piece))
            for piece in [*(bytes([byte]) for byte in sorted({*read})), *tokens]
        },
        "tokens": [_key(token) for token in tokens],
        "counts": [merge.count for merge in learned],
        "n_parts": [len(read), *(merge.n_parts for merge in learned)],
        "n_start": len({*read}),
        "sentences": _sentences(len(read), len({*read}), learned),
        "caption": f"Trained on the first {MAX_READ:,} characters." if len(text) > MAX_READ else "",
    }


def _key(piece: bytes) -> str:
    return ",".join(map(str, piece))


def merged_at(text: str, learned: Sequence[LearnedMerge]) -> list[int]:
    """Return for each byte but the last the number of the merge that joins it to the next one; 0 if none does."""

    def borders(parts: Sequence[bytes]) -> set[int]:
        return {*accumulate(map(len, parts[:-1]))}

    @functools.cache
    def inside(word: str) -> list[int]:
        parts = [bytes([byte]) for byte in word.encode()]
        result = [0] * (len(parts) - 1)
        for number, merge in enumerate(learned, 1):
            before, parts = parts, tokenization.merge_pair(parts, merge.pair)
            for border in borders(before) - borders(parts):
                result[border - 1] = number
        return result

    return [number for word in tokenization.split_words(text) for number in (*inside(word), 0)][:-1]


def _sentences(n_bytes: int, n_start: int, learned: Sequence[LearnedMerge]) -> list[str]:
    if not n_bytes:
        return ["Paste a text to learn from."]
    size = (
        f"Before training: {many(n_start, 'different byte')}, and the text is {many(n_bytes, 'part')} long."
    )
    sentences = [size if learned else f"{size} No pair occurs twice, so there is nothing to learn."]
    for number, merge in enumerate(learned, 1):
        left, right = (isolated(readable(piece)) for piece in merge.pair)
        sentences.append(
            f"Merge {number} of {len(learned)}: {left} and {right} stood side by side {merge.count:,} times. "
            f"Vocabulary: {n_start + number:,}. The text: {many(merge.n_parts, 'part')}."
        )
    return sentences


class TrainingExplorer(View):
    """A box for a text, and the vocabulary that is learned from it."""

    @dataclass(frozen=True)
    class State:
        """What is typed."""

        text: str = typed("Text to learn from", rows=4)

    def __init__(self, text: str):
        super().__init__(None, text)

    @part(lambda _: Training())
    def training(self, scene: Scene) -> dict:
        return trained(scene.text)
