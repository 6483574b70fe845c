"""Notebook 02 in a real JupyterLab and under Voilà: each picture by mouse and by keyboard, and whatever is typed."""

import re
from xml.etree import ElementTree

import pytest
from browser.lab import report
from browser.visit import visit
from playwright.sync_api import expect
from typed_texts import FEW

BOXES = {
    "Your text": "token_strip",
    "Arrow a": "two_arrows",
    "Arrow b": "two_arrows",
    "One word": "cosine_histogram",
    "Word": "nearest_tokens",
    "Take": "nearest_tokens",
}
BOXES |= {"Another": "cosine_histogram", "−": "nearest_tokens", "+": "nearest_tokens"}
BOXES |= {"Words": "flat_map", "1: one sense": "line_plot"}


@pytest.fixture(scope="module")
def lab(open_lab):
    for lab in visit(open_lab("02_embeddings")):
        lab.give_up_all()
        yield lab


def box(lab, label):
    labelled = lab.page.get_by_label(label, exact=True)
    found = labelled.or_(lab.page.get_by_placeholder(label, exact=True)).first
    found.scroll_into_view_if_needed()
    return found


def beside(control, name, nth=0):
    """The picture in the same box of widgets as a control."""
    return control.locator(f"xpath=ancestor::*[.//figure][1]//figure[contains(@class, 'lv-{name}')]").nth(nth)


def caption(picture):
    return picture.locator(".lv-caption")


def words(picture):
    return picture.locator(".lv-row bdi")


def says(locator, text):
    """The element comes to hold the text; marks that isolate a piece from the sentence's direction don't count."""
    expect(locator).to_contain_text(re.compile("[\u2066-\u2069]*".join(map(re.escape, text))))


def test_the_row_of_the_token_that_is_picked(lab):
    typed = box(lab, "Your text")
    strip, row = beside(typed, "token_strip"), beside(typed, "vector_picture")
    typed.fill("dog cat dog")
    strip.locator(".lv-chip").nth(1).click()
    says(caption(row), "2,644")
    lab.page.keyboard.press("ArrowLeft")
    says(caption(row), "22,676")
    report(
        "key on the tokens to changed row (Python)",
        lab.latencies(strip.locator(".lv-chips"), ["ArrowRight", "ArrowLeft"] * 2, row),
    )
    stripes = row.locator("[tabindex='0']").first
    stripes.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("Enter")
    says(row.locator(".lv-explain"), "W_E[token, dimension]")
    lab.page.keyboard.press("Escape")


def test_a_cosine_among_random_pairs(lab):
    one, other = box(lab, "One word"), box(lab, "Another")
    histogram = beside(one, "cosine_histogram")
    one.fill("Paris")
    other.fill("France")
    says(histogram.locator("text.lv-mine"), "“·Paris”")
    says(histogram.locator("text.lv-mine"), "0.59")
    half = histogram.locator("text.lv-median").text_content()
    lab.page.get_by_role("button", name="Random pairs").click()
    expect(histogram.locator("text.lv-median")).not_to_have_text(half)
    lab.page.get_by_role("button", name="Every token").press("Enter")  # and back, by keyboard
    expect(histogram.locator("text.lv-median")).to_have_text(half)
    picture = histogram.locator(".lv-plot")
    picture.hover(position={"x": 300, "y": 120})
    expect(histogram.locator(".lv-readout")).to_have_text(re.compile(r"(\d\.\d\d.*){2}%"))
    lab.page.mouse.move(0, 0)
    picture.focus()
    lab.page.keyboard.press("Home")
    expect(histogram.locator(".lv-readout")).to_contain_text(re.compile("−0.50.*−0.47"))
    report(
        "key on the histogram to changed bar (no Python)",
        lab.latencies(picture, ["ArrowRight", "ArrowLeft"] * 2, histogram, wait=0.05),
    )
    lab.page.keyboard.press("Enter")
    says(histogram.locator(".lv-explain"), "“·Paris”")
    other.fill("c")
    report("key in the box to changed cosine (Python)", lab.latencies(other, list("ats"), histogram))


def sentence(control):
    """The sentences below a control, where it has something to say."""
    return control.locator("xpath=ancestor::*[.//figure][1]//*[contains(@class, 'lv-sentences')]").first


def test_a_word_of_several_tokens_offers_its_first_token(lab):
    typed = box(lab, "Word")
    near = beside(typed, "nearest_tokens")
    typed.fill("xylophone")
    says(sentence(typed), "2 tokens")
    expect(near).to_be_hidden()
    typed.locator("xpath=ancestor::*[.//button][1]//button").press("Enter")
    expect(typed).to_have_value(re.compile(r"#\d+"))
    says(caption(near), "“·xyl”")
    typed.fill('"dog"')
    says(caption(near), "“dog”")


