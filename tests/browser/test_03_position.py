"""Notebook 03 in a real JupyterLab: clocks, heads, switches and swaps, by mouse and by keyboard, on odd texts too."""

import re

import pytest
from browser.lab import NO_TEXT, report
from browser.visit import visit
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def before_guessing(open_lab):
    yield from visit(open_lab("03_position"))


@pytest.fixture(scope="module")
def lab(before_guessing):
    """With all folds open and all pictures shown."""
    before_guessing.show_all()
    return before_guessing


def around(picture):
    """The box of widgets that a picture stands in, its controls included."""
    return picture.locator("xpath=ancestor::*[contains(@class, 'lv-explorer')][1]")


def slider(name, near):
    """The handle of the slider with this name, in the same box of widgets as a picture."""
    handle = around(near).locator(".widget-slider", has_text=name).locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    return handle


def shown(lab, name, nth=0):
    """A picture, in sight."""
    picture = lab.picture(name, nth)
    picture.scroll_into_view_if_needed()
    return picture


def score(dial):
    return dial.locator(".lv-dial-sum b").text_content()


def test_the_tokens_fall_into_one_set(before_guessing):
    lab = before_guessing
    guess = shown(lab, "predict")
    strip = lab.page.locator("figure.lv-token_strip").first
    expect(strip).to_be_hidden()
    guess.get_by_text("no", exact=True).click()
    guess.get_by_role("button", name="Lock in my guess").click()
    expect(guess.locator(".lv-right input")).to_be_checked()
    expect(strip).to_be_visible()
    chips, box = strip.locator(".lv-chip bdi"), around(strip)
    expect(chips.nth(3)).to_have_text("·dog")
    box.get_by_label("Swap two tokens").check()
    expect(chips.nth(3)).to_have_text("·cat")
    box.get_by_label("Drop the order").check()
    expect(chips.nth(3)).not_to_have_text("·cat")
    in_set = chips.all_text_contents()
    box.get_by_label("Swap two tokens").uncheck()
    expect(box.locator(".lv-sentences", has_text="%")).to_have_count(1)
    assert chips.all_text_contents() == in_set


def test_the_hands_turn_by_themselves(lab):
    clocks = shown(lab, "rope_dial", 0)
    counter = clocks.locator(".lv-counter")
    clocks.get_by_role("button", name="Play").click()
    expect(counter).to_have_text(re.compile(r"^[2-9]"))
    clocks.get_by_role("button", name="Pause").click()
    clocks.locator("input[type=range]").fill("12")
    expect(counter).to_have_text(re.compile("^12 "))
    expect(clocks.locator(".lv-dial-head")).to_contain_text("1.9 turns")
    expect(clocks.locator(".lv-clock-round")).to_have_count(3)  # two small ones and the large one
    expect(clocks.locator(".lv-dial-sum")).to_contain_text("2 of 32")


def test_moving_both_keeps_the_score_and_moving_one_does_not(lab):
    dial = shown(lab, "rope_dial", 1)
    before, hand = score(dial), dial.locator(".lv-hand-q").first
    x = hand.get_attribute("x2")
    dial.locator("input[type=range]").fill("500")
    expect(hand).not_to_have_attribute("x2", x)
    assert score(dial) == before
    one = slider("Move only the query on by", dial)
    one.press("ArrowRight")
    expect(dial.locator(".lv-dial-sum")).to_contain_text("distance 2")
    assert score(dial) != before
    report("Move only the query", lab.latencies(one, ["ArrowRight", "ArrowLeft"] * 2, dial))


def test_the_clocks_by_mouse_and_keys(lab):
    dial = shown(lab, "rope_dial", 1)
    plot = dial.locator(".lv-plot")
    plot.click(position={"x": 30, "y": 60})
    expect(dial.locator(".lv-readout")).to_contain_text("pair 0")
    expect(dial.locator(".lv-dial-head")).to_contain_text("pair 0: ")
    plot.press("ArrowRight")
    expect(dial.locator(".lv-readout")).to_contain_text("pair 1")
    plot.press("End")
    expect(dial.locator(".lv-readout")).to_contain_text("pair 7")


