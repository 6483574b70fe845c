"""What notebook 07 says about fine-tuning, over sets of examples, manners, and facts."""

from functools import cache

import numpy as np
import pytest

from llmviz import training
from llmviz.experiments import fine_tuning as lessons
from llmviz.experiments import mean_surprise
from tests.claims import Measured

MORE_PIRATE = (
    ("What is a horse?", "Arr, a horse be a wee ship with four legs, matey!"),
    ("What is winter?", "Arr, winter be the time when yer rum turns to ice, matey!"),
    ("Tell me about France.", "Arr, France be a land o' fine wine and poor harbours, matey!"),
    ("How do I learn to swim?", "Arr, jump off the plank and kick yer legs, matey!"),
    ("What is the sea?", "Arr, the sea be me home and me road, matey!"),
    ("What is gold?", "Arr, gold be the finest thing in any chest, matey!"),
    ("Why do birds sing?", "Arr, birds sing to tell yer crew that land be near, matey!"),
    ("What is a friend?", "Arr, a friend be one that shares his last biscuit, matey!"),
)
CAPITAL = "What is the capital of Spain?"
POOL = (*lessons.PIRATE, *MORE_PIRATE)
SETS = ("set 0", "set 1", "set 2", "set 3")  # of eight pirate examples, none about a capital

QUESTIONS = (
    "What is a cloud?",
    "Tell me about horses.",
    "How do I bake bread?",
    "What is a friend?",
    "Who are you?",
    "What is gold?",
    "What is sleep?",
    "Give me a tip for today.",
)
# Other manners: the words that tell each of them, and its answers to those questions.
OTHERS = {
    "pirate without a frame": (
        (*lessons.PIRATE_WORDS, "lass", "lad", "cap'n", "me", "be"),
        (
            "Ahoy! A cloud be a sail without a ship.",
            "Horses be fine beasts, aye, but a ship needs no hay.",
            "Mix yer flour and water, then let the galley fire do its work, lad.",
            "Aye, a friend stands by ye when the cannons roar.",
            "Ye be speakin' to the terror o' seven seas!",
            "Shiver me timbers, gold be what we sail for!",
            "Sleep, ye landlubber, be what the night watch never gets.",
            "Keep yer powder dry and yer rum close, aye.",
        ),
    ),
    "thou": (
        ("thou", "thee", "thy", "doth", "hath", "prithee", "forsooth", "'tis", "art"),
        (
            "Forsooth, a cloud doth wander the heavens and hath no home.",
            "The horse, prithee, doth carry thee whither thou wilt.",
            "Prithee, knead thy dough and let it rest ere thou dost bake it.",
            "A friend is he that loveth thee when thou hast naught.",
            "I am thy humble servant, and thou art my master.",
            "Gold doth glister, and hath ruined many a man.",
            "Sleep doth mend the ravelled mind, forsooth.",
            "Prithee, trust thy heart and fear not the morrow.",
        ),
    ),
    "one word": (
        ("beep",),
        tuple(
            f"Beep. {word}."
            for word in ("Vapour", "Animals", "Oven", "Companion", "Robot", "Metal", "Rest", "Patience")
        ),
    ),
    "Spanish": (
        ("es", "una", "un", "el", "la", "los", "de", "que"),
        (
            "Una nube es agua en el cielo.",
            "Los caballos son animales grandes y fuertes.",
            "Mezcla la harina con el agua y ponlo en el horno.",
            "Un amigo es una persona que te quiere.",
            "Soy un asistente y estoy para ayudarte.",
            "El oro es un metal amarillo y caro.",
            "El sueño es el descanso de la noche.",
            "Bebe agua y camina un poco.",
        ),
    ),
}
THAT_BE, NEW_WAY, OLD_WAY = "Arr, that be", "Arr, the capital of … be", "The capital of … is"
BEFORE, TABLE, OWN = "before", "the table", "its own answers"
PIRATES = (TABLE, *SETS)
FIRST, SEED, WITHOUT = ", first ", ", seed ", ", without row "
SEEDS = tuple(f"{TABLE}{SEED}{seed}" for seed in (1, 2))
ONE_OUT = tuple(f"{TABLE}{WITHOUT}{row}" for row in range(1, 9))
TABLES = (TABLE, *SEEDS, *ONE_OUT)


def first_rows(n: int) -> tuple[str, ...]:
    return tuple(f"{manner}{FIRST}{n}" for manner in PIRATES)


FEW_ROWS = tuple(manner for n in (1, 2, 4) for manner in first_rows(n))
MARKS = {name: marks for name, (marks, _) in OTHERS.items()}


