"""Byte-pair encoding: a word merged step by step, and a vocabulary in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import traitlets

from llmviz import tokenization
from llmviz.experiments.words import TokenizedText, longest_word, text_of, words_of
from llmviz.model import Trace
from llmviz.tokenization import LearnedMerge, MergeStep, Tokenizer, readable
from llmviz.views.kit import controls
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Picture, Pieces
from llmviz.views.kit.pieces import isolated, marked, visible
from llmviz.views.kit.state_fields import picked
from llmviz.views.kit.view import Scene, View, part
from llmviz.views.tokenization.typed_text import MAX_READ, drawable, start_of, typed

N_PAIRS = 12  # options of a question
N_MERGES = 60  # of a training
MAX_TRAINED_DRAWN = 700  # bytes of a training's text that are drawn


class Steps(Picture):
    """A picture of steps: a slider, a play button and the arrow keys move `step`; new `sentences` set it back."""

    _by_page = ("step",)

    step = traitlets.Int(0).tag(sync=True)
    sentences = traitlets.List(traitlets.Unicode()).tag(sync=True)  # one for each step, the first is 0

    def page_values(self) -> dict:
        return {"step": range(len(self.sentences))}

    @traitlets.validate("step")
    def _a_step(self, proposal):
        return min(max(proposal["value"], 0), max(0, len(self.sentences) - 1))

    @traitlets.observe("sentences")
    def _start_again(self, _change) -> None:
        self.step = 0

    def text(self) -> str:
        """Return a line for each step."""
        return "\n".join(self.sentences) or "nothing to merge yet"


class MergeReplay(Steps):
    """Byte-pair encoding replayed: single bytes at the bottom (step 0), each merged pair above its two parts.

    Below each two neighbours is the id that they would have as one token; the pair with the lowest is merged next.
    """

    _static = "merge_replay"

    characters = traitlets.List().tag(sync=True)  # [marked text, number of bytes]
    # [first byte, byte after the last, level] of each part: first the bytes, then the merged parts.
    spans = traitlets.List().tag(sync=True)
    labels = Pieces()  # of each part
    ids = traitlets.List(traitlets.Int()).tag(sync=True)  # of each part
    # For each step, the pairs of neighbours: [byte where they meet, their id as one token or None].
    known = traitlets.List().tag(sync=True)


def replay(text: str, tokenizer: Tokenizer) -> dict:
    """Return the traits of a `MergeReplay`, for the start of a long text, and without what cannot be written."""
    drawn, left_out = drawable(text, tokenizer)
    steps, unit = tokenizer.merges(drawn), tokenizer.starts_from
    bytes_ = list(steps[0].parts)
    ends = accumulate(map(len, bytes_))  # some vocabularies begin with characters, which may be several bytes
    parts = [(end - len(part), end, 0) for part, end in zip(bytes_, ends)]  # those of the current step
    spans, known = list(parts), []
    for step in steps:
        if step.at is not None:
            (start, _, below), (_, end, beside) = parts[step.at : step.at + 2]
            parts[step.at : step.at + 2] = [(start, end, 1 + max(below, beside))]
            spans.append(parts[step.at])
        known.append([[end, rank] for (_, end, _), rank in zip(parts, step.known)])
    return {
        "characters": [[marked(each), len(each.encode())] for each in b"".join(bytes_).decode()],
        "spans": [list(span) for span in spans],
        "labels": [readable(piece) for piece in [*bytes_, *(b"".join(step.pair) for step in steps[1:])]],
        "ids": [*(tokenizer.ids[byte] for byte in bytes_), *(step.token for step in steps[1:])],
        "known": known,
        "sentences": [_sentence(number, len(steps) - 1, step, unit) for number, step in enumerate(steps)],
        "caption": left_out,
    }


def _sentence(number: int, n_steps: int, step: MergeStep, unit: str) -> str:
    """Say what has happened in a step, and what comes next."""
    if step.pair is None:
        before = f"Start: {amount(len(step.parts), unit)}."
    else:
        left, right, both = (isolated(readable(piece)) for piece in (*step.pair, b"".join(step.pair)))
        before = f"Step {number} of {n_steps}: {left} + {right} → {both}, id {step.token}."
    if candidates := [rank for rank in step.known if rank is not None]:
        lowest = min(candidates)
        others = f", the lowest of {len(candidates)} ids" if len(candidates) > 1 else ""
        return f"{before} Next: id {lowest}{others}."
    if len(step.parts) == 1:
        return f"{before} Only one piece is left: 1 token."
    return f"{before} No two neighbours form a token, so this is {amount(len(step.parts), 'tokens')}."


def _words(view: View) -> list[str]:
    return words_of(text_of(view.run))


class MergeExplorer(View):
    """A word of the text in a prompt's box, merged from bytes to tokens: the longest, until the reader chooses one."""

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

    @part(MergeReplay)
    def replay(self, scene: Scene) -> dict:
        return replay(scene.word or longest_word(scene.run), scene.run.model.tokenizer)


