"""The journey in a real JupyterLab: it plays, stops anywhere, listens to keys, and follows what is typed."""

import re

import pytest
from playwright.sync_api import expect

SETUP = """
import llmviz
from llmviz import views
prompt = views.Prompt(llmviz.load(), "The cat that I saw yesterday was")
journey = views.Journey(prompt, seed=2)
journey
"""
# A number for what the canvas shows.
PIXELS = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let i = 0; i < data.length; i += 16) sum = (sum * 31 + data[i] + data[i + 1] + data[i + 2]) % 1e9;
    return sum;
}"""


@pytest.fixture(scope="module")
def lab(open_lab, lab_server):
    lab_server.write("scratch", SETUP)
    lab = open_lab("scratch")
    lab.run_all()
    assert lab.errors() == []
    yield lab
    assert lab.errors() == []
    assert lab.page.evaluate("window.hacked") is None
    assert lab.console == []
    assert lab.outside == []


@pytest.fixture
def journey(lab):
    """The picture, at rest in its first scene."""
    picture = lab.picture("journey")
    picture.scroll_into_view_if_needed()
    stage(picture).focus()
    lab.page.keyboard.press("Home")
    expect(badge(picture)).to_have_text("1")
    settle(lab, picture)
    yield picture
    if picture.get_by_role("button", name="Pause").count():
        picture.get_by_role("button", name="Pause").click()


def stage(picture):
    return picture.locator(".lv-j-stage")


def badge(picture):
    return picture.locator(".lv-j-badge")


def shown(picture):
    return picture.locator("canvas").first.evaluate(PIXELS)


def where(picture):
    return float(picture.get_by_role("slider").input_value())


def until(lab, so):
    """Wait until something is so."""
    for _ in range(600):
        if so():
            return
        lab.page.wait_for_timeout(100)
    raise AssertionError("it never came")


def settle(lab, picture):
    """Wait until the step is done."""
    lab.page.wait_for_timeout(100)
    before = where(picture)
    for _ in range(40):
        lab.page.wait_for_timeout(150)
        now = where(picture)
        if now == before:
            return
        before = now
    raise AssertionError("it does not come to rest")


def test_it_plays_and_stops(lab, journey):
    journey.get_by_role("button", name="Play", exact=True).click()
    until(lab, lambda: where(journey) > 0)
    first = shown(journey)
    until(lab, lambda: shown(journey) != first)
    journey.get_by_role("button", name="Pause").click()
    settle(lab, journey)
    at_rest = shown(journey), where(journey)
    lab.page.wait_for_timeout(500)
    assert (shown(journey), where(journey)) == at_rest
    assert where(journey) > 0


def test_arrow_keys_go_from_stop_to_stop_and_do_not_scroll(lab, journey):
    scrolled = "() => document.querySelector('.jp-WindowedPanel-outer, .jp-Notebook').scrollTop"
    top = lab.page.evaluate(scrolled)
    pictures = [shown(journey)]
    for _ in range(3):
        lab.page.keyboard.press("ArrowRight")
        settle(lab, journey)
        pictures.append(shown(journey))
    assert len(set(pictures)) == 4
    lab.page.keyboard.press("ArrowLeft")
    settle(lab, journey)
    assert shown(journey) == pictures[2]
    for key in ("PageDown", "End", " ", " ", "PageUp"):
        lab.page.keyboard.press(key)
    settle(lab, journey)
    assert lab.page.evaluate(scrolled) == top


def test_page_keys_and_numbers_go_from_scene_to_scene(lab, journey):
    lab.page.keyboard.press("PageDown")
    expect(badge(journey)).to_have_text("2")
    lab.page.keyboard.press("5")
    expect(badge(journey)).to_have_text("5")
    lab.page.keyboard.press("PageUp")
    expect(badge(journey)).to_have_text("4")
    lab.page.keyboard.press("End")
    expect(badge(journey)).to_have_text("7")


def test_the_slider_scrubs_and_speaks(lab, journey):
    slider = journey.get_by_role("slider")
    slider.fill("0.7")
    expect(badge(journey)).to_have_text("5")
    said = journey.locator(".lv-j-caption p").evaluate(
        "p => p.textContent.replace(/“(.*?)”/g, '“\\u2068$1\\u2069”')"
    )
    expect(slider).to_have_attribute("aria-valuetext", re.compile(rf"5 .*7.*{re.escape(said)}"))
    one = shown(journey)
    slider.fill("0.9")
    expect(badge(journey)).to_have_text("7")
    assert shown(journey) != one
    slider.focus()
    lab.page.keyboard.press("ArrowLeft")  # the keys are the picture's, on the slider too
    settle(lab, journey)
    lab.page.keyboard.press("Home")
    settle(lab, journey)
    assert where(journey) == 0


def test_a_layer_names_the_look_with_its_measured_weight(lab, journey):
    told = journey.locator(".lv-j-caption p")
    lab.run_code(
        "i, look = max(enumerate(journey.parts['film'].numbers.strongest[1:], 1), key=lambda row: row[1].weight)\n"
        "print(f'LOOK {i} {look.head} {100 * look.weight:.0f}')"
    )
    text = lab.page.locator(".jp-OutputArea-output", has_text="LOOK").last.inner_text()
    layer, head, weight = text.split()[-3:]
    journey.scroll_into_view_if_needed()
    stage(journey).focus()
    lab.page.keyboard.press("5")
    for _ in range(2 * int(layer)):
        lab.page.keyboard.press("ArrowRight")
    settle(lab, journey)
    expect(told).to_contain_text(re.compile(rf"\b{layer}\b.*\b{head}\b.*\b{weight}%", re.DOTALL))


def test_the_pointer_names_a_mark(lab, journey):
    lab.page.keyboard.press("ArrowRight")
    settle(lab, journey)
    box = journey.locator("canvas").first.bounding_box()
    readout = journey.locator(".lv-readout")
    for x in range(40, int(box["width"]), 30):
        lab.page.mouse.move(box["x"] + x, box["y"] + 0.36 * box["height"])
        if "504" in readout.inner_text():
            break
    expect(readout).to_have_text(re.compile(r"The.* 504\b.* 0$"))
    lab.page.mouse.move(0, 0)
    expect(readout).to_have_text("")


def test_a_typed_text_changes_it_at_the_same_place(lab, journey):
    journey.get_by_role("slider").fill("0.95")
    settle(lab, journey)
    before, place = shown(journey), where(journey)
    box = lab.page.locator(".widget-text input").first
    words = journey.locator(".lv-j-words li").first
    box.fill("<img src=x onerror='window.hacked = 1'> 👩‍👩‍👧 مرحبا")
    box.press("Enter")
    expect(words).to_contain_text("acked")
    settle(lab, journey)
    assert shown(journey) != before
    assert where(journey) == pytest.approx(place, abs=0.01)
    box.fill("The cat that I saw yesterday was")
    box.press("Enter")
    expect(words).to_contain_text("yesterday")
    assert where(journey) == pytest.approx(place, abs=0.01)


def test_the_drawn_token_joins_the_text_and_it_begins_again(lab, journey):
    journey.get_by_role("slider").fill("0.94")
    journey.get_by_role("button", name="Play", exact=True).click()
    expect(badge(journey)).to_have_text("1", timeout=60_000)
    journey.get_by_role("button", name="Pause").click()
    lab.run_code(
        "film = journey.parts['film']\n"
        "print('AGAIN', film.turn, film.next_numbers.tokens[-1] == film.numbers.drawn.token)"
    )
    expect(lab.page.locator(".jp-OutputArea-output", has_text="AGAIN 1 True").last).to_be_visible()
    expect(journey.locator(".lv-j-words li").first).to_contain_text("8 tokens")


def test_without_motion_it_steps(lab, journey):
    lab.page.emulate_media(reduced_motion="reduce")
    try:
        stage(journey).focus()
        lab.page.keyboard.press("Home")
        settle(lab, journey)
        button, start = journey.get_by_role("button", name="Next step"), where(journey)
        button.click()
        until(lab, lambda: where(journey) > start)
        first = where(journey)
        lab.page.wait_for_timeout(600)
        assert where(journey) == first  # nothing moves by itself
        button.click()
        until(lab, lambda: where(journey) > first)
    finally:
        lab.page.emulate_media(reduced_motion="no-preference")
        lab.page.keyboard.press("Home")


def test_the_film_of_a_text_is_saved_as_a_clip(lab, journey, tmp_path):
    with lab.page.expect_download(timeout=120_000) as saved:
        journey.get_by_role("button", name="Film").click()
        until(lab, lambda: where(journey) > 0.2)
        stage(journey).get_by_role("button", name="Pause").click()  # what was played so far
    clip = tmp_path / saved.value.suggested_filename
    saved.value.save_as(clip)
    assert clip.suffix in (".mp4", ".webm")
    assert clip.stat().st_size > 20_000


def test_it_is_drawn_again_in_another_theme(lab, journey):
    light = shown(journey)
    lab.switch_theme("dark")
    until(lab, lambda: shown(journey) != light)
