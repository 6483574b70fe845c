"""Pictures of stage 2: the table's rows, cosines against their baseline, neighbours, a map, arithmetic on words."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import ipywidgets
import numpy as np
import traitlets

from llmviz import embeddings
from llmviz.model import Model
from llmviz.tokenization import Tokenizer, describe_unwritable, drop_unwritable
from llmviz.views import provenance, theme
from llmviz.views.flat_map import FlatMap, table
from llmviz.views.picture import (
    Explorer,
    Floats,
    Picture,
    Pieces,
    Text,
    lines,
    one_at_a_time,
    percent,
    script,
    style,
)
from llmviz.views.pieces import clean, isolate, isolated, visible, visible_label
from llmviz.views.provenance import Explanation, Operand
from llmviz.views.text_box import TextBox
from llmviz.views.token_strip import TokenStrip
from llmviz.views.vector_picture import VectorPicture

N_FREQUENT = (
    5_000  # ids are in the order in which BPE learned the tokens, so the first ones are the frequent ones
)
N_PAIRS = 5_000
MAX_TYPED = 100  # characters in a box for one word
EDGES = np.linspace(-0.5, 1.0, 61)  # of the histogram: fixed, so that two baselines can be compared


# ---- from what is typed to a row of the table ----


@dataclass(frozen=True)
class Word:
    """What somebody typed, looked up in the vocabulary: a token, or the reason why there is none."""

    typed: str
    token: int | None
    problem: str = ""  # one sentence; empty where there is a token
    first: int | None = None  # the first token of a word that is several


def look_up(typed: str, tokenizer: Tokenizer) -> Word:
    """The one token that a typed word is, with a space in front if there is such a token, else without.

    In quotation marks the text is taken exactly as it stands; "#2767" is the token of that id.
    """
    text = typed.strip()
    if not text:
        return Word(typed, None, "Type a word.")
    if len(text) > MAX_TYPED:
        return Word(typed, None, f"That is {len(text):,} characters long. Type one word.")
    if re.fullmatch(r"#\d+", text, re.ASCII):
        return _by_id(typed, int(text[1:]), tokenizer)
    exact = len(text) > 2 and text[0] == text[-1] == '"'
    candidates = [text[1:-1]] if exact else [f" {text}", text]
    _, dropped = drop_unwritable(text, tokenizer.ranks)
    if dropped:
        return Word(typed, None, f"Not a word for this model: {describe_unwritable(dropped)}.")
    encoded = [tokenizer.encode(candidate) for candidate in candidates]
    for ids in encoded:
        if len(ids) == 1:
            return Word(typed, ids[0])
    ids = encoded[0]
    shown = " ".join(visible(piece) for piece in tokenizer.pieces(ids[:8])) + (" …" if len(ids) > 8 else "")
    name = f"{candidates[-1][:40]}…" if len(candidates[-1]) > 40 else candidates[-1]
    problem = f"{isolated(name)} is {len(ids)} tokens ({isolate(shown)}). Only single tokens have a row in the table."
    return Word(typed, None, problem, ids[0])


def _by_id(typed: str, token: int, tokenizer: Tokenizer) -> Word:
    try:
        tokenizer.pieces([token])
    except ValueError as error:
        return Word(typed, None, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    return Word(typed, token)


class WordBox(ipywidgets.HBox):
    """A box to type one word in. `word` is what was found; a button offers the first piece of a longer word."""

    word = traitlets.Instance(Word)

    def __init__(self, tokenizer: Tokenizer, typed: str, *, label: str = "Word", width: str = "230px"):
        self.tokenizer = tokenizer
        self.box = ipywidgets.Text(
            clean(typed),
            description=label,
            layout={"width": width},
            style={"description_width": "initial"},
            tooltip='A word; "dog" in quotation marks: without a space in front; #2767: the token of that id',
        )
        self.take_first = ipywidgets.Button(
            description="Use its first piece", layout={"display": "none", "width": "auto"}
        )
        super().__init__([self.box, self.take_first])
        self.box.observe(self._look_up, "value")
        self.take_first.on_click(self._take_first)
        self._look_up()

    @property
    def token(self) -> int | None:
        """The token of what is typed, if it is one."""
        return self.word.token

    @one_at_a_time
    def _look_up(self, _change=None) -> None:
        self.word = look_up(self.box.value, self.tokenizer)
        self.take_first.layout.display = "none" if self.word.first is None else ""

    @one_at_a_time
    def _take_first(self, _button) -> None:
        if self.word.first is not None:
            self.box.value = f"#{self.word.first}"


@functools.lru_cache(maxsize=4)
def baseline(model: Model, frequent: bool) -> np.ndarray:
    """Cosines of random pairs, of all tokens or of the frequent ones; measured once a model."""
    among = frequent_tokens(model) if frequent else None
    return embeddings.random_pair_cosines(model.weights.W_E, n_pairs=N_PAIRS, among=among)


def frequent_tokens(model: Model) -> np.ndarray:
    """The ids of the first `N_FREQUENT` tokens that BPE learned, without control tokens."""
    ids = np.arange(min(N_FREQUENT, model.config.n_vocab))
    return np.setdiff1d(ids, list(model.tokenizer.special_tokens.values()))


def name_of(model: Model, token: int) -> str:
    """A token's piece."""
    return model.tokenizer.pieces([token])[0]


