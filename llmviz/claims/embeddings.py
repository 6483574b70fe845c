"""What notebook 02 says: of the rows of the embedding table, and of one word in two senses."""

from collections.abc import Container, Mapping
from functools import partial

import numpy as np

from llmviz.claims.cases import (
    COMMON_NOUNS,
    EQUAL_BEGINNINGS,
    FAMILIES,
    MORE_FAMILIES,
    MORE_SENSES,
    ONE_SENSE,
    PAIRS,
    RELATED,
    SENSES,
    UNSEEN_EQUAL_BEGINNINGS,
    UNSEEN_FAMILIES,
    UNSEEN_ONE_SENSE,
    UNSEEN_PAIRS,
    UNSEEN_SENSES,
)
from llmviz.claims.claim import YES, Bounds, Claim, above, below, remembered, section
from llmviz.embeddings import AnalogyScore, cosine_to_all
from llmviz.experiments import table
from llmviz.experiments.lens import cosines_by_layer
from llmviz.experiments.probabilities import total_variation
from llmviz.experiments.words import pairs_of
from llmviz.model import Model
from llmviz.ops import softmax

SAME_SENSE, OTHER_SENSE, OTHER_WORD, UNRELATED = range(4)  # curves


@remembered
def curves(model: Model, sentences: tuple[str, ...]) -> np.ndarray:
    return cosines_by_layer([model.trace(text) for text in sentences])


def predictions_overlap(model: Model, texts: tuple[str, str]) -> float:
    """Return how much probability the predictions after two texts have in common, in %."""
    return 100 * (1 - total_variation(*(softmax(model.trace(text).logits) for text in texts)))


@remembered
def score(model: Model, listed: str, centred: bool) -> AnalogyScore:
    return table.analogy_score(model, pairs_of(listed, model.tokenizer), centred=centred)


def farther(model: Model, pair: str) -> float:
    """Return how many of all other tokens are farther from a pair's first word than its second word is, in %."""
    return 100 * (1 - table.rank(model, pair) / (model.config.n_vocab - 1))


def random_lower(model: Model, pair: str) -> float:
    """Return how many random pairs have a lower cosine than a pair, in %."""
    own = table.cosine(model, pair)
    return 100 * float((table.random_pairs(model, False) < own).mean())


def nouns_lower(model: Model, word: str, *, centred: bool) -> float:
    """Return how many of all tokens a common noun is nearer to a word than, in %: the median of about 100 nouns."""
    W_E = table.rows(model, centred)
    (token,) = model.tokenizer.encode(f" {word}")
    cosines = cosine_to_all(W_E[token], W_E)
    nouns = [ids[0] for noun in COMMON_NOUNS if len(ids := model.tokenizer.encode(f" {noun}")) == 1]
    return 100 * float(np.median((cosines < cosines[nouns][:, None]).mean(axis=1)))


def other_word_apart(model: Model, texts: tuple[str, ...]) -> float:
    """Return how much less similar the last text's word is after two beginnings than another word after its own."""
    beginning, (_, word) = texts[0].rpartition(" ")[0], texts[3].rsplit(" ", 1)
    both, same = curves(model, (f"{beginning} {word}", texts[3], texts[2], texts[3]))[[0, 2], -1]
    return both - same


def near_from_one_end(model: Model, pair: str) -> bool:
    first, second = pair.split()
    shares = farther(model, pair), farther(model, f"{second} {first}")
    return max(shares) > 99 and min(shares) < 90


def gain(model: Model, listed: str, *, over: str, of: str = "right", centred: bool = False) -> float:
    """Return for how many more questions one way of asking is right than another, in percentage points."""
    counts = score(model, listed, centred)
    return 100 * (getattr(counts, of) - getattr(counts, over)) / counts.asked


def share(model: Model, listed: str, *, of: str) -> float:
    counts = score(model, listed, False)
    return 100 * getattr(counts, of) / counts.asked


def one_by_one(listed: str) -> dict[str, str]:
    return {pair: pair for pair in listed.split(", ")}


def first_words(listed: str, but: Container[str] = ()) -> dict[str, str]:
    return {word: word for word in (pair.split()[0] for pair in listed.split(", ")) if word not in but}


def two_by_two(senses: Mapping[str, tuple], of_one_sense: Mapping[str, tuple]) -> dict[str, tuple]:
    """Return each word's sentences, and after them those of a word with only one sense."""
    return {f"{a}, {b}": senses[a] + of_one_sense[b] for a, b in zip(senses, of_one_sense)}


