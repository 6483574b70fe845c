"""Notebook 04 in a real JupyterLab and under Voilà: heads by mouse and by keyboard, and whatever is typed."""

from statistics import median

import pytest
from browser.lab import Lab, visit
from playwright.sync_api import expect
from typed_texts import BY_KEYS

from llmviz.views.kit import text_box

CAT = "The cat that I saw yesterday was sleeping"
# The pictures of a kind, in the order in which they stand.
GRIDS = {"atlas": 0, "sink": 1, "finder": 2, "matter": 3, "induction": 5}
STRIPS = {"by hand": 0, "sink": 1, "from": 2, "to": 3, "matter": 4}
MAPS = {"atlas": 0, "sink": 1, "ranking": 2, "finder": 3}
THREE_LAYERS = """
from dataclasses import replace
of_three = replace(config, n_layers=3)
short = llmviz.model.Model(replace(model.weights, config=of_three, layers=model.weights.layers[:3]))
"""


@pytest.fixture(scope="module")
def lab(open_lab):
    yield from visit(open_lab("04_attention"))


def picture(lab, name, nth=0):
    """A picture, scrolled to: JupyterLab draws only what is near the window."""
    found = lab.picture(name, nth)
    if found.is_visible():
        found.scroll_into_view_if_needed()
    return found


def grid(lab, name):
    return picture(lab, "head_grid", GRIDS[name])


def keys_of(picture):
    """The part of a picture that takes the keys."""
    return picture.locator("[tabindex='0']").first


def slider(lab, name, nth=0):
    return lab.page.locator(".widget-slider", has_text=name).nth(nth).locator(".noUi-handle")


def button(lab, name):
    return lab.page.get_by_role("button", name=name, exact=True)


def sentence(lab):
    return lab.page.get_by_placeholder(
        "Your sentence (Enter runs the model)"
    ).first  # it stands with each picture


def say(lab, text):
    """Type a sentence into the box on top."""
    sentence(lab).fill(text)
    sentence(lab).press("Enter")


def report(name, milliseconds):
    print(f"\n{name}: median {median(milliseconds):.0f} ms, worst {max(milliseconds):.0f} ms")


def test_one_head_is_taken_apart(lab):
    steps, products = picture(lab, "score_steps"), picture(lab, "vector_picture", 1)
    chosen = steps.locator("[aria-selected=true]")
    expect(chosen).to_contain_text("cat")
    steps.locator(".lv-step-row").nth(0).locator(".lv-step").nth(3).click()
    expect(steps.locator(".lv-explain")).to_contain_text("softmax(scores)")
    expect(products.locator(".lv-caption")).to_contain_text("The")
    lab.page.keyboard.press("ArrowDown")
    expect(chosen).to_contain_text("cat")
    lab.page.keyboard.press("ArrowLeft")
    lab.page.keyboard.press("ArrowLeft")
    expect(steps.locator(".lv-explain")).to_contain_text("q · k / √d_head")  # an open explanation follows
    lab.page.keyboard.press("Escape")
    expect(steps.locator(".lv-explain")).to_be_hidden()
    for name in ("Layer", "Head", "Query token"):
        times = lab.latencies(
            slider(lab, name), ["ArrowLeft", "ArrowRight"] * 2, lab.picture("vector_picture")
        )
        report(f"key on the {name.lower()} slider to changed q, k and v", times)
    strip = picture(lab, "token_strip", STRIPS["by hand"])
    report("key on the query strip to changed steps", lab.latencies(keys_of(strip), ["ArrowLeft"] * 4, steps))
    strip.locator(".lv-chip").nth(6).click()
    lab.page.get_by_label("without the mask").check()
    expect(steps.locator(".lv-masked")).to_have_count(0)
    lab.page.get_by_label("without the mask").uncheck()
    expect(steps.locator(".lv-masked")).to_have_count(1)
    lab.page.get_by_label("without ÷").check()
    expect(steps.locator(".lv-steps-head")).to_contain_text("not divided")
    lab.page.get_by_label("without ÷").uncheck()


