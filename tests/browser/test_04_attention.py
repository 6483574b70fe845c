"""Notebook 04 in a real JupyterLab and under Voilà: heads by mouse and by keyboard, and whatever is typed."""

import re

import pytest
from browser.lab import Lab, report
from browser.visit import visit
from playwright.sync_api import expect
from typed_texts import FEW

from llmviz.views.kit import text_box

CAT = "The cat that I saw yesterday was sleeping"
# The pictures of a kind, in the order in which they stand.
ARCS = {"first": 0, "atlas": 1}
MAPS = {"atlas": 0, "matter": 1}
LINES = {"counts": 0, "lengths": 1, "copies": 2}


@pytest.fixture(scope="module")
def lab(open_lab):
    for lab in visit(open_lab("04_attention")):
        lab.command("notebook:expand-all-headings")
        lab.give_up_all()
        say(lab, CAT)
        yield lab


def picture(lab, name, nth=0):
    """A picture, scrolled to: JupyterLab draws only what is near the window."""
    found = lab.picture(name, nth)
    if found.is_visible():
        found.scroll_into_view_if_needed()
    return found


def atlas_of(lab):
    return picture(lab, "head_grid")


def keys_of(picture):
    """The part of a picture that takes the keys."""
    return picture.locator("[tabindex='0']").first


def slider(lab, name, nth=0):
    return lab.page.locator(".widget-slider", has_text=name).nth(nth).locator(".noUi-handle")


def button(lab, name):
    return lab.page.get_by_role("button", name=name, exact=True)


def sentence(lab):
    return lab.page.get_by_placeholder("Your sentence (Enter runs the model)").first


def say(lab, text):
    """Type a sentence into the page's box."""
    sentence(lab).fill(text)
    sentence(lab).press("Enter")


def test_one_head_is_taken_apart(lab):
    expect(picture(lab, "arcs", ARCS["first"]).locator(".lv-readout")).to_contain_text("93.3%")
    steps, products = picture(lab, "score_steps"), picture(lab, "vector_picture")
    chosen = steps.locator("[aria-selected=true]")
    expect(chosen).to_contain_text("cat")
    steps.locator("[role=row]").nth(0).locator(".lv-measure").nth(2).click()
    expect(steps.locator(".lv-explain")).to_contain_text("softmax(scores)")
    expect(products.locator(".lv-caption")).to_contain_text("The")
    lab.page.keyboard.press("ArrowDown")
    expect(chosen).to_contain_text("cat")
    lab.page.keyboard.press("Escape")
    expect(steps.locator(".lv-explain")).to_be_hidden()
    for name in ("Layer", "Head"):
        times = lab.latencies(slider(lab, name), ["ArrowLeft", "ArrowRight"] * 2, products)
        report(f"key on the {name.lower()} slider to changed products", times)
    strip = picture(lab, "token_strip")
    report("key on the query strip to changed steps", lab.latencies(keys_of(strip), ["ArrowLeft"] * 4, steps))
    strip.locator(".lv-chip").nth(6).click()
    lab.page.get_by_label("without the mask").check()
    expect(steps.locator(".lv-masked")).to_have_count(0)
    lab.page.get_by_label("without the mask").uncheck()
    expect(steps.locator(".lv-masked")).to_have_count(1)
    divided = steps.locator(".lv-heads").first.inner_text()
    lab.page.get_by_label("without ÷").check()
    expect(steps.locator(".lv-heads").first).not_to_have_text(divided)
    lab.page.get_by_label("without ÷").uncheck()


def test_the_atlas_opens_a_head(lab):
    atlas, large = atlas_of(lab), picture(lab, "heat_map", MAPS["atlas"])
    arcs, keys = picture(lab, "arcs", ARCS["atlas"]), keys_of(atlas)
    expect(large.locator(".lv-caption")).to_contain_text("L13·H8")
    keys.focus()
    lab.page.keyboard.press("ArrowUp")
    expect(large.locator(".lv-caption")).to_contain_text("L13·H7")
    expect(arcs.locator(".lv-caption")).to_contain_text("L13·H7")
    expect(atlas.locator(".lv-readout")).to_contain_text(re.compile(r"head 2\b"))
    box = atlas.locator(".lv-plot canvas").bounding_box()
    lab.page.mouse.click(box["x"] + box["width"] * 21.4 / 30, box["y"] + 4)
    expect(large.locator(".lv-caption")).to_contain_text("L21·H0")
    report("key on the atlas to the large map", lab.latencies(keys, ["ArrowRight", "ArrowLeft"] * 2, large))
    hide = lab.page.get_by_label("hide the first token and share out the rest").first
    captions = [one.locator(".lv-caption") for one in (atlas, large)]
    whole = [caption.inner_text() for caption in captions]
    hide.check()
    for caption, before in zip(captions, whole):
        expect(caption).not_to_have_text(before)
    hide.uncheck()


