"""A class on a projector, and a picture in full screen there: keys, large type, controls within reach."""

import contextlib
import re
from collections.abc import Iterator

import pytest
from browser.violations import violations
from nbformat.v4 import new_code_cell as code
from nbformat.v4 import new_markdown_cell as text
from playwright.sync_api import Page, expect
from small_class import small_class

WIDTH, HEIGHT = 1280, 720
CELLS = [
    text("## A slider"),
    code(
        "import ipywidgets, numpy as np\n"
        "from llmviz.views import HeatMap\n"
        "from llmviz.views.kit.picture import Explorer\n"
        "grid = lambda: HeatMap(np.tril(np.ones((4, 4)) / 4), ['a', 'b', 'c', 'd'])\n"
        "Explorer([ipywidgets.IntSlider(2, 0, 9, description='n'), ipywidgets.Text('typed'), grid()])"
    ),
    text("## Two pictures"),
    code("grid()"),
    text("and"),
    code("grid()"),
    text("## A reveal"),
    code(
        "button, place = ipywidgets.Button(description='Show me'), ipywidgets.VBox()\n"
        "button.on_click(lambda _: setattr(place, 'children', (grid(),)))\n"
        "above = ipywidgets.HTML('<p style=\"height: 300px\">above</p>')\n"
        "ipywidgets.VBox([above, button, place, ipywidgets.HTML('<p style=\"height: 900px\">below</p>')])"
    ),
    text("## The end"),
]


@pytest.fixture(scope="module")
def projected(tmp_path_factory):
    with small_class(tmp_path_factory.mktemp("projected"), *CELLS, project=True) as (address, _):
        yield f"{address}/voila/render/one.ipynb"


@contextlib.contextmanager
def on_the_wall(browser, projected, scheme: str = "dark") -> Iterator[Page]:
    wrong = []
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(projected)
    expect(page.locator("figure.llmviz")).to_have_count(3, timeout=60_000)
    expect(page.get_by_role("status").filter(has_text="/")).to_have_text("1 / 6")
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def page(browser, projected):
    with on_the_wall(browser, projected) as page:
        yield page


def bottom(page) -> int:
    """How many pixels of the scene are still below."""
    return page.evaluate("document.scrollingElement.scrollHeight - innerHeight - Math.round(scrollY)")


def leads(page, element, key: str, place: int) -> None:
    """This key, pressed as often as the scene has screens, leads to that place."""
    counter = page.locator(".lv-steps [role=status]")
    before = counter.inner_text()
    for _ in range(10):
        room = page.evaluate("Math.round(scrollY)") if key in ("ArrowLeft", "PageUp") else bottom(page)
        element.press(key)
        if room <= 3:
            break
        expect(counter).to_have_text(before)
    expect(counter).to_have_text(f"{place} / 6")
    assert page.evaluate("scrollY") == 0


def test_one_picture_a_screen_by_keys_by_a_clicker_and_in_full_screen(page):
    counter = page.locator(".lv-steps [role=status]")
    heading = page.get_by_role("heading")
    page.keyboard.press("PageDown")
    expect(counter).to_have_text("2 / 6")
    assert heading.all_inner_texts() == ["A slider"]
    assert page.evaluate("document.body.currentCSSZoom") == pytest.approx(HEIGHT / 600, abs=0.01)

    # a slider and a text box keep their arrows; a clicker leads on from everywhere
    slider, box = page.get_by_role("slider"), page.get_by_role("textbox")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "3.0")
    box.press("ArrowLeft")
    expect(counter).to_have_text("2 / 6")
    leads(page, box, "PageDown", 3)
    for key, place in [("ArrowRight", 4), ("ArrowRight", 5), ("ArrowLeft", 4), ("PageUp", 3)]:
        leads(page, page.locator("body"), key, place)
        expect(page.locator("figure.llmviz:visible")).to_have_count(0 if place == 5 else 1)
    page.get_by_role("button", name="Next").click()
    expect(counter).to_have_text("4 / 6")
    page.get_by_role("button", name="Back").click()
    page.reload()
    expect(counter).to_have_text("3 / 6")
    page.keyboard.press("ArrowLeft")
    expect(counter).to_have_text("2 / 6")

    # full screen: the slider is there, all is as large as before, and the pointer is where it is seen
    figure = page.locator("figure.llmviz:visible")
    figure.get_by_role("button", name="Full screen").press("Enter")
    page.wait_for_function("document.fullscreenElement?.style.zoom")
    leave = figure.get_by_role("button", name="Leave full screen")
    expect(leave).to_be_focused()
    whole = page.locator(":fullscreen")
    assert whole.evaluate("(node) => node.currentCSSZoom") == pytest.approx(WIDTH / 900, abs=0.01)
    assert whole.evaluate("(node) => getComputedStyle(node).backgroundColor") == "rgb(17, 20, 24)"
    expect(slider).to_be_in_viewport()
    canvas = figure.locator("canvas").first
    side = canvas.bounding_box()["width"] / 4
    canvas.hover(position={"x": 2.5 * side, "y": 3.5 * side})
    expect(figure.locator(".lv-readout")).to_contain_text(re.compile("from .*d.* to .*c.*"))
    leave.click()
    page.wait_for_function("!document.fullscreenElement")
    figure.get_by_role("button", name="Full screen").press("Enter")
    page.wait_for_function("document.fullscreenElement?.style.zoom")
    page.keyboard.press("PageDown")  # no clicker is caught there
    page.wait_for_function("!document.fullscreenElement")
    expect(counter).to_have_text("2 / 6")
    expect(figure.get_by_role("button", name="Full screen")).to_be_visible()
    expect(page.locator(".lv-full")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_wall(browser, projected, scheme):
    with on_the_wall(browser, projected, scheme) as page:
        page.get_by_role("button", name="Next").click()
        expect(page.get_by_role("slider")).to_be_visible()
        assert violations(page) == []


def test_one_scroll_bar_and_what_is_revealed_is_scrolled_to(page):
    for _ in range(4):
        page.get_by_role("button", name="Next").click()
    assert page.get_by_role("heading").all_inner_texts() == ["A reveal"]
    scroll_bars = """[...document.querySelectorAll("*")].filter((one) => one.scrollHeight > one.clientHeight + 1
        && one.clientHeight && ["auto", "scroll"].includes(getComputedStyle(one).overflowY)).length"""
    assert page.evaluate(scroll_bars) == 0  # but for the window's own
    assert bottom(page) > 300
    page.get_by_role("button", name="Show me").click()
    picture = page.locator("figure.llmviz:visible")
    expect(picture).to_be_in_viewport(ratio=1)
    lowest = picture.bounding_box()["y"] + picture.bounding_box()["height"]
    assert lowest <= page.locator(".lv-steps").bounding_box()["y"]
    at = page.evaluate("scrollY")
    assert at > 0
    page.keyboard.press("PageDown")  # the rest of the scene first
    page.wait_for_function(f"scrollY > {at}")
    while bottom(page) > 3:
        page.keyboard.press("ArrowRight")
    text = page.get_by_text("below", exact=True)
    assert (
        page.locator(".lv-steps").bounding_box()["y"]
        >= text.bounding_box()["y"] + text.bounding_box()["height"]
    )
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("heading").all_inner_texts() == ["The end"]
