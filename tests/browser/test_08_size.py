"""Notebook 08 in a real JupyterLab: sizes and their training, the formula, and the memory that models take."""

import re

import pytest
from browser.lab import card, output_of
from browser.visit import visit
from playwright.sync_api import expect

from llmviz.views.differences import PUBLISHED

TRAININGS, PARAMETERS, MEMORY = ("s-03", "s-06", "s-09"), "s-12", "s-19"  # cells
SLOW = 300_000  # milliseconds that a training may take on a machine that does other things as well


@pytest.fixture(scope="module")
def lab(open_lab):
    yield from visit(open_lab("08_size"))


def test_no_size_is_given_away_and_nothing_is_trained_unasked(lab):
    for cell in (*TRAININGS, PARAMETERS, MEMORY):
        output = output_of(lab, card(lab, cell))
        output.scroll_into_view_if_needed()
        assert output.locator("figure.llmviz:not(.lv-predict):visible").count() == 0
    stops = lab.page.get_by_role("button", name="Stop", exact=True)
    assert stops.locator("visible=true").count() == 0


def test_a_training_begins_with_a_guess_shows_its_curve_and_stops(lab):
    question = card(lab, TRAININGS[0])
    question.scroll_into_view_if_needed()
    question.get_by_role("button", name="Show me").click()
    output = output_of(lab, question)
    stop = output.get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=SLOW)
    expect(output.locator(".widget-hprogress, .jupyter-widget-hprogress").first).to_be_visible()
    expect(output.locator("figure.lv-line_plot .lv-line").first).to_be_visible(timeout=SLOW)
    stop.click()
    expect(output.get_by_role("button", name="Continue")).to_be_visible(timeout=SLOW)
    expect(question.get_by_role("button", name="Guess again")).to_be_visible(timeout=SLOW)


def test_the_formula_follows_the_sliders(lab):
    question = card(lab, PARAMETERS)
    question.scroll_into_view_if_needed()
    question.get_by_role("button", name="Show me").click()
    output = output_of(lab, question)
    caption = output.locator("figure.lv-line_plot .lv-caption")
    expect(caption).to_contain_text("134,515,008 parameters")
    layers = output.locator(".widget-slider", has_text="n_layers").get_by_role("slider")
    layers.press("ArrowRight")
    expect(caption).to_contain_text("138,055,104 parameters")  # 3,540,096 a layer
    expect(output.locator("select")).to_have_value("other sizes")
    for one in PUBLISHED:
        output.locator("select").select_option(one.name)
        expect(caption).to_contain_text(f"{one.count:,} parameters")
        expect(output).to_contain_text(f"Published: {one.said}")


def test_models_by_memory_answer_the_keys(lab):
    question = card(lab, MEMORY)
    question.scroll_into_view_if_needed()
    question.get_by_role("button", name="Show me").click()
    picture = output_of(lab, question).locator("figure.lv-model_sizes")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("data-lv-theme", re.compile("light|dark"))
    plot = picture.locator(".lv-plot")
    plot.press("End")
    expect(picture.locator(".lv-readout")).to_contain_text("Kimi K2")
    plot.press("ArrowUp")
    expect(picture.locator(".lv-readout")).to_contain_text("DeepSeek-V3 · 671,026,4")
    plot.press("Home")
    expect(picture.locator(".lv-readout")).to_contain_text("4.5 bits: 70 MB")
    filled = picture.locator(".lv-fits").count()
    box = output_of(lab, question).get_by_role("spinbutton", name="Memory in GB")
    box.fill("0.1")
    box.press("Enter")
    expect(picture.locator(".lv-fits")).not_to_have_count(filled)
