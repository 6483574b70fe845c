"""Every attention head off alone: for how many does the likeliest next token change, and how many can go together?"""

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

TOGETHER = (10, 40, 100)  # heads off at once, each number in DRAWS draws
DRAWS = 10


class HeadsOff(GuessFirst):
    """First a guess, then a run of the model for each head, with that head off; then spare heads off together."""

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
        off = f"Each of the {self.high} heads is switched off alone."
        return f"{off} For how many of them does another token come first?"

    def answer(self, scene: Scene) -> int:
        return int(scene.outcome[1].sum())

    begin = starts(lambda view, _: f"Switch off each of the {view.high} heads alone")

    @job()
    def each(self, scene: Scene) -> Iterator[tuple[float, tuple | None]]:
        """Yield [n_heads, n_layers]: the probability of the likeliest token without each head, and what is likelier."""
        first, config = int(scene.run.logits.argmax()), self.config
        left = np.full((config.n_heads, config.n_layers), np.nan, np.float32)
        changes = np.ones(left.shape, bool)
        # The last first: runs share the layers before.
        last_first = product(reversed(range(config.n_layers)), range(config.n_heads))
        for done, (layer, head) in enumerate(last_first, start=1):
            after = experiments.likeliest_after(scene.run, Edits(head={(layer, head): 0.0}))
            if after is not None:
                left[head, layer], changes[head, layer] = after[1], after[0] != first
            shown = done % 9 == 0 or done == left.size
            yield done / left.size, (left.copy(), changes.copy()) if shown else None

    @job(start="Switch off spare heads together", when=lambda view, scene: scene.is_known)
    def together(self, scene: Scene) -> Iterator[tuple[float, dict[int, int] | None]]:
        """Yield in how many draws of spare heads the likeliest token stays, by their number; the last is all."""
        model, tokens = scene.run.model, scene.run.tokens
        spare = [(int(layer), int(head)) for head, layer in np.argwhere(~scene.outcome[1])]
        stays = dict.fromkeys((n for n in TOGETHER if n < len(spare)), 0)
        draws = experiments.ablate_together(model, tokens, spare, [*stays], DRAWS, seed=1)
        for done, (n, stayed) in enumerate(draws, start=1):
            stays[n] += stayed
            yield done / (len(stays) * DRAWS + 1), None
        lost = experiments.likeliest_changes(model, tokens, Edits(head=dict.fromkeys(spare, 0.0)))
        yield 1.0, stays | {len(spare): DRAWS * (not lost)}

    # --- parts ---

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (left, changes), (piece, whole) = scene.outcome, _first(scene.run)
        lines = [
            f"Without {changes.sum()} of the {left.size} heads, each off alone, another token than {piece} comes "
            f"first. Its probability, {whole} in the whole model, lies between {percent(left.min())} and "
            f"{percent(left.max())}."
        ]
        if stays := scene.result("together"):
            *sizes, n = stays
            draws = "; ".join(f"with {size} off, in {stays[size]} of {DRAWS} draws" for size in sizes)
            lines.append(
                f"{n} heads are spare, each by itself. Some of them off together, drawn at random: {piece} stayed "
                f"first {draws}. With all {n} off it {'stayed first as well' if stays[n] else 'did not stay first'}."
            )
        return lines

    @part(
        lambda view: HeatMap(
            np.full((view.config.n_heads, view.config.n_layers), np.nan),
            [f"head {head}" for head in range(view.config.n_heads)],
            [str(layer) for layer in range(view.config.n_layers)],
            kind="prob",
            row_axis="",
            col_axis="layer of the head that is off",
            stage="attention",
        )
    )
    def map(self, scene: Scene) -> dict:
        (left, changes), (piece, whole) = scene.outcome, _first(scene.run)
        return {
            "values": left,
            "selected": selected(scene.cell, *left.shape),
            "cell_text": [["≠" if other else "" for other in line] for line in changes],
            "limit": float(np.nanmax(left)),
            "caption": f"Probability of {piece} with one head off (whole model: {whole}); ≠: another token comes first",
        }


def _first(run: Trace) -> tuple[str, str]:
    """Return the likeliest next token, quoted, and its probability."""
    first = int(run.logits.argmax())
    return quote(run.model.tokenizer.pieces([first])[0]), percent(ops.softmax(run.logits)[first])
