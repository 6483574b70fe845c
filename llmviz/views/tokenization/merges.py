"""A word, glued step by step."""

from __future__ import annotations

from itertools import pairwise

import traitlets

from llmviz import tokenization
from llmviz.model import Trace
from llmviz.tokenization import Tokenizer, readable
from llmviz.views.kit.controls import choice
from llmviz.views.kit.picture import Explorer, Picture, Pieces, by_the_reader, one_at_a_time
from llmviz.views.kit.pieces import isolated, marked, visible
from llmviz.views.kit.text_box import Prompt
from llmviz.views.tokenization.typed_text import (
    TokenizedText,
    drawable,
    joined,
    longest_word,
    many,
    rough_words,
    text_of,
)

N_PAIRS = 12  # options of a question


class MergeReplay(Picture):
    """Byte-pair encoding replayed: single bytes at the bottom, each glued pair above its two halves.

    Under the bytes stands, for each two neighbours, the id they would have as one token; the lowest is glued next. A
    slider, a play button and the arrow keys move trait `step` (0: single bytes). Texts over 64 bytes are cut.
    Characters that the vocabulary cannot write are left out, and the caption says so.
    """

    _static = "merge_replay"
    _by_page = ("step",)
    _data = ("told",)

    step = traitlets.Int(0).tag(sync=True)
    characters = traitlets.List().tag(sync=True)  # [marked text, number of bytes]
    # A part is [first byte, byte after it, level]; bytes first, then the glued.
    spans = traitlets.List().tag(sync=True)
    labels = Pieces()  # of each part
    ids = traitlets.List(traitlets.Int()).tag(sync=True)  # of each part
    # A step is a list of [byte where two parts meet, their id together or None].
    known = traitlets.List().tag(sync=True)
    told = traitlets.List(traitlets.Unicode()).tag(sync=True)  # a sentence a step
    autoplay = traitlets.Bool(False).tag(sync=True)  # play by itself when the text changes

    def __init__(self, tokenizer: Tokenizer, text: str, *, autoplay: bool = False, **traits):
        super().__init__(autoplay=autoplay, **traits)
        self._tokenizer = tokenizer
        self._caption = self.caption
        self.show(text)

    @property
    def n_steps(self) -> int:
        """How many pairs get glued."""
        return len(self.told) - 1

    def show(self, text: str) -> None:
        """Another text, from its single bytes on."""
        drawn, told = drawable(text, self._tokenizer)
        self.change(step=0, caption=joined(self._caption, told), **_replay(drawn, self._tokenizer))

    @traitlets.validate("step")
    def _a_step(self, proposal):
        return min(max(proposal["value"], 0), max(0, len(self.told) - 1))

    def text(self) -> str:
        """A line a step."""
        return "\n".join(self.told) or "nothing to glue yet"


def _replay(text: str, tokenizer: Tokenizer) -> dict:
    """The traits of a `MergeReplay`."""
    if not text:
        return {
            "characters": [],
            "spans": [],
            "labels": [],
            "ids": [],
            "known": [],
            "told": ["Type something."],
        }
    steps = tokenizer.merges(text)
    parts = [(index, index + 1, 0) for index in range(len(steps[0].parts))]  # those of the step at hand
    spans, known, told = list(parts), [], []
    pieces, ids = list(steps[0].parts), [tokenizer.ranks[byte] for byte in steps[0].parts]
    for number, step in enumerate(steps):
        if step.pair is not None:
            left, right = parts[step.at : step.at + 2]
            glued = (left[0], right[1], 1 + max(left[2], right[2]))
            parts[step.at : step.at + 2] = [glued]
            spans.append(glued)
            pieces.append(step.pair[0] + step.pair[1])
            ids.append(step.token)
        known.append([[part[1], rank] for part, rank in zip(parts, step.known)])
        told.append(_sentence(number, len(steps) - 1, step))
    return {
        "characters": [[marked(character), len(character.encode())] for character in text],
        "spans": [list(span) for span in spans],
        "labels": [readable(piece) for piece in pieces],
        "ids": ids,
        "known": known,
        "told": told,
    }


def _sentence(number: int, n_steps: int, step: tokenization.MergeStep) -> str:
    """What happened in this step of a replay, and what comes next."""
    candidates = [rank for rank in step.known if rank is not None]
    if step.pair is None:
        said = f"Start: {many(len(step.parts), 'byte')}."
    else:
        left, right, both = (isolated(readable(part)) for part in (*step.pair, b"".join(step.pair)))
        said = f"Step {number} of {n_steps}: {left} + {right} → {both}, id {step.token}."
    if candidates:
        return f"{said} Next: the lowest of {many(len(candidates), 'known number')} is {min(candidates)}."
    return f"{said} No pair left that the vocabulary knows: {many(len(step.parts), 'token')}."


class MergeExplorer(Explorer):
    """A word of the text in a prompt's box, and its gluing from bytes to tokens.

    It begins with the longest word, at its bytes; another one plays by itself.
    """

    def __init__(self, prompt: Prompt):
        tokenizer = prompt.language_model.tokenizer
        self.word = choice([""], "", "A word of your text")
        self.replay = MergeReplay(tokenizer, "", autoplay=True)
        super().__init__([self.word, self.replay])
        self.word.observe(self._show, "value")
        self.follow(prompt, self._read)

    @one_at_a_time
    def _read(self, trace: TokenizedText | Trace) -> None:
        words, before = rough_words(text_of(trace)), self.word.value
        with self.quietly():
            self.word.options = [(visible(word), word) for word in words]
            self.word.value = before if before in words else longest_word(trace)
        if self.word.value != before:
            self.replay.show(self.word.value)

    @by_the_reader
    def _show(self, _change=None) -> None:
        self.replay.show(self.word.value)


def first_glued(trace: TokenizedText | Trace) -> tuple[list[str], str]:
    """Pairs of neighbouring bytes in the longest word of a text, and the one that is glued first.

    All pairs, of which a guess may be any; of a long word those around the right one.
    """
    steps = trace.model.tokenizer.merges(longest_word(trace))
    pairs = list(dict.fromkeys(map(_plus, pairwise(steps[0].parts))))
    if len(steps) == 1:
        none = "none" if pairs else "none: it is a single byte"
        return [*pairs[: N_PAIRS - 1], none], none
    first = _plus(steps[1].pair)
    begin = min(max(pairs.index(first) - N_PAIRS // 2, 0), max(len(pairs) - N_PAIRS, 0))
    return pairs[begin : begin + N_PAIRS], first


def _plus(pair: tuple[bytes, bytes]) -> str:
    return " + ".join(visible(readable(part)) for part in pair)
