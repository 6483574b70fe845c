"""Notebook 09 in a real JupyterLab: a table that is edited, and fine-tuning."""

import re
from xml.etree import ElementTree

import pytest
from browser.lab import card, output_of
from browser.visit import visit
from playwright.sync_api import expect

# Two steps for each example and two questions: sooner done than 32 and ten, and the same things happen.
SHORT = """
from llmviz.experiments import fine_tuned
tuning.steps, fine_tuned.N_ASKED = 16, 2
"""
SLOW = 300_000  # milliseconds that a training may take on a machine that does other things as well


@pytest.fixture(scope="module")
def lab(open_lab):
    yield from visit(open_lab("09_fine_tuning"))


def test_a_row_is_added_filled_and_taken_away(lab):
    answers = lab.page.get_by_placeholder("answer you want")
    before = answers.count()
    lab.page.get_by_role("button", name="Add an example").press("Enter")
    expect(answers).to_have_count(before + 1)
    answers.last.fill("Arr, <b>bold</b> be the brave, matey!")
    answers.last.press("Enter")
    lab.page.get_by_role("button", name="✕").last.press("Enter")
    expect(answers).to_have_count(before)


def test_a_guess_starts_the_training_and_stop_stops_it(lab):
    question = card(lab, "f-03")
    question.scroll_into_view_if_needed()
    question.get_by_role("button", name="Show me").press("Enter")
    stop = lab.page.get_by_role("button", name="Stop", exact=True, disabled=False)
    expect(stop).to_be_visible(timeout=SLOW)
    stop.press("Enter")
    expect(output_of(lab, question).get_by_role("button", name="Continue")).to_be_visible(timeout=SLOW)


def test_a_trained_model_answers_and_its_update_is_turned_off(lab):
    lab.run_code(SHORT)
    question = card(lab, "f-03")
    question.scroll_into_view_if_needed()
    question.get_by_role("button", name="Guess again").press("Enter")
    question.get_by_role("button", name="Show me").press("Enter")
    expect(lab.page.get_by_text("matey").first).to_be_visible(timeout=SLOW)
    taken = lab.page.get_by_label("Answer:")
    taken.scroll_into_view_if_needed()
    taken.select_option(index=1)
    keepsake = lab.picture("answer_card")
    with lab.page.expect_download() as saved:
        keepsake.get_by_role("button", name="SVG").click()
    drawn = ElementTree.parse(saved.value.path()).iterfind(".//{*}text")  # not the title, which has it all
    words = "".join("".join(text.itertext()) for text in drawn)
    for part in (".lv-caption", ".lv-question", ".lv-after"):
        assert "".join(keepsake.locator(part).inner_text().split()) in "".join(words.split())
    card(lab, "f-12").get_by_role("button", name="Show me").press("Enter")
    amount = lab.page.locator(".widget-slider", has_text="amount of the update").get_by_role("slider")
    amount.scroll_into_view_if_needed()
    for _ in range(4):
        amount.press("ArrowLeft")
    expect(lab.page.get_by_text(re.compile(r" 0 \D*\(0"))).to_be_visible(timeout=SLOW)