def test_the_atlas_opens_a_head(lab):
    atlas, large, arcs = grid(lab, "atlas"), picture(lab, "heat_map", MAPS["atlas"]), picture(lab, "arcs")
    keys = keys_of(atlas)
    expect(large.locator(".lv-caption")).to_contain_text("Layer 13, head 8")
    keys.focus()
    lab.page.keyboard.press("ArrowUp")
    expect(large.locator(".lv-caption")).to_contain_text("Layer 13, head 7")
    expect(arcs.locator(".lv-caption")).to_contain_text("layer 13, head 7")
    expect(atlas.locator(".lv-readout")).to_contain_text("key/value head 2")
    lab.page.keyboard.press("Home")
    expect(large.locator(".lv-caption")).to_contain_text("Layer 0, head 7")
    box = atlas.locator(".lv-plot canvas").bounding_box()
    lab.page.mouse.click(box["x"] + box["width"] * 21.4 / 30, box["y"] + 4)
    expect(large.locator(".lv-caption")).to_contain_text("Layer 21, head 0")
    report(
        "key on the atlas to the head's large map",
        lab.latencies(keys, ["ArrowRight", "ArrowLeft"] * 3, large),
    )
    report(
        "key on a slider to the large map", lab.latencies(slider(lab, "Layer", 1), ["ArrowLeft"] * 4, large)
    )
    hide = lab.page.get_by_label("hide the first token and renormalise").first
    hide.check()
    expect(atlas.locator(".lv-caption")).to_contain_text("the first token hidden")
    expect(large.locator(".lv-caption")).to_contain_text("first token hidden")
    hide.uncheck()


@pytest.mark.parametrize(
    ("n", "text"), [(12, "The cat that I saw yesterday was sleeping on my new bed"), (64, None)]
)
def test_how_soon_the_atlas_shows(lab, n, text):
    """From Enter to the painted atlas, the model's run and every other picture of the page included."""
    sentence(lab).fill(text or "one two three four five six seven eight " * 8)
    times = lab.latencies(sentence(lab), ["Enter"], grid(lab, "atlas"), wait=3)
    expect(grid(lab, "atlas").locator(".lv-caption")).to_contain_text("tokens")
    print(f"\n{n} tokens, Enter to the atlas: {times[0]:.0f} ms")
    say(lab, CAT)
    expect(picture(lab, "score_steps").locator(".lv-step-row")).to_have_count(8)


def test_the_sink_follows_the_token_and_the_head(lab):
    strip = picture(lab, "token_strip", STRIPS["sink"])
    strip.locator(".lv-chip").nth(6).click()
    expect(grid(lab, "sink").locator(".lv-caption")).to_contain_text("was")
    keys_of(grid(lab, "sink")).focus()
    lab.page.keyboard.press("ArrowRight")
    rows = picture(lab, "heat_map", MAPS["sink"])
    expect(rows.locator(".lv-caption")).to_contain_text("layer 14")
    report(
        "key on the strip to the sink's grid",
        lab.latencies(keys_of(strip), ["ArrowLeft"] * 4, grid(lab, "sink")),
    )
    curve = picture(lab, "line_plot")
    keys_of(curve).focus()
    lab.page.keyboard.press("End")
    expect(curve.locator(".lv-readout")).to_contain_text("layer 29")


def test_heads_are_found_by_tokens_and_by_behaviour(lab):
    table, large = picture(lab, "heat_map", MAPS["ranking"]), picture(lab, "heat_map", MAPS["finder"])
    source = picture(lab, "token_strip", STRIPS["from"])
    target = picture(lab, "token_strip", STRIPS["to"])
    source.locator(".lv-chip").nth(6).click()
    target.locator(".lv-chip").nth(1).click()
    expect(table).to_contain_text("layer 13, head 8")
    expect(large.locator(".lv-caption")).to_contain_text("Layer 13, head 8")
    keys_of(table).focus()
    lab.page.keyboard.press("ArrowDown")
    expect(large.locator(".lv-caption")).to_contain_text("Layer 13, head 6")
    report(
        "key on “to” to the ranking", lab.latencies(keys_of(target), ["ArrowRight", "ArrowLeft"] * 2, table)
    )
    by = lab.page.get_by_label("Rank by")
    by.select_option("induction")
    expect(lab.page.get_by_text("no token comes twice")).to_be_visible()
    lab.page.get_by_label("Behaviour measured on").select_option("random tokens, twice")
    expect(table.locator(".lv-caption")).to_contain_text("10 heads with the largest induction")
    by.select_option("weight from → to")


def test_a_text_that_wakes_a_head_is_found(lab):
    button(lab, "Search 24 texts").click()
    found = lab.page.get_by_label("Most awake first")
    expect(found).to_be_visible(timeout=200_000)
    expect(picture(lab, "arcs", 1).locator(".lv-chip").nth(3)).to_be_visible()
    tokens = picture(lab, "arcs", 1).locator(".lv-chips")
    before = tokens.inner_text()
    found.focus()
    lab.page.keyboard.press("ArrowDown")
    expect(tokens).not_to_have_text(before, use_inner_text=True)


