"""What notebook 01 says, over many texts, words and languages."""

import ast
import functools
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import llmviz
from llmviz import experiments, tokenization
from llmviz.claims.cases import ARTICLES
from llmviz.views.differences import sayings
from llmviz.views.tokenization import letters
from llmviz.views.tokenization.token_counts import in_list, plain_words
from tests.claims import Measured
from tests.claims.texts import TEXTS

LATIN = {name: text for name, text in TEXTS.items() if name not in ("numbers", "the same word", "code")}
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WORDS = letters.WORDS
EXAMPLES = (*letters.EXAMPLES, None)  # answered before each question: 2, 1, 3 and 2, or nothing
KINDS = dict(zip(("count", "spelled out", "in a list", "first", "last"), range(5)))


def spaces_stand_in_front(model) -> Measured:
    """Spaces directly in front of a letter that are not in one token with it."""

    def apart(text: str) -> float:
        pieces = model.tokenizer.pieces(model.tokenizer.encode(text))
        return float(sum(a.endswith(" ") and b[:1].isalpha() for a, b in pairwise(pieces)))

    values = {name: apart(text) for name, text in TEXTS.items()}
    return Measured("A space belongs to the word behind it", values, "other spaces", lambda v: v == 0)


def spaces_alone(model) -> Measured:
    """The control: spaces directly in front of a digit that are a token of their own."""

    def alone(text: str) -> float:
        pieces = model.tokenizer.pieces(model.tokenizer.encode(text))
        return float(sum(a == " " and b[:1].isdigit() for a, b in pairwise(pieces)))

    values = {name: alone(text) for name, text in TEXTS.items()}
    return Measured("In front of a digit, a space stands alone", values, "tokens", lambda v: v > 0)


def spaces_alone_in_other_scripts(model) -> Measured:
    """The control: spaces that are a token of their own in the languages of the page, without digits."""
    space = model.tokenizer.ranks[b" "]
    values = {
        name: float(sum(model.tokenizer.encode(text).count(space) for text in sentences))
        for name, sentences in ARTICLES.items()
    }
    return Measured("In some scripts a space may stand alone", values, "spaces", lambda v: v > 0)


def words_in_one_piece(model) -> Measured:
    """Share of a text's different words that are one token."""
    values = {
        name: 100 * float(np.mean([in_list(word, model.tokenizer) for word in set(plain_words(text))]))
        for name, text in TEXTS.items()
    }
    return Measured("Most words are one token", values, "% of the words", lambda v: v > 50)


def shuffled_words_fall_apart(model, seeds=range(20)) -> Measured:
    """The control: tokens of words whose letters are shuffled, the mean of 20 times, over those of the words as they
    are (four letters and more)."""

    def ratio(text: str, seed: int) -> float:
        rng = np.random.default_rng(seed)
        words = [word for word in dict.fromkeys(plain_words(text)) if len(word) > 3]
        mixed = ["".join(rng.permutation(list(word))) for word in words]
        n = [sum(len(model.tokenizer.encode(" " + word)) for word in some) for some in (mixed, words)]
        return n[0] / n[1]

    values = {name: float(np.mean([ratio(text, seed) for seed in seeds])) for name, text in LATIN.items()}
    return Measured("The same letters, shuffled, cost more", values, "times the tokens", lambda v: v > 1.5)


def pieces_over_two_words(model) -> Measured:
    """Pieces of the vocabulary with white space between two words; and texts of any kind are cut at it as well."""
    values = {name: float(words_touched(model, text) > 1) for name, text in TEXTS.items()}
    values["the vocabulary"] = float(
        sum(bool(re.search(rb"\S\s+\S", piece)) for piece in model.tokenizer.ranks)
    )
    return Measured("No token reaches from one word into the next", values, "of them", lambda v: v == 0)


def words_touched(model, text: str) -> int:
    """The most words, between white space, of which one token of a text holds something."""
    pieces = model.tokenizer.pieces(model.tokenizer.encode(text))
    return max(len(piece.split()) for piece in pieces)


def tokens_are_in_between(model) -> Measured:
    """Tokens a word, and characters a token: one or more each."""

    def smaller(text: str) -> float:
        n = len(model.tokenizer.encode(text))
        return min(n / len(text.split()), len(text) / n)

    values = {name: smaller(text) for name, text in TEXTS.items()}
    return Measured(
        "Never fewer tokens than words, or more than characters",
        values,
        "(the smaller ratio)",
        lambda v: v >= 1,
    )