def test_an_arrow_is_dragged_through_the_plane(lab):
    typed = box(lab, "Arrow a")
    arrows = beside(typed, "two_arrows")
    typed.fill("king")
    expect(arrows.locator("tr", has_text="Cosine").first.locator("td")).to_have_count(1)
    handle = arrows.locator(".lv-handle")
    handle.scroll_into_view_if_needed()
    place = handle.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x - 120, y - 10, steps=4)
    lab.page.mouse.up()
    dragged = arrows.locator("tr", has_text="Angle").first.locator("td")
    expect(dragged).to_have_count(2)
    expect(arrows.locator(".lv-dragged").first).to_be_visible()
    before = dragged.nth(1).inner_text()
    plane = arrows.locator(".lv-plot")
    plane.focus()
    for _ in range(6):
        lab.page.keyboard.press("ArrowDown")
    expect(dragged.nth(1)).not_to_have_text(before)
    report("key on the arrow to changed numbers (Python)", lab.latencies(plane, ["ArrowLeft"] * 4, arrows))
    lab.page.keyboard.press("Home")
    expect(dragged).to_have_count(1)
    lab.page.mouse.move(x, y)


def test_a_box_subtracts_the_average_row_in_its_picture(lab):
    near, histogram = (
        beside(box(lab, "Word"), "nearest_tokens"),
        beside(box(lab, "One word"), "cosine_histogram"),
    )
    captions = [caption(picture).inner_text() for picture in (near, histogram)]
    switch = lab.page.get_by_label("Subtract the average row").last
    switch.scroll_into_view_if_needed()
    switch.press(" ")
    expect(caption(near)).not_to_have_text(captions[0])
    switch.press(" ")
    expect(caption(near)).to_have_text(captions[0])
    expect(caption(histogram)).to_have_text(captions[1])


def test_neighbours_of_any_token(lab):
    typed = box(lab, "Word")
    near = beside(typed, "nearest_tokens")
    typed.fill("Monday")
    expect(words(near).first).to_have_text("·Tuesday")
    typed.fill("dog")
    expect(words(near).first).to_have_text("·dogs")
    spellings = lab.page.get_by_label("Include other spellings of the word")
    spellings.press(" ")
    expect(words(near).first).to_have_text("·Dog")
    words(near).nth(1).click()
    says(near.locator(".lv-explain"), "“·dogs”")
    lab.page.keyboard.press("ArrowDown")
    says(near.locator(".lv-readout"), "0.733")
    lab.page.keyboard.press("Escape")
    spellings.click()
    expect(words(near).first).to_have_text("·dogs")
    words(near).nth(1).click()
    lab.page.keyboard.press("Escape")
    report(
        "key on the neighbours to another one (no Python)",
        lab.latencies(near.locator(".lv-bars"), ["ArrowDown", "ArrowUp"] * 2, near, wait=0.05),
    )
    typed.fill("c")
    report("key in the box to changed neighbours (Python)", lab.latencies(typed, list("ats"), near))


def test_arithmetic_that_holds_and_that_fails(lab):
    first = box(lab, "Take")
    near = beside(first, "nearest_tokens")
    expect(words(near).first).to_have_text("·queen")
    lab.page.get_by_label("or", exact=True).select_option("Paris − France + Italy")
    says(caption(near), "“·Italy”")
    expect(words(near).first).to_have_text("·Paris")
    leave_out = lab.page.get_by_label("Leave out these three words, in all spellings")
    leave_out.press(" ")
    expect(words(near).first).to_have_text("·Italians")
    expect(near.locator(".lv-row", has_text="Rome")).to_have_count(0)
    leave_out.click()
    first.fill("Rome")
    expect(words(near).first).to_have_text("·Rome")


def test_a_guess_starts_the_count(lab):
    bars = lab.page.locator("figure.lv-line_plot", has_text="a − wrong b + c").first
    bars.scroll_into_view_if_needed()
    expect(bars.locator("text", has_text="with un-")).to_be_visible()
    card = lab.page.locator("figure.lv-predict", has_text="182").first
    expect(card).to_contain_text(re.compile(r"\d%.*\d%.*\d%"))


