"""What notebook 07 says about the text that a model is trained on: over texts and seeds."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from llmviz import texts
from llmviz.claims.cases import TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, Range, above, below, remembered, section
from llmviz.edits import Edits
from llmviz.experiments import learning
from llmviz.experiments.attention_behaviours import HABITS, INDUCTION, strongest_habits
from llmviz.experiments.gradients import Numbers
from llmviz.experiments.learning import TrainingRun
from llmviz.model import Model

STORIES, RECIPES, MANUAL, SOURCE = texts.NAMES
STARTS = ("The", "A", "If", "When", "In", "It is", "This", "One", "She", "And then")
Run = tuple[str, int]  # the name of a text, and a seed


@remembered
def trained(model: Model, name: str, seed: int, steps: int = 600, start: int | None = None) -> TrainingRun:
    end = None if start is None else start + 5_000
    return TrainingRun(texts.read(name)[start:end], steps=steps, seed=seed)


def after(measure: Callable[[TrainingRun], Any], *steps: int) -> Callable:
    """Return a measure of a training as one of a case; after 600 steps, if no others are given."""
    return lambda model, run: measure(trained(model, *run, *steps))


def of_noise(measure: Callable[[Numbers], float]) -> Callable:
    """Return a measure of an untrained model's parameters as one of a text."""
    return lambda model, text: measure(Numbers(trained(model, MANUAL, 0, 1).first, text))


def leads(model: Model, writer: Run, *others: Run) -> list[float]:
    """Measure how much less ten texts surprise their writer than each other model, in bits a byte."""
    pairs = [(trained(model, *writer).last, trained(model, *other).last) for other in others]
    return [learning.lead(*models, start) for models in pairs for start in STARTS]


def chat_induction(model: Model, run: Run) -> float:
    passages = learning.passages(model, trained(model, *run, 1).held_out, 4)
    return 100 * float(strongest_habits(model, passages)[INDUCTION])


def leads_in_cost(model: Model, run: Run) -> float:
    """Measure how much more the first FFN costs than any other part; on Python's texts, the first attention."""
    part, costs = int(run[0] in texts.WRITTEN), trained(model, *run).costs[1]
    return costs[part] - np.delete(costs, part).max()


def known_held_out(run: TrainingRun) -> float:
    return 100 * np.isin(learning.words_of(run.held_out), learning.words_of(run.learned)).mean()


def runs(*names: str, seeds: int = 3) -> dict[str, Run]:
    return {f"{name}, seed {seed}": (name, seed) for name in names for seed in range(seeds)}


def by_text(*ranges: Range, seeds: int = 3) -> dict[str, Range]:
    """Return a range for all runs of each text: of the stories, the recipes, the manual and the source."""
    return {case: range_ for name, range_ in zip(texts.NAMES, ranges) for case in runs(name, seeds=seeds)}


LITTLE = {f"{name}, from {n:,}": (name, 0, 200, n) for name in texts.NAMES for n in (0, 40_000, 80_000)}
copied = after(lambda run: learning.copied(run.last, run.learned))
# Of each text: the model's lead over counting pairs of tokens, there and where nothing is repeated, and known words.
GAINED = by_text((1.25, 1.45), (1.25, 1.45), (0.25, 0.95), (-0.25, 0.45))
ELSEWHERE = by_text((1.1, 1.45), (1.1, 1.45), (0.4, 1.45), (-0.3, 0.35))
KNOWN = by_text(above(92), above(92), above(60), (30, 70))
REPEATED = dict(zip(texts.NAMES, ((42.5, 43.5), (56.5, 57.5), (15.5, 16.5), (28.5, 29.5))))
NEAR = {STORIES: HABITS[1:3], RECIPES: HABITS[1:2]}  # the habits that grew
LED = by_text(above(2), above(2), seeds=2)
COSTLIEST = by_text((7, 8.5), (7, 8.5), (2, 4.6), (2, 4.6))
on_runs = partial(Claim, over="trainings", cases=runs(*texts.NAMES))
in_bits = partial(on_runs, unit="bits")
in_points = partial(on_runs, unit="percentage points")
on_texts = partial(Claim, over="texts", cases=TEXTS, unit="bits")
on_little = partial(Claim, over="trainings", cases=LITTLE)
on_written = partial(in_bits, cases=runs(STORIES, RECIPES))

