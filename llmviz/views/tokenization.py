"""Pictures of stage 1: gluing replayed, a vocabulary in training, tokens counted, characters taken apart into bytes."""

from __future__ import annotations

import functools
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import regex
import traitlets

from llmviz import tokenization
from llmviz.tokenization import LearnedMerge, Tokenizer, readable
from llmviz.views.picture import Explorer, Picture, Pieces, lines, one_at_a_time, script, style
from llmviz.views.pieces import clean, isolated, marked, visible
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.token_strip import TokenStrip

MAX_REPLAYED = 64  # bytes whose gluing is drawn, one column each
MAX_TAKEN_APART = 64  # bytes drawn one by one
MAX_TRAINED = 20_000  # characters that a vocabulary is trained on
MAX_TRAINED_DRAWN = 700  # bytes of that text which are drawn
MAX_MERGES = 100
MAX_COUNTED = 20_000  # characters of a text that is only counted
GPT2_SECONDS = 15  # how long to wait for GPT-2's vocabulary


def many(n: int, thing: str) -> str:
    """ "1 token", "1,234 tokens"."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def start_of(text: str, n_bytes: int) -> str:
    """The longest start of the text that has at most `n_bytes` bytes and ends with a whole character."""
    return text.encode()[:n_bytes].decode(errors="ignore")


def writable(text: str, tokenizer: Tokenizer) -> tuple[str, str]:
    """The text as far as the vocabulary can write it, and a sentence about what was left out ("" if nothing)."""
    kept, dropped = tokenization.drop_unwritable(text, tokenizer.ranks)
    if not dropped:
        return text, ""
    names = dict.fromkeys(f"U+{ord(one.character):04X}" for one in dropped)
    shown = ", ".join(list(names)[:4]) + (" …" if len(names) > 4 else "")
    return kept, f"Left out, since this vocabulary has no token for it: {shown}."


def token_id(tokenizer: Tokenizer, token: int) -> Explanation:
    """Why a token has the id it has."""
    piece = tokenizer.pieces([token])[0]
    special = {number: name for name, number in tokenizer.special_tokens.items()}
    if token in special:
        return Explanation(
            f"The id of {isolated(piece)}",
            "a special token: its id was given by hand, and no typed text ever becomes it",
            [
                Operand("special_tokens", tokenizer.special_tokens, "model.tokenizer.special_tokens"),
                Operand("name", special[token]),
            ],
            "special_tokens[name]",
            token,
        )
    steps = tokenizer.merges(tokenizer.decode([token])) if "\ufffd" not in tokenizer.decode([token]) else []
    glued = [f"{visible(readable(step.pair[0]))} + {visible(readable(step.pair[1]))}" for step in steps[1:]]
    written = next(key for key, number in tokenizer.ranks.items() if number == token)
    return Explanation(
        f"The id of {isolated(piece)}",
        "id = the token's place in the list that training learned; a smaller id was learned earlier",
        [
            Operand("ranks", tokenizer.ranks, "model.tokenizer.ranks"),
            Operand("piece", written),
            *([Operand("glued from", ", then ".join(glued))] if glued else []),
        ],
        "ranks[piece]",
        token,
    )


# ---- a word, glued step by step ----


class MergeReplay(Picture):
    """Byte-pair encoding replayed: single bytes at the bottom, each glued pair above its two halves.

    Under the bytes stands, for each two neighbours, the id they would have as one token; the lowest is glued next. A
    slider, a play button and the arrow keys move trait `step` (0: single bytes). Texts over 64 bytes are cut.
    Characters that the vocabulary cannot write are left out, and the caption says so.
    """

    _esm = script("merge_replay")
    _css = style("merge_replay")
    _data = ("told",)

    step = traitlets.Int(0).tag(sync=True)
    characters = traitlets.List().tag(sync=True)  # [marked text, number of bytes]
    spans = traitlets.List().tag(
        sync=True
    )  # a part is [first byte, byte after it, level]; bytes first, then the glued
    labels = Pieces()  # of each part
    ids = traitlets.List(traitlets.Int()).tag(sync=True)  # of each part
    known = traitlets.List().tag(
        sync=True
    )  # a step is a list of [byte where two parts meet, their id together or None]
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

    def show(self, text: str, tokenizer: Tokenizer | None = None) -> None:
        """Another text (or another vocabulary), from its single bytes on."""
        self._tokenizer = tokenizer or self._tokenizer
        kept, left_out = writable(text, self._tokenizer)
        drawn = start_of(kept, MAX_REPLAYED)
        cut = (
            f"The first {many(len(drawn), 'character')} of {len(kept):,} are glued here."
            if drawn != kept
            else ""
        )
        self.change(
            step=0,
            caption=" ".join(part for part in (self._caption, left_out, cut) if part),
            **_replay(drawn, self._tokenizer),
        )

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


# ---- a vocabulary in training ----


class Training(Picture):
    """A BPE vocabulary learned from a text: slide through the merges; the vocabulary grows, the text shrinks.

    Trait `step` is the number of merges done. At most 100 merges, learned from the first 20,000 characters.
    """

    _esm = script("bpe_training")
    _css = style("bpe_training")
    _data = ("told",)

    step = traitlets.Int(0).tag(sync=True)
    bytes = traitlets.List(traitlets.Int()).tag(sync=True)  # of the part of the text that is drawn
    glued_at = traitlets.List(traitlets.Int()).tag(
        sync=True
    )  # the merge that glues byte i to byte i + 1; 0: none
    labels = traitlets.Dict().tag(sync=True)  # "116,104" → "th", marked, for every part that occurs
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)  # the learned ones, as keys of `labels`
    counts = traitlets.List(traitlets.Int()).tag(sync=True)  # how often the pair stood there
    n_parts = traitlets.List(traitlets.Int()).tag(sync=True)  # of the whole text, after 0, 1, … merges
    n_start = traitlets.Int(0).tag(sync=True)  # different single bytes: the vocabulary before the first merge
    told = traitlets.List(traitlets.Unicode()).tag(sync=True)  # a sentence a step
    chosen = traitlets.Int(None, allow_none=True).tag(
        sync=True
    )  # a learned token marked in the text; None: the newest

    def __init__(self, text: str, *, n_merges: int = 60, **traits):
        super().__init__(**traits)
        self._caption, self._n_merges = self.caption, n_merges
        self.show(text)

    def show(self, text: str, n_merges: int | None = None) -> None:
        """Train on another text, or for another number of merges, and go back to the start."""
        self._n_merges = min(self._n_merges if n_merges is None else n_merges, MAX_MERGES)
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
            caption=" ".join(part for part in (self._caption, cut) if part),
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
            glued = tokenization.glue(parts, merge.pair)
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


# ---- characters, their bytes, their tokens ----


class TakenApart(Picture):
    """A short text in four rows over the same bytes: what you see, its characters, its bytes, its tokens.

    One sign on the screen may be several characters, a character is 1 to 4 bytes, and a token may hold part of a
    character. Pointer or arrow keys move `selected` [row, index]; the line below tells about it.
    """

    _esm = script("taken_apart")
    _css = style("taken_apart")
    _data = ("rows",)

    rows = traitlets.List().tag(
        sync=True
    )  # {"name", "cells": [[first byte, byte after it, marked, small, told]]}
    selected = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)

    def __init__(self, tokenizer: Tokenizer, text: str, **traits):
        super().__init__(**traits)
        self._tokenizer, self._caption = tokenizer, self.caption
        self.show(text)

    def show(self, text: str) -> None:
        """Another text, in place. Over 64 bytes the first 64 are drawn; what cannot be written is left out."""
        kept, left_out = writable(text, self._tokenizer)
        drawn = start_of(kept, MAX_TAKEN_APART)
        cut = (
            f"The first {len(drawn.encode())} of {len(kept.encode()):,} bytes are drawn."
            if drawn != kept
            else ""
        )
        self.change(
            selected=None,
            caption=" ".join(part for part in (self._caption, left_out, cut) if part),
            rows=_rows(drawn, self._tokenizer) if drawn else [],
        )

    def text(self) -> str:
        """A line a row."""
        rows = []
        for row in self.rows:
            cells = (
                _unmarked(f"{label} {small}").replace("\n", "").strip()
                for _, _, label, small, _ in row["cells"]
            )
            rows.append(f"{row['name']}: {' | '.join(cells)}")
        return "\n".join(rows) or "nothing to take apart yet"


def _unmarked(label: str) -> str:
    return label.replace("\x01", "").replace("\x02", "")


def _rows(text: str, tokenizer: Tokenizer) -> list[dict]:
    data = text.encode()
    signs = [
        (sign, f"{many(len(sign), 'character')}, {many(len(sign.encode()), 'byte')}")
        for sign in regex.findall(r"\X", text)
    ]
    borders = {0, *_ends([len(character.encode()) for character in text])}
    tokens = tokenizer.encode(text)
    lengths = [len(part) for part in tokenizer.merges(text)[-1].parts]
    seen = [
        [*span, marked(sign), "", f"One sign on the screen, {isolated(sign)}: {told}."]
        for span, (sign, told) in zip(_spans([len(sign.encode()) for sign, _ in signs]), signs)
    ]
    characters = [
        [*span, marked(character), f"U+{ord(character):04X}", _about_character(character)]
        for span, character in zip(_spans([len(character.encode()) for character in text]), text)
    ]
    single = [
        [at, at + 1, f"{byte:02X}", f"{byte:08b}"[:4] + "\n" + f"{byte:08b}"[4:], _about_byte(byte)]
        for at, byte in enumerate(data)
    ]
    glued = []
    for span, token, piece in zip(_spans(lengths), tokens, tokenizer.pieces(tokens)):
        whole = span[0] in borders and span[1] in borders
        about = f"Token {isolated(piece)}, id {token}: {many(span[1] - span[0], 'byte')}"
        glued.append(
            [
                *span,
                marked(piece) if whole else "",
                str(token),
                about + ("." if whole else ", not a whole character."),
            ]
        )
    return [
        {"name": "what you see", "cells": seen},
        {"name": "characters", "cells": characters},
        {"name": "bytes", "cells": single},
        {"name": "tokens", "cells": glued},
    ]


def _ends(lengths: Sequence[int]) -> list[int]:
    ends, place = [], 0
    for length in lengths:
        place += length
        ends.append(place)
    return ends


def _spans(lengths: Sequence[int]) -> list[tuple[int, int]]:
    return [(end - length, end) for end, length in zip(_ends(lengths), lengths)]


def _about_character(character: str) -> str:
    name = unicodedata.name(character, "").lower()
    return f"Character U+{ord(character):04X}{', ' + name if name else ''}: {many(len(character.encode()), 'byte')}."


def _about_byte(byte: int) -> str:
    what = "a whole character by itself"
    if byte >= 0xC0:
        what = f"starts a character of {2 + (byte >= 0xE0) + (byte >= 0xF0)} bytes"
    elif byte >= 0x80:
        what = "goes on with a character"
    return f"Byte {byte} = 0x{byte:02X} = {byte:08b}: {what}."


# ---- tokens counted ----


class TokenCounts(Picture):
    """How many tokens each of several texts is, as bars; `before` draws an outline to compare with.

    notes: one more string a row, behind the bar. A click or the arrow keys select a row (trait `selected`).
    """

    _esm = script("token_counts")
    _css = style("token_counts")
    _data = ("labels", "counts", "before", "notes")

    labels = Pieces()
    counts = traitlets.List(traitlets.Int(min=0)).tag(sync=True)
    before = traitlets.List(traitlets.Int(min=0), default_value=None, allow_none=True).tag(sync=True)
    before_label = traitlets.Unicode("before").tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, labels: Sequence[str], counts: Sequence[int], *, notes: Sequence[str] = (), **traits):
        super().__init__(labels=labels, counts=[int(n) for n in counts], notes=list(notes), **traits)

    def text(self) -> str:
        rows = []
        for i, (label, n) in enumerate(zip(self.labels, self.counts)):
            was = [f"{self.before_label}: {self.before[i]:,}"] if self.before else []
            rows.append([visible(label), f"{n:,}", *self.notes[i : i + 1], *was])
        return lines(rows)

    @traitlets.validate("selected")
    def _a_row(self, proposal):
        value = proposal["value"]
        if value is not None and not 0 <= value < len(self.labels):
            raise traitlets.TraitError(f"selected is a row from 0 to {len(self.labels) - 1}, not {value}")
        return value


# ---- pictures with the boxes and buttons that drive them ----

THIS_MODEL = "this model"
PUBLISHED = {"GPT-4 (cl100k_base)": "cl100k_base", "GPT-4o (o200k_base)": "o200k_base"}


@functools.cache
def _published(name: str) -> Tokenizer:
    return tokenization.published(name)


def typing_box(text: str, *, label: str, rows: int = 1) -> ipywidgets.Text | ipywidgets.Textarea:
    """A box to type in, as wide as the page; every key counts, not only Enter."""
    look = {
        "description": label,
        "layout": {"width": "calc(100% - 6px)"},
        "style": {"description_width": "initial"},
    }
    if rows == 1:
        return ipywidgets.Text(clean(text), continuous_update=True, **look)
    return ipywidgets.Textarea(clean(text), continuous_update=True, rows=rows, **look)


class TextTokens(Explorer):
    """A box to type in, and the text's tokens. A click on a token says where its id comes from."""

    def __init__(self, tokenizer: Tokenizer, text: str, *, rows: int = 2):
        self.tokenizer = tokenizer
        self.box = typing_box(text, label="Your text", rows=rows)
        self.strip = TokenStrip([], provenance=self._explain)
        self.box.observe(self._show, "value")
        self._show()
        super().__init__([self.box, self.strip])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        text, left_out = writable(self.box.value, self.tokenizer)
        tokens = self.tokenizer.encode(text)
        said = f"{many(len(tokens), 'token')} for {many(len(text), 'character')} ({many(len(text.encode()), 'byte')})."
        if not text and not left_out:
            said = "An empty text has no tokens. Type something."
        self.strip.change(
            selected=None,
            asked=None,
            pieces=self.tokenizer.pieces(tokens),
            ids=tokens,
            caption=f"{said} {left_out}".strip(),
        )

    def _explain(self, position: int) -> Explanation:
        return token_id(self.tokenizer, self.strip.ids[position])


