"""What notebook 07 says about the text that a model is trained on: over texts and seeds."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from llmviz import texts
from llmviz.claims.cases import TEXTS
from llmviz.claims.claim import Bounds, Claim, above, below, remembered, section
from llmviz.experiments import learning
from llmviz.experiments.gradients import Numbers
from llmviz.experiments.learning import Training
from llmviz.model import Model

MANUAL = "python manual"
Run = tuple[str, int]  # the name of a text, and a seed


@remembered
def noise(model: Model, name: str, seed: int) -> Training:
    return Training(texts.read(name), steps=1, seed=seed)


def after(measure: Callable[[Training], float], of: Callable[..., Training]) -> Callable:
    """Return a measure of a training as one of a case."""
    return lambda model, run: measure(of(model, *run))


@remembered
def numbers(model: Model, text: str) -> Numbers:
    return Numbers(noise(model, MANUAL, 0).first, text)


def nudged_apart(model: Model, text: str) -> float:
    here = numbers(model, text)
    number = int(np.abs(here.gradient).argmax())
    return 100 * abs(here.by_nudging(number) / here.gradient[number] - 1)


def changed_at_random(model: Model, text: str) -> float:
    here = numbers(model, text)
    return max(
        abs(here.along(here.random_direction(seed), 1) - here.along(here.gradient, 0)) for seed in range(3)
    )


def too_far(model: Model, text: str) -> float:
    gained = numbers(model, text).gained
    return max(map(gained, (0.5, 1, 2, 3, 4))) - gained(10)


def runs(*names: str, seeds: int = 3) -> dict[str, Run]:
    return {f"{name}, seed {seed}": (name, seed) for name in names for seed in range(seeds)}


on_runs = partial(Claim, over="trainings", cases=runs(*texts.NAMES))
in_bits = partial(on_runs, unit="bits")
in_bits_on_texts = partial(Claim, over="texts", cases=TEXTS, unit="bits")
on_names = partial(on_runs, over="texts", cases={name: (name, 0) for name in texts.NAMES})

CLAIMS = (
    *section(
        "One step",
        knows_nothing=in_bits(
            "Before the first step, the surprise is log2 of the number of tokens: 9 bits.",
            "Take log2 of the number of tokens off the held-out text's surprise.",
            after(lambda run: run.held_out_surprise[0] - math.log2(run.first.config.n_vocab), noise),
            Bounds(within=(-0.05, 0.05)),
        ),
        repeats_the_last=on_runs(
            "The untrained model's likeliest token is the one it has just read.",
            "Count the contexts of the held-out text where it is.",
            after(lambda run: 100 * learning.repeats_the_last(run.first, run.windows), noise),
            Bounds(within=above(99)),
        ),
        nudging=in_bits_on_texts(
            "Nudging a parameter and going backwards give the same gradient.",
            "Take the parameter that matters most, and change it by 0.01 both ways.",
            nudged_apart,
            Bounds(within=below(0.2)),
            unit="% apart",
        ),
        against_the_gradient=in_bits_on_texts(
            "A step of length 1 against the gradient lowers the surprise; a random step hardly changes it.",
            "Move all parameters of the untrained model at once.",
            lambda model, text: numbers(model, text).gained(1),
            Bounds(within=(1, 5), control=Bounds(within=below(0.05))),
            control=("three random directions, the largest change", changed_at_random),
        ),
        too_far=in_bits_on_texts(
            "A step of length 10 is worse than the best one.",
            "Compare it with steps of length 0.5, 1, 2, 3 and 4.",
            too_far,
            Bounds(within=above(0.5)),
        ),
    ),
    *section(
        "The texts",
        texts_repeat=on_names(
            "The texts repeat themselves.",
            "Count the held-out tokens in stretches of 25 characters that the training text has word for word.",
            after(lambda run: 100 * run.by_repeats[0], noise),
            Bounds(at=dict(zip(texts.NAMES, ((42.5, 43.5), (56.5, 57.5), (15.5, 16.5), (28.5, 29.5))))),
        ),
        words_held_out=on_names(
            "In the held-out texts themselves, most words are in the training text as well.",
            "Look up the words of three letters or more.",
            after(lambda run: 100 * run.known_words_held_out, noise),
            Bounds(within=(88, 98.5)),
        ),
    ),
)
