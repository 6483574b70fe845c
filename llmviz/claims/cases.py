"""The texts, words and questions that claims are measured on, from `cases.toml`."""

import tomllib
from pathlib import Path

_CASES = tomllib.loads(Path(__file__).with_name("cases.toml").read_text("utf-8"))

TEXTS: dict[str, str] = _CASES["texts"]
MORE_TEXTS: dict[str, str] = _CASES["more_texts"]
LISTS: dict[str, str] = _CASES["lists"]
UNSEEN_TEXTS: dict[str, str] = _CASES["unseen_texts"]
UNSEEN_SPACES: dict[str, str] = _CASES["unseen_spaces"]
UNSEEN_SENTENCES: tuple[str, ...] = tuple(_CASES["unseen_sentences"]["whole"])
LONG = {name: text or "\n\n".join(TEXTS.values()) for name, text in _CASES["long_texts"].items()}
ARTICLES: dict[str, tuple[str, ...]] = {name: tuple(pair) for name, pair in _CASES["articles"].items()}
SENTENCES = {f"{name}, {i + 1}": text for name, pair in ARTICLES.items() for i, text in enumerate(pair)}
PARALLEL = {  # of each sentence: itself, and the English one
    name: (text, SENTENCES[f"English, {name[-1]}"])
    for name, text in SENTENCES.items()
    if "English" not in name
}
UNSEEN_PARALLEL = {name: (text, ARTICLES["English"][1]) for name, text in _CASES["unseen_articles"].items()}
LETTER_WORDS: tuple[str, ...] = tuple(_CASES["letters"]["words"].split())
LETTER_EXAMPLES: tuple[str, ...] = tuple(_CASES["letters"]["examples"])
PAIRS: dict[str, str] = _CASES["pairs"]
UNSEEN_PAIRS: dict[str, str] = _CASES["unseen_pairs"]
FAMILIES: dict[str, str] = _CASES["families"]
MORE_FAMILIES: dict[str, str] = _CASES["more_families"]
UNSEEN_FAMILIES: dict[str, str] = _CASES["unseen_families"]
SENSES: dict[str, tuple[str, ...]] = {word: tuple(texts) for word, texts in _CASES["senses"].items()}
UNSEEN_SENSES = {word: tuple(texts) for word, texts in _CASES["unseen_senses"].items()}
# As long as those: where a second sentence in one sense, or one with another word, isn't needed, one is there twice.
MORE_SENSES = {f"{word}, elsewhere": (texts[0], *texts) for word, texts in _CASES["more_senses"].items()}
EQUAL_BEGINNINGS, UNSEEN_EQUAL_BEGINNINGS = (
    {word: (texts[0], *texts) for word, texts in _CASES[name].items()}
    for name in ("equal_beginnings", "unseen_equal_beginnings")
)
ONE_SENSE, UNSEEN_ONE_SENSE = (
    {word: (*texts, texts[-1]) for word, texts in _CASES[name].items()}
    for name in ("one_sense", "unseen_one_sense")
)
_WORDS = _CASES["words"]
MORE_CAPITALS = {f"The capital of {place} is": f" {city}" for place, city in _WORDS["more_capitals"].items()}
UNSEEN_CAPITALS = {
    f"The capital of {place} is": f" {city}" for place, city in _WORDS["unseen_capitals"].items()
}
HARDER_SUMS = {f"{a} + {b} = ": str(a + b) for a, b in _WORDS["harder_sums"]}
RELATED: str = _WORDS["related"]
NOUNS: dict[str, str] = _WORDS["nouns"]  # and their plurals
SINGULAR = [*NOUNS]
OTHER_NOUNS: dict[str, str] = _WORDS["other_nouns"]
COMMON_NOUNS: list[str] = _WORDS["common_nouns"].split()
AFTER_PARIS: list[str] = _WORDS["after_paris"]
OPPOSITES, ELEMENTS = _WORDS["opposites"].split(), _WORDS["elements"].split()
STATES: dict[str, str] = _WORDS["states"]
AGREEMENT: dict[str, list[str]] = _CASES["agreement"]
SUBJECT_FRAMES, UNSEEN_SUBJECT_FRAMES = _CASES["subject_frames"].values()
WAKING = {texts[i]: english for i in range(2) for english, texts in _CASES["waking"].items()}
QUESTIONS: tuple[str, ...] = tuple(_CASES["chat"]["questions"])
UNSEEN_QUESTIONS: tuple[str, ...] = tuple(_CASES["chat"]["unseen_questions"])
MORE_PIRATES: tuple[tuple[str, str], ...] = tuple(map(tuple, _CASES["fine_tuning"]["more_pirates"]))
ASKED: tuple[str, ...] = tuple(_CASES["fine_tuning"]["questions"])
MANNERS: dict[str, dict[str, list[str]]] = _CASES["fine_tuning"]["manners"]  # the words and answers of each
