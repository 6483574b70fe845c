"""What notebook 01 says: where a text is cut, what that costs, and what the model can say of letters."""

from functools import partial
from itertools import product

import regex

from llmviz.claims import cases
from llmviz.claims.claim import Bounds, Claim, above, below, remembered, section
from llmviz.experiments import letters, words
from llmviz.model import Model

N_WORDS = 20  # that are asked about at a time


@remembered
def tallied(model: Model, kind: int, example: str | None, seed: int | None = None) -> letters.Tally:
    """Ask about the twenty words of the page without the example; or, with a seed, about twenty of the vocabulary."""
    drawn = cases.LETTER_WORDS if seed is None else letters.random_words(model, N_WORDS, seed=seed)
    return letters.tally(letters.ask(model, w, kind, example=example) for w in drawn if w != example)


def count(model: Model, case: tuple, *, of: str) -> float:
    return getattr(tallied(model, *case), of)


def more_than_a_constant(model: Model, case: tuple) -> float:
    """Count how many more answers are right than if the answer were always the one that is right most often."""
    answers = tallied(model, *case)
    return answers.right - answers.n_best


def latin_words(texts: dict[str, str], known: dict[str, str], low: int, high: int) -> dict[str, str]:
    """Return the words of some texts in Latin script that are not known, of so many letters, in small letters."""
    in_texts = (word.lower() for text in texts.values() for word in words.plain_words(text))
    fitting = rf"[\p{{Latin}}]{{{low},{high}}}"
    return {word: word for word in in_texts if word not in known and regex.fullmatch(fitting, word)}


TWENTY = cases.TEXTS | cases.MORE_TEXTS
FIRST, LAST = 3, 4  # kinds of questions about a word
EXAMPLES = {word: word for word in (*cases.LETTER_EXAMPLES, *cases.LETTER_WORDS)} | {"no example": None}
KINDS = "in a word, after ", "spelled out, after ", "in a list, after "
TRIES = {way + name: (i, word) for (i, way), (name, word) in product(enumerate(KINDS), EXAMPLES.items())}
UNSEEN_TRIES = {
    f"{way}potato, draw {n}": (i, "potato", n) for (i, way), n in product(enumerate(KINDS), range(7))
}
POTATO = {f"{way}potato": (least, 20) for way, least in zip(KINDS, (18, 20, 18))}
KNOWN = {"potato": (16, 16), "coffee": (9, 9), "rabbit": (16, 16), "no example": (2, 2)}
FOUR, AMHARIC, NONE_MORE = {"potato": (4, 4)}, {"Amharic, 1": (8, 8.2)}, Bounds(within=below(0))
HINDI = {"Hindi, 1": (36, 36), "Hindi, 2": (34, 34)}
GPT_4O = Bounds(supports=above(1.01), count=20, exceptions=("Chinese, 2",))
ALL, DIGITS = (100, 100), Bounds(within=(0, 0), of=3)
SPLIT_OFF = tuple(
    f"{name}, 2" for name in ("Dutch", "Hungarian", "Romanian", "Ukrainian", "Bulgarian", "Thai")
)
BYTES = "Chinese", "Japanese", "Hindi"  # scripts
FOREIGN = "German", "Italian", "Portuguese", "Latin", "Russian", *BYTES
CONSTANT = "always the letter that is right most often", partial(count, of="n_best")
on_texts = partial(Claim, over="texts", cases=TWENTY, unseen=cases.UNSEEN_TEXTS)
in_capitals = partial(Claim, over="words", value=words.more_in_capitals, unit="more")
right_letters = partial(Claim, over="tries", value=partial(count, of="right"), control=CONSTANT, unit="words")
SPLITS, UNSEEN_SPLITS = ({f"split {seed}": seed for seed in range(i, i + 20)} for i in (0, 20))
on_splits = partial(Claim, over="splits", cases=SPLITS, unseen=UNSEEN_SPLITS)


def drawn(kind: int) -> dict[str, tuple[int, str, int]]:
    """Return tries with other words, each draw after one of the examples."""
    n = len(cases.LETTER_EXAMPLES)
    return {f"draw {seed}": (kind, cases.LETTER_EXAMPLES[seed % n], seed) for seed in range(20)}


