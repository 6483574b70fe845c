"""Many kernels at once, each running all cells of a notebook, with the threads that llmviz takes by itself, beside
kernels that take one thread each (the ideal, where there are more kernels than cores); and what it costs one alone.

    pytest tests/benchmarks/test_kernels.py -n 0 --jaxtyping-packages=

The two sides take turns, so that both meet the machine in the same state. `THREAD_ROUNDS` sets how often (2).
"""

import asyncio
import os
import threading
import time
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from nbclient import NotebookClient

from llmviz import model as model_module
from llmviz import threads

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "04_attention.ipynb"
ROUNDS = int(os.environ.get("THREAD_ROUNDS", 2))
BY_ITSELF, ONE_EACH = {}, {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


async def run_cells(env: dict[str, str]) -> None:
    client = NotebookClient(
        nbformat.read(NOTEBOOK, as_version=4),
        timeout=1200,
        startup_timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    await client.async_execute(env=env)


def seconds_at_once(n: int, env: dict[str, str], folder: Path) -> float:
    """From the start of n kernels until the last has run all its cells. An error in a cell is raised."""
    own = {name: text for name, text in os.environ.items() if not name.endswith("_THREADS")}
    own |= {"IPYTHONDIR": str(folder), **env}

    async def all_of_them():
        await asyncio.gather(*(run_cells(own) for _ in range(n)))

    start = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - start


@pytest.mark.parametrize("n", [1, 8])
def test_kernels_at_once(model, note_all, tmp_path, n):
    by_itself, one_each = [], []
    for _ in range(ROUNDS):
        by_itself.append(seconds_at_once(n, BY_ITSELF, tmp_path))
        one_each.append(seconds_at_once(n, ONE_EACH, tmp_path))
    what = f"{n} kernel{'s' * (n > 1)} at once: {NOTEBOOK.stem}, kernel start included"
    for name, times in {"threads as they are free": by_itself, "one thread each": one_each}.items():
        note_all(f"{what}; {name}", times, "s")
    ratios = 100 * np.array(by_itself) / one_each  # of neighbours in time
    note_all(f"{what}; free threads, as a share of one thread's time", ratios, "%")


def test_thirty_kernels_all_finish(model, note_all, tmp_path):
    least, done = [psutil.virtual_memory().available], threading.Event()

    def watch():
        while not done.wait(0.2):
            least.append(psutil.virtual_memory().available)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        seconds = seconds_at_once(30, BY_ITSELF, tmp_path)
    finally:
        done.set()
        watcher.join()
    note_all(f"30 kernels at once: {NOTEBOOK.stem}", [seconds], "s")
    note_all("30 kernels at once: memory taken at most", [(least[0] - min(least)) / 1e9], "GB")


@pytest.mark.parametrize("n", [1, 16, 64])
def test_a_lone_kernels_trace(model, note_all, monkeypatch, fresh_ids, n):
    """With and without sharing, in turn; without it, BLAS takes what it takes by itself."""
    share = threads.Sharing(threads.share_cores.path)
    by_itself = [(blas, blas.get_num_threads()) for blas in share._libraries]
    times_of = {"sharing": [], "without": []}
    for _ in range(40):
        for name, times in times_of.items():
            for blas, number in by_itself:
                blas.set_num_threads(number)
            monkeypatch.setattr(model_module, "share_cores", share if name == "sharing" else lambda: None)
            ids = fresh_ids(n)
            start = time.perf_counter()
            model.trace(ids)
            times.append(1e3 * (time.perf_counter() - start))
    for name, times in times_of.items():
        note_all(f"trace of {n} tokens, {name}", times, "ms")


def test_a_look(note_all, tmp_path, monkeypatch):
    share = threads.Sharing(tmp_path / "at-work")
    for what, every in {"a look at who is at work": 0, "a call between two looks": 3600}.items():
        monkeypatch.setattr(threads, "LOOK_EVERY", every)
        share()
        times = []
        for _ in range(50):
            start = time.perf_counter()
            for _ in range(20):
                share()
            times.append(1e6 * (time.perf_counter() - start) / 20)
        note_all(what, times, "µs")
