"""The first notebooks as pages without code: Voilà in its dark theme."""

import pytest
from browser.lab import NOTEBOOKS
from playwright.sync_api import expect


@pytest.mark.parametrize("name", ["00_the_loop", "01_tokenization", "02_embeddings"])
def test_a_notebook_as_a_dark_page(open_voila, name):
    if not (NOTEBOOKS / f"{name}.ipynb").exists():
        pytest.skip(f"{name} is not written yet")
    lab = open_voila(name)
    assert lab.errors() == []
    assert lab.console == []
    assert lab.outside == []
    expect(lab.picture("pipeline_map")).to_be_visible()
    expect(lab.page.locator("figure.llmviz[data-lv-theme=dark]").nth(2)).to_be_attached()
    expect(lab.page.locator("figure.llmviz:not([data-lv-theme=dark])")).to_have_count(0)
    # The map's links lead to the other pages.
    link = lab.picture("pipeline_map").get_by_role("link").first
    file = link.get_attribute("href")
    link.click()
    lab.page.wait_for_url(f"**/voila/render/{file}", wait_until="commit")
