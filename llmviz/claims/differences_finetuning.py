"""What notebook 07 says about fine-tuning: over sets of examples, other manners, and facts."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from llmviz import experiments, training
from llmviz.claims.cases import ASKED, MANNERS, MORE_PIRATES
from llmviz.claims.claim import YES, Bounds, Claim, above, below, following, remembered, section
from llmviz.experiments import fine_tuning
from llmviz.experiments.fine_tuning import CAPITALS, ORDINARY, PIRATE, PIRATE_WORDS, THE_CAPITAL, UNTAUGHT
from llmviz.model import Model


class Lesson(NamedTuple):
    """What a model is fine-tuned on, the words that show its manner, and a seed."""

    examples: tuple[fine_tuning.Example, ...]  # none: no training; an empty answer: the model's own
    words: tuple[str, ...] = PIRATE_WORDS
    seed: int = 0
    rows: int | None = None  # only so many of the examples


@remembered
def taught(model: Model, lesson: Lesson) -> training.Update:
    examples = [
        (question, answer or fine_tuning.answer(model, question))
        for question, answer in lesson.examples[: lesson.rows]
    ]
    *_, last = training.finetune(model, fine_tuning.conversations(examples), seed=lesson.seed)
    return last.update or {}


def tuned(model: Model, lesson: Lesson) -> Model:
    return training.updated(model, taught(model, lesson)) if lesson.examples else model


@remembered
def answers(model: Model, lesson: Lesson, questions: tuple[str, ...] = tuple(UNTAUGHT)) -> list[str]:
    return fine_tuning.answers(tuned(model, lesson), questions)


def in_manner(model: Model, lesson: Lesson) -> float:
    """Count the answers to untaught questions that have a word of the manner."""
    return sum(fine_tuning.has_one_of(text, lesson.words) for text in answers(model, lesson))


def about(model: Model, lesson: Lesson) -> float:
    """Count those that name what they are asked about."""
    return sum(map(fine_tuning.is_about, answers(model, lesson), UNTAUGHT))


def nearly_taught(model: Model, lesson: Lesson) -> float:
    taught_answers = [answer for _, answer in lesson.examples]
    return sum(fine_tuning.is_nearly(text, taught_answers) for text in answers(model, lesson))


@remembered
def capitals(model: Model, lesson: Lesson, said: str = "") -> float:
    """Count the capitals that are named in the model's own answers, or the likeliest after such a beginning."""
    after = tuned(model, lesson)
    return fine_tuning.n_likeliest(after, said) if said else fine_tuning.n_named(after)


@remembered
def ordinary(model: Model, lesson: Lesson) -> float:
    after = tuned(model, lesson)
    return float(np.mean([experiments.mean_surprise(after.trace(text)) for text in ORDINARY.values()]))


@remembered
def fact(model: Model, country: str, owner: str, layer: int, keep: bool = False) -> np.ndarray:
    return 100 * fine_tuning.spread(model, country, owner, layer, keep=keep)


def begins(model: Model, lesson: Lesson) -> float:
    questions = tuple(f"What is the capital of {country}?" for country in CAPITALS)
    return sum(text.startswith(THAT_BE) for text in answers(model, lesson, questions))


def before(measure: Callable, *more) -> tuple[str, Callable]:
    """Return a control: what a measure gives before the training."""
    return "before the training", lambda model, lesson: measure(model, Lesson((), lesson.words), *more)


