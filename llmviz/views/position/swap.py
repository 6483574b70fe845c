"""Two words change places: where in the model does that make a difference?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from llmviz import experiments, ops
from llmviz.experiments import total_variation
from llmviz.experiments.order import N_USED, NOTICED, beginning, positions_to_swap
from llmviz.model import Edits, Trace
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import as_sentence, isolated
from llmviz.views.kit.state_fields import tick, token_choice
from llmviz.views.kit.text_box import Prompt
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import NothingToShow, Scene, View, part, sentences, shared
from llmviz.views.position.shuffled_head import cut

SETTINGS = {
    "RoPE off": Edits(rope=False),
    "unchanged model": Edits(),
    "RoPE and mask off": Edits(rope=False, causal_mask=False),
}


def swap_question(trace: Trace, first: str, second: str, question: str) -> str:
    """Return a question with the two tokens that are swapped for its "{}"; "two tokens" if the text has none."""
    try:
        positions = positions_to_swap(trace, first, second)
    except ValueError:
        return question.format("two tokens")
    return question.format(" and ".join(isolated(trace.pieces[at]) for at in positions))


class Swap(View):
    """Two tokens change places. first, second: the words that do at first, if the text has both."""

    stage = "position"

    def __init__(self, source: Prompt | Trace, first: str = "", second: str = "", **state):
        self.words = first, second
        super().__init__(source, **state)

    @shared
    def usual(self, scene: Scene) -> tuple[int, int]:
        """Return the positions of the words. `NothingToShow` where no two tokens can be swapped."""
        try:
            return positions_to_swap(scene.run, *self.words)
        except ValueError:
            raise NothingToShow("To swap tokens, type at least two different ones before the last.") from None


class UnorderedSet(Swap):
    """A text, with two tokens swapped or not, in its order or as an unordered set, and what the model predicts."""

    @dataclass(frozen=True)
    class State:
        swapped: bool = tick("Swap two tokens")
        unordered: bool = tick("Drop the order")

    @shared
    def runs(self, scene: Scene) -> tuple[Trace, Trace]:
        return experiments.swapped_runs(beginning(scene.run), scene.usual, Edits())

    @part(
        TokenStrip,
        [],
        highlight_name="the two tokens",
        caption="The tokens that are looked up, with their row numbers. “Drop the order” sorts them by these.",
    )
    def strip(self, scene: Scene) -> dict:
        own, ids = scene.runs[0].tokens, scene.runs[scene.swapped].tokens
        marks = [*scene.usual]
        if scene.unordered:
            ids = sorted(ids)
            marks = [ids.index(own[at]) for at in scene.usual]
        return {"pieces": scene.run.model.tokenizer.pieces(ids), "ids": ids, "highlight": marks}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        tokens = [scene.run.tokens[at] for at in scene.usual]
        names = map(isolated, scene.run.model.tokenizer.pieces(tokens))
        own, now = (map(percent, ops.softmax(run.logits)[tokens]) for run in scene.runs)
        if scene.swapped:
            changes = [f"{name} from {before} to {after}" for name, before, after in zip(names, own, now)]
            share = percent(total_variation(*(ops.softmax(run.logits) for run in scene.runs)))
            message = f"The swap moves {share} of the next token's probability: {', '.join(changes)}."
        else:
            message = f"As the next token: {', '.join(map(' '.join, zip(names, own)))}."
        return [message, cut(scene.run)]


def _position(which: int, label: str) -> Any:
    """Declare the position of a token before the last; at first, that of the word."""

    def usual(view: Swap) -> int:
        try:
            return positions_to_swap(view.run, *view.words)[which]
        except ValueError:
            return 0

    return token_choice(None, label, usual=usual, pieces=lambda view: view.run.pieces[:N_USED][:-1])


class SwapWords(Swap):
    """Two tokens of a text change places: how much does that change the last token, layer by layer?

    Lines: the relative change of the attention output at the last token with each of `SETTINGS`.
    """

    @dataclass(frozen=True)
    class State:
        first_position: int | None = _position(0, "Swap")
        second_position: int | None = _position(1, "with")

    arrangement = (("first_position", "second_position"), "lines", "message")

    @shared
    def pair(self, scene: Scene) -> tuple[int, int]:
        return scene.usual and (scene.first_position, scene.second_position)

    @shared
    def changes(self, scene: Scene) -> np.ndarray:
        """Return the change of the last token's attention output with each of `SETTINGS`: [settings, n_layers]."""
        run, pair = beginning(scene.run), scene.pair
        try:
            return np.stack(
                [
                    experiments.relative_change(*experiments.swapped_runs(run, pair, edits))
                    for edits in SETTINGS.values()
                ]
            )
        except FloatingPointError as error:
            raise NothingToShow(as_sentence(error)) from None

    @part(
        LinePlot,
        x_axis="layer",
        y_axis="change (% of the output's length)",
        unit="share",
        caption="Change of the attention output at the last token when two tokens are swapped (rounding: below "
        f"{percent(NOTICED)})",
    )
    def lines(self, scene: Scene) -> dict:
        n_layers = scene.changes.shape[1]
        return {"x": np.arange(n_layers), "values": scene.changes, "names": [*SETTINGS]}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        pieces = [scene.run.pieces[at] for at in scene.pair]
        if pieces[0] == pieces[1]:
            return ["These two tokens are the same. Choose two different ones."]
        first, most = (
            percent(change).replace("<", "less than")
            for change in (scene.changes[0, 0], scene.changes[0].max())
        )
        return [
            f"{isolated(pieces[0])} and {isolated(pieces[1])} swapped, RoPE off: layer 0 changes by {first}, and the "
            f"layer that changes most changes by {most}.",
            cut(scene.run),
        ]
