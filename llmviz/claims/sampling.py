"""What notebook 06 says of texts, of questions with known answers and of chats, and of others of each kind."""

import math
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from llmviz import experiments, sampling
from llmviz.claims.cases import (
    MORE_CAPITALS,
    MORE_TEXTS,
    QUESTIONS,
    TEXTS,
    UNSEEN_CAPITALS,
    UNSEEN_QUESTIONS,
    UNSEEN_TEXTS,
)
from llmviz.claims.claim import YES, Bounds, Claim, Range, above, below, following, remembered, section
from llmviz.claims.the_loop import probability_outside
from llmviz.experiments import answers
from llmviz.experiments.answers import CAPITALS, SUMS, is_right
from llmviz.experiments.probabilities import moved_by_order
from llmviz.model import Model

TWENTY = TEXTS | MORE_TEXTS
KNOWN = CAPITALS | MORE_CAPITALS | SUMS  # questions with the right answer
DIFFERENCES = {f"{a} - {b} = ": str(a - b) for a in range(2, 10) for b in range(1, a)}  # one digit each
UNSEEN_KNOWN = UNSEEN_CAPITALS | DIFFERENCES
IN_FRONT = {"a space": " ", "“So”": "So ", "“Q:”": "Q: ", "a new line": "\n"}
UNSEEN_IN_FRONT = {
    f"“{text}”": f"{text} "
    for text in (
        *(
            "A:",
            "Maths:",
            "Answer:",
            "We know that",
            "Hello.",
            "The sum is",
            "Then",
            "Note:",
            "x =",
            "1.",
            "-",
            "#",
        ),
        *("I think", "Today,", "Result:", "Exercise 3:", "(", "Dear all,", "And", "Let's see:"),
    )
}
COMPARED = {text: text for text in SUMS if text[0] != "1" or text == "1 + 1 = "}  # with others, or with 2
NOT_TWO = {text: (0, 0) for text in SUMS if text.endswith("+ 1 = ") and text != "1 + 1 = "}
FIRST, UNSEEN_FIRST = (
    {word: word for word in words.split()}
    for words in (
        "cat The music Paris green We run ( But quickly She def x Hello was Monday not ! # Why",
        "house A London blue They and [ However slowly import y Yes is Friday never ? * How Der 北",
    )
)
SAME = "the same word"
TOP_P, TOP_K, MIN_P = ("top_p", 0.9), ("top_k", 50), ("min_p", 0.05)  # steps of `sampling.chain`
COLD, HOT = ("temperature", 0.5), ("temperature", 2.0)


def n_left(model: Model, text: str, *, steps: tuple) -> float:
    return float(np.count_nonzero(sampling.chain(model.trace(text).logits, steps)[-1].probs))


def right_sums(model: Model, before: str) -> float:
    return sum(is_right(model, before + text, right) for text, right in SUMS.items())


@remembered
def likeliest_after(model: Model, text: str) -> int:
    return int(model.trace(text).logits.argmax())


def same_with_word(model: Model, word: str, *, before: str = "") -> float:
    """Measure how many of the sums keep their likeliest token, in %, if a word replaces the first number."""
    same = [
        likeliest_after(model, before + text) == likeliest_after(model, f"{before}{word}{text[1:]}")
        for text in SUMS
    ]
    return 100 * float(np.mean(same))


