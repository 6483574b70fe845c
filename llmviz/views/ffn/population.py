"""All neurons of a layer at once: do the texts that wake a neuron go on with the tokens that it pushes?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmviz.experiments.neurons import agreement, better_than_chance, peaks
from llmviz.model import Model
from llmviz.views.ffn.piece_table import PieceTable
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import STATIC
from llmviz.views.kit.state_fields import layer, selected, selection
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.view import Scene, View, part, sentences, shared

N_SHOWN = 8  # neurons with a row of their own
N_PLACES = 2  # at which it fires most strongly, and of the tokens that it pushes most
COLUMNS = [f"{what} {i + 1}" for what in ("wakes", "came", "push") for i in range(N_PLACES)]
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")
LABEL = "A text to wake the neurons, the longer the better"


class Population(View):
    """Every neuron of a layer, ranked by how well what wakes it agrees with what it pushes, and the same by chance.

    A point of the line selects the neurons from there on. The table below shows the tokens at which each fires most
    strongly, the tokens that came next there, and the tokens that it pushes up.
    """

    stage = "ffn"

    @dataclass(frozen=True)
    class State:
        """The layer, and the place in the ranking from which on neurons are shown."""

        layer: int = layer(27)
        place: int | None = selection("plot", lambda view: range(0, view.run.model.config.d_ff, N_SHOWN))

    arrangement = ("layer", "plot", "message", "table")

    def __init__(self, model: Model, text: str | Prompt = STORY, **state):
        self.text = as_prompt(model, text, label=LABEL)
        super().__init__(self.text, **state)

    @shared
    def ranking(self, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        """Return the agreement of the layer's neurons and of the controls, and the neurons by it."""
        agreements = agreement(scene.run, scene.layer)
        return agreements, np.argsort(-agreements[0], kind="stable")

    @part(LinePlot, x_axis="place in the ranking", y_axis="agreement", y_min=None)
    def plot(self, scene: Scene) -> dict:
        agreements, order = scene.ranking
        by_chance = -np.sort(-agreements[1:], axis=1)
        return {
            "values": np.stack([agreements[0][order], by_chance.mean(axis=0)]),
            "x": np.arange(1, len(order) + 1),
            "names": ["the layer's neurons", "control: each with another neuron's row"],
            "selected": selected(scene.place, len(order)),
            "caption": f"Agreement of what wakes each neuron of layer {scene.layer} with what it pushes "
            "(1: perfect, 0: none)",
        }

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if len(scene.run.tokens) < 4:
            return ["This text is too short: an agreement takes four tokens at least."]
        agreements, _ = scene.ranking
        least, better = better_than_chance(agreements)
        return [
            f"{better.sum():,} of {better.size:,} neurons, {percent(better.mean())}, agree better than {least:.2f}, "
            "as one in a hundred does with another neuron's row. Found on this text. "
            "Below: the neurons from the selected place on."
        ]

    @part(PieceTable, col_labels=COLUMNS, row_axis="neuron", kind="signed", limit=1.0)
    def table(self, scene: Scene) -> dict:
        run, (_, order) = scene.run, scene.ranking
        first, as_pieces = selected(scene.place, len(order)) or 0, run.model.tokenizer.pieces
        rows, pieces, values = [], [], []
        for neuron in order[first : first + N_SHOWN].tolist():
            its = peaks(run, scene.layer, neuron, N_PLACES)
            rows.append(f"{neuron} {'−' if its.sign < 0 else '+'}")
            pieces += [run.pieces[at] for at in its.positions] + [
                [*run.pieces, ""][at + 1] for at in its.positions
            ]
            pieces += as_pieces(its.pushed)
            values.append([*its.firing, *[np.nan] * N_PLACES, *its.pushes])
        return {
            "values": values,
            "pieces": pieces,
            "row_labels": rows,
            "caption": "What wakes a neuron, the token that came next there, and what it pushes up then. Shade: its "
            "firing, or its push, as a share of its strongest. + and −: its strongest firing is above or below zero",
        }
