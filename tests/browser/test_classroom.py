"""A class in a browser: the front page on a phone in the dark, and a kernel that dies behind it."""

import re
import signal

import psutil
import pytest
from browser.lab import QUIET, at_home, free_port
from browser.violations import OF_COLOUR, violations
from playwright.sync_api import Page, expect
from small_class import small_class
from visitor import Served, a_class

from llmviz.classroom import worksheets
from llmviz.classroom.lessons import LESSONS, ROOT, heading_of

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


def violations_by_theme(page: Page) -> dict[str, list[str]]:
    """Return what axe-core finds on a page of the server itself, which sets its theme as it is loaded."""
    found = {}
    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        found[theme] = violations(page)
    return found


NOTHING = {"light": [], "dark": []}


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
    assert violations(page) == []
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
    expect(told).to_be_visible(timeout=60_000)
    expect(box).to_have_value("<img src=x onerror='window.hacked = 1'>")
    told.get_by_role("button").click()
    page.wait_for_function(f"!document.documentElement.innerHTML.includes('{first}')")
    expect(page.locator("figure.llmviz").first).to_be_attached(timeout=60_000)
    assert kernel_of(page) != first

    # Nothing was typed: it comes back by itself.
    page.evaluate("sessionStorage.clear()")
    second = kernel_of(page)
    kill(served, second)
    page.wait_for_function(f"!document.documentElement.innerHTML.includes('{second}')", timeout=60_000)
    expect(page.locator("figure.llmviz").first).to_be_attached(timeout=60_000)
    expect(told).to_be_hidden()


def test_the_teachers_page(page, served):
    page.goto(served.teacher)
    assert "key" not in page.url  # the wall shows it
    expect(page.locator("svg.segno")).to_be_visible()
    expect(page.locator(".address")).to_have_text(served.url.removeprefix("http://"))
    expect(page.locator("#ready")).not_to_have_text("0", timeout=60_000)
    expect(page.locator("#of")).to_have_text("The loop")
    assert violations_by_theme(page) == NOTHING


def test_the_temperature_is_moved_on_a_phone_and_the_bars_follow(page, served):
    page.emulate_media(color_scheme="light")
    open_front(page, served)
    asked = page.locator("figure.lv-predict").filter(has_text="How many of the likeliest do you need")
    asked.get_by_role("button", name="Show me").click()
    explorer = page.locator(".lv-explorer").filter(has=page.get_by_role("button", name="Pick one")).last
    bars = explorer.locator("figure.lv-next_token_bars")
    value, slider = bars.locator(".lv-value").first, explorer.get_by_role("slider").first
    before = value.inner_text(timeout=60_000)
    slider.press("ArrowLeft")
    expect(value).not_to_have_text(before)
    expect(bars.locator(".lv-ghost").first).to_be_visible()  # what temperature 1 gives
    slider.press("ArrowRight")
    expect(value).to_have_text(before)
    assert violations(page, rules=OF_COLOUR) == []


def test_the_teacher_opens_the_questions_and_sees_counts_only_when_asked(page, served):
    page.goto(served.teacher)
    page.goto(f"{served.url}/teacher/lesson/token")
    expect(page.locator("svg.segno")).to_have_count(0)
    student = page.context.browser.new_page()
    student.goto(served.url)
    expect(student.get_by_role("link", name="the questions")).to_have_count(0)
    assert violations_by_theme(student) == NOTHING
    page.get_by_role("button", name="Open the questions before").click()
    place = page.locator(".place")
    expect(place).to_have_text(f"{served.url.removeprefix('http://')}/lesson/token/before")
    expect(page.locator("svg.segno")).to_be_visible()

    expect(student.get_by_role("link", name="the questions")).to_be_visible(timeout=60_000)  # by itself
    student.goto(f"{served.url}/lesson/token/after")
    expect(student.get_by_role("radio")).to_have_count(0)
    assert violations_by_theme(student) == NOTHING
    student.get_by_role("link", name="the questions before").click()
    assert violations_by_theme(student) == NOTHING
    for i in range(3):
        student.locator(f"input[name=q{i}]").first.check()
    student.get_by_role("button", name="Send").click()
    student.get_by_role("link", name="All pages").click()
    expect(student.get_by_role("link", name="The loop")).to_be_visible()

    other = page.context.new_page()  # the lesson's page is made ready
    other.goto(f"{served.url}/teacher")
    expect(other.locator("#of")).to_have_text(re.compile("^1 · "))
    other.close()

    counts = page.locator(".counts")
    expect(counts).to_be_hidden()
    assert "1" not in page.locator(".count").all_text_contents()
    page.get_by_label("show the counts").check()
    expect(counts.locator('[data-count="before 0 0"]')).to_have_text("1")
    expect(page.locator("svg.segno")).to_be_hidden()  # the counts have the wall
    page.get_by_label("show which is right").check()
    assert violations_by_theme(page) == NOTHING

    student.goto(f"{served.url}/lesson/token/after")
    page.get_by_role("button", name="Open the questions after").click()
    expect(student.get_by_role("button", name="Send")).to_be_visible(timeout=60_000)  # it comes by itself
    for i in range(3):
        student.locator(f"input[name=q{i}]").first.check()
    student.get_by_role("button", name="Send").dblclick()
    notebook, cell = LESSONS["token"].questions[-1].scene
    heading = heading_of(ROOT / "notebooks" / f"{notebook}.ipynb", cell)
    expect(student.get_by_role("link", name=heading)).to_be_visible()
    assert violations_by_theme(student) == NOTHING
    student.get_by_role("link", name=heading).click()
    scene = student.get_by_role("heading", name=heading)
    expect(scene).to_be_in_viewport(timeout=90_000)
    student.evaluate(QUIET)
    assert 0 <= scene.bounding_box()["y"] < 100  # pictures have come above it
    page.get_by_label("show the counts").check()
    expect(counts.locator('[data-count="after 0 0"]')).to_have_text("1")
    student.close()


def test_who_loads_a_page_again_in_a_full_room_is_back_soon(browser, tmp_path):
    with small_class(tmp_path) as (address, _):  # it has room for three
        pages = [browser.new_page() for _ in range(3)]
        for one in pages:
            one.goto(f"{address}/voila/render/one.ipynb")
            expect(one.get_by_role("heading", name="One")).to_be_visible(timeout=60_000)
        pages[0].reload()
        expect(pages[0].get_by_role("heading", name="The room is full")).to_have_count(0, timeout=6_000)
        expect(pages[0].get_by_role("heading", name="One")).to_be_visible(timeout=60_000)
        for one in pages:
            one.close()


def test_on_paper_a_lesson_takes_one_page_and_a_worksheet_two(browser, model, tmp_path):
    page = browser.new_page()
    for file in worksheets.write_all(model, tmp_path):
        page.goto(file.as_uri())
        sheets = re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(prefer_css_page_size=True))
        assert len(sheets) == (1 if file.stem.startswith("lesson") else 2), file.name
        assert violations(page) == []
    page.close()