def test_a_head_is_shuffled(lab):
    strip = shown(lab, "token_strip", 1)
    box, chips = around(strip), strip.locator(".lv-chip bdi")
    before = chips.all_text_contents()
    box.get_by_role("button", name="Shuffle").press("Enter")
    expect(box.get_by_text(re.compile("head 3.*%"))).to_be_visible()
    assert sorted(chips.all_text_contents()) == sorted(before) != chips.all_text_contents()
    slider("Head of layer 0", strip).press("ArrowRight")
    expect(box.get_by_text(re.compile("head 4.*%"))).to_be_visible()
    box.get_by_role("button", name="Back in order").click()
    expect(chips.first).to_have_text(before[0])


def test_the_map_opens_on_the_strongest_head(lab):
    arcs = shown(lab, "arcs", 0)
    expect(arcs.locator(".lv-caption")).to_contain_text("L16·H0")
    plot = around(arcs).locator("figure.lv-heat_map").first.locator("[tabindex='0']").first
    plot.press("ArrowRight")
    expect(arcs.locator(".lv-caption")).to_contain_text("L17·H0")
    expect(around(arcs).locator(".lv-sentences", has_text=re.compile("L17·H0.*%"))).to_be_visible()


def test_positions_are_switched_and_thirty_tokens_written(lab):
    bars = shown(lab, "next_token_bars", 0)
    box = around(bars)
    box.get_by_role("button", name="stretched × 4").click()
    expect(bars.locator(".lv-piece").first).to_have_text("·a")
    box.get_by_role("button", name="moved by 1,000").click()
    typed = box.locator("input[type=text]").first
    for text in ("<script>window.hacked = 1</script>", "", "The capital of France is"):
        typed.fill(text)
        typed.press("Enter")
        if not text:
            expect(lab.page.get_by_text(NO_TEXT).first).to_be_visible()
    expect(bars.locator(".lv-piece").first).to_have_text("·Paris")
    box.get_by_role("button", name="Write 30 tokens").click()
    strips = box.locator("figure.lv-token_strip")
    expect(strips.nth(1).locator(".lv-chip").first).to_be_visible(timeout=60_000)  # the first is done
    expect(strips.first.locator(".lv-chip").first).to_have_text("·Paris")
    typed.fill("Tom has a dog and Anna has a cat. Tom has a")
    typed.press("Enter")
    expect(strips.locator("visible=true")).to_have_count(0)  # a new text ends the writing


def test_two_words_are_swapped(lab):
    layers = shown(lab, "line_plot", 1)
    box = around(layers)
    path = layers.locator(".lv-line-0").first
    drawn = path.get_attribute("d")
    box.locator("select").first.select_option(label="Tom  (0)")
    expect(path).not_to_have_attribute("d", drawn)
    expect(box.get_by_text(re.compile("Tom.*%"))).to_be_visible()


def test_under_voila_in_dark(open_voila):
    lab = open_voila("03_position")
    assert lab.errors() == []
    guess = lab.picture("predict", 3)
    guess.scroll_into_view_if_needed()
    guess.get_by_role("button", name="Show me").click()
    dial = shown(lab, "rope_dial", 1)
    expect(dial).to_have_attribute("data-lv-theme", "dark")
    before = score(dial)
    slider("Move only the query on by", dial).press("ArrowRight")
    expect(dial.locator(".lv-dial-sum")).to_contain_text("distance 2")
    assert score(dial) != before
    expect(lab.page.locator("figure.llmviz:not([data-lv-theme=dark]):visible")).to_have_count(0)
    assert lab.page.get_by_text("Traceback").count() == 0
    assert lab.console == []
    assert lab.outside == []