def named(questions: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return questions with their answers as cases."""
    return dict(zip(questions, questions.items()))


@remembered
def continuation(model: Model, text: str, temperature: float, seed: int) -> experiments.Written:
    return experiments.write(model, text, 40 if temperature else 80, temperature, seed)


def repetition(model: Model, run: tuple[str, int], *, temperature: float) -> float:
    seed = run[1] if temperature else 1  # which it doesn't matter, but a text is written once
    return 100 * continuation(model, run[0], temperature, seed).repetition(40)


def mean_repetition(model: Model, case: tuple[float, dict[str, tuple]], *, greedy: bool = False) -> float:
    temperature, runs = case
    values = [repetition(model, run, temperature=0 if greedy else temperature) for run in runs.values()]
    return float(np.mean(values))


whole_answer = remembered(lambda model, question: experiments.answer(model, question, 300))


def copies_gain(model: Model, texts: tuple[str, str], *, replaced: bool = False) -> float:
    """Measure in percentage points what its earlier turns, or the other text, add to the last turn of a circle."""
    written, other = continuation(model, texts[0], 0, 1), model.tokens_of(texts[1])
    return 100 * experiments.gain_from_copies(model, written, other if replaced else None)


@remembered
def written_after_the_end(model: Model, question: str, template: bool) -> str | None:
    """Return twelve tokens that the model writes after its first end token, after a question alone if not `template`.

    None if it does not end its answer within 100 tokens, or the question at once.
    """
    whole = experiments.answer(model, question, 100) if template else experiments.write(model, question, 1)
    if whole.tokens[-1] != model.tokenizer.eos_token:
        return None
    greedy = sampling.Sampler(temperature=0)
    steps = experiments.write_on(model, [*whole.prompt, *whole.tokens], 12, greedy, past_end=True)
    return model.tokenizer.decode([step.token for step in steps])


def goes_on_as(model: Model, question: str, *, role: str) -> float:
    rest = written_after_the_end(model, question, True)
    return math.nan if rest is None else f"<|im_start|>{role}" in rest


def empty_system(model: Model, question: str, *, template: bool) -> float:
    rest = written_after_the_end(model, question, template)
    return math.nan if rest is None else "<|im_start|>system\n<|im_end|>" in rest


def ends_and_opens(model: Model, question: str, *, role: str) -> float:
    return (written_after_the_end(model, question, False) or "").startswith(f"\n<|im_start|>{role}")


def end_at_the_end(model: Model, question: str) -> float:
    whole = whole_answer(model, question)
    return 100 * whole.end_probs[-1] if whole.tokens[-1] == model.tokenizer.eos_token else math.nan


def runs(texts: dict[str, str], *seeds: int) -> dict[str, tuple[str, int]]:
    return {f"{name}, seed {seed}": (texts[name], seed) for name, seed in product(texts, seeds)}


def before_others(texts: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Return each text with the next one."""
    return {names[0]: tuple(texts[name] for name in names) for names in following(texts).values()}


UNSEEN_RUNS = runs(UNSEEN_TEXTS, 1)
on_texts = partial(Claim, over="texts", cases=TWENTY, unseen=UNSEEN_TEXTS)
on_questions = partial(
    Claim,
    over="questions",
    cases=dict(zip(QUESTIONS, QUESTIONS)),
    unseen=dict(zip(UNSEEN_QUESTIONS, UNSEEN_QUESTIONS)),
)
kept_on_texts = partial(on_texts, unit="tokens")
on_runs = partial(Claim, over="runs", unseen=UNSEEN_RUNS)


def less_repetition(temperature: str, what: str, worded: Range, unseen: Range) -> Claim:
    """Return the claim on what a temperature leaves of the repetition; the ranges are of its mean in %."""
    return Claim(
        f"On average, temperature {temperature} leaves {what} of the repetition of greedy text.",
        f"The same at temperature {temperature}, with five seeds (unseen: one): the mean of all texts.",
        mean_repetition,
        Bounds(within=worded, control=Bounds(within=(22, 28))),
        control=("temperature 0", partial(mean_repetition, greedy=True)),
        over="temperatures",
        cases={temperature: (float(temperature), runs(TWENTY, *range(1, 6)))},
        unseen={f"{temperature}, unseen": (float(temperature), UNSEEN_RUNS)},
        unseen_bounds=Bounds(within=unseen, control=Bounds(within=(50, 57))),
    )


MANY_OR_ONE = Bounds(lowest=(1, 1), highest=above(60))
MIN_P_KEEPS = replace(MANY_OR_ONE, at={SAME: (6, 6)})
WORD_KEEPS = Bounds(supports=above(60), median=above(90), control=Bounds(within=below(30)))
GREEDY_REPEATS = Bounds(supports=above(25), count=8 * 10, highest=(77, 78.5))

CLAIMS = (
    *section(
        "Temperature and filters",
        few_when_cold=kept_on_texts(
            "At temperature 0.5, a few tokens usually hold 90% of the probability. At 1, it takes "
            "over a hundred on more than half of the texts.",
            "Count the likeliest tokens that hold 90%, at temperature 0.5.",
            partial(n_left, steps=(COLD, TOP_P)),
            Bounds(
                within=below(60),
                median=below(6),
                control=Bounds(within=below(1300), median=above(100), highest=above(1000)),
            ),
            control=("temperature 1", partial(n_left, steps=(TOP_P,))),
        ),
        top_p_follows_the_tail=kept_on_texts(
            "How many tokens top-p and min-p keep depends on the text.",
            "Count the tokens that top-p 0.9 keeps, at temperature 1.",
            partial(n_left, steps=(TOP_P,)),
            Bounds(lowest=(1, 1), at={SAME: (1100, 1110)}, control=MIN_P_KEEPS),
            control=("min-p 0.05", partial(n_left, steps=(MIN_P,))),
            unseen_bounds=Bounds(lowest=(1, 1), highest=above(1000), control=MANY_OR_ONE),
        ),
        top_k_cuts=on_texts(
            "At temperature 2, top-k 50 usually cuts off more than half of the probability.",
            "Add up the probability outside the 50 likeliest tokens.",
            partial(probability_outside, n=50, temperature=2),
            Bounds(supports=above(50), count=18, control=Bounds(lowest=below(0.1), highest=above(48))),
            control=("temperature 1", partial(probability_outside, n=50, temperature=1)),
            unseen_bounds=Bounds(supports=above(50), count=30, control=Bounds(within=below(65))),
        ),
        top_p_when_hot=kept_on_texts(
            "After temperature 2, top-p 0.9 usually keeps thousands of tokens, and min-p 0.1 far fewer.",
            "Count them.",
            partial(n_left, steps=(HOT, TOP_P)),
            Bounds(within=(3000, 23000), control=Bounds(within=below(500))),
            control=("min-p 0.1", partial(n_left, steps=(HOT, ("min_p", 0.1)))),
        ),
        top_k_before_or_after=on_texts(
            "Between top-k and temperature, the order makes no difference.",
            "Add up the probability that moves to other tokens if the order changes.",
            partial(moved_by_order, step=TOP_K, other=HOT),
            Bounds(within=below(1e-3), control=Bounds(within=above(10))),
            control=("top-p and temperature", partial(moved_by_order, step=TOP_P, other=HOT)),
        ),
    ),
    *section(
        "Sure, or right?",
        capitals=Claim(
            "At temperature 0, the next token is the right capital for many of the countries, but not for all.",
            "Compare the likeliest token with the right one.",
            lambda model, question: is_right(model, *question),
            Bounds(supports=YES, count=16),
            over="capitals",
            cases=named(CAPITALS | MORE_CAPITALS),
            unseen=named(UNSEEN_CAPITALS),
            unseen_bounds=Bounds(supports=YES, count=11),
        ),
        sums=Claim(
            "The likeliest token is right for few of the 36 sums, but for far more with something in front.",
            "Put a space, *So*, *Q:* or a new line in front of each sum, and count those that are right.",
            right_sums,
            Bounds(within=(24, 36), at={"a space": (31, 31)}, control=Bounds(within=(3, 3))),
            control=("nothing in front", lambda model, before: right_sums(model, "")),
            over="texts in front",
            cases=IN_FRONT,
            unseen=UNSEEN_IN_FRONT,
            unit="sums",
        ),
        a_space_comes_next=Claim(
            "The model would write the last space of a sum itself: without it, a space is the likeliest token.",
            "Remove the last space of each sum. Is a space now the likeliest token?",
            lambda model, text: is_right(model, text.rstrip(), " "),
            Bounds(supports=YES),
            over="sums",
            cases=dict(zip(SUMS, SUMS)),
        ),
        second_number=Claim(
            "With nothing in front, the first number doesn't change the likeliest token: whatever you add "
            "1 to, it is 2.",
            "Compare each likeliest token with that after 1 + the same second number; if 1 is added, with 2.",
            answers.second_number_decides,
            Bounds(supports=YES, control=Bounds(supports=YES, count=(1, 13), at=NOT_TWO)),
            control=("with a space in front", partial(answers.second_number_decides, before=" ")),
            over="sums",
            cases=COMPARED,
        ),
        first_number_or_word=Claim(
            "Even a word in place of the first number seldom changes the answer, if nothing is in front.",
            "Put a word in its place in all 36 sums, and count those whose likeliest token stays the same.",
            same_with_word,
            WORD_KEEPS,
            control=("with *So* in front", partial(same_with_word, before="So ")),
            over="words",
            cases=FIRST,
            unseen=UNSEEN_FIRST,
            unseen_bounds=replace(WORD_KEEPS, count=19),
        ),
        cold_takes_from_the_right=Claim(
            "Where another token is the likeliest, a low temperature usually makes the right one even less likely.",
            "Divide the right token's probability at temperature 0.2 by that at 1, for capitals and sums.",
            answers.gained_when_cold,
            Bounds(supports=below(1), count=36, of=39, exceptions=("*Australia*", "*Peru*", "1 + 4 = ")),
            over="questions",
            cases=named(KNOWN),
            unseen=named(UNSEEN_KNOWN),
            unit="times",
        ),
    ),
    *section(
        "The loop",
        first_choices=on_runs(
            "At temperature 1, usually fewer than half of the tokens were the likeliest when they were drawn.",
            "Write 40 tokens after each text with three seeds (unseen: one). Count those that were the likeliest.",
            lambda model, run: 100 * continuation(model, run[0], 1, run[1]).likeliest.mean(),
            Bounds(supports=below(49.9), count=46, within=(14, 71)),
            cases=runs(TWENTY, 1, 2, 3),
        ),
        drawn_repeats=on_runs(
            "At temperature 1, it is rare that a quarter or more of a text is repetition.",
            "Write 40 tokens with ten seeds (unseen: one). Count those in a run of four that the text had before.",
            partial(repetition, temperature=1),
            Bounds(supports=above(25), count=6, highest=(54, 56), control=GREEDY_REPEATS),
            control=("temperature 0", partial(repetition, temperature=0)),
            unseen_bounds=Bounds(supports=above(25), count=1, control=Bounds(supports=above(25), count=25)),
            cases=runs(TWENTY, *range(1, 11)),
        ),
        greedy_repeats=on_texts(
            "In greedy text, it is common that a quarter or more is repetition.",
            "The same at temperature 0.",
            lambda model, text: repetition(model, (text, 1), temperature=0),
            Bounds(supports=above(25), count=8, highest=(77, 78.5)),
            unseen_bounds=Bounds(supports=above(25), count=25),
        ),
        most_left=less_repetition("0.3", "most or all", (22, 26), (40, 48)),
        half_left=less_repetition("0.5", "about half", (12, 16), (24, 29)),
        copies_add=on_texts(
            "A repetition usually feeds itself: after its earlier copies, its tokens are likelier.",
            "Write 80 tokens greedily. Read the last repetition where it is, and directly after the first text.",
            copies_gain,
            Bounds(
                supports=above(10),
                count=15,
                of=17,
                at={SAME: below(0)},
                above_control=15,
                control=Bounds(of=17, median=below(5)),
            ),
            control=("another text in place of the earlier copies", partial(copies_gain, replaced=True)),
            cases=before_others(TWENTY),
            unseen=before_others(UNSEEN_TEXTS),
            unseen_bounds=Bounds(
                supports=above(10), count=30, of=31, above_control=28, control=Bounds(of=31, median=below(5))
            ),
            unit="percentage points",
        ),
    ),
    *section(
        "A chat",
        answers_end=on_questions(
            "In the chat template, most answers to short questions end by themselves.",
            "Count the tokens of the answer, up to 300, where the program stops it.",
            lambda model, question: len(whole_answer(model, question).tokens),
            Bounds(supports=(1, 299), count=14),
            unseen_bounds=Bounds(supports=(1, 299), count=17),
            unit="tokens",
        ),
        no_end_on_the_way=on_questions(
            "Within an answer, the end token usually has almost no probability.",
            "Take the median of its probability at each token but the last.",
            lambda model, question: 100 * float(np.median(whole_answer(model, question).end_probs[:-1])),
            Bounds(within=below(0.001), control=Bounds(within=above(10), of=14)),
            control=("where it comes", end_at_the_end),
            unseen_bounds=Bounds(within=below(0.001), control=Bounds(within=above(10), of=17)),
        ),
        user_after_the_end=on_questions(
            "If the program goes on after an answer, the first message with words is a user's, not the assistant's.",
            "If the answer ends within 100 tokens, write twelve more. Do they open a message of the user?",
            partial(goes_on_as, role="user"),
            Bounds(supports=YES, of=12, control=Bounds(supports=YES, count=0, of=12)),
            control=("a message of the assistant", partial(goes_on_as, role="assistant")),
            unseen_bounds=Bounds(supports=YES, of=12, control=Bounds(supports=YES, count=0, of=12)),
        ),
        empty_system_message=on_questions(
            "Usually an empty system message comes first, as if a new conversation began.",
            "Is one among these twelve tokens?",
            partial(empty_system, template=True),
            Bounds(supports=YES, count=10, of=12, control=Bounds(supports=YES, count=0, of=8)),
            control=("after the bare questions that it ends", partial(empty_system, template=False)),
            unseen_bounds=Bounds(supports=YES, count=11, of=12, control=Bounds(supports=YES, count=0, of=10)),
        ),
        ends_the_question=on_questions(
            "After a bare question, the model often ends that message itself, and opens one of the assistant.",
            "Are the next tokens the end token, and the beginning of such a message?",
            partial(ends_and_opens, role="assistant"),
            Bounds(supports=YES, count=8, control=Bounds(supports=YES, count=0)),
            control=("a message of the user", partial(ends_and_opens, role="user")),
            unseen_bounds=Bounds(supports=YES, count=10, control=Bounds(supports=YES, count=0)),
        ),
    ),
)
