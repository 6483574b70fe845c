"""A text as the loop writes it, with what else could have stood in each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import traitlets

from llmviz import ops, sampling
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.next_token_bars import top
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text, one_at_a_time, percent, script, style
from llmviz.views.kit.pieces import visible
from llmviz.views.provenance import Explanation

N_RIVALS = 8
RUN = 4  # so many tokens in a row that came before count as a repetition


@dataclass(frozen=True, eq=False)
class Place:
    """One place of a text that is being written: what stands there, and what else could."""

    token: int | None  # None: still open
    rivals: list[int]  # the likeliest tokens, and `token` in any case
    own: np.ndarray  # their probabilities, as the model says them
    odds: np.ndarray  # and those they are drawn with
    probability: float  # the model's own, of `token`; NaN where it is still open
    sampler: Sampler  # what makes the odds


def place(
    logits: np.ndarray, sampler: Sampler | None = None, token: int | None = None, n: int = N_RIVALS
) -> Place:
    """A place from the model's logits [n_vocab] there, with its n likeliest tokens, `token` among them."""
    sampler = sampler or Sampler()
    own, odds = ops.softmax(logits), sampler.probs(logits)
    rivals = top(own, n).tolist()
    if token is not None and token not in rivals:
        rivals[-1] = token
    probability = float("nan") if token is None else float(own[token])
    return Place(token, rivals, own[rivals], odds[rivals], probability, sampler)


class WrittenText(Picture):
    """A text as the loop writes it: chips shaded by a number each, and what else could have stood in a place.

    The first `n_prompt` pieces are the reader's. For each place after them there are `n_rivals` rivals (flat lists,
    place after place): their pieces, `own` and `odds` (−1: no such rival), and which of them stands there (`picked`,
    −1 for a last place that is still open). `again` are the places of repeated runs, `marked` get a dashed border.
    A click, the arrow keys or Python select a place; a click also asks where its probability is from. Where it
    `chooses`, a rival that is clicked (or taken by Enter) is sent as `choice`, [place, number of the rival]; elsewhere
    that asks where the rival's probability is from.
    """

    _esm = script("written_text")
    _css = style("written_text")
    _by_page = ("selected", "choice")
    _data = ("pieces", "n_prompt", "weights", "again", "notes")

    pieces = Pieces()
    n_prompt = traitlets.Int(0).tag(sync=True)
    weights = Floats(ndim=(1,))
    shade_label = Text("its probability").tag(sync=True)
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

    def __init__(self, model: Model, **traits):
        self._model = model
        self._prompt: Sequence[int] = ()
        self._places: Sequence[Place] = ()
        super().__init__(**{"stage": "sampling", "provenance": self._of_place, **traits})

    def show(
        self,
        prompt: Sequence[int],
        places: Sequence[Place],
        *,
        weights: Sequence[float] | None = None,
        notes: Sequence[str] | None = None,
        marked: Sequence[int] = (),
        selected: int | None = None,
    ) -> None:
        """Draw a prompt and the places after it; shaded by `weights`, one a written token, or by their probability."""
        self._prompt, self._places = list(prompt), list(places)
        tokenizer = self._model.tokenizer
        written = [one for one in places if one.token is not None]
        tokens = [*prompt, *(one.token for one in written)]
        again = sampling.repeated(tokens, run=RUN)
        again[: len(prompt)] = False
        shades = [one.probability for one in written] if weights is None else weights
        if notes is None:
            notes = [f"probability {percent(one.probability)}" for one in written]
        size = max((len(one.rivals) for one in places), default=0)
        self.change(
            pieces=tokenizer.pieces(tokens),
            n_prompt=len(prompt),
            weights=np.concatenate([np.full(len(prompt), np.nan), shades]),
            notes=[
                f"{note} · part of a repetition" if again[len(prompt) + i] else note
                for i, note in enumerate(notes)
            ],
            again=np.flatnonzero(again).tolist(),
            marked=list(marked),
            n_rivals=size,
            rivals=tokenizer.pieces([token for one in places for token in one.rivals]),
            own=np.concatenate([one.own for one in places]) if places else None,
            odds=np.concatenate([one.odds for one in places]) if places else None,
            picked=[-1 if one.token is None else one.rivals.index(one.token) for one in places],
            selected=selected,
        )

    @one_at_a_time
    def _of_place(self, at: int, rival: int) -> Explanation:
        i = at - len(self._prompt)
        if i < 0:
            raise ValueError("the reader wrote this token")
        here = self._places[i]
        before = [*self._prompt, *(one.token for one in self._places[:i])]
        token = here.rivals[rival]
        return provenance.prob(
            self._model.trace(before).logits,
            token,
            piece=self._model.tokenizer.pieces([token])[0],
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


def summary(places: Sequence[Place], n_prompt: int, again: Sequence[int]) -> str:
    """How sure the model was of what was written (the prompt was not its choice), and how much is repetition."""
    if not places:
        return "Nothing is written yet."
    probs = np.array([one.probability for one in places])
    bits = -np.log2(np.maximum(probs, 1e-45))
    n = "1 token" if len(places) == 1 else f"{len(places)} tokens"
    told = f"{n} written, with a perplexity of {2 ** bits.mean():,.1f} so far."
    if again:
        repeats = np.isin(np.arange(len(places)) + n_prompt, again)
        told += f" Repetition: {percent(repeats.mean())}"
        if not repeats.all():
            new = percent(probs[~repeats].mean())
            told += f" (its mean probability is {percent(probs[repeats].mean())}, that of all else {new})"
        told += "."
    return told