CLAIMS = (
    *section(
        "One step",
        repeats_the_last=on_runs(
            "The untrained model's likeliest token is the one it has just read.",
            "Count the contexts of the held-out text where it is.",
            after(lambda run: 100 * learning.repeats_the_last(run.first, run.windows), 1),
            Bounds(within=above(99)),
        ),
        nudging=on_texts(
            "Nudging a parameter and going backwards give the same gradient.",
            "Take the parameter with the steepest gradient, and change it by 0.01 both ways.",
            of_noise(lambda numbers: 100 * numbers.nudging_is_off()),
            Bounds(within=below(0.2)),
            unit="% apart",
        ),
        against_the_gradient=on_texts(
            "A step of length 1 against the gradient lowers the surprise; a random step hardly changes it.",
            "Move all parameters of the untrained model at once.",
            of_noise(lambda numbers: numbers.gained(1)),
            Bounds(within=(1, 5), control=Bounds(within=below(0.05))),
            control=(
                "three random directions, the largest change",
                of_noise(lambda numbers: numbers.changed_at_random(1)),
            ),
        ),
        too_far=on_texts(
            "A step of length 10 is worse than the best one.",
            "Compare it with steps of length 0.5, 1, 2, 3 and 4.",
            of_noise(lambda numbers: max(map(numbers.gained, (0.5, 1, 2, 3, 4))) - numbers.gained(10)),
            Bounds(within=above(0.5)),
        ),
    ),
    *section(
        "After 600 steps",
        learned=in_bits(
            "The trained model is less surprised than before the first step, when its surprise is log2(512) = 9 bits.",
            "Train on four texts with three seeds each, and measure the last tenth.",
            after(lambda run: run.held_out_surprise[-1]),
            Bounds(within=below(6), at=by_text(below(2.5), below(2.5)), control=Bounds(within=(8.95, 9.05))),
            control=("before the first step", after(lambda run: run.held_out_surprise[0], 1)),
        ),
        better_than_counting=in_bits(
            "The model is better than counting pairs of tokens, but only about as good on Python's source.",
            "Subtract its surprise from that of counting pairs.",
            after(lambda run: run.counted[0] - run.held_out_surprise[-1]),
            Bounds(supports=above(0.25), count=(9, 10), at=GAINED, control=Bounds(within=(3, 6))),
            control=("the surprise of counting pairs", after(lambda run: run.counted[0], 1)),
        ),
        longer_runs=on_written(
            "On stories and recipes, counting runs of up to five tokens, without a network, gets about as low.",
            "Subtract the model's surprise from that of this count.",
            after(lambda run: run.counted[1] - run.held_out_surprise[-1]),
            Bounds(within=(-0.2, 0.2)),
        ),
        longer_runs_of_python=in_bits(
            "On Python's texts, this count gets lower.",
            "Subtract the count's surprise from the model's.",
            after(lambda run: run.held_out_surprise[-1] - run.counted[1]),
            Bounds(within=above(0.7)),
            cases=runs(MANUAL, SOURCE),
        ),
        texts_repeat=on_runs(
            "The held-out texts repeat the training texts, and have few words of their own.",
            "Count their tokens in stretches of 25 characters that the training text has word for word.",
            after(lambda run: 100 * run.by_repeats[0], 1),
            Bounds(at=REPEATED, control=Bounds(within=(88, 98.5))),
            control=("held-out words that the training text has", after(known_held_out, 1)),
            over="texts",
            cases={name: (name, 0) for name in texts.NAMES},
        ),
        elsewhere=in_bits(
            "The rest of the held-out text surprises the model more than these repetitions.",
            "Measure the surprise at the other tokens.",
            after(lambda run: run.by_repeats[1][0, 1]),
            Bounds(within=(2.95, 5.65), above_control=12, at=by_text(below(3.45))),
            control=("the repetitions", after(lambda run: run.by_repeats[1][0, 0])),
        ),
        better_elsewhere=in_bits(
            "There, too, the model is better than counting pairs, but only about as good on Python's source.",
            "Subtract its surprise from that of counting pairs at these tokens.",
            after(lambda run: run.by_repeats[1][1, 1] - run.by_repeats[1][0, 1]),
            Bounds(supports=above(0.4), count=9, at=ELSEWHERE),
        ),
        longer_runs_elsewhere=in_bits(
            "There, too, the model is hardly better than counting runs of up to five tokens, or worse.",
            "Subtract its surprise from that of this count at these tokens.",
            after(lambda run: run.by_repeats[1][2, 1] - run.by_repeats[1][0, 1]),
            Bounds(within=below(0.2)),
        ),
        words=on_runs(
            "Most of the words that the model writes are in its text, but on Python's source about half.",
            "Let it write five times, and look up its words of three letters or more.",
            after(lambda run: 100 * learning.known_words(run.last, run.learned)),
            Bounds(supports=above(55), count=9, at=KNOWN, above_control=12, control=Bounds(within=(7, 70.5))),
            control=("after 20 steps", after(lambda run: 100 * learning.known_words(run.early, run.learned))),
        ),
    ),
    *section(
        "With 5,000 characters",
        memorised=on_little(
            "The held-out text's surprise rises again, while the training text is memorised.",
            "Train 200 steps on 5,000 characters; subtract the lowest surprise from the last.",
            after(lambda run: run.held_out_surprise[-1] - min(run.held_out_surprise)),
            Bounds(within=(0.55, 2.85), control=Bounds(within=below(0.2))),
            control=("the training text's, at the end", after(lambda run: np.mean(run.surprise[-2:]))),
            unit="bits",
        ),
        copies=on_little(
            "The model of a short text copies long passages; that of a whole text doesn't.",
            "Let it write 100 tokens (some 270 characters) five times: the mean of the longest passages its text has.",
            copied,
            Bounds(within=(117.5, 310.5), control=Bounds(within=(14.5, 57.5))),
            control=("the whole text", lambda model, run: copied(model, (run[0], run[3] // 40_000))),
            unit="characters",
        ),
    ),
    *section(
        "Whose text is it?",
        whose=on_runs(
            "A text surprises its writer less than models of other texts. A model of the same text with another seed "
            "comes closer.",
            "Let eight models write ten texts each, and models of other texts read them: the smallest difference.",
            lambda m, run: min(leads(m, run, *((name, run[1]) for name in texts.NAMES if name != run[0]))),
            Bounds(within=above(0.75), at=LED, control=Bounds(within=(0.15, 0.45))),
            control=(
                "models of the same text with another seed, ten texts",
                lambda m, run: np.median(leads(m, run, (run[0], 1 - run[1]))),
            ),
            cases=runs(*texts.NAMES, seeds=2),
            unit="bits per byte less",
        ),
    ),
    *section(
        "Sorting tokens",
        kinds=in_points(
            "After training, a token's nearest tokens are often of its own kind; before, as often as by chance.",
            "Take the three nearest of each of 120 tokens, and compare with shuffled kinds.",
            after(lambda run: 100 * run.by_kind[1]),
            Bounds(within=(48.5, 62.5), control=Bounds(within=(-8.5, 8.5))),
            control=("before the first step", after(lambda run: 100 * run.by_kind[0])),
        ),
        kinds_counted=in_points(
            "Counting each token's neighbours, without a network, does about as well.",
            "Describe each token by how often every other is next to it in the text; subtract that from the model's.",
            after(lambda run: 100 * (run.by_kind[1] - run.by_kind[2])),
            Bounds(within=(-5.05, 5.05)),
        ),
    ),
    *section(
        "Not shown above: inside the trained model",
        near=on_runs(
            "In every training, the attention that grew most is to the token itself, one back or two back.",
            "Measure each head's attention to six kinds of tokens. On the recipes, the one before grew most; on the "
            "stories, one or two back.",
            lambda model, run: trained(model, *run).grown_most in NEAR.get(run[0], HABITS[:3]),
            Bounds(supports=YES),
        ),
        itself=on_runs(
            "On Python's texts, it is to the token itself in five of six trainings.",
            "Where it grew most, measure the best head's attention weight on it.",
            after(lambda run: 100 * run.habits[1, 0] if run.grown_most == "itself" else math.nan),
            Bounds(of=5, within=(39, 95.5)),
            over="of these trainings",
            cases=runs(MANUAL, SOURCE),
        ),
        no_induction=on_runs(
            "No induction head grew.",
            "Measure the weight of the best head on what came after an earlier copy.",
            after(lambda run: 100 * run.habits[1, INDUCTION]),
            Bounds(within=(4.5, 11.5), control=Bounds(within=above(40))),
            control=("the chat model, on the same texts", chat_induction),
        ),
        no_copying=in_bits(
            "A passage that comes again surprises hardly less; in the stories and recipes, even more.",
            "Let the model read ten held-out passages twice in a row.",
            after(lambda run: -np.diff(learning.surprise_when_repeated(run.last, run.passages))[0]),
            Bounds(within=below(0.35), at=by_text(below(0), below(0))),
        ),
        costliest=in_bits(
            "On stories and recipes, replacing the first FFN's output raises the surprise most; on Python's texts, "
            "mostly that of the first layer's attention.",
            "Put its mean over other stretches in its place; subtract the rise for the other part where it is largest.",
            leads_in_cost,
            Bounds(supports=above(0), count=11, at=by_text(above(0), above(0)), control=Bounds(at=COSTLIEST)),
            control=("the largest rise", after(lambda run: max(run.costs[1]))),
        ),
        first_ffn_off=on_written(
            "Switching the first FFN off altogether raises it a little more.",
            "Let it add nothing.",
            after(lambda run: run.costs[0, 1]),
            Bounds(within=(7.5, 9.5), above_control=6),
            control=("its mean", after(lambda run: run.costs[1, 1])),
        ),
        repeats_it_again=on_written(
            "Without it, the token just read is the likeliest again in about five of six contexts.",
            "Count the contexts where it is.",
            after(lambda run: 100 * learning.repeats_the_last(run.last, run.windows, Edits(ffn={0: 0}))),
            Bounds(within=(78.5, 86.5)),
            control=("unchanged", after(lambda run: 100 * learning.repeats_the_last(run.last, run.windows))),
            unit="%",
        ),
    ),
)
