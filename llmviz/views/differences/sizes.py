"""Small models of several sizes, trained on one text for the same time, or for the same number of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import ipywidgets
import numpy as np

from llmviz import training
from llmviz.experiments.small_models import AGAIN, bits_a_byte
from llmviz.sampling import Sampler
from llmviz.views.differences.one_training import OneTraining
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.predict import within
from llmviz.views.kit.state_fields import seed
from llmviz.views.kit.view import Scene, job, part, sentences, shared
from llmviz.weights import Config

N_WRITTEN = 24  # tokens
TIED = 0.03  # bits a byte: a lead that another seed turns round


@dataclass(frozen=True)
class Race:
    """Which models are trained on a text, for each of the budgets: so many steps, or so many seconds of work."""

    text: str
    configs: tuple[tuple[str, Config], ...]
    budgets: tuple[float, ...]
    unit: str  # "steps" or "seconds"
    start: str  # of what each writes in the end

    @property
    def names(self) -> list[str]:
        """Return the names of the models."""
        return [name for name, _ in self.configs]

    def budget(self, budget: float) -> str:
        """Return its name."""
        return f"{budget:,} {self.unit}" if self.unit == "steps" else f"{budget:g} {self.unit}"


@dataclass(frozen=True)
class Trained:
    """A model at the end of its training: both kinds of surprise in bits a byte."""

    n_parameters: int
    step: int
    seconds: float
    loss: float
    held_out: float
    written: str


@dataclass(frozen=True)
class Results:
    """What is known so far, by budget and name; curves: by name, the surprise at the held-out text, by step."""

    trained: Mapping[tuple[float, str], Trained] = field(default_factory=dict)
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


class Sizes(OneTraining, GuessFirst):
    """First a guess, then models of several sizes from noise, on one text: which is least surprised by the rest of it?

    Give `seconds` (of work, for each): a line over the sizes for each number of seconds; every point is a training of
    its own, whose learning rate falls over just that time. Or give `steps`: a bar for each size, and the lines on the
    way; with `against`, a name of configs, both show the difference from it.
    """

    experiment, as_it_comes = "train", ("bars", "curves", "message")
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
        start: str = "The ",
        seconds: tuple[float, ...] = (2, 12),
        steps: int | None = None,
        against: str = "",
        explain: str = "",
        **state,
    ):
        self.asks, self.x_axis, self.against, self.options = question, x_axis, against, tuple(configs)
        how = ((steps,), "steps") if steps else (seconds, "seconds")
        super().__init__(Race(text, tuple(configs.items()), *how, start), explain=explain, **state)

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        # A minute, or by the clock of the reader's own machine.
        return [self.parts["card"], self.parts["begin"]]

    def question(self, scene: Scene) -> str:
        return self.asks

    def answer(self, scene: Scene) -> tuple[int, ...]:
        return self._least(scene, scene.run.budgets[-1])

    def _least(self, scene: Scene, budget: float) -> tuple[int, ...]:
        """Return the indices of the least surprised, and of those that are tied with it."""
        trained = scene.outcome.trained
        return within([-trained[budget, name].held_out for name in scene.run.names], TIED)

    @shared
    def each(self, scene: Scene) -> str:
        return " and ".join(map(scene.run.budget, scene.run.budgets))

    begin = starts(lambda _, scene: f"Train {len(scene.run.configs)} models, {scene.each} each")

    @job("seed")
    def train(self, scene: Scene) -> Iterator[tuple[float, Results | None]]:
        race, results, per_nat, worked = scene.run, Results(), None, 0.0
        total = len(race.configs) * sum(race.budgets)
        for budget in race.budgets:
            for name, config in race.configs:
                how = {race.unit: budget, "seed": scene.seed + 4 * (name == AGAIN)}
                for last in training.pretrain(race.text, config, **how):
                    per_nat = per_nat or bits_a_byte(last.model, race.text)
                    is_measured = last.step and (
                        last.step % training.MEASURE_EVERY == 0 or last.step == budget
                    )
                    if is_measured:
                        curve = {**results.curves.get(name, {}), last.step: last.held_out * per_nat}
                        results = replace(results, curves=results.curves | {name: curve})
                    done = last.step if race.unit == "steps" else last.seconds
                    yield (worked + min(budget, done)) / total, results if is_measured else None
                worked += budget
                trained = results.trained | {(budget, name): _trained(last, per_nat, race.start)}
                results = replace(results, trained=trained)
                yield worked / total, results

    @sentences
    def message(self, scene: Scene) -> list[str]:
        trained = scene.outcome.trained
        latest = [*trained.items()][-len(self.options) :]
        lines = [_sentence(name, model) for (_, name), model in latest]
        if scene.is_known and len(scene.run.budgets) > 1:
            least = "; ".join(
                f"in {scene.run.budget(budget)} each, "
                f"{' and '.join(self.options[i] for i in self._least(scene, budget))}"
                for budget in scene.run.budgets
            )
            lines.append(f"Least surprised: {least}.")
        return lines

    @part(lambda view: LinePlot(labels=[*view.options], stage="training"))
    def bars(self, scene: Scene) -> dict:
        race, trained = scene.run, scene.outcome.trained
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
            "bars": race.unit == "steps",
            "x_axis": self.x_axis,
            "y_axis": self._y_axis,
            "y_min": 0.0 if race.unit == "steps" else None,
            "caption": f"Surprise at the tenth of the text that is never trained on, after {scene.each}",
            "hidden": not trained,
        }

    @property
    def _y_axis(self) -> str:
        return f"bits a byte more than {self.against}" if self.against else "bits a byte"

    @part(
        lambda view: LinePlot(
            x_axis="step",
            y_axis=view._y_axis,
            unit="bits",
            y_min=None,
            stage="training",
            caption=f"The same on the way, measured every {training.MEASURE_EVERY} steps",
        )
    )
    def curves(self, scene: Scene) -> dict:
        curves = scene.outcome.curves
        names = [name for name in curves if name != self.against]  # that one would be the axis
        if scene.run.unit != "steps" or not names:
            return {"hidden": True}
        x = max(curves.values(), key=len)
        zero = curves.get(self.against, dict.fromkeys(x, 0.0))
        values = [[curves[name].get(step, np.nan) - zero[step] for step in x] for name in names]
        return {"x": np.array([*x], float), "values": np.array(values), "names": names}


def _trained(last: training.Progress, per_nat: float, start: str) -> Trained:
    model, tokens = last.model, last.model.tokenizer.encode(start)
    new = [step.token for step in model.generate(tokens, N_WRITTEN, Sampler(temperature=0.7), seed=1)]
    return Trained(
        model.config.n_parameters,
        last.step,
        last.seconds,
        last.loss * per_nat,
        last.held_out * per_nat,
        clean(model.tokenizer.decode([*tokens, *new])),
    )


def _sentence(name: str, model: Trained) -> str:
    count = f"{model.n_parameters:,}"
    size = "" if name == count else f"{count} parameters, "
    ms = 1000 * model.seconds / max(1, model.step)
    return (
        f"{name}: {size}{model.step:,} steps of {ms:.0f} ms. Surprise {model.held_out:.2f} bits a byte on the held-out "
        f"text, {model.loss:.2f} on its last step's. It writes: “{model.written}”"
    )
