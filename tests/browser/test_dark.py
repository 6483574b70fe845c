"""Each notebook in JupyterLab's dark theme. (The tests of a notebook's own work it in the light one.)"""

import shutil

import pytest
from browser.lab import NOTEBOOKS
from playwright.sync_api import expect

NAMES = [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))]


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_is_drawn_dark(open_lab, lab_server, name):
    # JupyterLab may have saved it for another test, with outputs whose widgets are gone.
    shutil.copy(NOTEBOOKS / f"{name}.ipynb", lab_server.root / "notebooks")
    lab = open_lab(name, theme="dark")
    lab.run_all()
    pictures = lab.page.locator("figure.llmviz")
    assert pictures.count() > 5
    for picture in pictures.all():
        if picture.is_visible():  # some wait for a text to be typed or a button to be pressed
            picture.scroll_into_view_if_needed()
            expect(picture).to_have_attribute("data-lv-theme", "dark")
    assert lab.errors() == []
    assert lab.console == []
    assert lab.outside == []
