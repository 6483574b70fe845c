"""Small models of several sizes, trained on one text with equal amounts of computing, or for equally many steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import ipywidgets
import numpy as np

from llmviz.experiments.small_models import Race, Results, operations, within
from llmviz.views.differences.one_training import OneTraining
from llmviz.views.differences.table import Table
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.state_fields import seed
from llmviz.views.kit.view import Scene, job, looks, part, sentences, shared
from llmviz.weights import Config
from llmviz.where import where

TIED = 0.07  # bits per byte: with another seed, a lead this small may be the other way round


class Sizes(OneTraining, GuessFirst):
    """Models of several sizes are trained from random weights on a text: which is least surprised by its held-out part?

    computing: amounts for each model, in billions of operations. Each model is trained once with each amount, and its
    learning rate falls over the length of that training. Or steps: a number of steps for each model. Two amounts are
    drawn as lines over the sizes, one as bars. With `against`, a name in `configs`, they are drawn less that model's
    surprise, and the question is which model is surprised most.
    """

    experiment = "train"
    copies_as_code = False  # the text is long

    @dataclass(frozen=True)
    class State(GuessFirst.State):
        """The seed of all trainings."""

        seed: int = seed(0)

    def __init__(
        self,
        text: str,
        configs: Mapping[str, Config],
        question: str,
        *,
        x_axis: str = "parameters",
        computing: tuple[float, ...] = (),
        steps: int | None = None,
        against: str = "",
        explain: str = "",
        **state,
    ):
        self.asks, self.x_axis, self.against, self.options = question, x_axis, against, tuple(configs)
        how = ((steps,), "steps") if steps else (computing, "billion operations")
        super().__init__(Race(text, tuple(configs.items()), *how), explain=explain, **state)

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.parts["card"], self.controls["seed"]]  # It takes a minute or more.

    @looks("seed")
    def seed_of_a_training(self, scene: Scene) -> dict:
        return {"hidden": where() == "page"}  # The card says there that the training needs a kernel.

    def question(self, scene: Scene) -> str:
        return self.asks

    def answer(self, scene: Scene) -> tuple[int, ...]:
        return self._first(scene, scene.run.budgets[-1], 1 if self.against else -1)

    def explanation(self, scene: Scene) -> str:
        return f"{self.explain} A lead below {TIED} bits counts as a tie.".lstrip()

    def _first(self, scene: Scene, budget: float, sign: int = -1) -> tuple[int, ...]:
        """Return the indices of the least surprised model, or with sign 1 the most, and of those tied with it."""
        return within([sign * scene.outcome[budget, name].held_out for name in scene.run.names], TIED)

    @shared
    def each(self, scene: Scene) -> str:
        return f"{' and '.join(f'{budget:,}' for budget in scene.run.budgets)} {scene.run.unit}"

    @job("seed")
    def train(self, scene: Scene) -> Iterator[tuple[float, Results | None]]:
        return scene.run.run(scene.seed, scene.result("train"))

    @sentences
    def message(self, scene: Scene) -> list[str]:
        if len(scene.run.budgets) == 1:
            return []
        return [
            f"With {scene.run.budget(budget)} each, the least surprised is the model with "
            f"{' or '.join(self.options[i] for i in self._first(scene, budget))} parameters."
            for budget in scene.run.budgets
        ]

    @part(lambda view: LinePlot(labels=[*view.options], stage="training"))
    def bars(self, scene: Scene) -> dict:
        race, trained = scene.run, scene.so_far
        values = [
            [trained[budget, name].held_out if (budget, name) in trained else np.nan for name in race.names]
            for budget in race.budgets
        ]
        if self.against:
            values = np.array(values)
            values = np.round(values - values[:, [race.names.index(self.against)]], 3)
        return {
            "names": [*map(race.budget, race.budgets)],
            "values": np.array(values),
            "bars": len(race.budgets) == 1,
            "x_axis": self.x_axis,
            "y_axis": f"{'change in ' * bool(self.against)}surprise (bits per byte)",
            "y_min": 0.0 if len(race.budgets) == 1 else None,
            "caption": f"{'Change in s' if self.against else 'S'}urprise at the held-out text, after {scene.each} each",
        }

    @part(Table, "model", "steps × billion operations per step", "surprise (bits per byte)", "it writes")
    def table(self, scene: Scene) -> dict:
        configs, sections = dict(scene.run.configs), {}
        for (budget, name), model in scene.so_far.items():
            size, computing = configs[name].n_parameters, f"{model.steps:,} × {operations(configs[name]):.2g}"
            of = "" if name == f"{size:,}" else f" ({size:,} parameters)"
            row = (f"{name}{of}", computing, f"{model.held_out:.2f}", clean(model.written))
            sections.setdefault(f"{scene.run.budget(budget)} each", []).append(row)
        return {"sections": sections}
