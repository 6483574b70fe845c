"""A word, merged step by step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import traitlets

from llmviz.model import Trace
from llmviz.tokenization import MergeStep, Tokenizer, readable
from llmviz.views.kit import controls
from llmviz.views.kit.picture import Picture, Pieces
from llmviz.views.kit.pieces import isolated, marked, visible
from llmviz.views.kit.state_fields import picked
from llmviz.views.kit.view import Scene, View, part
from llmviz.views.tokenization.typed_text import (
    TokenizedText,
    drawable,
    longest_word,
    many,
    rough_words,
    text_of,
)

N_PAIRS = 12  # options of a question


class Steps(Picture):
    """A picture of steps: a slider, a play button and the arrow keys move `step`, which other `sentences` set back."""

    _by_page = ("step",)
    _data = ("sentences",)

    step = traitlets.Int(0).tag(sync=True)
    sentences = traitlets.List(traitlets.Unicode()).tag(sync=True)  # one for each step, the first is 0

    @traitlets.validate("step")
    def _a_step(self, proposal):
        return min(max(proposal["value"], 0), max(0, len(self.sentences) - 1))

    @traitlets.observe("sentences")
    def _start_again(self, _change) -> None:
        self.step = 0

    def text(self) -> str:
        """Return a line a step."""
        return "\n".join(self.sentences) or "nothing to glue yet"


class MergeReplay(Steps):
    """Byte-pair encoding replayed: single bytes at the bottom (step 0), each merged pair above its two halves.

    Under the bytes stands, for each two neighbours, the id they would have as one token; the lowest is merged next.
    """

    _static = "merge_replay"

    characters = traitlets.List().tag(sync=True)  # [marked text, number of bytes]
    # A part is [first byte, byte after it, level]; bytes first, then the merged.
    spans = traitlets.List().tag(sync=True)
    labels = Pieces()  # of each part
    ids = traitlets.List(traitlets.Int()).tag(sync=True)  # of each part
    # A step is a list of [byte where two parts meet, their id together or None].
    known = traitlets.List().tag(sync=True)
    autoplay = traitlets.Bool(False).tag(sync=True)  # play by itself when the parts change


def replay(text: str, tokenizer: Tokenizer) -> dict:
    """Return the traits of a `MergeReplay`. Of a long text its start is drawn; what cannot be written is left out."""
    drawn, left_out = drawable(text, tokenizer)
    steps = tokenizer.merges(drawn)
    bytes_ = list(steps[0].parts)
    parts = [(index, index + 1, 0) for index in range(len(bytes_))]  # those of the step at hand
    spans, known = list(parts), []
    for step in steps:
        if step.at is not None:
            (start, _, below), (_, end, beside) = parts[step.at : step.at + 2]
            parts[step.at : step.at + 2] = [(start, end, 1 + max(below, beside))]
            spans.append(parts[step.at])
        known.append([[end, rank] for (_, end, _), rank in zip(parts, step.known)])
    return {
        "characters": [[marked(character), len(character.encode())] for character in drawn],
        "spans": [list(span) for span in spans],
        "labels": [readable(piece) for piece in [*bytes_, *(b"".join(step.pair) for step in steps[1:])]],
        "ids": [*(tokenizer.ranks[byte] for byte in bytes_), *(step.token for step in steps[1:])],
        "known": known,
        "sentences": [_sentence(number, len(steps) - 1, step) for number, step in enumerate(steps)],
        "caption": left_out,
    }


def _sentence(number: int, n_steps: int, step: MergeStep) -> str:
    """Say what has happened in a step, and what comes next."""
    if step.pair is None:
        before = f"Start: {many(len(step.parts), 'byte')}."
    else:
        left, right, both = (isolated(readable(piece)) for piece in (*step.pair, b"".join(step.pair)))
        before = f"Step {number} of {n_steps}: {left} + {right} → {both}, id {step.token}."
    if candidates := [rank for rank in step.known if rank is not None]:
        return f"{before} Next: the lowest of {many(len(candidates), 'known number')} is {min(candidates)}."
    return f"{before} No pair left that the vocabulary knows: {many(len(step.parts), 'token')}."


def _words(view: View) -> list[str]:
    return rough_words(text_of(view.run))


class MergeExplorer(View):
    """A word of the text in a prompt's box, and its merging from bytes to tokens.

    It begins with the longest word, at its bytes; another one plays by itself.
    """

    @dataclass(frozen=True)
    class State:
        """The word; None: the longest."""

        word: str | None = picked(
            None,
            lambda word, view: word is None or word in _words(view),
            "a word of the text, or None",
            control=lambda word, view: controls.choice([], None, "A word of your text"),
            on_page=_words,
            outlives_text=True,
            shows=lambda word, view: {
                "options": tuple((visible(each), each) for each in _words(view)),
                "value": word or longest_word(view.run),
            },
        )

    @part(lambda _: MergeReplay(autoplay=True))
    def replay(self, scene: Scene) -> dict:
        return replay(scene.word or longest_word(scene.run), scene.run.model.tokenizer)


def first_glued(trace: TokenizedText | Trace) -> tuple[list[str], str]:
    """Return pairs of neighbouring bytes in the longest word of a text, and the pair that is merged first.

    They are all pairs, of which a guess may be any; of a long word those around the right one.
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
