"""Notebook 07 in a real JupyterLab: its three sittings one after the other, on one page.

Train, stop, go on, and whose is it? Then sizes and their training. Then a table that is edited, and fine-tuning.
"""

import re

import pytest
from browser.lab import visit
from playwright.sync_api import expect

from llmviz.views.differences import PUBLISHED

CARDS = 8  # of the first sitting, before anything is written
TRAININGS = ("After 12 seconds", "After 150 steps", "400 steps each")
# Two steps for each example and two questions: sooner done than 32 and ten, and the same things happen.
SHORT = """
from llmviz.views.differences import fine_tuning
f_tuning.steps, fine_tuning.ASKED = 16, fine_tuning.ASKED[:2]
"""
SLOW = 300_000  # milliseconds that a training may take on a machine that does other things as well


@pytest.fixture(scope="module")
def before_guessing(open_lab):
    yield from visit(open_lab("07_differences"))


@pytest.fixture(scope="module")
def lab(before_guessing):
    """All guesses of the first sitting made, and trainings that are over soon."""
    before_guessing.run_code("learner.steps = second.steps = 40; short.steps = 400")
    show = before_guessing.page.get_by_role("button", name="Show me").locator("visible=true")
    for _ in range(CARDS):  # those behind them train, for minutes
        show.first.scroll_into_view_if_needed()
        show.first.press("Enter")
        before_guessing.settle()
    return before_guessing


def button(lab, name, nth=0):
    found = lab.page.get_by_role("button", name=name, exact=True).nth(nth)
    found.scroll_into_view_if_needed()
    return found


def trainable(lab):
    """The buttons of the learners that are not at work."""
    return lab.page.get_by_role("button", name="train", exact=True, disabled=False)


def card(lab, question):
    return lab.page.locator("figure.lv-predict", has_text=question)


def output_of(lab, answered):
    return lab.page.locator(".jp-OutputArea-output").filter(has=answered)


def test_no_training_and_no_answer_before_a_guess(before_guessing):
    page = before_guessing.page
    assert page.get_by_role("button", name="Show me").count() >= 4
    assert page.get_by_role("button", name="Stop", exact=True).locator("visible=true").count() == 0


def test_no_size_is_given_away(before_guessing):
    lab = before_guessing
    for question in (*TRAININGS, "Where are most", "does Llama 3.1 405B have", "first to surprise it"):
        output = output_of(lab, card(lab, question))
        output.scroll_into_view_if_needed()
        assert output.locator("figure.llmviz:not(.lv-predict):visible").count() == 0
        assert output.get_by_role("button", name=re.compile("^stop$")).count() == 0


def test_nothing_is_trained_unasked(before_guessing):
    lab = before_guessing
    stops = lab.page.get_by_role(
        "button", name="Stop", exact=True, disabled=False
    )  # one waits in another sitting
    assert stops.locator("visible=true").count() == 0


# --- the first sitting: the text ---


def test_stop_go_on_and_stop_by_keys(lab):
    short = lab.page.get_by_role("button", name="train", exact=True).nth(1)
    short.scroll_into_view_if_needed()
    short.press("Enter")
    for name in ("Stop", "Continue", "Stop"):
        lab.page.get_by_role("button", name=name, exact=True).locator("visible=true").press("Enter")
    expect(trainable(lab)).to_have_count(3, timeout=SLOW)
    expect(lab.page.get_by_role("button", name="Continue", exact=True)).to_be_visible()


def test_two_models_and_whose_is_it(lab):
    for nth in (0, 2):
        button(lab, "train", nth).click()
        expect(lab.page.get_by_text(re.compile(r"\b40 \w+ 40\b"))).to_have_count(1 + nth // 2, timeout=SLOW)
        expect(trainable(lab)).to_have_count(3, timeout=SLOW)
    button(lab, "let both write").click()
    lab.page.get_by_role("radio", name="the first text").check(force=True)
    button(lab, "Lock in my guess").click()
    expect(lab.page.get_by_text(re.compile(r"\d\.\d\d .*\bA\b.*\d\.\d\d .*\bB\b")).first).to_be_visible(
        timeout=SLOW
    )


def test_the_map_and_the_heads_follow(lab):
    lab.picture("flat_map").scroll_into_view_if_needed()
    expect(lab.picture("flat_map")).to_contain_text(re.compile(r"\b40\b"))
    expect(lab.page.get_by_text(re.compile(r"^\d+ .*\n?.*%.*%")).first).to_be_visible()


# --- the second: size and configuration ---


def test_a_training_begins_with_a_guess_shows_its_curve_and_stops(lab):
    question = card(lab, "After 12 seconds")
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
    question = card(lab, "Where are most")
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
    question = card(lab, "does Llama 3.1 405B have")
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


# --- the third: fine-tuning ---


def test_a_row_is_added_filled_and_taken_away(lab):
    answers = lab.page.get_by_placeholder("the answer to it")
    before = answers.count()
    lab.page.get_by_role("button", name="add an example").press("Enter")
    expect(answers).to_have_count(before + 1)
    answers.last.fill("Arr, <b>bold</b> be the brave, matey!")
    answers.last.press("Enter")
    lab.page.get_by_role("button", name="✕").last.press("Enter")
    expect(answers).to_have_count(before)


def test_a_guess_starts_the_training_and_stop_stops_it(lab):
    card = lab.page.locator("figure.lv-predict", has_text="not in the table").first
    card.scroll_into_view_if_needed()
    card.get_by_role("button", name="Show me").press("Enter")
    stop = lab.page.get_by_role("button", name="Stop", exact=True, disabled=False)
    expect(stop).to_be_visible(timeout=SLOW)
    stop.press("Enter")
    expect(output_of(lab, card).get_by_role("button", name="Continue")).to_be_visible(timeout=SLOW)


def test_a_trained_model_answers_and_its_update_is_turned_off(lab):
    lab.run_code(SHORT)
    card = lab.page.locator("figure.lv-predict", has_text="not in the table").first
    card.scroll_into_view_if_needed()
    card.get_by_role("button", name="Guess again").press("Enter")
    card.get_by_role("button", name="Show me").press("Enter")
    expect(lab.page.get_by_text("matey").first).to_be_visible(timeout=SLOW)
    amount = lab.page.locator(".widget-slider", has_text="times the update").get_by_role("slider")
    amount.scroll_into_view_if_needed()
    for _ in range(4):
        amount.press("ArrowLeft")
    expect(lab.page.get_by_text(re.compile(r" 0 \D*\(0"))).to_be_visible(timeout=SLOW)
    assert lab.errors() == []
