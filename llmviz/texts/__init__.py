"""Texts to train a small model on: read("bedtime stories"), "recipes", "python manual" or "python source".

The first two are stored here, written by the default model (README.md explains how); the others come with Python.
"""

import importlib
import inspect
from pathlib import Path

WRITTEN = ("bedtime stories", "recipes")  # by the default model, in a file each
PYTHON = {"python manual": "manual", "python source": "library's source"}
NAMES = (*WRITTEN, *PYTHON)
MODULES = (
    "random statistics textwrap calendar heapq bisect csv string shutil "
    "json.decoder json.encoder fractions argparse"
)
MAX_LENGTH = 400_000


def read(name: str) -> str:
    """Read a text of 200,000 to 400,000 characters, its parts separated by blank lines.

    ValueError if there is no such text. FileNotFoundError if this Python lacks its manual or its library's source.
    """
    if name not in NAMES:
        raise ValueError(f"there is no text {name!r}; the texts are {', '.join(NAMES)}")
    if name in WRITTEN:
        return path_of(name).read_text("utf-8")
    try:
        if name == "python manual":  # what help("for") and similar calls print, a part for each topic
            parts = [part for _, part in sorted(importlib.import_module("pydoc_data.topics").topics.items())]
        else:
            parts = [inspect.getsource(importlib.import_module(module)) for module in MODULES.split()]
    except (ImportError, OSError):
        raise FileNotFoundError(
            f"this Python comes without its {PYTHON[name]}, so there is nothing to read; take another text, such as "
            f"{WRITTEN[0]!r}"
        ) from None
    text = ""
    for part in parts:  # as many as fit
        if len(text) + len(part) > MAX_LENGTH:
            break
        text += part.strip() + "\n\n"
    return text.rstrip() + "\n"


def path_of(name: str) -> Path:
    """Return the path of a text that the model wrote."""
    return Path(__file__).parent / f"{name.replace(' ', '_')}.txt"
