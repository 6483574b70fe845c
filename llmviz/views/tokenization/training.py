"""A vocabulary in training."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import traitlets

from llmviz import tokenization
from llmviz.tokenization import LearnedMerge, readable
from llmviz.views.kit.picture import Explorer, Picture, one_at_a_time
from llmviz.views.kit.pieces import isolated, marked
from llmviz.views.tokenization.typed_text import joined, many, start_of, typing_box

MAX_TRAINED = 20_000  # characters that a vocabulary is trained on
MAX_TRAINED_DRAWN = 700  # bytes of that text which are drawn
MAX_MERGES = 100


class Training(Picture):
    """A BPE vocabulary learned from a text: slide through the merges; the vocabulary grows, the text shrinks.

    Trait `step` is the number of merges done. At most 100 merges, learned from the first 20,000 characters.
    """

    _static = "bpe_training"
    _by_page = ("step", "chosen")
    _data = ("told",)

    step = traitlets.Int(0).tag(sync=True)
    bytes = traitlets.List(traitlets.Int()).tag(sync=True)  # of the part of the text that is drawn
    # The merge that glues byte i to byte i + 1; 0: none.
    glued_at = traitlets.List(traitlets.Int()).tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)  # "116,104" → "th", marked, for every part that occurs
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)  # the learned ones, as keys of `labels`
    counts = traitlets.List(traitlets.Int()).tag(sync=True)  # how often the pair stood there
    n_parts = traitlets.List(traitlets.Int()).tag(sync=True)  # of the whole text, after 0, 1, … merges
    n_start = traitlets.Int(0).tag(sync=True)  # different single bytes: the vocabulary before the first merge
    told = traitlets.List(traitlets.Unicode()).tag(sync=True)  # a sentence a step
    # A learned token marked in the text; None: the newest.
    chosen = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, text: str, *, n_merges: int = 60, **traits):
        super().__init__(**traits)
        self._caption, self._n_merges = self.caption, min(n_merges, MAX_MERGES)
        self.show(text)

    def show(self, text: str) -> None:
        """Train on another text, and go back to the start."""
        # Half a character, as broken text may hold, is no byte: it is trained on as a question mark.
        trained = text[:MAX_TRAINED].encode(errors="replace").decode()
        learned = tokenization.train_bpe(trained, self._n_merges)
        drawn = start_of(trained, MAX_TRAINED_DRAWN)
        cut = f"Trained on the first {MAX_TRAINED:,} characters." if len(text) > MAX_TRAINED else ""
        data = drawn.encode()
        tokens = [merge.pair[0] + merge.pair[1] for merge in learned]
        whole = trained.encode()
        self.change(
            step=0,
            chosen=None,
            caption=joined(self._caption, cut),
            bytes=list(data),
            glued_at=glued_at(drawn, learned),
            labels={
                _key(part): marked(readable(part)) for part in [*map(_single, sorted(set(whole))), *tokens]
            },
            tokens=[_key(token) for token in tokens],
            counts=[merge.count for merge in learned],
            n_parts=[len(whole), *(merge.n_parts for merge in learned)],
            n_start=len(set(whole)),
            told=_training_told(len(whole), len(set(whole)), learned),
        )

    @traitlets.validate("step")
    def _a_step(self, proposal):
        return min(max(proposal["value"], 0), len(self.tokens))

    def text(self) -> str:
        """A line a merge."""
        return "\n".join(self.told)


def _single(byte: int) -> bytes:
    return bytes([byte])


def _key(part: bytes) -> str:
    return ",".join(map(str, part))


def glued_at(text: str, learned: Sequence[LearnedMerge]) -> list[int]:
    """For each byte of the text but the last, the number of the merge that glues it to the next one; 0 if none does."""

    @functools.cache
    def inside(word: str) -> list[int]:
        parts = [bytes([byte]) for byte in word.encode()]
        result = [0] * (len(parts) - 1)
        for number, merge in enumerate(learned, 1):
            glued = tokenization.merge_pair(parts, merge.pair)
            if len(glued) < len(parts):
                for border in _borders(parts) - _borders(glued):
                    result[border - 1] = number
                parts = glued
        return result

    numbers: list[int] = []
    for word in tokenization.split_words(text):
        numbers += [*inside(word), 0]
    return numbers[:-1]


def _borders(parts: Sequence[bytes]) -> set[int]:
    places, place = set(), 0
    for part in parts[:-1]:
        place += len(part)
        places.add(place)
    return places


def _training_told(n_bytes: int, n_start: int, learned: Sequence[LearnedMerge]) -> list[str]:
    if not n_bytes:
        return ["Paste a text to learn from."]
    told = [
        f"Before training: {many(n_start, 'different byte')}, and the text is {many(n_bytes, 'part')} long."
    ]
    for number, merge in enumerate(learned, 1):
        left, right = (isolated(readable(part)) for part in merge.pair)
        told.append(
            f"Merge {number} of {len(learned)}: {left} and {right} stood side by side {merge.count:,} times. "
            f"Vocabulary: {n_start + number:,}. The text: {many(merge.n_parts, 'part')}."
        )
    if not learned:
        told[0] += " No pair occurs twice, so there is nothing to learn."
    return told


class TrainingExplorer(Explorer):
    """A box for a text, and the vocabulary that is learned from it."""

    def __init__(self, text: str, *, n_merges: int = 60):
        self.box = typing_box(text, label="Text to learn from", rows=4)
        self.training = Training(self.box.value, n_merges=n_merges)
        self.box.observe(self._show, "value")
        super().__init__([self.box, self.training])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        self.training.show(self.box.value)