of_pairs = partial(Claim, over="pairs")
related = partial(of_pairs, cases=one_by_one(RELATED), unseen=one_by_one(UNSEEN_PAIRS["related"]))
of_families = partial(
    Claim,
    over="families",
    cases=FAMILIES | MORE_FAMILIES,
    unseen=UNSEEN_FAMILIES,
    unit="percentage points",
)
of_words = partial(Claim, over="words", unit="(difference of cosines)")
of_sets = partial(of_words, over="sets of sentences", cases=SENSES | MORE_SENSES, unseen=UNSEEN_SENSES)


def ranked(kind: str, statement: str, method: str, *, count: int, unseen: int) -> Claim:
    """Return what is claimed of the ranks of one kind of pairs. count, unseen: how many pairs rank below 10."""
    return of_pairs(
        statement,
        method,
        table.rank,
        Bounds(supports=below(10), count=count),
        unseen_bounds=Bounds(supports=below(10), count=unseen),
        cases=one_by_one(PAIRS[kind]),
        unseen=one_by_one(UNSEEN_PAIRS[kind]),
        unit="(rank)",
    )


CLAIMS = (
    *section(
        "Near, compared with what?",
        related_are_near=related(
            "Most related words look nearer compared with all tokens than compared with random pairs.",
            "Start from word 1. What percentage of the other tokens does word 2 beat? Subtract the percentage of "
            "random pairs that this cosine beats. Reworded since.",
            lambda model, pair: farther(model, pair) - random_lower(model, pair),
            Bounds(supports=above(0.001), count=(48, 50)),
            unseen_bounds=Bounds(supports=above(0.001), count=(65, 83)),
            unit="percentage points",
        ),
        near_from_one_end=related(
            "Some pairs look near from only one of the two words.",
            "From one word, the other beats 99% of all tokens. The other way round, it doesn't beat even 90%.",
            near_from_one_end,
            Bounds(supports=YES, count=14),
        ),
        common_nouns=of_words(
            "After subtracting the average row, most words have even unrelated common nouns near them.",
            "Start from a word. What percentage of all tokens does a common noun beat (median of 105)?",
            partial(nouns_lower, centred=True),
            Bounds(supports=above(80), count=(35, 50), control=Bounds(supports=above(80), count=(0, 15))),
            unseen_bounds=Bounds(
                supports=above(80), count=(56, 81), control=Bounds(supports=above(80), count=(0, 25))
            ),
            control=("without subtracting it", partial(nouns_lower, centred=False)),
            cases=first_words(RELATED),
            unseen=first_words(UNSEEN_PAIRS["related"], but=first_words(RELATED)),
            unit="%",
        ),
    ),
    *section(
        "The neighbours of a word",
        opposites=ranked(
            "opposites",
            "For many words, the opposite is among the ten nearest tokens.",
            "Rank it among all tokens by its cosine with the word. Reworded since.",
            count=37,
            unseen=22,
        ),
        synonyms=ranked(
            "synonyms",
            "A synonym is among the ten nearest somewhat more often.",
            "Rank it among all tokens by its cosine with the word. Reworded since.",
            count=43,
            unseen=41,
        ),
        price_of_the_correction=of_words(
            "Subtracting the average row brings very common tokens among the neighbours of most words.",
            "Of a word's twelve nearest tokens, count those that are among the first thousand learned.",
            partial(table.early_neighbours, centred=True),
            Bounds(supports=above(1), count=47, control=Bounds(supports=above(1), count=2)),
            unseen_bounds=Bounds(supports=above(1), count=51, control=Bounds(supports=above(1), count=9)),
            control=("without subtracting it", partial(table.early_neighbours, centred=False)),
            cases=first_words(PAIRS["synonyms"]),
            unseen=first_words(UNSEEN_PAIRS["synonyms"], but=first_words(PAIRS["synonyms"])),
            unit="tokens",
        ),
    ),
    *section(
        "Calculating with words",
        subtraction_helps=of_families(
            "*a − b + c* is nearly always right more often than *a + c*.",
            "From the share of questions that it gets right, subtract the share that *a + c* gets right.",
            partial(gain, over="added"),
            Bounds(supports=above(0.1), count=19, exceptions=("opposites",)),
        ),
        right_word_helps=of_families(
            "*a − b + c* is nearly always right more often than with another pair's word subtracted.",
            "The same with *a − wrong b + c* instead of *a + c*, averaged over all wrong words of the family. "
            "Reworded since.",
            partial(gain, over="wrong"),
            Bounds(supports=above(0.1)),
            unseen_bounds=Bounds(supports=above(0.1), count=19, exceptions=("past participles",)),
        ),
        wrong_word=of_families(
            "Even a wrong word of the same kind helps in about half of the families.",
            "From the share that *a − wrong b + c* gets right, subtract the share that *a + c* gets right. "
            "Reworded since.",
            partial(gain, of="wrong", over="added"),
            Bounds(supports=above(0.1), count=9),
            unseen_bounds=Bounds(supports=above(0.1), count=13),
        ),
        random_word=of_families(
            "A random word helps, by at most seven percentage points, in fewer than half.",
            "The same with *a − random word + c*, averaged over twelve common words. Reworded since.",
            partial(gain, of="random", over="added"),
            Bounds(supports=above(0.1), count=7, highest=below(7)),
            unseen_bounds=Bounds(supports=above(0.1), count=9, highest=below(7)),
        ),
        nothing_left_out=of_families(
            "If the question's own words aren't left out, the sum is seldom right.",
            "The share of questions whose answer is nearest to *a − b + c*, with no word left out.",
            partial(share, of="untouched"),
            Bounds(supports=below(30), count=19, exceptions=("comparatives",)),
            unseen_bounds=Bounds(supports=below(30), count=18, exceptions=("superlatives", "nationalities")),
            control=("left out", partial(share, of="right")),
            unit="%",
        ),
        average_and_subtraction=of_families(
            "If you first subtract the average row, the gain over *a + c* increases in about half of the families.",
            "From the gain with it, subtract the gain without it. Reworded since.",
            lambda model, listed: (
                gain(model, listed, over="added", centred=True) - gain(model, listed, over="added")
            ),
            Bounds(supports=above(0.1), count=12),
            unseen_bounds=Bounds(supports=above(0.1), count=10),
        ),
    ),
    *section(
        "One word in two senses",
        senses_apart=of_words(
            "After ten layers, two uses of a word are nearly always less similar if their senses differ. Another topic "
            "makes a much smaller difference.",
            "Subtract the cosine of its vectors in two senses from that in one. Reworded since.",
            lambda model, texts: np.subtract(*curves(model, texts[:4])[[SAME_SENSE, OTHER_SENSE], 10]),
            Bounds(supports=above(0), median=above(0.1), control=Bounds(median=below(0.04))),
            unseen_bounds=Bounds(
                supports=above(0), count=23, median=above(0.1), control=Bounds(median=below(0.04))
            ),
            control=("one sense, two topics", lambda m, texts: np.subtract(*curves(m, texts[4:])[:2, 10])),
            cases=two_by_two(SENSES, ONE_SENSE),
            unseen=two_by_two(UNSEEN_SENSES, UNSEEN_ONE_SENSE),
        ),
        word_first=of_sets(
            "After ten layers, one word in two senses usually has more similar vectors than two words after the same "
            "beginning.",
            "Subtract the cosine of the two words from that of the two senses.",
            lambda model, texts: np.subtract(*curves(model, texts)[[OTHER_SENSE, OTHER_WORD], 10]),
            Bounds(supports=above(0), count=39),
            unseen_bounds=Bounds(supports=above(0), count=22),
        ),
        sentence_last=of_sets(
            "After the last layer, it's usually the other way round.",
            "The same, after all layers.",
            lambda model, texts: np.subtract(*curves(model, texts)[[OTHER_SENSE, OTHER_WORD], -1]),
            Bounds(supports=below(0), count=42),
            unseen_bounds=Bounds(supports=below(0), count=20),
        ),
        other_word_last=of_sets(
            "This needs no second sense: the other word usually does the same.",
            "Put the other word (*car*) after both beginnings. From its cosine there, subtract that of the two words.",
            other_word_apart,
            Bounds(supports=below(0), count=41),
            unseen_bounds=Bounds(supports=below(0), count=17),
        ),
        similar_next_tokens=of_sets(
            "The predictions of the next token are usually more similar after the two words than after the two senses.",
            "From their overlap after the two words, subtract their overlap after the two senses.",
            lambda model, texts: (
                predictions_overlap(model, texts[2:4]) - predictions_overlap(model, texts[::2])
            ),
            Bounds(supports=above(0.1), count=(40, 46)),
            unseen_bounds=Bounds(supports=above(0.1), count=(18, 24)),
            unit="percentage points",
        ),
        equal_beginnings=of_words(
            "If all words before are the same but one (*river bank, savings bank, savings office*), the two words end "
            "more similar than the two senses about half of the time.",
            "After all layers, subtract the cosine of the two words from that of the two senses. Reworded since.",
            lambda model, texts: np.subtract(*curves(model, texts)[[OTHER_SENSE, OTHER_WORD], -1]),
            Bounds(supports=below(0), count=(8, 14), median=(-0.06, 0.06)),
            unseen_bounds=Bounds(supports=below(0), count=(9, 16), median=(-0.06, 0.06)),
            cases=EQUAL_BEGINNINGS,
            unseen=UNSEEN_EQUAL_BEGINNINGS,
        ),
    ),
)
