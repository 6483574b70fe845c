"""Figures of speed and memory, llmviz beside `transformers` in one run; nothing here asserts a time.

    pytest tests/benchmarks --jaxtyping-packages=

prints a table at the end. Without the `peers` extra, llmviz is measured alone. Both sides run in this process with
the threads they take by themselves (as many as there are cores), except what has to start a process of its own.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from llmviz.download import default_model_path


@dataclass(frozen=True)
class Figure:
    """One measurement, in `unit`."""

    what: str
    side: str
    value: float
    unit: str


FIGURES: list[Figure] = []


def pytest_configure(config):
    if config.getoption("jaxtyping_packages"):
        raise pytest.UsageError("the shape checks would be timed as well: add --jaxtyping-packages=")


def pytest_terminal_summary(terminalreporter):
    """The table: a row each, llmviz, transformers, and how many times as long (or as much) llmviz takes."""
    table: dict[tuple[str, str], dict[str, float]] = {}
    for figure in FIGURES:
        table.setdefault((figure.what, figure.unit), {})[figure.side] = figure.value
    if not table:
        return
    terminalreporter.section("llmviz beside transformers (medians)")
    terminalreporter.write_line("| what | unit | llmviz | transformers | ratio |")
    terminalreporter.write_line("|---|---|---|---|---|")
    for (what, unit), sides in table.items():
        ours, theirs = sides.get("llmviz"), sides.get("transformers")
        cells = ["–" if value is None else f"{value:.1f}" for value in (ours, theirs)]
        ratio = f"{ours / theirs:.2f}" if ours and theirs else "–"
        terminalreporter.write_line(f"| {what} | {unit} | {cells[0]} | {cells[1]} | {ratio} |")


@pytest.fixture
def measure(benchmark):
    """`measure(what, side, run, setup, rounds)`: time `run(*setup())` over fresh set-ups and note the median."""

    def measured(what: str, side: str, run, setup, rounds: int, per: int = 1) -> None:
        benchmark.group = what
        benchmark.pedantic(run, setup=lambda: (setup(), {}), rounds=rounds, warmup_rounds=min(2, rounds))
        FIGURES.append(Figure(what, side, 1e3 * benchmark.stats.stats.median / per, "ms"))

    return measured


@pytest.fixture(scope="session")
def peer_model():
    """The same file in transformers' Llama: float32, eager attention."""
    pytest.importorskip("transformers", reason="the peers extra is not installed")
    from reference import peer

    return peer.load_llama(default_model_path())


@pytest.fixture(scope="session")
def fresh_ids():
    """`fresh_ids(n)`: n random ordinary tokens, never the same ones, so that no earlier text can be reused."""
    rng = np.random.default_rng(0)
    return lambda n: rng.integers(17, 49_152, n).tolist()
