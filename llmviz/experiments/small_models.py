"""Small models of several sizes, and how well each expects a text that it is trained on."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llmviz import training
from llmviz.model import Model
from llmviz.sampling import BITS_PER_NAT, Sampler
from llmviz.weights import Config

# The control: what chance alone does. Its seed is 4 further, for 0 and 1 happen to come out alike.
AGAIN = "another seed"
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
        small(n_layers=1, n_heads=1, d_model=8),
        small(n_layers=1, n_heads=2, d_model=16),
        small(),
        small(d_model=64),
        small(n_layers=4, n_heads=8, d_model=128),
    )
}
KNOBS = {
    "as it is": small(),
    AGAIN: small(),
    "layers × 2": small(n_layers=4),
    "heads × 2": small(n_heads=8),
    "width × 2": small(d_model=64),
    "FFN × 2": small(ffn=2),
    "context × 2": small(n_ctx=128),
}


def bits_a_byte(model: Model, text: str) -> float:
    """Return what one nat a token is, in bits a byte of this text: 1.44 bits, over the bytes that a token has."""
    return len(model.tokenizer.encode(text)) / len(text.encode()) * BITS_PER_NAT


def held_out_bits(text: str, config: Config, *, steps: int, seed: int = 0) -> float:
    """Train a model on a text from noise; return its surprise at the held-out part, in bits a byte."""
    *_, last = training.pretrain(text, config, steps=steps, seed=seed)
    assert last.held_out is not None  # the last step measures it
    return last.held_out * bits_a_byte(last.model, text)


def seconds_a_step(text: str, config: Config, n: int = 20) -> float:
    """Measure the processor's time for a step of training, in seconds: the mean of n.

    What else the machine does at the same time hardly changes it.
    """
    steps = training.pretrain(text, config, steps=n)
    next(steps)
    start = time.process_time()
    for _ in steps:
        pass
    return (time.process_time() - start) / n


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

    def run(self, seed: int) -> Iterator[tuple[float, Results | None]]:
        """Train all, from noise; yields the share that is done, and what is known so far where that is new.

        ValueError for a text that is too short, FloatingPointError where a loss runs away.
        """
        results, per_nat, worked = Results(), 0.0, 0.0
        total = len(self.configs) * sum(self.budgets)
        for budget in self.budgets:
            for name, config in self.configs:
                length: dict[str, Any] = {self.unit: budget}
                for last in training.pretrain(self.text, config, seed=seed + 4 * (name == AGAIN), **length):
                    per_nat = per_nat or bits_a_byte(last.model, self.text)
                    measured = last.step % training.MEASURE_EVERY == 0 or last.step == budget
                    new = last.held_out if measured and last.step else None
                    if new is not None:
                        curve = {**results.curves.get(name, {}), last.step: new * per_nat}
                        results = replace(results, curves={**results.curves, name: curve})
                    done = last.step if self.unit == "steps" else last.seconds
                    yield (worked + min(budget, done)) / total, None if new is None else results
                worked += budget
                trained = _trained(last, per_nat, self.start)
                results = replace(results, trained={**results.trained, (budget, name): trained})
                yield worked / total, results


def _trained(last: training.Progress, per_nat: float, start: str) -> Trained:
    model, tokens = last.model, last.model.tokenizer.encode(start)
    new = [step.token for step in model.generate(tokens, N_WRITTEN, Sampler(temperature=0.7), seed=1)]
    return Trained(
        model.config.n_parameters,
        last.step,
        last.seconds,
        last.loss * per_nat,
        (last.held_out or 0.0) * per_nat,
        model.tokenizer.decode([*tokens, *new]),
    )
