"""A text as the loop writes it, with what else could have stood in each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import traitlets

from llmviz import ops, sampling
from llmviz.experiments.writing import RUN, logits_after
from llmviz.model import Model, Trace
from llmviz.reuse import kept_with
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, one_at_a_time
from llmviz.views.kit.pieces import visible
from llmviz.views.provenance import Explanation

N_RIVALS = 8


@dataclass(frozen=True, eq=False)
class Place:
    """One place of a text that is being written: what stands there, and what else could."""

    token: int | None  # None: still open
    rivals: list[int]  # the likeliest tokens, and `token` in any case
    pieces: list[str]  # their texts
    own: np.ndarray  # their probabilities, as the model says them
    odds: np.ndarray  # and those they are drawn with
    sampler: Sampler  # what makes the odds
    probability: float  # the model's own, of `token`; NaN where it is still open
    shade: float  # what its chip is shaded by
    note: str


def place(
    model: Model,
    logits: np.ndarray,
    sampler: Sampler | None = None,
    token: int | None = None,
    *,
    n: int = N_RIVALS,
) -> Place:
    """A place from the model's logits [n_vocab] there, with its n likeliest tokens, `token` among them."""
    sampler = sampler or Sampler()
    own, odds = ops.softmax(logits), sampler.probs(logits)
    rivals = top(own, n).tolist()
    if token is not None and token not in rivals:
        rivals[-1] = token
    p = float("nan") if token is None else float(own[token])
    note = f"the model’s own probability: {percent(p)}"
    if token is not None and (drawn_with := percent(odds[token])) != percent(p):
        note += f", drawn with: {drawn_with}"
    pieces = model.tokenizer.pieces(rivals)
    return Place(token, rivals, pieces, own[rivals], odds[rivals], sampler, p, p, note)


@kept_with(most=1_000)
def place_after(trace: Trace, tokens: tuple[int, ...], temperature: float, token: int | None = None) -> Place:
    """Return the place after a text and these tokens, and keep it with the run over the text."""
    return place(trace.model, logits_after(trace, tokens), Sampler(temperature=temperature), token)


def repeats(prompt: Sequence[int], written: Sequence[Place]) -> np.ndarray:
    """Return which of the written tokens stand in a repetition, of the prompt or of each other."""
    again = sampling.repeated([*prompt, *(one.token for one in written)], run=RUN)
    return np.asarray(again[len(prompt) :], bool)


def how_sure(written: Sequence[Place], again: np.ndarray) -> str:
    """Say how often the model's first choice was written (the prompt was not its choice), and what is repetition."""
    probs = np.array([one.probability for one in written])
    if not probs.size:
        return "Nothing is written yet."
    first = sum(one.rivals[0] == one.token for one in written)
    n = "1 token" if probs.size == 1 else f"{probs.size} tokens"
    told = f"{n} written, {first} of them the model’s first choice."
    if again.any():
        told += f" Repetition: {percent(again.mean())}"
        if not again.all():
            new = percent(probs[~again].mean())
            told += f" (its mean probability is {percent(probs[again].mean())}, that of all else {new})"
        told += "."
    return told


