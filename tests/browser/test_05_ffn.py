"""Notebook 05 in a real JupyterLab: each interaction by mouse and by keyboard."""

import re
from statistics import median

import pytest
from browser.lab import card, output_of, readout
from browser.visit import visit
from playwright.sync_api import expect

SLOW = 180_000  # milliseconds that an experiment of many runs may take on a machine that does other things as well


@pytest.fixture(scope="module")
def lab(open_lab):
    yield from visit(open_lab("05_ffn"))


def shown(lab, cell, name, nth=0):
    """A picture that comes with a card's answer, once it is painted."""
    answered = card(lab, cell)
    answered.scroll_into_view_if_needed()
    asked = answered.get_by_role("button", name="Show me")
    if asked.count():
        asked.click()
    output = output_of(lab, answered)
    picture = output.locator(f"figure.lv-{name}").nth(nth)
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("data-lv-theme", re.compile("light|dark"))
    return picture, output


def test_runs_without_an_error_and_gives_no_answer_away(lab):
    assert lab.errors() == []
    expect(lab.page.locator("figure.lv-silu_curve")).to_be_hidden()
    expect(lab.page.locator("figure.lv-sum_bar")).to_be_hidden()


def test_a_neuron_on_the_curve_is_framed_in_the_stripes(lab, record_property):
    curve, output = shown(lab, "one-guess", "silu_curve")
    plot = curve.locator(".lv-plot")
    plot.press("End")
    expect(readout(curve)).to_contain_text("neuron")
    named = readout(curve).inner_text().split(" · ")[0]
    stripes = output.locator("figure.lv-vector_picture").nth(1)
    stripes.scroll_into_view_if_needed()
    expect(readout(stripes)).to_contain_text(named)
    curve.scroll_into_view_if_needed()
    layer = output.locator(".widget-slider", has_text="Layer").get_by_role("slider")
    times = lab.latencies(layer, ["ArrowRight"] * 2 + ["ArrowLeft"] * 2, curve)
    record_property("milliseconds", [round(t) for t in times])
    print(f"layer slider, key to changed curve: median {median(times):.0f} ms, worst {max(times):.0f} ms")


def test_a_neuron_reads_while_you_type(lab):
    strip, output = shown(lab, "meet-guess", "token_strip")
    expect(strip.locator(".lv-caption")).to_contain_text("neuron 898 of layer 0")
    box = output.get_by_role("textbox")
    box.fill("a cat saw a")
    expect(strip.locator(".lv-chip")).to_have_count(4)
    strip.locator(".lv-chip").last.click()
    expect(readout(strip)).to_contain_text("fires −")


def test_a_search_for_the_readers_own_word(lab):
    words = lab.page.get_by_label("Your word, then others of its kind")
    words.scroll_into_view_if_needed()
    words.fill("blue, red, green, yellow")
    words.press("Enter")
    expect(card(lab, "search-guess")).to_contain_text("“blue”")
    table, output = shown(lab, "search-guess", "heat_map")
    plot = table.locator(".lv-plot")
    expect(plot).to_be_visible(timeout=SLOW)
    caption = output.locator("figure.lv-token_strip .lv-caption")
    before = caption.inner_text()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        plot.press(key)
    expect(caption).not_to_have_text(before)


def test_the_logit_opens_by_mouse_and_keys(lab):
    bar, _ = shown(lab, "apart-guess", "sum_bar")
    terms = bar.locator(".lv-term")
    expect(terms).to_have_count(1)
    terms.first.click()
    expect(terms).to_have_count(5)
    bar.get_by_role("button", name=re.compile("^▸?attention")).press("Enter")
    expect(terms).to_have_count(35)
    bar.get_by_role("button", name=re.compile("^▸?attention 23")).press("Enter")
    expect(terms).to_have_count(44)
    expect(terms.filter(has_text="layer 23, head 4")).to_contain_text("+2.87")
    terms.first.click()
    expect(terms).to_have_count(1)


def patch_map(lab, nth):
    """A patch map of the page with its explorer, once all its runs are done; its question is another for each map."""
    output = output_of(lab, lab.page.locator("figure.lv-patch_map")).nth(nth)
    picture, asked = output.locator("figure.lv-patch_map"), output.get_by_role("button", name="Show me")
    output.scroll_into_view_if_needed()
    if asked.count():
        asked.click()
    picture.scroll_into_view_if_needed()
    expect(output.get_by_role("button", name="Stop")).to_have_count(0, timeout=SLOW)
    return picture, output


def test_a_guess_begins_the_runs_and_a_cell_moves_over(lab):
    picture, output = patch_map(lab, 0)
    expect(output.get_by_text(re.compile(r"0 to 23.*24 to 29"))).to_be_visible()
    plot = picture.locator(".lv-plot")
    for key in ("ArrowRight", "End", "PageDown", "ArrowLeft"):  # to the subject, below all layers
        plot.press(key)
    expect(picture.locator(".lv-moving")).to_be_visible()
    expect(readout(picture)).to_contain_text(re.compile(r"“France” before layer 0.*Berlin.* 79\.6%"))
    expect(picture.locator(".lv-number").last).to_have_text("79.6%")
    assert float(picture.locator(".lv-twin").get_attribute("width")) > 100


def test_another_map_needs_no_other_guess_and_the_control_moves_nothing(lab):
    picture, output = patch_map(lab, 0)
    output.get_by_role("button", name="FFN", exact=True).click()
    expect(output.get_by_text(re.compile(r"“France” in layer 0: “Berlin”"))).to_be_visible(timeout=SLOW)
    output.get_by_role("button", name="vectors", exact=True).click()
    output.get_by_role("checkbox").check()
    expect(output.get_by_text(re.compile("^Control: .* falls as low as"))).to_be_visible(timeout=SLOW)
    expect(picture.locator(".lv-caption")).to_contain_text("The capital")


def test_one_head_lights_up(lab):
    picture, output = patch_map(lab, 1)
    expect(output.get_by_text(re.compile("layer 23, head 4, at"))).to_be_visible()
    expect(picture.locator(".lv-caption")).to_contain_text("one head")


def test_ten_countries_by_a_button_that_stops(lab):
    asked = card(lab, "ten-guess")
    output = output_of(lab, asked)
    asked.scroll_into_view_if_needed()
    expect(output.get_by_role("button", name="Stop")).to_have_count(0)  # nothing runs before a guess
    asked.get_by_role("button", name="Show me").click()
    output.get_by_role("button", name="Stop").click()
    expect(output.get_by_role("button", name="Continue")).to_be_visible()


def test_another_text_reaches_every_picture(lab):
    # A box of a closed card is hidden.
    box = lab.page.locator(".lv-text-box input").locator("visible=true").first
    box.scroll_into_view_if_needed()
    box.fill("<script>document.title = 'taken'</script> People in Greece speak")
    box.press("Enter")
    strip, output = shown(lab, "says-guess", "token_strip")
    expect(strip.locator(".lv-chip").last).to_contain_text("speak")
    expect(output.locator(".lv-stays")).to_contain_text("With “Greece”, ", timeout=60_000)
    pushed, _ = shown(lab, "says-guess", "signed_bars")
    expect(pushed).to_contain_text("·Greece", timeout=60_000)
    assert lab.page.title() != "taken"