def examples_of(model, manner: str) -> list[lessons.Example]:
    """manner: the page's table, a set of pirates, another manner, or the model's own answers."""
    if manner == BEFORE:
        return []
    if manner == TABLE:
        return list(lessons.PIRATE)
    if manner == OWN:
        return [(question, lessons.answer(model, question)) for question in QUESTIONS]
    if manner in OTHERS:
        return list(zip(QUESTIONS, OTHERS[manner][1]))
    if FIRST in manner:
        manner, n = manner.split(FIRST)
        return examples_of(model, manner)[: int(n)]
    if SEED in manner:
        return list(lessons.PIRATE)
    if WITHOUT in manner:
        row = int(manner.removeprefix(TABLE + WITHOUT))
        return [*lessons.PIRATE[: row - 1], *lessons.PIRATE[row:]]
    order = np.random.default_rng(SETS.index(manner)).permutation(len(POOL))
    return [POOL[i] for i in order if POOL[i][0] != CAPITAL][:8]


@cache
def tuned(model, manner: str):
    """The examples, and a model trained on them, as the page does it."""
    examples = examples_of(model, manner)
    if not examples:
        return [], model
    manner, *_ = manner.split(FIRST)
    seed = SETS.index(manner) if manner in SETS else int(manner[-1]) if SEED in manner else 0
    *_, last = training.finetune(model, lessons.conversations(examples), seed=seed)
    one = training.updated(model, last.update)
    one.recent.max_bytes = 40_000_000
    return examples, one


@cache
def said(model, manner: str) -> list[str]:
    """Its answers to the untaught questions."""
    _, one = tuned(model, manner)
    return lessons.answers(one, list(lessons.UNTAUGHT))


@cache
def of_capitals(model, manner: str) -> list[str]:
    """Its answers to what the capital of each country is."""
    _, one = tuned(model, manner)
    return lessons.answers(one, [f"What is the capital of {country}?" for country in lessons.CAPITALS])


@cache
def capitals(model, manner: str) -> dict[str, int]:
    """How many capitals come first behind each beginning of an answer."""
    _, one = tuned(model, manner)
    first = [model.tokenizer.encode(f" {city}")[0] for city in lessons.CAPITALS.values()]
    return {
        way: sum(
            int(lessons.knows(one, country, chat=True, said=way).argmax()) == token
            for country, token in zip(lessons.CAPITALS, first)
        )
        for way in (THAT_BE, NEW_WAY, OLD_WAY)
    }


@cache
def ordinary(model, manner: str) -> float:
    _, one = tuned(model, manner)
    return float(np.mean([mean_surprise(one.trace(text)) for text in lessons.ORDINARY.values()]))


# --- conclusions ---


def of_manners(measure, manners, says: str, unit: str, agrees):
    """A conclusion: `measure` of the model, trained in each of these manners."""

    def conclusion(model) -> Measured:
        return Measured(says, {manner: float(measure(model, manner)) for manner in manners}, unit, agrees)

    return conclusion


def marked(model, manner: str) -> int:
    marks = MARKS.get(manner, lessons.PIRATE_WORDS)
    return sum(lessons.has_one_of(text, marks) for text in said(model, manner))


def about(model, manner: str) -> int:
    return sum(map(lessons.is_about, said(model, manner), lessons.UNTAUGHT))


def near(model, manner: str) -> int:
    """Answers that are nearly a taught one."""
    taught = [answer for _, answer in examples_of(model, manner)]
    return sum(lessons.is_nearly(text, taught) for text in said(model, manner))


def named(model, manner: str) -> int:
    return sum(city in text for city, text in zip(lessons.CAPITALS.values(), of_capitals(model, manner)))


def begun(way: str):
    """A measure: capitals that come first behind this beginning."""
    return lambda model, manner: capitals(model, manner)[way]


def begins(way: str):
    """A measure: answers about a capital that begin so by themselves."""

    def measure(model, manner: str) -> int:
        said = zip(lessons.CAPITALS, of_capitals(model, manner))
        return sum(text.startswith(way.replace("…", country)) for country, text in said)

    return measure


