"""Each attention head switched off on its own: for how many does the likeliest next token change?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llmviz import ops
from llmviz.experiments.ablation import N_SETS, each_head_off
from llmviz.model import Model
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.next_token_bars import likeliest
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.view import Scene, job, part, sentences


class HeadsOff(GuessFirst):
    """The model runs without each head on its own, and then without several of those that changed nothing."""

    experiment, stage, unit = "each", "attention", "heads"

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, and the chosen head."""

        cell: tuple[int, int] | None = selection("map")

    def __init__(self, model: Model, text: str | Prompt, **state):
        self.high = model.config.n_layers * model.config.n_heads
        super().__init__(as_prompt(model, text), **state)

    def question(self, scene: Scene) -> str:
        off = f"We switch off each of the {self.high} heads in turn, one at a time."
        return f"{off} For how many does the likeliest token change?"

    def answer(self, scene: Scene) -> int:
        return int(scene.outcome[1].sum())

    @job()
    def each(self, scene: Scene) -> Iterator[tuple[float, tuple | None]]:
        return each_head_off(scene.run)

    # --- parts ---

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (left, changes, together), (piece, whole) = scene.outcome, likeliest(scene.run)
        n = changes.size - int(changes.sum())
        if n < 2 or not together:
            return []
        which = f"The other {n}" if n < changes.size else f"All {n}"
        low, high = (percent(end(left[~changes])) for end in (np.min, np.max))
        after = "another token is the likeliest" if together[n][0] else f"{piece} is still the likeliest"
        *sets, last = [
            f"{sum(them)} of {N_SETS} sets of {size}" for size, them in together.items() if size < n
        ] or [""]
        random_sets = f"{', '.join(sets)} and {last}" if sets else last
        return [
            f"{which} heads, one at a time, leave {piece} at {low} to {high} (unchanged: {whole}).",
            f"We switch off random sets too: the likeliest token changes for {random_sets}." if last else "",
            f"With all {n} switched off, {after}.",
        ]

    @part(
        HeatMap,
        [[0.0]],
        [""],
        kind="prob",
        row_axis="head",
        col_axis="layer of the head that is switched off",
        blank="not measured",
    )
    def map(self, scene: Scene) -> dict:
        (left, changes, _), (piece, whole) = scene.so_far, likeliest(scene.run)
        n_heads, n_layers = left.shape
        return {
            "values": left,
            "row_labels": range(n_heads),
            "col_labels": range(n_layers),
            "selected": selected(scene.cell, *left.shape),
            "cell_text": [["≠" if other else "" for other in line] for line in changes],
            # The scale is the same from the first result to the last: an unchanged probability is in its middle.
            "limit": min(1.0, 2 * float(ops.softmax(scene.run.logits).max())),
            "caption": f"Probability of {piece} with one head switched off (unchanged model: {whole}). "
            "≠: another token is likelier",
        }
