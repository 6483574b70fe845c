"""The next token's probabilities at any temperature, and many seeded draws from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from llmviz import sampling
from llmviz.experiments import answer_probs
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.views import provenance
from llmviz.views.kit.line_plot import LinePlot
from llmviz.views.kit.next_token_bars import bars_part, chosen_token
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.pieces import quote
from llmviz.views.kit.state_fields import number, replace, seed
from llmviz.views.kit.view import Scene, View, explains, press, sentences, shared
from llmviz.views.provenance import Explanation

N_OUTSIDE = 50


def jump(label: str, to: float) -> Callable:
    """Return the event of a button that sets the temperature."""
    return press(label, f"temperature {to:g}")(lambda _, state: replace(state, temperature=to))


class TemperatureExplorer(View):
    """Bars, entropy and the mass outside the 50 likeliest tokens, for any temperature from 0 to 10."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        temperature: float = number(1.0, "Temperature", 10.0, step=0.05)
        chosen: int | None = chosen_token("bars")

    to_0 = jump("T → 0", 0.0)
    to_half = jump("T = 0.5", 0.5)
    to_1 = jump("T = 1", 1.0)
    to_2 = jump("T = 2", 2.0)
    to_10 = jump("T = 10", 10.0)

    arrangement = (("temperature", ("to_0", "to_half", "to_1", "to_2", "to_10")), "message", "bars")

    @shared
    def probs(self, scene: Scene) -> np.ndarray:
        return sampling.with_temperature(scene.run.logits, scene.temperature)

    @sentences
    def message(self, scene: Scene) -> list[str]:
        bits, n_vocab = sampling.entropy(scene.probs), len(scene.probs)
        n = f"{2**bits:,.{1 if bits < 3 else 0}f}"
        entropy = f"Entropy {bits:.1f} bits: as unsure as a choice among {n} equally likely tokens."
        if scene.temperature == 0:
            entropy = "Entropy 0.0 bits, no doubt left: the likeliest token gets everything."
        elif bits > (most := np.log2(n_vocab)) - 0.5:
            entropy += (
                f" More than {most:.1f} bits is impossible: then all {n_vocab:,} tokens are equally likely."
            )
        outside = percent(sampling.mass_outside(scene.probs, N_OUTSIDE))
        return [f"{entropy} Outside the {N_OUTSIDE} likeliest: {outside}."]

    @bars_part("What comes next? The 15 likeliest tokens", n=15, before_label="at temperature 1")
    def bars(self, scene: Scene) -> dict:
        logits = scene.run.logits  # near temperature 0 many probabilities are 0: the order stays
        before = None if scene.temperature == 1 else Sampler().probs(logits)
        return {"probs": scene.probs, "before": before, "ranked_by": logits}

    @explains("bars")
    def explain(self, scene: Scene, row: int) -> Explanation:
        token, piece = scene.shown["ids"][row], scene.shown["pieces"][row]
        return provenance.prob(scene.run.logits, token, temperature=scene.temperature, piece=piece)


class Draws(View):
    """So many seeded draws as bars, likeliest token first, and the probabilities they were drawn with as outlines."""

    stage = "sampling"

    @dataclass(frozen=True)
    class State:
        n: int = number(200, "Draws", 2000, first=1)
        seed: int = seed()
        temperature: float = number(1.0, "Temperature", 2.0, step=0.05)
        chosen: int | None = chosen_token("bars")

    @shared
    def probs(self, scene: Scene) -> np.ndarray:
        return sampling.with_temperature(scene.run.logits, scene.temperature)

    @bars_part(
        "How often the 15 likeliest tokens were drawn: share of the draws",
        n=15,
        before_label="the probability of each draw",
    )
    def bars(self, scene: Scene) -> dict:
        drawn = sampling.draws(scene.probs, np.random.default_rng(scene.seed), scene.n)
        shares = np.bincount(drawn, minlength=len(scene.probs)) / scene.n
        return {"probs": shares, "before": scene.probs, "ranked_by": scene.run.logits}

    @explains("bars")
    def explain(self, scene: Scene, row: int) -> Explanation:
        token, piece = scene.shown["ids"][row], scene.shown["pieces"][row]
        return provenance.explained(
            scene.run,
            f"Share of the draws that hit {quote(piece)} (id {token})",
            "share = how often the token was drawn ÷ the number of draws, all from one seed",
            "(llmviz.sampling.draws(probs, np.random.default_rng(seed), n) == token).mean()",
            float(scene.shown["probs"][row]),
            probs=f"llmviz.sampling.with_temperature(trace.logits, {scene.temperature})",
            **{"seed": scene.seed, "n": scene.n, "token": token},
        )


TEMPERATURES = np.linspace(0, 2, 21)


def right_by_temperature(model: Model, kinds: Mapping[str, Mapping[str, str]]) -> LinePlot:
    """Draw the mean share of the right token, a line for each kind of question.

    kinds: for each name the texts to go on from, and what goes on rightly (its first token counts).
    """
    shares = [
        [answer_probs(model, text, right, TEMPERATURES) for text, right in kind.items()]
        for kind in kinds.values()
    ]
    return LinePlot(
        x=TEMPERATURES,
        values=np.array([np.mean(kind, axis=0) for kind in shares]),
        names=[*kinds],
        x_axis="temperature",
        y_axis="share of the right token, on average",
        y_max=1.0,
        unit="share",
        stage="sampling",
        caption="What a temperature does to the right answer",
    )
