"""Notebook 07 in a real JupyterLab: train, stop, go on, and whose is it?"""

import re

import pytest
from browser.visit import visit
from playwright.sync_api import expect

SLOW = 300_000  # milliseconds that a training may take on a machine that does other things as well


@pytest.fixture(scope="module")
def before_guessing(open_lab):
    yield from visit(open_lab("07_text"))


@pytest.fixture(scope="module")
def lab(before_guessing):
    """All guesses made, and trainings that are over soon."""
    before_guessing.run_code(
        "training_of_stories.steps = training_of_recipes.steps = 40; little_text.steps = 400"
    )
    show = before_guessing.page.get_by_role("button", name="Show me").locator("visible=true")
    while show.count():
        show.first.scroll_into_view_if_needed()
        show.first.press("Enter")
        before_guessing.settle()
    return before_guessing


def button(lab, name, nth=0):
    found = lab.page.get_by_role("button", name=name, exact=True).nth(nth)
    found.scroll_into_view_if_needed()
    return found


def trainable(lab):
    """The buttons of the trainings that are not at work."""
    return lab.page.get_by_role("button", name="Train", exact=True, disabled=False)


def test_no_training_and_no_answer_before_a_guess(before_guessing):
    page = before_guessing.page
    assert page.get_by_role("button", name="Show me").count() >= 4
    assert page.get_by_role("button", name="Stop", exact=True).locator("visible=true").count() == 0


def test_stop_go_on_and_stop_by_keys(lab):
    short = lab.page.get_by_role("button", name="Train", exact=True).nth(1)
    short.scroll_into_view_if_needed()
    short.press("Enter")
    for name in ("Stop", "Continue", "Stop"):
        lab.page.get_by_role("button", name=name, exact=True).locator("visible=true").press("Enter")
    expect(trainable(lab)).to_have_count(3, timeout=SLOW)
    expect(lab.page.get_by_role("button", name="Continue", exact=True)).to_be_visible()


def test_two_models_and_whose_is_it(lab):
    for nth in (0, 2):
        button(lab, "Train", nth).click()
        expect(lab.page.get_by_text(re.compile(r"\b40 \w+ 40\b"))).to_have_count(1 + nth // 2, timeout=SLOW)
        expect(trainable(lab)).to_have_count(3, timeout=SLOW)
    button(lab, "Let both write").click()
    lab.page.get_by_role("radio", name="the first text").check(force=True)
    button(lab, "Lock in my guess").click()
    expect(lab.page.get_by_text(re.compile(r"\d\.\d\d .*\bA\b.*\d\.\d\d .*\bB\b")).first).to_be_visible(
        timeout=SLOW
    )


def test_the_map_follows_and_a_slider_plays_the_sentence_through(lab):
    lab.picture("flat_map").scroll_into_view_if_needed()
    expect(lab.picture("flat_map")).to_contain_text(re.compile(r"\b40\b"))
    sentence = lab.picture("token_strip")
    sentence.scroll_into_view_if_needed()
    expect(sentence).to_contain_text(re.compile(r"\b40 steps"))
    lab.page.locator(".widget-slider", has_text="Step").first.get_by_role("slider").press("Home")
    expect(sentence).to_contain_text(re.compile(r"\b0 steps"))
