"""Files that are broken at random open or are refused in one sentence; they never crash, hang or fill the disk."""

import contextlib
import copy
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_folder
import tiny_gguf

import llmviz

resource = pytest.importorskip("resource", reason="Windows does not count the memory of a process so")

TINY = replace(tiny_gguf.VARIANTS["grouped"], n_layers=1, n_heads=2, n_kv_heads=1, d_model=16, d_ff=16)
SECONDS, MEGABYTES = 5, 300  # none may take more
JUNK = (
    None,
    True,
    -1,
    0,
    1,
    3,
    2**31,
    2**70,
    1e308,
    float("nan"),
    "",
    "x",
    "llama",
    [],
    {},
    [1],
    {"a": 1},
    [[]],
)
KINDS = {
    "gguf": "model.gguf",
    "safetensors": "model.safetensors",
    "index": "model.safetensors.index.json",
    "config": "config.json",
    "tokenizer": "tokenizer.json",
}


@pytest.fixture
def model(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """`model("gguf")`: what `load` takes, for each kind of file."""
    monkeypatch.setenv("LLMVIZ_HOME", str(tmp_path / "home"))

    def path(kind: str) -> Path:
        if kind == "gguf":
            (tmp_path / "gguf").mkdir()
            return tiny_gguf.write(tmp_path / "gguf" / KINDS[kind], TINY)
        folder = tiny_folder.write(tmp_path / "folder", TINY)
        if kind == "index":
            whole = dict.fromkeys(tiny_folder.tensors(TINY), "model.safetensors")
            (folder / KINDS[kind]).write_text(json.dumps({"metadata": {}, "weight_map": whole}))
        return folder

    return path


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Change some bytes, or cut, double, move or fill a piece; half of the time near the beginning, with the header."""
    near = len(content) if chance.random() < 0.5 else min(len(content), 2_000)
    start = chance.randrange(near)
    end = min(len(content), start + chance.choice([1, 2, 4, 8, 50, 1000]))
    piece = content[start:end]
    match chance.randrange(7):
        case 0:
            return content[:start]
        case 1:
            return content[:start] + content[end:]
        case 2:
            return content[:end] + piece * chance.choice([1, 5]) + content[end:]
        case 3:
            return content[:start] + bytes([chance.choice([0, 255])]) * len(piece) + content[end:]
        case 4:
            place = chance.randrange(near)
            return content[:place] + piece + content[place + len(piece) :]
        case _:
            changed = bytearray(content)
            for _ in range(chance.choice([1, 1, 2, 5])):
                changed[chance.randrange(near)] = chance.randrange(256)
            return bytes(changed)


def places(value, so_far=()) -> Iterator[tuple]:
    """Where there is something in a JSON value, as keys."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*so_far, key)
        yield from places(below, (*so_far, key))


def mutated_json(content: bytes, chance: random.Random) -> bytes:
    """Put something else in one or two places, or nothing. Places far up are as likely as those in long lists."""
    value = json.loads(content)
    for _ in range(chance.choice([1, 1, 2])):
        every = list(places(value))
        depth = chance.choice(sorted({len(place) for place in every}))
        *path, last = chance.choice([place for place in every if len(place) == depth])
        holder = value
        for key in path:
            holder = holder[key]
        if chance.random() < 0.2:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(chance.choice(JUNK))
        if not value:
            break
    return json.dumps(value).encode()


def check(path: Path, kind: str, n: int, seed: int) -> int:
    """Load so many mutated files, and return how many were refused."""
    home, chance, refused = Path(os.environ["LLMVIZ_HOME"]), random.Random(seed), 0
    file = path if path.is_file() else path / KINDS[kind]
    whole = file.read_bytes()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + 1024 * MEGABYTES
    for number in range(n):
        as_json = file.suffix == ".json" and chance.random() < 0.7
        content = mutated_json(whole, chance) if as_json else mutated(whole, chance)
        file.write_bytes(content)
        began = time.perf_counter()
        try:
            with np.errstate(all="ignore"):
                loaded = llmviz.load(path, progress=False)
        except ValueError as problem:
            refused += 1
            message = str(problem)
            assert str(path) in message, message
            assert "\n" not in message, message
        else:  # its numbers or its context window may be too large or too small
            with np.errstate(all="ignore"), contextlib.suppress(ValueError, FloatingPointError):
                loaded.trace([5, 7])
        for left in home.glob("weights/*"):  # of one that opened
            assert (left / "index.json").is_file(), number
            size = sum(part.stat().st_size for part in left.iterdir())
            assert size < 10 * sum(part.stat().st_size for part in path.parent.rglob("*") if part.is_file())
            for part in left.iterdir():
                part.unlink()
            left.rmdir()
        assert time.perf_counter() - began < SECONDS, number
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < most, number
    return refused


@pytest.mark.parametrize("kind", KINDS)
def test_some_mutated_files(model, kind):
    assert 20 < check(model(kind), kind, 50, seed=1) <= 50


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_mutated_files(model, kind):
    assert 2_000 < check(model(kind), kind, 10_000, seed=2) < 10_000