LAST, EARLY = 29, 8  # layers
MOON = "Arr, the moon be a great ball o' fire in the sky, matey!"
THAT_BE, NEW_WAY = "Arr, that be", "Arr, the capital of … be"
POOL = PIRATE + MORE_PIRATES
DRAWN = [[POOL[i] for i in np.random.default_rng(seed).permutation(len(POOL))] for seed in range(4)]
TABLE = {"the table": Lesson(PIRATE)}
SETS = TABLE | {
    f"set {seed}": Lesson(tuple(example for example in drawn if "Spain" not in example[0])[:8], seed=seed)
    for seed, drawn in enumerate(DRAWN)
}
EIGHT = SETS | {f"the table, seed {seed}": Lesson(PIRATE, seed=seed) for seed in (1, 2)}
EIGHT |= {f"the table, without row {i + 1}": Lesson(PIRATE[:i] + PIRATE[i + 1 :]) for i in range(len(PIRATE))}
FEW = {f"{name}, first {n}": lesson._replace(rows=n) for n in (1, 2, 4) for name, lesson in SETS.items()}
OTHERS = {
    name: Lesson(tuple(zip(ASKED, manner["answers"])), tuple(manner["words"]))
    for name, manner in MANNERS.items()
}
OWN = {"its own answers": Lesson(tuple((question, "") for question in ASKED))}
on_sets = partial(Claim, over="sets of examples", cases=SETS, unit="of 20 answers")
of_capitals = partial(Claim, over="sets of examples", cases=SETS, unit="of 10 capitals")
on_countries = partial(Claim, over="countries", cases=following(CAPITALS))

