"""Two words change places: who notices?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmviz import experiments, ops
from llmviz.model import Edits, Trace
from llmviz.views.kit.controls import wide
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.next_token_bars import chosen_token, empty_bars, next_tokens
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import as_sentence, isolated
from llmviz.views.kit.state_fields import token_choice
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, part, parts, sentences, shared
from llmviz.views.position.shuffled_head import N_USED, beginning, cut

NOTHING = "there is nothing to swap here: that takes two different tokens before the last"
SETTINGS = {
    "the model as it is": Edits(),
    "RoPE off": Edits(rope=False),
    "RoPE off, mask off": Edits(rope=False, causal_mask=False),
}


def positions_to_swap(trace: Trace, first: str, second: str) -> tuple[int, int] | None:
    """Return where two words are in the beginning of a text, before its last token.

    Where it lacks one, return the first two neighbours that differ; None where no two differ.
    """
    pieces = trace.pieces[:N_USED]
    before = pieces[:-1]
    if first in before and second in before:
        return before.index(first), before.index(second)
    return experiments.differing_neighbours(pieces)


def named(trace: Trace, first: str, second: str) -> str:
    """Return "“·dog” and “·cat”", or whatever two tokens of this text change places."""
    positions = positions_to_swap(trace, first, second)
    return " and ".join(isolated(trace.pieces[at]) for at in positions) if positions else "two tokens"


def n_layers_that_notice(trace: Trace, first: str, second: str) -> int:
    """Count the layers whose attention, without RoPE, gives the last token something else when two words are swapped.

    ValueError where no two tokens differ.
    """
    positions = positions_to_swap(trace, first, second)
    if not positions:
        raise ValueError(NOTHING)
    return experiments.layers_that_notice(beginning(trace), positions)


class Swap(View):
    """Two tokens change places. first, second: the words that do, where the text has both."""

    stage = "position"

    def __init__(self, source: Prompt | Trace, first: str = "", second: str = "", **state):
        self.words = first, second
        super().__init__(source, **state)

    @shared
    def home(self, scene: Scene) -> tuple[int, int]:
        """Return the positions of the words."""
        positions = positions_to_swap(scene.run, *self.words)
        if positions is None:
            raise NothingToShow(f"{NOTHING.capitalize()}.")
        return positions


class TwoHeaps(Swap):
    """A text, the same with two tokens swapped, both as an unordered set, and what the model predicts after each."""

    @shared
    def runs(self, scene: Scene) -> tuple[Trace, Trace]:
        return experiments.swapped_runs(beginning(scene.run), scene.home, Edits())

    @parts(
        {
            "own": "Your text",
            "swapped": "Two tokens swapped",
            "heap": "The unordered set of both: the same rows of the table, sorted by id",
        },
        TokenStrip,
        [],
        highlight_name="changed places",
    )
    def strip(self, scene: Scene, name: str) -> dict:
        own, swapped = (run.tokens for run in scene.runs)
        if sorted(own) != sorted(swapped):
            raise ValueError("a swap leaves no other heap")
        ids = {"own": own, "swapped": swapped, "heap": sorted(own)}[name]
        marks = () if name == "heap" else scene.home
        return {"pieces": scene.run.model.tokenizer.pieces(ids), "ids": ids, "highlight": [*marks]}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        tokens = [scene.run.tokens[at] for at in scene.home]
        lines, pieces = [], [*map(isolated, scene.run.model.tokenizer.pieces(tokens))]
        for name, run in zip(("As it stands", "Swapped"), scene.runs):
            words = map(" ".join, zip(pieces, map(percent, ops.softmax(run.logits)[tokens])))
            lines.append(f"{name}, the next token is {', '.join(words)}.")
        return [*lines, cut(scene.run)]


def _position(which: int, label: str) -> Any:
    """Declare the position of a token before the last; the word's own at first."""
    return token_choice(
        None,
        label,
        home=lambda view: (positions_to_swap(view.run, *view.words) or (0, 0))[which],
        pieces=lambda view: view.run.pieces[:N_USED][:-1],
    )


