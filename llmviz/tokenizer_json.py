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

ORDINARY, UNKNOWN, CONTROL, ADDED, UNUSED, BYTE = range(1, 7)  # GGUF's codes for the types of tokens
MOST = 1 << 22  # tokens; a damaged number must not make us fill the memory


def read(folder: Path) -> dict[str, Any]:
    """Return a folder's tokenizer. FileNotFoundError without tokenizer.json; ValueError if a file is damaged."""
    folder = Path(folder)
    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError(
            f"{folder} has no tokenizer.json, which turns text into the model's tokens. Download it, too."
        )
    try:
        return _vocabulary(folder)
    except Exception as problem:  # a damaged file can be wrong in any way
        reason = f"{problem} is missing" if isinstance(problem, KeyError) else str(problem)
        raise ValueError(
            f"{folder / 'tokenizer.json'} cannot be read: {reason or type(problem).__name__}. The file, or another "
            "file in its folder, is incomplete or damaged. Download the folder again."
        ) from problem


def _vocabulary(folder: Path) -> dict[str, Any]:
    def json_of(name: str) -> Any:
        return json.loads((folder / name).read_bytes()) if (folder / name).is_file() else {}

    file, config, sizes = map(json_of, ("tokenizer.json", "tokenizer_config.json", "config.json"))
    model, added = file["model"], file.get("added_tokens") or []
    kind, how = _kind(file)
    text_of = {token: text for text, token in model["vocab"].items()}
    text_of |= {token["id"]: token["content"] for token in added}
    ids = {text: token for token, text in text_of.items()}
    # Models often have room for a few more tokens than their vocabulary has.
    n = max(max(text_of) + 1, (sizes.get("text_config") or sizes).get("vocab_size") or 0)
    if not model["vocab"] or min(text_of) < 0 or n > MOST or not all(isinstance(text, str) for text in ids):
        raise ValueError("its tokens are not texts, or have impossible ids")
    merged = ["".join(merge.split(" ") if isinstance(merge, str) else merge) for merge in model["merges"]]
    if any(first > second for first, second in pairwise([ids[text] for text in merged])):
        kind, how = "BPE with ids in another order than its merges", {"pre": None}
    types = [ORDINARY if token in text_of else UNUSED for token in range(n)]
    if kind == "gpt2" and not model.get("ignore_merges"):
        for text in ids.keys() - {*merged}:
            types[ids[text]] = ORDINARY if len(text) == 1 else UNUSED  # no merges lead to it
    for text in ids if kind == "llama" else ():
        if re.fullmatch("<0x[0-9A-F]{2}>", text):
            types[ids[text]] = BYTE
    for token in added:
        types[token["id"]] = CONTROL if token["special"] else ADDED
    chat_template = _chat_template(folder, config)
    eos = _id(config.get("eos_token"), ids)
    ends = json_of("generation_config.json").get("eos_token_id")
    ends = [end for end in (ends if isinstance(ends, list) else [ends]) if end is not None]
    return {
        "tokens": [text_of.get(token, f"[PAD{token}]") for token in range(n)],
        "token_types": types,
        "eos_token": next(iter(ends), None) if eos is None else eos,
        "eot_token": next((end for end in ends if text_of.get(end, "?") in (chat_template or "")), None),
        "chat_template": chat_template,
        "begin_token": _begin_token(file, config, ids),
        "model": kind,
        **how,
    }


def _kind(file: Any) -> tuple[str, dict[str, Any]]:
    """Return the kind of vocabulary, and how text is prepared for it. An unknown one has a name that describes it."""
    import regex

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
                how["words"] = regex.compile(words).pattern  # an error if it is broken
            case {"type": "Digits", "individual_digits": True}:
                how["pre"] = "smollm"
            case {"type": "ByteLevel", "add_prefix_space": False}:
                if step.get("use_regex", True):
                    how["pre"] = how["pre"] or "gpt-2"
            case {"type": "Prepend", "prepend": "▁"}:
                how["space_prefix"] = "always"
            case {"type": "Metaspace", "replacement": "▁", "split": False}:
                how["space_prefix"] = {"first": "first", "never": ""}[step["prepend_scheme"]]
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


def _steps(step: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of a sequence, of sequences in it as well; of None, none."""
    if step and step["type"] == "Sequence":
        for inner in step[name]:
            yield from _steps(inner, name)
    elif step:
        yield step


def _id(token: Any, ids: Mapping[str, int]) -> int | None:
    """Return the id of a token in the configuration, which says its text or more of it."""
    return ids.get(token["content"] if isinstance(token, Mapping) else token)


def _begin_token(file: Any, config: Any, ids: Mapping[str, int]) -> int | None:
    """Return the token that every text begins with: `add_bos_token` says so, or else what is done after encoding."""
    adds = config.get("add_bos_token")
    if adds is not None:
        return _id(config.get("bos_token"), ids) if adds else None
    for step in _steps(file.get("post_processor"), "processors"):
        first = step["single"][0] if step["type"] == "TemplateProcessing" else {}
        if "SpecialToken" in first:
            return ids[first["SpecialToken"]["id"]]
    return None


def _chat_template(folder: Path, config: Any) -> str | None:
    """Return the chat template; of several, the one for a plain conversation."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        return next((each["template"] for each in template if each["name"] == "default"), None)
    return template
