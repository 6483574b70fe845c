"""What all tests share: the real default model, and tiny random ones.

The default model is found, fetched and converted as for a reader (`LLMVIZ_MODEL` and `LLMVIZ_HOME` count), so
all workers share one memory-mapped cache. Tiny models keep their cache in a temporary folder.
"""

import asyncio
import functools
import gc
import os
from collections.abc import Callable
from pathlib import Path

import jaxtyping
import pytest
import tiny_gguf

# Their tests come first, so that it soon shows whether the engine is right.
ENGINE = (
    *("ops", "tokenization", "embeddings", "position", "attention", "ffn", "sampling"),
    *("model", "reference", "edits", "experiments"),
)
# These files take longest. They come next, so that no process is left with one when the others are done.
LONGEST = ("notebooks", "views_contract", "page_table")


def pytest_xdist_auto_num_workers(config) -> int:
    """`-n auto`: a process for each core; none besides for one file, whose tests stay together anyway.

    One more for tests/browser alone: a browser and its kernel wait for each other a third of their time.
    """
    paths = {Path(argument.partition("::")[0]) for argument in config.args}
    if len(paths) == 1 and next(iter(paths)).is_file():
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + all(path.name == "browser" for path in paths)


def pytest_collection_modifyitems(items):
    """The engine's tests first, then the longest; everything else stays in its order."""
    places = {f"test_{name}.py": place for place, name in enumerate((*ENGINE, *LONGEST))}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_runtest_setup(item):
    """Shapes are checked in all runs of tiny models, and of the default one where the engine is tested.

    Elsewhere its runs would take as long again.
    """
    checked = "model" not in item.fixturenames or item.path.name in {f"test_{name}.py" for name in ENGINE}
    jaxtyping.config.update("jaxtyping_disable", not checked)


@pytest.fixture(scope="session")
def model():
    """The default model."""
    import llmviz

    return llmviz.load()


@pytest.fixture(scope="session")
def cat(model):
    """The sentence of the pages on position and attention, read by the default model."""
    return model.trace("The cat that I saw yesterday was sleeping")


@pytest.fixture
def one_thread():
    """For what is held to the last bit: with another number of threads, sums end in others."""
    from llmviz.threads import share_cores

    with share_cores.one_thread():
        yield


@pytest.fixture
def unchecked():
    """For what measures many whole texts: without the checks of shapes, which take as long again."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory) -> Callable[[str], Path]:
    """`tiny_path("grouped")`: the GGUF file of one of `tiny_gguf.VARIANTS`."""
    folder = tmp_path_factory.mktemp("tiny")

    @functools.cache
    def path(name: str) -> Path:
        return tiny_gguf.write(folder / f"{name}.gguf", tiny_gguf.VARIANTS[name])

    return path


@pytest.fixture(scope="session")
def load_tiny(tiny_path, tmp_path_factory) -> Callable:
    """`load_tiny("grouped")`: one of `tiny_gguf.VARIANTS` as a `Model`, the same object each time."""
    home = tmp_path_factory.mktemp("home")

    @functools.cache
    def load(name: str):
        import llmviz

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LLMVIZ_HOME", str(home))
            return llmviz.load(tiny_path(name))

    return load


@pytest.fixture(scope="session")
def tiny_model(load_tiny):
    """A tiny random model with grouped key/value heads and an output table of its own."""
    return load_tiny("grouped")


@pytest.fixture
def tiny_chat(tiny_model):
    """Another one, with room for a conversation."""
    return tiny_gguf.with_room_to_talk(tiny_model)


@pytest.fixture(scope="session")
def trace_with_a_long_column(tiny_model):
    """A run in which the second column is far longer than the others, as a resting place is."""
    import numpy as np

    import llmviz

    vector = np.linspace(-300, 300, tiny_model.config.d_model)
    return tiny_model.trace("the cat sat on the dog", llmviz.Edits(resid={(1, 1): vector}))


@pytest.fixture
def no_pauses(monkeypatch):
    """What runs in the background of a view never waits."""
    sleep = asyncio.sleep
    monkeypatch.setattr("llmviz.views.kit.jobs.sleep", lambda _seconds: sleep(0))


@pytest.fixture
def nothing_measured(tiny_model):
    """What earlier tests have measured for all views of the tiny model is forgotten, and so are these views."""
    from llmviz.views.kit.measurements import measurements_of

    measurements_of(tiny_model)._measurements.clear()
    measurements_of(tiny_model).views.clear()


@pytest.fixture
def prompt(tiny_model):
    """A page's text, for the tiny model."""
    from llmviz.views import Prompt

    return Prompt(tiny_model, "the cat sat on the dog")


def pytest_collection_finish():
    """Let the garbage collector leave out what the imports have made, which takes it nearly half a second."""
    gc.collect()
    gc.freeze()
