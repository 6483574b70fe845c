"""Figures of speed and memory, llmviz beside `transformers` or plain torch in one run; nothing here asserts a time.

    pytest tests/benchmarks -n 0 --jaxtyping-packages=

prints a table at the end. Without the `peers` extra, llmviz is measured alone. Both sides run in this process, one
right after the other, with the threads they take by themselves (as many as there are cores), except what has to start
a process of its own. On a busy machine look at the fastest rounds rather than at the medians.
"""

import os
from dataclasses import dataclass

import numpy as np
import pytest

import llmviz
from llmviz.download import model_path


@dataclass(frozen=True)
class Figure:
    """One measurement, in `unit`: its median over the rounds, and the smallest."""

    what: str
    side: str
    median: float
    smallest: float
    unit: str


FIGURES: list[Figure] = []


def pytest_configure(config):
    if config.getoption("jaxtyping_packages"):
        raise pytest.UsageError("the shape checks would be timed as well: add --jaxtyping-packages=")
    if tuned := [name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ]:
        raise pytest.UsageError(f"readers don't tune NumPy's BLAS, so the figures shouldn't: unset {tuned}")


def pytest_terminal_summary(terminalreporter):
    """The table: a row each, llmviz, its peer, and how many times as long (or as much) llmviz takes."""
    table: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in FIGURES:
        table.setdefault((figure.what, figure.unit), {})[figure.side] = figure
    if not table:
        return
    terminalreporter.section("llmviz beside transformers, or torch where it trains: median (fastest)")
    terminalreporter.write_line("| what | unit | llmviz | peer | ratio |")
    terminalreporter.write_line("|---|---|---|---|---|")
    for (what, unit), sides in table.items():
        ours, theirs = sides.get("llmviz"), sides.get("transformers") or sides.get("torch")
        cells = [f"{times.median:.1f} ({times.smallest:.1f})" if times else "–" for times in (ours, theirs)]
        ratio = "–"
        if ours and theirs:
            ratio = f"{ours.median / theirs.median:.2f} ({ours.smallest / theirs.smallest:.2f})"
        terminalreporter.write_line(f"| {what} | {unit} | {cells[0]} | {cells[1]} | {ratio} |")


@pytest.fixture
def note():
    """`note(figure)` puts it into the table."""
    return FIGURES.append


@pytest.fixture
def measure(benchmark, note):
    """`measure(what, side, run, setup, rounds)`: time `run(*setup())` over fresh set-ups, note and return it."""

    def measured(what: str, side: str, run, setup, rounds: int, per: int = 1) -> Figure:
        benchmark.group = what
        benchmark.pedantic(run, setup=lambda: (setup(), {}), rounds=rounds, warmup_rounds=1)
        times = benchmark.stats.stats
        figure = Figure(what, side, 1e3 * times.median / per, 1e3 * times.min / per, "ms")
        note(figure)
        return figure

    return measured


@pytest.fixture
def note_memory(note):
    """`note_memory(what, megabytes)`, for llmviz."""
    return lambda what, megabytes: note(Figure(what, "llmviz", megabytes, megabytes, "MB"))


@pytest.fixture
def note_all(note):
    """`note_all(what, values, unit, side)`: several measurements, of llmviz if no other side is named."""
    return lambda what, values, unit, side="llmviz": note(
        Figure(what, side, float(np.median(values)), float(min(values)), unit)
    )


@pytest.fixture(scope="session")
def peer_model():
    """The same file in transformers' Llama: float32, eager attention."""
    pytest.importorskip("transformers", reason="the peers extra is not installed")
    from reference import peer

    return peer.load_llama(model_path())


@pytest.fixture(scope="session")
def gemma():
    """Gemma 3 270M; the first time, it is fetched."""
    return llmviz.load("gemma", progress=False)


@pytest.fixture(scope="session")
def peer_gemma():
    """The same file in transformers."""
    pytest.importorskip("transformers", reason="the peers extra is not installed")
    from reference import peer

    return peer.load_file(model_path("gemma", progress=False))


@pytest.fixture(scope="session")
def fresh_ids():
    """`fresh_ids(n)`: n random ordinary tokens, never the same ones, so that no earlier text can be reused."""
    rng = np.random.default_rng(0)
    return lambda n: rng.integers(17, 49_152, n).tolist()
