"""What a long lesson does to a page: a slider dragged and dragged, a restart in the middle of an experiment."""

import re

import pytest
from playwright.sync_api import expect

CELLS = (
    "import llmviz, ipywidgets\nfrom llmviz import views",
    "loop = views.LoopExplorer(llmviz.load(), 'The best thing about a rainy day is')\nloop",
    "print('alive', len(ipywidgets.widgets.widget._instances))",
)


@pytest.fixture(scope="module")
def lab(open_lab, lab_server):
    lab_server.write("an_hour", *CELLS)
    lab = open_lab("an_hour")
    lab.run_all()
    return lab


def alive(lab) -> int:
    """How many widgets the kernel has."""
    lab.run_code(CELLS[2])
    return int(re.findall(r"alive (\d+)", lab.page.locator(".jp-OutputArea-output").last.inner_text())[0])


def test_a_slider_that_is_dragged_leaves_nothing_behind(lab):
    before = alive(lab)
    slider = lab.page.get_by_role("slider").first
    slider.focus()
    for i in range(300):
        lab.page.keyboard.press("ArrowRight" if i // 20 % 2 == 0 else "ArrowLeft")
    lab.settle()
    assert alive(lab) == before
    value = lab.picture("next_token_bars").locator(".lv-value").first.inner_text()
    slider.focus()
    lab.page.keyboard.press("Home")  # the slider still moves the picture
    expect(lab.picture("next_token_bars").locator(".lv-value").first).not_to_have_text(value, timeout=60_000)


def test_a_restart_in_the_middle_is_said_and_a_run_heals_it(lab):
    lab.page.get_by_role("button", name="Write 30 more").first.click()
    lab.page.evaluate(
        "async () => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    bars = lab.picture("next_token_bars")
    expect(bars).to_have_class(re.compile("lv-ended"), timeout=60_000)
    expect(bars.locator(".lv-readout")).not_to_be_empty()
    lab.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
    )
    lab.run_all()
    assert lab.page.locator(".lv-ended").count() == 0
    lab.page.get_by_role("button", name="Pick one").first.click()
    expect(lab.picture("token_strip").locator(".lv-chip")).to_have_count(1, timeout=60_000)
    assert (lab.errors(), lab.console, lab.outside) == ([], [], [])
