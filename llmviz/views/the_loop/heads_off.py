"""Every attention head switched off on its own: for how many does the likeliest next token change?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from llmviz import experiments, ops
from llmviz.model import Edits, Model, Trace
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import selected, selection
from llmviz.views.kit.text_box import Prompt, as_prompt
from llmviz.views.kit.view import Scene, job, part, sentences


class HeadsOff(GuessFirst):
    """First a guess, then a run of the model for each head without it, and one without all that changed nothing."""

    experiment, stage, unit = "each", "attention", "heads"
    as_it_comes = ("map",)

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The guess, and the chosen head."""

        cell: tuple[int, int] | None = selection("map")

    def __init__(self, model: Model, text: str | Prompt, **state):
        self.config = model.config
        self.high = model.config.n_layers * model.config.n_heads
        super().__init__(as_prompt(model, text), **state)

    def question(self, scene: Scene) -> str:
        off = f"We switch off each of the {self.high} heads in turn, one at a time."
        return f"{off} For how many does the likeliest token change?"

    def answer(self, scene: Scene) -> int:
        return int(scene.outcome[1].sum())

    begin = starts(lambda view, _: f"Switch off {view.high} heads, one at a time")

    @job()
    def each(self, scene: Scene) -> Iterator[tuple[float, tuple | None]]:
        """Yield [n_heads, n_layers]: the probability of the likeliest token without each head, and whether it changes.

        With the last ones comes whether it changes without all the spare heads, those that changed nothing, together.
        """
        first, config = int(scene.run.logits.argmax()), self.config
        left = np.full((config.n_heads, config.n_layers), np.nan, np.float32)
        changes = np.ones(left.shape, bool)
        # The last first: runs share the layers before.
        last_first = product(reversed(range(config.n_layers)), range(config.n_heads))
        for done, (layer, head) in enumerate(last_first, start=1):
            after = experiments.likeliest_after(scene.run, Edits(head={(layer, head): 0.0}))
            if after is not None:
                left[head, layer], changes[head, layer] = after[1], after[0] != first
            if done < left.size:
                yield done / left.size, (left.copy(), changes.copy(), None) if done % 9 == 0 else None
        spare = {(int(layer), int(head)): 0.0 for head, layer in np.argwhere(~changes)}
        together = experiments.likeliest_changes(scene.run.model, scene.run.tokens, Edits(head=spare))
        yield 1.0, (left, changes, together)

    # --- parts ---

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (_, changes, together), (piece, _) = scene.outcome, _first(scene.run)
        n = changes.size - changes.sum()
        if n < 2:
            return []
        together = "that makes another token the likeliest" if together else f"{piece} is still the likeliest"
        return [
            f"On their own, the other {n} heads look spare. With all {n} switched off together, {together}."
        ]

    @part(
        lambda view: HeatMap(
            np.full((view.config.n_heads, view.config.n_layers), np.nan),
            [f"head {head}" for head in range(view.config.n_heads)],
            [str(layer) for layer in range(view.config.n_layers)],
            kind="prob",
            row_axis="",
            col_axis="layer of the head that is switched off",
            stage="attention",
        )
    )
    def map(self, scene: Scene) -> dict:
        (left, changes, _), (piece, whole) = scene.outcome, _first(scene.run)
        return {
            "values": left,
            "selected": selected(scene.cell, *left.shape),
            "cell_text": [["≠" if other else "" for other in line] for line in changes],
            "limit": float(np.nanmax(left)),
            "caption": f"Probability of {piece} with one head switched off (unchanged model: {whole}). "
            "≠: another token is likelier",
        }


def _first(run: Trace) -> tuple[str, str]:
    """Return the likeliest next token, quoted, and its probability."""
    first = int(run.logits.argmax())
    return quote(run.model.tokenizer.pieces([first])[0]), percent(ops.softmax(run.logits)[first])
