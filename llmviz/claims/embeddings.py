"""What notebook 02 says: of the rows of the embedding table, and of one word in two senses."""

from functools import partial

import numpy as np

from llmviz.claims.cases import FAMILIES, MORE_SENSES, ONE_SENSE, PAIRS, RELATED, SENSES
from llmviz.claims.claim import Bounds, Claim, Range, above, below, remembered, section
from llmviz.experiments import table
from llmviz.experiments.lens import cosines_by_layer
from llmviz.experiments.words import pairs_of
from llmviz.model import Model


@remembered
def nearness(model: Model, listed: str) -> np.ndarray:
    return table.pairings(model.weights.W_E, pairs_of(listed, model.tokenizer))


@remembered
def curves(model: Model, sentences: tuple[str, ...]) -> np.ndarray:
    return cosines_by_layer([model.trace(text) for text in sentences])


def about(*numbers: float) -> dict[str, Range]:
    """Return what rounds to these percentages, by the families of words."""
    return {name: (number - 0.5, number + 0.5) for name, number in zip(FAMILIES, numbers)}


LISTS = {"related": RELATED, "synonyms": PAIRS["synonyms"], "opposites": PAIRS["opposites"]}
LISTS["capitals"] = FAMILIES["capitals"]
WAYS = "by cosine", "from word 1", "from word 2"
PAIRS_BY = {f"{name}, {way}": (listed, i) for name, listed in LISTS.items() for i, way in enumerate(WAYS)}
FOUND = dict(zip(PAIRS_BY, (27, 42, 37, 51, 54, 50, 53, 53, 47, 14, 10, 14)))
WON = about(54, 6, 31, 42, 21, 25)
FREQUENT, RARE = "ids 1,000 to 5,000", "ids above 15,000"
SAME_SENSE, OTHER_SENSE, OTHER_WORD, UNRELATED = range(4)  # curves
on_pairs = partial(Claim, over="pairs")
on_lists = partial(Claim, over="lists", cases=LISTS, unit="pairs")
by_rank = partial(on_pairs, value=table.rank, unit="(rank)")
on_words = partial(Claim, over="words", cases=SENSES, unit="(cosine)")
on_sets = partial(on_words, over="sets of sentences", cases=SENSES | MORE_SENSES)