@functools.cache
def in_capitals(model) -> dict[str, float]:
    """By how many tokens each word of the English and French texts grows when it is written in capitals."""
    found = dict.fromkeys(
        word.lower() for text in LATIN.values() for word in plain_words(text) if word.isalpha()
    )
    return {
        word: float(len(model.tokenizer.encode(" " + word.upper())) - len(model.tokenizer.encode(" " + word)))
        for word in found
    }


def capitals_cost_more(model) -> Measured:
    values = {word: more for word, more in in_capitals(model).items() if len(word) > 3}
    return Measured("Capitals cost words of 4 letters and more", values, "tokens more", lambda v: v > 0)


def but_not_short_words(model) -> Measured:
    values = {word: more for word, more in in_capitals(model).items() if len(word) <= 3}
    return Measured("Capitals cost words of 1 to 3 letters", values, "tokens more", lambda v: v > 0)


def languages_pay_more(model) -> Measured:
    """Tokens over those of the English sentence, the lower of the two sentences."""
    values = {
        language: sayings.surcharge(model, ARTICLES[language])[0]
        for language in ARTICLES
        if language != "English"
    }
    return Measured(
        "Every other language pays more than English", values, "times the tokens", lambda v: v > 1
    )


def a_larger_vocabulary_evens_out(model) -> Measured:
    """The same ratio in o200k_base over the ratio here, the higher of the two sentences."""
    other = tokenization.published_tokenizer("o200k_base")

    def relative(language: str) -> float:
        there, here = (surcharge(one, language) for one in (other, model.tokenizer))
        return float(max(there / here))

    values = {language: relative(language) for language in ARTICLES if language != "English"}
    return Measured("With GPT-4o's vocabulary the surcharge is smaller", values, "of it", lambda v: v < 1)


def still_not_even(model) -> Measured:
    other = tokenization.published_tokenizer("o200k_base")
    values = {
        language: float(min(surcharge(other, language))) for language in ARTICLES if language != "English"
    }
    return Measured("There, too, they pay more than English", values, "times the tokens", lambda v: v > 1)


def surcharge(tokenizer, language: str) -> np.ndarray:
    """Tokens of each sentence over those of the English one."""
    pairs = zip(ARTICLES[language], ARTICLES["English"])
    return np.array([len(tokenizer.encode(here)) / len(tokenizer.encode(english)) for here, english in pairs])


COUNTS = ("count", "spelled out", "in a list")


@functools.cache
def answered(model, kind: str, example: str | None = EXAMPLES[0], words: tuple[str, ...] = WORDS) -> list:
    """The answers about the words but the example."""
    return [letters.answer(model, word, KINDS[kind], example=example) for word in words if word != example]


def the_same_number_for_all(model, examples=EXAMPLES, words=WORDS) -> Measured:
    """How many of the words get the commonest answer: the three ways to count, after an example or none."""

    def commonest(kind: str, example: str) -> float:
        answers = [letters.said(*one) for one in answered(model, kind, example, words)]
        return float(max(map(answers.count, answers)))

    values = {
        f"{kind}, after “{example}”": commonest(kind, example) for kind in COUNTS for example in examples
    }
    return Measured("Whatever is counted, it says the same number", values, "words", lambda v: v >= 16)


def after_any_example(model) -> Measured:
    """The same after each of the words: of the nineteen others."""
    return the_same_number_for_all(model, WORDS)


def no_better_than_always_the_same(model, examples=WORDS, words=WORDS) -> Measured:
    """How many more are counted right than by always saying the number that is right most often."""

    def more(kind: str, example: str) -> float:
        found = answered(model, kind, example, words)
        truths = [one[0].right for one in found]
        return float(
            sum(letters.said(*one) == one[0].right for one in found) - max(map(truths.count, truths))
        )

    values = {f"{kind}, after “{example}”": more(kind, example) for kind in COUNTS for example in examples}
    return Measured("No better than always the same number", values, "more words right", lambda v: v <= 0)


