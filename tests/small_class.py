"""A class with one small notebook, served for a test."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import nbformat
from browser.lab import at_home, free_port
from visitor import a_class


@contextlib.contextmanager
def small_class(
    folder: Path, *cells: nbformat.NotebookNode, project: bool = False
) -> Iterator[tuple[str, str]]:
    """Its address, and the teacher's; the notebook is called "one"."""
    file = folder / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), *cells]), file)
    options = [str(file), "--visitors", "3", *["--project"] * project]
    with a_class(free_port(), *options, home=at_home(folder)) as served:
        yield served.url, served.teacher
