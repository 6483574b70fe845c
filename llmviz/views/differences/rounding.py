"""This model with fewer bits a number, on its file's grid and on another: what does it cost, which facts stay?"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmviz import experiments
from llmviz.experiments import Grid, Rounded
from llmviz.model import Model
from llmviz.views.kit.controls import text_box
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.heat_map import HeatMap
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.numbers import minus
from llmviz.views.kit.picture import STATIC
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.state_fields import selected, selection, tick
from llmviz.views.kit.state_fields import text as typed
from llmviz.views.kit.text_box import read
from llmviz.views.kit.view import Scene, job, part, sentences, shared

# Written for this project, and under its licence: a text that the model cannot have read.
STORY = (STATIC / "a_long_story.txt").read_text("utf-8")
N_READ = 128  # tokens of an ordinary text
LEAST = 0.1  # bits a token: from here on it is said to cost something
STAYS = "none of these"
GRIDS = (Grid(8), Grid(5), Grid(4), Grid(4, experiments.GROUP // 2), Grid(3), Grid(2))


class Rounding(GuessFirst):
    """The layers' matrices rounded to one grid after the other: surprise at ordinary texts, capitals, a sentence.

    facts: a text to go on from, and the word that goes on rightly (its first token counts). A rounded model takes
    425 MB (538 with the table) while it is measured; one at a time.
    """

    experiment, as_it_comes = "measure", ("message", "curves", "map")

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        table: bool = tick("round the table of tokens (W_E), too")
        start: str = typed(
            "The capital of France is",
            lambda text: text_box(text, "And what does it write after", "min(520px, 98%)", live=False),
        )
        point: int | None = selection("curves")
        cell: tuple[int, int] | None = selection("map")

    def __init__(
        self,
        model: Model,
        facts: Mapping[str, str],
        texts: Mapping[str, str],
        *,
        grids: tuple[Grid, ...] = GRIDS,
        explain: str = "",
        explain_table: str = "",
        **state: Any,
    ):
        self.facts, self.texts, self.grids, self.explain_table = (
            dict(facts),
            dict(texts),
            grids,
            explain_table,
        )
        self.options = (*(grid.name for grid in grids), STAYS)
        self.columns = ["unchanged", *self.options[:-1]]
        start = {} if self.State.start in facts else {"start": next(iter(facts))}
        super().__init__(model, explain=explain, **start | state)

    def inputs(self) -> Hashable:
        return super().inputs(), (*self.facts.items(),), (*self.texts.values(),), self.grids

    def question(self, scene: Scene) -> str:
        return f"Which of these is the first to surprise it by {LEAST:g} bits a token more, or by more than that?"

    def answer(self, scene: Scene) -> str:
        return next((now.grid.name for now in scene.outcome[1:] if scene.costs[now.grid] >= LEAST), STAYS)

    def explanation(self, scene: Scene) -> str:
        return self.explain_table if scene.table else self.explain

    begin = starts(lambda view, _: f"Round to {len(view.grids)} grids")

    @job("table", "start")
    def measure(self, scene: Scene) -> Iterator[tuple[float, tuple[Rounded, ...] | None]]:
        tokenizer = scene.run.tokenizer
        texts = [tokenizer.encode(text)[:N_READ] for text in self.texts.values()]
        start = read(scene.start, tokenizer, limit=200).tokens
        return experiments.round_to_each(scene.run, self.grids, self.facts, texts, start, table=scene.table)

    @shared
    def costs(self, scene: Scene) -> dict[Grid, float]:
        """Return how many bits a token each measured grid surprises more, the mean of the texts."""
        unchanged, *others = scene.outcome
        return {now.grid: float(now.surprises.mean() - unchanged.surprises.mean()) for now in others}

    @sentences
    def message(self, scene: Scene) -> Iterator[str]:
        values = experiments.distinct_values(scene.run)
        yield f"Before rounding, {experiments.GROUP} neighbours have at most {values} different values."
        if not read(scene.start, scene.run.tokenizer).tokens:
            yield "There is no sentence to go on from."
        for now in scene.outcome:
            name, more = "Unchanged", ""
            if now.grid:
                name = f"{now.grid.name}: {100 * now.changed:.0f}% move"
                more = minus(f" ({round(scene.costs[now.grid], 2) + 0:+.2f})")
            right = f"{now.is_right.sum()} of {len(self.facts)} capitals"
            yield f"{name}. {now.surprises.mean():.2f} bits a token{more}; {right}. {clean(now.written)}".strip()

    @part(
        lambda view: LinePlot(
            labels=view.columns,
            names=[*view.texts, "a guesser who knows nothing"],
            y_axis="bits a token",
            x_axis="rounded to",
            unit="bits",
            stage="training",
            caption=f"Mean surprise at the first {N_READ} tokens of ordinary texts",
            waiting="",
        )
    )
    def curves(self, scene: Scene) -> dict:
        values = np.full((len(self.texts) + 1, len(self.columns)), np.log2(scene.run.config.n_vocab))
        values[:-1] = np.nan
        values[:-1, : len(scene.outcome)] = np.transpose([now.surprises for now in scene.outcome])
        return {"values": values, "selected": selected(scene.point, len(self.columns))}

    @part(
        lambda view: HeatMap(
            np.full((len(view.facts), len(view.columns)), np.nan),
            [word.strip() for word in view.facts.values()],
            view.columns,
            kind="prob",
            row_axis="capital",
            col_axis="rounded to",
            stage="training",
            caption="Probability of the right word; ✓ where it comes first",
        )
    )
    def map(self, scene: Scene) -> dict:
        values = np.full((len(self.facts), len(self.columns)), np.nan)
        values[:, : len(scene.outcome)] = np.transpose([now.probs for now in scene.outcome])
        marks = [[""] * len(self.columns) for _ in self.facts]
        for column, now in enumerate(scene.outcome):
            for row, (is_right, prob) in enumerate(zip(now.is_right, now.probs)):
                marks[row][column] = f"{'✓ ' if is_right else ''}{100 * prob:.0f}"
        return {"values": values, "cell_text": marks, "selected": selected(scene.cell, *values.shape)}