def test_heads_are_turned_down_and_chosen(lab):
    bars = picture(lab, "next_token_bars")
    lead = lab.page.locator("[role=status]", has_text="Its lead over")
    expect(lead).to_contain_text("4.83 → 4.25: that hardly matters")
    report(
        "key on the head slider to new bars",
        lab.latencies(slider(lab, "Chosen heads"), ["ArrowRight"] * 5, bars),
    )
    lab.page.keyboard.press("Home")
    button(lab, "the cats: were or was?").click()
    expect(lead).to_contain_text("the answer has turned")
    keys_of(grid(lab, "matter")).focus()
    expect(grid(lab, "matter").locator(".lv-readout")).to_contain_text("layer 26, head 0")
    lab.page.keyboard.press(" ")
    expect(grid(lab, "matter").locator(".lv-readout")).to_contain_text("not chosen")
    expect(bars.locator(".lv-caption")).to_contain_text("no head is chosen")
    lab.page.keyboard.press(" ")
    expect(lead).to_contain_text("the answer has turned")
    button(lab, "Mary or John?").click()
    expect(lead).to_contain_text("Mary")


def test_nonsense_is_copied(lab):
    curves = picture(lab, "line_plot", 1)
    keys_of(curves).focus()
    lab.page.keyboard.press("End")
    expect(curves.locator(".lv-readout")).to_contain_text("strongest induction heads off")
    handle = slider(lab, "Heads off")
    times = lab.latencies(handle, ["ArrowLeft"], curves, wait=1)
    report("key on “Heads off” to new curves", times)
    expect(curves.locator(".lv-legend")).to_contain_text("the 7 strongest")


def test_pictures_are_saved(lab):
    for name in ("head_grid", "score_steps", "line_plot"):
        one = picture(lab, name)
        for kind in ("SVG", "PNG"):
            with lab.page.expect_download() as saved:
                one.get_by_role("button", name=kind).click()
            assert saved.value.path().stat().st_size > 1_000


@pytest.mark.parametrize("text", BY_KEYS, ids=range(len(BY_KEYS)))
def test_whatever_is_typed(lab, model, text):
    say(lab, text)
    reading = text_box.read(text, model.tokenizer)
    if reading.tokens:
        caption = grid(lab, "atlas").locator(".lv-caption")
        n = len(reading.tokens)
        expect(caption).to_contain_text("one token" if n == 1 else f"on your {n} tokens")
    if reading.told:
        expect(lab.page.get_by_text(reading.told[-40:]).first).to_be_visible()
    assert lab.errors() == []
    assert lab.page.get_by_text("Traceback").count() == 0
    assert lab.page.evaluate("window.hacked") is None


def test_every_head_is_switched_off_in_turn(lab):
    """With the first three layers as the model: 27 heads are off sooner than 270, and the same things happen."""
    lab.run_code(THREE_LAYERS + "pictures.DoesItMatter(short)")
    button(lab, "Switch off every head, one at a time").last.click()
    expect(lab.page.get_by_text("correlate by")).to_be_visible(timeout=60_000)
    expect(lab.page.get_by_text("Needed most for")).to_contain_text("was”⁩: layer")
    effects = lab.page.locator("figure.lv-head_grid").last
    expect(effects.locator(".lv-caption")).to_contain_text("when this one head is off")
    keys_of(effects).press("End")
    expect(effects.locator(".lv-readout")).to_contain_text("layer 2, head")


def test_costs_are_measured(lab):
    lab.run_code("pictures.Cost(model, lengths=(16, 32, 64))")
    button(lab, "Measure on this machine").last.click()
    expect(lab.page.get_by_text("times as long, and scores")).to_be_visible(timeout=60_000)
    times = lab.page.locator("figure.lv-line_plot").nth(-2)
    expect(times.locator(".lv-legend")).to_contain_text("with the cache")


def test_under_voila_in_dark(browser, voila_server):
    page = Lab(browser, voila_server)
    try:
        page.open("04_attention")
        page.picture("score_steps").wait_for(timeout=120_000)
        page.settle()
        atlas = grid(page, "atlas")
        atlas.scroll_into_view_if_needed()
        expect(atlas).to_have_attribute("data-lv-theme", "dark")
        keys_of(atlas).focus()
        page.page.keyboard.press("ArrowUp")
        expect(picture(page, "heat_map").locator(".lv-caption")).to_contain_text("Layer 13, head 7")
        assert page.page.get_by_text("Traceback").count() == 0
        assert page.console == []
        assert page.outside == []
    finally:
        page.close()
