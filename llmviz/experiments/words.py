"""Compare words and tokens: which words of a text are one token, and which tokens spell one word."""

import functools
import math
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
import regex
from jaxtyping import Int

from llmviz import tokenization
from llmviz.model import Model, Trace
from llmviz.reuse import kept_with
from llmviz.tokenization import Tokenizer

# Letters with their marks; an apostrophe between them belongs to the word.
WORD = r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}[\p{L}\p{M}]*)*"
A_WORD = r"(?<!\s) (?=\p{L})"  # a single space before a word


@dataclass(frozen=True, eq=False)
class TokenizedText:
    """A text as tokens, before the model runs on it: it replaces a `Trace` on a page that needs no more."""

    model: Model
    tokens: list[int]

    @property
    def pieces(self) -> list[str]:
        """The text of each token."""
        return self.model.tokenizer.pieces(self.tokens)


def plain_words(text: str) -> list[str]:
    """Return the words of a text: runs of letters."""
    return tokenization.split_words(text, WORD)


def words_of(text: str) -> list[str]:
    """Return the different words of a text, each with the space before it; without words, what is between spaces."""
    return list(dict.fromkeys(tokenization.split_words(text, f" ?{WORD}") or text.split() or [text]))


def text_of(trace: TokenizedText | Trace) -> str:
    """Return the text that a run has read."""
    return trace.model.tokenizer.decode_prompt(trace.tokens)


def longest_word(trace: TokenizedText | Trace) -> str:
    """Return the first of the longest `words_of` a text, with the space before it."""
    return max(words_of(text_of(trace)), key=lambda word: len(word.strip()))


def merged_tokens(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that merging has made, in the order in which they were learned."""
    if tokenizer.starts_from == "bytes":
        return sorted(token for piece, token in tokenizer.ranks.items() if len(piece) > 1)
    # The others, such as <table> and runs of spaces, were set by hand.
    texts = ((piece.decode(errors="replace"), token) for piece, token in tokenizer.ranks.items())
    return sorted(
        token
        for text, token in texts
        if len(text) > 1 and not text.isspace() and text not in tokenizer.added_tokens
    )


def in_list(word: str, tokenizer: Tokenizer) -> bool:
    """Say whether a word is one single token, with a space in front or without."""
    return any(len(tokenizer.encode(start + word)) == 1 for start in (" ", ""))


def in_one_token(model: Model, text: str) -> float:
    """Measure how many of a text's different words are one token, in %; NaN without any."""
    words = {*plain_words(text)}
    return 100 * sum(in_list(word, model.tokenizer) for word in words) / len(words) if words else math.nan


def tokens_that_are_words(model: Model, text: str) -> float:
    """Measure how many of a text's tokens with letters in them are a whole word, in %; NaN without any."""
    tokens = {*pairwise([0, *token_ends(model.tokenizer, text)])}
    words = [tuple(len(text[:end].encode()) for end in match.span()) for match in regex.finditer(WORD, text)]
    whole = sum(not tokens.isdisjoint({(start, end), (start - 1, end)}) for start, end in words)
    lettered = sum(any(start < last and first < end for first, last in words) for start, end in tokens)
    return 100 * whole / lettered if lettered else math.nan


def token_ends(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return after which of the text's bytes each token ends."""
    ends = [*accumulate(tokenizer.sizes(tokenizer.encode(text)))]
    in_front = sum(ends[-1:]) - len(text.encode())  # a space that some vocabularies put before a text
    return [end - in_front for end in ends]


def spaces_before(tokenizer: Tokenizer, text: str, pattern: str) -> tuple[int, int]:
    """Count the spaces that a pattern finds, and those of them that are in one token with the character after them."""
    borders = {*token_ends(tokenizer, text)}
    ends = [len(text[: match.end()].encode()) for match in regex.finditer(pattern, text)]
    return len(ends), sum(end not in borders for end in ends)


def spaces_joined(model: Model, text: str, *, before: str) -> float:
    """Measure how many of the spaces that a pattern finds are in one token with what follows, in %; NaN without any."""
    n, joined = spaces_before(model.tokenizer, text, before)
    return 100 * joined / n if n else math.nan


def shuffled_cost(model: Model, text: str, *, n_shuffles: int = 20) -> float:
    """Measure how many times as many tokens a text's words take when their letters are shuffled, on average.

    Words of four letters and more, each counted once. NaN without any.
    """
    words = [word for word in dict.fromkeys(plain_words(text)) if len(word) > 3]
    if not words:
        return math.nan
    encode, costs = model.tokenizer.encode, []
    for seed in range(n_shuffles):
        rng = np.random.default_rng(seed)
        shuffled = ["".join(rng.permutation(list(word))) for word in words]
        costs.append(sum(len(encode(f" {word}")) for word in shuffled))
    return float(np.mean(costs)) / sum(len(encode(f" {word}")) for word in words)


def more_in_capitals(model: Model, word: str) -> int:
    """Count how many more tokens a word takes in capitals than in small letters, with a space before it."""
    capitals, small = (len(model.tokenizer.encode(f" {form}")) for form in (word.upper(), word.lower()))
    return capitals - small


def surcharge(model: Model, pair: tuple[str, str], *, vocabulary: str | None = None) -> float:
    """Measure how many times as many tokens the first text takes as the second.

    vocabulary: the name of a published one (`tokenization.published_tokenizer`) in place of the model's.
    """
    tokenizer = published(vocabulary) if vocabulary else model.tokenizer
    first, second = (len(tokenizer.encode(text)) for text in pair)
    return first / second


def cost_of_word_rule(model: Model, pair: tuple[str, str], *, vocabulary: str) -> int:
    """Count how many more tokens the first text takes in a published vocabulary with the model's rule for words."""
    theirs = published(vocabulary)
    return len(_with_words(theirs, model.tokenizer.words).encode(pair[0])) - len(theirs.encode(pair[0]))


@functools.cache
def _with_words(tokenizer: Tokenizer, words: str) -> Tokenizer:
    return replace(tokenizer, words=words)


published = functools.cache(tokenization.published_tokenizer)


def within_a_word(model: Model) -> int:
    """Count the tokens that hold letters of at most one word."""
    across = sum(len(plain_words(piece.decode(errors="replace"))) > 1 for piece in model.tokenizer.ranks)
    return model.config.n_vocab - across


def pairs_of(listed: str, tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """Return pairs such as "cats cat, dogs dog" as tokens; those that are not one token each are left out."""
    encoded = [[tokenizer.encode(f" {word}") for word in pair.split()] for pair in listed.split(",")]
    return [(a[0], b[0]) for a, b in encoded if len(a) == len(b) == 1]


def whole_words(model: Model) -> list[int]:
    """Return the tokens that are a space and small letters only: whole words, and not parts of words."""
    pieces = model.tokenizer.pieces(range(model.config.n_vocab))
    return [
        i for i, piece in enumerate(pieces) if piece[:1] == " " and piece[1:].isalpha() and piece.islower()
    ]


@kept_with()
def common_words(model: Model) -> list[int]:
    """Return the `whole_words` with an id below 8,000: they were learned early, so they are common."""
    return [token for token in whole_words(model) if token < 8_000]


@kept_with()
def word_ids(model: Model) -> Int[np.ndarray, " n_vocab"]:
    """Return which word each token spells: those that differ only in spaces and capitals have one number."""
    pieces = model.tokenizer.pieces(range(model.config.n_vocab))
    return np.unique([piece.strip().casefold() for piece in pieces], return_inverse=True)[1]
