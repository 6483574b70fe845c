"""Old names: private inventions that a standard term has replaced (the glossary has the terms)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "llmviz"
OLD = {
    *(
        "blind",
        "dart",
        "glue",
        "handed_over",
        "looking_elsewhere",
        "mover",
        "moved",
        "off_at",
        "parts_from",
        "put_in",
    ),
    *("alike_by_layer", "moved_by", "surprisal_after", "swap_at", "told_apart", "twice_told", "Room", "Seat"),
    *("one", "found", "some", "kept", "told", "Told"),
}


def names_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each identifier of the Python files below a folder, with its file and line."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for name in (getattr(node, field, None) for field in ("id", "arg", "attr", "name", "asname")):
                if isinstance(name, str):
                    yield name, f"{path.relative_to(folder)}:{getattr(node, 'lineno', '?')}"


def test_old_names_are_gone():
    assert {name: place for name, place in names_in(PACKAGE) if name in OLD} == {}


@pytest.mark.parametrize(
    "source",
    [
        "one = 1",
        "def found(): 0",
        "class Told: 0",
        "f(kept=1)",
        "lambda some: 0",
        "x.told",
        "import a as dart",
    ],
)
def test_every_kind_of_name_is_read(tmp_path, source):
    (tmp_path / "a.py").write_text(source)
    assert {name for name, _ in names_in(tmp_path)} & OLD