class WrittenText(Picture):
    """A text as the loop writes it: chips shaded by a number each, and what else could have stood in a place.

    The first `n_prompt` pieces are the reader's. For each place after them there are `n_rivals` rivals (flat lists,
    place after place): their pieces, `own` and `odds` (−1: no such rival), and which of them stands there (`picked`,
    −1 for a last place that is still open). `again` are the places of repeated runs, where it `repeats` at all;
    `marked` get a dashed border.
    A click, the arrow keys or Python select a place; a click also asks where its probability is from. Where it
    `chooses`, a rival that is clicked (or taken by Enter) is sent as `choice`, [place, number of the rival]; elsewhere
    that asks where the rival's probability is from.
    """

    _static = "written_text"
    _by_page = ("selected", "choice")
    _data = ("pieces", "n_prompt", "weights", "again", "notes")

    pieces = Pieces()
    n_prompt = traitlets.Int(0).tag(sync=True)
    weights = Floats(ndim=(1,))
    shade_label = Text("its probability").tag(sync=True)
    scale = traitlets.Enum(("prob", "weight"), "prob").tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    repeats = traitlets.Bool(True)
    again = traitlets.List(traitlets.Int()).tag(sync=True)
    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    n_rivals = traitlets.Int(0).tag(sync=True)
    rivals = Pieces()
    own = Floats(ndim=(1,))
    odds = Floats(ndim=(1,))
    picked = traitlets.List(traitlets.Int()).tag(sync=True)
    selected = traitlets.Int(None, allow_none=True).tag(sync=True)
    chooses = traitlets.Bool(False).tag(sync=True)
    choice = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)

    def __init__(self, model: Model, **traits):
        self._model = model
        self.prompt: list[int] = []
        self.places: list[Place] = []
        super().__init__(**{"stage": "sampling", "provenance": self._of_place, **traits})

    @property
    def written(self) -> list[Place]:
        """The places that are not open."""
        return [one for one in self.places if one.token is not None]

    @property
    def tokens(self) -> list[int]:
        """The whole text, as ids."""
        return [*self.prompt, *(one.token for one in self.written)]

    def page_values(self) -> dict[str, list]:
        """What the page can send, beside indices: each rival at each place."""
        places = range(len(self.prompt), len(self.prompt) + len(self.places)) if self.chooses else ()
        return {"choice": [[at, rival] for at in places for rival in range(self.n_rivals)]}

    def show(
        self, prompt: Sequence[int], places: Sequence[Place] = (), *, marked: Sequence[int] = ()
    ) -> None:
        """Draw a prompt and the places after it, of which the last one may be open."""
        self.change(prompt=prompt, places=places, marked=list(marked), selected=None)

    def append(self, one: Place) -> None:
        """One token more; what belongs to the prompt stays as it is."""
        self.change(places=[*self.places, one])

    def change(
        self, *, prompt: Sequence[int] | None = None, places: Sequence[Place] | None = None, **traits
    ) -> None:
        """As for every picture; `prompt` and `places` are drawn as `show` does."""
        if prompt is not None:
            self.prompt = list(prompt)
        if places is not None:
            self.places = list(places)
        if prompt is not None or places is not None:
            traits = {**self._drawing(), **traits}
        super().change(**traits)

    def _drawing(self) -> dict:
        n, written = len(self.prompt), self.written
        again = repeats(self.prompt, written) & self.repeats
        picked = [one.rivals.index(one.token) for one in written]
        return {
            "n_prompt": n,
            "pieces": [
                *self._model.tokenizer.pieces(self.prompt),
                *(one.pieces[i] for one, i in zip(written, picked)),
            ],
            "weights": [*[np.nan] * n, *(one.shade for one in written)],
            "notes": [
                f"{one.note} · part of a repetition" if is_again else one.note
                for one, is_again in zip(written, again)
            ],
            "again": (n + np.flatnonzero(again)).tolist(),
            "n_rivals": max((len(one.rivals) for one in self.places), default=0),
            "rivals": [piece for one in self.places for piece in one.pieces],
            "own": np.concatenate([one.own for one in self.places]) if self.places else None,
            "odds": np.concatenate([one.odds for one in self.places]) if self.places else None,
            "picked": picked + [-1] * (len(self.places) - len(written)),
        }

    def how_sure(self) -> str:
        """As `how_sure`, of this text."""
        repeats = np.isin(np.arange(len(self.written)) + len(self.prompt), self.again)
        return how_sure(self.written, repeats)

    @one_at_a_time
    def _of_place(self, at: int, rival: int) -> Explanation:
        i = at - len(self.prompt)
        if i < 0:
            raise ValueError("the reader wrote this token")
        here, before = self.places[i], self.tokens[:at]
        return provenance.prob(
            self._model.trace(before).logits,
            here.rivals[rival],
            piece=here.pieces[rival],
            source=f"model.trace({before}).logits",
            **asdict(here.sampler),
        )

    def text(self) -> str:
        """The prompt; then one line a written token: piece, what shades it, its note."""
        if not self.pieces:
            return "no tokens yet"
        n = self.n_prompt
        rows = [["prompt:", "".join(map(visible, self.pieces[:n]))]]
        for i, (piece, note) in enumerate(zip(self.pieces[n:], self.notes), start=n):
            rows.append([f"{i}  {visible(piece)}", note])
        return "\n".join("  ".join(row) for row in rows)

    def headline(self) -> str:
        """The text, and how many of its tokens were written."""
        shown = "".join(map(visible, self.pieces[-100:]))
        return f"{len(self.pieces) - self.n_prompt} tokens written after {self.n_prompt}: {shown}"