class SwapWords(Swap):
    """Two tokens of a text change places; how much does the last token notice, layer by layer?

    Lines: the relative change of the attention output at the last token, in the model as it is, without RoPE, and
    without RoPE and causal mask. Bars: the next token before and after the swap.
    """

    @dataclass(frozen=True)
    class State:
        first_position: int | None = _position(0, "Swap")
        second_position: int | None = _position(1, "with")
        chosen: int | None = chosen_token("with_rope")
        chosen_without: int | None = chosen_token("without_rope")

    arrangement = (
        ("first_position", "second_position"),
        *("swapped", "lines", ("with_rope", "without_rope"), "message"),
    )

    @shared
    def pair(self, scene: Scene) -> tuple[int, int]:
        return scene.home and (scene.first_position, scene.second_position)

    @shared
    def runs(self, scene: Scene) -> list[tuple[Trace, Trace]]:
        """Return the runs before and after the swap with each of `SETTINGS`."""
        run, pair = beginning(scene.run), scene.pair
        try:
            return [experiments.swapped_runs(run, pair, edits) for edits in SETTINGS.values()]
        except FloatingPointError as error:
            raise NothingToShow(as_sentence(error)) from None

    @shared
    def probs(self, scene: Scene) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(ops.softmax(before.logits), ops.softmax(after.logits)) for before, after in scene.runs]

    @shared
    def changes(self, scene: Scene) -> np.ndarray:
        """Measure what the last token gets from attention [settings, n_layers]."""
        return np.stack([experiments.relative_change(*runs) for runs in scene.runs])

    @part(TokenStrip, [], highlight_name="swapped", caption="Your text, two tokens swapped")
    def swapped(self, scene: Scene) -> dict:
        _, run = scene.runs[0]
        return {"pieces": run.pieces, "ids": run.tokens, "highlight": [*scene.pair]}

    @part(
        LinePlot,
        x_axis="layer",
        y_axis="change at the last token",
        caption="How much the swap changes what attention hands to the last token (1 = as much as there was)",
    )
    def lines(self, scene: Scene) -> dict:
        n_layers = scene.changes.shape[1]
        return {"x": np.arange(n_layers), "values": scene.changes, "names": [*SETTINGS]}

    @parts(
        {"with_rope": "the model as it is", "without_rope": "RoPE off"},
        lambda view, name: wide(
            empty_bars(
                view.run.model,
                n=6,
                before_label="before the swap",
                caption=f"Next token after the swap: {name}",
            )
        ),
    )
    def bars(self, scene: Scene, name: str) -> dict:
        chosen, tokenizer = (scene.chosen, scene.chosen_without), scene.run.model.tokenizer
        both = [
            next_tokens(tokenizer, after, n=6, before=before, chosen=token)
            for (before, after), token in zip(scene.probs, chosen)
        ]
        axis_max = max(bars["axis_max"] for bars in both)
        return both[name == "without_rope"] | {"axis_max": axis_max}

    @sentences
    def message(self, scene: Scene) -> Iterator[str]:
        _, off, no_mask = scene.changes
        tokens = [beginning(scene.run).tokens[at] for at in scene.pair]
        if tokens[0] == tokens[1]:
            yield "These two are the same token: swapping them changes nothing. Choose two different ones."
            return
        shifts = [percent(experiments.total_variation(*probs)) for probs in scene.probs]
        yield (
            f"RoPE off, layer 0: the swap changes the last token's attention output by {percent(off[0])}"
            f" of its length{', nothing but rounding' if off[0] < 1e-5 else ''}. Layer 1: by {percent(off[1])}; "
            f"the last layer: by {percent(off[-1])}. In the end {shifts[1]} of the next token's probability "
            f"moved (with RoPE: {shifts[0]})."
        )
        yield (
            f"Without RoPE and without the causal mask, after all {len(off)} layers: {percent(no_mask[-1])}, and "
            f"{shifts[2]} of the probability moved. So the order that was left came in through the mask."
            if no_mask[-1] < 1e-3
            else f"Without RoPE and mask the last layer's output changed by {percent(no_mask[-1])}."
        )
        for token, piece in zip(tokens, scene.run.model.tokenizer.pieces(tokens)):
            with_rope, without = (
                f"{percent(before[token])} → {percent(after[token])}" for before, after in scene.probs[:2]
            )
            yield f"{isolated(piece)} as the next token: {with_rope} with RoPE, {without} without."
        yield cut(scene.run)
