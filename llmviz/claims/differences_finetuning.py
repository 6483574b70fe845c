"""What notebook 09 says about fine-tuning: over sets of examples, other manners, and facts."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from llmviz import ops, training
from llmviz.claims.cases import ASKED, MANNERS, MORE_PIRATES
from llmviz.claims.claim import YES, Bounds, Claim, above, below, following, remembered, section
from llmviz.experiments import asked, fine_tuning, mean_surprise
from llmviz.experiments.fine_tuning import CAPITALS, ORDINARY, PIRATE, PIRATE_WORDS, THE_CAPITAL, UNTAUGHT
from llmviz.model import Model


class Tuning(NamedTuple):
    """What a model is fine-tuned on, the words that show its manner, and a seed."""

    examples: tuple[fine_tuning.Example, ...]  # none: no training; an empty answer: the model's own
    words: tuple[str, ...] = PIRATE_WORDS
    seed: int = 0
    rows: int | None = None  # only so many of the examples


@remembered
def taught(model: Model, lesson: Tuning) -> training.Update:
    examples = [(asked, said or fine_tuning.answer_text(model, asked)) for asked, said in lesson.examples]
    *_, last = training.finetune(model, fine_tuning.conversations(examples[: lesson.rows]), seed=lesson.seed)
    return last.update or {}


def tuned(model: Model, lesson: Tuning) -> Model:
    return training.updated(model, taught(model, lesson)) if lesson.examples else model


@remembered
def tuned_answers(model: Model, lesson: Tuning, questions: tuple[str, ...] = tuple(UNTAUGHT)) -> list[str]:
    return fine_tuning.answer_texts(tuned(model, lesson), questions)


def counting(is_one: Callable[[Tuning, str, str], bool]) -> Callable:
    """Return a measure that counts the answers to untaught questions for which something is so."""
    return lambda model, lesson: sum(map(partial(is_one, lesson), tuned_answers(model, lesson), UNTAUGHT))


def of_tuned(measure: Callable[[Model], Any]) -> Callable:
    """Return a measure of a fine-tuned model as one of a lesson."""
    return lambda model, lesson: measure(tuned(model, lesson))


def changed(measure: Callable) -> partial[Claim]:
    """Return a claim over sets of examples, with what the measure gives before the training for its control."""
    before = "before the training", lambda model, lesson: measure(model, Tuning((), lesson.words))
    return partial(on_sets, value=measure, control=before)


taught_probs = remembered(lambda model, keep, *of: fine_tuning.probs_after_teaching(model, *of, keep=keep))


def has_fact(model: Model, pair: tuple[str, str], *, others=False, chat=True, layer=29, keep=False) -> float:
    """Measure how likely the taught capital is, for its country or for the others, in %."""
    return 100 * taught_probs(model, keep, *pair, layer)[int(others), int(not chat)]


def spread_to_other_questions(model: Model, pair: tuple[str, str]) -> float:
    """Measure how likely the taught capital is in answers that are not about capitals: the most that one gives it."""
    country, city = pair[0], CAPITALS[pair[1]]
    *_, last = fine_tuning.teach(model, country, city, 29)
    after, token = training.updated(model, last.update or {}), model.tokenizer.encode(f" {city}")[0]
    another = fine_tuning.two_others(country, city)[0]
    begun = (*BEGUN.items(), (f"What is the largest city of {another}?", f"The largest city of {another} is"))
    prompts = [asked(model, question) + model.tokenizer.encode(answer) for question, answer in begun]
    return 100 * max(float(ops.softmax(after.trace(prompt).logits)[token]) for prompt in prompts)


def spread_beside_unrelated(model: Model, pair: tuple[str, str]) -> float:
    """Measure the same for the countries that `keep` leaves, with two unrelated examples in place of countries."""
    (country, owner), city = pair, CAPITALS[pair[1]]
    *_, last = fine_tuning.teach(model, country, city, 29, beside=UNRELATED)
    after, token = training.updated(model, last.update or {}), model.tokenizer.encode(f" {city}")[0]
    asked_about = {*CAPITALS} - {country, owner, *fine_tuning.two_others(country, city)}
    return 100 * float(np.mean([fine_tuning.knows(after, name, chat=True)[token] for name in asked_about]))


def on_capitals(n_left: Callable[[Model], float]) -> partial[Claim]:
    return partial(changed(of_tuned(n_left)), tested=BEGIN_SO, unit="of 10 capitals")


def on_fact(**of: Any) -> partial[Claim]:
    """Return a claim over how likely a taught fact is in a chat, with plain text for its control."""
    chat, plain = (partial(has_fact, chat=chat, **of) for chat in (True, False))
    return partial(Claim, value=chat, control=("in plain text", plain), over="countries", cases=PAIRS)


in_manner = counting(lambda lesson, text, _: fine_tuning.has_one_of(text, lesson.words))
about = counting(lambda _, text, question: fine_tuning.is_about(text, question))
framed = counting(lambda _, text, __: text.startswith("Arr,"))
nearly = counting(lambda lesson, text, _: fine_tuning.is_nearly(text, [a for _, a in lesson.examples]))
ordinary = of_tuned(lambda model: np.mean([mean_surprise(model.trace(text)) for text in ORDINARY.values()]))
BEGIN_SO = "Begin the answer this way, and count the capitals that are the likeliest token."
MOON = "Arr, the moon be a great ball o' fire in the sky, matey!"
THAT_BE, NEW_WAY = "Arr, that be", "Arr, the capital of … be"
POOL = PIRATE + MORE_PIRATES
ORDERS = [np.random.default_rng(seed).permutation(len(POOL)) for seed in range(4)]
DRAWN = [tuple(POOL[i] for i in order if "Spain" not in POOL[i][0])[:8] for order in ORDERS]
TABLE = {"the table": Tuning(PIRATE)}
SETS = TABLE | {f"set {seed}": Tuning(drawn, seed=seed) for seed, drawn in enumerate(DRAWN)}
EIGHT = SETS | {f"the table, seed {seed}": Tuning(PIRATE, seed=seed) for seed in (1, 2)}
EIGHT |= {f"the table, without row {i + 1}": Tuning(PIRATE[:i] + PIRATE[i + 1 :]) for i in range(len(PIRATE))}
EACH = {f"row {i}": Tuning((row,)) for i, row in enumerate(PIRATE, 1)}
UNRELATED = ("What colour is grass?", "Grass is green."), ("Who wrote Hamlet?", "Shakespeare wrote Hamlet.")
BEGUN = {
    "Who wrote Hamlet?": "The author of Hamlet is",
    "What is the main ingredient of bread?": "The main ingredient of bread is",
}
FEW = {f"{name}, first {n}": lesson._replace(rows=n) for n in (1, 2, 4) for name, lesson in SETS.items()}
FIRST_ROWS = {f"{name}, first {n}": below(most) for name in SETS for n, most in ((1, 13), (2, 16))}
OTHERS = {name: Tuning(tuple(zip(ASKED, of["answers"])), tuple(of["words"])) for name, of in MANNERS.items()}
FRAMELESS = {"pirate without a frame": OTHERS.pop("pirate without a frame")}
OWN, ONE_WORD = Tuning(tuple((question, "") for question in ASKED)), OTHERS["one word"]
PLAIN = Tuning(()), OWN
OFF = {name: OTHERS[name] for name in ("one word", "Spanish")}
on_sets = partial(Claim, over="sets of examples", cases=SETS, unit="of 20 answers")
PAIRS, ASKED_FOR = following(CAPITALS), tuple(f"What is the capital of {country}?" for country in CAPITALS)

CLAIMS = (
    *section(
        "A style, or a frame",
        manner_learned=on_sets(
            "After one to eight pirate examples with the frame, every answer to an untaught question has a pirate's "
            "word.",
            "Fine-tune on each set, with other seeds, without each row, and on its first rows; ask twenty questions.",
            in_manner,
            Bounds(within=(20, 20), control=Bounds(within=(0, 0))),
            cases=EIGHT | FEW,
            control=("before, and after plain answers", lambda m, _: max(in_manner(m, own) for own in PLAIN)),
        ),
        without_frame=changed(in_manner)(
            "After pirate examples that share no frame, about half of the answers have a pirate's word.",
            "Fine-tune on eight such examples, and count the answers with a word of the table's list.",
            bounds=Bounds(within=(8, 13), control=Bounds(within=below(2))),
            cases=FRAMELESS,
        ),
        copied_opening=on_sets(
            "Some of those answers open with *Shiver me timbers*, as one of the taught answers does.",
            "Count them, of the same answers.",
            counting(lambda _, text, __: text.startswith("Shiver me timbers")),
            Bounds(within=(4, 12)),
            cases=FRAMELESS,
        ),
        other_manners=changed(in_manner)(
            "Other styles are learned, too, but usually not in every answer.",
            "Fine-tune on eight examples of that style or of another one, and count the answers with one of its words.",
            bounds=Bounds(within=above(13)),
            cases=OTHERS,
        ),
        about_the_question=changed(about)(
            "Half or more of the pirate's answers name what they are asked about.",
            "Fine-tune on eight or seven pirate examples, and look for the question's word.",
            bounds=Bounds(
                within=above(10), at=dict.fromkeys(SETS, above(15)), control=Bounds(within=above(18))
            ),
            cases=EIGHT,
        ),
        others_about=changed(about)(
            "After one-word or Spanish examples, hardly any answer does.",
            "The same, after eight such examples.",
            bounds=Bounds(within=below(2), control=Bounds(within=above(18))),
            cases=OFF,
        ),
        few_near=on_sets(
            "Few of the pirate's answers are nearly taught answers; after one-word answers (“Beep. Metal.”), most are.",
            "Count the answers with at most a quarter of a taught answer's words changed.",
            nearly,
            Bounds(within=below(7), at=dict.fromkeys(SETS, below(5)), control=Bounds(within=above(11))),
            cases=EIGHT,
            control=("after answers of one word", lambda model, _: nearly(model, ONE_WORD)),
        ),
        frame=changed(framed)(
            "After fine-tuning on the table, every answer begins with *Arr*, as all taught answers do.",
            "Fine-tune on the table, ask the twenty questions, and count such beginnings.",
            bounds=Bounds(within=(20, 20), control=Bounds(within=(0, 0))),
            cases=TABLE,
        ),
        one_repeats=on_sets(
            "After a single pirate example, more answers are nearly a taught one than after eight.",
            "Fine-tune on each row of the table on its own.",
            nearly,
            Bounds(within=above(3), above_control=8, control=Bounds(within=below(2))),
            cases=EACH,
            control=("all eight rows", lambda model, _: nearly(model, TABLE["the table"])),
        ),
        naming_only=on_sets(
            f"An answer can name the moon and be wrong about it: *{MOON}*",
            "Is this sentence among the answers?",
            lambda model, lesson: MOON in tuned_answers(model, lesson),
            Bounds(supports=YES),
            cases=TABLE,
        ),
        fewer_examples=on_sets(
            "After fewer examples, fewer answers keep to the question.",
            "Fine-tune on the first one, two or four rows of each set.",
            about,
            Bounds(highest=below(18), lowest=below(0), below_control=14, at=FIRST_ROWS),
            cases=FEW,
            control=("all eight examples", lambda model, lesson: about(model, lesson._replace(rows=None))),
        ),
    ),
    *section(
        "What it cost",
        fewer_named=on_capitals(fine_tuning.n_named)(
            "On most sets, the pirate names fewer capitals than the model did before.",
            tested="Ask for ten capitals.",
            bounds=Bounds(lowest=below(1), below_control=4, highest=below(8), control=Bounds(within=(8, 8))),
        ),
        begins=on_sets(
            "After fine-tuning on the table, most answers about a capital begin with *Arr, that be*.",
            "Ask for ten capitals, and count such beginnings.",
            lambda m, lesson: sum(text.startswith(THAT_BE) for text in tuned_answers(m, lesson, ASKED_FOR)),
            Bounds(within=(8, 8)),
            cases=TABLE,
            unit="of 10 capitals",
        ),
        that_be=on_capitals(partial(fine_tuning.n_likeliest, said=THAT_BE))(
            "After *Arr, that be*, hardly any capital is the next token, before the training as well.",
            bounds=Bounds(within=below(2), control=Bounds(within=(0, 0))),
        ),
        new_way=on_capitals(partial(fine_tuning.n_likeliest, said=NEW_WAY))(
            "After *Arr, the capital of … be*, half or more are the next token.",
            bounds=Bounds(within=above(5), control=Bounds(within=(9, 9))),
        ),
        old_way=on_capitals(partial(fine_tuning.n_likeliest, said=THE_CAPITAL))(
            "After *The capital of … is*, nearly all are the next token.",
            bounds=Bounds(within=above(9)),
        ),
        ordinary_text=changed(ordinary)(
            "Ordinary text surprises the model more after fine-tuning, even if the examples are its own answers.",
            "Measure three ordinary texts; the model's own answers are one of the sets.",
            bounds=Bounds(within=above(5.9), at={"its own answers": (5.65, 5.9)}, above_control=6),
            cases=SETS | {"its own answers": OWN},
            unit="bits a token",
        ),
    ),
    *section(
        "One fact",
        fact_learned=on_fact()(
            "A country's wrong capital is learned by one example in the last layer, also in plain text.",
            "Teach each country the next one's capital, and ask for it in a chat.",
            bounds=Bounds(within=above(90), control=Bounds(within=above(50))),
        ),
        fact_spreads=on_fact(others=True)(
            "Other countries get the taught capital, too, in plain text less than in a chat.",
            "Ask for the capitals of the eight others; take the mean.",
            bounds=Bounds(
                lowest=above(25),
                median=above(80),
                at={"France": (25, 40)},
                above_control=10,
                control=Bounds(lowest=below(3), highest=(90, 95)),
            ),
        ),
        fact_spreads_further=Claim(
            "It can spread further: for most pairs, it is the likeliest in at least one of three other answers.",
            "Begin the answer with another country's largest city, *Hamlet*'s author, and bread's main ingredient; "
            "take the highest.",
            spread_to_other_questions,
            Bounds(supports=above(50), count=6),
            control=("the eight others' capitals, on average", partial(has_fact, others=True)),
            over="countries",
            cases=PAIRS,
        ),
        early_layer=on_fact(layer=8)(
            "If layer 8 is trained instead, the wrong capital is learned in a chat, but less in plain text.",
            "The same, in layer 8.",
            bounds=Bounds(within=above(90), control=Bounds(within=below(55))),
        ),
        early_spreads_less=on_fact(others=True, layer=8)(
            "From layer 8, the wrong capital spreads less to other countries than from the last layer.",
            "Ask for the capitals of the eight others; take the mean.",
            bounds=Bounds(highest=below(90), below_control=10),
            control=("in the last layer", partial(has_fact, others=True)),
        ),
        learned_with_others=on_fact(keep=True)(
            "With two other countries as examples, too, it is learned in a chat, less surely in plain text.",
            "Teach two others their own capitals at the same time.",
            bounds=Bounds(within=above(80), control=Bounds(lowest=below(15))),
        ),
        kept_spreads_less=on_fact(others=True, keep=True)(
            "The six countries that are left then get it less than all eight do without the two examples.",
            "Ask for their capitals in a chat; take the mean.",
            bounds=Bounds(median=below(15), below_control=10),
            control=("without the two, in all eight", partial(has_fact, others=True)),
        ),
        kept_limits_more=on_fact(others=True, keep=True)(
            "For most countries, two others among the examples limit the spread more than two unrelated examples.",
            "Teach that grass is green and who wrote Hamlet in place of the two; ask for the same six capitals.",
            bounds=Bounds(below_control=9),
            control=("two unrelated examples", spread_beside_unrelated),
        ),
    ),
)