def first_merged(trace: TokenizedText | Trace) -> tuple[list[str], str]:
    """Return the pairs of neighbouring bytes in the longest word of a text, and the pair that is merged first.

    Of a long word, only `N_PAIRS` around the right one are returned.
    """
    steps = trace.model.tokenizer.merges(longest_word(trace))
    pairs = list(dict.fromkeys(map(_plus, pairwise(steps[0].parts))))
    if len(steps) == 1:
        none = "none" if pairs else "none: it's a single byte"
        return [*pairs[: N_PAIRS - 1], none], none
    first = _plus(steps[1].pair)
    begin = min(max(pairs.index(first) - N_PAIRS // 2, 0), max(len(pairs) - N_PAIRS, 0))
    return pairs[begin : begin + N_PAIRS], first


def about_first_merge(trace: TokenizedText | Trace) -> str:
    """Say by which id a pair of the longest word is merged first; nothing if none is."""
    start, *merges = trace.model.tokenizer.merges(longest_word(trace))
    n = sum(rank is not None for rank in start.known)
    if not merges:
        return ""
    others = f", the lowest id of {n} pairs" if n > 1 else ""
    return f"As one token, {_plus(merges[0].pair)} has id {merges[0].token:,}{others}."


def _plus(pair: tuple[bytes, bytes]) -> str:
    return " + ".join(visible(readable(part)) for part in pair)


# --- a vocabulary in training ---


class Training(Steps):
    """A BPE vocabulary learned from a text: with each merge, the vocabulary grows and the text shrinks."""

    _static = "bpe_training"
    _by_page = ("step", "chosen")

    bytes = traitlets.List(traitlets.Int()).tag(sync=True)  # of the part of the text that is drawn
    # The number of the merge that joins byte i to byte i + 1; 0: none does.
    merged_at = traitlets.List(traitlets.Int()).tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)  # the marked text of every part, such as "116,104" → "th"
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)  # the learned tokens, as keys of `labels`
    counts = traitlets.List(traitlets.Int()).tag(sync=True)  # how often each pair occurred
    n_parts = traitlets.List(traitlets.Int()).tag(sync=True)  # of the whole text, after 0, 1, … merges
    n_start = traitlets.Int(0).tag(sync=True)  # different bytes: the vocabulary before the first merge
    # The learned token that is marked in the text; None: the newest.
    chosen = traitlets.Int(None, allow_none=True).tag(sync=True)

    def page_values(self) -> dict:
        return super().page_values() | {"chosen": [None, *range(len(self.tokens))]}

    @traitlets.observe("sentences")
    def _mark_the_newest(self, _change) -> None:
        self.chosen = None


def trained(text: str) -> dict:
    """Return the traits of a `Training` on the first `MAX_READ` characters of a text."""
    # A lone surrogate cannot be written in bytes, so it becomes a question mark.
    read = text[:MAX_READ].encode(errors="replace")
    learned = tokenization.train_bpe(read.decode(), N_MERGES)
    drawn, tokens = start_of(read.decode(), MAX_TRAINED_DRAWN), [b"".join(merge.pair) for merge in learned]
    return {
        "bytes": list(drawn.encode()),
        "merged_at": tokenization.merged_at(drawn, learned),
        "labels": {
            _key(piece): marked(readable(piece))
            for piece in [*(bytes([byte]) for byte in sorted({*read})), *tokens]
        },
        "tokens": [_key(token) for token in tokens],
        "counts": [merge.count for merge in learned],
        "n_parts": [len(read), *(merge.n_parts for merge in learned)],
        "n_start": len({*read}),
        "sentences": _training(len(read), len({*read}), learned),
        "caption": f"Learned from the first {MAX_READ:,} characters." if len(text) > MAX_READ else "",
    }


def _key(piece: bytes) -> str:
    return ",".join(map(str, piece))


def _training(n_bytes: int, n_start: int, learned: Sequence[LearnedMerge]) -> list[str]:
    if not n_bytes:
        return ["Type or paste a text to learn from."]
    size = f"Before training: {amount(n_start, 'different bytes')}; the text is {amount(n_bytes, 'tokens')} long."
    sentences = [size if learned else f"{size} No pair occurs twice, so there's nothing to learn."]
    for number, merge in enumerate(learned, 1):
        left, right = (isolated(readable(piece)) for piece in merge.pair)
        sentences.append(
            f"Merge {number} of {len(learned)}: {left} + {right} occurred {merge.count:,} times. "
            f"Vocabulary: {n_start + number:,}. Text: {amount(merge.n_parts, 'tokens')}."
        )
    if 0 < len(learned) < N_MERGES:
        sentences[-1] += " No pair occurs twice any more, so training stops here."
    return sentences


def most_frequent_pair(text: str) -> str:
    """Return the pair of neighbouring bytes that is most frequent inside the words of a text."""
    return _plus(tokenization.train_bpe(text, 1)[0].pair)


def about_frequent_pairs(text: str) -> str:
    """Say how often the two most frequent pairs of a text occur, and, if it matters, that a space counts."""
    pairs = (bytes(pair) for word in tokenization.split_words(text) for pair in pairwise(word.encode()))
    (first, n), (second, n_second) = Counter(pairs).most_common(2)
    first, second = (_plus((pair[:1], pair[1:])) for pair in (first, second))
    counted = f"{first} occurs {n} times, {second} {n_second} times."
    return f"{counted} The space before a word belongs to the word." if "·" in first else counted


class TrainingExplorer(View):
    """A box for a text, and the vocabulary learned from it."""

    @dataclass(frozen=True)
    class State:
        """What is typed."""

        text: str = typed("Text to learn from", rows=4)

    def __init__(self, text: str):
        super().__init__(None, text)

    @part(Training)
    def training(self, scene: Scene) -> dict:
        return trained(scene.text)
