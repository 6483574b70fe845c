"""What notebook 08 says of size and configuration: over seeds, published models, texts and capitals."""

import gc
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from llmviz import experiments, texts
from llmviz.claims.cases import MORE_CAPITALS, TEXTS
from llmviz.claims.claim import Bounds, Claim, Range, above, below, remembered, section
from llmviz.experiments import answers, published, rounding, small_models
from llmviz.experiments.small_models import KNOBS, SIZES
from llmviz.model import Model

MANUAL, *OTHER_TEXTS = "python manual", *(name for name in texts.NAMES if name != "python manual")
SMALLEST, SECOND, *_, LARGEST = SIZES
PLAIN, *_ = KNOBS
UNCHANGED, NOISE, SHIFTED = "unchanged", "noise as large as 3 bits", "4 bits, other groups"
KINDS: dict[str, tuple[dict[str, Any], Range]] = {  # how matrices are rounded, and how many capitals are left
    "8 bits": ({"bits": 8}, (15, 17)),
    "5 bits": ({"bits": 5}, (18, 20)),
    "4 bits": ({"bits": 4}, (15, 17)),
    SHIFTED: ({"bits": 4, "shift": experiments.GROUP // 2}, (4, 6)),
    "4 bits, the table too": ({"bits": 4, "table": True}, (13, 15)),
    "3 bits": ({"bits": 3}, (0, 1)),
    NOISE: ({"bits": 3}, (0, 1)),
    "3 bits, the table too": ({"bits": 3, "table": True}, (0, 1)),
    "3 bits, attention only": ({"bits": 3, "matrices": rounding.ATTENTION}, (7, 9)),
    "3 bits, FFNs only": ({"bits": 3, "matrices": rounding.FFN}, (7, 9)),
    "2 bits": ({"bits": 2}, (0, 1)),
}
FORMULA = {"Qwen3 0.6B": (-0.01, 0.01), "GPT-2 small": above(20), "GPT-2 XL": above(30)}
FORMULA |= dict.fromkeys(("DeepSeek-V3", "Kimi K2"), below(-90))


class Start(NamedTuple):
    """The text of a training, and its seed."""

    text: str
    seed: int


def seeds(n: int) -> dict[str, Start]:
    """Return trainings on the manual, each with a seed of its own."""
    return {f"seed {seed}": Start(MANUAL, seed) for seed in range(n)}


def doublings(names: Sequence[str], starts: Mapping[str, Start]) -> dict[str, tuple[str, Start]]:
    """Return each training with each of these parts doubled."""
    return {f"{name} × 2, {of}": (f"{name} × 2", start) for name in names for of, start in starts.items()}


OTHERS = {text: Start(text, 0) for text in OTHER_TEXTS}  # no sentence was worded on them
BIGGER = ("width", "layers", "FFN")  # doubled, they add parameters


@remembered
def held_out(_model: Model, name: str, start: Start, steps: int = 400) -> float:
    text, config = texts.read(start.text), (SIZES | KNOBS)[name]
    return small_models.bits_after_training(text, config, steps=steps, seed=start.seed)


def all_sizes(model: Model, start: Start, budget: float | None) -> dict[str, float]:
    """Measure the surprise of each size, trained with so many billions of operations, or for 150 steps."""
    return {
        name: held_out(model, name, start, small_models.steps_for(config, budget) if budget else 150)
        for name, config in SIZES.items()
    }


def behind(model: Model, start: Start, *, name: str, budget: float | None = None) -> float:
    """Measure how much more a size is surprised than the least surprised of the others, in bits a byte."""
    surprises = all_sizes(model, start, budget)
    return surprises.pop(name) - min(surprises.values())


def best(model: Model, start: Start, *, budget: float) -> float:
    """Return the number of parameters of the least surprised size."""
    surprises = all_sizes(model, start, budget)
    return SIZES[min(surprises, key=surprises.__getitem__)].n_parameters


def doubled(sentence: str, *names: str, bounds: Bounds, unseen_bounds: Bounds | None = None) -> Claim:
    """Claim how much the surprise changes, in bits a byte, when one of these is doubled."""
    return Claim(
        sentence,
        "Train for 400 steps with four seeds each, and subtract the unchanged model's surprise.",
        lambda m, training: held_out(m, *training) - held_out(m, PLAIN, training[1]),
        bounds,
        unseen_bounds=unseen_bounds,
        over="trainings",
        cases=doublings(names, seeds(4)),
        unseen=doublings(names, OTHERS),
        unit="bits per byte",
    )


def in_same_computing(model: Model, training: tuple[str, Start]) -> float:
    """Measure the rise in surprise, in bits a byte, when a part is doubled at equal computing."""
    name, start = training
    doubled, plain = (
        held_out(model, each, start, small_models.steps_for(KNOBS[each], 100)) for each in (name, PLAIN)
    )
    return doubled - plain


@remembered
def rounding_effects(model: Model, kind: str) -> tuple[int, float, dict[str, float]]:
    """Count the capitals that are right; return the largest change of a logit, and each text's mean surprise."""
    new = experiments.quantised(model, **KINDS[kind][0]) if kind != UNCHANGED else model
    if kind == NOISE:
        new = experiments.with_noise_of(model, new)
    right = sum(experiments.is_right(new, *fact) for fact in (answers.CAPITALS | MORE_CAPITALS).items())
    runs = {text: (new.trace(text), model.trace(text)) for text in (*answers.CAPITALS, *TEXTS.values())}
    off = max(np.abs(np.subtract(*(run.all_logits() for run in pair))).max() for pair in runs.values())
    surprises = {text: experiments.mean_surprise(run) for text, (run, _) in runs.items()}
    del new, runs
    gc.collect()  # a model and its runs refer to each other
    return right, float(off), surprises


def costs(model: Model, text: str, *, kind: str) -> float:
    """Measure how much more a text is surprising, in bits a token; NaN for a text that is not among the claims'."""
    before, after = (rounding_effects(model, way)[2].get(text, math.nan) for way in (UNCHANGED, kind))
    return after - before


on_seeds = partial(Claim, over="trainings", cases=seeds(3), unseen=OTHERS, unit="bits per byte")
QUARTER = Bounds(supports=above(0.01), count=12, median=above(0.25))
on_texts = partial(Claim, over="texts", cases=TEXTS, unit="bits per token")
CLAIMS = (
    *section(
        "Small models side by side",
        largest_in_computing=on_seeds(
            "With 200 billion operations each, the largest of four models loses. After 150 steps each, it wins.",
            "Train each with 200 billion operations; subtract the others' lowest surprise from the largest's.",
            partial(behind, name=LARGEST, budget=200),
            Bounds(within=above(0.6), control=Bounds(within=below(0))),
            control=("150 steps each", partial(behind, name=LARGEST)),
        ),
        more_computing_larger_best=on_seeds(
            "With more computation, a larger model is the least surprised.",
            "Find the least surprised with 200 billion operations.",
            partial(best, budget=200),
            Bounds(above_control=3),
            control=("with 25 billion", partial(best, budget=25)),
            unit="parameters",
        ),
        smallest_in_steps=on_seeds(
            "After the same steps, the smallest is the most surprised.",
            "Train each for 150 steps; subtract the others' lowest surprise from the smallest's.",
            partial(behind, name=SMALLEST),
            Bounds(within=above(0.3), above_control=3),
            control=("the second smallest", partial(behind, name=SECOND)),
        ),
    ),
    *section(
        "One thing doubled",
        another_seed=on_seeds(
            "Six seeds of the same model differ by less than 0.08 bits per byte.",
            "Train the plain model for 400 steps with six seeds, and subtract the lowest.",
            lambda m, start: (
                held_out(m, PLAIN, start)
                - min(held_out(m, PLAIN, Start(start.text, seed)) for seed in range(6))
            ),
            Bounds(within=below(0.08)),
            cases=seeds(6),
            unseen={f"{text}, seed {seed}": Start(text, seed) for text in OTHER_TEXTS for seed in range(6)},
        ),
        width=doubled(
            "After as many steps, twice the width lowers the surprise, but each step costs three times as much.",
            "width",
            bounds=Bounds(within=(-0.375, -0.08)),
        ),
        layers_and_ffn=doubled(
            "After as many steps, twice the layers or the FFN usually lowers it, by less than 0.08 bits. A step costs "
            "1.6 or 1.4 times as much.",
            "layers",
            "FFN",
            bounds=Bounds(supports=(-0.08, 0), count=8),
            unseen_bounds=Bounds(supports=(-0.08, 0), count=5),
        ),
        same_computing=Claim(
            "With the same amount of computation, twice the width, the layers or the FFN raises the surprise.",
            "Train with 100 billion operations and three seeds each, and subtract the unchanged model's surprise.",
            in_same_computing,
            Bounds(within=above(0)),
            over="trainings",
            cases=doublings(BIGGER, seeds(3)),
            unseen=doublings(BIGGER, OTHERS),
            unit="bits per byte",
        ),
        context_and_heads=doubled(
            "Twice the context window or the heads raises it, by less than 0.08 bits. By our estimate, a step costs as "
            "much as before.",
            "context",
            "heads",
            bounds=Bounds(within=(0, 0.08)),
        ),
    ),
    *section(
        "Counting",
        formula=Claim(
            "Six of eleven published models have only the parts that the formula counts. It gives over 20% too many "
            "for the two GPT-2s, slightly too few for Qwen3, and over 90% too few for mixtures of experts.",
            "Count each model's parts from its published configuration, and compare the formula's total with theirs.",
            lambda _, other: 100 * (other.by_formula / other.count - 1),
            Bounds(supports=(0, 0), count=6, at=FORMULA),
            over="models",
            cases={other.name: other for other in published.PUBLISHED},
            unit="% error",
        ),
    ),
    *section(
        "Fewer bits",
        same_grid=Claim(
            "Rounding to the values that the file already uses changes almost nothing.",
            "Round to 4 or 8 bits; take the largest change of a logit, in ten questions and fifteen texts.",
            lambda model, kind: rounding_effects(model, kind)[1],
            Bounds(within=below(0.003), control=Bounds(within=above(1))),
            control=("5 bits", lambda model, _: rounding_effects(model, "5 bits")[1]),
            over="ways to round",
            cases={kind: kind for kind in ("4 bits", "8 bits")},
            unit="(largest change)",
        ),
        capitals_left=Claim(
            "How many capitals the model still knows depends on the values and the part, not only on how "
            "many bits there are.",
            "Round the layers' matrices, the table too, or one kind of matrix only; count the right ones of 22.",
            lambda model, kind: rounding_effects(model, kind)[0],
            Bounds(at={kind: left for kind, (_, left) in KINDS.items()}, control=Bounds(within=(15, 17))),
            control=("unchanged", lambda model, _: rounding_effects(model, UNCHANGED)[0]),
            over="ways to round",
            cases={kind: kind for kind in KINDS},
            unit="capitals",
        ),
        five_bits=on_texts(
            "Neither 5 bits nor 4 bits in shifted groups have the file's own values. Both make most texts more "
            "surprising.",
            "Round to 5 bits, and subtract the mean surprise before.",
            partial(costs, kind="5 bits"),
            Bounds(supports=above(0.01), count=13, median=above(0.25), control=QUARTER),
            control=("4 bits in groups of 32 that begin half a group further", partial(costs, kind=SHIFTED)),
        ),
        three_bits=on_texts(
            "3 bits make almost every text more surprising, and so does noise of the same size.",
            "Round to 3 bits.",
            partial(costs, kind="3 bits"),
            Bounds(supports=above(0.01), count=14, control=Bounds(supports=above(0.01), count=15)),
            control=("noise as large", partial(costs, kind=NOISE)),
        ),
    ),
)
