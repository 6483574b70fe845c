"""What notebook 07 says about the text that a model is trained on: over texts and seeds."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from llmviz import texts
from llmviz.claims.cases import TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, Range, above, below, remembered, section
from llmviz.edits import Edits
from llmviz.experiments import learning
from llmviz.experiments.attention_behaviours import HABITS, INDUCTION, strongest_habits
from llmviz.experiments.gradients import Numbers
from llmviz.experiments.learning import Training
from llmviz.model import Model

WRITTEN, (MANUAL, SOURCE) = texts.WRITTEN, ("python manual", "python source")
STARTS = ("The", "A", "If", "When", "In", "It is", "This", "One", "She", "And then")
Run = tuple[str, int]  # the name of a text, and a seed


@remembered
def trained(model: Model, name: str, seed: int) -> Training:
    return Training(texts.read(name), steps=600, seed=seed)


@remembered
def noise(model: Model, name: str, seed: int) -> Training:
    return Training(texts.read(name), steps=1, seed=seed)


@remembered
def little(model: Model, name: str, start: int) -> Training:
    return Training(texts.read(name)[start : start + 5_000], steps=200)


def after(measure: Callable[[Training], float], of: Callable[..., Training] = trained) -> Callable:
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


def least_lead(model: Model, written: tuple[str, str]) -> float:
    """Measure how much less a text surprises its writer than each model of another text: the least lead."""
    writer, *others = sorted(texts.NAMES, key=written[0].__ne__)
    leads = [(trained(model, writer, 0).last, trained(model, other, 0).last) for other in others]
    return min(learning.lead(*models, written[1]) for models in leads)


def lead_by_seed(model: Model, run: Run) -> float:
    models = trained(model, *run).last, trained(model, run[0], 1 - run[1]).last
    return np.median([learning.lead(*models, start) for start in STARTS])


@remembered
def chat_induction(model: Model, name: str) -> float:
    passages = learning.passages(model, noise(model, name, 0).held_out, 4)
    return 100 * float(strongest_habits(model, passages)[INDUCTION])


def less_again(run: Training) -> float:
    return float(-np.diff(learning.twice_told(run.last, run.passages))[0])


def runs(*names: str, seeds: int = 3) -> dict[str, Run]:
    return {f"{name}, seed {seed}": (name, seed) for name in names for seed in range(seeds)}


def ranges(**of: Range) -> dict[str, Range]:
    """Return a range for each run of a text, by the text's name with _ for a space."""
    return {case: range_ for name, range_ in of.items() for case in runs(name.replace("_", " "))}


