"""Notebooks as pages without code: Voilà in its dark theme. (Those that are not here are in their own tests.)"""

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def front(open_voila):
    return open_voila("00_the_loop")


def check_dark(lab):
    assert lab.errors() == []
    assert lab.console == []
    assert lab.outside == []
    expect(lab.page.locator("figure.llmviz[data-lv-theme=dark]").nth(2)).to_be_attached()
    # One that is hidden until something is chosen is drawn once it is shown.
    expect(lab.page.locator("figure.llmviz:not([data-lv-theme=dark]):visible")).to_have_count(0)


def test_the_front_page_is_dark(front):
    check_dark(front)


def test_a_question_hidden_at_first_is_drawn_dark_when_it_is_asked(front):
    board = front.page.locator(".lv-explorer").filter(has=front.page.locator("figure.lv-switches")).last
    question = board.locator("figure.lv-predict")
    expect(question).to_be_hidden()
    experiments = front.page.get_by_label("Experiments")
    experiments.select_option(index=1)  # the first is none
    expect(question).to_be_visible()
    expect(question).to_have_attribute("data-lv-theme", "dark")
    expect(question).to_contain_text("?")


def test_the_maps_links_lead_to_the_other_pages(front):
    link = front.picture("pipeline_map").get_by_role("link").first
    file = link.get_attribute("href")
    link.click()
    front.page.wait_for_url(f"**/voila/render/{file}", wait_until="commit")


def test_another_page_is_dark(open_voila):
    check_dark(open_voila("05_ffn"))