class MergeExplorer(Explorer):
    """A box for a word, and its gluing from bytes to tokens; it plays by itself when the typing pauses."""

    def __init__(self, tokenizer: Tokenizer, text: str):
        self.box = typing_box(text, label="Your word or name")
        self.replay = MergeReplay(tokenizer, self.box.value, autoplay=True)
        self.replay.step = self.replay.n_steps  # all of it at first sight; Play begins again
        self.box.observe(self._show, "value")
        super().__init__([self.box, self.replay])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        self.replay.show(self.box.value)


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


class ByteExplorer(Explorer):
    """A box for a few characters, and their bytes and tokens."""

    def __init__(self, tokenizer: Tokenizer, text: str):
        self.box = typing_box(text, label="Emoji, letters, anything")
        self.picture = TakenApart(tokenizer, self.box.value)
        self.box.observe(self._show, "value")
        super().__init__([self.box, self.picture])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        self.picture.show(self.box.value)


class LanguageExplorer(Explorer):
    """The same sentence in several languages: tokens of each, in one vocabulary or another; one of them in full.

    sentences: language → sentence; the first is what the others are compared with. n_ctx: how many tokens the model
    can read at once. A box adds a sentence of the reader's own.
    """

    def __init__(self, tokenizer: Tokenizer, sentences: Mapping[str, str], *, n_ctx: int):
        self.tokenizer, self.sentences, self.n_ctx = tokenizer, dict(sentences), n_ctx
        self.vocabulary = ipywidgets.Dropdown(
            options=[THIS_MODEL, *PUBLISHED],
            description="Vocabulary",
            layout={"width": "340px"},
            style={"description_width": "initial"},
        )
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
        tokenizer = self.tokenizer if name == THIS_MODEL else _published(PUBLISHED[name])
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
            caption=f"The same sentence in {len(texts)} versions, in the vocabulary of {name}: how many tokens, "
            f"how many that is a character, and how many times as many as for {first}.",
        )
        self._show_one()

    @one_at_a_time
    def _show_one(self, _change=None) -> None:
        row = self.counts.selected or 0
        language, text = list(self.texts.items())[row]
        tokenizer, tokens, left_out = self._encode(text, self.vocabulary.value)
        n_bytes = len(text.encode(errors="replace"))
        said = f"{language}: {many(len(tokens), 'token')} for {many(len(text), 'character')}, {many(n_bytes, 'byte')}."
        fits = f"A window of {self.n_ctx:,} tokens holds this sentence {self.n_ctx // max(1, len(tokens)):,} times."
        self.strip.change(
            selected=None,
            pieces=tokenizer.pieces(tokens),
            ids=tokens,
            caption=" ".join(part for part in (said, fits, left_out) if part),
        )