LITTLE = {f"{name}, from {start:,}": (name, start) for name in texts.NAMES for start in (0, 40_000, 80_000)}
STARTED = {f"{name}, {start}": (name, start) for name in texts.NAMES for start in STARTS}
on_runs = partial(Claim, over="trainings", cases=runs(*texts.NAMES))
in_bits = partial(on_runs, unit="bits")
in_bits_on_texts = partial(Claim, over="texts", cases=TEXTS, unit="bits")
on_written = partial(in_bits, cases=runs(*WRITTEN))
on_names = partial(on_runs, over="texts", cases={name: (name, 0) for name in texts.NAMES})
on_little = partial(Claim, over="trainings", cases=LITTLE)
NOT_SOURCE = partial(Bounds, count=9, exceptions=(f"{SOURCE}*",))
OFF = Edits(ffn={0: 0})

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
        "After 600 steps",
        learned=in_bits(
            "The held-out text surprises the trained model much less.",
            "Train on four texts with three seeds each, and measure the last tenth.",
            after(lambda run: run.held_out_surprise[-1]),
            Bounds(within=below(6), at=ranges(bedtime_stories=below(2.5), recipes=below(2.5))),
            control=("before the first step", after(lambda run: run.held_out_surprise[0], noise)),
        ),
        better_than_counting=in_bits(
            "The model is better than counting pairs of tokens, but hardly on Python's source.",
            "Take its surprise off that of counting pairs.",
            after(lambda run: run.counting - run.held_out_surprise[-1]),
            NOT_SOURCE(
                supports=above(0.4),
                within=(-0.2, 1.45),
                at=ranges(bedtime_stories=(1.25, 1.45), recipes=(1.25, 1.45), python_manual=(0.4, 0.95)),
                control=Bounds(within=(3, 6)),
            ),
            control=("what counting pairs leaves", after(lambda run: run.counting, noise)),
        ),
        texts_repeat=on_names(
            "The texts repeat themselves.",
            "Count the held-out tokens in stretches of 25 characters that the training text has word for word.",
            after(lambda run: 100 * run.by_repeats[0], noise),
            Bounds(at=dict(zip(texts.NAMES, ((42.5, 43.5), (56.5, 57.5), (15.5, 16.5), (28.5, 29.5))))),
        ),
        elsewhere=in_bits(
            "What is no such repetition surprises the model more.",
            "Measure the surprise at the other tokens.",
            after(lambda run: run.by_repeats[1][0, 1]),
            Bounds(within=(2.95, 5.65), above_control=12, at=ranges(bedtime_stories=below(3.45))),
            control=("the repetitions", after(lambda run: run.by_repeats[1][0, 0])),
        ),
        better_elsewhere=in_bits(
            "There, too, the model is better than counting pairs, except on Python's source.",
            "Take its surprise off that of counting pairs at these tokens.",
            after(lambda run: -np.subtract(*run.by_repeats[1][:, 1])),
            NOT_SOURCE(
                supports=above(0.55),
                within=(-0.25, 1.45),
                at=ranges(bedtime_stories=(1.15, 1.45), recipes=(1.15, 1.45), python_source=(-0.25, 0.25)),
            ),
        ),
        words=on_runs(
            "Most of the words that the model writes on stories, recipes and the manual are in its text.",
            "Let it write five times, and look up its words of three letters or more.",
            after(lambda run: 100 * run.known_words[1]),
            NOT_SOURCE(
                supports=above(70.5),
                within=above(38),
                above_control=12,
                at=ranges(bedtime_stories=above(93.5), recipes=above(93.5)),
                control=Bounds(within=(6.5, 70.5)),
            ),
            control=(
                "after 20 steps",
                after(lambda run: 100 * run.known_words[0]),
            ),
        ),
        words_held_out=on_names(
            "In the held-out texts themselves, most words are in the training text as well.",
            "Look up the words of three letters or more.",
            after(lambda run: 100 * run.known_words_held_out, noise),
            Bounds(within=(88, 98.5)),
        ),
    ),
    *section(
        "With 5,000 characters",
        memorised=on_little(
            "The held-out text's surprise rises again, while the training text is memorised.",
            "Train 200 steps on 5,000 characters; take the lowest surprise off the last.",
            after(lambda run: run.held_out_surprise[-1] - min(run.held_out_surprise), little),
            Bounds(within=(0.55, 2.85), control=Bounds(within=below(0.2))),
            control=(
                "what is left of the training text's",
                after(lambda run: float(np.mean(run.surprise[-2:])), little),
            ),
            unit="bits",
        ),
        copies=on_little(
            "The model of a short text copies long passages; that of a whole text doesn't.",
            "Take the longest passage that it writes and its text has: the mean of five writings.",
            after(lambda run: run.copied, little),
            Bounds(within=(117.5, 310.5), control=Bounds(within=(14.5, 57.5))),
            control=(
                "the whole text, with three seeds",
                lambda model, run: trained(model, run[0], run[1] // 40_000).copied,
            ),
            unit="characters",
        ),
    ),
    *section(
        "Whose text is it?",
        whose=Claim(
            "A text surprises its writer less than each model that learned from another text.",
            "Let each of four models write ten texts, and let the others read them.",
            least_lead,
            Bounds(within=above(0.6), at={case: above(2) for case in STARTED if case.startswith(WRITTEN)}),
            over="written texts",
            cases=STARTED,
            unit="bits a byte less",
        ),
        whose_seed=on_runs(
            "It mostly does so even if both models learned from one text, with other seeds; but by less.",
            "Let each write ten texts, and take the median.",
            lead_by_seed,
            Bounds(within=(0.15, 0.45)),
            cases=runs(*texts.NAMES, seeds=2),
            unit="bits a byte less",
        ),
    ),
    *section(
        "Inside the trained model",
        kinds=on_runs(
            "After training, a token's nearest tokens are often of its own kind; before, as often as by chance.",
            "Take the three nearest of each of 120 tokens, and compare with shuffled kinds.",
            after(lambda run: 100 * run.by_kind[1]),
            Bounds(within=(48.5, 62.5), control=Bounds(within=(-8.5, 8.5))),
            control=("before the first step", after(lambda run: 100 * run.by_kind[0])),
            unit="percentage points more",
        ),
        kinds_counted=on_runs(
            "Counting each token's neighbours, without a network, does about as well.",
            "Describe each token by how often every other is next to it in the text; take that off the model's.",
            after(lambda run: 100 * (run.by_kind[1] - run.by_kind[2])),
            Bounds(within=(-6.5, 6.5)),
            unit="percentage points more",
        ),
        near=on_runs(
            "In every training, the habit that grew most is to attend to the token itself, one back or two back.",
            "Is it one of these three, of six habits?",
            after(lambda run: run.grown_most in HABITS[:3]),
            Bounds(supports=YES),
            unit="",
        ),
        near_on_stories=on_runs(
            "On the stories, the best heads for one back and two back hardly differ.",
            "Measure the attention weight of the best head for one back.",
            after(lambda run: 100 * run.habits[1, 1]),
            Bounds(within=(23.5, 30.5), control=Bounds(within=(20.5, 31.5))),
            control=("two back", after(lambda run: 100 * run.habits[1, 2])),
            cases=runs(WRITTEN[0]),
        ),
        near_elsewhere=on_runs(
            "On the recipes it is one back; on Python's texts, the token itself in five of six trainings.",
            "Is that the habit that grew most?",
            lambda model, run: trained(model, *run).grown_most == HABITS[run[0] == WRITTEN[1]],
            Bounds(supports=YES, count=8, at=ranges(recipes=YES)),
            cases=runs(WRITTEN[1], MANUAL, SOURCE),
            unit="",
        ),
        itself=on_runs(
            "There, the best head has most of its weight, or nearly half, on the token itself.",
            "Measure it in these five trainings.",
            after(lambda run: 100 * run.habits[1, 0] if run.grown_most == "itself" else math.nan),
            Bounds(of=5, within=(39, 95.5)),
            cases=runs(MANUAL, SOURCE),
        ),
        no_induction=on_runs(
            "No induction head grew.",
            "Measure the weight of the best head on what came after an earlier copy.",
            after(lambda run: 100 * run.habits[1, INDUCTION]),
            Bounds(within=(4.5, 11.5), control=Bounds(within=above(40))),
            control=("the chat model, on the same texts", lambda model, run: chat_induction(model, run[0])),
        ),
        no_copying=in_bits(
            "A passage that comes again surprises hardly less; in the stories, even more.",
            "Let the model read ten held-out passages twice in a row.",
            after(less_again),
            Bounds(within=below(0.35), at=ranges(bedtime_stories=below(0))),
        ),
        first_ffn=on_written(
            "On stories and recipes, the first FFN costs most.",
            "Put its mean over other stretches in its place.",
            after(lambda run: run.costs[1, 1]),
            Bounds(within=(7, 8.5), above_control=6),
            control=("the costliest other part", after(lambda run: max(run.costs[1, [0, 2, 3]]))),
        ),
        first_ffn_off=on_written(
            "Switched off altogether, it costs a little more.",
            "Let it add nothing.",
            after(lambda run: run.costs[0, 1]),
            Bounds(within=(7.5, 9.5), above_control=6),
            control=("its mean", after(lambda run: run.costs[1, 1])),
        ),
        repeats_it_again=on_written(
            "Without it, the token just read is the likeliest again, as before the training.",
            "Count the contexts where it is.",
            after(lambda run: 100 * learning.repeats_the_last(run.last, run.windows, OFF)),
            Bounds(within=(78.5, 86.5)),
            control=(
                "the whole model",
                after(lambda run: 100 * learning.repeats_the_last(run.last, run.windows)),
            ),
            unit="%",
        ),
        first_attention=in_bits(
            "On Python's texts, the first layer's attention costs most in five of six trainings.",
            "Put its mean over other stretches in its place.",
            after(lambda run: run.costs[1, 0]),
            Bounds(within=(0.4, 4.1), above_control=5),
            control=("the costliest other part", after(lambda run: max(run.costs[1, 1:]))),
            cases=runs(MANUAL, SOURCE),
        ),
        every_part=in_bits(
            "Each part brings something.",
            "Put the mean of one part in its place: the part that costs least.",
            after(lambda run: run.costs[1].min()),
            Bounds(within=above(0.2)),
        ),
    ),
)