def no_more_for_more(
    model, words=("apple", "cat", "house", "river", "bread", "king", "road", "song", "tree", "milk")
):
    """Six times against once in a list of nine: by how much its mean answer grows (5 were right)."""

    def mean(word: str, n: int) -> float:
        text = "How many times is the word {} in {}? Answer: "
        example = text.format("lemon", letters.listed("lemon", 2)) + "2\n"
        probs = experiments.option_probs(
            model, example + text.format(word, letters.listed(word, n)), letters.DIGITS
        )
        return float(probs @ np.arange(1, 10))

    values = {word: mean(word, 6) - mean(word, 1) for word in words}
    return Measured("It says no more where there are more", values, "more (right: 5)", lambda v: abs(v) < 0.5)


def first_letters(model, examples=EXAMPLES, words=WORDS) -> Measured:
    values = {str(example): right(answered(model, "first", example, words)) for example in examples}
    return Measured("It names the first letter of most words", values, "words", lambda v: v >= 10)


def first_letters_after_any_example(model) -> Measured:
    """After each of the words: of the nineteen others."""
    return first_letters(model, WORDS)


def last_letters(model, examples=EXAMPLES, words=WORDS) -> Measured:
    values = {str(example): right(answered(model, "last", example, words)) for example in examples}
    return Measured("It hardly ever names the last letter", values, "words", lambda v: v <= 8)


def commonest_letters(_model=None, words=WORDS) -> Measured:
    """The baseline: how many are right by always saying the same."""
    truths = {"first": [word[0] for word in words], "last": [word[-1] for word in words]}
    values = {name: float(max(map(found.count, found))) for name, found in truths.items()}
    return Measured("Always the commonest letter", values, "words", lambda v: v <= 8)


def letters_of_other_words(model, n=40, seeds=range(3)) -> Measured:
    """How many of 40 words at random, after “potato”, have the first and the last letter named; and the baseline."""
    names = [piece[1:].decode() for piece in model.tokenizer.ranks if re.fullmatch(b" [a-z]{4,10}", piece)]
    values = {}
    for seed in seeds:
        words = tuple(map(str, np.random.default_rng(seed).choice(names, n, replace=False)))
        for kind in ("first", "last"):
            values[f"{kind}, words {seed}"] = right(answered(model, kind, EXAMPLES[0], words))
            values[f"{kind}, words {seed}, always the same"] = commonest_letters(words=words).values[kind]
    return Measured("Of other words, too, the first letter", values, "of 40 words", lambda v: v > 20)


def right(found: list) -> float:
    return float(sum(letters.said(*one) == one[0].right.strip() for one in found))


def letters_in_a_chat(
    model, words=("apple", "cat", "house", "river", "bread", "king", "strawberry", "song", "tree", "milk")
) -> Measured:
    """In a chat: which number of letters its own words give."""

    def number(word: str) -> float:
        asked = model.tokenizer.encode_chat(
            [{"role": "user", "content": f"How many letters are in the word {word}?"}]
        )
        steps = model.generate(asked, max_new_tokens=12, sampler=llmviz.Sampler(temperature=0))
        return float(re.search(r"\d+", model.tokenizer.decode([step.token for step in steps])).group())

    values = {word: number(word) for word in words}
    return Measured("In a chat the number is not always the same", values, "letters", lambda v: v == 11)


def rows_hold_letters(model, *, read: bool = True, alike: int = 2, seeds=range(7)) -> Measured:
    """A linear reading of a word's row of the table, tried on words it has not learned from.

    Words whose first letters are `alike`, so many of them, are all learned from or all held out.
    read: False for the baseline, always the letter that is commonest among those learned from.
    """
    found = {
        piece[1:].decode(): token
        for piece, token in model.tokenizer.ranks.items()
        if re.fullmatch(b" [a-z]{4,}", piece)
    }
    rows = np.asarray(model.weights.W_E)[list(found.values())]
    rows = np.c_[(rows - rows.mean(0)) / rows.std(), np.ones(len(rows))]

    def accuracy(place: int, seed: int) -> float:
        letter = np.array([ord(word[place]) - ord("a") for word in found])
        kin = np.array([word[:alike] for word in found])
        kins = np.unique(kin)
        learn = np.isin(kin, kins[np.random.default_rng(seed).random(len(kins)) < 0.8])
        if not read:
            return 100 * float((letter[~learn] == np.bincount(letter[learn]).argmax()).mean())
        x = rows[learn]
        reading = np.linalg.solve(x.T @ x + 30 * np.eye(x.shape[1]), x.T @ np.eye(26)[letter[learn]])
        return 100 * float(((rows[~learn] @ reading).argmax(1) == letter[~learn]).mean())

    values = {
        f"{name} letter, split {seed}": accuracy(place, seed)
        for name, place in (("first", 0), ("second", 1))
        for seed in seeds
    }
    which = "A row holds letters of its word" if read else "Always the commonest letter"
    return Measured(which, values, "% right", lambda v: v > 30)


