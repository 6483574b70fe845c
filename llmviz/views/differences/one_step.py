"""One step of learning: which way to turn one number, and then all of them."""

from __future__ import annotations

import ipywidgets
import numpy as np
import traitlets

from llmviz.experiments.gradients import NUDGE, Numbers
from llmviz.model import Model
from llmviz.views.kit.controls import Told, button, row
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import clean
from llmviz.views.kit.predict import Question

AROUND = 0.5  # so far to both sides one number is turned
LENGTHS = (0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # of a step of all numbers together
# Words for the arrays, by their names in a model file.
PARTS = {
    "token_embd": "the table of embeddings",
    "output_norm": "the last norm",
    "attn_norm": "the norm before attention",
    "attn_q": "W_Q",
    "attn_k": "W_K",
    "attn_v": "W_V",
    "attn_output": "W_O",
    "ffn_norm": "the norm before the FFN",
    "ffn_gate": "W_gate",
    "ffn_up": "W_up",
    "ffn_down": "W_down",
}
N_BLIND = 3  # directions drawn blindly


def place(numbers: Numbers, number: int) -> str:
    """Say where in the model a parameter is."""
    name = numbers.names[int(np.searchsorted(numbers.ends, number, side="right"))].removesuffix(".weight")
    layer, _, part = name.removeprefix("blk.").rpartition(".")
    return f"{PARTS[part]} of layer {layer}" if layer else PARTS[part]


class OneNumber(Explorer):
    """The surprise at one text, as one number of the model is turned; and the straight line that its gradient tells."""

    numbers = traitlets.Instance(Numbers, allow_none=True)  # None where the text is too short

    def __init__(self, model: Model, text: str = "Once upon a time there was a little"):
        self.model = model
        self.text = ipywidgets.Text(
            text,
            description="The text",
            style={"description_width": "initial"},
            layout={"width": "min(700px, 98%)"},
        )
        self.number = ipywidgets.BoundedIntText(
            0, min=0, max=model.config.n_parameters - 1, description="Parameter", layout={"width": "220px"}
        )
        self.most, self.blind = button("the one that matters most"), button("draw one at random")
        self._dice = np.random.default_rng(0)
        self.told = Told()
        self.curves = LinePlot(
            names=["surprise", "what the gradient says"],
            x_axis="change of the parameter",
            y_axis="bits a token",
            unit="bits",
            stage="training",
            caption="Surprise at the text as one parameter changes and all others stay",
        )
        super().__init__([self.text, row(self.number, self.most, self.blind), self.curves, self.told])
        self.text.observe(self._read, "value")
        self.number.observe(self._draw, "value")
        self.most.on_click(self._choose_most)
        self.blind.on_click(self._choose_blindly)
        self._read()

    @one_at_a_time
    def _read(self, _change=None) -> None:
        if len(self.model.tokenizer.encode(self.text.value)) < 2:
            self.numbers = None
            self.curves.change(values=None)
            self.told.say("The text needs two tokens: one is guessed from the other.")
        else:
            self.numbers = Numbers(self.model, self.text.value)
            self._choose_most()
            self._draw()

    @one_at_a_time
    def _choose_most(self, _button=None) -> None:
        if self.numbers is not None:
            self.number.value = int(np.abs(self.numbers.gradient).argmax())

    @one_at_a_time
    def _choose_blindly(self, _button=None) -> None:
        self.number.value = int(self._dice.integers(self.model.config.n_parameters))

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        if self.numbers is None:
            return
        numbers, number = self.numbers, self.number.value
        x = np.linspace(-AROUND, AROUND, 21)
        curve = [numbers.turned(number, by) for by in x]
        now, slope = curve[len(x) // 2], float(numbers.gradient[number])
        steepest = AROUND * float(
            np.abs(numbers.gradient).max()
        )  # one scale for all numbers: a flat line is flat
        self.curves.change(
            x=x, values=np.array([curve, now + slope * x]), y_min=now - steepest, y_max=now + steepest
        )
        by_nudging = numbers.by_nudging(number)
        way = "lower" if slope > 0 else "higher"
        self.told.say(
            f"Parameter {number:,} (in {place(numbers, number)}) is {numbers.flat[number]:.4f}; the surprise is "
            f"{now:.3f} bits.",
            f"Its gradient, by nudging it by {NUDGE} up and down: {by_nudging:.4f} bits for each 1. By going backwards "
            f"through the model: {slope:.4f}. So it should go {way}.",
        )


class AllNumbers(Explorer):
    """The surprise while all numbers move at once: against their gradients, and as far in blindly drawn directions.

    It asks first, about the text that stands in `one`, and asks anew where that changes.
    """

    def __init__(self, one: OneNumber):
        self.told = Told()
        self.curves = LinePlot(
            names=["against the gradient", f"in random directions ({N_BLIND}, mean)"],
            x_axis="length of the step",
            y_axis="bits a token",
            unit="bits",
            stage="training",
            caption="Surprise at the text as all parameters change at once",
        )
        self.card = Question("", answer=None, unit="bits a token", low=0, high=20, stage="training")
        self.shown = ipywidgets.VBox([self.curves, self.told])
        super().__init__([self.card, self.shown])
        self.one = one
        self.card.observe(self._draw, "committed")
        self.watch(one, self._ask, "numbers")
        self._ask()

    @one_at_a_time
    def _ask(self, _change=None) -> None:
        numbers = self.one.numbers
        self.card.layout.display = "none" if numbers is None else ""
        if numbers is not None:
            self.card.ask(
                f"The text is “{clean(self.one.text.value)}”. Now all parameters move at once, each a tiny bit against "
                "its gradient: a step of length 1. By how many bits a token does the surprise at this text fall?",
                answer=lambda: numbers.gained(1),
                explain="The gradient is a slope at one point and says nothing of what lies far away: see where the "
                "line turns up again.",
            )
        self._draw()

    @one_at_a_time
    def _draw(self, _change=None) -> None:
        numbers = self.one.numbers
        self.shown.layout.display = "" if self.card.committed and numbers is not None else "none"
        if self.shown.layout.display == "none":
            return
        along = [numbers.along(-numbers.gradient, length) for length in LENGTHS]
        blind = [
            [numbers.along(numbers.random_direction(seed), length) for length in LENGTHS]
            for seed in range(N_BLIND)
        ]
        blind = np.mean(blind, axis=0)
        self.curves.change(x=LENGTHS, values=np.array([along, blind]))
        at = LENGTHS.index(1)
        self.told.say(
            f"A step of length 1, as the length of a vector: had each of the {len(numbers.flat):,} parameters "
            f"moved equally far, by {1 / np.sqrt(len(numbers.flat)):.3f}. Against the gradient surprise goes from "
            f"{along[0]:.2f} to {along[at]:.2f} bits, in random directions to {blind[at]:.2f}.",
            f"The best of the steps tried has the length {LENGTHS[int(np.argmin(along))]:g}; "
            f"one of length {LENGTHS[-1]} ends at {along[-1]:.2f} bits.",
        )