CLAIMS = (
    *section(
        "Near, compared with what?",
        pairs_found=on_lists(
            "Of three ways to find pairs of words by how near they are, none finds the most in every list.",
            "Count the pairs that are nearer than 95% of their wrong pairings.",
            lambda model, case: table.n_distinguished(nearness(model, case[0])[case[1]]),
            Bounds(at={name: (n, n) for name, n in FOUND.items()}),
            over="lists and ways",
            cases=PAIRS_BY,
        ),
        near_from_one_end=on_lists(
            "A pair can be near from one end and not from the other: 14 of the 50 related pairs, none of the capitals.",
            "Count pairs nearer than 99% of all tokens from one end, and not even than 90% from the other.",
            lambda model, listed: table.near_from_one_end(nearness(model, listed)),
            Bounds(at={"related": (14, 14), "synonyms": (8, 8), "opposites": (8, 8), "capitals": (0, 0)}),
        ),
        king_and_banana=on_pairs(
            "The cosine of “king” and “banana” is 0.22, and few random pairs have a lower one.",
            "Compare it with the lowest tenth of random pairs.",
            lambda model, pair: nearness(model, pair)[0, 0, 0],
            Bounds(within=(0.215, 0.225), below_control=1),
            control=("a tenth are below", lambda m, _: np.percentile(table.random_pairs(m, False), 10)),
            cases={"king banana": "king banana"},
            unit="(cosine)",
        ),
    ),
    *section(
        "The average row",
        later_tokens_lean=Claim(
            "Tokens that were learned later point more along the average row, but it's only a tendency.",
            "Compare the order of the ids with that of the cosines.",
            lambda model, _: table.order_correlation(model),
            Bounds(within=(0.565, 0.575)),
            over="tables",
            cases={"the table": None},
            unit="(rank correlation)",
        ),
        price_of_the_correction=on_words(
            "Without the average, common tokens are among the neighbours of frequent words.",
            "Of 100 words, count those with one of the first thousand tokens among their twelve nearest.",
            partial(table.have_early_neighbours, centred=True),
            Bounds(at={FREQUENT: (74, 74), RARE: below(5)}, control=Bounds(at={FREQUENT: (11, 11)})),
            control=("with the average", partial(table.have_early_neighbours, centred=False)),
            over="kinds of words",
            cases={FREQUENT: (1_000, 5_000), RARE: (15_000, 49_152)},
            unit="words",
        ),
    ),
    *section(
        "Neighbours and sums",
        opposites=by_rank(
            "For most words, the opposite is among the ten nearest tokens.",
            "Rank it among all tokens by its cosine with the word.",
            bounds=Bounds(supports=below(10), count=37),
            cases={pair: pair for pair in PAIRS["opposites"].split(", ")},
        ),
        synonyms=by_rank(
            "So is a synonym, and opposites are about as near.",
            "The same.",
            bounds=Bounds(supports=below(10), count=43),
            cases={pair: pair for pair in PAIRS["synonyms"].split(", ")},
        ),
        subtraction=on_pairs(
            "Without the average, the subtraction wins more questions in all families but the capitals.",
            "Take the average away: for how many more is *a − b + c* right than *a + c* and *c*?",
            partial(table.won_by_subtracting, centred=True),
            Bounds(at=WON, above_control=5, control=Bounds(at=about(13, -1, 50, 4, 12, 7))),
            control=("with the average", partial(table.won_by_subtracting, centred=False)),
            over="families",
            cases=FAMILIES,
            unit="percentage points",
        ),
        walk=on_pairs(
            "On a straight line from word to word, hardly any other word is ever the nearest.",
            "Take 41 steps, and count the other words that are nearest.",
            lambda model, pair: len(table.nearest_on_the_walk(model, *model.tokens_of(f" {pair}"))),
            Bounds(supports=(0, 0), count=13, exceptions=("two nine",)),
            cases={pair: pair for pair in PAIRS["walks"].split(", ")},
            unit="words",
        ),
    ),
    *section(
        "One word in two senses",
        senses_apart=on_words(
            "After ten layers, a word is less similar in two senses than in one; another topic alone changes far less.",
            "Subtract their cosine in two senses from that in one.",
            lambda model, texts: np.subtract(*curves(model, texts[:4])[[SAME_SENSE, OTHER_SENSE], 10]),
            Bounds(supports=above(0), mean=(0.145, 0.155), control=Bounds(mean=(0.025, 0.035))),
            control=("one sense, on two topics", lambda m, texts: np.subtract(*curves(m, texts[4:])[:2, 10])),
            cases={f"{a}, {b}": SENSES[a] + ONE_SENSE[b] for a, b in zip(SENSES, ONE_SENSE)},
        ),
        word_first=on_sets(
            "After ten layers, one word in two senses is mostly more similar than two words in one sentence.",
            "Subtract the cosine of the two words from that of the two senses.",
            lambda model, texts: np.subtract(*curves(model, texts)[[OTHER_SENSE, OTHER_WORD], 10]),
            Bounds(supports=above(0), count=34, at=dict.fromkeys(SENSES, above(0)) | {"watch": below(0)}),
        ),
        sentence_last=on_sets(
            "After all layers it's mostly the other way round: two words in one sentence are more similar.",
            "Subtract the cosine of the two senses from that of the two words.",
            lambda model, texts: np.subtract(*curves(model, texts)[[OTHER_WORD, OTHER_SENSE], -1]),
            Bounds(supports=above(0), count=36, at=dict.fromkeys(SENSES, above(0))),
        ),
        cosines_after_ten=on_words(
            "After ten layers, one word in two senses is also more similar than two words in two sentences.",
            "Compare the cosines.",
            lambda model, texts: curves(model, texts)[OTHER_SENSE, 10],
            Bounds(mean=(0.775, 0.785), control=Bounds(mean=(0.615, 0.625))),
            control=("another word in another sentence", lambda m, texts: curves(m, texts)[UNRELATED, 10]),
        ),
        cosines_after_all=on_words(
            "After all layers, for most words it still is, but only a little.",
            "The same.",
            lambda model, texts: curves(model, texts)[OTHER_SENSE, -1],
            Bounds(mean=(0.665, 0.675), above_control=11, control=Bounds(mean=(0.625, 0.635))),
            control=("another word in another sentence", lambda m, texts: curves(m, texts)[UNRELATED, -1]),
        ),
    ),
)