class VocabularyExplorer(Explorer):
    """One text in several vocabularies, as strips, one below the other.

    GPT-2's is not on this machine: a button fetches it, gives up after 15 seconds, and says so; the boxes go on working
    meanwhile. fetch: what gets it.
    """

    def __init__(self, tokenizer: Tokenizer, text: str, *, fetch: Callable[[], Tokenizer] | None = None):
        self._fetch = fetch or tokenization.fetch_gpt2
        self.tokenizers = {THIS_MODEL: tokenizer} | {name: _published(key) for name, key in PUBLISHED.items()}
        self.box = typing_box(text, label="Your text", rows=2)
        self.strips = {name: TokenStrip([]) for name in self.tokenizers}
        self.button = ipywidgets.Button(
            description="Fetch GPT-2's vocabulary (1.5 MB, from the internet)", layout={"width": "auto"}
        )
        self.message = ipywidgets.Label()
        self.button.on_click(self._add_gpt2)
        self.box.observe(self._show, "value")
        self._show()
        super().__init__([self.box, *self.strips.values(), ipywidgets.HBox([self.button, self.message])])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        for name, strip in self.strips.items():
            tokenizer = self.tokenizers[name]
            text, left_out = writable(self.box.value, tokenizer)
            tokens = tokenizer.encode(text)
            size = len(tokenizer.ranks) + len(tokenizer.special_tokens)
            strip.change(
                selected=None,
                pieces=tokenizer.pieces(tokens),
                ids=tokens,
                caption=f"{name}, a vocabulary of {size:,}: {many(len(tokens), 'token')}. {left_out}".strip(),
            )

    def _add_gpt2(self, _button) -> None:
        self.button.disabled = True
        self.message.value = f"Fetching … ({GPT2_SECONDS:g} seconds at the most)"
        self.fetching = threading.Thread(target=self._wait_for_gpt2, daemon=True)
        self.fetching.start()

    def _wait_for_gpt2(self) -> None:
        self._join(within(self._fetch, GPT2_SECONDS))

    @one_at_a_time
    def _join(self, got: Tokenizer | str) -> None:
        """Another strip, or the reason why there is none."""
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
        self.children = [self.box, *self.strips.values()]


