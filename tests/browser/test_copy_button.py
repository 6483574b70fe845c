"""The button that copies a view as a line of code: by mouse and keys, on safe pages and others, and not on paper."""

import pytest
from playwright.sync_api import expect

from llmviz.views.kit.drawn import bundle

LINE = "views.sampling.StepByStep(prompt, temperature=0.7, seed=3)"
PAGE = """
async ([script, style, line]) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  const { copy_button } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  const el = document.body.appendChild(document.createElement("div"));
  copy_button({ model: { get: () => line }, el });
  document.body.append(document.createElement("textarea"));
}
"""


@pytest.fixture(params=["https", "http"])  # the clipboard that scripts know is for safe pages only
def page(browser, request):
    """A page with the button, and a box to paste into."""
    context = browser.new_context()
    address = f"{request.param}://somewhere.test/"
    if request.param == "https":
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(address)
    page.evaluate(PAGE, [bundle().source, bundle().style, LINE])
    yield page
    assert errors == []
    context.close()


@pytest.mark.parametrize("press", [lambda button: button.click(), lambda button: button.press("Enter")])
def test_it_copies_the_line_and_says_so(page, press):
    button = page.get_by_role("button", name="Copy as code")
    press(button)
    expect(page.get_by_role("status")).to_contain_text(LINE)
    expect(button).to_be_focused()
    box = page.get_by_role("textbox")
    box.press("Control+v")
    expect(box).to_have_value(LINE)


def test_paper_does_without(page):
    button = page.get_by_role("button", name="Copy as code")
    expect(button).to_be_visible()
    page.emulate_media(media="print")
    expect(button).not_to_be_visible()