def test_how_soon_the_atlas_shows(lab):
    """From Enter to the painted atlas, the model's run and every other picture of the page included."""
    sentence(lab).fill("one two three four five six seven eight " * 8)
    times = lab.latencies(sentence(lab), ["Enter"], atlas_of(lab), wait=0)
    expect(atlas_of(lab).locator(".lv-caption")).to_contain_text("65 tokens")
    print(f"\n65 tokens, Enter to the atlas: {times[0]:.0f} ms")
    say(lab, CAT)
    expect(picture(lab, "score_steps").locator("[role=row]")).to_have_count(8)


def test_the_sink_over_the_length(lab):
    told = lab.page.locator("[role=status]", has_text=re.compile(r"\b270 .*%.*\b50 "))
    expect(told).to_contain_text(re.compile(r"\b8\b"), timeout=60_000)
    counts = picture(lab, "line_plot", LINES["counts"])
    keys_of(counts).focus()
    lab.page.keyboard.press("End")
    expect(told).to_contain_text("512")
    expect(picture(lab, "line_plot", LINES["lengths"]).locator(".lv-readout")).to_contain_text("512")
    handle = slider(lab, "From token number")
    report("key on the slider to the sink's counts", lab.latencies(handle, ["ArrowLeft"] * 4, counts))


def test_heads_are_switched_off_and_patched(lab):
    said = lab.page.locator("[role=status]", has_text=re.compile(r"L13·H8 .*%.*\b270 "))
    expect(said).to_be_visible(timeout=120_000)
    table = picture(lab, "heat_map", MAPS["matter"])
    expect(table).to_contain_text("L13·H8")
    twin = lab.page.locator(".lv-stays input:visible").first
    twin.fill("cats and dogs")
    twin.press("Enter")
    expect(table).to_be_hidden()
    twin.fill("cat")
    twin.press("Enter")


def test_a_score_is_opened(lab):
    bars = picture(lab, "signed_bars")
    expect(bars.locator(".lv-panel")).to_have_count(3)
    expect(bars.locator(".lv-title").first).to_contain_text("seven")
    strip = lab.page.locator("figure.lv-token_strip").last
    keys_of(strip).focus()
    lab.page.keyboard.press("ArrowRight")
    expect(bars.locator(".lv-title").first).to_contain_text("purple")


def test_nonsense_is_copied(lab):
    curves = picture(lab, "line_plot", LINES["copies"])
    keys_of(curves).focus()
    lab.page.keyboard.press("End")
    expect(curves.locator(".lv-readout")).to_contain_text(re.compile(r"\b8 .*%.*\b8 .*%"))
    report(
        "key on “Heads off” to new curves",
        lab.latencies(slider(lab, "Heads off"), ["ArrowLeft"], curves, wait=1),
    )
    expect(curves.locator(".lv-legend")).to_contain_text(re.compile(r"\b7 "))


def test_pictures_are_saved(lab):
    for name in ("head_grid", "score_steps", "line_plot"):
        one = picture(lab, name)
        for kind in ("SVG", "PNG"):
            with lab.page.expect_download() as saved:
                one.get_by_role("button", name=kind).click()
            assert saved.value.path().stat().st_size > 1_000


@pytest.mark.parametrize("text", FEW, ids=range(len(FEW)))
def test_whatever_is_typed(lab, model, text):
    say(lab, text)
    reading = text_box.read(text, model.tokenizer)
    if reading.tokens:
        caption = atlas_of(lab).locator(".lv-caption")
        n = len(reading.tokens)
        expect(caption).to_contain_text("one" if n == 1 else re.compile(rf"\b{n}\b"), timeout=60_000)
    if reading.message:
        expect(lab.page.get_by_text(reading.message[-40:]).first).to_be_visible()
    assert lab.errors() == []
    assert lab.page.get_by_text("Traceback").count() == 0
    assert lab.page.evaluate("window.hacked") is None


def test_costs_are_measured(lab):
    lab.run_code("pictures.Cost(model, lengths=(16, 32, 64))")
    button(lab, "Measure on this machine").last.click()
    expect(lab.page.get_by_text(re.compile(r"\b32 .*\b64 .*%"))).to_be_visible(timeout=60_000)
    times = lab.page.locator("figure.lv-line_plot").nth(-2)
    expect(times.locator(".lv-legend")).not_to_be_empty()


def test_under_voila_in_dark(browser, voila_server):
    page = Lab(browser, voila_server)
    try:
        page.open("04_attention")
        page.page.get_by_role("button", name="Show me").nth(2).wait_for(timeout=120_000)
        page.settle()
        page.page.get_by_role("button", name="Show me").nth(2).click()  # "All heads at a glance"
        atlas = atlas_of(page)
        atlas.scroll_into_view_if_needed()
        expect(atlas).to_have_attribute("data-lv-theme", "dark")
        keys_of(atlas).focus()
        page.page.keyboard.press("ArrowUp")
        expect(picture(page, "heat_map").locator(".lv-caption")).to_contain_text("L13·H7")
        assert page.page.get_by_text("Traceback").count() == 0
        assert page.console == []
        assert page.outside == []
    finally:
        page.close()