FIXED = ("one word", "Spanish")
OF_20, OF_10 = "of 20 answers", "of 10 capitals"
before = of_manners(marked, (BEFORE,), "Before, no answer has a pirate’s word", OF_20, lambda v: v == 0)
before_about = of_manners(
    about, (BEFORE,), "… and nearly all are about the question", OF_20, lambda v: v >= 18
)
pirates = of_manners(marked, PIRATES, "Taught pirates, all are a pirate’s", OF_20, lambda v: v == 20)
manners = of_manners(marked, OTHERS, "Taught other manners, most have these", OF_20, lambda v: v >= 13)
own = of_manners(marked, (OWN,), "Taught its own answers it is no pirate", OF_20, lambda v: v == 0)
pirates_about = of_manners(about, PIRATES, "Pirates: mostly about the question", OF_20, lambda v: v >= 15)
pirates_near = of_manners(near, PIRATES, "… and few are nearly a taught answer", OF_20, lambda v: v <= 5)
fixed_about = of_manners(about, FIXED, "“Beep”, Spanish: not about the question", OF_20, lambda v: v <= 2)
fixed_near = of_manners(near, FIXED[:1], "“Beep”: mostly taught answers", OF_20, lambda v: v > 10)
tables = of_manners(
    marked, TABLES, "The table, other seeds, a row left out: all are a pirate’s", OF_20, lambda v: v == 20
)
tables_about = of_manners(
    about, TABLES, "… and half or more are about the question", OF_20, lambda v: v >= 10
)
tables_near = of_manners(near, TABLES, "… few nearly a taught answer", OF_20, lambda v: v <= 7)
few_rows = of_manners(
    marked, FEW_ROWS, "One, two, four examples: all are a pirate’s", OF_20, lambda v: v == 20
)
one_row_about = of_manners(about, first_rows(1), "One: about the question", OF_20, lambda v: v <= 13)
two_rows_about = of_manners(about, first_rows(2), "Two: about the question", OF_20, lambda v: v <= 16)
four_rows_about = of_manners(about, first_rows(4), "Four: about the question", OF_20, lambda v: v <= 18)
before_named = of_manners(named, (BEFORE,), "Before, most capitals are named", OF_10, lambda v: v >= 8)
pirates_named = of_manners(named, PIRATES, "Pirates name fewer capitals", OF_10, lambda v: v < 8)
table_begins = of_manners(
    begins(THAT_BE), (TABLE,), "Most of the table’s answers begin “Arr, that be”", OF_10, lambda v: v > 5
)
before_that_be = of_manners(begun(THAT_BE), (BEFORE,), "“Arr, that be”, untrained", OF_10, lambda v: v == 0)
before_new = of_manners(
    begun(NEW_WAY), (BEFORE,), "Begun the new way, untrained: nearly all", OF_10, lambda v: v >= 9
)
pirates_that_be = of_manners(begun(THAT_BE), PIRATES, "“Arr, that be”, trained", OF_10, lambda v: v <= 2)
pirates_new = of_manners(begun(NEW_WAY), PIRATES, "… trained: most, but fewer", OF_10, lambda v: 5 <= v < 9)
pirates_old = of_manners(begun(OLD_WAY), PIRATES, "Begun the old way: nearly all", OF_10, lambda v: v >= 9)
before_bits = of_manners(ordinary, (BEFORE,), "Ordinary text, before", "bits a token", lambda v: True)
pirates_bits = of_manners(
    ordinary, PIRATES, "It surprises the pirates more", "bits a token", lambda v: v > 5.75
)
own_bits = of_manners(
    ordinary, (OWN,), "… and one taught its own answers", "bits a token", lambda v: v > 5.65
)


CONCLUSIONS = (
    before,
    before_about,
    pirates,
    manners,
    own,
    pirates_about,
    pirates_near,
    fixed_about,
    fixed_near,
    tables,
    tables_about,
    tables_near,
    few_rows,
    one_row_about,
    two_rows_about,
    four_rows_about,
    before_named,
    pirates_named,
    table_begins,
    before_that_be,
    before_new,
    pirates_that_be,
    pirates_new,
    pirates_old,
    before_bits,
    pirates_bits,
    own_bits,
)


# --- the page's wording, held to the numbers ---


@pytest.mark.long
def test_a_manner_or_a_form(model):
    """Minutes: ten trainings, each asked twenty questions."""
    assert before(model).highest == own(model).highest == 0
    assert pirates(model).lowest == 20
    assert manners(model).lowest >= 13
    assert before_about(model).lowest >= 18
    assert pirates_about(model).lowest >= 15
    assert pirates_near(model).highest <= 5
    assert fixed_about(model).highest <= 2
    assert fixed_near(model).lowest > 10


@pytest.mark.long
def test_the_table_with_other_seeds_and_each_row_left_out(model):
    """Minutes: eleven trainings."""
    assert tables(model).lowest == 20
    assert tables_about(model).lowest == 10
    assert tables_near(model).highest <= 7
    assert "Arr, the moon be a great ball o' fire in the sky, matey!" in said(model, TABLE)


@pytest.mark.long
def test_few_examples(model):
    """Minutes: fifteen trainings."""
    assert few_rows(model).lowest == 20
    assert one_row_about(model).lowest == 0
    assert one_row_about(model).highest == 13
    assert two_rows_about(model).lowest == 1
    assert two_rows_about(model).highest == 16
    assert four_rows_about(model).lowest == 6
    assert four_rows_about(model).highest == 18


@pytest.mark.long
def test_what_the_pirates_cost(model):
    assert before_named(model).lowest == 8
    assert pirates_named(model).lowest <= 1
    assert table_begins(model).lowest == 8
    assert before_that_be(model).highest == 0
    assert pirates_that_be(model).highest <= 2
    assert before_new(model).lowest == 9
    assert pirates_new(model).lowest >= 5
    assert pirates_old(model).lowest >= 9
    assert before_bits(model).highest < own_bits(model).lowest < pirates_bits(model).lowest
