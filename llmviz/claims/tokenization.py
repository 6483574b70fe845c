"""What notebook 01 says: where a text is cut, what that costs, and what the model can say of letters."""

from functools import partial
from itertools import product

from llmviz.claims.cases import ARTICLES, CHAT, LATIN, LETTER_EXAMPLES, LETTER_WORDS, PARALLEL, TEXTS
from llmviz.claims.claim import YES, Bounds, Claim, above, below, remembered, section
from llmviz.experiments import letters, words
from llmviz.model import Model


@remembered
def tallied(model: Model, kind: int, example: str | None, seed: int | None = None) -> letters.Tally:
    """Ask about the twenty words but the example; or, with a seed, about 40 words of the vocabulary."""
    drawn = LETTER_WORDS if seed is None else letters.random_words(model, 40, seed=seed)
    return letters.tally(letters.ask(model, w, kind, example=example) for w in drawn if w != example)


def count(model: Model, case: tuple, *, of: str) -> float:
    return getattr(tallied(model, *case), of)


SPELLED = dict.fromkeys(w.lower() for text in LATIN.values() for w in words.plain_words(text) if w.isalpha())
OTHER = {f"{name}, {i + 1}": text for name in ("Hindi", "Chinese") for i, text in enumerate(ARTICLES[name])}
OTHER |= {"a strawberry": "🍓", "thumbs up": "👍👍"}
FIRST, LAST = 3, 4  # kinds of questions about a word
EXAMPLES = {word: word for word in (*LETTER_EXAMPLES, *LETTER_WORDS)} | {"no example": None}
KINDS = "in a word, after ", "spelled out, after ", "in a list, after "
TRIES = {way + name: (i, word) for (i, way), (name, word) in product(enumerate(KINDS), EXAMPLES.items())}
POTATO = {f"{way}potato": (least, 20) for way, least in zip(KINDS, (18, 20, 18))}
KNOWN = {"potato": (16, 16), "coffee": (9, 9), "rabbit": (16, 16), "no example": (2, 2)}
DRAWS = {f"{kind} {i}": (k, "potato", i) for kind, k in (("first", FIRST), ("last", LAST)) for i in range(3)}
FOUR, AMHARIC, NONE_MORE = {"potato": (4, 4)}, {"Amharic, 1": above(9.5)}, Bounds(within=below(0))
GPT_4O = Bounds(supports=above(1.01), count=18, exceptions=("Chinese, *",))
UNKNOWN = {f"last {i}": (1, 2) for i in range(3)}
on_texts = partial(Claim, over="texts", cases=TEXTS)
on_vocabulary = partial(Claim, over="vocabularies", cases={"the vocabulary": None})
on_words = partial(Claim, over="words")
in_capitals = partial(on_words, value=words.more_in_capitals, unit="tokens more")
on_examples = partial(Claim, over="examples", unit="words")
on_splits = partial(Claim, over="splits", cases={f"split {seed}": seed for seed in range(7)})
CONSTANT = "always the commonest letter", partial(count, of="n_best")
right_letters = partial(on_examples, value=partial(count, of="right"), control=CONSTANT)

