"""One step of training: in which direction to change one parameter, and then all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import ipywidgets
import numpy as np
import traitlets

from llmviz.experiments.gradients import LENGTHS, N_RANDOM, NUDGE, Numbers
from llmviz.model import Model
from llmviz.tokenization import drop_unwritable
from llmviz.views.kit.controls import LABELLED
from llmviz.views.kit.guess_first import GuessFirst
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.state_fields import fixed, line, picked, replace
from llmviz.views.kit.view import NothingToShow, Scene, View, job, looks, part, press, sentences, shared

TOO_SHORT = "The text needs two tokens: one is predicted from the other."
AROUND = 0.5  # how far one parameter is changed in both directions


class OneParameter(View):
    """The surprise at a text as one parameter changes, and the straight line that its gradient predicts.

    `trace` is the text's `Numbers`, or None if the text is too short.
    """

    trace = traitlets.Instance(Numbers, allow_none=True)
    stage = "training"
    arrangement = ("text", ("number", "steepest", "at_random"), "curves", "message")

    @dataclass(frozen=True)
    class State:
        """The text, how many random draws there were, and the parameter's index; None: of the steepest gradient."""

        text: str = line("Once upon a time there was a little", "The text", "min(700px, 98%)", live=True)
        draws: int = fixed(0, lambda value: type(value) is int and 0 <= value < 2**31, "a whole number")
        number: int | None = picked(
            None,
            lambda value, view: value is None or (type(value) is int and 0 <= value < view.n),
            "the index of a parameter, or None",
            control=lambda _, view: ipywidgets.BoundedIntText(
                max=view.n - 1, description="Parameter", style=LABELLED, layout={"width": "220px"}
            ),
            shows=lambda number, _: {"value": number or 0},
        )

    def __init__(self, model: Model, text: str = "Once upon a time there was a little", **state):
        self.n = model.config.n_parameters
        super().__init__(model, text=text, **state)

    @shared
    def numbers(self, scene: Scene) -> Numbers | None:
        text, _ = drop_unwritable(scene.text, scene.run.tokenizer.ranks)
        return Numbers(scene.run, text) if len(scene.run.tokenizer.encode(text)) > 1 else None

    @shared
    def parameter(self, scene: Scene) -> int:
        if scene.number is not None or scene.numbers is None:
            return scene.number or 0
        return int(np.abs(scene.numbers.gradient).argmax())

    @looks("number")
    def number_looks(self, scene: Scene) -> dict:
        return {"value": scene.parameter}

    def put_right(self, before: State, state: State) -> State:
        return state if state.text == before.text else replace(state, number=None)

    @press("Take the steepest")
    def steepest(self, state: State) -> State:
        return replace(state, number=None)

    @press("Draw one at random")
    def at_random(self, state: State) -> State:
        drawn = int(np.random.default_rng(state.draws).integers(self.n))
        return replace(state, number=drawn, draws=state.draws + 1)

    def hand_on(self, scene: Scene) -> None:
        self.trace = scene.numbers

    @part(
        LinePlot,
        names=["surprise", "what the gradient predicts"],
        x_axis="change of the parameter",
        y_axis="surprise (bits per token)",
        unit="bits",
        caption="Surprise at the text as one parameter changes and all others stay",
    )
    def curves(self, scene: Scene) -> dict:
        if scene.numbers is None:
            raise NothingToShow
        x, gradient = np.linspace(-AROUND, AROUND, 21), scene.numbers.gradient
        curve = [scene.numbers.turned(scene.parameter, by) for by in x]
        now = curve[len(x) // 2]
        steepest = AROUND * float(np.abs(gradient).max())  # one scale for all, so that a flat line is flat
        values = np.array([curve, now + float(gradient[scene.parameter]) * x])
        return {"x": x, "values": values, "y_min": now - steepest, "y_max": now + steepest}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        numbers, i = scene.numbers, scene.parameter
        if numbers is None:
            return [TOO_SHORT]
        slope, cut = float(numbers.gradient[i]), len(numbers.tokens) == scene.run.config.n_ctx
        return [
            f"The model reads at most {len(numbers.tokens)} tokens of a text." if cut else "",
            f"Parameter {i:,} (in {numbers.place(i)}) is {numbers.flat[i]:.4f}; the surprise is "
            f"{numbers.turned(i, 0):.3f} bits.",
            f"Nudging it by {NUDGE} up and down gives a gradient of {numbers.by_nudging(i):.4f} bits per unit, and "
            f"backpropagation gives {slope:.4f}. So {'lowering' if slope > 0 else 'raising'} it reduces the surprise.",
        ]


class GradientStep(GuessFirst):
    """The surprise as all parameters change at once: against their gradients, and as far in random directions.

    source: a `OneParameter`, about whose text it asks.
    """

    experiment, unit, high = "walk", "bits per token", 10

    def explanation(self, scene: Scene) -> str:
        now, slope = scene.outcome[0][0], np.linalg.norm(scene.run.gradient)
        too_much = f", but there are only {now:.1f} to lose" if slope > now else ""
        return (
            f"The gradient predicts {slope:.1f} bits{too_much}. It's a slope at one point, so trust it only for short "
            "steps."
        )

    def problem(self, scene: Scene) -> str:
        return "" if scene.run else TOO_SHORT

    def question(self, scene: Scene) -> str:
        if scene.run is None:
            return ""
        text = clean(scene.run.model.tokenizer.decode_prompt(scene.run.tokens))
        return (
            "All parameters change at once, each against its gradient, in a step of length 1. By how much does the "
            f"surprise at “{text[:50]}{'…' if len(text) > 50 else ''}” fall?"
        )

    def answer(self, scene: Scene) -> float:
        along, _ = scene.outcome
        return along[0] - along[LENGTHS.index(1)]

    @job()
    def walk(self, scene: Scene) -> Iterator[tuple[float, np.ndarray | None]]:
        return scene.run.walk()

    @part(
        LinePlot,
        names=["against the gradient", f"in random directions ({N_RANDOM}, mean)"],
        x=LENGTHS,
        x_axis="length of the step",
        y_axis="surprise (bits per token)",
        unit="bits",
        caption="Surprise at the text as all parameters change at once",
    )
    def curves(self, scene: Scene) -> dict:
        return {"values": scene.outcome}

    @sentences
    def message(self, scene: Scene) -> list[str]:
        (along, at_random), at = scene.outcome, LENGTHS.index(1)
        moves = np.abs(scene.run.gradient) / np.linalg.norm(scene.run.gradient)
        return [
            f"This step, a vector of length 1, changes the surprise from {along[0]:.2f} to {along[at]:.2f} bits. "
            f"Random steps of this length lead to {at_random[at]:.2f}, on average.",
            f"It changes the steepest parameter by {moves.max():.2f}, and half of them by less than "
            f"{np.ceil(1e5 * np.median(moves)) / 1e5:.5f}.",
            f"The best of the steps tried has the length {LENGTHS[int(np.argmin(along))]:g}. A step of length "
            f"{LENGTHS[-1]} leads to {along[-1]:.2f} bits.",
        ]