def within(function: Callable, seconds: float):
    """What the function returns, or one plain reason why it does not: too slow, no network, a broken file."""
    outcome: list = []

    def work():
        try:
            outcome.append(function())
        except OSError:
            outcome.append("no connection to where it lies")
        except Exception as error:  # a page that is not the file, a full disk: said, never thrown at a reader
            outcome.append(f"{type(error).__name__}")

    # Not a pool: a thread that hangs in the network must not keep the kernel from ending.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] if outcome else f"no answer within {seconds:g} seconds"


class ChatExplorer(Explorer):
    """A conversation as the model reads it: the chat template's special tokens (dashed) around what was typed."""

    def __init__(self, tokenizer: Tokenizer, user: str, *, system: str | None = None):
        self.tokenizer = tokenizer
        self.system = typing_box(system or tokenizer.system_prompt or "", label="System")
        self.user = typing_box(user, label="You")
        self.strip = TokenStrip([], provenance=self._explain)
        self.system.observe(self._show, "value")
        self.user.observe(self._show, "value")
        self._show()
        super().__init__([self.system, self.user, self.strip])

    @one_at_a_time
    def _show(self, _change=None) -> None:
        (system, without), (user, left_out) = (
            writable(box.value, self.tokenizer) for box in (self.system, self.user)
        )
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        tokens = self.tokenizer.encode_chat(messages)
        special = set(self.tokenizer.special_tokens.values())
        highlight = [position for position, token in enumerate(tokens) if token in special]
        said = f"{many(len(tokens), 'token')}, {len(highlight)} of them special (dashed)."
        self.strip.change(
            selected=None,
            asked=None,
            pieces=self.tokenizer.pieces(tokens),
            ids=tokens,
            highlight=highlight,
            caption=" ".join(part for part in (said, without or left_out) if part),
        )

    def _explain(self, position: int) -> Explanation:
        return token_id(self.tokenizer, self.strip.ids[position])
