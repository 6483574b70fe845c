"""What notebook 07 says of small models side by side, over seeds; the rest is in llmviz/claims."""

import functools
import time
from pydoc_data.topics import topics

import pytest

from llmviz import training
from llmviz.experiments.small_models import SIZES, bits_a_byte
from tests.claims import Measured

MANUAL = "\n\n".join(topics.values())
SEEDS = (0, 1, 2)
SHORT, SECONDS, STEPS = 2, 12, 150  # as on the page
SMALLEST, *_, LARGEST = SIZES


# --- small models side by side ---


@functools.cache
def milliseconds(config) -> float:
    """Of work, for a step of this size; by the processor's clock, so that a busy machine gives the same."""
    steps = training.pretrain(MANUAL, config, steps=20)
    next(steps)
    began = time.process_time()
    for _ in steps:
        pass
    return 1000 * (time.process_time() - began) / 20


@functools.cache
def trained(config, seed: int, steps: int) -> float:
    """Held-out surprise after so many steps, in bits a byte."""
    *_, last = training.pretrain(MANUAL, config, steps=steps, seed=seed)
    return last.held_out * bits_a_byte(last.model, MANUAL)


def in_time(seed: int, seconds: float = SECONDS) -> dict[str, float]:
    steps = {name: max(1, round(1000 * seconds / milliseconds(config))) for name, config in SIZES.items()}
    return {name: trained(config, seed, steps[name]) for name, config in SIZES.items()}


def in_steps(seed: int) -> dict[str, float]:
    return {name: trained(config, seed, STEPS) for name, config in SIZES.items()}


def largest_in_time(_model, seeds=SEEDS) -> Measured:
    values = {}
    for seed in seeds:
        found = in_time(seed)
        best = min(found, key=found.get)
        values[f"seed {seed}: {best} is best"] = found[LARGEST] - found[best]
    says = f"In {SECONDS} s of work each, the largest of five is not the least surprised"
    return Measured(says, values, "bits a byte more", lambda v: v > 0.6)


def larger_is_best_in_more_time(_model, seeds=SEEDS) -> Measured:
    values = {}
    for seed in seeds:
        short, long = (in_time(seed, seconds) for seconds in (SHORT, SECONDS))
        best, then = (min(found, key=found.get) for found in (short, long))
        values[f"seed {seed}: {best}, then {then}"] = SIZES[then].n_parameters / SIZES[best].n_parameters
    says = f"In {SECONDS} s a larger one of five is the least surprised than in {SHORT} s"
    return Measured(says, values, "times as many parameters", lambda v: v > 1)


def largest_in_steps(_model, seeds=SEEDS) -> Measured:
    """The control: as many steps for each."""
    values = {}
    for seed in seeds:
        found = in_steps(seed)
        best = min((name for name in found if name != LARGEST), key=found.get)
        values[f"seed {seed}, before {best}"] = found[best] - found[LARGEST]
    says = f"After {STEPS} steps each, the largest is the least surprised"
    return Measured(says, values, "bits a byte less than the next", lambda v: v > 0)


def smallest_in_steps(_model, seeds=SEEDS) -> Measured:
    values = {}
    for seed in seeds:
        found = in_steps(seed)
        values[f"seed {seed}"] = found[SMALLEST] - min(found.values())
    return Measured(
        f"After {STEPS} steps each, the smallest is the most surprised",
        values,
        "bits a byte more than the least",
        lambda v: v > 0.7,
    )


CONCLUSIONS = [
    largest_in_time,
    larger_is_best_in_more_time,
    largest_in_steps,
    smallest_in_steps,
]


# --- the page's own wording ---


@pytest.mark.long
def test_the_largest_wins_by_steps_and_not_by_time(model):
    """One seed; the whole table takes minutes."""
    conclusions = (largest_in_time, larger_is_best_in_more_time, largest_in_steps, smallest_in_steps)
    for conclusion in conclusions:
        assert conclusion(model, seeds=(0,)).agree == 1
