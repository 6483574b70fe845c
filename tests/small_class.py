"""A class with one small notebook, served for a test."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from browser.lab import free_port


@contextlib.contextmanager
def small_class(
    folder: Path, *cells: nbformat.NotebookNode, project: bool = False
) -> Iterator[tuple[str, str]]:
    """Its address, and the teacher's; the notebook is called "one"."""
    file = folder / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), *cells]), file)
    port = free_port()
    code = (
        "from pathlib import Path; from llmviz import classroom; "
        f"classroom.serve([Path({str(file)!r})], {port}, 3, project={project}, local=True, browser=False)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            teacher = next(line.split()[-1] for line in process.stdout if "/teacher?key=" in line)
            yield f"http://127.0.0.1:{port}", teacher
        finally:
            process.terminate()  # SIGINT is ignored by what a shell has put into the background
            process.stdout.close()
            process.wait(20)
