"""Small models of several sizes, and how much a text on which they are trained still surprises them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmviz import training
from llmviz.experiments.probabilities import surprise_in_parts
from llmviz.model import Model
from llmviz.sampling import Sampler
from llmviz.weights import Config

AGAIN = "another seed"  # the control, whose seed is one more
N_WRITTEN = 24  # tokens, by each model of a race


def small(*, n_layers: int = 2, n_heads: int = 4, d_model: int = 32, n_ctx: int = 64, ffn: int = 1) -> Config:
    """Return a small model's sizes: two query heads share a key and value head; the FFN is `ffn` times 8/3 as wide."""
    return Config(
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=max(1, n_heads // 2),
        d_model=d_model,
        d_head=d_model // n_heads,
        d_ff=8 * ffn * round(d_model / 3),
        n_vocab=512,
        n_ctx=n_ctx,
        rope_base=10_000.0,
        norm_eps=1e-5,
    )


SIZES = {
    f"{config.n_parameters:,}": config
    for config in (
        small(n_layers=1, n_heads=2, d_model=16),
        small(),
        small(d_model=64),
        small(n_layers=4, n_heads=8, d_model=128),
    )
}
KNOBS = {
    "unchanged": small(),
    AGAIN: small(),
    "layers × 2": small(n_layers=4),
    "heads × 2": small(n_heads=8),
    "width × 2": small(d_model=64),
    "FFN × 2": small(ffn=2),
    "context × 2": small(n_ctx=128),
}


def held_out_bits(model: Model, text: str) -> float:
    """Measure a model's surprise at all of the held-out part of a text, in bits a byte."""
    tokens = model.tokenizer.encode(text)
    bits = surprise_in_parts(model, tokens[-int(len(tokens) * training.HELD_OUT) :])
    return float(bits.mean()) * len(tokens) / len(text.encode())


def bits_after_training(text: str, config: Config, *, steps: int, seed: int = 0) -> float:
    """Train a model from random weights on a text, and return its `held_out_bits`."""
    *_, last = training.pretrain(text, config, steps=steps, seed=seed)
    return held_out_bits(last.model, text)


def operations(config: Config) -> float:
    """Return the computing that a step of training takes, in billions of operations.

    Six for each parameter and token: a multiplication and an addition forwards, twice as many backwards (Kaplan and
    others, 2020).
    """
    return 6 * config.n_parameters * training.TOKENS_A_STEP / 1e9


def steps_for(config: Config, budget: float) -> int:
    """Return how many steps of training a number of billions of operations allows, at least one."""
    return max(1, round(budget / operations(config)))


@dataclass(frozen=True)
class Trained:
    """A model at the end of its training: its surprise at the held-out text in bits a byte, and what it writes."""

    steps: int
    held_out: float
    written: str


Results = Mapping[tuple[float, str], Trained]  # by budget and name


@dataclass(frozen=True)
class Race:
    """The models that are trained on a text, each with every budget: so many steps, or billions of operations."""

    text: str
    configs: tuple[tuple[str, Config], ...]
    budgets: tuple[float, ...]
    unit: str  # "steps" or "billion operations"

    @property
    def names(self) -> list[str]:
        """Return the names of the models."""
        return [name for name, _ in self.configs]

    def budget(self, budget: float) -> str:
        """Return the name of a budget."""
        return f"{budget:,} {self.unit}"

    def steps(self, config: Config, budget: float) -> int:
        """Return how many steps a model has within a budget."""
        return int(budget) if self.unit == "steps" else steps_for(config, budget)

    def run(self, seed: int, known: Results | None = None) -> Iterator[tuple[float, Results | None]]:
        """Train all from random weights; yield the share that is done, and the results so far if there is a new one.

        known: results from before the training was stopped.
        ValueError for a text that is too short, FloatingPointError if a loss diverges.
        """
        results = dict(known or {})
        named = [(budget, *each) for budget in self.budgets for each in self.configs]
        planned = [(budget, name, config) for budget, name, config in named if (budget, name) not in results]
        total, n_done = sum(self.steps(config, budget) for budget, _, config in planned), 0
        for budget, name, config in planned:
            steps = self.steps(config, budget)
            for last in training.pretrain(self.text, config, steps=steps, seed=seed + (name == AGAIN)):
                yield (n_done + last.step) / total, None
            n_done += steps
            results[budget, name] = Trained(steps, held_out_bits(last.model, self.text), written(last.model))
            yield n_done / total, dict(results)


def written(model: Model) -> str:
    """Return "The " and what a model writes after it."""
    tokens = model.tokenizer.encode("The ")
    new = [step.token for step in model.generate(tokens, N_WRITTEN, Sampler(temperature=0.7), seed=1)]
    return model.tokenizer.decode([*tokens, *new])


def within(values: Sequence[float] | np.ndarray, distance: float) -> tuple[int, ...]:
    """Return the indices of the values that are at most `distance` below the highest, the highest first."""
    order = np.argsort(-np.asarray(values), kind="stable")
    return tuple(int(i) for i in order if values[order[0]] - values[i] <= distance)