def rows_not_read(model) -> Measured:
    return rows_hold_letters(model, read=False)


def rows_of_kin_too(model) -> Measured:
    """The control: where only words with the same three letters stay together, kin is on both sides (un-, re-)."""
    return rows_hold_letters(model, alike=3)


CONCLUSIONS = (
    spaces_stand_in_front,
    spaces_alone,
    spaces_alone_in_other_scripts,
    words_in_one_piece,
    shuffled_words_fall_apart,
    pieces_over_two_words,
    tokens_are_in_between,
    capitals_cost_more,
    but_not_short_words,
    languages_pay_more,
    a_larger_vocabulary_evens_out,
    still_not_even,
    the_same_number_for_all,
    after_any_example,
    no_better_than_always_the_same,
    no_more_for_more,
    first_letters,
    first_letters_after_any_example,
    last_letters,
    commonest_letters,
    letters_of_other_words,
    letters_in_a_chat,
    rows_hold_letters,
    rows_not_read,
    rows_of_kin_too,
)


# --- the page's wording, held to the numbers ---


def test_a_space_belongs_to_the_word_behind_it(model):
    assert spaces_stand_in_front(model).agree == len(TEXTS) == 15
    before_digits = {name: len(re.findall(r" (?=\d)", text)) for name, text in TEXTS.items()}
    assert spaces_alone(model).values == before_digits
    assert sum(before_digits.values()) == 7
    assert not re.search(r"\d", str(ARTICLES))
    assert model.tokenizer.pieces(model.tokenizer.encode("Hi "))[-1] == " "  # at the end
    assert "Russian" in [name for name, alone in spaces_alone_in_other_scripts(model).values.items() if alone]


def test_most_words_are_one_token_and_not_only_because_they_are_short(model):
    assert words_in_one_piece(model).lowest > 50
    shuffled = shuffled_words_fall_apart(model)
    assert round(shuffled.lowest, 1) == 1.4
    assert round(shuffled.highest, 1) == 3.9


def test_tokens_lie_between_characters_and_words(model):
    assert tokens_are_in_between(model).lowest >= 1
    assert pieces_over_two_words(model).highest == 0
    assert all(
        words_touched(model, text) <= 1 for text in ("a  b\n c\t d", "1 2 3", "--- ---", "人人 自由", "🍓 🍓")
    )
    assert all(len(model.tokenizer.encode(text)) > len(text) for text in ("🍓", "👍👍", *ARTICLES["Hindi"]))
    chinese = ARTICLES["Chinese"][0]
    assert len(model.tokenizer.encode(chinese)) > len(chinese)
    assert model.config.n_vocab == 49_152


def test_capitals_cost_most_words_more_and_not_most_short_ones(model):
    assert len(LATIN) == 12
    longer, short = capitals_cost_more(model), but_not_short_words(model)
    assert (longer.agree, len(longer.values)) == (148, 163)
    assert (short.agree, len(short.values)) == (19, 56)


def test_of_learned_tokens_the_lower_id_was_learned_first(model):
    """Special tokens and single bytes, which nobody learned, stand in front."""
    tokenizer = model.tokenizer
    assert [name for name in tokenizer.special_tokens if "im_" in name] == ["<|im_start|>", "<|im_end|>"]
    bytes_ = [number for piece, number in tokenizer.ranks.items() if len(piece) == 1]
    learned = sorted(number for piece, number in tokenizer.ranks.items() if len(piece) > 1)
    assert max(tokenizer.special_tokens.values()) < min(bytes_) < max(bytes_) < learned[0]


