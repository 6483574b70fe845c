"""Fixtures for tests in a real browser. Without Chromium they are skipped with a reason; in CI they must run.

@pytest.fixture(scope="module")
def lab(open_lab):
    lab = open_lab("04_attention")
    lab.run_all()
    return lab
"""

import os
from pathlib import Path

import pytest
from browser.lab import CHROMIUM, Lab, chromium, serve
from browser.page_and_kernel import SEND
from playwright.sync_api import expect, sync_playwright

from llmviz import page

pytest.register_assert_rewrite("browser.visit")  # so that it says what it found
expect.set_options(timeout=60_000)  # a busy machine is slow at times; what is wrong stays wrong


# These files take longest. They come first, so that no process is left with one when the others are done.
LONGEST = (
    *(
        "pages_of_the_series",
        "06_sampling",
        "04_attention",
        "classroom",
        "page",
        "07_text",
        "01_tokenization",
        "02_embeddings",
    ),
    *("journey", "installation", "03_position"),
)


def pytest_collection_modifyitems(items):
    """Browser tests come last: Playwright keeps an event loop running, in which no other test could start its own."""
    here = Path(__file__).parent
    places = {here / f"test_{name}.py": place for place, name in enumerate(LONGEST)}
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: (item.path.is_relative_to(here), places.get(item.path, len(LONGEST))))


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests."""
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing, and in CI the browser tests must run")
        pytest.skip(f"needs Debian's Chromium at {CHROMIUM}")
    with sync_playwright() as playwright, chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def lab_server(browser, model, tmp_path_factory):
    """One `jupyter lab` on a copy of the notebooks. (`model`: fetched and converted before the first kernel.)"""
    with serve(tmp_path_factory.mktemp("lab") / "served") as server:
        yield server


@pytest.fixture(scope="session")
def voila_server(browser, model, tmp_path_factory):
    """One Voilà in its dark theme on a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("voila") / "served"
    # Voilà serves no other kind of file by itself; `llmviz class` leaves that cell out.
    allowed = r"--VoilaConfiguration.file_allowlist=['.*\.(png|jpg|gif|svg|webp)']"
    with serve(folder, kind="voila", options=("--theme=dark", allowed)) as server:
        yield server


@pytest.fixture(scope="module")
def open_lab(browser, lab_server):
    """`open_lab("04_attention", theme="dark")`: a `Lab` with that notebook; its page closes after the module."""
    yield from _opener(browser, lab_server)


@pytest.fixture(scope="module")
def open_voila(browser, voila_server):
    """`open_voila("04_attention")`: the same under Voilà, where the notebook has run when this returns."""
    yield from _opener(browser, voila_server)


def _opener(browser, server):
    opened = []

    def open_(notebook: str, theme: str = "light", size: tuple[int, int] = (1400, 1000)) -> Lab:
        for earlier in opened:  # kernels are ended at each opening, so earlier pages would be dead
            earlier.close()
        lab = Lab(browser, server, size)
        opened.append(lab)
        lab.open(notebook, theme)
        return lab

    yield open_
    for lab in opened:
        lab.close()


@pytest.fixture
def opened(browser, tmp_path):
    """`opened(built)`: its page, from a file, offline; afterwards nothing was asked for, and nothing went wrong."""
    contexts, wrong = [], []

    def open_(built, width=1100, scheme="light", script="", at=""):
        file = tmp_path / "page.html"
        page.write_page(built, file, {})
        context = browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        context.add_init_script(SEND + script)
        one = context.new_page()
        one.set_default_timeout(60_000)
        one.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        one.on("pageerror", lambda error: wrong.append(str(error)))
        one.on(
            "request",
            lambda request: request.url.startswith(("file:", "blob:", "data:")) or wrong.append(request.url),
        )
        one.goto(f"{file.as_uri()}{at}")
        one.wait_for_function("'ready' in document.body.dataset")
        return one

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []
