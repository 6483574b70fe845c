"""Notebook 06 in a real JupyterLab: each interaction by mouse and by keyboard."""

import itertools
import re

import pytest
from browser.lab import NO_TEXT, NOTEBOOKS, Lab, readout
from browser.visit import visit
from playwright.sync_api import expect

MOVED = re.compile(r"min-p.*\b1 .*\b4\b")  # where a card lies now
WRITING = "…"  # what a text says as long as it is being written

SLOW = 120_000  # milliseconds that writing may take on a machine that does other things as well


@pytest.fixture(scope="module")
def before_guessing(open_lab):
    yield from visit(open_lab("06_sampling"))


@pytest.fixture(scope="module")
def lab(before_guessing):
    """All guesses made."""
    before_guessing.give_up_all()
    return before_guessing


def test_no_picture_is_open_before_a_guess(before_guessing):
    open_pictures = before_guessing.page.locator("figure.llmviz:not(.lv-predict):visible")
    expect(open_pictures).to_have_count(2)  # the bars of the temperature, and softmax step by step
    expect(before_guessing.page.get_by_role("button", name="Show me")).to_have_count(5)


def drawn(lab, name, nth=0):
    """A picture, once it is on the screen and painted: what lies far below is drawn only when it comes into view."""
    picture = lab.picture(name, nth)
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("data-lv-theme", re.compile("light|dark"))
    return picture


def controls(lab, picture):
    """The whole output that a picture stands in, with its controls."""
    return picture.locator("xpath=ancestor::*[contains(@class, 'jp-OutputArea-output')][1]")


def knobs(box):
    """The handles of the explorer's sliders; that of the guess card is another kind."""
    return box.locator(".noUi-handle")


def close_panel(lab, picture):
    expect(picture.locator(".lv-explain")).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(picture.locator(".lv-explain")).to_be_hidden()


def test_the_temperature_moves_the_bars(lab):
    bars = drawn(lab, "next_token_bars")
    box = controls(lab, bars)
    slider = knobs(box).first
    value = bars.locator(".lv-value").first
    before = value.text_content()  # also where JupyterLab has not laid it out yet
    slider.press("ArrowRight")
    expect(value).not_to_have_text(before)
    for name, what in (
        ("T = 0", r"\b0 bits"),
        ("T = 2", r"1\d\.\d bits"),
        ("T = 1", r"7\.0 bits"),
    ):
        box.get_by_role("button", name=name, exact=True).press("Enter")
        expect(box.get_by_text(re.compile(what)).first).to_be_visible()
    expect(value).to_have_text(before)


def test_the_three_steps_explain_themselves(lab):
    steps = drawn(lab, "softmax_steps")
    table = steps.locator(".lv-table")
    steps.locator(".lv-measure").first.click()
    expect(steps.locator(".lv-explain")).to_contain_text("x @ w")
    table.press("ArrowRight")
    expect(steps.locator(".lv-explain")).to_contain_text("np.exp")
    table.press("ArrowRight")
    table.press("End")
    expect(readout(steps)).to_contain_text("probability")
    close_panel(lab, steps)


def text_box(lab):
    return controls(lab, drawn(lab, "next_token_bars")).locator("input[type=text]").first


def test_a_typed_text_reaches_the_bars(lab):
    bars = drawn(lab, "next_token_bars")
    box = text_box(lab)
    old, labels = box.input_value(), bars.locator(".lv-label")
    before = labels.first.text_content()
    box.fill("The capital of France is")
    box.press("Enter")
    expect(labels.first).to_contain_text("Paris")
    box.fill("")
    box.press("Enter")
    expect(controls(lab, bars).get_by_text(NO_TEXT)).to_be_visible()
    box.fill(old)
    box.press("Enter")
    expect(labels.first).to_have_text(before)


def in_order(cards, *names):
    expect(cards.locator(".lv-title")).to_have_text(list(names))


def test_cards_move_by_keys_and_by_drag(lab):
    cards = drawn(lab, "sampler_cards")
    in_order(cards, "temperature", "top-k", "top-p", "min-p")
    top_p = cards.locator("[data-name=top_p]")
    kept = top_p.locator(".lv-says")
    top_p.focus()
    lab.page.keyboard.press("Home")
    expect(cards.locator(".lv-title").first).to_have_text("top-p")
    expect(top_p).to_be_focused()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowRight")
    expect(cards.locator(".lv-title").nth(2)).to_have_text("top-p")
    expect(top_p).to_be_focused()

    source, target = cards.locator("[data-name=min_p]"), cards.locator("[data-name=temperature]")
    source.locator(".lv-title").hover()
    lab.page.mouse.down()
    box = target.bounding_box()
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40, steps=12)
    lab.page.mouse.up()
    expect(cards.locator(".lv-title").first).to_have_text("min-p")
    expect(readout(cards)).to_contain_text(MOVED)

    bars = drawn(lab, "next_token_bars", 1)
    cards.scroll_into_view_if_needed()
    slider = cards.locator("[data-name=temperature] input")
    before = bars.locator(".lv-bars").text_content()
    slider.press("ArrowRight")
    expect(bars.locator(".lv-bars")).not_to_have_text(before)
    expect(kept).to_contain_text("keeps")
    expect(cards.locator(".lv-waiting")).to_have_count(0)  # the numbers are those of the cards as they lie


def test_cards_are_switched_and_set(lab):
    cards = drawn(lab, "sampler_cards")
    min_p = cards.locator("[data-name=min_p]")
    switch = min_p.get_by_role("button")
    switch.click()
    expect(min_p.locator(".lv-cuts")).to_contain_text(re.compile(r"cuts .*%"))
    min_p.focus()
    lab.page.keyboard.press("Enter")
    expect(min_p.locator(".lv-says")).to_have_text("off")
    presets = lab.page.locator(".widget-dropdown", has_text="Settings to try").locator("select")
    presets.select_option(label="wild: T 2, min-p 0.1")
    expect(min_p.locator(".lv-setting")).to_have_text("0.10")
    expect(cards.locator("[data-name=top_p] .lv-says")).to_have_text("off")
    in_order(cards, "temperature", "min-p", "top-k", "top-p")
    expect(readout(cards)).not_to_contain_text(MOVED)  # the reader's move is undone
    bars = drawn(lab, "next_token_bars", 1)
    bars.locator(".lv-row").first.click()
    expect(bars.locator(".lv-explain")).to_contain_text("min_p = 0.1")
    close_panel(lab, bars)


def loop(lab):
    text = drawn(lab, "written_text")
    box = controls(lab, text)
    return (
        text,
        text.locator(".lv-chip:not(.lv-gap)"),
        lambda name: box.get_by_role("button", name=name, exact=True),
    )


def test_the_first_ten_turns_are_there(lab):
    text, chips, _ = loop(lab)
    expect(chips).to_have_count(text.locator(".lv-own").count() + 10)
    expect(text.locator(".lv-likeliest")).to_have_count(3)


def test_the_loop_steps_and_goes_back(lab):
    text, chips, button = loop(lab)
    button("Start again").click()
    lab.settle()
    n = lab.page.locator(".lv-written_text").first.locator(".lv-own").count()
    expect(chips).to_have_count(n)
    for i in range(1, 5):
        button("Step").press("Enter")
        expect(chips).to_have_count(n + i)
    expect(controls(lab, text).get_by_text(re.compile(r"^4 .* \d"))).to_be_visible()
    last = chips.last.text_content()
    button("Back").click()
    expect(chips).to_have_count(n + 3)
    button("Step").click()
    expect(chips).to_have_count(n + 4)
    assert chips.last.text_content() == last  # the same dart
    button("Start again").click()
    expect(chips).to_have_count(n)


def test_the_reader_takes_another_token(lab):
    text, chips, button = loop(lab)
    n = chips.count()
    rows = text.locator(".lv-row")
    wanted = rows.nth(3).locator(".lv-piece").text_content()
    rows.nth(3).click()
    expect(chips).to_have_count(n + 1)
    expect(chips.last).to_have_text(wanted)
    button("Step").click()
    expect(chips).to_have_count(n + 2)
    chips.nth(n).hover()
    expect(text.locator(".lv-heading")).not_to_be_empty()
    expect(readout(text)).to_contain_text("probability")
    expect(text.locator(".lv-taken")).to_contain_text(wanted)
    chips.nth(n).click()
    expect(text.locator(".lv-explain")).to_contain_text(wanted)
    close_panel(lab, text)
    tokens = text.locator(".lv-chips")
    tokens.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowLeft")
    other = rows.nth(1).locator(".lv-piece").text_content()
    lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("Enter")
    expect(chips).to_have_count(n + 1)
    expect(chips.last).to_have_text(other)
    button("Start again").click()
    expect(chips).to_have_count(n)


def test_two_sides_and_their_repetition(lab):
    greedy, drawn_side = drawn(lab, "written_text", 1), lab.picture("written_text", 2)
    box = controls(lab, greedy)
    expect(greedy.locator(".lv-again").first).to_be_attached(timeout=SLOW)
    expect(greedy.locator(".lv-chip")).to_have_count(47, timeout=SLOW)
    likeliest = greedy.locator(".lv-chips").text_content()
    slider = knobs(box).nth(1)
    slider.focus()
    lab.page.keyboard.press("Home")  # temperature 0 on both sides: the same text
    # The text before it was as long, so only the words show that the new one is there.
    expect(drawn_side.locator(".lv-chips")).to_have_text(likeliest, timeout=SLOW)
    expect(greedy.locator(".lv-chips")).to_have_text(likeliest, timeout=SLOW)


def test_with_and_without_the_template(lab):
    with_it, without = drawn(lab, "written_text", 3), lab.picture("written_text", 4)
    box = controls(lab, with_it)
    expect(box.locator(".lv-sentences", has_text=WRITING)).to_have_count(0, timeout=SLOW)
    expect(with_it.locator(".lv-highlight").first).to_contain_text("im_start")
    expect(without.locator(".lv-highlight")).to_have_count(0)
    with_it.locator(".lv-chip").last.hover()
    expect(readout(with_it)).to_contain_text("end token")
    with_it.locator(".lv-row").nth(1).click()
    expect(with_it.locator(".lv-explain")).to_contain_text("softmax")
    close_panel(lab, with_it)
    n = with_it.locator(".lv-chip").count()
    box.get_by_role("checkbox").uncheck()
    expect(with_it.locator(".lv-chip").nth(n - 1)).to_have_count(0, timeout=SLOW)
    expect(box.locator(".lv-sentences", has_text=WRITING)).to_have_count(0, timeout=SLOW)
    expect(with_it.locator(".lv-chip").last).to_contain_text("im_end")
    question = box.locator("input[type=text]")
    question.fill("Say <i>hello</i>.")
    question.press("Enter")
    expect(without.locator(".lv-own").first).to_contain_text("Say")
    expect(box.locator(".lv-sentences", has_text=WRITING)).to_have_count(0, timeout=SLOW)


def test_under_voila_in_dark(browser, voila_server):
    page = Lab(browser, voila_server)
    try:
        page.open("06_sampling", still=False)  # it goes on writing
        n_cards = (NOTEBOOKS / "06_sampling.ipynb").read_text("utf-8").count("views.Predict(")
        expect(page.page.get_by_role("button", name="Show me")).to_have_count(n_cards, timeout=SLOW)
        reveal(page, "sampler_cards")
        cards = drawn(page, "sampler_cards")
        expect(cards).to_have_attribute("data-lv-theme", "dark")
        cards.locator("[data-name=top_p]").focus()
        page.page.keyboard.press("ArrowLeft")
        expect(cards.locator(".lv-title").nth(1)).to_have_text("top-p")
        reveal(page, "written_text")
        text = drawn(page, "written_text")
        expect(text.locator(".lv-chip.lv-gap")).to_have_count(1)
        n = text.locator(".lv-chip").count()
        text.locator(".lv-row").nth(2).click()
        expect(text.locator(".lv-chip")).to_have_count(n + 1)
        assert page.page.get_by_text("Traceback").count() == 0
        assert page.console == []
        assert page.outside == []
    finally:
        page.close()


def reveal(lab, name):
    """Press "Show me" on the card before a picture."""
    picture = lab.picture(name)
    card = picture.locator("xpath=preceding::figure[contains(@class, 'lv-predict')][1]")
    card.get_by_role("button", name="Show me").click()


def test_the_cards_stand_below_each_other_where_there_is_no_room(lab):
    cards = drawn(lab, "sampler_cards")
    lab.page.set_viewport_size({"width": 900, "height": 1000})
    lab.settle()
    boxes = [one.bounding_box() for one in cards.locator(".lv-step").all()]
    for above, below in itertools.pairwise(boxes):
        assert below["x"] == above["x"]
        assert below["y"] > above["y"] + above["height"] - 1
    assert cards.locator(".lv-body").evaluate("body => body.scrollWidth <= body.clientWidth")
    cards.evaluate("node => { node.style.width = '311px'; }")  # as on a phone
    lab.settle()
    for card in cards.locator(".lv-step").all():
        assert card.locator("input").bounding_box()["width"] > 150
        assert card.locator(".lv-hint").bounding_box()["height"] < 30  # one line
    cards.evaluate("node => { node.style.width = ''; }")
    lab.page.set_viewport_size({"width": 1400, "height": 1000})
    lab.settle()
    boxes = [one.bounding_box() for one in cards.locator(".lv-step").all()]
    assert len({box["y"] for box in boxes}) == 1
    for card, box in zip(cards.locator(".lv-step").all(), boxes, strict=True):
        switch = card.locator(".lv-switch").bounding_box()
        assert switch["x"] + switch["width"] <= box["x"] + box["width"]