# ---- pictures ----


class NearestTokens(Picture):
    """Tokens in order of their cosine with something, as bars from 0 to 1; a band shows what random pairs have.

    pieces, cosines [n], ids [n]; marked: rows drawn quieter, with the word `mark` behind them; baseline: mean and
    standard deviation of the cosines of random pairs.
    """

    _esm = script("nearest_tokens")
    _css = style("nearest_tokens")
    _data = ("pieces", "cosines", "ids", "marked", "baseline")

    pieces = Pieces()
    cosines = Floats(ndim=(1,))
    ids = traitlets.List(traitlets.Int()).tag(sync=True)
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    mark = Text("typed")
    baseline = Floats(ndim=(1,))
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)  # the row

    def __init__(self, pieces: Sequence[str] = (), cosines=(), ids: Sequence[int] = (), **traits):
        traits = {"stage": "embeddings", **traits}
        super().__init__(pieces=pieces, cosines=cosines, ids=[int(i) for i in ids], **traits)

    def show(
        self, tokenizer: Tokenizer, found: embeddings.Neighbours, *, marked: Sequence[int] = (), **traits
    ) -> None:
        """Show other neighbours in place; `marked` are token ids."""
        rows = [i for i, token in enumerate(found.tokens) if token in marked]
        pieces = tokenizer.pieces(found.tokens)
        self.change(
            pieces=pieces,
            cosines=found.cosines,
            ids=found.tokens,
            marked=rows,
            selected=None,
            asked=None,
            **traits,
        )

    def clear(self, caption: str) -> None:
        """Nothing to show, and why."""
        self.change(pieces=[], cosines=[], ids=[], marked=[], selected=None, caption=caption, asked=None)

    def text(self) -> str:
        rows = [
            (visible(piece), f"{cosine:.3f}", f"id {token}", self.mark if i in self.marked else "")
            for i, (piece, cosine, token) in enumerate(zip(self.pieces, self.cosines, self.ids))
        ]
        return lines(rows) or "nothing to compare"

    def headline(self) -> str:
        """The caption, and the rows."""
        return f"{self.caption}\n{self.text()}".strip()