def test_the_map_of_words(lab):
    typed = box(lab, "Words")
    flat = beside(typed, "flat_map")
    crowd = "animals: dog cat horse\ncolours: red blue green\nxylophone <b>x</b> Paris"
    typed.fill(crowd)
    told = sentence(typed)
    says(told, "xylophone")
    expect(caption(flat)).to_contain_text("%")
    expect(flat.locator(".lv-legend bdi")).to_have_text(["animals", "colours", "group 3"])
    red = flat.locator("path[data-index='3']").get_attribute("fill")
    typed.fill("colours: red blue green")
    expect(flat.locator(".lv-legend bdi")).to_have_text(["colours"])
    expect(flat.locator("path[data-index='0']")).to_have_attribute("fill", red)  # a group keeps its colour
    typed.fill(crowd)
    expect(flat.locator(".lv-legend bdi")).to_have_text(["animals", "colours", "group 3"])
    picture = flat.locator(".lv-plot")
    picture.scroll_into_view_if_needed()
    blue = flat.locator("path[data-index='4']").bounding_box()
    middle = blue["x"] + blue["width"] / 2, blue["y"] + blue["height"] / 2
    lab.page.mouse.move(*middle, steps=3)
    says(flat.locator(".lv-readout"), "“·blue” · colours")
    lab.page.mouse.click(*middle)
    says(told, "“·blue”")
    flat.locator("text[data-index='5']").click()  # a name is its own word's, whatever point is nearer
    says(told, "“·green”")
    lab.page.keyboard.press("End")  # the last word, from the keyboard
    says(told, "“·Paris”")
    lab.page.keyboard.press("Enter")
    says(flat.locator(".lv-explain"), "“·Paris”")
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("Home")
    report(
        "key on the map to another word (no Python)",
        lab.latencies(picture, ["End", "Home"] * 2, flat, wait=0.1),
    )


def test_no_name_on_the_map_covers_another(lab):
    typed = box(lab, "Words")
    crowd = (
        "dog cat horse cow pig sheep lion tiger bear wolf fox rabbit mouse bird fish snake frog bee ant fly"
    )
    typed.fill(crowd)
    flat = beside(typed, "flat_map")
    expect(flat.locator(".lv-legend bdi")).to_have_text(["group 1"])
    lab.settle()
    names = flat.locator(".lv-plot text[data-index]:not(.lv-off)")
    boxes = names.evaluate_all(
        "nodes => nodes.map((node) => node.getBoundingClientRect()).map((r) => [r.left, r.right, r.top, r.bottom])"
    )
    assert len(boxes) > 8
    left_out = flat.locator(".lv-plot text.lv-off").count()
    assert len(boxes) + left_out == flat.locator("path[data-index]").count()
    for i, (left, right, top, bottom) in enumerate(boxes):
        for other_left, other_right, other_top, other_bottom in boxes[:i]:
            across = min(right, other_right) - max(left, other_left)
            down = min(bottom, other_bottom) - max(top, other_top)
            assert across <= 2 or down <= 4  # a pixel or two of the letters' own margins


@pytest.mark.parametrize("label", BOXES)
def test_whatever_is_typed_gives_a_picture_or_a_sentence(lab, label):
    typed = box(lab, label)
    picture = beside(typed, BOXES[label])
    for text in FEW:
        typed.fill(text)
        lab.page.wait_for_timeout(120)
    # half a character, as a broken clipboard may hold it
    typed.evaluate(
        "node => { node.value = 'a\\ud83d'; node.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    lab.page.wait_for_timeout(300)
    typed.fill("dog cat" if label == "Words" else "dog")
    if label == "1: one sense":
        typed.press("Enter")  # it runs the model
    says(picture, "dog")
    assert lab.errors() == []


@pytest.mark.parametrize("name", ["nearest_tokens", "cosine_histogram", "flat_map"])
def test_a_picture_is_saved_with_its_texts(lab, name):
    picture = lab.picture(name)
    picture.scroll_into_view_if_needed()
    with lab.page.expect_download() as saved:
        picture.get_by_role("button", name="SVG").click()
    texts = "".join(ElementTree.parse(saved.value.path()).getroot().itertext())
    assert caption(picture).inner_text() in texts
    with lab.page.expect_download() as saved:
        picture.get_by_role("button", name="PNG").click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


def test_under_voila_in_dark(open_voila):
    lab = open_voila("02_embeddings")
    lab.give_up_all()
    typed = box(lab, "Word")
    near = beside(typed, "nearest_tokens")
    expect(near).to_have_attribute("data-lv-theme", "dark")
    typed.fill("Monday")
    expect(words(near).first).to_have_text("·Tuesday")
    says(caption(lab.picture("flat_map")), "%")
    lab.picture("flat_map").scroll_into_view_if_needed()
    expect(lab.picture("flat_map").locator("text.lv-off")).to_have_count(0)  # room for every name
    box(lab, "Words").fill("animals: dog cat horse\ncolours: red blue green")
    expect(lab.picture("flat_map").locator(".lv-legend bdi")).to_have_text(["animals", "colours"])
    assert lab.page.get_by_text("Traceback").count() == 0
    assert lab.console == []
    assert lab.outside == []
