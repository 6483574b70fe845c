"""Texts to train a small model on: read("bedtime stories"), "recipes", "python manual" or "python source".

The first two were written by the default model, the others are Python's own (README.md tells both stories). All are
stored here, so that a model learns from the same text everywhere.
"""

from pathlib import Path

WRITTEN = ("bedtime stories", "recipes")  # by the default model
NAMES = (*WRITTEN, "python manual", "python source")
STORY = (Path(__file__).parent / "a_long_story.txt").read_text("utf-8")  # where a long text is needed


def read(name: str) -> str:
    """Read a text of 200,000 to 400,000 characters, its parts separated by blank lines. ValueError for another name."""
    if name not in NAMES:
        raise ValueError(f"there is no text {name!r}; the texts are {', '.join(NAMES)}")
    return path_of(name).read_text("utf-8")


def path_of(name: str) -> Path:
    """Return the path of a text."""
    return Path(__file__).parent / f"{name.replace(' ', '_')}.txt"
