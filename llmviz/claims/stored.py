"""Results that were measured before, and whether they still belong to what the claims say today.

Each line of a file in `results/` is a claim's row. Its key is a hash of the source of its measure and control, with
everything of `llmviz.claims` that they use, of its cases, and of the model file: when one changes, it is stale.
"""

import ast
import functools
import hashlib
import inspect
import json
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from llmviz import download
from llmviz.claims.claim import Claim, Outcome

RESULTS = Path(__file__).with_name("results")
PACKAGE = "llmviz.claims"


def results_path(file: str, sha256: str) -> Path:
    """Return where the results of a model are stored, by the name and the SHA-256 of its file."""
    return RESULTS / f"{file.removesuffix('.gguf')}-{sha256[:8]}.jsonl"


DEFAULT = results_path(download.FILE_NAME, download.FILE_SHA256)


def load(path: Path = DEFAULT) -> dict[str, dict[str, dict]]:
    """Return what a file holds: for each page, its rows by the names of the claims."""
    pages: dict[str, dict[str, dict]] = {}
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            pages.setdefault(row.pop("page"), {})[row.pop("name")] = row
    return pages


def result_row(claim: Claim, outcome: Outcome, sha256: str) -> dict[str, Any]:
    """Return a claim's row, its values rounded to five digits."""
    parts = {"values": outcome.values} | ({"controls": outcome.controls} if outcome.controls else {})
    rounded = {part: {case: float(f"{x:.5g}") for case, x in row.items()} for part, row in parts.items()}
    return {"key": key(claim, sha256), **rounded}


def save(pages: Mapping[str, Mapping[str, dict]], path: Path) -> None:
    """Put the rows of some pages into a file, a line each, and leave the other pages as they are."""
    all_pages = (load(path) if path.exists() else {}) | dict(pages)
    rows = [
        {"page": page, "name": name} | row
        for page in sorted(all_pages)
        for name, row in all_pages[page].items()
    ]
    path.write_text(
        "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8", newline="\n"
    )


def outcome(claim: Claim, row: Mapping[str, Any]) -> Outcome:
    """Return a stored row as what the claim came out as, checked by today's bounds."""
    return claim.outcome(row["values"], row.get("controls", {}))


def sections(claims: Sequence[Claim], rows: Mapping[str, Mapping]) -> dict[str, list[tuple[str, str, str]]]:
    """Return statement, method and result of each claim that was measured, by the heading of its section."""
    measured = (claim for claim in claims if claim.name in rows)
    return {
        section: [
            (claim.sentence, claim.method, claim.result(outcome(claim, rows[claim.name]))) for claim in in_it
        ]
        for section, in_it in groupby(measured, lambda claim: claim.section)
    }


def key(claim: Claim, sha256: str) -> str:
    """Return the hash under which a claim's result is valid for a model file."""
    parts = _parts((claim.value, claim.control and claim.control[1], claim.all_cases), set())
    return hashlib.sha256("\n".join([sha256, *parts]).encode()).hexdigest()[:16]


def _parts(thing: Any, seen: set[int]) -> Iterator[str]:
    """Yield what makes a thing what it is: source of ours, by all that it uses, and values.

    TypeError for what has no stable text.
    """
    if isinstance(thing, functools.partial):
        yield from _parts((thing.func, thing.args, thing.keywords), seen)
    elif isinstance(thing, Mapping | list | tuple):
        for value in thing.items() if isinstance(thing, Mapping) else thing:
            yield from _parts(value, seen)
    elif isinstance(thing, set | frozenset):
        yield from sorted(map(repr, thing))
    elif isinstance(thing, types.ModuleType):
        yield thing.__name__
    elif isinstance(thing, types.FunctionType) and _ours(thing := inspect.unwrap(thing)):
        if id(thing) not in seen:
            seen.add(id(thing))
            yield _source(thing)
            held = [cell.cell_contents for cell in thing.__closure__ or ()]
            yield from _parts([thing.__defaults__, thing.__kwdefaults__, held, _used(thing)], seen)
    elif isinstance(thing, types.FunctionType | type):
        yield f"{thing.__module__}.{thing.__qualname__}"
        if _ours(thing):
            source = inspect.getsource(thing)  # with its decorators, in some versions of Python
            yield "".join(source[source.index("class ") :].split())
    elif " at 0x" in (text := repr(thing)):
        advice = "Use a function of the module, a partial of one, or plain values."
        raise TypeError(f"A claim uses {text}, which looks different in every process. {advice}")
    else:
        yield text


def _ours(thing: Any) -> bool:
    return thing.__module__.startswith(PACKAGE)


def _used(function: types.FunctionType) -> list[Any]:
    """Return the globals that a function's code names; of modules of ours, their members that it names."""
    names: set[str] = set()
    codes, used = [function.__code__], []
    while codes:
        code = codes.pop()
        names |= {*code.co_names}
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    for thing in (function.__globals__[name] for name in sorted(names) if name in function.__globals__):
        members = isinstance(thing, types.ModuleType) and thing.__name__.startswith(PACKAGE)
        used += [thing, *(getattr(thing, name) for name in sorted(names) if members and hasattr(thing, name))]
    return used


def _source(function: types.FunctionType) -> str:
    """Return a function's source without its white space, so that formatting makes nothing stale."""
    source = inspect.getsource(function)
    if function.__name__ == "<lambda>":  # its source is whole lines
        text = inspect.getsource(sys.modules[function.__module__])
        source = "".join(
            ast.get_source_segment(text, node) or ""
            for node in ast.walk(_parsed(text))
            if isinstance(node, ast.Lambda) and node.lineno == function.__code__.co_firstlineno
        )
    return "".join(source.split())


_parsed = functools.lru_cache(maxsize=16)(ast.parse)