CLAIMS = (
    *section(
        "Where a text is cut",
        space_with_its_word=on_texts(
            "A space belongs to the word after it; before a digit and at the end, it is on its own.",
            "Count the spaces before a letter that are in one token with it.",
            partial(words.spaces_joined, before=r"[^\W\d_]"),
            Bounds(within=(100, 100), of=14, control=Bounds(within=(0, 0))),
            control=("before a digit and at the end", partial(words.spaces_joined, before=r"\d|\Z")),
        ),
        space_in_other_scripts=on_texts(
            "In other scripts, a space may be on its own, as in Russian here.",
            "Count the spaces of two sentences without digits that are a token.",
            lambda model, pair: model.tokenizer.encode("\n".join(pair)).count(model.tokenizer.ranks[b" "]),
            Bounds(supports=above(1), count=1, at={"Russian": above(1)}),
            over="languages",
            cases=ARTICLES,
            unit="spaces",
        ),
        most_words_are_one_token=on_texts(
            "More than half of a text's words are one token.",
            "Count its different words that are one token, with a space before them or without.",
            words.in_one_token,
            Bounds(within=above(50)),
        ),
        shuffled_words=on_texts(
            "That isn't only because they are short: with their letters shuffled, the same words cost more.",
            "Shuffle the letters of words of four letters and more, twenty times: the mean.",
            words.shuffled_cost,
            Bounds(lowest=(1.35, 1.45), highest=(3.85, 3.95), at={"French": (1.35, 1.45)}),
            cases=LATIN,
            unit="times the tokens",
        ),
        no_token_crosses=on_vocabulary(
            "No token reaches from one word into the next, so no text has fewer tokens than words.",
            "Count the tokens that have no white space between two other characters.",
            lambda model, _: words.within_a_word(model),
            Bounds(within=(49_152, 49_152)),
            unit="tokens",
        ),
        tokens_per_character=on_texts(
            "No text in English, French or code has more tokens than characters; other scripts and emoji may.",
            "Divide tokens by characters.",
            lambda model, text: len(model.tokenizer.encode(text)) / len(text),
            Bounds(supports=below(1), count=15, of=21, exceptions=tuple(OTHER)),
            cases=TEXTS | OTHER,
            unit="tokens per character",
        ),
        capitals=in_capitals(
            "In capitals, most words of four letters and more cost more tokens.",
            "Compare each word of twelve English and French texts in capitals and in small letters.",
            bounds=Bounds(supports=above(1), count=148, of=163),
            cases={word: word for word in SPELLED if len(word) > 3},
        ),
        capitals_of_short_words=in_capitals(
            "Most shorter words don't.",
            "The same, for words of one to three letters.",
            bounds=Bounds(supports=above(1), count=19, of=56),
            cases={word: word for word in SPELLED if len(word) <= 3},
        ),
        learned_tokens_come_last=on_vocabulary(
            "After the special tokens and the single bytes, every id is of a learned token.",
            "Compare the ids.",
            lambda model, _: words.learned_come_last(model),
            Bounds(supports=YES),
        ),
    ),
    *section(
        "Other languages",
        languages=on_texts(
            "The same sentence costs more in ten other languages than in English. With GPT-4o's vocabulary it costs "
            "less, and only one sentence in Chinese as little as in English.",
            "Divide its tokens by those of the English sentence.",
            words.surcharge,
            Bounds(
                supports=above(1.01),
                lowest=(1.55, 1.65),
                highest=below(10.5),
                at=AMHARIC,
                above_control=19,
                control=GPT_4O,
            ),
            control=("in the vocabulary o200k_base", partial(words.surcharge, vocabulary="o200k_base")),
            over="sentences",
            cases=PARALLEL,
            unit="times the tokens",
        ),
    ),
    *section(
        "Not see, or not count?",
        same_number=on_examples(
            "Whatever it counts, it says the same number for most words, and isn't right more often than a constant.",
            "Ask about twenty words, or all but the example: a letter, a letter spelled out, words in a list.",
            partial(count, of="n_commonest"),
            Bounds(supports=above(16), count=61, within=above(10), at=POTATO, control=NONE_MORE),
            control=("more right than a constant", lambda m, c: tallied(m, *c).right - tallied(m, *c).n_best),
            over="tries",
            cases=TRIES,
        ),
        first_letters=right_letters(
            "After an example it knows the first letter of nine words or more; without one, of two.",
            "Ask about twenty words, or all but the example.",
            bounds=Bounds(supports=(9, 17), count=23, at=KNOWN, control=Bounds(within=below(4), at=FOUR)),
            cases={name: (FIRST, word) for name, word in EXAMPLES.items()},
        ),
        last_letters=right_letters(
            "It hardly ever knows the last letter.",
            "The same question about the last letter.",
            bounds=Bounds(within=below(6), at=FOUR, control=Bounds(at={"potato": (5, 5)})),
            cases={name: (LAST, EXAMPLES[name]) for name in (*LETTER_EXAMPLES, "no example")},
        ),
        other_words=right_letters(
            "Of most other words, too, it knows the first letter, and of hardly any the last.",
            "Ask about 40 random words of the vocabulary, after *potato*.",
            bounds=Bounds(supports=(31, 33), count=3, at=UNKNOWN, control=Bounds(within=(7, 11))),
            over="draws",
            cases=DRAWS,
        ),
        in_a_chat=on_words(
            "In a chat, the number that it gives isn't always the same: half of the answers are 11.",
            "Ask how many letters a word has, and take the likeliest tokens.",
            letters.length_in_a_chat,
            Bounds(supports=(11, 11), count=5),
            cases=CHAT,
            unit="letters",
        ),
    ),
    *section(
        "What a row of the embedding table holds",
        first_letter_of_a_row=on_splits(
            "A row holds the first letter of its word.",
            "A linear probe learns it from four fifths of the words, and reads it off the others.",
            lambda model, seed: 100 * letters.letter_probe(model, 0, seed)[0],
            Bounds(within=(55.5, 74.5), control=Bounds(within=below(12.5))),
            control=("always the commonest letter", lambda m, i: 100 * letters.letter_probe(m, 0, i)[1]),
        ),
        second_letter_of_a_row=on_splits(
            "Of the second letters, the probe reads at most about a fifth right.",
            "The same, for the second letter.",
            lambda model, seed: 100 * letters.letter_probe(model, 1, seed)[0],
            Bounds(within=(6.5, 20.5), control=Bounds(within=(0.5, 22.5))),
            control=("always the commonest letter", lambda m, i: 100 * letters.letter_probe(m, 1, i)[1]),
        ),
    ),
)
