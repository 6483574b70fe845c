"""The next token's probabilities at any temperature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmviz import sampling
from llmviz.views import provenance
from llmviz.views.kit.next_token_bars import at_temperature, bars_part, chosen_token
from llmviz.views.kit.state_fields import number, replace
from llmviz.views.kit.view import Scene, View, explains, press, sentences, shared
from llmviz.views.provenance import Explanation


def jump(label: str, to: float) -> Callable:
    """Return the event of a button that sets the temperature."""
    return press(label, f"temperature {to:g}")(lambda _, state: replace(state, temperature=to))


class TemperatureExplorer(View):
    """Bars and entropy, at any temperature from 0 to 2."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        temperature: float = number(1.0, "Temperature", 2.0, step=0.05)
        chosen: int | None = chosen_token("bars")

    to_0 = jump("T = 0", 0.0)
    to_half = jump("T = 0.5", 0.5)
    to_1 = jump("T = 1", 1.0)
    to_2 = jump("T = 2", 2.0)

    arrangement = (("temperature", ("to_0", "to_half", "to_1", "to_2")), "message", "bars")

    @shared
    def probs(self, scene: Scene) -> np.ndarray:
        return sampling.with_temperature(scene.run.logits, scene.temperature)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        bits = sampling.entropy(scene.probs)
        if scene.temperature == 0:
            return ["Entropy 0 bits: the likeliest token gets everything."]
        n = float(f"{2**bits:.2g}")
        among = f"as uncertain as a choice among about {n:,g}"
        choice = among if n >= 2 else "less uncertain than a choice between two"
        return [f"Entropy {bits:.1f} bits: {choice} equally likely tokens."]

    @bars_part("What comes next? The 15 likeliest tokens", n=15, before_label="at temperature 1")
    def bars(self, scene: Scene) -> dict:
        return at_temperature(scene.run.logits, scene.temperature)

    @explains("bars")
    def explain(self, scene: Scene, row: int) -> Explanation:
        steps = [("temperature", scene.temperature)]
        return provenance.prob_in(scene.shown, row, scene.run.logits, steps=steps)