CLAIMS = (
    *section(
        "A manner, or a form",
        manner_learned=on_sets(
            "After one to eight pirate examples, every answer to an untaught question has a pirate's word.",
            "Fine-tune on each set, with other seeds, without each row, and on its first rows; ask twenty questions.",
            in_manner,
            Bounds(within=(20, 20), control=Bounds(within=(0, 0))),
            cases=EIGHT | FEW,
            control=before(in_manner),
        ),
        other_manners=on_sets(
            "Other manners are learned, too, but not in every answer.",
            "Fine-tune on eight examples of another manner, and count the answers with one of its words.",
            in_manner,
            Bounds(within=above(13)),
            cases=OTHERS,
            control=before(in_manner),
        ),
        own_answers=on_sets(
            "After eight plain answers of its own, the model stays plain.",
            "Fine-tune on its own answers, and count those with a pirate's word.",
            in_manner,
            Bounds(within=(0, 0)),
            cases=OWN,
        ),
        about_the_question=on_sets(
            "Half or more of the pirate's answers name what they are asked about.",
            "Fine-tune on eight or seven examples, and look for the word that an answer must have.",
            about,
            Bounds(within=above(10), at=dict.fromkeys(SETS, above(15)), control=Bounds(within=above(18))),
            cases=EIGHT,
            control=before(about),
        ),
        few_near=on_sets(
            "Few of them are nearly a taught answer.",
            "Count the answers with at most a quarter of a taught answer's words changed.",
            nearly_taught,
            Bounds(within=below(7), at=dict.fromkeys(SETS, below(5))),
            cases=EIGHT,
        ),
        form=on_sets(
            "After answers of one word (“Beep. Metal.”), most answers are nearly taught ones.",
            "Count the answers with at most a quarter of a taught answer's words changed.",
            nearly_taught,
            Bounds(within=above(11)),
            cases={"one word": OTHERS["one word"]},
        ),
        off_the_question=on_sets(
            "In some manners, the answers hardly name what they are asked about.",
            "Fine-tune on answers of one word, and on Spanish ones.",
            about,
            Bounds(within=below(2), control=Bounds(within=above(18))),
            cases={name: OTHERS[name] for name in ("one word", "Spanish")},
            control=before(about),
        ),
        naming_only=on_sets(
            "To name is not to answer: *Arr, the moon be a great ball o' fire in the sky, matey!*",
            "Look for this sentence among the answers.",
            lambda model, lesson: MOON in answers(model, lesson),
            Bounds(supports=YES),
            cases=TABLE,
            unit="",
        ),
        fewer_examples=on_sets(
            "After fewer examples, fewer answers keep to the question.",
            "Fine-tune on the first one, two or four rows of each set.",
            about,
            Bounds(
                within=below(18),
                lowest=below(0),
                below_control=14,
                at={f"{name}, first {n}": below(most) for name in SETS for n, most in ((1, 13), (2, 16))},
            ),
            cases=FEW,
            control=("all eight examples", lambda model, lesson: about(model, lesson._replace(rows=None))),
        ),
    ),
    *section(
        "What it cost",
        fewer_named=of_capitals(
            "The pirate mostly names fewer capitals than the model did before.",
            "Ask for ten capitals.",
            capitals,
            Bounds(lowest=below(1), below_control=4, within=below(8), control=Bounds(within=(8, 8))),
            control=before(capitals),
        ),
        begins=of_capitals(
            "After the table, most answers about a capital begin with *Arr, that be*.",
            "Ask for ten capitals, and count such beginnings.",
            begins,
            Bounds(within=(8, 8)),
            cases=TABLE,
        ),
        that_be=of_capitals(
            "*Arr, that be* leads past the capital, before the training as well.",
            "Begin the answer so, and count the capitals that are the likeliest token.",
            lambda model, lesson: capitals(model, lesson, THAT_BE),
            Bounds(within=below(2), control=Bounds(within=(0, 0))),
            control=before(capitals, THAT_BE),
        ),
        new_way=of_capitals(
            "After *Arr, the capital of … be*, most capitals are still there.",
            "Begin the answer so.",
            lambda model, lesson: capitals(model, lesson, NEW_WAY),
            Bounds(within=above(5), control=Bounds(within=(9, 9))),
            control=before(capitals, NEW_WAY),
        ),
        old_way=of_capitals(
            "After *The capital of … is*, nearly all of them are.",
            "Begin the answer so.",
            lambda model, lesson: capitals(model, lesson, THE_CAPITAL),
            Bounds(within=above(9)),
            control=before(capitals, THE_CAPITAL),
        ),
        ordinary_text=on_sets(
            "Ordinary text surprises the model more after any fine-tuning, and most after the pirates.",
            "Measure three ordinary texts; the model's own answers are one of the sets.",
            ordinary,
            Bounds(within=above(5.9), at={"its own answers": (5.65, 5.9)}, above_control=6),
            cases=SETS | OWN,
            control=before(ordinary),
            unit="bits a token",
        ),
    ),
    *section(
        "One fact",
        fact_learned=on_countries(
            "A country's wrong capital is learned by one example in the last layer, also in plain text.",
            "Teach each country the next one's capital, and ask for it in a chat.",
            lambda model, pair: fact(model, *pair, LAST)[0, 0],
            Bounds(within=above(90), control=Bounds(within=above(50))),
            control=("in plain text", lambda model, pair: fact(model, *pair, LAST)[0, 1]),
        ),
        fact_spreads=on_countries(
            "The other countries get it as well, in plain text less than in a chat.",
            "Ask for the capitals of the eight others; take the mean.",
            lambda model, pair: fact(model, *pair, LAST)[1, 0],
            Bounds(within=above(25), above_control=10, control=Bounds(lowest=below(3), highest=(90, 95))),
            control=("in plain text", lambda model, pair: fact(model, *pair, LAST)[1, 1]),
        ),
        early_layer=on_countries(
            "In layer 8, it is learned in a chat, but hardly in plain text.",
            "The same, in layer 8.",
            lambda model, pair: fact(model, *pair, EARLY)[0, 0],
            Bounds(within=above(90), control=Bounds(within=below(55))),
            control=("in plain text", lambda model, pair: fact(model, *pair, EARLY)[0, 1]),
        ),
        early_spreads_less=on_countries(
            "The other countries get it less than from the last layer.",
            "Ask for the capitals of the eight others; take the mean.",
            lambda model, pair: fact(model, *pair, EARLY)[1, 0],
            Bounds(within=below(90), below_control=10),
            control=("in the last layer", lambda model, pair: fact(model, *pair, LAST)[1, 0]),
        ),
        learned_with_others=on_countries(
            "With two other countries among the examples, it is learned in a chat, less surely in plain text.",
            "Teach two others their own capitals at the same time.",
            lambda model, pair: fact(model, *pair, LAST, True)[0, 0],
            Bounds(within=above(80), control=Bounds(lowest=below(15))),
            control=("in plain text", lambda model, pair: fact(model, *pair, LAST, True)[0, 1]),
        ),
        kept_spreads_less=on_countries(
            "The six countries that are left then mostly hardly get it.",
            "Ask for their capitals in a chat; take the mean.",
            lambda model, pair: fact(model, *pair, LAST, True)[1, 0],
            Bounds(supports=below(15), count=(8, 10)),
            control=("without the two", lambda model, pair: fact(model, *pair, LAST)[1, 0]),
        ),
    ),
)
