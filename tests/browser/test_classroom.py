"""A class in a browser: the front page on a phone in the dark, and a kernel that dies behind it."""

import signal

import psutil
import pytest
from browser.lab import QUIET, at_home, free_port
from playwright.sync_api import Page, expect
from visitor import Served, a_class

PHONE = {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def served(browser, model, tmp_path_factory) -> Served:
    with a_class(free_port(), "--visitors", "2", home=at_home(tmp_path_factory.mktemp("home"))) as served:
        yield served


@pytest.fixture
def page(browser, served):
    """A phone that prefers the dark; nothing may leave this machine, and nothing may go wrong."""
    context = browser.new_context(viewport=PHONE, color_scheme="dark")
    page = context.new_page()
    outside, errors = [], []
    here = (served.url, "data:", "blob:")
    page.on("request", lambda one: None if one.url.startswith(here) else outside.append(one.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert outside == []
    assert errors == []


def open_front(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/voila/render/00_the_loop.ipynb", timeout=120_000)
    expect(page.locator("figure.llmviz").first).to_be_attached(timeout=60_000)
    page.evaluate(QUIET)


def kernel_of(page: Page) -> str:
    return page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")


def kill(served: Served, kernel: str) -> None:
    for process in psutil.Process(served.process.pid).children():
        if any(kernel in part for part in process.cmdline()):
            process.send_signal(signal.SIGKILL)
            return
    raise AssertionError("no such kernel")


def test_the_front_page_on_a_phone_and_a_kernel_that_dies(page, served):
    open_front(page, served)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    expect(page.locator("figure.llmviz[data-lv-theme=dark]").nth(2)).to_be_attached()
    expect(page.locator("figure.llmviz:not([data-lv-theme=dark]):visible")).to_have_count(0)
    expect(page.locator("details.lv-fold[open]")).to_have_count(0)
    expect(page.locator(".jp-CodeCell .jp-InputArea-editor:visible")).to_have_count(0)
    page.get_by_label("show the code").check()
    expect(page.locator(".jp-CodeCell .jp-InputArea-editor:visible").first).to_be_visible()
    page.get_by_label("show the code").uncheck()

    # Markup that is typed is shown as text.
    box = page.locator("textarea:visible, input[type=text]:visible").first
    box.fill("<img src=x onerror='window.hacked = 1'>")
    box.press("Enter")
    expect(page.locator("figure.lv-journey").first).to_contain_text("img")
    assert page.evaluate("window.hacked") is None

    # Something was typed: the page says what happened, keeps it, and waits to be told.
    first = kernel_of(page)
    kill(served, first)
    told = page.locator("#lv-told")
    expect(told).to_contain_text("has stopped", timeout=15_000)
    expect(box).to_have_value("<img src=x onerror='window.hacked = 1'>")
    told.get_by_role("button").click()
    page.wait_for_function(f"!document.documentElement.innerHTML.includes('{first}')")
    expect(page.locator("figure.llmviz").first).to_be_attached(timeout=60_000)
    assert kernel_of(page) != first

    # Nothing was typed: it comes back by itself.
    page.evaluate("sessionStorage.clear()")
    second = kernel_of(page)
    kill(served, second)
    page.wait_for_function(f"!document.documentElement.innerHTML.includes('{second}')", timeout=30_000)
    expect(page.locator("figure.llmviz").first).to_be_attached(timeout=60_000)
    expect(told).to_be_hidden()


def test_the_teachers_page(page, served):
    page.goto(served.teacher)
    assert "key" not in page.url  # the wall shows it
    expect(page.locator("svg.segno")).to_be_visible()
    expect(page.locator(".address")).to_have_text(served.url.removeprefix("http://"))
    expect(page.locator("#ready")).not_to_have_text("0", timeout=30_000)
