"""Memory and widgets of a kernel that is used for long: pages run again, and a long text written on."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from test_notebooks import FOLDER, NOTEBOOKS, said, tell_cell_ids

# What is free already goes back to the system first (glibc keeps it), so that the figure is what is held.
PROBE = """
import ctypes, gc, re, ipywidgets
gc.collect()
ctypes.CDLL("libc.so.6").malloc_trim(0)
used = re.search(r"Anonymous:\\s+(\\d+)", open("/proc/self/smaps_rollup").read())
print(int(used[1]) / 1000, len(ipywidgets.widgets.widget._instances))
"""

LONG_PROMPT = """
import asyncio
from llmviz import load, views
model = load()
text = "The best thing about a rainy day is the sound of it. " * 10 + "And then"
loop = views.LoopExplorer(model, text)
tour = views.StageTour(model, loop, stage="attention")
print(len(loop.run.tokens))
"""

WRITE = """
loop.parts["write"].click()
while loop.busy:
    await asyncio.sleep(0.1)
"""


class Kernel:
    """A kernel that is told which cell runs, as JupyterLab does it."""

    def __init__(self, notebook):
        self.notebook = notebook
        self.client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}})

    def __enter__(self):
        self._kernel = self.client.setup_kernel()
        self._kernel.__enter__()
        tell_cell_ids(self.client.kc, {cell.source: cell.id for cell in self.notebook.cells})
        return self

    def __exit__(self, *error):
        self._kernel.__exit__(*error)

    def run(self, source: str) -> str:
        return said(self.client, source)

    def run_all(self) -> None:
        for index, cell in enumerate(self.notebook.cells):
            self.client.execute_cell(cell, index)

    def used(self) -> tuple[float, int]:
        """Private memory in MB, and widgets."""
        megabytes, widgets = self.run(PROBE).split()
        return float(megabytes), int(widgets)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="private memory is read from /proc")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_run_all_again(note_memory, path):
    with Kernel(nbformat.read(path, as_version=4)) as kernel:
        seen = []
        for _ in range(4):
            kernel.run_all()
            seen.append(kernel.used())
    for n, (before, after) in enumerate(pairwise(seen), start=2):
        note_memory(f"{path.stem}: Run All number {n} adds", after[0] - before[0])
    assert len({widgets for _, widgets in seen}) == 1
    print(path.stem, seen)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="private memory is read from /proc")
def test_thirty_tokens_after_a_long_prompt(note_memory):
    with Kernel(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()])) as kernel:
        tokens = re.search(r"\d+", kernel.run(LONG_PROMPT))[0]
        before, _ = kernel.used()
        kernel.run(WRITE)
        note_memory(f"30 tokens after {tokens}, with the stage tour", kernel.used()[0] - before)
