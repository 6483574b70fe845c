"""A text as the loop writes it, with what else could have come in each place."""

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
from llmviz.views.kit.numbers import amount, percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text
from llmviz.views.kit.pieces import visible
from llmviz.views.provenance import Explanation


@dataclass(frozen=True, eq=False)
class Place:
    """One place of a text that is being written: what is there, and what else could be."""

    token: int | None  # None: still open
    rivals: list[int]  # the likeliest tokens, and `token` in any case
    own: np.ndarray  # their probabilities, as the model gives them
    odds: np.ndarray  # and those with which they are drawn
    sampler: Sampler  # what makes the odds
    end: float  # the model's probability that the text ends here

    @property
    def picked(self) -> int:
        """Return which of the rivals is there; −1 while the place is open."""
        return -1 if self.token is None else self.rivals.index(self.token)

    @property
    def note(self) -> str:
        """Say how likely the token was for the model, and how likely to be drawn where that differs."""
        own, odds = percent(self.own[self.picked]), percent(self.odds[self.picked])
        return f"the model’s own probability: {own}" + (f", drawn with: {odds}" if odds != own else "")


def place(
    model: Model, logits: np.ndarray, sampler: Sampler, token: int | None = None, *, n_rivals: int = 8
) -> Place:
    """Return a place from the model's logits [n_vocab] there."""
    own, odds = ops.softmax(logits), sampler.probs(logits)
    rivals = top(own, n_rivals).tolist()
    if token is not None and token not in rivals:
        rivals[-1] = token
    return Place(token, rivals, own[rivals], odds[rivals], sampler, float(own[model.tokenizer.eos_token]))


@kept_with(most=1_000)
def place_after(trace: Trace, tokens: tuple[int, ...], temperature: float, token: int | None = None) -> Place:
    """Return the place after a text and these tokens, and keep it with the run over the text."""
    return place(trace.model, logits_after(trace, tokens), Sampler(temperature), token)


def repeats(prompt: Sequence[int], written: Sequence[Place]) -> np.ndarray:
    """Return which of the written tokens are in a repetition, of the prompt or of each other."""
    again = sampling.repeated([*prompt, *(place.token for place in written)], run=RUN)
    return np.asarray(again[len(prompt) :], bool)


def how_sure(prompt: Sequence[int], written: Sequence[Place]) -> str:
    """Say how often the likeliest token was written, and how much is repetition."""
    if not written:
        return "Nothing is written yet."
    first, again = sum(place.picked == 0 for place in written), repeats(prompt, written)
    said = f"{amount(len(written), 'tokens')} written, {first} of them the likeliest."
    return f"{said} Repetition: {again.mean():.0%}." if again.any() else said


class WrittenText(Picture):
    """A text as the loop writes it: chips shaded by a number each, and what else could have come in a place.

    The first `n_prompt` pieces are the reader's. For each place after them there are `n_rivals` rivals (flat lists,
    place after place): their pieces, `own` and `odds` (−1: no such rival), and which of them is there (`picked`, −1 for
    a last place that is still open). `again` are the places of repeated runs; `marked` get a ✓ where it
    `chooses`, a dashed border elsewhere.
    A click, the arrow keys or Python select a place; a click also asks where its probability is from. Where it
    `chooses`, a rival that is clicked (or taken by Enter) is sent as `choice`, [place, number of the rival]; elsewhere
    that asks where the rival's probability is from.
    """

    _static = "written_text"
    _by_page = ("selected", "choice")

    pieces = Pieces()
    n_prompt = traitlets.Int(0).tag(sync=True)
    weights = Floats(ndim=(1,))
    shade_label = Text("the model’s own probability").tag(sync=True)
    scale = traitlets.Enum(("prob", "weight"), "prob").tag(sync=True)
    notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
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

    def page_values(self) -> dict:
        n_places = len(self.picked) if self.chooses else 0
        rivals = [[self.n_prompt + i, j] for i in range(n_places) for j in range(self.n_rivals)]
        return {"selected": [None, *range(len(self.pieces))], "choice": [None, *rivals]}

    def text(self) -> str:
        """The prompt; then one line a written token: its place, its piece, its note."""
        if not self.pieces:
            return "no tokens yet"
        n, pieces = self.n_prompt, [*map(visible, self.pieces)]
        rows = [f"{i}  {pieces[i]}  {note}" for i, note in enumerate(self.notes, start=n)]
        return "\n".join([f"prompt:  {''.join(pieces[:n])}", *rows])

    def headline(self) -> str:
        """The text, and how many of its tokens were written."""
        shown = "".join(map(visible, self.pieces[-100:]))
        return f"{len(self.pieces) - self.n_prompt} tokens written after {self.n_prompt}: {shown}"


def written_text(model: Model, prompt: Sequence[int], places: Sequence[Place]) -> dict:
    """Return the traits of a `WrittenText`: a prompt, and the places after it; the last may be open."""
    written = [place for place in places if place.token is not None]
    again = repeats(prompt, written)
    notes = [f"{place.note} · part of a repetition" if a else place.note for place, a in zip(written, again)]
    nothing = np.zeros(0)
    return {
        "n_prompt": len(prompt),
        "pieces": model.tokenizer.pieces([*prompt, *(place.token for place in written)]),
        "weights": [*[np.nan] * len(prompt), *(place.own[place.picked] for place in written)],
        "notes": notes,
        "again": (len(prompt) + np.flatnonzero(again)).tolist(),
        "n_rivals": max((len(place.rivals) for place in places), default=0),
        "rivals": model.tokenizer.pieces([token for place in places for token in place.rivals]),
        "own": np.concatenate([nothing, *(place.own for place in places)]),
        "odds": np.concatenate([nothing, *(place.odds for place in places)]),
        "picked": [place.picked for place in places],
    }


def explain_place(
    model: Model, prompt: Sequence[int], places: Sequence[Place], at: int, rival: int
) -> Explanation:
    """Say where the probability of a rival at a place of the text is from. ValueError for a place of the prompt."""
    i = at - len(prompt)
    if i < 0:
        raise ValueError("the reader wrote this token")
    before, token = [*prompt, *(place.token for place in places[:i])], places[i].rivals[rival]
    settings = asdict(places[i].sampler).items()
    return provenance.prob(
        model.trace(before).logits,
        token,
        piece=model.tokenizer.pieces([token])[0],
        source=f"model.trace({before}).logits",
        steps=[(name, setting) for name, setting in settings if setting is not None],
    )
