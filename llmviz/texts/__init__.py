"""Texts to train a small model on: read("bedtime stories"), "recipes", "python manual" or "python source".

The first two lie here, written by the default model (README.md tells how); the others are the reader's own Python's.
"""

import importlib.util
from importlib.abc import InspectLoader
from pathlib import Path

WRITTEN = ("bedtime stories", "recipes")  # by the default model, in a file each
NAMES = (*WRITTEN, "python manual", "python source")
MODULES = (
    "random statistics textwrap calendar heapq bisect csv string shutil "
    "json.decoder json.encoder fractions argparse"
)
MAX_LENGTH = 400_000


def read(name: str) -> str:
    """Read a text of 200,000 to 400,000 characters, its parts separated by blank lines.

    ValueError if there is no such text. FileNotFoundError where this Python lacks its manual or its library's source.
    """
    if name in WRITTEN:
        return path_of(name).read_text("utf-8")
    if name == "python manual":
        return _joined(_manual())
    if name == "python source":
        return _joined(_source())
    raise ValueError(f"there is no text {name!r}; the texts are {', '.join(NAMES)}")


def path_of(name: str) -> Path:
    """Return the path of a text that the model wrote."""
    return Path(__file__).parent / f"{name.replace(' ', '_')}.txt"


def _manual() -> list[str]:
    """Return what help("for") and the like print, one part a topic."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise FileNotFoundError(
            "this Python comes without its manual (the module pydoc_data.topics), so there is nothing to read; "
            f"take another text, such as {WRITTEN[0]!r}"
        ) from None
    return [topics[key] for key in sorted(topics)]


def _source() -> list[str]:
    """Return the source of some modules of the standard library."""
    names = MODULES.split()
    sources = [source for name in names if (source := _source_of(name)) is not None]
    if len(sources) < len(names):
        raise FileNotFoundError(
            "this Python comes without the source of its standard library, so there is nothing to read; "
            f"take another text, such as {WRITTEN[0]!r}"
        )
    return sources


def _source_of(module: str) -> str | None:
    spec = importlib.util.find_spec(module)
    loader = spec and spec.loader
    return loader.get_source(module) if isinstance(loader, InspectLoader) else None


def _joined(parts: list[str]) -> str:
    """Join as many of the parts as fit, from the first on."""
    text = ""
    for part in parts:
        if len(text) + len(part) > MAX_LENGTH:
            break
        text += part.strip() + "\n\n"
    return text.rstrip() + "\n"