CLAIMS = (
    *section(
        "Where a text is cut",
        space_with_its_word=on_texts(
            "A single space before a word nearly always belongs to the word's first token. The exceptions are words "
            "with rare beginnings, none of them English. A space before a digit is on its own.",
            "Count the single spaces before a letter that are in one token with it.",
            partial(words.spaces_joined, before=words.A_WORD),
            Bounds(supports=ALL, count=37, of=39, exceptions=("Russian, *",), control=DIGITS),
            cases=TWENTY | cases.SENTENCES,
            unseen=cases.UNSEEN_TEXTS
            | {f"{name}, 2": text for name, (text, _) in cases.UNSEEN_PARALLEL.items()},
            unseen_bounds=Bounds(supports=ALL, count=40, of=46, exceptions=SPLIT_OFF),
            control=("before a digit", partial(words.spaces_joined, before=r"(?<!\s) (?=\p{N})")),
        ),
        several_spaces=on_texts(
            "Of several spaces in a row, only the last belongs to the word, punctuation mark or symbol that follows.",
            "Count the last spaces that are in one token with it.",
            partial(words.spaces_joined, before=r"(?<=\s) (?=[^\s\p{N}])"),
            Bounds(supports=ALL, of=11, control=Bounds(within=(0, 0), of=11)),
            cases=TWENTY | cases.LONG,
            unseen=cases.UNSEEN_SPACES,
            control=("the space before the last", partial(words.spaces_joined, before=r" (?= [^\s\p{N}])")),
        ),
        most_words_are_one_token=on_texts(
            "In most texts, most words are single tokens. Nearly all exceptions are in languages other than English.",
            "Count a text's different words that are one token, with a space before them or without.",
            words.in_one_token,
            Bounds(supports=above(50), count=18, of=19, exceptions=("Arabic",)),
            unseen_bounds=Bounds(
                supports=above(50), count=22, of=31, exceptions=(*FOREIGN, "a packing list")
            ),
        ),
        shuffled_words=on_texts(
            "With their letters shuffled, the same words cost more tokens, so words aren't cheap only because they're "
            "short. The exceptions are in scripts that are cut into bytes.",
            "Shuffle the letters of words of four letters or more, twenty times: the mean.",
            words.shuffled_cost,
            Bounds(supports=above(1.1), count=17, of=18, exceptions=("Arabic",)),
            unseen_bounds=Bounds(supports=above(1.1), count=27, of=30, exceptions=BYTES),
            unit="times the tokens",
        ),
        no_token_crosses=Claim(
            "In scripts with spaces between words, no token reaches from one word into the next, so no text has "
            "fewer tokens than words.",
            "Count the tokens that hold at most one run of letters.",
            lambda model, _: 100 * words.within_a_word(model) / model.config.n_vocab,
            Bounds(within=ALL),
            over="vocabularies",
            cases={"the vocabulary": None},
            unit="% of the vocabulary's tokens",
        ),
        tokens_per_character=on_texts(
            "Most texts have fewer tokens than characters. The exceptions here are all digits or in a script that is "
            "cut into bytes.",
            "Divide tokens by characters.",
            lambda model, text: len(model.tokenizer.encode(text)) / len(text),
            Bounds(supports=below(0.999), count=18, exceptions=("numbers", "Arabic")),
            unseen_bounds=Bounds(supports=below(0.999), count=29, exceptions=BYTES),
            unit="tokens per character",
        ),
        capitals=in_capitals(
            "In capitals, most words of four letters or more cost more tokens.",
            "Compare each word of the texts in Latin script in capitals and in small letters.",
            bounds=Bounds(supports=above(1), count=154),
            unseen_bounds=Bounds(supports=above(1), count=241),
            cases=(long := latin_words(cases.TEXTS, {}, 4, 99)),
            unseen=latin_words(cases.UNSEEN_TEXTS, long, 4, 99),
        ),
        capitals_of_short_words=in_capitals(
            "In capitals, most words of one to three letters cost no more.",
            "Compare the words of one to three letters in the same way.",
            bounds=Bounds(supports=below(0), count=39),
            unseen_bounds=Bounds(supports=below(0), count=45),
            cases=(short := latin_words(cases.TEXTS, {}, 1, 3)),
            unseen=latin_words(cases.UNSEEN_TEXTS, short, 1, 3),
        ),
    ),
    *section(
        "Other languages",
        languages=Claim(
            "The same sentence costs more tokens in other languages than in English. GPT-4o's vocabulary and word "
            "rule narrow the gap.",
            "Divide its tokens by those of the English sentence.",
            words.surcharge,
            Bounds(supports=above(1.01), at=AMHARIC, above_control=21, control=GPT_4O),
            control=("in the vocabulary o200k_base", partial(words.surcharge, vocabulary="o200k_base")),
            over="sentences",
            cases=cases.PARALLEL,
            unseen=cases.UNSEEN_PARALLEL,
            unit="times the tokens",
        ),
        word_rule=Claim(
            "With this model's word rule, even GPT-4o's vocabulary needs more tokens for Hindi and Thai, because the "
            "rule splits words at vowel signs. The other languages tested have hardly any such signs, and it "
            "needs at most one more.",
            "Cut the sentence with GPT-4o's vocabulary: how many more tokens with this model's rule than with its own.",
            partial(words.cost_of_word_rule, vocabulary="o200k_base"),
            Bounds(supports=below(1), count=19, exceptions=("Hindi, *",), at=HINDI),
            unseen_bounds=Bounds(supports=below(1), count=19, exceptions=("Thai",), at={"Thai": (17, 17)}),
            over="sentences",
            cases=cases.PARALLEL,
            unseen=cases.UNSEEN_PARALLEL,
            unit="more",
        ),
    ),
    *section(
        "Can the model count letters?",
        same_number=Claim(
            "After one example or none, the model gives the same number for most words in most tries, whatever it "
            "counts. It's never right more often than the best constant answer.",
            "Ask about twenty words: a letter in a word, a letter in a word spelled out, a word in a list. Each time, "
            "a different example, or none, comes first; unseen are other words, drawn at random.",
            partial(count, of="n_commonest"),
            Bounds(supports=above(16), count=61, within=above(10), at=POTATO, control=NONE_MORE),
            control=("advantage over the best constant answer", more_than_a_constant),
            over="tries",
            cases=TRIES,
            unseen=UNSEEN_TRIES,
            unit="words",
        ),
        first_letters=right_letters(
            "After nearly every example, it gets at least 9 of 20 first letters right. Without an example, it gets 2.",
            "Ask about twenty words after different examples, and about other words drawn at random.",
            bounds=Bounds(supports=above(9), count=23, at=KNOWN, control=Bounds(within=below(4), at=FOUR)),
            cases={name: (FIRST, word) for name, word in EXAMPLES.items()},
            unseen=drawn(FIRST),
            unseen_bounds=Bounds(
                supports=above(9), count=19, exceptions=("draw 3",), control=Bounds(within=below(5))
            ),
        ),
        last_letters=right_letters(
            "After one example or none, it gets at most 6 of 20 last letters right, about as many as one constant "
            "answer.",
            "The same question about the last letter.",
            bounds=Bounds(within=below(6), at=FOUR, control=Bounds(at={"potato": (5, 5)})),
            cases={name: (LAST, word) for name, word in EXAMPLES.items()},
            unseen=drawn(LAST),
        ),
    ),
    *section(
        "Does the model know letters that it fails to name?",
        first_letter_of_a_row=on_splits(
            "The model looks up a row of numbers for each token (page 2). From it, a linear probe, the simplest "
            "classifier, usually reads the first letter of more than half of the words.",
            "The probe learns it from the rows of four fifths of the words, and reads it off the others.",
            lambda model, seed: 100 * letters.letter_probe(model, 0, seed)[0],
            Bounds(supports=above(50), control=Bounds(within=below(15))),
            unseen_bounds=Bounds(
                supports=above(50), count=19, exceptions=("split 29",), control=Bounds(within=below(15))
            ),
            control=("always the commonest letter", lambda m, i: 100 * letters.letter_probe(m, 0, i)[1]),
        ),
        second_letter_of_a_row=on_splits(
            "The second letter is much harder to read off: on some splits, the probe is no better than one constant "
            "answer.",
            "The same, for the second letter.",
            lambda model, seed: 100 * letters.letter_probe(model, 1, seed)[0],
            Bounds(within=(5, 25)),
            control=("always the commonest letter", lambda m, i: 100 * letters.letter_probe(m, 1, i)[1]),
        ),
        last_letter_of_a_row=on_splits(
            "The model often fails to name the last letter, but the word's row holds something about it: the probe is "
            "right more often than one constant answer.",
            "The same, for the last letter. Words with the same last three letters are all held out or none, so that "
            "no endings are learned.",
            lambda model, seed: 100 * letters.letter_probe(model, -1, seed)[0],
            Bounds(above_control=20),
            control=("always the commonest letter", lambda m, i: 100 * letters.letter_probe(m, -1, i)[1]),
        ),
    ),
)
