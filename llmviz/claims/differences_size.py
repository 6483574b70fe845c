"""What notebook 07 says of size and configuration: over seeds, published models, texts and capitals."""

import gc
import math
from functools import partial
from pydoc_data.topics import topics
from typing import Any

import numpy as np

from llmviz import experiments
from llmviz.claims.cases import MORE_CAPITALS, TEXTS
from llmviz.claims.claim import Bounds, Claim, above, below, remembered, section
from llmviz.experiments import small_models
from llmviz.experiments.answers import CAPITALS
from llmviz.experiments.published import PUBLISHED, Published
from llmviz.experiments.rounding import ATTENTION, FFN
from llmviz.experiments.small_models import KNOBS, SIZES
from llmviz.model import Model

MANUAL = "\n\n".join(topics.values())  # Python's
SMALLEST, SECOND, *_, LARGEST = SIZES
STEPS, KNOB_STEPS = 150, 400  # as on the page
UNCHANGED, NOISE = "unchanged", "noise as large as 3 bits"
KINDS: dict[str, dict[str, Any]] = {  # how matrices are rounded
    **{f"{bits} bits": {"bits": bits} for bits in (8, 5, 4, 3, 2)},
    "4 bits, other groups": {"bits": 4, "shift": experiments.GROUP // 2},
    "4 bits, the table too": {"bits": 4, "table": True},
    "3 bits, the table too": {"bits": 3, "table": True},
    "3 bits, attention only": {"bits": 3, "matrices": ATTENTION},
    "3 bits, FFNs only": {"bits": 3, "matrices": FFN},
}
LEFT = {  # capitals
    **dict.fromkeys(("8 bits", "4 bits"), (15, 17)),
    **{"5 bits": (18, 20), "4 bits, other groups": (4, 6), "4 bits, the table too": (13, 15)},
    **dict.fromkeys(("3 bits, attention only", "3 bits, FFNs only"), (7, 9)),
    **dict.fromkeys(("3 bits", "3 bits, the table too", NOISE), (0, 1)),
}


@remembered
def step_time(_model: Model, name: str) -> float:
    return small_models.step_time(MANUAL, SIZES[name])


@remembered
def held_out(_model: Model, name: str, seed: int, steps: int) -> float:
    """Measure the surprise at the held-out text, in bits a byte."""
    return small_models.held_out(MANUAL, (SIZES | KNOBS)[name], steps=steps, seed=seed)


def all_sizes(model: Model, seed: int, seconds: float | None) -> dict[str, float]:
    """Measure the surprise of each size, trained for so many seconds of work, or for 150 steps."""
    return {
        name: held_out(model, name, seed, round(seconds / step_time(model, name)) if seconds else STEPS)
        for name in SIZES
    }


def behind(model: Model, seed: int, *, name: str, seconds: float | None = None) -> float:
    """Measure how much more a size is surprised than the least surprised of the others, in bits a byte."""
    surprises = all_sizes(model, seed, seconds)
    return surprises.pop(name) - min(surprises.values())


def best(model: Model, seed: int, *, seconds: float) -> float:
    """Return the number of parameters of the least surprised size."""
    surprises = all_sizes(model, seed, seconds)
    return SIZES[min(surprises, key=surprises.__getitem__)].n_parameters


def doubled(model: Model, training: tuple[str, int]) -> float:
    """Measure how much more a model with one thing doubled is surprised than the plain one, in bits a byte."""
    name, seed = training
    return held_out(model, name, seed, KNOB_STEPS) - held_out(model, "as it is", seed, KNOB_STEPS)


def above_the_luckiest(model: Model, seed: int) -> float:
    """Measure how much more the plain model is surprised with this seed than with the best of six."""
    seeds = [held_out(model, "as it is", other, KNOB_STEPS) for other in range(6)]
    return seeds[seed] - min(seeds)


def formula_off_by(_model: Model, published: Published) -> float:
    return 100 * (published.by_formula / published.count - 1)


@remembered
def measured(model: Model, kind: str) -> tuple[int, float, dict[str, float]]:
    """Count the capitals that are right; return the largest change of their logits, and each text's mean surprise."""
    new = model
    if kind != UNCHANGED:
        new = experiments.quantised(model, **KINDS.get(kind, KINDS["3 bits"]))
    if kind == NOISE:
        new = experiments.with_noise_of(model, new)
    right = sum(experiments.is_right(new, *fact) for fact in (CAPITALS | MORE_CAPITALS).items())
    off = max(np.abs(new.trace(text).logits - model.trace(text).logits).max() for text in CAPITALS)
    surprises = {text: float(experiments.surprise(new.trace(text)).mean()) for text in TEXTS.values()}
    del new
    gc.collect()  # a model and its runs refer to each other
    return right, float(off), surprises


def right(model: Model, kind: str) -> float:
    return measured(model, kind)[0]


def logits_moved(model: Model, kind: str) -> float:
    return measured(model, kind)[1]


def costs(model: Model, text: str, *, kind: str) -> float:
    """Measure how much more a text is surprising, in bits a token; NaN for a text that is not among the claims'."""
    before, after = (measured(model, rounding)[2].get(text, math.nan) for rounding in (UNCHANGED, kind))
    return after - before


def on_knobs(*names: str) -> partial[Claim]:
    """Return a claim over trainings of models with one thing doubled, four seeds each."""
    trainings = {f"{name}, seed {seed}": (name, seed) for name in names for seed in range(4)}
    return partial(Claim, over="trainings", cases=trainings, unit="bits a byte")


on_seeds = partial(Claim, over="seeds", cases={f"seed {seed}": seed for seed in range(3)}, unit="bits a byte")
on_texts = partial(Claim, over="texts", cases=TEXTS, unit="bits a token")
CLAIMS = (
    *section(
        "Small models side by side",
        largest_in_time=on_seeds(
            "In the same time, the largest of five is not the least surprised; after the same steps, it is.",
            "Train each for 12 seconds of work, and compare the largest with the best of the others.",
            partial(behind, name=LARGEST, seconds=12),
            Bounds(within=above(0.6), control=Bounds(within=below(0))),
            control=("150 steps each", partial(behind, name=LARGEST)),
        ),
        more_time_larger_best=on_seeds(
            "With more time, a larger one is the least surprised.",
            "Find the least surprised after 12 seconds of work.",
            partial(best, seconds=12),
            Bounds(above_control=3),
            control=("after 2 seconds", partial(best, seconds=2)),
            unit="parameters",
        ),
        smallest_in_steps=on_seeds(
            "After the same steps, the smallest is the most surprised.",
            "Train each for 150 steps, and compare the smallest with the best.",
            partial(behind, name=SMALLEST),
            Bounds(within=above(0.7), above_control=3),
            control=("the second smallest", partial(behind, name=SECOND)),
        ),
    ),
    *section(
        "One knob at a time",
        another_seed=on_seeds(
            "Another seed changes the surprise by up to 0.11 bits a byte.",
            "Train the plain model for 400 steps with six seeds, and subtract the lowest.",
            above_the_luckiest,
            Bounds(within=below(0.115)),
            cases={f"seed {seed}": seed for seed in range(6)},
        ),
        width_doubled=on_knobs("width × 2")(
            "Twice the width helps more than that.",
            "Train both for 400 steps, and subtract.",
            doubled,
            Bounds(within=(-0.375, -0.195)),
        ),
        layers_or_ffn_doubled=on_knobs("layers × 2", "FFN × 2")(
            "Twice the layers or the FFN helps, but less than another seed may.",
            "The same.",
            doubled,
            Bounds(within=(-0.075, -0.015)),
        ),
        context_or_heads_doubled=on_knobs("context × 2", "heads × 2")(
            "Twice the context or the heads doesn't help.",
            "The same.",
            doubled,
            Bounds(within=(-0.005, 0.075)),
        ),
    ),
    *section(
        "Counting",
        formula=Claim(
            "The formula gives the number of parameters of six published models, but not of mixtures of experts.",
            "Compare it with the published sizes, part by part.",
            formula_off_by,
            Bounds(
                supports=(0, 0),
                count=6,
                at={
                    **{"Qwen3 0.6B": (-0.01, 0.01), "GPT-2 small": above(20), "GPT-2 XL": above(30)},
                    **{"DeepSeek-V3": below(-90), "Kimi K2": below(-90)},
                },
            ),
            over="models",
            cases={published.name: published for published in PUBLISHED},
            unit="% off",
        ),
    ),
    *section(
        "Fewer bits",
        same_grid=Claim(
            "On the file's own grid, nothing moves.",
            "Round to 4 or 8 bits; take the largest change of a logit after ten questions about capitals.",
            logits_moved,
            Bounds(within=below(0.01), control=Bounds(within=above(1))),
            control=("5 bits", lambda model, _: logits_moved(model, "5 bits")),
            over="grids",
            cases={"4 bits": "4 bits", "8 bits": "8 bits"},
            unit="logits",
        ),
        capitals_left=Claim(
            "How many capitals are left depends on the grid and on the part, not only on the number of bits.",
            "Round the layers' matrices, the table too, or one kind of matrix only; count the right ones of 22.",
            right,
            Bounds(at=LEFT, control=Bounds(within=(15, 17))),
            control=("unchanged", lambda model, _: right(model, UNCHANGED)),
            over="ways to round",
            cases=dict(zip(LEFT, LEFT)),
            unit="capitals",
        ),
        five_bits=on_texts(
            "5 bits allow other values, and most texts surprise the model more.",
            "Subtract the mean surprise before rounding.",
            partial(costs, kind="5 bits"),
            Bounds(supports=above(0.01), count=13, median=above(0.25), control=Bounds(within=(-0.01, 0.01))),
            control=("4 bits", partial(costs, kind="4 bits")),
        ),
        other_groups=on_texts(
            "4 bits in other groups do so, too: the number of bits isn't all.",
            "Begin the groups of 32 numbers half a group further.",
            partial(costs, kind="4 bits, other groups"),
            Bounds(supports=above(0.01), count=12, median=above(0.25), control=Bounds(within=(-0.01, 0.01))),
            control=("8 bits", partial(costs, kind="8 bits")),
        ),
        three_bits=on_texts(
            "3 bits make almost every text more surprising, and so does noise of the same size.",
            "Round to 3 bits.",
            partial(costs, kind="3 bits"),
            Bounds(supports=above(0.01), count=14, control=Bounds(supports=above(0.01), count=15)),
            control=("noise as large", partial(costs, kind=NOISE)),
        ),
        two_bits=on_texts(
            "2 bits ruin every text.",
            "Round to 2 bits.",
            partial(costs, kind="2 bits"),
            Bounds(within=above(5)),
        ),
    ),
)
