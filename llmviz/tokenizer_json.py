"""The tokenizer in a Hugging Face folder, as the lists that `tokenization.from_gguf_metadata` takes.

`tokenizer.json` has the vocabulary, the merges in the order learned, and how text is prepared. Beside it,
`tokenizer_config.json` names the tokens that begin and end a text, and has the chat template, unless
`chat_template.jinja` does.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

ORDINARY, CONTROL, ADDED, UNUSED, BYTE = 1, 3, 4, 5, 6  # GGUF's codes for the types of tokens


def read(folder: Path) -> dict[str, Any]:
    """Return a folder's tokenizer. FileNotFoundError without tokenizer.json; ValueError if a file is damaged."""
    path = Path(folder) / "tokenizer.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no tokenizer.json, which turns text into the model's tokens.")
    try:
        return _vocabulary(
            _json(path),
            _json(path.with_name("tokenizer_config.json")),
            _json(path.with_name("config.json")),
            _json(path.with_name("generation_config.json")),
            path.with_name("chat_template.jinja"),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as problem:
        raise ValueError(
            f"{path} cannot be read as a tokenizer: {problem!r}. It may be incomplete or damaged. Download it again."
        ) from problem


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes()) if path.is_file() else {}


def _vocabulary(file: Any, config: Any, sizes: Any, generation: Any, template: Path) -> dict[str, Any]:
    model, added = file["model"], file.get("added_tokens") or []
    by_id = {token: text for text, token in model["vocab"].items()} | {a["id"]: a["content"] for a in added}
    last = max(by_id)
    if not 0 <= min(by_id) <= last < 1 << 22 or not all(isinstance(text, str) for text in by_id.values()):
        raise ValueError("its tokens are not texts with ids from 0 on")
    # Models often have room for a few more tokens than their vocabulary has.
    n = max(last + 1, min(int((sizes.get("text_config") or sizes).get("vocab_size") or 0), 1 << 22))
    tokens = [by_id.get(token, f"[PAD{token}]") for token in range(n)]
    kind, how = _kind(file)
    types = [ORDINARY if token in by_id else UNUSED for token in range(n)]
    merged = [_join(merge) for merge in model.get("merges") or []]
    if kind == "llama":
        types = [
            BYTE if text[:3] == "<0x" and len(text) == 6 else type_ for text, type_ in zip(tokens, types)
        ]
    elif not model.get("ignore_merges"):
        known = {*merged}
        types = [UNUSED if len(text) > 1 and text not in known else t for text, t in zip(tokens, types)]
    for token in added:
        types[token["id"]] = CONTROL if token["special"] else ADDED
    ids = {text: token for token, text in by_id.items()}
    if any(ids[a] > ids[b] for a, b in pairwise(merged)):
        kind, how = f"{model.get('type')}, with ids in another order than its merges", {"pre": None}
    ends = generation.get("eos_token_id")
    chat_template = _template(config, template)
    eos = ids.get(_name(config.get("eos_token")))
    more = [end for end in (ends if isinstance(ends, list) else [ends]) if end is not None and end != eos]
    in_chat = [end for end in more if 0 <= end < n and tokens[end] in (chat_template or "")]
    return {
        "tokens": tokens,
        "token_types": types,
        "eos_token": eos if eos is not None or not more else more[0],
        "eot_token": in_chat[0] if in_chat else None,
        "chat_template": chat_template,
        "begin_token": _begin_token(file, config, ids),
        "model": kind,
        **how,
    }


def _kind(file: Any) -> tuple[str, dict[str, Any]]:
    """Return the kind of vocabulary, and how text is prepared for it. An unknown one has a name that describes it."""
    steps = [
        *_steps(file.get("normalizer"), "normalizers"),
        *_steps(file.get("pre_tokenizer"), "pretokenizers"),
    ]
    names = " ".join(step["type"] for step in steps)
    kind = f"{file['model'].get('type', 'BPE')} after {names or 'nothing'}"
    how: dict[str, Any] = {"pre": None}
    for step in steps:
        match step:
            case {"type": "NFC"}:
                how["composed"] = True
            case {"type": "Split", "pattern": {"Regex": words}, "behavior": "Isolated", "invert": False}:
                how["words"] = _checked(words)
            case {"type": "Digits", "individual_digits": True}:
                how["pre"] = "smollm"
            case {"type": "ByteLevel", "add_prefix_space": False}:
                if step.get("use_regex", True):
                    how["pre"] = how["pre"] or "gpt-2"
            case {"type": "Prepend", "prepend": "▁"}:
                how["space_prefix"] = "always"
            case {"type": "Metaspace", "replacement": "▁", "split": False}:
                scheme = step.get("prepend_scheme", "always")
                how["space_prefix"] = {"always": "each", "first": "first", "never": ""}[scheme]
            case {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}:
                pass  # what we read has spaces
            case {"type": "Split", "pattern": {"String": " "}}:
                pass  # after that, there are none
            case _:
                return kind, {"pre": None}
    if re.fullmatch("BPE after (NFC )?(Split |Digits )?ByteLevel", kind):
        return "gpt2", how
    if re.fullmatch("BPE after ((Prepend )?Replace( Split)?|Metaspace)", kind):
        return "llama", how
    return kind, {"pre": None}


def _checked(words: str) -> str:
    import regex

    try:
        regex.compile(words)
    except regex.error as problem:
        raise ValueError(f"its pattern for words is broken ({problem})") from problem
    return words


def _steps(step: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of a sequence, of sequences in it as well; of None, none."""
    if step and step["type"] == "Sequence":
        for inner in step[name]:
            yield from _steps(inner, name)
    elif step:
        yield step


def _join(merge: Any) -> str:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left + right


def _name(token: Any) -> str:
    """Return the text of a token of the configuration, which may have more to say of it."""
    return token["content"] if isinstance(token, Mapping) else str(token)


def _begin_token(file: Any, config: Any, ids: Mapping[str, int]) -> int | None:
    """Return the token that every text begins with: `add_bos_token` says so, or else what is done after encoding."""
    adds = config.get("add_bos_token")
    if adds is not None:
        return ids.get(_name(config.get("bos_token"))) if adds else None
    for step in _steps(file.get("post_processor"), "processors"):
        first = step["single"][0] if step["type"] == "TemplateProcessing" else {}
        if "SpecialToken" in first:
            return ids[first["SpecialToken"]["id"]]
    return None


def _template(config: Any, file: Path) -> str | None:
    """Return the chat template; of several, the one for a plain conversation."""
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        template = {each["name"]: each["template"] for each in template}.get("default")
    return template
