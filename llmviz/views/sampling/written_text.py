"""A text as the loop writes it, with the other tokens that could have come at each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import traitlets

from llmviz.experiments.places import Place, repeats
from llmviz.model import Model
from llmviz.views import provenance
from llmviz.views.kit.numbers import amount, percent
from llmviz.views.kit.picture import Floats, Picture, Pieces, Text
from llmviz.views.kit.pieces import visible
from llmviz.views.provenance import Explanation


def note_of(place: Place) -> str:
    """Say how likely a token was for the model, and, where that differs, how likely it was to be drawn."""
    own, odds = percent(place.own[place.picked]), percent(place.odds[place.picked])
    return f"the model’s own probability: {own}" + (f", drawn with: {odds}" if odds != own else "")


def how_sure(prompt: Sequence[int], written: Sequence[Place]) -> str:
    """Say how often the likeliest token was written, and how much is repetition."""
    if not written:
        return "Nothing is written yet."
    first, again = sum(place.picked == 0 for place in written), repeats(prompt, written)
    said = f"{amount(len(written), 'tokens')} written, {first} of them the likeliest."
    return f"{said} Repetition: {np.floor(100 * again.mean() + 0.5):.0f}%." if again.any() else said


class WrittenText(Picture):
    """A text as the loop writes it: chips shaded by `weights` [seq], and the rivals of each token.

    The first `n_prompt` pieces are the reader's. Each place after them has `n_rivals` rivals (flat lists, place after
    place): their pieces `rivals`, the model's own probabilities `own`, and those of being drawn, `odds` (−1: no such
    rival). `picked` is the number of the rival that was drawn, −1 at a last place that is still open. `again` are the
    places of repetitions; `marked` ones get a ★ if the picture `chooses`, else a dashed border.
    A click, the arrow keys or Python select a place; until then, `shown_first` or the last place is shown. A click also
    asks where its probability comes from. If the picture `chooses`, a click or Enter on a rival sends it as `choice`,
    [place, number of the rival]; else it asks where the rival's probability comes from.
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
    shown_first = traitlets.Int(None, allow_none=True).tag(sync=True)
    chooses = traitlets.Bool(False).tag(sync=True)
    choice = traitlets.List(traitlets.Int(), None, minlen=2, maxlen=2, allow_none=True).tag(sync=True)

    def page_values(self) -> dict:
        n_places = len(self.picked) if self.chooses else 0
        rivals = [[self.n_prompt + i, j] for i in range(n_places) for j in range(self.n_rivals)]
        return {"selected": [None, *range(len(self.pieces))], "choice": [None, *rivals]}

    def text(self) -> str:
        """Return the prompt, then a line for each written token: its place, piece and note."""
        if not self.pieces:
            return "no tokens yet"
        n, pieces = self.n_prompt, [*map(visible, self.pieces)]
        rows = [f"{i}  {pieces[i]}  {note}" for i, note in enumerate(self.notes, start=n)]
        return "\n".join([f"prompt:  {''.join(pieces[:n])}", *rows])

    def headline(self) -> str:
        """Return the text, and how many of its tokens were written."""
        shown = "".join(map(visible, self.pieces[-100:]))
        return f"{len(self.pieces) - self.n_prompt} tokens written after {self.n_prompt}: {shown}"


def written_text(model: Model, prompt: Sequence[int], places: Sequence[Place]) -> dict:
    """Return the traits of a `WrittenText` for a prompt and the places after it, of which the last may be open."""
    written = [place for place in places if place.token is not None]
    again = repeats(prompt, written)
    notes = [note_of(place) + " · part of a repetition" * bool(a) for place, a in zip(written, again)]
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
    """Explain the probability of a rival at a place of the text. ValueError for a place in the prompt."""
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