def test_other_languages_pay_more_and_less_more_with_a_larger_vocabulary(model):
    here = languages_pay_more(model)
    assert here.agree == len(here.values) == 10
    assert round(here.lowest, 1) == 1.6
    assert round(here.highest) == round(here.values["Amharic"]) == 10
    assert a_larger_vocabulary_evens_out(model).agree == 10
    assert [name for name, ratio in still_not_even(model).values.items() if ratio <= 1] == ["Chinese"]


def test_it_counts_nothing(model):
    """One example and ten words; the whole table tries twenty and twenty (`python -m tests.claims 01`)."""
    assert the_same_number_for_all(model, EXAMPLES[:1], WORDS[:10]).lowest >= 9


@pytest.mark.long
def test_it_counts_nothing_whatever_the_example(model):
    after_potato = the_same_number_for_all(model, EXAMPLES[:1])
    assert after_potato.lowest == 18
    assert after_potato.values["spelled out, after “potato”"] == 20
    assert the_same_number_for_all(model).lowest >= 16
    same = after_any_example(model)
    assert len(same.values) == 60
    assert same.agree == 49  # 16 words or more
    assert (same.lowest, same.highest) == (10, 19)
    assert no_better_than_always_the_same(model).highest <= 0
    more = no_more_for_more(model)
    assert -0.5 < more.lowest < more.highest < 0.5


def test_it_knows_first_letters_and_no_last_one(model):
    assert first_letters(model, EXAMPLES[:1]).lowest == 16
    assert last_letters(model, EXAMPLES[:1]).lowest == 4
    assert first_letters(model).lowest == first_letters(model, [None]).lowest == 2
    assert last_letters(model).highest == 6
    assert commonest_letters().values == {"first": 4, "last": 5}


def test_with_no_example_it_says_a(model):
    assert first_letters(model, [None]).lowest == 2
    assert [letters.said(*one) for one in answered(model, "first", None)].count("a") == 17


@pytest.mark.slow
def test_of_other_words_too_it_knows_first_letters_and_no_last_one(model):
    found = letters_of_other_words(model).values

    def ends(kind: str, same: bool) -> tuple[float, float]:
        some = [
            value for name, value in found.items() if name.startswith(kind) and same == ("always" in name)
        ]
        return min(some), max(some)

    assert [ends("first", False), ends("first", True)] == [(31, 33), (7, 8)]
    assert [ends("last", False), ends("last", True)] == [(1, 2), (9, 11)]


@pytest.mark.slow
def test_in_a_chat_the_number_is_not_always_the_same(model):
    assert letters_in_a_chat(model).agree == 5
    assert len(letters_in_a_chat(model).values) == 10


@pytest.mark.slow
def test_it_knows_first_letters_less_well_after_some_examples(model):
    """The extremes of the twenty; “coffee” is among the examples of the page."""
    assert first_letters(model, ["coffee", "rabbit"]).values == {"coffee": 9, "rabbit": 16}


@pytest.mark.long
def test_it_knows_first_letters_after_any_example(model):
    after = first_letters_after_any_example(model)
    assert (after.lowest, after.highest) == (9, 16)


@pytest.mark.slow
def test_a_row_holds_the_first_letter_of_its_word(model):
    def ends(measured: Measured, name: str) -> tuple[int, int]:
        found = [value for key, value in measured.values.items() if key.startswith(name)]
        assert len(found) == 7
        return round(min(found)), round(max(found))

    read, baseline = rows_hold_letters(model), rows_not_read(model)
    assert (ends(read, "first"), ends(baseline, "first")) == ((56, 74), (0, 12))
    assert (ends(read, "second"), ends(baseline, "second")) == ((7, 20), (1, 22))


def test_the_rhyme_that_is_read_is_the_one_that_is_learned_from():
    page = json.loads((NOTEBOOKS / "01_tokenization.ipynb").read_text(encoding="utf-8"))
    text = {
        kind: "\n".join("".join(cell["source"]) for cell in page["cells"] if cell["cell_type"] == kind)
        for kind in ("markdown", "code")
    }
    read = re.search("^> (She sells .*)$", text["markdown"], re.MULTILINE).group(1)
    assert read == "".join(
        ast.literal_eval(re.search(r"rhyme = (\(.*?\n\))", text["code"], re.DOTALL).group(1))
    )