class CosineHistogram(Picture):
    """How often random pairs have which cosine (`cosines` [n_pairs]), with one pair's cosine `value` marked.

    The cosines are counted in steps of 0.025 from -0.5 to 1; those outside count at the ends.
    """

    _esm = script("cosine_histogram")
    _css = style("cosine_histogram")
    _data = ("counts", "value", "label", "caption")

    edges = traitlets.List(traitlets.Float(), EDGES.tolist()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    mean = traitlets.Float(0.0).tag(sync=True)
    spread = traitlets.Float(0.0).tag(sync=True)  # standard deviation
    value = traitlets.Float(None, allow_none=True).tag(sync=True)
    label = Text()  # what `value` belongs to
    among = Text()  # which pairs the histogram counts
    verdict = Text()

    def __init__(self, cosines, value: float | None = None, *, label: str = "", among: str = "", **traits):
        super().__init__(**{"stage": "embeddings", **traits})
        self.show(cosines, value, label=label, among=among)

    def show(
        self, cosines, value: float | None = None, *, label: str = "", among: str = "", **traits
    ) -> None:
        """Show another pair or other random pairs in place."""
        cosines = np.asarray(cosines, dtype=float)
        counts, _ = np.histogram(np.clip(cosines, EDGES[0], EDGES[-1]), EDGES)
        verdict = ""
        if value is not None:
            below = float((cosines < value).mean())
            verdict = f"cosine {value:.2f}: higher than {percent(below)} of the random pairs"
        self.change(
            counts=counts.tolist(),
            mean=float(cosines.mean()),
            spread=float(cosines.std()),
            value=value,
            label=label,
            among=among,
            verdict=verdict.replace("-", "−"),
            asked=None,
            **traits,
        )

    def text(self) -> str:
        shares = np.array(self.counts) / max(1, sum(self.counts))
        rows = [
            (f"{low:.3f} to {high:.3f}", percent(share))
            for low, high, share in zip(self.edges, self.edges[1:], shares)
            if share
        ]
        head = [
            f"{self.label}: {self.verdict}" if self.value is not None else "",
            f"random pairs, {self.among}: mean {self.mean:.2f}, standard deviation {self.spread:.2f}",
        ]
        return "\n".join([*filter(None, head), lines(rows)])

    def headline(self) -> str:
        """The caption, the pair's cosine and the baseline."""
        return "\n".join([self.caption, *self.text().split("\n")[:2]])


# ---- explorers: controls and pictures tied together ----


def controls(*widgets) -> ipywidgets.HBox:
    """Controls side by side, on more lines where the page is narrow."""
    return ipywidgets.HBox(widgets, layout={"flex_flow": "row wrap", "align_items": "center"})


def first_problem(*boxes: WordBox) -> str:
    """What is wrong with the first box that holds no token, or ""."""
    return next((box.word.problem for box in boxes if box.token is None), "")


class RowExplorer(Explorer):
    """A text as tokens; the row of the table that belongs to the selected one, all its numbers."""

    def __init__(self, model: Model, text: str):
        self.model = model
        self.box = TextBox(model, text)
        self.strip = TokenStrip(
            [], stage="embeddings", caption="Pick a token: its id is the number of a row of the table."
        )
        self.row = VectorPicture(np.zeros(model.config.d_model), provenance=self._explain)
        super().__init__([self.box, self.strip, self.row])
        self._read()
        self.box.observe(self._read, "tokens")
        self.strip.observe(self._draw, "selected")

    @one_at_a_time
    def _read(self, _change=None) -> None:
        ids = self.box.tokens
        kept = min(self.strip.selected or 0, len(ids) - 1) if ids else None
        self.strip.change(pieces=self.model.tokenizer.pieces(ids), ids=ids, selected=kept)
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        place = self.strip.selected
        self.row.layout.display = "none" if place is None else ""
        if place is None:
            return
        token, piece = self.strip.ids[place], self.strip.pieces[place]
        values = embeddings.embed([token], self.model.weights.W_E)
        caption = (
            f"Row {token:,} of the table, all {values.shape[1]} numbers: the vector of {isolated(piece)}."
        )
        self.row.change(values=values, labels=[piece], caption=caption, asked=None)

    def _explain(self, *where: int) -> Explanation:
        return provenance.embedding(self.model, self.strip.ids[self.strip.selected], where[-1])


class CosineExplorer(Explorer):
    """The cosine of any two tokens, held against random pairs of all tokens or of frequent ones."""

    def __init__(self, model: Model, a: str, b: str):
        self.model = model
        self.a = WordBox(model.tokenizer, a, label="One word")
        self.b = WordBox(model.tokenizer, b, label="Another")
        self.among = ipywidgets.ToggleButtons(
            options=[("all tokens", False), (f"the {N_FREQUENT:,} most frequent", True)],
            description="Random pairs of",
            style={"description_width": "initial", "button_width": "auto"},
        )
        self.histogram = CosineHistogram(baseline(model, False), provenance=self._explain)
        self.rows = VectorPicture(
            np.zeros((2, model.config.d_model)),
            provenance=lambda row, i: provenance.embedding(model, (self.a, self.b)[row].token, i),
        )
        super().__init__([controls(self.a, self.b), self.among, self.histogram, self.rows])
        for box in (self.a, self.b):
            box.observe(self._draw, "word")
        self.among.observe(self._draw, "value")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        a, b = self.a.token, self.b.token
        value, label, caption = None, "", first_problem(self.a, self.b)
        self.rows.layout.display = "none" if caption else ""
        if not caption:
            vectors = embeddings.embed([a, b], self.model.weights.W_E)
            cosine = float(embeddings.cosine_similarity(*vectors))
            names = self.model.tokenizer.pieces([a, b])
            label = " and ".join(isolated(name) for name in names)
            value = None if np.isnan(cosine) else cosine
            caption = f"How alike are {label}? Their cosine among those of random pairs of tokens."
            self.rows.change(values=vectors, labels=names)
        among = (
            "two tokens drawn from all" if not self.among.value else "two tokens drawn from the frequent ones"
        )
        self.histogram.show(
            baseline(self.model, self.among.value), value, label=label, among=among, caption=caption
        )

    def _explain(self) -> Explanation:
        return provenance.cosine(self.model, self.a.token, self.b.token)


class NeighbourExplorer(Explorer):
    """The nearest tokens to any token, with or without other spellings of the same word."""

    def __init__(self, model: Model, word: str, *, n: int = 12):
        self.model, self.n = model, n
        self.word = WordBox(model.tokenizer, word)
        self.spellings = ipywidgets.Checkbox(
            True, description="show other spellings of the word, too", indent=False, layout={"width": "auto"}
        )
        self.list = NearestTokens(
            provenance=lambda row: provenance.cosine(model, self.word.token, self.list.ids[row])
        )
        random = baseline(model, False)
        self.list.baseline = [random.mean(), random.std()]
        super().__init__([controls(self.word, self.spellings), self.list])
        self.word.observe(self._draw, "word")
        self.spellings.observe(self._draw, "value")
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        token = self.word.token
        if token is None:
            return self.list.clear(self.word.word.problem)
        W_E = self.model.weights.W_E
        left_out = {token} if self.spellings.value else {token, *spellings(self.model, token)}
        n = min(self.n, len(W_E) - len(left_out))
        found = embeddings.nearest(W_E[token], W_E, n=n, exclude=sorted(left_out))
        hidden = "" if self.spellings.value else f", without {len(left_out) - 1} other spellings of it"
        name = isolated(name_of(self.model, token))
        self.list.show(
            self.model.tokenizer, found, caption=f"The {n} tokens nearest to {name} (id {token:,}){hidden}."
        )


@functools.lru_cache(maxsize=2)
def _tokens_by_word(model: Model) -> dict[str, list[int]]:
    """Tokens whose text differs only in spaces and capitals, under that text."""
    found: dict[str, list[int]] = {}
    for token, piece in enumerate(model.tokenizer.pieces(range(model.config.n_vocab))):
        found.setdefault(piece.strip().casefold(), []).append(token)
    return found


def spellings(model: Model, token: int) -> list[int]:
    """The other tokens that are the same word but for spaces and capitals."""
    key = name_of(model, token).strip().casefold()
    return [other for other in _tokens_by_word(model)[key] if other != token] if key else []


class AnalogyExplorer(Explorer):
    """a - b + c for three words, and the tokens nearest to it; the three themselves marked or left out."""

    EXAMPLES = (
        ("king", "man", "woman"),
        ("Paris", "France", "Italy"),
        ("walked", "walk", "play"),
        ("cats", "cat", "dog"),
        ("bigger", "big", "small"),
        ("Tokyo", "Japan", "Germany"),
    )

    def __init__(self, model: Model, a: str, b: str, c: str, *, n: int = 8):
        self.model, self.n = model, n
        self.words = [
            WordBox(model.tokenizer, typed, label=label, width="190px")
            for typed, label in zip((a, b, c), ("Take", "−", "+"))
        ]
        self.examples = ipywidgets.Dropdown(
            options=[("an example", None), *((f"{x} − {y} + {z}", (x, y, z)) for x, y, z in self.EXAMPLES)],
            description="or take",
            style={"description_width": "initial"},
            layout={"width": "260px"},
        )
        self.leave_out = ipywidgets.Checkbox(
            False, description="leave out the three words themselves", indent=False, layout={"width": "auto"}
        )
        self.list = NearestTokens(provenance=self._explain)
        random = baseline(model, False)
        self.list.baseline = [random.mean(), random.std()]
        super().__init__([controls(*self.words, self.examples), self.leave_out, self.list])
        for box in self.words:
            box.observe(self._draw, "word")
        self.leave_out.observe(self._draw, "value")
        self.examples.observe(self._take_example, "value")
        self._draw()

    @one_at_a_time
    def _take_example(self, change) -> None:
        if change["new"] is None:
            return
        self._taking = True  # three boxes change, one picture
        try:
            for box, typed in zip(self.words, change["new"]):
                box.box.value = typed
        finally:
            self._taking = False
        self._draw()

    _taking = False

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        if self._taking:
            return
        problem = first_problem(*self.words)
        if problem:
            return self.list.clear(problem)
        tokens, W_E = [box.token for box in self.words], self.model.weights.W_E
        exclude = sorted(set(tokens)) if self.leave_out.value else []
        n = min(self.n, len(W_E) - len(exclude))
        found = embeddings.nearest(embeddings.analogy(*tokens, W_E), W_E, n=n, exclude=exclude)
        a, b, c = (isolated(piece) for piece in self.model.tokenizer.pieces(tokens))
        self.list.show(
            self.model.tokenizer, found, marked=tokens, caption=f"The tokens nearest to {a} − {b} + {c}."
        )

    def _explain(self, row: int) -> Explanation:
        tokens, W_E = [box.token for box in self.words], self.model.weights.W_E
        a, b, c = (f"W_E[{token}]" for token in tokens)
        return cosine_with(
            self.model, embeddings.analogy(*tokens, W_E), f"{a} - {b} + {c}", self.list.ids[row]
        )


def cosine_with(model: Model, vector: np.ndarray, source: str, token: int) -> Explanation:
    """Where the cosine of a made-up vector and a token's row comes from."""
    row = model.weights.W_E[token]
    return Explanation(
        f"Cosine of the vector and {isolated(name_of(model, token))} (id {token})",
        "cosine(v, w) = v · w / (|v| |w|)",
        [
            Operand("W_E", model.weights.W_E, "model.weights.W_E"),
            Operand("v", vector, source),
            Operand("w", row, f"W_E[{token}]"),
        ],
        "v @ w / (np.linalg.norm(v) * np.linalg.norm(w))",
        embeddings.cosine_similarity(vector, row),
    )


class WalkExplorer(Explorer):
    """From one word's vector in a straight line to another's: the nearest tokens on the way."""

    def __init__(self, model: Model, a: str, b: str, *, n: int = 8):
        self.model, self.n = model, n
        self.a = WordBox(model.tokenizer, a, label="From")
        self.b = WordBox(model.tokenizer, b, label="to")
        self.way = ipywidgets.IntSlider(
            0,
            0,
            100,
            5,
            description="Part of the way, %",
            style={"description_width": "initial"},
            layout={"width": "min(620px, 95%)"},
        )
        self.list = NearestTokens(mark="an end", provenance=self._explain)
        random = baseline(model, False)
        self.list.baseline = [random.mean(), random.std()]
        self.rows = VectorPicture(np.zeros((3, model.config.d_model)), provenance=self._explain_mix)
        super().__init__([controls(self.a, self.b), self.way, self.list, self.rows])
        for box in (self.a, self.b):
            box.observe(self._set_off, "word")
        self.way.observe(self._draw, "value")
        self._set_off()

    @one_at_a_time
    def _set_off(self, _change=None) -> None:
        """Other words: another line between their rows."""
        problem = first_problem(self.a, self.b)
        self.rows.layout.display = "none" if problem else ""
        if problem:
            self.walk = None
            return self.list.clear(problem)
        W_E = self.model.weights.W_E
        self.walk = embeddings.walk(*embeddings.embed([self.a.token, self.b.token], W_E), W_E)
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        if self.walk is None:
            return
        ends, part = [self.a.token, self.b.token], self.way.value / 100
        found = self.walk.nearest(part, n=min(self.n, self.model.config.n_vocab))
        names = self.model.tokenizer.pieces(ends)
        a, b = map(isolated, names)
        caption = f"{self.way.value} % of the way from {a} to {b}: the nearest tokens."
        self.list.show(self.model.tokenizer, found, marked=ends, caption=caption)
        rows = np.stack([self.walk.start, self.walk.at(part), self.walk.end])
        self.rows.change(values=rows, labels=[names[0], f"{self.way.value} %", names[1]])

    def _explain_mix(self, row: int, i: int) -> Explanation:
        if row != 1:  # the two ends are rows of the table
            return provenance.embedding(self.model, (self.a, None, self.b)[row].token, i)
        part = self.way.value / 100
        return Explanation(
            f"Number {i}, {self.way.value} % of the way",
            "mix = (1 − part) · start + part · end",
            [
                Operand("start", self.walk.start, f"model.weights.W_E[{self.a.token}]"),
                Operand("end", self.walk.end, f"model.weights.W_E[{self.b.token}]"),
                Operand("part", part),
                Operand("i", int(i)),
            ],
            "(1 - part) * start[i] + part * end[i]",
            self.walk.at(part)[i],
        )

    def _explain(self, row: int) -> Explanation:
        part = self.way.value / 100
        source = f"(1 - {part:g}) * W_E[{self.a.token}] + {part:g} * W_E[{self.b.token}]"
        return cosine_with(self.model, self.walk.at(part), source, self.list.ids[row])


# ---- the map of words ----

N_NEAREST = 3  # how many neighbours of each word are compared
MAX_WORDS = 200


@dataclass(frozen=True)
class Groups:
    """Words to draw, read from lines such as "animals: dog, cat"."""

    names: list[str]  # one a group
    tokens: list[int]  # one a word
    group_of: list[int]  # one a word
    refused: list[Word]  # what is not one token
    cut: int = 0  # words beyond MAX_WORDS


def read_groups(text: str, tokenizer: Tokenizer) -> Groups:
    """One group a line, "name: word, word"; words part at commas and spaces; a word counts once."""
    names, found, refused, cut = [], {}, {}, 0
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        typed = (rest if colon else line).replace(",", " ").split()
        if not typed:
            continue
        names.append(name.strip() if colon and name.strip() else f"group {len(names) + 1}")
        for one in typed:
            if len(found) + len(refused) >= MAX_WORDS:
                cut += 1
                continue
            word = look_up(one, tokenizer)
            if word.token is None:
                refused[one] = word
            else:
                found.setdefault(word.token, len(names) - 1)
    return Groups(names, list(found), list(found.values()), list(refused.values()), cut)


def nearest_on_map(coordinates: np.ndarray, i: int, n: int) -> list[int]:
    """The n points nearest to point i, by the distance that the eye sees."""
    distance = np.linalg.norm(coordinates - coordinates[i], axis=1)
    distance[i] = np.inf
    return np.argsort(distance, kind="stable")[:n].tolist()


class WordMap(Explorer):
    """The reader's words on a flat map or in space (PCA), and what the map gets wrong.

    Each word's row is scaled to length 1 first, so that distance between words means cosine and nothing else. For
    the chosen word lines lead to its nearest words by all numbers (solid) and on the map (dotted).
    """

    LINES = ("nearest in all numbers", "nearest on the map")

    def __init__(self, model: Model, text: str):
        self.model = model
        self.groups = Groups([], [], [], [])
        self.pieces, self.coordinates, self.explained = [], np.zeros((0, 2)), np.zeros(2)
        self.box = ipywidgets.Textarea(
            clean(text),
            description="Words",
            style={"description_width": "initial"},
            layout={"width": "min(760px, 97%)", "height": "132px"},
            tooltip="one group a line: name: word, word",
        )
        self.dimensions = ipywidgets.ToggleButtons(
            options=[("flat (2-D)", 2), ("in space (3-D)", 3)], style={"button_width": "auto"}
        )
        self.turn = ipywidgets.IntSlider(35, 0, 360, 5, description="Turn", layout={"display": "none"})
        self.word = ipywidgets.Dropdown(description="Look at", options=[])
        self.flat = FlatMap(line_names=self.LINES, provenance=self._explain)
        self.figure = None  # plotly, once somebody looks into space: it is 5 MB of JavaScript
        self.space = ipywidgets.VBox([], layout={"height": "0", "visibility": "hidden"})
        self.by_numbers = TokenStrip([], stage="embeddings")
        self.on_map = TokenStrip([], stage="embeddings")
        super().__init__(
            [
                self.box,
                controls(self.dimensions, self.turn, self.word),
                self.flat,
                self.space,
                self.by_numbers,
                self.on_map,
            ]
        )
        self._read()
        self.box.observe(self._read, "value")
        self.dimensions.observe(self._lay_out, "value")
        self.word.observe(self._look_at, "value")
        self.turn.observe(self._turn_camera, "value")
        self.flat.observe(self._picked, "selected")

    @one_at_a_time
    def _read(self, _change=None) -> None:
        """The text changed: other words, or only others that are refused."""
        groups, known = read_groups(self.box.value, self.model.tokenizer), self.groups
        self.groups = groups
        if (groups.names, groups.tokens, groups.group_of) == (known.names, known.tokens, known.group_of):
            return self._look_at()
        rows = embeddings.embed(self.groups.tokens, self.model.weights.W_E)
        self.directions = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        self.pieces = self.model.tokenizer.pieces(self.groups.tokens)
        kept = self.word.value
        self._reading = True
        try:
            self.word.options = [
                (visible(piece), token) for piece, token in zip(self.pieces, self.groups.tokens)
            ]
            if self.groups.tokens:
                self.word.value = kept if kept in self.groups.tokens else self.groups.tokens[0]
        finally:
            self._reading = False
        self._lay_out()

    _reading = False

    @one_at_a_time
    def _lay_out(self, _change=None) -> None:
        """Other words, or a map of another kind: project and draw."""
        n = self.dimensions.value
        if self.pieces:
            self.projection = embeddings.pca(self.directions, n_components=n)
            self.coordinates, self.explained = self.projection.coordinates, self.projection.explained
        else:
            self.coordinates, self.explained = np.zeros((0, n)), np.zeros(n)
        if n == 2:
            self._lay_flat()
        else:
            self._lay_in_space()
        self.turn.layout.display = "" if n == 3 else "none"
        self.flat.layout.display = "" if n == 2 else "none"
        # not "display: none": plotly would forget how wide it is
        self.space.layout.height = "0" if n == 2 else "auto"
        self.space.layout.visibility = "hidden" if n == 2 else "visible"

    def _lay_flat(self) -> None:
        """All of the flat map; the lines as well, so that the page draws once."""
        with self.flat.hold_sync():
            self.flat.change(
                selected=None,
                pieces=self.pieces,
                places=self.coordinates,
                group_of=self._looks(),
                groups=self._group_names(),
                axes=self._axes() if self.pieces else [],
                caption=self._title(),
                asked=None,
            )
            self._look_at()

    def _lay_in_space(self) -> None:
        import plotly.graph_objects as go

        if self.figure is None:
            figure = self._empty_figure(go)
            self._fill(figure)
            self.figure = figure_widget(figure)
            for trace in self.figure.data[: len(theme.GROUPS)]:
                trace.on_click(self._clicked)
            self.space.children = [self.figure]
            self._look_at()
            return
        with self.figure.batch_update():
            self._fill(self.figure)
            self._look_at()

    @staticmethod
    def _empty_figure(go):
        """Every trace there will ever be: one for each group, the lines, and the names: small ones, and large ones."""
        axis = {"showticklabels": False, "zeroline": False, "title": ""}
        dots = [
            go.Scatter3d(
                x=[],
                y=[],
                z=[],
                text=[],
                mode="markers",
                hovertemplate="%{text}<extra>%{fullData.name}</extra>",
                marker={"color": color, "symbol": symbol, "size": 4 if symbol == "x" else 6},
                visible=False,
            )
            for color, symbol in theme.GROUPS
        ]
        strokes = [
            go.Scatter3d(
                x=[],
                y=[],
                z=[],
                name=name,
                mode="lines",
                hoverinfo="skip",
                visible=False,
                showlegend=True,
                line={"color": color, "dash": dash, "width": 5},
            )
            for name, dash, color in zip(
                WordMap.LINES, ("solid", "dot"), (theme.stage_color("embeddings"), theme.MID_GREY)
            )
        ]
        names = [
            go.Scatter3d(
                x=[],
                y=[],
                z=[],
                text=[],
                mode="text",
                textposition="top center",
                hoverinfo="skip",
                visible=False,
                showlegend=False,
                textfont={"size": size, "color": color},
            )
            for size, color in ((12, theme.MID_GREY), (18, theme.stage_color("embeddings", "dark")))
        ]
        return go.Figure(
            data=[*dots, *strokes, *names],
            layout={
                "template": theme.plotly_template("embeddings"),
                "height": 640,
                "margin": {"l": 10, "r": 10, "t": 60, "b": 60},
                "scene": {
                    **{f"{name}axis": axis for name in "xyz"},
                    "aspectmode": "data",
                    "camera": _camera(35),
                },
                "legend": {"orientation": "h", "y": -0.02, "yanchor": "top"},
                "title": {"text": ""},
                "uirevision": "kept",
            },
        )

    def _fill(self, figure) -> None:
        """The words, their groups and the axes of the map in space."""
        look = np.array(self._looks(), dtype=int)
        self._labels = np.array([html.escape(visible(piece)) for piece in self.pieces], dtype=object)
        names = [html.escape(visible_label(name)) for name in self._group_names()]
        for group, trace in enumerate(figure.data[: len(theme.GROUPS)]):
            mine = np.flatnonzero(look == group)
            if not len(mine):
                trace.visible = False
                continue
            trace.update(
                visible=True, name=names[group], text=self._labels[mine], **_xyz(self.coordinates[mine])
            )
        for axis, name in zip("xyz", self._axes()):
            figure.layout.scene[f"{axis}axis"].title.text = name.removesuffix(" of the variance")
        figure.layout.title.text = self._title()

    def _looks(self) -> list[int]:
        """Which of the looks that groups can have each word has."""
        return [min(group, len(theme.GROUPS) - 1) for group in self.groups.group_of]

    def _axes(self) -> list[str]:
        return [
            f"direction {i}: {percent(share)} of the variance" for i, share in enumerate(self.explained, 1)
        ]

    def _group_names(self) -> list[str]:
        """One for each look that occurs."""
        names, most = [name[:40] for name in self.groups.names], len(theme.GROUPS)
        return names if len(names) <= most else [*names[: most - 1], "the other groups"]

    def _title(self) -> str:
        if len(self.pieces) < 2:
            return "A map needs at least two words"
        return (
            f"{len(self.pieces)} words. The map keeps {percent(self.explained.sum())} of the variance "
            f"and {percent(self.kept())} of the {N_NEAREST} nearest neighbours"
        )

    def neighbours(self, i: int) -> tuple[embeddings.Neighbours, list[int]]:
        """The words nearest to word i, as places in the list: by all numbers, and on the map."""
        n = min(N_NEAREST, len(self.pieces) - 1)
        true = embeddings.nearest(self.directions[i], self.directions, n=n, exclude=[i])
        return true, nearest_on_map(self.coordinates, i, n)

    def kept(self) -> float:
        """Share of the words' nearest neighbours that are still the nearest on the map."""
        if len(self.pieces) < 2:
            return 1.0
        pairs = [self.neighbours(i) for i in range(len(self.pieces))]
        return float(np.mean([len(set(true.tokens) & set(seen)) / len(seen) for true, seen in pairs]))

    @one_at_a_time
    def _picked(self, change) -> None:
        """A point of the flat map was chosen."""
        if change["new"] is not None and not self._looking:
            self.word.value = self.groups.tokens[change["new"]]

    _looking = False

    @one_at_a_time
    def _look_at(self, _change=None) -> None:
        """Another word was chosen: lines and lists."""
        if self._reading:
            return
        rest = self._refusals()
        if self.word.value is None or len(self.pieces) < 2:
            self._draw_lines(None, [], [])
            self.by_numbers.change(pieces=[], caption=f"Type at least two words. {rest}".strip())
            self.on_map.layout.display = "none"
            return
        i = self.groups.tokens.index(self.word.value)
        true, seen = self.neighbours(i)
        self._draw_lines(i, true.tokens, seen)
        name = isolated(self.pieces[i])
        self.on_map.layout.display = ""
        self.by_numbers.change(
            pieces=[self.pieces[j] for j in true.tokens],
            ids=[self.groups.tokens[j] for j in true.tokens],
            notes=[f"cosine {cosine:.2f}" for cosine in true.cosines],
            highlight=[],
            caption=f"Nearest to {name} in all {self.model.config.d_model} numbers. {rest}".strip(),
        )
        wrong = [k for k, j in enumerate(seen) if j not in true.tokens]
        verdict = (
            "all are true neighbours" if not wrong else f"{len(wrong)} of {len(seen)} (dashed) only look near"
        )
        cosines = embeddings.cosine_similarity(self.directions[seen], self.directions[[i] * len(seen)])
        self.on_map.change(
            pieces=[self.pieces[j] for j in seen],
            ids=[self.groups.tokens[j] for j in seen],
            notes=[f"cosine {cosine:.2f}" for cosine in cosines],
            highlight=wrong,
            caption=f"Nearest to {name} on the map: {verdict}.",
        )

    def _draw_lines(self, i: int | None, true: Sequence[int], seen: Sequence[int]) -> None:
        if self.dimensions.value == 2:
            self._looking = True
            try:
                self.flat.change(selected=i, about=i, solid=list(true), dotted=list(seen))
            finally:
                self._looking = False
            return
        with self.figure.batch_update():
            *strokes, small, large = self.figure.data[len(theme.GROUPS) :]
            for trace, targets in zip(strokes, (true, seen)):
                gap = np.full(3, np.nan)
                points = [p for j in targets for p in (self.coordinates[i], self.coordinates[j], gap)]
                trace.update(visible=i is not None, **_xyz(np.array(points)))
            chosen = np.isin(np.arange(len(self.pieces)), [i, *true, *seen])
            for trace, named in ((small, ~chosen), (large, chosen)):
                trace.update(visible=True, text=self._labels[named], **_xyz(self.coordinates[named]))

    def _explain(self, i: int) -> Explanation:
        """A word's place on the flat map."""
        source = f"model.weights.W_E[{self.groups.tokens[i]}]"
        return Explanation(
            f"The place of {isolated(self.pieces[i])} on the map",
            "place = (the row, scaled to length 1, − the average of all of them) · each of the two directions",
            [
                Operand("row", self.model.weights.W_E[self.groups.tokens[i]], source),
                Operand("mean", self.projection.mean),
                Operand("directions", self.projection.directions),
            ],
            "(row / np.linalg.norm(row) - mean) @ directions.T",
            self.coordinates[i],
        )

    def _refusals(self) -> str:
        said = []
        if self.groups.refused:
            names = ", ".join(isolated(word.typed[:30]) for word in self.groups.refused[:6])
            more = f" and {len(self.groups.refused) - 6} more" if len(self.groups.refused) > 6 else ""
            verb = "is" if len(self.groups.refused) == 1 else "are"
            said.append(f"Not on the map, because not one token, {verb} {names}{more}.")
        if self.groups.cut:
            said.append(f"The map takes {MAX_WORDS} words; {self.groups.cut} were left out.")
        return " ".join(said)

    @one_at_a_time
    def _clicked(self, trace, points, _state) -> None:
        """A point of the map in space was clicked."""
        if points.point_inds:
            mine = np.flatnonzero(np.array(self._looks()) == list(self.figure.data).index(trace))
            self.word.value = self.groups.tokens[mine[points.point_inds[0]]]

    @one_at_a_time
    def _turn_camera(self, change) -> None:
        if self.figure is not None:
            self.figure.layout.scene.camera = _camera(change["new"])

    def __repr__(self) -> str:
        if self.dimensions.value == 2:
            return super().__repr__()
        rows = table(self.pieces, self._looks(), self._group_names(), self.coordinates)
        return "\n\n".join([f"{self._title()}\n{rows}", super().__repr__()])


def figure_widget(figure):
    """A plotly figure as a widget that is complete at a page's first sight of it, and at that of a page loaded again.

    plotly's own announces itself empty and sends the figure afterwards; a page that draws in between stays empty. And
    what it tells a new page is the figure as it was at the beginning.
    """
    import plotly.graph_objects as go

    class Complete(go.FigureWidget):
        complete = False

        def open(self) -> None:  # called by the constructor, too early
            if self.complete:
                super().open()

        def get_state(self, key=None, drop_defaults=False):
            if key is None and self.complete:  # all of it: set without telling the pages that know already
                now = {"_widget_data": self._data, "_widget_layout": self._layout_obj._props}
                self._trait_values |= deepcopy(now)
            return super().get_state(key, drop_defaults)

    widget = Complete(figure)
    widget._config |= {
        "plotGlPixelRatio": 1,
        "displaylogo": False,
    }  # 2 by default: four times the points to paint
    widget.complete = True
    widget.open()
    return widget


def _camera(degrees: float) -> dict:
    angle = np.deg2rad(degrees)
    return {
        "eye": {"x": 1.35 * float(np.cos(angle)), "y": 1.35 * float(np.sin(angle)), "z": 0.55},
        "center": {"x": 0, "y": 0, "z": -0.1},
    }


def _xyz(points: np.ndarray) -> dict:
    return dict(zip("xyz", points.reshape(-1, points.shape[-1]).T if len(points) else ([], [], [])))
