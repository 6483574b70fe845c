"""A marked term shows its definition under the pointer and under the focus: in JupyterLab, in Voilà and on a page."""

import nbformat
import pytest
from browser.lab import Lab, serve
from playwright.sync_api import expect

from llmviz import glossary, page

v4 = nbformat.v4
TEXT = f"# Terms\n\n{'Words before it. ' * 12}A **<a>token</a>**, and words after it."
PICTURE = "from llmviz.views.kit.predict import GuessCard\nGuessCard(question='How many?')"


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A notebook with a marked term far to the right, and a picture, with which the style sheet comes."""
    cells = [v4.new_markdown_cell(glossary.with_definitions(TEXT)), v4.new_code_cell(PICTURE)]
    path = tmp_path_factory.mktemp("marked") / "terms.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def check(shown) -> None:
    term = shown.locator("a", has_text="token")
    definition = glossary.term("token").definition
    expect(term).to_have_attribute("title", definition)  # a browser shows it under the pointer
    expect(shown.locator("figure.lv-predict")).to_be_visible()
    for _ in range(60):  # as far as the Tab key goes
        if term.evaluate("(a) => a === document.activeElement"):
            break
        shown.keyboard.press("Tab")
    expect(term).to_be_focused()
    assert term.evaluate("(a) => JSON.parse(getComputedStyle(a, '::after').content)") == definition
    # It makes the text taller, so no frame around it cuts it off.
    height = "(a) => a.closest('p').clientHeight"
    with_it = term.evaluate(height)
    term.evaluate("(a) => a.blur()")
    assert with_it > term.evaluate(height) + 20


@pytest.mark.parametrize("kind", ["lab", "voila"])
def test_a_term_is_explained_beside_a_kernel(kind, browser, marked, tmp_path):
    with serve(tmp_path / "served", marked.parent, kind) as server:
        lab = Lab(browser, server)
        lab.open("terms")
        if kind == "lab":
            lab.run_all()
            lab.command("notebook:enter-command-mode")
        check(lab.page)
        lab.close()


def test_a_term_is_explained_on_a_page(browser, marked, tmp_path):
    (built,) = page.build_all([marked], 20, 1, lambda _: None)
    page.write_page(built, tmp_path / "terms.html", {})
    shown = browser.new_page(viewport={"width": 1100, "height": 700})
    shown.goto((tmp_path / "terms.html").as_uri())
    check(shown)
    shown.close()
